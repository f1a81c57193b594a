"""The policy's state machine, explored to the end: every state that can be reached, with every class of input.

A state is a face's memory (decision, stuck target, health) with its times as ages in steps of ten seconds; an input
says which sensors are lost, who comes, who is on the own side and what the weather is. Beside the policy runs a second,
plain account of what went in, and it foretells level, health and rung of every step exactly. What needs finer steps
(hold and shortest time on) is in test_hold_states.py, every way a sensor fails in test_ladder_states.py.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from configs.schema import RoadUser, SiteConfig
from device.camera_alone import CameraAlone
from device.day import DAYLIGHT, DayState
from device.decision import FaceDecider, FaceDecision
from device.health import FaceHealth, FaceHealthKeeper, Health, Ladder, watches
from device.stuck import StuckWatch
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Shows
from tests.support.exploring import Count, Memory, explored
from tests.support.health_account import RECOVERY, STEP_S, HealthAccount, heard, later, shorten_days
from tests.support.road import START_NS, site
from tests.support.tracks import BRANCH, EAST, by_approach, seen, waits

HOLD_S = 10.0
STUCK = 3
"""Thirty seconds, in steps."""

FOUL = dataclasses.replace(DAYLIGHT, night=True, wet=True, visibility_m=40.0)
"""Night, a wet road and fog: 2.5 s more on every horizon, and seven tenths of the deceleration."""

FAR_S = {BRANCH: 9.9, EAST: 7.0}
"""An arrival outside every horizon by day and inside every one in foul weather. Branch: 9.5 s with nobody there and
7.5 s for a car, 2.5 s more each; main at 10 m/s: 6.0 s and 9.1 s."""

MEMORY = Memory(
    mutable=(FaceDecider, FaceHealthKeeper, StuckWatch, CameraAlone),
    # Configuration and caches, the same in every state; and the gap's memory, because whoever comes here is inside or
    # outside whatever class was believed.
    forget=frozenset(
        {"_dark", "_face", "_policy", "_approach", "_watch", "_well", "_day", "_wide", "_stopping", "_gap", "_sensors"}
        | {"_own_present", "_lamp_m", "_conflicts"}
    ),
    age_s=4 * STEP_S,
    # Since when it was in fault before makes no difference once that is over.
    only=lambda value: ("_camera_alone",) if type(value) is FaceHealthKeeper and not value._in_fault else None,
)


def junction(*, main_camera: bool, caution_requires: str = "any") -> SiteConfig:
    """One main approach with a radar, and a camera too where one is asked for; a camera on the branch; and times that
    are whole steps. Only faces whose own users are seen may ask for them."""
    raw = site(hold_s=HOLD_S, stuck_cause_s=30, min_on_s=1).model_dump(mode="json", exclude_none=True)
    raw["policy"]["caution_requires"] = caution_requires
    del raw["approaches"]["main_west"], raw["radars"]["r_west"]
    raw["approaches"][BRANCH]["conflicts"] = [EAST]
    raw["lamps"]["l_main"]["faces"] = [EAST]
    if caution_requires != "any":
        del raw["lamps"]["l_main"]
    if main_camera:
        zone = [[0, 0], [1, 0], [1, 1]]
        raw["cameras"]["c_main"] = {"driver": "opencv", "source": "1", "zones": {EAST: {"approach": zone}}}
    return SiteConfig.model_validate(raw)


@dataclasses.dataclass(frozen=True)
class Input:
    """One class of input. ``comes``: on the main road; ``own``: on the branch."""

    lost: frozenset[str]
    comes: str
    own: str
    day: DayState = DAYLIGHT

    def tracks(self, face: str) -> list[Track]:
        """What trackers can give: nothing of a sensor that is lost."""
        sensor = "c_main" if "r_east" in self.lost else "r_east"
        arrivals_s = {"nobody": (), "inside": (3.0,), "two": (3.0, 5.0), "far": (FAR_S[face],)}[self.comes]
        found = [seen(EAST, s, number=number, sensor=sensor) for number, s in enumerate(arrivals_s, start=1)]
        if self.own == "nobody":
            return found
        parked = self.own == "parked"
        return [*found, waits(RoadUser.TRUCK, state=TrackState.PARKED) if parked else waits()]


@dataclasses.dataclass(frozen=True)
class Case:
    """What is explored: a face of a junction, and how much of the road is varied."""

    name: str
    face: str
    main_camera: bool
    floor: tuple[int, int]
    """So many states and transitions it must find at least."""
    requires: str = "any"
    comes: tuple[tuple[str, DayState], ...] = (("nobody", DAYLIGHT), ("inside", DAYLIGHT))
    own: tuple[str, ...] = ("nobody", "waits")

    def fitted(self) -> tuple[str, ...]:
        return ("r_east", "c_main", "c_branch") if self.main_camera else ("r_east", "c_branch")

    def sees_main(self, lost: frozenset[str]) -> bool:
        return "r_east" not in lost or (self.main_camera and "c_main" not in lost)

    def is_cause(self, given: Input) -> bool:
        """Whether the face must be lit by this input. Presence unknown counts as present."""
        if given.comes == "nobody" or (given.comes == "far" and given.day is DAYLIGHT):
            return False
        somebody = given.own != "nobody" or "c_branch" in given.lost
        return somebody or (self.face == BRANCH and self.requires == "any")

    @functools.cache  # noqa: B019 - a case lives as long as the module
    def says(self, lost: frozenset[str]) -> tuple[tuple[str, str], ...]:
        """What each sensor does: a lost radar is silent, a lost camera says so."""
        lost_as = {"r_east": "silent", "c_main": "problem", "c_branch": "problem"}
        return tuple((name, lost_as[name] if name in lost else "ok") for name in self.fitted())

    @functools.cache  # noqa: B019
    def tracks(self, given: Input) -> list[Track]:
        return given.tracks(self.face)

    def inputs(self) -> Iterator[Input]:
        for chosen in itertools.product((False, True), repeat=len(self.fitted())):
            lost = frozenset(itertools.compress(self.fitted(), chosen))
            coming = self.comes if self.sees_main(lost) else self.comes[:1]
            own = self.own if "c_branch" not in lost else self.own[:1]
            for (comes, day), there in itertools.product(coming, own):
                yield Input(lost, comes, there, day)


@dataclasses.dataclass(frozen=True)
class Foretold:
    """What the face must be at a step."""

    health: Health
    ladder: Ladder
    level: str
    camera_alone_over: bool


@dataclasses.dataclass(frozen=True)
class Account:
    """What went in, in steps ago, told without the policy's own memory."""

    health: HealthAccount
    cause: int = 3  # somebody inside the horizon was really seen
    met: int = 3  # the same, and somebody on the branch who is not parked
    sole: int | None = None  # one road user began to be the only cause

    def after(self, case: Case, given: Input) -> tuple["Account", Foretold]:
        sees, radar = case.sees_main(given.lost), "r_east" not in given.lost
        stuck = self.sole is not None and self.sole + 1 >= STUCK
        account, over = self.health.after(reason=not sees or stuck, camera_alone=sees and not radar, radars_back=radar)
        if account.fault:
            health, ladder = Health.FAULT, Ladder.NONE
        elif not given.lost:
            health, ladder = Health.OK, Ladder.ALL
        else:
            health, ladder = Health.DEGRADED, Ladder.RADAR_ALONE if radar else Ladder.CAMERA_ALONE
        # The hold of one step times 1 or 1.5 ends before the second step, times 2 with it.
        held = 2 if ladder in (Ladder.NONE, Ladder.CAMERA_ALONE) else 1
        is_cause = case.is_cause(given)
        cause = 0 if is_cause else min(3, self.cause + 1)
        met = 0 if is_cause and given.own == "waits" else min(3, self.met + 1)
        if is_cause:
            sole = None if given.comes == "two" else 0 if self.sole is None else later(self.sole, STUCK)
        else:
            sole = later(self.sole, STUCK) if cause <= held else None
        level = "alert" if met <= held else "caution" if cause <= held else "clear"
        return Account(account, cause, met, sole), Foretold(health, ladder, level, over)


