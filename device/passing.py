"""One road user on its way to the line, from its first confirmed sight to its passage. Pure.

The line is the conflict point of the approach (``distance_m`` 0). Invariants: only what sensors really saw is
measured, a coasting track adds nothing; arrival is extrapolated over ``EXTRAPOLATE_S`` at most; what no sensor
measured is None, never a guess.
"""

import dataclasses
import enum
from collections import deque

from configs.schema import RoadUser
from device.tracks import STANDING, Track, TrackState
from hal.clock import NS_PER_S

EXTRAPOLATE_S = 2.0
"""Lost with this much time to arrival or less it did arrive: a radar loses a road user in the last metres below its
beam, and a track coasts 1.5 s."""

UNSEEN_BELOW_MPS = 2.0
"""Lost at less than this it has come to a stand: a Doppler radar sees nobody who stands."""

STANDS_BELOW_MPS = 0.5
"""Twice the speed step of the radars (1 km/h)."""

LINE_WITHIN_M = 15.0
"""Who stands this near stands at the line: the first of a queue, a lorry's length back from the conflict point."""

PASSED_WITHIN_M = 8.0
"""Who turns round nearer than this has passed the line in front of a radar that looks both ways."""

UNSEEN_NS = 3 * NS_PER_S
"""A camera's track of who stands is kept 1.5 s unseen; a radar's stands for up to a minute, unseen."""

SQUARE_ON_M = 8.0

STOPPED_S = 1.0
"""Standing shorter than this is rolling over the line."""

BRAKING_OVER_S = 1.0
BRAKING_OVER_MOST_S = 1.6
"""Braking is a fall of speed over one second: a single speed step of 1 km/h then reads as 0.3 m/s² and no more."""

REAL_S = 0.4
REAL_M = 2.0
"""An echo that was seen for less time or came less far is not taken for a road user."""

LEFT_S = 1.0
LEFT_M = 5.0
"""The same for one that left before the line: clutter ends everywhere, road users that leave are followed first."""

SLOWED_TO = 0.7
"""Who turns off slows down before; who vanishes at its usual speed was lost from sight."""


class How(enum.StrEnum):
    """How the way of a road user ended."""

    ARRIVED = "arrived"  # reached the line, seen or extrapolated
    TURNED_OFF = "turned_off"  # slowed or turned round, and was gone before the line
    STOPPED = "stopped"  # stood, away from the line, when it was last seen
    LOST = "lost"  # vanished at speed, too far away to say that it arrived


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """How and when a way ended. ``crossed_ns`` is when it entered the conflict point, None where nobody saw that."""

    how: How
    at_ns: int
    crossed_ns: int | None


