"""Every ordered pair of faults through the pipeline: none shows dark with a stale or failed needed input.

East and west are mirror images, so a first fault on the main road is one of the east. Garbage goes as bytes through the
real decoder. A radar's pace, and the time for which one cause may light a face, are as short as they can be.
"""

import copy
import dataclasses
import random
from collections.abc import Iterator, Mapping

import pytest

from configs.schema import RoadUser, SiteConfig
from device import radar_watch
from device.day import DAYLIGHT
from device.health import Health
from device.observation import CameraObservation, Observation, SensorProblem, Zone, ZoneCount
from device.pipeline import Output, Pipeline
from device.sensors import radar_decoder
from hal.clock import NS_PER_S
from hal.interfaces import RadarDecoder, RadarFrame, RadarTarget, Shows
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.road import START_NS, site
from tests.support.tracks import BRANCH, EAST, WEST

NEEDS = {BRANCH: (EAST, WEST), EAST: (EAST,), WEST: (WEST,)}
RADARS = {EAST: "r_east", WEST: "r_west"}
TENTH_NS = NS_PER_S // 10
PACE_S = 1.0
STUCK_S = 30.0


def junction(*, main_camera: bool) -> SiteConfig:
    """Two radars on the main road, with one camera beside both where one is asked for, and a camera on the branch."""
    raw = site(stuck_cause_s=STUCK_S).model_dump(mode="json", exclude_none=True)
    if main_camera:
        zone = {"approach": [[0, 0], [1, 0], [1, 1]]}
        raw["cameras"]["c_main"] = {"driver": "opencv", "source": "1", "zones": {EAST: zone, WEST: zone}}
    return SiteConfig.model_validate(raw)


SITES = {False: junction(main_camera=False), True: junction(main_camera=True)}


@dataclasses.dataclass(frozen=True)
class Fault:
    """What becomes of one sensor. ``after_s``: within this time its faces must not be well, and not dark where nothing
    else sees. ``blinds``: nothing of it can be acted on."""

    name: str
    sensor: str
    after_s: float
    blinds: bool = True

    def known(self, tenth: int, begins: int) -> bool:
        """Whether it must be known by now. What comes in a burst once a second is good for half of it."""
        return tenth >= begins + round(self.after_s * 10) and not (self.name == "burst" and tenth % 10 < 6)

    def __str__(self) -> str:
        return f"{self.name}-{self.sensor}"


def faults(*sensors: str) -> list[Fault]:
    found = []
    for sensor in sensors:
        found += [Fault("silent", sensor, 0.6), Fault("problem", sensor, 0.0)]
        if sensor.startswith("r_"):
            found += [
                Fault("frozen", sensor, 2.0),
                Fault("flood", sensor, 1.1, blinds=False),
                Fault("slow", sensor, 2.0, blinds=False),
                Fault("late", sensor, 0.6),
                Fault("burst", sensor, 0.6),
                Fault("garbage", sensor, 0.6),
            ]
    return found


FIRST = {False: faults("r_east", "c_branch"), True: faults("r_east", "c_main", "c_branch")}
SECOND = {with_camera: [*first, *faults("r_west")] for with_camera, first in FIRST.items()}


