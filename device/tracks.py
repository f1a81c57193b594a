"""A track: one road user on one approach, as every later stage sees it. Pure values.

Invariants: ``distance_m`` runs along the approach to the conflict point and is None where no sensor measures it;
``speed_mps`` is the closing speed, positive = approaching; ``updated_ns`` is the capture time of the newest frame
that really saw it, so a coasting track never looks fresher than it is.
"""

import enum
import typing

from configs.schema import RoadUser

SLOWEST_CLOSING_MPS = 0.3
"""Below this a closing speed is noise of the quantisation (LD2451: steps of 1 km/h = 0.28 m/s): no arrival."""


class TrackState(enum.StrEnum):
    """Where a track stands in its life."""

    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    COASTING = "coasting"
    WAITING = "waiting"
    PARKED = "parked"


COAST_S = 1.5
"""While its sensor is fresh a track may go unseen this long: a lorry between, a dropout, a detector that misses a
walker for a few pictures."""

STANDING = frozenset({TrackState.WAITING, TrackState.PARKED})
ACTED_ON = frozenset({TrackState.CONFIRMED, TrackState.COASTING, TrackState.WAITING, TrackState.PARKED})


class Track(typing.NamedTuple):
    """One road user. ``user`` is None while no sensor could tell its class.

    A named tuple, not a dataclass: twenty of them are made at every step, and it is made in a sixth of the time."""

    id: int
    approach: str
    sensor: str
    state: TrackState
    user: RoadUser | None
    distance_m: float | None
    speed_mps: float | None
    receding: bool
    updated_ns: int
    lateral_m: float | None = None
    """Across the road, positive to the left seen by a driver who comes in; None without a calibrated camera."""
    in_wait_zone: bool = False
    """Whether a camera sees it in its approach's wait zone, moving or standing."""
    speed_error_mps: float = 0.0
    """How far the speed may be off (one sigma). Time to arrival counts on the faster."""

    @property
    def time_to_arrival_s(self) -> float | None:
        """Seconds to the conflict point; None when it is not known or it does not come."""
        distance_m, speed_mps = self.distance_m, self.speed_mps  # asked for by every face at every step
        if distance_m is None or speed_mps is None or distance_m < 0:
            return None
        speed_mps += self.speed_error_mps
        return distance_m / speed_mps if speed_mps >= SLOWEST_CLOSING_MPS else None

    def time_to_point_s(self, to_conflict_m: float) -> float | None:
        """Seconds to the point ``to_conflict_m`` before the conflict point; None when unknown, passed or standing."""
        if self.distance_m is None or self.speed_mps is None:
            return None
        speed_mps = self.speed_mps + self.speed_error_mps
        left_m = self.distance_m - to_conflict_m
        return left_m / speed_mps if left_m >= 0 and speed_mps >= SLOWEST_CLOSING_MPS else None
