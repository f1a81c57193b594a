"""Radar frames -> tracks along one approach. Pure: time comes in with the frames and with ``advance``.

Invariants: bytes cannot make it raise; greedy association inside a gate (at most 20 tracks, so an optimal
assignment would buy nothing and cost a numerical library in core); a target counts as receding only when its flag
says so *and* its distance rose over three frames, everything else approaches; a jump of more than 5 m against the
prediction starts a new track and drops nothing; SNR and angle are never looked at; an echo of one frame alone is
never acted on.
"""

import dataclasses
import itertools
import operator
from bisect import bisect_left
from collections.abc import Iterator

from configs.bend import Bend, Straight, lanes_differ_m
from device.clutter import Clutter
from device.evidence import RECENT, TrackLife
from device.kinematics import RangeFilter
from device.tracks import COAST_S, SLOWEST_CLOSING_MPS, Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget

JUMP_M = 5.0
"""A residual above this is another road user (at 10 Hz it would be a change of 50 m/s)."""

SPEED_GATE_MPS = 4.0
SPEED_GATE_PER_S = 5.0
"""Speeds of one road user differ by quantisation and by braking since it was seen."""

SPEED_WEIGHT_S = 0.3
"""Metres of misfit that 1 m/s of misfit is worth: three frames of it."""

TURNED_GATE_MPS = 1.5
"""Who goes another way than a known road user, at another speed, is not him, however near: a queue that stood was
woken by whoever drove past it."""

TURNED_COST_M = 2.0
"""Two road users that meet in one range cell are told apart by direction before speed."""

CLUTTER_GATE_M = 1.5
CLUTTER_GATE_MPS = 1.0
"""Among echoes of nobody only one that fits this well is taken for a known road user: a stranger must not keep it."""

MAX_TRACKS = 20
"""Confirmed tracks, and as many tentative ones, of one radar; who would arrive last goes first. A flood of noise can
so push out other noise but never a road user."""

NOISY_TRACKS = 4
"""So many echoes at once that nothing has borne out yet: another radar's beam fills this one's frames."""

WAIT_WITHIN_M = 8.0
WAIT_BELOW_MPS = 2.0
WAIT_TRAVELLED_M = 2.0
WAIT_S = 60.0
"""A radar cannot see who stands: a track that came some way and was lost this near the line and this slow is taken to
wait there."""

STIR_M = 2.5
STIR_MPS = 3.0
"""Who waits starts from where it was lost, slowly: a faster echo, or one farther off, is another road user."""

FAR_RATIO_MOST = 1.5
"""Under the radar itself a far lane would arrive at once: more than this nobody gains by his lane."""

ARRIVED_M = 2.0
"""Prediction may run this far past the conflict point while the radar still sees the road user: it is there now."""

_COAST_NS = round(COAST_S * NS_PER_S)
_NEVER_S = float("inf")
_LAST_M = float("inf")


@dataclasses.dataclass(slots=True)
class _Live:
    """A track's own memory. ``motion`` is None on a radar that measures speed alone; its range is the radar's."""

    id: int
    pace_mps: float  # magnitude; the direction is in ``life``
    motion: RangeFilter | None
    life: TrackLife
    updated_ns: int
    waiting_since_ns: int | None = None
    ahead_m: float | None = None  # where it should be at the time of the last ``advance``, on the approach
    order_m: float = 0.0  # the same to sort by, those without a range last
    slant: float = 1.0  # metres along the road for one along the line of sight, then
    error_mps: float = 0.0  # how much faster than told it may arrive

    def arrives_s(self) -> float:
        """Roughly when, to know whom to keep; a track without a distance comes at once."""
        if self.life.receding:
            return _NEVER_S
        if self.motion is None:
            return 0.0
        return self.motion.range_m / max(self.pace_mps, SLOWEST_CLOSING_MPS)


# A name costs a tenth of what looking up a member of an enumeration costs, twenty times a step.
_TENTATIVE, _CONFIRMED, _COASTING, _WAITING = (
    TrackState.TENTATIVE,
    TrackState.CONFIRMED,
    TrackState.COASTING,
    TrackState.WAITING,
)

_NEAREST = operator.attrgetter("order_m")


