"""Hold and shortest time on, explored to the end in steps of one second, with the health of each rung given.

Beside the face runs an account that knows when a cause was really seen and when the face was lit. A cause that coasts
was seen a second ago. Being the only cause for too long is explored elsewhere.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from device.decision import FaceDecider, FaceDecision
from device.health import FaceHealth, Health, Ladder
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Shows
from tests.support.exploring import Count, Memory, explored
from tests.support.road import START_NS, site
from tests.support.tracks import BRANCH, EAST, by_approach, seen, waits

HOLD_S, MIN_ON_S = 1, 3
HEALTH = {
    "all": FaceHealth(Health.OK, (), presence_known=True),
    "radar alone, the branch unseen": FaceHealth(Health.DEGRADED, ("why",), False, Ladder.RADAR_ALONE),
    "camera alone": FaceHealth(Health.DEGRADED, ("why",), True, Ladder.CAMERA_ALONE),
    "fault": FaceHealth(Health.FAULT, ("why",), True, Ladder.NONE),
}
HELD_S = {"all": 1, "radar alone, the branch unseen": 1, "camera alone": 2, "fault": 2}
"""Whole seconds of a hold of one second times 1, 1.5 and 2."""

OLD_S = 9
"""Longer ago than anything here depends on."""

MEMORY = Memory(
    mutable=(FaceDecider,),
    forget=frozenset(
        {"_dark", "_face", "_policy", "_approach", "_day", "_wide", "_stopping", "_gap", "_own_present", "_lamp_m"}
        | {"_conflicts", "_stuck"}
    ),
    age_s=OLD_S,
)


@dataclasses.dataclass(frozen=True)
class Input:
    """One class of input."""

    health: str
    comes: str
    own: bool

    def tracks(self, now_ns: int) -> list[Track]:
        found = [waits(updated_ns=now_ns)] if self.own else []
        if self.comes == "seen":
            found.append(seen(EAST, 3.0, updated_ns=now_ns))
        elif self.comes == "coasts":
            found.append(seen(EAST, 3.0, state=TrackState.COASTING, updated_ns=now_ns - NS_PER_S))
        return found

    def is_cause(self, face: str) -> bool:
        somebody = face == BRANCH or self.own or self.health == "radar alone, the branch unseen"
        return self.comes != "nobody" and somebody


def inputs() -> Iterator[Input]:
    for health, comes, own in itertools.product(HEALTH, ("nobody", "seen", "coasts"), (False, True)):
        if not (own and health == "radar alone, the branch unseen"):
            yield Input(health, comes, own)


@dataclasses.dataclass(frozen=True)
class Account:
    """In seconds ago."""

    cause: int = OLD_S
    met: int = OLD_S
    lit: int | None = None  # since when the face is lit

    def after(self, face: str, given: Input) -> tuple["Account", str]:
        cause, met = min(OLD_S, self.cause + 1), min(OLD_S, self.met + 1)
        if given.is_cause(face):
            seen_s = 1 if given.comes == "coasts" else 0
            cause = min(cause, seen_s)
            met = min(met, seen_s) if given.own else met
        held_s = HELD_S[given.health]
        lit = None if self.lit is None else min(OLD_S, self.lit + 1)
        if cause > held_s and (lit is None or lit > MIN_ON_S):
            return Account(), "clear"
        after = Account(cause, met if met <= held_s else OLD_S, 0 if lit is None else lit)
        return after, "alert" if met <= held_s else "caution"


class Machine:
    """A face at a time, with the account beside it."""

    def __init__(self, face: str) -> None:
        self.decider = FaceDecider(face, site(hold_s=HOLD_S, min_on_s=MIN_ON_S))
        self.now_ns = START_NS
        self.account = Account()

    def after(self, face: str, given: Input) -> tuple["Machine", tuple[FaceDecision, str]]:
        other = object.__new__(Machine)
        other.decider, other.now_ns = MEMORY.copied(self.decider), self.now_ns + NS_PER_S
        tracks = by_approach(given.tracks(other.now_ns))
        decision = other.decider.step(other.now_ns, tracks, HEALTH[given.health])
        other.account, level = self.account.after(face, given)
        return other, (decision, level)

    def key(self) -> Any:
        return MEMORY.state(self.decider, self.now_ns), self.account


@pytest.mark.parametrize("face", [BRANCH, EAST])
def test_every_state_of_the_hold(face: str) -> None:
    count = Count()
    for before, given, _after, (decision, level) in explored(
        [Machine(face)], inputs(), lambda machine, one: machine.after(face, one), Machine.key, count
    ):
        told = before.account, given
        assert decision.level == level, told
        lit = before.account.lit
        assert decision.level != "clear" or lit is None or lit >= MIN_ON_S, ("a lamp that only blinks", told)
        assert decision.shows is not Shows.CLEAR or not given.is_cause(face), ("dark before somebody", told)
        assert decision.shows is not Shows.CLEAR or given.health != "fault", told
    assert count.states >= 110 and count.transitions >= 2_300, count
