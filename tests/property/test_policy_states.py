"""The policy's state machine, explored to the end: every state that can be reached, with every class of input.

A state is a face's memory (decision, gap, stuck target, health) with its times as ages in steps of ten seconds; an
input says which sensors are lost, who comes and who is on the own side. Beside the policy runs a second, plain account
of what was lost and seen when; dark is compared with that. Then every ordered pair of faults through the pipeline.
"""

import copy
import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from configs.schema import RoadUser, SiteConfig
from device.day import DAYLIGHT
from device.decision import FaceDecider, FaceDecision
from device.gap import GapKeeper, _Named
from device.health import FaceHealthKeeper, Health, watches
from device.observation import CameraObservation, Observation, SensorProblem, Zone, ZoneCount
from device.pipeline import Output, Pipeline
from device.sensor_board import SensorBoard
from device.stuck import StuckWatch
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import RadarFrame, RadarTarget, Shows
from tests.support.road import START_NS, site
from tests.support.tracks import BRANCH, EAST, by_approach, seen, waits

STEP_S = 10
HOLD_S = 10.0
AGES = 4
"""Steps after which an age makes no difference any more: 40 s is longer than every time in the policy here."""

STUCK, FAULT, RECOVERY = 3, 3, 1
"""30 s, 30 s and 10 s in steps."""

INSIDE = ("inside", "two")

MUTABLE = (FaceDecider, FaceHealthKeeper, GapKeeper, StuckWatch, _Named)
FORGET = {"_dark", "_policy", "_approach", "_watch", "_well", "_table_s", "_day", "_wide", "_gap"}
"""Configuration and caches, the same in every state; and the gap's memory: who comes here is inside every gap."""


def junction() -> SiteConfig:
    """One radar, one camera, and times that are whole steps."""
    raw = site(hold_s=HOLD_S, stuck_cause_s=30, min_on_s=1).model_dump(mode="json", exclude_none=True)
    del raw["approaches"]["main_west"], raw["radars"]["r_west"]
    raw["approaches"][BRANCH]["conflicts"] = [EAST]
    raw["lamps"]["l_main"]["faces"] = [EAST]
    return SiteConfig.model_validate(raw)


@dataclasses.dataclass(frozen=True)
class Input:
    """One class of input. ``comes``: on the main road; ``own``: on the branch."""

    lost: frozenset[str]
    comes: str
    own: str

    def tracks(self, now_ns: int) -> list[Track]:
        """What trackers can give: nothing of a sensor that is lost."""
        at = {"updated_ns": now_ns}
        found = {
            "nobody": [],
            "inside": [seen(EAST, 3.0, **at)],
            "two": [seen(EAST, 3.0, **at), seen(EAST, 5.0, number=2, **at)],
        }[self.comes]
        return (
            found
            + {
                "nobody": [],
                "waits": [waits(**at)],
                "parked": [waits(RoadUser.TRUCK, state=TrackState.PARKED, **at)],
            }[self.own]
        )


def inputs() -> Iterator[Input]:
    for lost in (frozenset(), frozenset({"r_east"}), frozenset({"c_branch"}), frozenset({"r_east", "c_branch"})):
        coming = ("nobody",) if "r_east" in lost else ("nobody", "inside", "two")
        own = ("nobody",) if "c_branch" in lost else ("nobody", "waits", "parked")
        yield from (Input(lost, *pair) for pair in itertools.product(coming, own))


@dataclasses.dataclass(frozen=True)
class Account:
    """What went in and came out, in steps ago, told without the policy's own memory. Each is counted as far as
    something depends on it."""

    cause: int = 3  # somebody inside the horizon was really seen
    met: int = 3  # the same, and somebody on the branch who is not parked
    lost: int = 2  # the radar was lost
    fault: int = 0  # so many steps on end the face has been in fault
    alone: int = 0  # for so many steps on end one road user has been the only cause

    def after(self, given: Input, cause: bool, decision: FaceDecision) -> "Account":
        alone = min(AGES, self.alone + 1) if cause and given.comes == "inside" else 0
        return Account(
            cause=0 if cause else min(3, self.cause + 1),
            met=0 if cause and given.own == "waits" else min(3, self.met + 1),
            lost=0 if "r_east" in given.lost else min(2, self.lost + 1),
            fault=min(3, self.fault + 1) if decision.health is Health.FAULT else 0,
            alone=alone,
        )


