"""How long each face was lit, and how often for nobody, by what its own road users met. Pure.

Invariants: every span of time is counted once, in one DUTY event (``PERIOD_S`` of monotonic time); a gap between two
steps counts as not watched; an own arrival is *needless* when it met a lit face (a warning, not a fault) and no road
user of a conflicting approach ended its way between the hold before it and the horizon after it, nor is on its way.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping

from configs.schema import Road, SiteConfig
from device.decision import FaceDecision
from device.events import Event, EventKind
from device.health import HOLD_FACTOR
from hal.clock import NS_PER_S
from hal.interfaces import Shows

PERIOD_S = 600.0
"""An event each ten minutes: 144 a day beside thousands of passages, and at most this much is lost in a power cut."""

LONGEST_STEP_S = 1.0
"""Core steps every 20 ms; after a longer gap nobody knows what was shown."""

HOLD_FACTOR_MOST = max(HOLD_FACTOR.values())
"""Degraded faces hold up to this much longer."""


@dataclasses.dataclass(slots=True)
class _Face:
    lit_ns: int = 0
    fault_ns: int = 0
    arrivals: int = 0
    met_lit: int = 0
    needless: int = 0

    def body(self) -> dict[str, float | int]:
        return {
            "lit_s": round(self.lit_ns / NS_PER_S, 1),
            "fault_s": round(self.fault_ns / NS_PER_S, 1),
            "arrivals": self.arrivals,
            "met_lit": self.met_lit,
            "needless": self.needless,
        }


class Duty:
    """The duty of all faces. ``coming`` tells whether a road user on an approach has been on its way since before."""

    def __init__(self, config: SiteConfig, coming: Callable[[str, int], bool]) -> None:
        self._coming = coming
        self._faces = {face: _Face() for face in config.approaches}
        self._ends: dict[str, deque[int]] = {name: deque(maxlen=64) for name in config.approaches}
        self._open: deque[tuple[str, int]] = deque(maxlen=256)
        self._since_ns: int | None = None
        self._last_ns: int | None = None
        self._watched_ns = 0
        self.configure(config)

    def configure(self, config: SiteConfig) -> None:
        """Takes new policy values."""
        policy = config.policy
        self._hold_ns = round(HOLD_FACTOR_MOST * policy.hold_s * NS_PER_S)
        gap_s = max(policy.gap_s.of(config.site.design_user), policy.branch_arrival_s)
        self._horizon_ns = {
            name: round((gap_s if approach.road is Road.BRANCH else policy.branch_arrival_s) * NS_PER_S)
            for name, approach in config.approaches.items()
        }
        self._conflicts = {name: approach.conflicts for name, approach in config.approaches.items()}

    def ended(self, approach: str, at_ns: int) -> None:
        """A road user's way on an approach ended: it was really there."""
        self._ends[approach].append(at_ns)

    def arrived(self, approach: str, at_ns: int, met_lit: bool) -> None:
        """A road user arrived at its own face."""
        face = self._faces[approach]
        face.arrivals += 1
        if met_lit:
            face.met_lit += 1
            self._open.append((approach, at_ns))

    def idle_until_ns(self) -> int | None:
        """The next step that must not be left out while faces stay as they are; None before the first step."""
        if self._since_ns is None or self._last_ns is None:
            return None
        # A tenth of a second earlier than a gap would be too long: steps do not come at any moment one likes.
        times_ns = [self._since_ns + PERIOD_S * NS_PER_S, self._last_ns + (LONGEST_STEP_S - 0.1) * NS_PER_S]
        if self._open:
            approach, at_ns = self._open[0]
            times_ns.append(at_ns + self._horizon_ns[approach])
        return round(min(times_ns))

    def step(self, now_ns: int, decisions: Mapping[str, FaceDecision]) -> Event | None:
        """Adds the time since the last step; every ten minutes the event."""
        last_ns, self._last_ns = self._last_ns, now_ns
        if self._since_ns is None or last_ns is None:
            self._since_ns = now_ns
            return None
        span_ns = now_ns - last_ns
        if 0 < span_ns <= LONGEST_STEP_S * NS_PER_S:
            self._watched_ns += span_ns
            for name, decision in decisions.items():
                if decision.shows is Shows.FAULT:
                    self._faces[name].fault_ns += span_ns
                elif decision.shows is not Shows.CLEAR:
                    self._faces[name].lit_ns += span_ns
        while self._open and now_ns >= self._open[0][1] + self._horizon_ns[self._open[0][0]]:
            self._judge(*self._open.popleft())
        if now_ns - self._since_ns < PERIOD_S * NS_PER_S:
            return None
        body = {
            "watched_s": round(self._watched_ns / NS_PER_S, 1),
            "faces": {name: face.body() for name, face in self._faces.items()},
        }
        self._since_ns, self._watched_ns = now_ns, 0
        self._faces = {name: _Face() for name in self._faces}
        return Event(EventKind.DUTY, now_ns, None, body)

    def _judge(self, approach: str, at_ns: int) -> None:
        from_ns, to_ns = at_ns - self._hold_ns, at_ns + self._horizon_ns[approach]
        for other in self._conflicts[approach]:
            if any(from_ns <= end_ns <= to_ns for end_ns in self._ends[other]) or self._coming(other, to_ns):
                return
        self._faces[approach].needless += 1