class RadarTracker:
    """The tracks of one radar.

    ``to_conflict_m`` is added to distances; ``ids`` yields track numbers, unique in a pipeline; ``way`` is the road
    before it, ``far_way`` the same for the farthest lane.
    """

    def __init__(
        self,
        radar: str,
        approach: str,
        to_conflict_m: float,
        ids: Iterator[int],
        way: Straight | Bend,
        far_way: Straight | Bend,
    ) -> None:
        self._way = way
        self._far_way = far_way
        self._lanes_differ_m = lanes_differ_m(way, far_way)
        self._radar = radar
        self._approach = approach
        self._to_conflict_m = to_conflict_m
        self._ids = ids
        self._live: list[_Live] = []
        self._clutter = Clutter()
        self.has_waiting = False
        """Whether somebody was remembered to wait at the line at the last ``advance``."""

    @property
    def approach(self) -> str:
        """The approach it watches."""
        return self._approach

    def update(self, frame: RadarFrame) -> None:
        """Takes one frame, newer than the last one (the pipeline sees to that)."""
        if not frame.targets and not self._live:
            return
        now_ns = frame.captured_ns
        targets = _told_apart(frame.targets)
        taken: set[int] = set()
        if self._live:
            tentative = [live for live in self._live if not live.life.confirmed]
            noisy = len(tentative) >= NOISY_TRACKS
            missed = set(range(len(self._live)))
            for _cost_m, live_index, target_index in sorted(self._pairs(targets, now_ns)):
                if live_index in missed and target_index not in taken:
                    missed.discard(live_index)
                    taken.add(target_index)
                    self._hit(self._live[live_index], targets[target_index], now_ns, noisy=noisy)
            for live_index in missed:
                self._live[live_index].life.miss()
            if tentative:
                self._forget_lone(now_ns, tentative)
        if len(taken) < len(targets):
            for target_index, target in enumerate(targets):
                if target_index not in taken:
                    self._start(target, now_ns)
        self._keep_the_soonest()

    def advance(self, now_ns: int) -> None:
        """Ends what has not been seen for too long, or lets it wait at the line."""
        self.has_waiting = False
        if not self._live:
            return
        ended = set()
        coasting_since_ns = now_ns - _COAST_NS
        for live in self._live:
            self._place(live, now_ns)
            if live.order_m > 0 and live.updated_ns >= coasting_since_ns and live.waiting_since_ns is None:
                continue  # on its way and seen lately, as nearly all are: nothing to judge
            if not self._stays(live, now_ns):
                ended.add(live.id)
            elif live.waiting_since_ns is not None:
                self.has_waiting = True
        if ended:
            self._live = [live for live in self._live if live.id not in ended]
        if len(self._live) > 1:
            self._live.sort(key=_NEAREST)

    def end_waiting(self) -> None:
        """Nobody waits at the line: a sensor that sees who stands has looked."""
        self._live = [live for live in self._live if live.waiting_since_ns is None]

    def reset(self) -> None:
        """Forgets everything: the radar went stale, and what it saw must not be acted on."""
        self._live.clear()

    def tracks(self) -> list[Track]:
        """All tracks as they stood at the last ``advance``, nearest first."""
        approach, radar = self._approach, self._radar
        found = []
        for live in self._live:
            life, distance_m = live.life, live.ahead_m
            speed_mps, error_mps = live.slant * live.pace_mps, live.error_mps
            if live.waiting_since_ns is not None:
                state, speed_mps, error_mps = _WAITING, 0.0, 0.0
            elif not life.confirmed:
                state = _TENTATIVE
            else:
                state = _CONFIRMED if life.seen_last else _COASTING
            if distance_m is not None and -ARRIVED_M < distance_m < 0:
                distance_m = 0.0
            receding = life.receding
            if receding:
                speed_mps = -speed_mps
            # By place: names cost a third more, twenty times a step.
            found.append(
                Track(
                    live.id,
                    approach,
                    radar,
                    state,
                    None,
                    distance_m,
                    speed_mps,
                    receding,
                    live.updated_ns,
                    None,
                    False,
                    error_mps,
                )
            )
        return found

    def _pairs(self, targets: list[RadarTarget], now_ns: int) -> list[tuple[float, int, int]]:
        """(cost, index of track, index of target) of all that fit. ``targets`` are nearest first, those without a
        range last, so that each track looks only at those within its gate."""
        ranges_m = [target.distance_m for target in targets if target.distance_m is not None]
        pairs: list[tuple[float, int, int]] = []
        cluttered = self._clutter.any
        for live_index, live in enumerate(self._live):
            gap_s = (now_ns - live.updated_ns) / NS_PER_S
            pace_mps, life, motion = live.pace_mps, live.life, live.motion
            flag, braked_mps = life.flag, SPEED_GATE_PER_S * gap_s
            gate_m, gate_mps, waits = JUMP_M, SPEED_GATE_MPS + braked_mps, live.waiting_since_ns is not None
            if motion is None:
                for index in range(len(ranges_m), len(targets)):
                    off_mps = abs(abs(targets[index].speed_mps) - pace_mps)
                    if off_mps <= gate_mps:
                        pairs.append((SPEED_WEIGHT_S * off_mps + _turned(targets[index].flag, flag), live_index, index))
                continue
            if waits:
                low_m = high_m = motion.range_m
                gate_m, gate_mps, braked_mps, pace_mps = STIR_M, STIR_MPS, 0.0, 0.0
            else:
                moved_m = motion.closing_mps * gap_s
                low_m = high_m = motion.range_m - moved_m
                if not (life.way_known or life.receding):
                    low_m, high_m = motion.range_m - abs(moved_m), motion.range_m + abs(moved_m)
            guarded = cluttered and life.confirmed
            for index in range(bisect_left(ranges_m, low_m - gate_m), len(ranges_m)):
                range_m = ranges_m[index]
                if range_m > high_m + gate_m:
                    break
                target = targets[index]
                off_mps = abs(abs(target.speed_mps) - pace_mps)
                if off_mps > gate_mps:
                    continue
                off_m = abs(range_m - low_m)
                if high_m > low_m:
                    off_m = min(off_m, abs(range_m - high_m))
                if off_m > gate_m:
                    continue
                if guarded and self._stranger(now_ns, target, off_m, off_mps - braked_mps, waits=waits):
                    continue
                cost_m = off_m + SPEED_WEIGHT_S * off_mps
                if target.flag is not flag:
                    turned_m = _turned(target.flag, flag)
                    if turned_m and off_mps > TURNED_GATE_MPS and life.confirmed:
                        continue
                    cost_m += turned_m
                pairs.append((cost_m, live_index, index))
        return pairs

    def _stranger(self, now_ns: int, target: RadarTarget, off_m: float, off_mps: float, *, waits: bool) -> bool:
        """Whether a target that fits a known road user only so-so is rather one more echo of nobody. One drop wakes
        nobody who waits: who starts shows itself as a new track, and goes on waiting until then."""
        if not waits and off_m <= CLUTTER_GATE_M and off_mps <= CLUTTER_GATE_MPS:
            return False
        return self._clutter.likely(now_ns, target.distance_m or 0.0, abs(target.speed_mps))

    def _hit(self, live: _Live, target: RadarTarget, now_ns: int, *, noisy: bool) -> None:
        pace_mps = abs(target.speed_mps)
        gap_s = (now_ns - live.updated_ns) / NS_PER_S
        off_mps = abs(pace_mps - live.pace_mps)
        life, motion, off_m = live.life, live.motion, 0.0
        if live.waiting_since_ns is not None:
            # Who has stood starts anew: what was known of its motion is history.
            motion = live.motion = _motion(target)
            live.pace_mps, live.waiting_since_ns, gap_s = pace_mps, None, 0.0
        if motion is None or target.distance_m is None:
            live.pace_mps += RECENT * (pace_mps - live.pace_mps)
        else:
            before_m = motion.range_m
            motion.advance(gap_s)
            if life.weigh_way(target.distance_m, before_m, motion.range_m):
                # It goes the other way than thought, and for some frames already: it is where it is seen now. The
                # old estimate lay metres behind after a vehicle had passed its radar, and none of its ranges fitted.
                closing_mps = -pace_mps if motion.closing_mps >= 0 else pace_mps
                motion = live.motion = RangeFilter(target.distance_m, closing_mps)
            off_m = abs(target.distance_m - motion.range_m)
            if not life.confirmed and not life.coherent(off_m, off_mps, gap_s):
                # Two echoes that do not bear each other out: the later one begins anew.
                motion = live.motion = _motion(target)
            else:
                motion.see_range(target.distance_m)
                motion.see_closing(pace_mps if motion.closing_mps >= 0 else -pace_mps)
            live.pace_mps = abs(motion.closing_mps)
        live.updated_ns = now_ns
        swayed = life.hit(now_ns, target, motion, off_m, off_mps, gap_s)
        if swayed and motion is not None:
            self._clutter.swayed(now_ns, motion.range_m, pace_mps)
        if life.moved and life.confirmed:
            return
        if life.confirmed or life.may_confirm(now_ns, pace_mps, noisy=noisy):
            # Asked again until it has moved: what two frames confirmed before it was known to rain may be two drops.
            doubtful = (
                motion is not None and self._clutter.any and self._clutter.likely(now_ns, motion.range_m, pace_mps)
            )
            life.confirmed = life.proven or not (doubtful or life.swayed)

    def _start(self, target: RadarTarget, now_ns: int) -> None:
        motion = _motion(target) if target.distance_m is not None else None
        life = TrackLife(now_ns, target)
        self._live.append(_Live(next(self._ids), abs(target.speed_mps), motion, life, now_ns))

    def _forget_lone(self, now_ns: int, tentative: list[_Live]) -> None:
        """Ends those of the tentative tracks that two frames did not bear out."""
        lone = [live for live in tentative if live.life.is_lone]
        if not lone:
            return
        for live in lone:
            if live.motion is not None and not live.life.swayed:
                self._clutter.lone(now_ns, live.motion.range_m, live.pace_mps)
        self._live = [live for live in self._live if not live.life.is_lone]

    def _keep_the_soonest(self) -> None:
        if len(self._live) <= MAX_TRACKS:
            return
        by_arrival = sorted(self._live, key=lambda live: (live.arrives_s(), live.id))
        confirmed = [live.id for live in by_arrival if live.life.confirmed][:MAX_TRACKS]
        tentative = [live.id for live in by_arrival if not live.life.confirmed][:MAX_TRACKS]
        kept = {*confirmed, *tentative}
        self._live = [live for live in self._live if live.id in kept]

    def _stays(self, live: _Live, now_ns: int) -> bool:
        if live.waiting_since_ns is not None:
            return now_ns - live.waiting_since_ns <= WAIT_S * NS_PER_S
        if now_ns - live.updated_ns <= _COAST_NS:
            # Past the conflict point, for ``advance`` asks of no other: unseen it has arrived, and the hold runs from
            # its last frame.
            return live.life.seen_last or live.life.receding
        if not self._waits(live):
            return False
        live.waiting_since_ns = now_ns
        self._place(live, now_ns)
        return True

    def _place(self, live: _Live, now_ns: int) -> None:
        """Distance and speed along the road from those along the line of sight: a radar beside the road measures the
        long side of a triangle, and a walker 13 m away would be warned of 0.4 s late."""
        motion = live.motion
        if motion is None:
            live.ahead_m, live.order_m, live.slant, live.error_mps = None, _LAST_M, 1.0, 0.0
            return
        range_m = motion.range_m
        if live.waiting_since_ns is None:
            range_m -= motion.closing_mps * ((now_ns - live.updated_ns) / NS_PER_S)
        along_m, live.slant = self._way.along(range_m)
        ahead_m = live.ahead_m = live.order_m = along_m + self._to_conflict_m
        error_mps = 0.0
        if ahead_m > 0.0 and range_m < self._lanes_differ_m:
            far_m, far_slant = self._far_way.along(range_m)
            far_m += self._to_conflict_m
            # As a share of the speed: who is sooner by his lane's shorter way and by its steeper angle.
            ratio = ahead_m * far_slant / (far_m * live.slant) if far_m > 0.0 else FAR_RATIO_MOST
            error_mps = live.slant * live.pace_mps * (min(ratio, FAR_RATIO_MOST) - 1.0)
        live.error_mps = error_mps

    def _waits(self, live: _Live) -> bool:
        if live.motion is None or not live.life.confirmed or live.life.receding:
            return False
        line_m = live.motion.range_m + self._to_conflict_m
        return line_m <= WAIT_WITHIN_M and live.pace_mps < WAIT_BELOW_MPS and live.life.travelled_m >= WAIT_TRAVELLED_M