class Machine:
    """A face and its health, which can be copied and compared."""

    def __init__(self, face: str, config: SiteConfig) -> None:
        self.decider = FaceDecider(face, config)
        self.keeper = FaceHealthKeeper(watches(config)[face], booted=True, start_ns=START_NS)

    def copied(self) -> "Machine":
        other = copy.copy(self)
        other.decider, other.keeper = _copied(self.decider), _copied(self.keeper)
        return other

    def step(self, now_ns: int, board: SensorBoard, given: Input) -> FaceDecision:
        for name in ("r_east", "c_branch"):
            board.heard(name, now_ns)
            board.problem(name, "lost" if name in given.lost else None)
        health = self.keeper.step(now_ns, board, board.healthy(now_ns), self.decider.stuck(now_ns))
        return self.decider.step(now_ns, by_approach(given.tracks(now_ns)), health, DAYLIGHT)

    def state(self, now_ns: int) -> Any:
        return _state(self.decider, now_ns), _state(self.keeper, now_ns)


def _copied(value: Any) -> Any:
    if isinstance(value, MUTABLE):
        other = copy.copy(value)
        for name in _names(value):
            setattr(other, name, _copied(getattr(value, name)))
        return other
    if type(value) is dict:
        return {key: _copied(one) for key, one in value.items()}
    return value


def _names(value: Any) -> list[str]:
    names = vars(value) if hasattr(value, "__dict__") else type(value).__slots__
    return [name for name in names if name not in FORGET]


def _state(value: Any, now_ns: int) -> Any:
    if isinstance(value, FaceHealthKeeper) and not value._in_fault:
        return "well"  # since when it was in fault before makes no difference
    if isinstance(value, MUTABLE):
        return tuple([_state(getattr(value, name), now_ns) for name in _names(value)])
    if isinstance(value, Track):
        return value.id, value.state, value.sensor
    if type(value) is int and value >= START_NS - 1000 * NS_PER_S:
        return min(AGES * STEP_S, round((now_ns - value) / NS_PER_S))
    if type(value) is dict:
        return tuple([(key, _state(one, now_ns)) for key, one in sorted(value.items())])
    if type(value) is tuple:
        return tuple([_state(one, now_ns) for one in value])
    return value if isinstance(value, int | str | bool | frozenset | type(None)) else None


def is_cause(face: str, given: Input) -> bool:
    """Whether the face must be lit by this input. On the main road that takes somebody on the branch, and presence
    unknown counts as present."""
    somebody = given.own != "nobody" or "c_branch" in given.lost
    return given.comes in INSIDE and (face == BRANCH or somebody)


def explored(face: str) -> Iterator[tuple[Input, Account, Account, FaceDecision]]:
    """Every transition: what was given, the account before and after it, and the decision."""
    config = junction()
    board = SensorBoard(frozenset({"r_east", "c_branch"}), {})
    every = list(inputs())
    start = Machine(face, config), Account(), START_NS
    known = {(start[0].state(START_NS), start[1])}
    todo = [start]
    while todo:
        machine, before, then_ns = todo.pop()
        now_ns = then_ns + STEP_S * NS_PER_S
        for given in every:
            following = machine.copied()
            decision = following.step(now_ns, board, given)
            after = before.after(given, is_cause(face, given), decision)
            yield given, before, after, decision
            state = following.state(now_ns), after
            if state not in known:
                known.add(state)
                todo.append((following, after, now_ns))


def dark_was_earned(given: Input, before: Account, after: Account, decision: FaceDecision) -> None:
    """What holds for every face in every state."""
    assert (decision.shows is Shows.CLEAR) <= (after.lost > RECOVERY), "dark with a radar lost ten seconds ago"
    assert (decision.shows is Shows.CLEAR) <= (decision.health is not Health.FAULT)
    assert ("c_branch" in given.lost) <= (decision.health is not Health.OK), "a lost camera must be told"
    assert (decision.level == "alert") <= (decision.shows is Shows.ALERT)
    assert (after.alone > STUCK) <= (decision.health is Health.FAULT), "one target alone for thirty seconds"
    if before.fault and not after.fault:
        assert before.fault >= FAULT, "a fault of less than thirty seconds"
    if decision.health is not Health.OK:
        assert decision.reasons, "not well and no reason told"


@pytest.mark.parametrize("face", [BRANCH, EAST])
def test_every_state_with_every_input(face: str) -> None:
    count = 0
    for given, before, after, decision in explored(face):
        count += 1
        dark_was_earned(given, before, after, decision)
        cause = is_cause(face, given)
        assert cause <= (decision.level != "clear")
        assert (cause and given.own == "waits") <= (decision.level == "alert")
        assert (decision.level == "clear") <= (after.cause >= 2), "dark inside the hold"
        assert (decision.level != "clear") <= (after.cause <= 2), "lit for nobody"
        assert (decision.level == "alert") <= (after.met <= 2), "alert for nobody"
    assert count > 10_000, f"only {count} transitions: the exploration has lost its way"


