"""Radar frames -> tracks along one approach. Pure: time comes in with the frames and with ``advance``.

Invariants: bytes cannot make it raise; greedy association inside a gate (at most 20 tracks, so an optimal
assignment would buy nothing and cost a numerical library in core); a target counts as receding only when its flag
says so *and* its distance rose over three frames, everything else approaches; a jump of more than 5 m against the
prediction starts a new track and drops nothing; SNR and angle are never looked at.
"""

import dataclasses
from collections import deque
from collections.abc import Iterator

from device.tracks import Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget

JUMP_M = 5.0
"""A residual above this is another road user (at 10 Hz it would be a change of 50 m/s)."""

SPEED_GATE_MPS = 4.0
SPEED_GATE_PER_S = 8.0
"""Speeds of one road user differ by quantisation and by braking (8 m/s² is an emergency stop) since it was seen."""

MAX_TRACKS = 20
COAST_S = 1.5
"""While its radar is fresh a track may go unseen this long (a lorry between, a dropout)."""

CONFIRM_HITS = 2
CONFIRM_WINDOW = 3
RECEDING_HITS = 3
AWAY_EVIDENCE_S = 0.15
"""Two frames of three confirm. A target flagged receding wants a third, the first that can show its distance rising:
confirming it earlier would light the lamp for every road user that has just left."""

TREND_S = 1.0
TREND_M = 1.0
"""One range step of the LD2451: less than this is no trend."""

WAIT_WITHIN_M = 8.0
WAIT_BELOW_MPS = 2.0
WAIT_S = 60.0
"""A radar cannot see who stands: a track lost this near the line and this slow is taken to wait there."""

ARRIVED_M = 2.0
"""Prediction may run this far past the conflict point while the radar still sees the road user: it is there now."""

DISTANCE_GAIN = 0.5
SPEED_GAIN = 0.5
"""Alpha filter: 1 m and 1 km/h steps of the radar are halved, and a braking car is followed within three frames."""


@dataclasses.dataclass(slots=True)
class _Live:
    """A track's own memory. ``range_m`` is from the radar; None on a radar that measures speed alone."""

    id: int
    range_m: float | None
    pace_mps: float  # magnitude; the direction is in ``receding``
    born_ns: int
    updated_ns: int
    hits: deque[bool]
    ranges: deque[tuple[int, float]]
    flags: deque[Flag]
    confirmed: bool = False
    receding: bool = False
    waiting_since_ns: int | None = None

    def velocities_mps(self) -> tuple[float, ...]:
        """Closing speeds to predict with. The trend of distance decides; before there is one, the flag's word is
        tried first and then its opposite, since a vendor's flag may be wrong all the time."""
        if self.range_m is None:
            return (self.pace_mps,)
        rose_m = self.ranges[-1][1] - self.ranges[0][1]
        if self.receding or rose_m >= TREND_M:
            return (-self.pace_mps,)
        if rose_m <= -TREND_M:
            return (self.pace_mps,)
        claimed = -self.pace_mps if self.flags[-1] is Flag.RECEDING else self.pace_mps
        return (claimed, -claimed)

    def predicted_range_m(self, now_ns: int, measured_m: float | None = None) -> float | None:
        """Where it should be at ``now_ns``; of two possible ways the one that fits ``measured_m``."""
        if self.range_m is None or self.waiting_since_ns is not None:
            return self.range_m
        gap_s = (now_ns - self.updated_ns) / NS_PER_S
        ways = [self.range_m - velocity_mps * gap_s for velocity_mps in self.velocities_mps()]
        if measured_m is None:
            return ways[0]
        return min(ways, key=lambda way_m: abs(measured_m - way_m))