class Passing:
    """One road user. ``number`` stays the same when its track is lost and found again under another id."""

    __slots__ = (
        "_braked_mps2",
        "_fastest_mps",
        "_line_ns",
        "_near_mps",
        "_nearest_m",
        "_nearest_mps",
        "_nearest_ns",
        "_speeds",
        "_stood_ns",
        "_unseen_wait",
        "_was_waiting",
        "born_ns",
        "ended_ns",
        "first_m",
        "lit",
        "lost_ns",
        "number",
        "paired",
        "seen_m",
        "seen_mps",
        "seen_ns",
        "track",
        "user",
        "warned_mps",
        "watched_ns",
    )

    def __init__(self, number: int, track: Track) -> None:
        self.number = number
        self.track = track
        self.user: RoadUser | None = track.user
        self.born_ns = self.seen_ns = track.updated_ns
        self.first_m = self.seen_m = track.distance_m
        self.seen_mps = track.speed_mps
        self._nearest_m, self._nearest_ns = track.distance_m, track.updated_ns
        self._nearest_mps = track.speed_mps
        self._near_mps: float | None = None
        self.lit: frozenset[str] = frozenset()
        """The faces that warned of somebody when it was last seen."""
        self.lost_ns: int | None = None
        self.ended_ns = 0
        self.paired = False
        """Another sensor's track of the same road user has been found."""
        self.watched_ns: int | None = None
        """Since when a face that watches this approach has been lit without a break."""
        self.warned_mps: float | None = None
        """Its speed when the first of those faces, or its own, lit."""
        self._fastest_mps = track.speed_mps or 0.0
        self._speeds: deque[tuple[int, float]] = deque(maxlen=32)
        self._braked_mps2: float | None = None
        self._stood_ns = 0
        self._line_ns: int | None = None
        self._was_waiting = track.state in STANDING
        self._unseen_wait = False
        if track.speed_mps is not None:
            self._speeds.append((track.updated_ns, track.speed_mps))

    def see(self, now_ns: int, track: Track, watchers: frozenset[str], lit: frozenset[str]) -> None:
        """Takes the track as it stands now. ``watchers`` are the faces that watch its approach, ``lit`` all faces that
        warn of somebody."""
        watched, own = not lit.isdisjoint(watchers), track.approach in lit
        if not (watched or own):
            self.watched_ns = self.warned_mps = None
        elif self.watched_ns is None:
            if self.warned_mps is None:
                self.warned_mps = track.speed_mps
            self.watched_ns = now_ns if watched else None
        elif not watched:
            self.watched_ns = None
        self.track = track
        if track.receding:
            pass  # what it does after its way to the line is another story
        elif track.updated_ns > self.seen_ns:
            self._sight(track)
            self.lit = lit
        elif track.state is TrackState.WAITING and self.ranged and now_ns - self.seen_ns > UNSEEN_NS:
            # A radar cannot see who stands: how long it waits there, nobody knows.
            self._unseen_wait = True

    def inherit(self, before: "Passing") -> None:
        """Goes on with the history of the same road user under its earlier track."""
        if before.stopping:
            self._stood_ns += self.born_ns - before.seen_ns
        self.number, self.born_ns, self.first_m = before.number, before.born_ns, before.first_m
        self.user = self.user or before.user
        self.paired = self.paired or before.paired
        if before.watched_ns is not None:
            self.watched_ns = before.watched_ns
        self.warned_mps = self.warned_mps if before.warned_mps is None else before.warned_mps
        if before._nearest_m is not None and (self._nearest_m is None or before._nearest_m < self._nearest_m):
            self._nearest_m, self._nearest_ns = before._nearest_m, before._nearest_ns
            self._nearest_mps, self._near_mps = before._nearest_mps, before._near_mps
        self._fastest_mps = max(self._fastest_mps, before._fastest_mps)
        self._braked_mps2 = max((b for b in (self._braked_mps2, before._braked_mps2) if b is not None), default=None)
        self._stood_ns += before._stood_ns
        self._was_waiting |= before._was_waiting
        self._unseen_wait |= before._unseen_wait

    @property
    def waited(self) -> bool:
        """Whether it was ever seen standing in a wait zone or waiting at the line."""
        return self._was_waiting

    @property
    def is_real(self) -> bool:
        """Whether it has been followed long enough to be no echo."""
        return self._followed(REAL_S, REAL_M)

    @property
    def ranged(self) -> bool:
        """Whether a sensor measures where it is."""
        return self.seen_m is not None

    @property
    def standing(self) -> bool:
        """Whether it stood when it was last seen."""
        return self.track.state in STANDING or (self.seen_mps is not None and abs(self.seen_mps) < STANDS_BELOW_MPS)

    @property
    def stopping(self) -> bool:
        """Whether it stood or was about to when it was last seen."""
        slow = self.seen_mps is not None and abs(self.seen_mps) < UNSEEN_BELOW_MPS
        return self.ranged and (self.standing or slow)

    def expected_m(self, now_ns: int) -> float | None:
        """Where it should be now, had it gone on as it was last seen."""
        if self.seen_m is None:
            return None
        if self.stopping or self.seen_mps is None:
            return self.seen_m
        return self.seen_m - self.seen_mps * (now_ns - self.seen_ns) / NS_PER_S

    def over(self, now_ns: int) -> Ended | None:
        """How its way ended, when its newest sight shows it driving away; its track may go on."""
        return self._turned(now_ns) if self.track.receding else None

    def _turned(self, now_ns: int) -> Ended | None:
        """A radar that looks both ways sees who has passed from behind; who turns round farther off never passed."""
        if self._nearest_m is not None and self._nearest_m > PASSED_WITHIN_M:
            return self._left(How.TURNED_OFF)
        left_s = max(0.0, self._nearest_m or 0.0) / max(abs(self.seen_mps or 0.0), STANDS_BELOW_MPS)
        at_ns = min(now_ns, self._nearest_ns + round(left_s * NS_PER_S))
        return self._real(Ended(How.ARRIVED, at_ns, at_ns))

    def ended(self, has_wait_zone: bool) -> Ended | None:
        """How its way ended, once its track is gone. None for an echo that was no road user."""
        if not self.ranged:
            # A zone alone tells where it was last; from the wait zone, or past the only zone there is, it crossed.
            if self._was_waiting or not has_wait_zone:
                return Ended(How.ARRIVED, self.seen_ns, self.seen_ns)
            return Ended(How.TURNED_OFF, self.seen_ns, None)
        near = self.seen_m is not None and self.seen_m <= LINE_WITHIN_M
        arrival_ns = self._line_ns or self._arrival_ns()
        if arrival_ns is not None and not self.standing:
            return self._real(Ended(How.ARRIVED, arrival_ns, arrival_ns))
        if self.stopping and near:
            # Seen standing to the last it left then; else it has crossed since, and nobody knows when.
            watched = self.standing and not self._unseen_wait
            return self._real(Ended(How.ARRIVED, self.seen_ns, self.seen_ns if watched else None))
        if self.stopping:
            return self._left(How.STOPPED)
        slowed = self.seen_mps is not None and self.seen_mps <= SLOWED_TO * self._fastest_mps
        return self._left(How.TURNED_OFF if slowed else How.LOST)

    def line_mps(self, how: How) -> float | None:
        """Speed at the line, from the last sight; None for who did not get there."""
        return self.at_line_mps if how is How.ARRIVED else None

    @property
    def at_line_mps(self) -> float | None:
        """Its speed at the line: that of its nearest sight, but no more than it had ``SQUARE_ON_M`` before, since a
        radar beside the road sees who is abreast of it at an angle that is hard to make good."""
        known = [abs(speed) for speed in (self._nearest_mps, self._near_mps) if speed is not None]
        return min(known, default=self.seen_mps)

    def braking_mps2(self) -> float | None:
        """The hardest fall of speed over one second; None where its speed was not followed for that long."""
        return self._braked_mps2

    def waited_s(self) -> float | None:
        """How long it stood; None where that was not seen to its end."""
        return None if self._unseen_wait else self._stood_ns / NS_PER_S

    def stopped(self) -> bool:
        """Whether it stood at all."""
        return self._unseen_wait or self._stood_ns >= STOPPED_S * NS_PER_S

    def _sight(self, track: Track) -> None:
        gap_ns = track.updated_ns - self.seen_ns
        if self.standing:
            self._stood_ns += gap_ns
        self._was_waiting |= track.state in STANDING
        self._unseen_wait = False
        self.user = track.user or self.user
        self.seen_ns, self.seen_m, self.seen_mps = track.updated_ns, track.distance_m, track.speed_mps
        if self.first_m is None:
            self.first_m = track.distance_m
        if track.distance_m is not None and (self._nearest_m is None or track.distance_m < self._nearest_m):
            self._nearest_m, self._nearest_ns, self._nearest_mps = track.distance_m, track.updated_ns, track.speed_mps
            if track.distance_m >= SQUARE_ON_M:
                self._near_mps = track.speed_mps
        elif track.distance_m is not None and track.distance_m == self._nearest_m:
            self._nearest_mps = track.speed_mps
        if self.standing:
            self._line_ns = None  # one that stands on the line has yet to cross
        elif self._line_ns is None and self.seen_m is not None and self.seen_m <= 0.0:
            self._line_ns = track.updated_ns
        if track.speed_mps is None:
            return
        self._fastest_mps = max(self._fastest_mps, track.speed_mps)
        self._speeds.append((track.updated_ns, track.speed_mps))
        self._brake()

    def _brake(self) -> None:
        now_ns, now_mps = self._speeds[-1]
        while len(self._speeds) > 1 and now_ns - self._speeds[1][0] >= BRAKING_OVER_S * NS_PER_S:
            self._speeds.popleft()
        then_ns, then_mps = self._speeds[0]
        if BRAKING_OVER_S * NS_PER_S <= now_ns - then_ns <= BRAKING_OVER_MOST_S * NS_PER_S:
            braking_mps2 = (then_mps - now_mps) * NS_PER_S / (now_ns - then_ns)
            self._braked_mps2 = max(self._braked_mps2 or 0.0, braking_mps2)

    def _arrival_ns(self) -> int | None:
        """When it reached the line, by its last sight; None where that is too far away to tell."""
        if self.seen_m is None or self.seen_mps is None or self.seen_mps < STANDS_BELOW_MPS:
            return None
        left_s = max(0.0, self.seen_m) / self.seen_mps
        return self.seen_ns + round(left_s * NS_PER_S) if left_s <= EXTRAPOLATE_S else None

    def _real(self, ended: Ended) -> Ended | None:
        return ended if self._followed(REAL_S, REAL_M) else None

    def _left(self, how: How) -> Ended | None:
        return Ended(how, self.seen_ns, None) if self._followed(LEFT_S, LEFT_M) else None

    def _followed(self, seconds: float, metres: float) -> bool:
        came_m = (self.first_m or 0.0) - (self._nearest_m or 0.0)
        return self.seen_ns - self.born_ns >= seconds * NS_PER_S and (came_m >= metres or self._stood_ns > 0)
