"""The lease on the lamps, in the road's words: dark is earned, a lapse flashes, nothing but a lease extends one."""

from typing import Any

import pytest

from device.lease import BRIGHTEST_PCT, DIMMEST_PCT, Leases, read_lease
from hal.interfaces import Shows

MS = 1_000_000
S = 1000 * MS
CAP_NS, HOLD_NS, CLEAR_AFTER_NS = 150 * MS, 30 * S, 10 * S
RENEW_NS = 20 * MS


def leases(*lamps: str) -> Leases:
    return Leases(lamps or ("l_branch",), cap_ns=CAP_NS, safe_hold_ns=HOLD_NS, clear_after_ns=CLEAR_AFTER_NS, boot_ns=0)


def asks(shows: str = "clear", *lamps: str, **changed: Any) -> dict[str, Any]:
    wishes = {lamp: {"shows": shows, "caused_by_ns": None} for lamp in lamps or ("l_branch",)}
    return {"seq": 1, "lease_ms": 150, "brightness_pct": 80, "lamps": wishes} | changed


def renewed(held: Leases, from_ns: int, to_ns: int, shows: str = "clear") -> int:
    """Core renews every 20 ms; returns when it last did."""
    at_ns = from_ns
    while at_ns <= to_ns:
        assert held.renew(asks(shows), at_ns)
        at_ns += RENEW_NS
    return at_ns - RENEW_NS


def test_a_node_that_boots_flashes_until_it_has_heard_ten_unbroken_seconds() -> None:
    held = leases()
    assert held.shows("l_branch").shows is Shows.FAULT
    last_ns = renewed(held, 0, CLEAR_AFTER_NS - RENEW_NS)
    assert held.shows("l_branch").shows is Shows.FAULT
    assert held.safe == "boot"
    renewed(held, last_ns + RENEW_NS, CLEAR_AFTER_NS)
    assert held.shows("l_branch").shows is Shows.CLEAR
    assert held.safe is None


@pytest.mark.parametrize("shows", ["caution", "alert", "fault"])
def test_a_warning_is_shown_at_once_even_while_clear_is_not_yet_earned(shows: str) -> None:
    held = leases()
    held.renew(asks(shows), 5)
    assert held.shows("l_branch").shows == shows
    assert held.safe == "boot"


def test_a_hung_core_flashes_when_its_lease_runs_out() -> None:
    held = leases()
    last_ns = renewed(held, 0, CLEAR_AFTER_NS)
    held.tick(last_ns + CAP_NS - 1)
    assert held.shows("l_branch").shows is Shows.CLEAR
    held.tick(last_ns + CAP_NS)
    assert held.shows("l_branch").shows is Shows.FAULT
    assert held.safe == "lease ran out"


def test_after_a_lapse_clear_waits_for_the_hold_and_for_ten_unbroken_seconds() -> None:
    held = leases()
    last_ns = renewed(held, 0, CLEAR_AFTER_NS)
    lapse_ns = last_ns + CAP_NS
    held.tick(lapse_ns)
    # Core is back after a second: the hold of thirty seconds is what it waits for.
    last_ns = renewed(held, lapse_ns + S, lapse_ns + HOLD_NS - RENEW_NS)
    assert held.shows("l_branch").shows is Shows.FAULT
    renewed(held, last_ns + RENEW_NS, lapse_ns + HOLD_NS + RENEW_NS)
    assert held.shows("l_branch").shows is Shows.CLEAR


def test_a_core_that_comes_back_after_the_hold_still_earns_ten_seconds() -> None:
    held = leases()
    last_ns = renewed(held, 0, CLEAR_AFTER_NS)
    held.lapse("core has gone", last_ns)
    back_ns = last_ns + 2 * HOLD_NS
    last_ns = renewed(held, back_ns, back_ns + CLEAR_AFTER_NS - RENEW_NS)
    assert held.shows("l_branch").shows is Shows.FAULT
    renewed(held, last_ns + RENEW_NS, back_ns + CLEAR_AFTER_NS)
    assert held.shows("l_branch").shows is Shows.CLEAR