class RadarTracker:
    """The tracks of one radar.

    ``to_conflict_m`` is added to ranges; ``ids`` yields track numbers, unique in a pipeline.
    """

    def __init__(self, radar: str, approach: str, to_conflict_m: float, ids: Iterator[int]) -> None:
        self._radar = radar
        self._approach = approach
        self._to_conflict_m = to_conflict_m
        self._ids = ids
        self._live: list[_Live] = []

    def update(self, frame: RadarFrame) -> None:
        """Takes one frame, newer than the last one (the pipeline sees to that)."""
        now_ns = frame.captured_ns
        targets = sorted(frame.targets, key=_nearest_first)
        pairs = sorted(
            (
                (cost, live_index, target_index)
                for live_index, live in enumerate(self._live)
                for target_index, target in enumerate(targets)
                if (cost := _cost(live, target, now_ns)) is not None
            ),
        )
        matched_live: set[int] = set()
        matched_targets: set[int] = set()
        for _cost_value, live_index, target_index in pairs:
            if live_index not in matched_live and target_index not in matched_targets:
                matched_live.add(live_index)
                matched_targets.add(target_index)
                _hit(self._live[live_index], targets[target_index], now_ns)
        for live_index, live in enumerate(self._live):
            if live_index not in matched_live:
                live.hits.append(False)
        for target_index, target in enumerate(targets):
            if target_index not in matched_targets:
                self._start(target, now_ns)
        self._live = [live for live in self._live if live.confirmed or any(list(live.hits)[-CONFIRM_HITS:])]

    def advance(self, now_ns: int) -> None:
        """Ends what has not been seen for too long, or lets it wait at the line."""
        kept = []
        for live in self._live:
            unseen_s = (now_ns - live.updated_ns) / NS_PER_S
            if live.waiting_since_ns is not None:
                if (now_ns - live.waiting_since_ns) / NS_PER_S <= WAIT_S:
                    kept.append(live)
                continue
            line_m = self._to_line_m(live.predicted_range_m(now_ns))
            if unseen_s <= COAST_S:
                # Predicted past the conflict point and unseen: it has arrived, and the hold runs from its last frame.
                if line_m is None or line_m > 0 or live.hits[-1] or live.receding:
                    kept.append(live)
            elif live.confirmed and not live.receding and self._waits(live):
                live.waiting_since_ns = now_ns
                kept.append(live)
        self._live = kept

    def reset(self) -> None:
        """Forgets everything: the radar went stale, and what it saw must not be acted on."""
        self._live.clear()

    def tracks(self, now_ns: int) -> list[Track]:
        """All tracks as they stand at ``now_ns``, nearest first."""
        found = [self._track(live, now_ns) for live in self._live]
        return sorted(found, key=lambda track: (track.distance_m is None, track.distance_m or 0.0, track.id))

    def _start(self, target: RadarTarget, now_ns: int) -> None:
        if len(self._live) >= MAX_TRACKS:
            # The nearest are kept: they arrive first.
            farthest = max(self._live, key=lambda live: (not live.receding, live.range_m or 0.0))
            if target.distance_m is None or (farthest.range_m or 0.0) <= target.distance_m:
                return
            self._live.remove(farthest)
        ranges: deque[tuple[int, float]] = deque(maxlen=128)
        if target.distance_m is not None:
            ranges.append((now_ns, target.distance_m))
        self._live.append(
            _Live(
                id=next(self._ids),
                range_m=target.distance_m,
                pace_mps=abs(target.speed_mps),
                born_ns=now_ns,
                updated_ns=now_ns,
                hits=deque([True], maxlen=CONFIRM_WINDOW),
                ranges=ranges,
                flags=deque([target.flag], maxlen=RECEDING_HITS),
            )
        )

    def _waits(self, live: _Live) -> bool:
        line_m = self._to_line_m(live.range_m)
        return line_m is not None and line_m <= WAIT_WITHIN_M and live.pace_mps < WAIT_BELOW_MPS

    def _to_line_m(self, range_m: float | None) -> float | None:
        return None if range_m is None else range_m + self._to_conflict_m

    def _track(self, live: _Live, now_ns: int) -> Track:
        if live.waiting_since_ns is not None:
            state = TrackState.WAITING
        elif not live.confirmed:
            state = TrackState.TENTATIVE
        else:
            state = TrackState.CONFIRMED if live.hits[-1] else TrackState.COASTING
        standing = live.waiting_since_ns is not None
        distance_m = self._to_line_m(live.predicted_range_m(now_ns))
        if distance_m is not None and -ARRIVED_M < distance_m < 0:
            distance_m = 0.0
        return Track(
            id=live.id,
            approach=self._approach,
            sensor=self._radar,
            state=state,
            user=None,
            distance_m=distance_m,
            speed_mps=0.0 if standing else (-live.pace_mps if live.receding else live.pace_mps),
            receding=live.receding,
            updated_ns=live.updated_ns,
        )


