"""What a radar track has shown so far: is it there, which way does it go, does it move as it says? Pure.

Invariants: two frames of five that bear each other out confirm, three in noisy air (350 ms from event to light allow no
more); leaving takes the flag *and* a distance that rose over three frames, new or ambiguous is approaching; a flag
alone decides nothing; what was confirmed loses it only when it claims to come and to go and stays where it is.
"""

from collections import deque

from device.kinematics import RangeFilter
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarTarget

CONFIRM_HITS = 2
LAST_HITS = 0b11111
_LAST_THREE = 0b111
"""Two frames that bear each other out, of five: runs of dropouts last one or two frames, and an echo that is begun
anew after each of them would light the lamp a quarter of a second later."""

NOISY_HITS = 3
"""Asked of an echo that changes its direction from frame to frame, and while a foreign radar fills the air."""

RECENT = 0.5
"""Weight of the newest reading of a radar that measures speed alone."""

FITS_M = 2.0
FITS_MPS = 1.2
FITS_PER_S = 4.0
"""Two frames of one road user differ by range steps and body echo (2 m is three sigma), by speed steps and tremble, and
by braking."""

RECEDING_HITS = 3
TREND_S = 1.0
"""A slow road user moves less than the radar's 1 m step in three frames: the rise may take up to a second to show."""

_APPROACHING, _RECEDING = Flag.APPROACHING, Flag.RECEDING  # names: looking up a member costs ten times as much

_TREND_NS = round(TREND_S * NS_PER_S)

ROSE_M = 2.0
"""Two range steps above the nearest place of the last second: not the jitter of one."""

FELL_M = 2.0
"""Who is known to leave and says so comes back when it is more than this nearer than a second ago: 2.4 sigma of two
readings of one echo. One range step is the jitter of two readings, and lit the lamp for road users on their way out."""

AWAY_EVIDENCE_S = 0.15
AWAY_CLAIMED_M = 8.0
AWAY_AMBIGUOUS_S = 1.5
"""A target that is flagged receding from birth wants distance to speak first: confirming it earlier would light the
lamp for every road user that has just left. When it claims to have gone 8 m, or after 1.5 s, and no distance has
spoken, it counts as approaching; three ranges of a car are 4 m by then, when none is lost."""

WAY_KNOWN_M = 2.0
WAY_SURE_M = 3.0
WAY_MEMORY = 0.9
"""Metres by which one way must have fitted better than the other, over the last ten frames or so."""

CLAIMED_M = 2.5
STAYED_SHARE = 0.5
BOTH_WAYS_HITS = 2
"""Leaves: they claim metres of way, to and fro, and the range stays. Half of the way is what steps and body echo
can hide of it."""

MOVED_M = 2.5
"""Range change no swaying branch shows: four sigma of its filtered range."""

PROVEN_SCORE = 5
PROVEN_FITS_M = 1.2
PROVEN_FITS_MPS = 0.8
"""Among drops one frame in twenty-five fits a track by chance this well: five more hits than misses are no chance."""