class Machine:
    """A face and its health at a time, with the account beside them."""

    def __init__(self, case: Case, *, booted: bool) -> None:
        config = junction(main_camera=case.main_camera, caution_requires=case.requires)
        self.decider = FaceDecider(case.face, config)
        self.keeper = FaceHealthKeeper(watches(config)[case.face], booted=booted, start_ns=START_NS)
        self.now_ns = START_NS
        self.account = Account(HealthAccount.at_start(booted=booted))

    def after(self, case: Case, given: Input) -> tuple["Machine", tuple[FaceHealth, FaceDecision, Foretold]]:
        """The machine one step later."""
        other = object.__new__(Machine)
        other.decider, other.keeper = MEMORY.copied(self.decider), MEMORY.copied(self.keeper)
        other.now_ns = now_ns = self.now_ns + STEP_S * NS_PER_S
        board = heard(case.says(given.lost), now_ns)
        health = other.keeper.step(now_ns, board, board.healthy(now_ns), other.decider.stuck(now_ns))
        tracks = by_approach([track._replace(updated_ns=now_ns) for track in case.tracks(given)])
        decision = other.decider.step(now_ns, tracks, health, given.day)
        other.account, foretold = self.account.after(case, given)
        return other, (health, decision, foretold)

    def key(self) -> Any:
        now_ns = self.now_ns
        return MEMORY.state(self.decider, now_ns), MEMORY.state(self.keeper, now_ns), self.account


