"""Whether a lorry that turns right stopped at its line, from its track alone. Pure.

    sights up to PAST_M beyond the line -> slowest speed -> seen past the line for SURE_S, or gone there -> Turn

Invariants: it is judged once, and only when it is surely past; every sight that shows it slow counts for it, of any
state, and only sights count against it; who was not followed all the way may have stopped unseen and is not judged.

Why not by the track's speed as it crosses: a camera measures places, so its filter follows braking a second late, and
lets a lorry that stops half a metre before the line run on over it, by up to two metres and at 1.7 m/s. But while a
filter lags evenly its distances fall as fast as the true ones do: how far they fell is the speed, without the lag.
"""

import dataclasses
from collections import deque
from typing import NamedTuple

from configs.schema import RoadUser, TruckRightTurn
from device.tracks import STANDING, Track, TrackState
from hal.clock import NS_PER_S

FOLLOWED_M = 15.0
"""A lorry that was first seen nearer than this to its line may have stopped before."""

NEAR_M = 10.0
"""Who stops farther before the line than its own length stops for something else; and there a camera's places, off by
half a metre and more, make a standstill out of a lorry that rolls."""

OVER_S = 0.8
"""A stop of half a second, with the last and the first metre a second, lasts longer; over less than this a camera's
places tremble by more than 1 m/s. One that is unseen for longer may have stopped meanwhile."""

PAST_M = 3.0
"""How far past the line it must be seen, and until there it may still stop: beyond the error of a camera's place (0.3
to 0.5 m) and what a filter runs on with a lorry that stops (2 m/s²: 1.1 m with boxes off by 0.1 m, 2 m with 0.5 m;
5 m/s²: 2.4 m). The site file refuses a line that lies nearer to the conflict point, beyond which no place is told."""

SURE_S = 1.6
"""A filter that ran on comes back within this, and a radar's track that coasts for 1.5 s beside a camera that sees the
lorry stand has ended: who is not seen before the line again had passed it."""

LORRIES = frozenset({RoadUser.TRUCK, RoadUser.LONG_TRUCK})


class Turn(NamedTuple):
    """A lorry that is surely past its line: how slow it was near it, and its track when it was seen to be past."""

    slowest_mps: float
    past: Track


@dataclasses.dataclass(slots=True)
class TurnWatch:
    """One track's way to the line and past it."""

    _seen_ns: int = 0
    _followed: bool = False
    _judged: bool = False
    _in_lane: bool = False
    _slowest_mps: float = float("inf")
    _places: deque[tuple[int, float]] = dataclasses.field(default_factory=deque)
    """When and where it was seen near the line, over the last ``OVER_S``."""
    _past: Track | None = None
    _past_ns: int = 0

    def see(self, now_ns: int, track: Track, lane: TruckRightTurn) -> Turn | None:
        """Takes the track as it stands now. The turn, when it has just become sure."""
        if track.state in STANDING and self._past is None:
            self._slowest_mps = 0.0  # a radar's too, that cannot see who stands
        if track.updated_ns > self._seen_ns:
            self._sight(now_ns, track, lane)
        return self.gone() if self._past is not None and now_ns - self._past_ns >= SURE_S * NS_PER_S else None

    def gone(self) -> Turn | None:
        """The turn of one whose track has ended, or has been past the line for long enough."""
        past, judged, self._judged = self._past, self._judged, True
        if judged or past is None or not self._in_lane or past.user not in LORRIES:
            return None
        return Turn(self._slowest_mps, past)

    def _sight(self, now_ns: int, track: Track, lane: TruckRightTurn) -> None:
        unseen_ns, self._seen_ns = track.updated_ns - self._seen_ns, track.updated_ns
        distance_m, speed_mps = track.distance_m, track.speed_mps
        if distance_m is None or speed_mps is None or track.receding:
            return
        if distance_m > lane.line_m + NEAR_M:
            far = distance_m >= lane.line_m + FOLLOWED_M
            self._followed = self._followed or (far and track.state is TrackState.CONFIRMED)
            return
        if unseen_ns > OVER_S * NS_PER_S:
            self._followed = False
        if distance_m > lane.line_m - PAST_M:
            self._slow(now_ns, distance_m, speed_mps)
            if distance_m > lane.line_m:
                across_m = track.lateral_m
                self._in_lane = across_m is not None and lane.lateral_from_m <= across_m <= lane.lateral_to_m
        elif self._past is None and self._followed:
            self._past, self._past_ns = track, now_ns

    def _slow(self, now_ns: int, distance_m: float, speed_mps: float) -> None:
        places = self._places
        places.append((now_ns, distance_m))
        while len(places) > 2 and now_ns - places[1][0] >= OVER_S * NS_PER_S:
            places.popleft()
        over_s = (now_ns - places[0][0]) / NS_PER_S
        if over_s >= OVER_S:
            speed_mps = min(speed_mps, (places[0][1] - distance_m) / over_s)
        self._slowest_mps = min(self._slowest_mps, max(speed_mps, 0.0))
