"""The ladder of every face, explored to the end: every way in which its sensors fail, in every order, from a start and
from health. Two radars on the main road with one camera beside both, a camera on the branch.

Beside the keeper of health runs the plain account; it foretells health and rung of every step exactly.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from configs.schema import SiteConfig
from device.camera_alone import CameraAlone
from device.decision import shows
from device.health import HOLD_FACTOR, FaceHealth, FaceHealthKeeper, Health, Ladder, watches
from hal.clock import NS_PER_S
from hal.interfaces import Shows
from tests.support.exploring import Count, Memory, explored
from tests.support.health_account import DAY, RECOVERY, STEP_S, HealthAccount, heard, shorten_days
from tests.support.road import START_NS, site
from tests.support.tracks import BRANCH, EAST, WEST

RADAR_OF = {EAST: "r_east", WEST: "r_west"}
NEEDS = {BRANCH: (EAST, WEST), EAST: (EAST,), WEST: (WEST,)}
GOES_ON = {"ok", "slow", "flooded"}
"""What is still heard and acted on."""

RUNGS = (Ladder.ALL, Ladder.FEWER, Ladder.RADAR_ALONE, Ladder.CAMERA_ALONE, Ladder.NONE)

MEMORY = Memory(
    mutable=(FaceHealthKeeper, CameraAlone),
    forget=frozenset({"_watch", "_sensors", "_well"}),
    age_s=4 * STEP_S,
    only=lambda value: ("_camera_alone",) if type(value) is FaceHealthKeeper and not value._in_fault else None,
)


def junction() -> SiteConfig:
    raw = site().model_dump(mode="json", exclude_none=True)
    zone = {"approach": [[0, 0], [1, 0], [1, 1]]}
    raw["cameras"]["c_main"] = {"driver": "opencv", "source": "1", "zones": {EAST: zone, WEST: zone}}
    return SiteConfig.model_validate(raw)


@dataclasses.dataclass(frozen=True)
class Input:
    """What each sensor does, and whether one target has been the only cause for too long."""

    says: tuple[tuple[str, str], ...]
    stuck: bool

    def word(self, sensor: str) -> str:
        return dict(self.says)[sensor]

    def of_approach(self, approach: str) -> tuple[Ladder, bool]:
        """The rung on which an approach stands, and whether clutter hides from its radar what it should see."""
        radar, camera = self.word(RADAR_OF[approach]), self.word("c_main")
        if radar not in GOES_ON:
            return (Ladder.CAMERA_ALONE if camera == "ok" else Ladder.NONE), False
        if camera != "ok":
            return Ladder.RADAR_ALONE, radar == "flooded"
        return (Ladder.ALL if radar == "ok" else Ladder.FEWER), radar == "flooded"


def inputs() -> Iterator[Input]:
    words = {
        "r_east": ("ok", "silent", "problem", "frozen", "flooded", "slow"),
        "r_west": ("ok", "silent"),
        "c_main": ("ok", "problem"),
        "c_branch": ("ok", "silent"),
    }
    for chosen in itertools.product(*words.values()):
        for stuck in (False, True):
            yield Input(tuple(zip(words, chosen, strict=True)), stuck)


class Machine:
    """The health of a face at a time, with the account beside it."""

    def __init__(self, face: str, *, booted: bool) -> None:
        self.keeper = FaceHealthKeeper(watches(junction())[face], booted=booted, start_ns=START_NS)
        self.now_ns = START_NS
        self.account = HealthAccount.at_start(booted=booted)
        self.ladder = Ladder.ALL if booted else Ladder.NONE

    def after(self, face: str, given: Input) -> tuple["Machine", tuple[FaceHealth, bool]]:
        """One step later, with the rung foretold; what the keeper says; and whether the day of camera alone is over."""
        other = object.__new__(Machine)
        other.keeper, other.now_ns = MEMORY.copied(self.keeper), self.now_ns + STEP_S * NS_PER_S
        board = heard(given.says, other.now_ns)
        stuck = "r_east: one target" if given.stuck else None
        health = other.keeper.step(other.now_ns, board, board.healthy(other.now_ns), stuck)
        found = [given.of_approach(approach) for approach in NEEDS[face]]
        rungs = [rung for rung, _flooded in found]
        flooded = any(flooded for _rung, flooded in found)
        other.account, over = self.account.after(
            reason=given.stuck or flooded or Ladder.NONE in rungs,
            camera_alone=Ladder.CAMERA_ALONE in rungs,
            radars_back=not flooded and all(given.word(RADAR_OF[a]) in GOES_ON for a in NEEDS[face]),
        )
        if given.word("c_branch") != "ok":
            rungs.append(Ladder.RADAR_ALONE)
        other.ladder = Ladder.NONE if other.account.fault else max(rungs, key=RUNGS.index)
        return other, (health, over)

    def key(self) -> Any:
        return MEMORY.state(self.keeper, self.now_ns), self.account


@pytest.mark.parametrize("face", [BRANCH, EAST, WEST])
def test_every_way_down_the_ladder_and_up_again(face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_days(monkeypatch)
    count = Count()
    steps: set[tuple[bool, Ladder]] = set()
    for before, given, after, (health, over) in explored(
        [Machine(face, booted=True), Machine(face, booted=False)],
        inputs(),
        lambda machine, one: machine.after(face, one),
        Machine.key,
        count,
    ):
        told = before.account, given
        ladder = after.ladder
        assert health.ladder is ladder, told
        assert (health.health is Health.FAULT) is (ladder is Ladder.NONE), told
        assert (health.health is Health.OK) is (ladder is Ladder.ALL) is not bool(health.reasons), told
        assert health.hold_factor == HOLD_FACTOR[ladder]
        assert health.presence_known is (given.word("c_branch") == "ok"), told
        blind = any(given.of_approach(approach)[0] is Ladder.NONE for approach in NEEDS[face])
        dark = shows("clear", health.health) is Shows.CLEAR
        assert not dark or not (blind or given.stuck), ("dark and blind", told)
        assert not dark or after.account.well > RECOVERY, ("dark ten seconds after a fault", told)
        assert not over or "camera alone for more than 24 h" in health.reasons, told
        assert not dark or after.account.alone is None or after.account.alone <= DAY or ladder != Ladder.CAMERA_ALONE
        if before.account.alone is not None and after.account.alone is None:
            assert given.word("r_east") in GOES_ON or face == WEST, ("a day given back to a dead radar", told)
        steps.add((before.account.fault > 0, ladder))
    assert count.states >= 180 and count.transitions >= 18_000, count
    # The west radar is never slow here: with the camera it is all there is.
    rungs = [rung for rung in RUNGS if not (face == WEST and rung is Ladder.FEWER)]
    assert steps == set(itertools.product((False, True), rungs)), "to every rung, from fault and from any other rung"
