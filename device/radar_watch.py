"""What a radar's frames say of the radar itself: frozen, flooded by clutter, or slower than it was. Pure.

Invariants: nothing here looks at SNR or angle; single ghosts, jitter and one frame in ten lost are a normal day and
raise nothing; a radar that reports speed alone can neither freeze nor be flooded, because its numbers may rightly
repeat and its targets cannot be told apart.
"""

import math

from hal.clock import NS_PER_S
from hal.interfaces import RadarFrame, RadarTarget

FROZEN_FRAMES = 20
FROZEN_M = 3.0
"""FAULTS.md 7: an identical moving target in 20 frames. It must also owe three metres, three range steps of an LD2451:
a tractor that creeps at 3 km/h truly repeats itself for a second."""

FLOOD_TARGETS = 3
FLOOD_FRAMES = 10
"""FAULTS.md 11: in each of ten frames on end (1 s at 10 Hz) three targets that were not there in the frame before.
Traffic never does that: a platoon comes into sight one by one and then stays."""

NEAR_M = 5.0
"""The same target one frame later, at up to 50 m/s."""

PACE_S = 10.0
LONGEST_PAUSE_S = 0.45
"""A radar has a pace once it has talked for ten seconds without a pause that comes near to stale."""

RATE_WINDOW_S = 1.0
NOMINAL_HZ = 10.0
"""No radar here needs more: one that talked faster for a while and is back at this is not slow."""

SLOW_SHARE = 0.5
"""FAULTS.md 13 wants a drop from 10 to 3 frames a second told within 2 s, and says 90 %. One frame in ten lost
at random is a normal day: the mean of a second is then below nine tenths every other frame, below half of it about
never."""


class RadarWatch:
    """The frames of one radar, judged. ``polled``: its silence is no pause and its busy frames tell no pace, because
    on an empty road it may rightly say nothing."""

    def __init__(self, *, polled: bool) -> None:
        self._polled = polled
        self._before: RadarFrame | None = None
        self._same_since_ns = 0
        self._same_frames = 1
        self._flood_frames = 0
        self._paced_since_ns: int | None = None
        self._paced_frames = 0
        self._rate_hz = 0.0
        self._pace_hz: float | None = None
        self.frozen = False
        self.flooded = False
        self.slow = False

    def take(self, frame: RadarFrame) -> None:
        """Takes one frame, newer than the last one."""
        before = self._before
        self._before = frame
        if before is None:
            self._same_since_ns = frame.captured_ns
            return
        if frame.targets or before.targets:
            self._freeze(before, frame)
            self._flood(before, frame)
        self._pace(before, frame)

    def rates_hz(self) -> tuple[float, float]:
        """Frames a second now and at its own pace; (0, 0) before it has one."""
        return (0.0, 0.0) if self._pace_hz is None else (self._rate_hz, self._pace_hz)

    def _freeze(self, before: RadarFrame, frame: RadarFrame) -> None:
        if not frame.targets or frame.targets != before.targets:
            self._same_since_ns, self._same_frames, self.frozen = frame.captured_ns, 1, False
            return
        self._same_frames += 1
        if self._same_frames >= FROZEN_FRAMES and not self.frozen:
            same_s = (frame.captured_ns - self._same_since_ns) / NS_PER_S
            self.frozen = any(
                target.distance_m is not None and abs(target.speed_mps) * same_s >= FROZEN_M for target in frame.targets
            )

    def _flood(self, before: RadarFrame, frame: RadarFrame) -> None:
        if len(frame.targets) >= FLOOD_TARGETS and _unknown(before.targets, frame.targets) >= FLOOD_TARGETS:
            self._flood_frames += 1
        else:
            self._flood_frames = 0
        self.flooded = self._flood_frames >= FLOOD_FRAMES

    def _pace(self, before: RadarFrame, frame: RadarFrame) -> None:
        pause_s = (frame.captured_ns - before.captured_ns) / NS_PER_S
        self._rate_hz = self._rate_hz * math.exp(-pause_s / RATE_WINDOW_S) + 1 / RATE_WINDOW_S
        if self._pace_hz is not None:
            # The exponential window counts the newest frame whole: half a frame too many.
            self.slow = self._rate_hz - 0.5 / RATE_WINDOW_S < SLOW_SHARE * self._pace_hz
        if pause_s >= LONGEST_PAUSE_S or self._paced_since_ns is None or (self._polled and frame.targets):
            self._paced_since_ns, self._paced_frames = frame.captured_ns, 0
            return
        self._paced_frames += 1
        paced_s = (frame.captured_ns - self._paced_since_ns) / NS_PER_S
        if paced_s >= PACE_S:
            self._pace_hz = min(max(self._pace_hz or 0.0, self._paced_frames / paced_s), NOMINAL_HZ)
            self._paced_since_ns, self._paced_frames = frame.captured_ns, 0


def _unknown(before: tuple[RadarTarget, ...], now: tuple[RadarTarget, ...]) -> int:
    """How many targets have none near them in the frame before."""
    were_m = [target.distance_m for target in before if target.distance_m is not None]
    are_m = [target.distance_m for target in now if target.distance_m is not None]
    # Radars keep their order from frame to frame: the one at the same place is nearly always the one.
    moved_m = [are for were, are in zip(were_m, are_m, strict=False) if not -NEAR_M <= were - are <= NEAR_M]
    if len(are_m) > len(were_m):
        moved_m += are_m[len(were_m) :]
    unknown = 0
    for are in moved_m:
        if not any(abs(were - are) <= NEAR_M for were in were_m):
            unknown += 1
    return unknown