ROAD = (*((comes, DAYLIGHT) for comes in ("nobody", "inside", "two", "far")), ("inside", FOUL), ("far", FOUL))
OWN = ("nobody", "waits", "parked")
CASES = (
    Case("road", BRANCH, False, (690, 18_000), comes=ROAD, own=OWN),
    Case("road", EAST, False, (690, 18_000), comes=ROAD, own=OWN),
    Case("own-present", BRANCH, False, (190, 3_000), requires="own_present", comes=(*ROAD[:2], ROAD[-1]), own=OWN),
    Case("ladder", BRANCH, True, (2_200, 46_000)),
    Case("ladder", EAST, True, (2_200, 46_000)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.face}")
def test_every_state_with_every_input(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_days(monkeypatch)
    count, rungs, fell = Count(), set(), False
    for before, given, after, (health, decision, foretold) in explored(
        [Machine(case, booted=True), Machine(case, booted=False)],
        case.inputs(),
        lambda machine, one: machine.after(case, one),
        Machine.key,
        count,
    ):
        told = before.account, given
        # Nothing less than the worst input allows, whatever the account says.
        dark = decision.shows is Shows.CLEAR
        assert not dark or case.sees_main(given.lost), ("dark and blind", told)
        assert not dark or (health.health is not Health.FAULT and after.account.health.well > RECOVERY), told
        assert not dark or not case.is_cause(given), ("dark before somebody", told)
        assert not given.lost or health.health is not Health.OK, ("a lost sensor must be told", told)
        assert (health.health is Health.OK) != bool(health.reasons), ("not well and no reason told", told)
        assert decision.health is health.health and decision.reasons == health.reasons
        if decision.level == "alert":
            assert decision.shows is Shows.ALERT
        elif health.health is Health.FAULT:
            assert decision.shows is Shows.FAULT
        else:
            assert decision.shows == decision.level
        # And exactly what was foretold.
        assert (health.health, health.ladder, decision.level) == (
            foretold.health,
            foretold.ladder,
            foretold.level,
        ), told
        if foretold.camera_alone_over:
            assert "camera alone for more than 24 h" in health.reasons, told
            fell = True
        rungs.add(health.ladder)
    states, transitions = case.floor
    assert count.states >= states and count.transitions >= transitions, count
    assert rungs >= {Ladder.ALL, Ladder.RADAR_ALONE, Ladder.NONE}
    assert (Ladder.CAMERA_ALONE in rungs) is case.main_camera
    assert fell is case.main_camera, "no day of camera alone came to its end"