def _motion(target: RadarTarget) -> RangeFilter:
    """A filter begun with one target, by its own word on the direction."""
    pace_mps = abs(target.speed_mps)
    closing_mps = -pace_mps if target.flag is Flag.RECEDING else pace_mps
    return RangeFilter(target.distance_m or 0.0, closing_mps)


def _told_apart(targets: tuple[RadarTarget, ...]) -> list[RadarTarget]:
    """Targets nearest first, those without a range last; a row that says what another says is left out."""
    ranges_m = [_LAST_M if target.distance_m is None else target.distance_m for target in targets]
    if len(set(ranges_m)) == len(ranges_m):
        return [targets[index] for index in sorted(range(len(ranges_m)), key=ranges_m.__getitem__)]
    found = sorted(targets, key=_nearest_first)
    return found[:1] + [
        after
        for before, after in itertools.pairwise(found)
        if (after.distance_m, after.speed_mps, after.flag) != (before.distance_m, before.speed_mps, before.flag)
    ]


def _nearest_first(target: RadarTarget) -> tuple[bool, float, float, float, str]:
    distance_m = target.distance_m
    # Sign and flag last: the order of rows on the wire must not matter.
    return (distance_m is None, distance_m or 0.0, -abs(target.speed_mps), target.speed_mps, target.flag)


def _turned(flag: Flag, before: Flag) -> float:
    return TURNED_COST_M if flag is not before and flag is not Flag.UNKNOWN else 0.0
