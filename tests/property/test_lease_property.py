"""The lease machine against an oracle that knows only what happened: every short sequence, and long random ones."""

import copy
import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from device.lease import Leases
from hal.interfaces import Shows

NS_PER_MS = 1_000_000
CAP, HOLD, CLEAR_AFTER = 2 * NS_PER_MS, 5 * NS_PER_MS, 3 * NS_PER_MS
LAMPS = ("l_branch", "l_main")

EVENTS = ("clear", "caution", "short", "left_out", "garbage", "gone", "wait")


def message(event: str) -> dict[str, Any]:
    wish = {"shows": "caution" if event == "caution" else "clear", "caused_by_ns": None}
    lamps = dict.fromkeys(LAMPS, wish)
    if event == "left_out":
        del lamps["l_main"]
    if event == "garbage":
        lamps = {lamp: {"shows": "dark"} for lamp in LAMPS}
    return {"lease_ms": 1 if event == "short" else 1000, "brightness_pct": 50, "lamps": lamps}


@dataclasses.dataclass
class Oracle:
    """Knows when each good renewal came and when the leases ended; works everything out from those two."""

    renewals: list[tuple[int, int, str]] = dataclasses.field(default_factory=list)
    ended_ns: list[int] = dataclasses.field(default_factory=list)

    def end(self, at_ns: int) -> None:
        if self.renewals:
            self.ended_ns.append(at_ns)
            self.renewals.clear()

    def pass_time(self, now_ns: int) -> None:
        if self.renewals and now_ns >= self.renewals[-1][1]:
            self.end(now_ns)

    def happen(self, event: str, now_ns: int) -> None:
        self.pass_time(now_ns)
        if event in ("clear", "caution", "short"):
            asked_ns = NS_PER_MS if event == "short" else CAP
            self.renewals.append((now_ns, now_ns + asked_ns, "caution" if event == "caution" else "clear"))
        elif event in ("left_out", "gone"):
            self.end(now_ns)

    def shows(self) -> str:
        if not self.renewals:
            return "fault"
        last_ns, _, asked = self.renewals[-1]
        if asked == "caution":
            return "caution"
        # Both only grow while the run lasts: what is earned is not un-earned without a lapse.
        unbroken_ns = last_ns - self.renewals[0][0]
        held = not self.ended_ns or last_ns >= self.ended_ns[-1] + HOLD
        return "clear" if unbroken_ns >= CLEAR_AFTER and held else "fault"

    def copied(self) -> "Oracle":
        return Oracle(list(self.renewals), list(self.ended_ns))


def fresh() -> Leases:
    return Leases(LAMPS, cap_ns=CAP, safe_hold_ns=HOLD, clear_after_ns=CLEAR_AFTER, boot_ns=0)


def happen(held: Leases, event: str, now_ns: int) -> None:
    if event == "gone":
        held.tick(now_ns)
        held.lapse("core has gone", now_ns)
    elif event == "wait":
        held.tick(now_ns)
    else:
        held.renew(message(event), now_ns)


def agree(held: Leases, oracle: Oracle, story: tuple[str, ...]) -> str:
    shown = {held.shows(lamp).shows.value for lamp in LAMPS}
    assert shown == {oracle.shows()}, story
    return shown.pop()


def test_every_sequence_of_five_events_shows_what_was_earned_and_nothing_else() -> None:
    seen: dict[str, int] = {}

    def follow(held: Leases, oracle: Oracle, now_ms: int, story: tuple[str, ...]) -> None:
        for event in EVENTS:
            next_held, next_oracle, told = copy.copy(held), oracle.copied(), (*story, event)
            happen(next_held, event, now_ms * NS_PER_MS)
            next_oracle.happen(event, now_ms * NS_PER_MS)
            shown = agree(next_held, next_oracle, told)
            seen[shown] = seen.get(shown, 0) + 1
            if len(told) < 5:
                follow(next_held, next_oracle, now_ms + 1, told)

    # From boot, from clear just earned, and from a lapse that is three and six milliseconds old.
    earned = ("clear",) * 4
    starts: list[tuple[str, ...]] = [
        (),
        earned,
        (*earned, "gone", "wait", "wait"),
        (*earned, "gone", "clear", "clear", "clear"),
    ]
    for before in starts:
        held, oracle = fresh(), Oracle()
        for index, event in enumerate(before):
            happen(held, event, index * NS_PER_MS)
            oracle.happen(event, index * NS_PER_MS)
        agree(held, oracle, before)
        follow(held, oracle, len(before), ())
    assert all(seen[shown] > 100 for shown in ("clear", "caution", "fault")), seen


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 4 * NS_PER_MS)), max_size=60))
def test_any_long_story_with_any_gaps_shows_what_was_earned(story: list[tuple[str, int]]) -> None:
    held, oracle, now_ns = fresh(), Oracle(), 0
    for event, gap_ns in story:
        now_ns += gap_ns
        happen(held, event, now_ns)
        oracle.happen(event, now_ns)
        agree(held, oracle, tuple(event for event, _ in story))
        deadline_ns = held.deadline_ns()
        assert deadline_ns is None or now_ns < deadline_ns <= now_ns + CAP


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
NEAR_LEASES = st.fixed_dictionaries(
    {},
    optional={
        "lease_ms": JSON,
        "brightness_pct": JSON,
        "lamps": JSON | st.dictionaries(st.sampled_from((*LAMPS, "l_new")), JSON, max_size=3),
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(NEAR_LEASES, max_size=8))
def test_no_nonsense_is_ever_raised_on_or_ends_in_the_dark(messages: list[dict[str, Any]]) -> None:
    held = fresh()
    for at_ns, near in enumerate(messages):
        held.renew(near, at_ns)
        assert all(held.shows(lamp).shows is not Shows.CLEAR for lamp in LAMPS)
        deadline_ns = held.deadline_ns()
        assert deadline_ns is None or deadline_ns <= at_ns + CAP
