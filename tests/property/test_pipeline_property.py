"""What must hold for any road: in time, in any order, and never less warning for more road users."""

import dataclasses
import math
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.day import DAYLIGHT
from device.observation import Observation
from device.tracking import MAX_TRACKS
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget
from tests.support.road import REACH_M, START_NS, Drive, Vehicle, lit_spans, site

BRANCH = "branch_south"
SITE = site()
HORIZON_S = 9.5
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])

vehicles = st.builds(
    Vehicle,
    speed_kmh=st.floats(18, 144),
    arrival_s=st.floats(21, 24),
    radar=st.sampled_from(["r_east", "r_west"]),
    flag=st.sampled_from(list(Flag)),
)


def drive(*on_the_road: Vehicle) -> Drive:
    return Drive(*on_the_road, config=SITE, told=False)


def comes_soon(*coming: Vehicle) -> list[Vehicle]:
    """The same road from a second before one of them comes into reach, or two before the first lights a face: until
    then nothing happens on it."""
    enters_s = min(vehicle.arrival_s - REACH_M / vehicle.speed_mps for vehicle in coming)
    lights_s = min(vehicle.arrival_s for vehicle in coming) - HORIZON_S
    left_out_s = math.floor(max(enters_s - 1.0, lights_s - 2.0) * 10) / 10
    return [dataclasses.replace(vehicle, arrival_s=vehicle.arrival_s - left_out_s) for vehicle in coming]


@FEW
@given(vehicle=vehicles)
def test_any_vehicle_between_5_and_40_mps_is_warned_of_in_time(vehicle: Vehicle) -> None:
    (vehicle,) = comes_soon(vehicle)
    spans = lit_spans(drive(vehicle).run(vehicle.arrival_s, steps_a_frame=1), BRANCH)
    assert spans, "never warned"
    due_s = min(HORIZON_S, REACH_M / vehicle.speed_mps)
    assert vehicle.arrival_s - spans[0][0] >= due_s - 0.5
    assert len(spans) == 1 and vehicle.arrival_s - spans[0][1] < 0.11, "dark for a moment before it arrived"


@FEW
@given(first=vehicles, second=vehicles)
def test_a_second_vehicle_never_shortens_the_warning_of_the_first(first: Vehicle, second: Vehicle) -> None:
    first, second = comes_soon(first, second)
    alone = lit_spans(drive(first).run(first.arrival_s, steps_a_frame=1), BRANCH)
    both = lit_spans(drive(first, second).run(first.arrival_s, steps_a_frame=1), BRANCH)
    inside = [span for span in both if span[1] >= first.arrival_s - 0.11]
    assert inside and inside[-1][0] <= alone[-1][0] + 0.11  # one radar frame, where the two share range cells


@FEW
@given(pair=st.tuples(vehicles, vehicles), seed=st.integers(0, 2**32))
def test_neither_order_nor_duplication_of_inputs_changes_the_outcome(pair: tuple[Vehicle, Vehicle], seed: int) -> None:
    rng = random.Random(seed)

    def shuffled(observations: list[Observation]) -> list[Observation]:
        mixed = observations + rng.sample(observations, k=len(observations) // 2)
        rng.shuffle(mixed)
        return mixed

    # Both are on their way already, three to six seconds before the conflict point.
    one, other = (dataclasses.replace(vehicle, arrival_s=vehicle.arrival_s - 18.0) for vehicle in pair)
    until_s = min(one.arrival_s, other.arrival_s) + 1.0
    plain = [moment.output.decisions for moment in drive(one, other).run(until_s, steps_a_frame=1)]
    mixed = [moment.output.decisions for moment in drive(one, other).run(until_s, shuffle=shuffled, steps_a_frame=1)]
    assert plain == mixed


def noise(rng: random.Random, most: int) -> tuple[RadarTarget, ...]:
    """What no road can show: anything that fits the form."""
    return tuple(
        RadarTarget(
            speed_mps=rng.choice([0.0, rng.uniform(-80, 80)]),
            distance_m=rng.choice([None, 0.0, rng.uniform(0, 400), float(rng.randrange(20))]),
            flag=rng.choice(list(Flag)),
            snr=rng.choice([None, rng.uniform(0, 255)]),
        )
        for _ in range(rng.randint(0, most))
    )


@FEW
@given(seed=st.integers(0, 2**32), most=st.sampled_from([1, 4, 30]))
def test_no_frame_makes_the_pipeline_raise_and_health_stays_fresh(seed: int, most: int) -> None:
    rng, road = random.Random(seed), drive()
    for index in range(20):
        now_ns = START_NS + index * NS_PER_S // 10
        observations: list[Observation] = [
            RadarFrame("r_east", now_ns, noise(rng, most)),
            RadarFrame("r_west", now_ns, ()),
        ]
        output = road.pipeline.step(now_ns, DAYLIGHT, observations)
        assert len([t for t in output.tracks if t.sensor == "r_east"]) <= 2 * MAX_TRACKS
    assert road.pipeline.counters.faulty == 0
