"""The lease on the lamps: what may be shown, given when core last renewed. No clock, no I/O.

Invariants, held by tests over every sequence of events:

1. What a lamp shows other than ``fault`` is asked for by a lease that has not run out.
2. No lease outlives ``cap_ns`` after the renewal that made it, whatever it asked for.
3. One lease that runs out, one lamp left out of a renewal, or the peer going away takes every lamp to ``fault``.
4. ``clear`` is shown only after ``clear_after_ns`` of renewals without a gap, and not before ``safe_hold_ns`` have
   passed since the last lapse (at boot there was none). ``caution``, ``alert`` and ``fault`` are shown at once.
5. A message that is not a lease changes nothing, in particular it extends nothing; it is counted.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from hal.interfaces import Shows

NS_PER_MS = 1_000_000

SHORTEST_LEASE_ASKED_MS = 1
LONGEST_LEASE_ASKED_MS = 60_000
"""Outside these a lease is a mistake of its sender, not a wish to be capped."""

DIMMEST_PCT = 20
"""Dimmer than this a lamp cannot be told from a dark one by day: a floor of ours, whatever core asks."""

BRIGHTEST_PCT = 100
_LARGEST_NS = 2**63


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What core asks of one lamp. ``caused_by_ns``: when the last byte of the causing frame was read, or None."""

    shows: Shows
    caused_by_ns: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """One renewal, checked: every lamp it speaks of, for how long, how bright (20 to 100)."""

    duration_ns: int
    brightness_pct: int
    wishes: Mapping[str, Wish]


_SHOWS = {shows.value: shows for shows in Shows}


def read_lease(message: Mapping[str, Any]) -> Lease | None:
    """The lease in a message, or None when any part of it is not what it should be (see invariant 5)."""
    duration_ms = _number(message.get("lease_ms"))
    brightness_pct = _number(message.get("brightness_pct"))
    lamps = message.get("lamps")
    if duration_ms is None or brightness_pct is None or not isinstance(lamps, dict):
        return None
    if not SHORTEST_LEASE_ASKED_MS <= duration_ms <= LONGEST_LEASE_ASKED_MS:
        return None
    wishes = {}
    for lamp, asked in lamps.items():
        wish = _read_wish(asked)
        if wish is None:
            return None
        wishes[lamp] = wish
    # JSON knows NaN, which compares false with everything: it lights fully.
    brightness = BRIGHTEST_PCT
    if brightness_pct < BRIGHTEST_PCT:
        brightness = round(max(DIMMEST_PCT, brightness_pct))
    return Lease(duration_ns=int(duration_ms * NS_PER_MS), brightness_pct=brightness, wishes=wishes)


def _read_wish(asked: Any) -> Wish | None:
    if not isinstance(asked, dict):
        return None
    shows = asked.get("shows")
    caused_by_ns = asked.get("caused_by_ns")
    known = _SHOWS.get(shows) if isinstance(shows, str) else None
    if known is None:
        return None
    if caused_by_ns is None:
        return Wish(known)
    # type(), not isinstance: a bool is no time.
    if type(caused_by_ns) is not int or not 0 <= caused_by_ns < _LARGEST_NS:
        return None
    return Wish(known, caused_by_ns)


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


class Leases:
    """The lease state of all lamps of a node. Times are CLOCK_MONOTONIC nanoseconds, never falling."""

    def __init__(
        self, lamps: Iterable[str], *, cap_ns: int, safe_hold_ns: int, clear_after_ns: int, boot_ns: int
    ) -> None:
        self._lamps = frozenset(lamps)
        self._cap_ns = cap_ns
        self._safe_hold_ns = safe_hold_ns
        self._clear_after_ns = clear_after_ns
        self._wishes: Mapping[str, Wish] = {}
        self._expires_ns: int | None = None
        self._unbroken_since_ns: int | None = None
        self._hold_until_ns = boot_ns
        self._safe: str | None = "boot"
        self._brightness_pct = BRIGHTEST_PCT
        self.ignored = 0
        self.lapses = 0

    @property
    def safe(self) -> str | None:
        """Why ``clear`` is not accepted now, or None once it is earned."""
        return self._safe

    @property
    def brightness_pct(self) -> int:
        """How bright to light: as asked under a lease, full without one or while in safe."""
        return BRIGHTEST_PCT if self._safe is not None else self._brightness_pct

    def shows(self, lamp: str) -> Wish:
        """What this lamp shows now, as of the last ``renew``, ``lapse`` or ``tick``."""
        wish = self._wishes.get(lamp)
        if wish is None:
            return _NOTHING_ASKED
        if wish.shows is Shows.CLEAR and self._safe is not None:
            return Wish(Shows.FAULT, wish.caused_by_ns)
        return wish

    def renew(self, message: Mapping[str, Any], now_ns: int) -> bool:
        """Takes a renewal; False (and counted) when it is none. A lease that has run out meanwhile lapses first."""
        self.tick(now_ns)
        lease = read_lease(message)
        if lease is None:
            self.ignored += 1
            return False
        # A lamp unknown here is core being ahead of guard in a change of config: it extends nothing.
        self.ignored += sum(lamp not in self._lamps for lamp in lease.wishes)
        left_out = self._lamps.difference(lease.wishes)
        if left_out:
            reason = f"lease left out {', '.join(sorted(left_out))}"
            self.lapse(reason, now_ns)
            if self._safe is not None:
                self._safe = reason
            self.ignored += 1
            return False
        if self._unbroken_since_ns is None:
            self._unbroken_since_ns = now_ns
        self._wishes = lease.wishes
        self._brightness_pct = lease.brightness_pct
        self._expires_ns = now_ns + min(lease.duration_ns, self._cap_ns)
        self._earn(now_ns)
        return True

    def lapse(self, reason: str, now_ns: int) -> None:
        """Ends every lease now (the peer has gone, say). Without a lease there is nothing to end."""
        if self._expires_ns is None:
            return
        self._wishes = {}
        self._expires_ns = None
        self._unbroken_since_ns = None
        self._hold_until_ns = now_ns + self._safe_hold_ns
        self._safe = reason
        self.lapses += 1

    def tick(self, now_ns: int) -> None:
        """Lets time pass: a lease that has run out lapses. The hold counts from when this was noticed."""
        if self._expires_ns is not None and now_ns >= self._expires_ns:
            self.lapse("lease ran out", now_ns)

    def deadline_ns(self) -> int | None:
        """When ``tick`` must next be called, or None while nothing can run out."""
        return self._expires_ns

    def _earn(self, now_ns: int) -> None:
        assert self._unbroken_since_ns is not None
        if now_ns >= self._hold_until_ns and now_ns - self._unbroken_since_ns >= self._clear_after_ns:
            self._safe = None


_NOTHING_ASKED = Wish(Shows.FAULT)