class Road:
    """What the sensors of a junction say. ``busy``: on the main road somebody is always inside the horizon. On the
    branch somebody waits."""

    def __init__(self, config: SiteConfig, *, busy: bool, echo: bool = False) -> None:
        self.sensors = (*config.radars, *config.cameras)
        self._busy, self._echo = busy, echo
        self._decoders: dict[str, RadarDecoder] = {name: radar_decoder(config, name) for name in config.radars}
        self._noise = random.Random(0)

    def says(self, sensor: str, tenth: int, fault: str | None) -> list[Observation]:
        """What a sensor says in this tenth of a second."""
        now_ns = START_NS + tenth * TENTH_NS
        if fault == "silent" or (fault == "slow" and tenth % 4) or (fault == "burst" and tenth % 10):
            return []
        word = SensorProblem(sensor, now_ns, "settings lost" if fault == "problem" else None)
        if fault == "garbage":
            half = encode_report([WireTarget(0, 30, 1, 40)])[:-5]
            return [*self._decoders[sensor].feed(self._noise.randbytes(20) + half, now_ns), word]
        if fault == "late":
            return [self._seen(sensor, tenth - 6, fault), word]
        if fault == "burst":  # it stalls for a second and then says everything at once
            return [*(self._seen(sensor, then, fault) for then in range(tenth - 9, tenth + 1)), word]
        return [self._seen(sensor, tenth, fault), word]

    def _seen(self, sensor: str, tenth: int, fault: str | None) -> Observation:
        at_ns = START_NS + tenth * TENTH_NS
        if sensor == "c_branch":
            return CameraObservation(sensor, at_ns, (ZoneCount(BRANCH, Zone.WAIT, RoadUser.CAR, 1),))
        if sensor == "c_main":
            coming = RADARS if self._busy else ()
            return CameraObservation(
                sensor, at_ns, tuple(ZoneCount(approach, Zone.APPROACH, RoadUser.CAR, 1) for approach in coming)
            )
        if fault == "frozen":
            return RadarFrame(sensor, at_ns, (RadarTarget(10.0, 40.0),))
        if fault == "flood":
            clutter_m = [5.0 + 20.0 * k + 10.0 * (tenth % 2) for k in range(4)]
            return RadarFrame(sensor, at_ns, tuple(RadarTarget(10.0, metres) for metres in clutter_m))
        if self._echo and sensor == "r_east":
            # An echo wanders by a range step; what never changes is a frozen radar.
            return RadarFrame(sensor, at_ns, (RadarTarget(20 / 3.6, 22.0 + tenth % 2),))
        # One after the other at 10 m/s, 30 m apart.
        coming_m = [30.0 - tenth % 30 + 30.0 * k for k in range(3)] if self._busy else []
        return RadarFrame(sensor, at_ns, tuple(RadarTarget(10.0, metres) for metres in coming_m))


def step(pipeline: Pipeline, road: Road, tenth: int, acting: Mapping[str, Fault]) -> Output:
    """A tenth of a second with these faults, by sensor."""
    words = {sensor: fault.name for sensor, fault in acting.items()}
    said = [one for sensor in road.sensors for one in road.says(sensor, tenth, words.get(sensor))]
    output = pipeline.step(START_NS + tenth * TENTH_NS, DAYLIGHT, said)
    assert pipeline.counters.faulty == 0
    return output


def run(
    first: Fault, second: Fault, *, main_camera: bool, together: bool, busy: bool
) -> Iterator[tuple[dict[str, Fault], Output]]:
    """All well, then the first fault, a second later the other: ``together`` with the first or instead of it. Yields
    the faults that must be known by now, by sensor, and the output."""
    config = SITES[main_camera]
    pipeline = Pipeline(config, start_ns=START_NS, booted=True)
    road = Road(config, busy=busy)
    well_s = 2 * PACE_S if "slow" in (first.name, second.name) else 1.0
    begins = {first: round(well_s * 10), second: round(well_s * 10) + 10}
    known_both = max(begin + round(fault.after_s * 10) for fault, begin in begins.items())
    for tenth in range(known_both + 4):
        acting: dict[str, Fault] = {}
        for fault, since in begins.items():
            if tenth >= since and (together or fault is second or tenth < begins[second]):
                acting.setdefault(fault.sensor, fault)
        known = {fault.sensor: fault for fault in acting.values() if fault.known(tenth, begins[fault])}
        yield known, step(pipeline, road, tenth, acting)


def never_less_than_the_worst_input_allows(known: Mapping[str, Fault], output: Output, *, main_camera: bool) -> None:
    """No face is dark or well with what is known to be wrong."""
    told = [str(fault) for fault in known.values()]
    for face, decision in output.decisions.items():
        sensors = [{RADARS[approach], "c_main"} if main_camera else {RADARS[approach]} for approach in NEEDS[face]]
        blind = {sensor for sensor, fault in known.items() if fault.blinds}
        flooded = {sensor for sensor, fault in known.items() if fault.name == "flood"}
        if any(fitted <= blind or fitted & flooded for fitted in sensors):
            assert decision.shows is not Shows.CLEAR, (face, told)
            assert decision.health is Health.FAULT, (face, told)
        if known.keys() & {"c_branch"}.union(*sensors):
            assert decision.health is not Health.OK and decision.reasons, (face, told)
        assert (decision.level == "alert") is (decision.shows is Shows.ALERT), (face, told)
        assert decision.health is not Health.FAULT or decision.shows in (Shows.FAULT, Shows.ALERT), (face, told)
    silent = {sensor for sensor, fault in known.items() if fault.name in ("silent", "late", "garbage")}
    assert not [track for track in output.tracks if track.sensor in silent], told