# --- every ordered pair of faults ----------------------------------------------------------------------------------

SENSORS = ("r_east", "r_west", "c_branch")
NEEDS = {BRANCH: {"r_east", "r_west"}, EAST: {"r_east"}, "main_west": {"r_west"}}
TENTH_NS = NS_PER_S // 10


@dataclasses.dataclass(frozen=True)
class Fault:
    """What becomes of one sensor. ``after_s``: within this time its faces must not be dark."""

    name: str
    sensor: str
    after_s: float
    stops: bool = True


FAULTS = [
    *(Fault("silent", sensor, 0.6) for sensor in SENSORS),
    *(Fault("problem", sensor, 0.0) for sensor in SENSORS),
    *(Fault("frozen", sensor, 2.0) for sensor in SENSORS[:2]),
    *(Fault("flood", sensor, 1.1) for sensor in SENSORS[:2]),
    *(Fault("slow", sensor, 2.0, stops=False) for sensor in SENSORS[:2]),
]


def heard(sensor: str, tenth: int, fault: str | None, busy: bool) -> list[Observation]:
    """What a sensor says in this tenth of a second."""
    now_ns = START_NS + tenth * TENTH_NS
    if fault == "silent" or (fault == "slow" and tenth % 4):
        return []
    if sensor == "c_branch":
        words: list[Observation] = [CameraObservation(sensor, now_ns, (ZoneCount(BRANCH, Zone.WAIT, RoadUser.CAR, 1),))]
    else:
        # One after the other at 10 m/s, 30 m apart: somebody is always inside the horizon and reach.
        nearest_m = 30.0 - tenth % 30
        distances_m = [nearest_m + 30.0 * k for k in range(3)] if busy else []
        if fault == "frozen":
            distances_m = [40.0]
        if fault == "flood":
            distances_m = [5.0 + 20.0 * k + 10.0 * (tenth % 2) for k in range(4)]
        words = [RadarFrame(sensor, now_ns, tuple(RadarTarget(10.0, metres) for metres in distances_m))]
    return [*words, SensorProblem(sensor, now_ns, "settings lost" if fault == "problem" else None)]


def run(first: Fault, second: Fault, *, together: bool, busy: bool) -> Iterator[tuple[Mapping[str, str], Output]]:
    """All well, then the first fault, a second later the other: ``together`` with the first or instead of it. Yields
    the sensors that are lost by now, with what became of them, and the output."""
    pipeline = Pipeline(site(), start_ns=START_NS, booted=True)
    well_s = 12.0 if "slow" in (first.name, second.name) else 1.0  # a radar shows its pace in ten seconds
    begins = {first: well_s, second: well_s + 1.0}
    for tenth in range(round(well_s * 10) + 36):
        t_s = tenth / 10
        acting: dict[str, Fault] = {}
        for fault, from_s in begins.items():
            if t_s >= from_s and (together or fault is second or t_s < begins[second]):
                acting.setdefault(fault.sensor, fault)
        said = {sensor: fault.name for sensor, fault in acting.items()}
        observations = [one for sensor in SENSORS for one in heard(sensor, tenth, said.get(sensor), busy)]
        output = pipeline.step(START_NS + tenth * TENTH_NS, DAYLIGHT, observations)
        assert pipeline.counters.faulty == 0
        lost = {
            fault.sensor: fault.name
            for fault in acting.values()
            if fault.stops and t_s >= begins[fault] + fault.after_s
        }
        yield lost, output


@pytest.mark.parametrize(("together", "busy"), [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("first", FAULTS, ids=lambda fault: f"{fault.name}-{fault.sensor}")
def test_no_ordered_pair_of_faults_shows_dark_with_a_needed_sensor_lost(
    first: Fault, together: bool, busy: bool
) -> None:
    for second in FAULTS:
        if second is first:
            continue
        ever_lit = False
        for lost, output in run(first, second, together=together, busy=busy):
            for face, decision in output.decisions.items():
                if NEEDS[face] & set(lost):
                    assert decision.shows is not Shows.CLEAR, f"{second}: {lost}"
                    assert decision.health is Health.FAULT and decision.reasons, f"{second}: {lost}"
                if "c_branch" in lost:
                    assert decision.health is not Health.OK, f"{second}: {lost}"
            stale = {sensor for sensor, name in lost.items() if name == "silent"}
            assert not [track for track in output.tracks if track.sensor in stale], f"{second}: {lost}"
            # Somebody is inside the horizon from the second frame on: once lit, whatever fails, it stays lit.
            lit = output.decisions[BRANCH].shows is not Shows.CLEAR
            assert lit or not (busy and ever_lit), f"{second}: {lost}"
            ever_lit = ever_lit or lit
        assert ever_lit or not busy
