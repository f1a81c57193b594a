"""What must hold for any road: in time, in any order, and never less warning for more road users."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.observation import Observation
from device.tracking import MAX_TRACKS
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget
from tests.support.road import REACH_M, START_NS, Drive, Vehicle, lit_spans

BRANCH = "branch_south"
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

vehicles = st.builds(
    Vehicle,
    speed_kmh=st.floats(18, 144),
    arrival_s=st.floats(21, 24),
    radar=st.sampled_from(["r_east", "r_west"]),
    flag=st.sampled_from(list(Flag)),
)


@FEW
@given(vehicle=vehicles)
def test_any_vehicle_between_5_and_40_mps_is_warned_of_in_time(vehicle: Vehicle) -> None:
    spans = lit_spans(Drive(vehicle).run(vehicle.arrival_s, steps_a_frame=1), BRANCH)
    assert spans, "never warned"
    due_s = min(9.5, REACH_M / vehicle.speed_mps)
    assert vehicle.arrival_s - spans[0][0] >= due_s - 0.5
    assert len(spans) == 1 and vehicle.arrival_s - spans[0][1] < 0.11, "dark for a moment before it arrived"


@FEW
@given(first=vehicles, second=vehicles)
def test_a_second_vehicle_never_shortens_the_warning_of_the_first(first: Vehicle, second: Vehicle) -> None:
    alone = lit_spans(Drive(first).run(first.arrival_s, steps_a_frame=1), BRANCH)
    both = lit_spans(Drive(first, second).run(first.arrival_s, steps_a_frame=1), BRANCH)
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

    plain = [moment.output.decisions for moment in Drive(*pair).run(20, steps_a_frame=1)]
    mixed = [moment.output.decisions for moment in Drive(*pair).run(20, shuffle=shuffled, steps_a_frame=1)]
    assert plain == mixed


targets = st.builds(
    RadarTarget,
    speed_mps=st.floats(-80, 80),
    distance_m=st.one_of(st.none(), st.floats(0, 400)),
    flag=st.sampled_from(list(Flag)),
    snr=st.one_of(st.none(), st.floats(0, 255)),
)


@FEW
@given(frames=st.lists(st.lists(targets, max_size=30), max_size=40))
def test_no_frame_makes_the_pipeline_raise_and_health_stays_fresh(frames: list[list[RadarTarget]]) -> None:
    drive = Drive()
    for index, found in enumerate(frames):
        now_ns = START_NS + index * NS_PER_S // 10
        observations: list[Observation] = [
            RadarFrame("r_east", now_ns, tuple(found)),
            RadarFrame("r_west", now_ns, ()),
        ]
        output = drive.pipeline.step(now_ns, drive._day, observations)
        assert len([t for t in output.tracks if t.sensor == "r_east"]) <= 2 * MAX_TRACKS
    assert drive.pipeline.counters.faulty == 0