@pytest.mark.parametrize(
    ("main_camera", "together", "busy"),
    [(False, True, False), (False, True, True), (False, False, False), (True, True, True), (True, False, False)],
)
def test_no_ordered_pair_of_faults_shows_dark_with_a_needed_sensor_lost(
    main_camera: bool, together: bool, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radar_watch, "PACE_S", PACE_S)
    pairs = [(first, second) for first in FIRST[main_camera] for second in SECOND[main_camera] if first is not second]
    for first, second in pairs:
        ever_lit = False
        for known, output in run(first, second, main_camera=main_camera, together=together, busy=busy):
            never_less_than_the_worst_input_allows(known, output, main_camera=main_camera)
            # Somebody is inside the horizon from the second frame on: once lit, whatever fails, it stays lit.
            lit = output.decisions[BRANCH].shows is not Shows.CLEAR
            assert lit or not (busy and ever_lit), (str(first), str(second), list(known))
            ever_lit = ever_lit or lit
        assert ever_lit or not busy
    assert len(pairs) >= (200 if main_camera else 160), "a pair is missing"


@pytest.mark.parametrize("main_camera", [False, True])
def test_a_stuck_cause_and_any_other_fault(main_camera: bool) -> None:
    """The echo becomes a fault after thirty seconds; the other comes two seconds later."""
    config = SITES[main_camera]
    pipeline, road = Pipeline(config, start_ns=START_NS, booted=True), Road(config, busy=False, echo=True)
    begins = round(STUCK_S * 10) + 20
    for tenth in range(begins):
        output = step(pipeline, road, tenth, {})
    assert "only cause" in output.decisions[BRANCH].reasons[0] and "only cause" in output.decisions[EAST].reasons[0]
    for other in SECOND[main_camera]:
        then = copy.deepcopy(pipeline)
        for tenth in range(begins, begins + 30):
            output = step(then, road, tenth, {other.sensor: other})
            known = {other.sensor: other} if other.known(tenth, begins) else {}
            never_less_than_the_worst_input_allows(known, output, main_camera=main_camera)
            for face in (BRANCH, EAST):
                assert output.decisions[face].health is Health.FAULT, (face, str(other))


@pytest.mark.parametrize("other", SECOND[False], ids=str)
def test_any_fault_while_a_cause_becomes_stuck(other: Fault) -> None:
    """The other comes two seconds before the echo's thirty are over: the face is in fault for the one or the other."""
    pipeline, road = Pipeline(SITES[False], start_ns=START_NS, booted=True), Road(SITES[False], busy=False, echo=True)
    stuck = round(STUCK_S * 10)
    for tenth in range(stuck + 5):
        acting = {other.sensor: other} if tenth >= stuck - 20 else {}
        output = step(pipeline, road, tenth, acting)
        known = acting if other.known(tenth, stuck - 20) else {}
        never_less_than_the_worst_input_allows(known, output, main_camera=False)
    assert output.decisions[BRANCH].health is Health.FAULT and output.decisions[BRANCH].shows is not Shows.CLEAR


@pytest.mark.parametrize("name", ["late", "burst"])
def test_what_comes_late_is_counted_and_not_acted_on(name: str) -> None:
    pipeline, road = Pipeline(SITES[False], start_ns=START_NS, booted=True), Road(SITES[False], busy=True)
    for tenth in range(40):
        step(pipeline, road, tenth, {} if tenth < 5 else {"r_east": Fault(name, "r_east", 0.6)})
    assert pipeline.counters.late >= 3 * 4