def _nearest_first(target: RadarTarget) -> tuple[bool, float, float]:
    return (target.distance_m is None, target.distance_m or 0.0, -abs(target.speed_mps))


def _cost(live: _Live, target: RadarTarget, now_ns: int) -> float | None:
    """How badly a target fits a track; None outside the gate."""
    gap_s = (now_ns - live.updated_ns) / NS_PER_S
    pace_off = abs(abs(target.speed_mps) - live.pace_mps)
    if live.waiting_since_ns is None and pace_off > SPEED_GATE_MPS + SPEED_GATE_PER_S * gap_s:
        return None
    predicted_m = live.predicted_range_m(now_ns, target.distance_m)
    if (predicted_m is None) != (target.distance_m is None):
        return None
    range_off = 0.0
    if predicted_m is not None and target.distance_m is not None:
        range_off = abs(target.distance_m - predicted_m)
        if range_off > JUMP_M:
            return None
    # Two road users that meet in one range cell are told apart by direction before speed.
    turned = target.flag is not Flag.UNKNOWN and target.flag is not live.flags[-1]
    return range_off + 0.3 * pace_off + (2.0 if turned else 0.0)


def _hit(live: _Live, target: RadarTarget, now_ns: int) -> None:
    predicted_m = live.predicted_range_m(now_ns, target.distance_m)
    if predicted_m is not None and target.distance_m is not None:
        live.range_m = predicted_m + DISTANCE_GAIN * (target.distance_m - predicted_m)
        live.ranges.append((now_ns, target.distance_m))
        while len(live.ranges) > RECEDING_HITS and (now_ns - live.ranges[0][0]) / NS_PER_S > TREND_S:
            live.ranges.popleft()
    live.pace_mps += SPEED_GAIN * (abs(target.speed_mps) - live.pace_mps)
    live.waiting_since_ns = None
    live.updated_ns = now_ns
    live.hits.append(True)
    live.flags.append(target.flag)
    live.receding = _recedes(live)
    if not live.confirmed:
        hits = sum(live.hits)
        claims_away = all(flag is Flag.RECEDING for flag in live.flags)
        away_shown = hits >= RECEDING_HITS and now_ns - live.born_ns >= AWAY_EVIDENCE_S * NS_PER_S
        live.confirmed = away_shown if claims_away else hits >= CONFIRM_HITS


def _recedes(live: _Live) -> bool:
    """Flag *and* distance, over three frames; a speed-only radar has its three flags and nothing else."""
    if len(live.flags) < RECEDING_HITS:
        return False
    if live.range_m is None:
        return all(flag is Flag.RECEDING for flag in live.flags)
    if live.flags[-1] is not Flag.RECEDING and not (live.receding and Flag.RECEDING in live.flags):
        return False
    first_m, third_last_m, last_m = live.ranges[0][1], live.ranges[-RECEDING_HITS][1], live.ranges[-1][1]
    if live.receding:
        # Once known to leave it keeps leaving through the jitter of one range step, until it really comes back.
        return last_m > first_m - 1.0
    # A slow road user moves less than the radar's 1 m step in three frames: the rise may take up to a second to show.
    return last_m >= third_last_m and last_m > first_m