class TrackLife:
    """The evidence of one radar track. ``receding`` is the verdict on its direction, ``way_known`` whether distance
    has told which way to predict it."""

    __slots__ = (
        "_anchor_m",
        "_away_flags",
        "_born_m",
        "_born_ns",
        "_claimed_m",
        "_come_flags",
        "_fits",
        "_flags",
        "_hits",
        "_ranges",
        "_score",
        "_way_m",
        "confirmed",
        "flag",
        "moved",
        "receding",
        "swayed",
        "travelled_m",
        "way_known",
    )

    def __init__(self, now_ns: int, target: RadarTarget) -> None:
        self.confirmed = False
        self.receding = False
        self.swayed = False
        self.moved = False
        self.way_known = False
        self.flag = target.flag
        self.travelled_m = 0.0
        self._born_ns = now_ns
        self._born_m = target.distance_m
        self._hits = 1
        self._fits = 1
        self._score = 0
        self._flags: deque[Flag] = deque((target.flag,), maxlen=RECEDING_HITS)
        self._ranges: deque[tuple[int, float]] = deque()
        if target.distance_m is not None:
            self._ranges.append((now_ns, target.distance_m))
        self._way_m = 0.0
        self._anchor_m = target.distance_m or 0.0
        self._claimed_m = 0.0
        self._come_flags = self._away_flags = 0

    @property
    def seen_last(self) -> bool:
        """Whether the newest frame showed it."""
        return bool(self._hits & 1)

    @property
    def is_lone(self) -> bool:
        """Whether it is tentative and the last three frames did not show it."""
        return not self.confirmed and not self._hits & _LAST_THREE

    @property
    def proven(self) -> bool:
        """Whether frame after frame bore it out and it really moved: enough even among echoes of nobody."""
        return self.moved and self._score >= PROVEN_SCORE

    def miss(self) -> None:
        """A frame did not show it."""
        self._hits = self._hits << 1 & LAST_HITS
        self._fits = self._fits << 1 & LAST_HITS
        self._score -= 1

    def weigh_way(self, range_m: float, before_m: float, ahead_m: float) -> bool:
        """Weighs a measured range against going on as thought (``ahead_m``) and against the other way; True when it
        goes the other way. ``before_m``: where it was."""
        other_m = 2 * before_m - ahead_m
        score_m = WAY_MEMORY * self._way_m + abs(range_m - ahead_m) - abs(range_m - other_m)
        if score_m > WAY_KNOWN_M:
            self._way_m = -WAY_SURE_M
            self.way_known = True
            if not self.confirmed:
                self._fits = 0  # it did not do what it said: two such frames are as likely two ghosts
            return True
        # No surer than a little beyond sure: who turns back must not be argued with for seconds.
        self._way_m = max(score_m, -WAY_SURE_M)
        self.way_known = score_m < -WAY_KNOWN_M
        return False

    def coherent(self, off_m: float, off_mps: float, gap_s: float) -> bool:
        """Whether a target bears the track out: it is where and as fast as one road user would be."""
        return off_m <= FITS_M and off_mps <= FITS_MPS + FITS_PER_S * gap_s

    def hit(
        self, now_ns: int, target: RadarTarget, motion: RangeFilter | None, off_m: float, off_mps: float, gap_s: float
    ) -> bool:
        """Takes a target that was given to this track, off its prediction by ``off_m`` and ``off_mps``. True when it
        has just shown that it sways in place."""
        flag, range_m = target.flag, target.distance_m
        self.flag = flag
        self._flags.append(flag)
        self._hits = (self._hits << 1 | 1) & LAST_HITS
        fits = off_m <= FITS_M and off_mps <= FITS_MPS + FITS_PER_S * gap_s
        self._fits = (self._fits << 1 | fits) & LAST_HITS if self.confirmed or fits else 1
        self._score += 1 if off_m <= PROVEN_FITS_M and off_mps <= PROVEN_FITS_MPS + FITS_PER_S * gap_s else -1
        swayed = False
        if motion is not None and range_m is not None:
            ranges = self._ranges
            if not fits:
                ranges.clear()  # a jump is no motion: neither a rise nor a fall
            ranges.append((now_ns, range_m))
            old_ns = now_ns - _TREND_NS
            while ranges[0][0] < old_ns and len(ranges) > RECEDING_HITS:
                ranges.popleft()
            if self._born_m is not None:
                self.travelled_m = abs(self._born_m - motion.range_m)
            if flag is _APPROACHING:
                self._come_flags += 1
            elif flag is _RECEDING:
                self._away_flags += 1
            self._claimed_m += abs(target.speed_mps) * gap_s
            swayed = self._claimed_m >= CLAIMED_M and self._sways(motion.range_m)
        if self.receding or flag is _RECEDING:
            self.receding = self._recedes()
        return swayed

    def may_confirm(self, now_ns: int, pace_mps: float, *, noisy: bool = False) -> bool:
        """Whether a tentative track has the evidence of clean air, or of ``noisy`` air."""
        kinds = {flag for flag in self._flags if flag is not Flag.UNKNOWN}
        if self._fits.bit_count() < (NOISY_HITS if noisy or len(kinds) > 1 else CONFIRM_HITS):
            return False
        if kinds != {Flag.RECEDING}:
            return True
        age_s = (now_ns - self._born_ns) / NS_PER_S
        if len(self._flags) < RECEDING_HITS or age_s < AWAY_EVIDENCE_S:
            return False
        if self.receding or self._born_m is None:
            return True
        fell_m = self._ranges[0][1] - self._ranges[-1][1]
        return fell_m >= ROSE_M or pace_mps * age_s >= AWAY_CLAIMED_M or age_s >= AWAY_AMBIGUOUS_S

    def _recedes(self) -> bool:
        """Flag *and* distance, over three frames; a speed-only radar has its three flags and nothing else."""
        if len(self._flags) < RECEDING_HITS:
            return False
        if not self._ranges:
            return all(flag is Flag.RECEDING for flag in self._flags)
        if self.flag is not Flag.RECEDING and not (self.receding and Flag.RECEDING in self._flags):
            return False
        first_m, last_m = self._ranges[0][1], self._ranges[-1][1]
        if self.receding and len(self._ranges) < RECEDING_HITS:
            return True  # after a jump: it is known to leave until its distance says otherwise
        nearest_m = min([range_m for _, range_m in self._ranges])
        if self.receding:
            # Once known to leave it keeps leaving through the jitter of one range step, until it really comes back.
            return last_m >= first_m - FELL_M or last_m >= nearest_m + ROSE_M
        if len(self._ranges) < RECEDING_HITS or last_m < self._ranges[-RECEDING_HITS][1]:
            return False
        # Who has just passed the radar was farther away a second ago: the nearest place since then counts as well.
        return last_m > first_m or last_m >= nearest_m + ROSE_M

    def _sways(self, range_m: float) -> bool:
        """Judges the way it claims to have gone by the way it has gone; True when it has just shown that it sways."""
        went_m = abs(range_m - self._anchor_m)
        stayed = went_m < STAYED_SHARE * self._claimed_m
        swayed = stayed and min(self._come_flags, self._away_flags) >= BOTH_WAYS_HITS
        if swayed:
            self.confirmed = self.moved = False
            self.swayed = True
            self._score = 0
        elif went_m >= MOVED_M and not stayed:
            self.moved = True
            self.swayed = False
        if swayed or self._claimed_m >= 2 * CLAIMED_M:
            self._anchor_m = range_m
            self._claimed_m = 0.0
            self._come_flags = self._away_flags = 0
        return swayed