def test_one_gap_starts_the_ten_seconds_again() -> None:
    held = leases()
    last_ns = renewed(held, 0, CLEAR_AFTER_NS - RENEW_NS)
    held.renew(asks(), last_ns + CAP_NS)
    assert held.lapses == 1
    assert held.shows("l_branch").shows is Shows.FAULT


def test_a_lamp_left_out_takes_every_lamp_to_safe() -> None:
    held = leases("l_branch", "l_main")
    for at_ns in range(0, CLEAR_AFTER_NS + 1, RENEW_NS):
        held.renew(asks("clear", "l_branch", "l_main"), at_ns)
    assert held.shows("l_main").shows is Shows.CLEAR
    assert not held.renew(asks("caution", "l_branch"), CLEAR_AFTER_NS + RENEW_NS)
    assert {held.shows(lamp).shows for lamp in ("l_branch", "l_main")} == {Shows.FAULT}
    assert held.safe == "lease left out l_main"


def test_a_longer_lease_than_the_cap_is_capped() -> None:
    held = leases()
    held.renew(asks("caution", lease_ms=60_000), 0)
    assert held.deadline_ns() == CAP_NS


def test_a_shorter_lease_is_taken_as_it_is() -> None:
    held = leases()
    held.renew(asks("caution", lease_ms=40), 0)
    assert held.deadline_ns() == 40 * MS


def test_an_unknown_lamp_is_ignored_and_counted_and_the_known_one_renewed() -> None:
    held = leases()
    assert held.renew(asks("caution", "l_branch", "l_new"), 0)
    assert held.shows("l_branch").shows is Shows.CAUTION
    assert held.ignored == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"lease_ms": 0},
        {"lease_ms": -150},
        {"lease_ms": 1e12},
        {"lease_ms": float("nan")},
        {"lease_ms": float("inf")},
        {"lease_ms": "150"},
        {"lease_ms": True},
        {"lease_ms": None},
        {"brightness_pct": "full"},
        {"brightness_pct": None},
        {"lamps": None},
        {"lamps": []},
        {"lamps": {"l_branch": None}},
        {"lamps": {"l_branch": "clear"}},
        {"lamps": {"l_branch": {}}},
        {"lamps": {"l_branch": {"shows": "green", "caused_by_ns": None}}},
        {"lamps": {"l_branch": {"shows": ["clear"], "caused_by_ns": None}}},
        {"lamps": {"l_branch": {"shows": "clear", "caused_by_ns": -1}}},
        {"lamps": {"l_branch": {"shows": "clear", "caused_by_ns": 2**63}}},
        {"lamps": {"l_branch": {"shows": "clear", "caused_by_ns": True}}},
        {"lamps": {"l_branch": {"shows": "clear", "caused_by_ns": 1.5}}},
    ],
)
def test_what_is_no_lease_extends_nothing_and_is_counted(broken: dict[str, Any]) -> None:
    held = leases()
    held.renew(asks("caution"), 0)
    before_ns = held.deadline_ns()
    assert not held.renew(asks() | broken, 50 * MS)
    assert held.deadline_ns() == before_ns
    assert held.shows("l_branch").shows is Shows.CAUTION
    assert held.ignored == 1


@pytest.mark.parametrize(
    ("asked", "lit"), [(5, DIMMEST_PCT), (20, 20), (60.4, 60), (100, 100), (400, 100), (float("nan"), BRIGHTEST_PCT)]
)
def test_brightness_stays_between_the_dimmest_that_is_seen_and_full(asked: float, lit: int) -> None:
    lease = read_lease(asks(brightness_pct=asked))
    assert lease is not None
    assert lease.brightness_pct == lit


def test_safe_is_lit_fully_whatever_was_asked_before() -> None:
    held = leases()
    last_ns = renewed(held, 0, CLEAR_AFTER_NS)
    assert held.brightness_pct == 80
    held.lapse("core has gone", last_ns)
    assert held.brightness_pct == BRIGHTEST_PCT
    held.renew(asks("caution"), last_ns + RENEW_NS)
    assert held.brightness_pct == BRIGHTEST_PCT


def test_a_peer_that_never_held_a_lease_ends_nothing() -> None:
    held = leases()
    held.lapse("core has gone", 5)
    assert held.lapses == 0
    assert held.safe == "boot"
