"""Tracks from a calibrated camera: where each road user is on its approach, how fast, of what class. Pure.

Invariants: two pictures of three confirm; who is missed coasts 1.5 s; the class is the one most pictures said, lately
more than long ago; standing counts in the wait zone alone, as waiting, and as parked after ``parked_after_s`` until it
moves a metre or leaves the zone; who stands elsewhere is tentative, which nothing acts on. A camera measures no
speed: ``speed_error_mps`` says how far the one it estimates may be off.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

from configs.schema import RoadUser
from device.camera_zones import CONFIRM_HITS, LAST_THREE, LAST_TWO
from device.kinematics import RangeFilter
from device.observation import SeenUser, Zone
from device.tracks import COAST_S, Track, TrackState
from hal.clock import NS_PER_S

ERROR_AT_LINE_M = 0.3
ERROR_PER_M2 = 1 / 1200
"""Sigma of a foot point on the ground: a pixel or two from a 5 m pole are 0.4 m at 10 m and 2.2 m at 48 m."""

DRIFT = 0.5
"""(m/s)² a second: road users that brake and start by 1 m/s², a second of it unseen."""

FIRST_SHARE = 0.6
FIRST_SPREAD = 2 / 3
FIRST_LIMIT_MPS = 10.0
FIRST_WAIT_MPS = 3.0
FIRST_WAIT_SPREAD = 1.0
FIRST_AT_MOST_MPS = {RoadUser.WALKER: 1.5, RoadUser.TWO_WHEELER: 6.0}
"""What is assumed of a new road user's speed until it has moved: new is approaching, at 20 to 100 % of the limit of its
road (``FIRST_LIMIT_MPS`` where none is known), no faster than its kind, slower in the wait zone. The spread is a share
of the speed assumed: nobody on foot comes at a share of the cars' limit."""

EARLY_SIGMAS = 0.6
"""Time to arrival counts on a speed this much above the estimate: with a quarter of a sigma main faces were dark for
0.1 to 0.5 s when a car came up the branch, with a whole one they would light half a second early for all of them."""

WALKS_AT_MOST_MPS = 2.5
WALKS_SIGMAS = 2.0
"""Who hurries on foot comes at 2.5 m/s; faster only as far as two sigmas leave no doubt. Far off a walker's box is a
metre off, and so many pictures that fall the same way made 1.7 m/s into 3.6, and lit the lamp 16 s ahead."""

SCATTER_GAIN = 0.05
SCATTER_LEAST = 0.05
SCATTER_MOST = 4.0
SETTLED_HITS = 10
"""How boxes of this camera scatter around their tracks, as a share of the variance above, learned over the last twenty
boxes of tracks that have settled: by day a box is right to a third of a pixel, at night it is not."""

GATE_SIGMAS = 3.0
GATE_M = 1.5
"""Beyond the errors: a box that ends at the bumper once and at the rear wheel the next time."""

LATERAL_GATE_M = 2.0
LATERAL_PER_M = 0.02
"""Lanes lie 3.5 m apart; a box's middle moves by a part of its width."""

OTHER_KIND_COST = 0.5
LATERAL_GAIN = 0.3

VOTE_MEMORY = 0.97
"""A class is voted on over the last thirty pictures, three seconds: a confusion lasts a few of them."""

RIDER_M = 1.5
RIDER_PER_M = 0.1
RIDER_LATERAL_M = 1.0
"""A detector boxes the rider of a two-wheeler as a person too; that box ends at the pedals, farther away on the ground
by a part of the distance. Who walks beside a two-wheeler pushes it."""

STANDING_MPS = 0.3
STANDING_ERROR_MPS = 1.0
"""Who is slower than 1 km/h, the least that counts as an arrival, or than the error of his speed, stands; one whose
error is greater than that of a settled track is not known to. Boxes that tremble made a queue drive off with 0.5 m/s
again and again, and a plain 0.5 m/s held one that really did for standing."""

MOVED_M = 1.0
ZONE_HITS = 0b11111
"""Half a second outside the wait zone is having left it; the foot point of who stands at its edge trembles."""

RECEDING_MPS = 1.0
RECEDING_M = 3.0

ARRIVED_M = 2.0
"""This far past the conflict point it is there now."""


@dataclasses.dataclass(slots=True)
class _Seen:
    """One road user's memory."""

    id: int
    approach: str
    motion: RangeFilter
    lateral_m: float
    votes: dict[RoadUser, float]
    user: RoadUser
    seen_ns: int
    anchor_m: float
    anchor_ns: int
    farthest_in_m: float
    zone_hits: int = 0
    hits: int = 1
    boxes: int = 1
    confirmed: bool = False

    def ahead_m(self, now_ns: int) -> float:
        """Where it should be now."""
        return self.motion.range_m - self.motion.closing_mps * ((now_ns - self.seen_ns) / NS_PER_S)


class SeenUsers:
    """The tracks of one camera over its calibrated approaches. ``limits_mps``: the speed limit of each."""

    def __init__(self, camera: str, ids: Iterator[int], limits_mps: Mapping[str, float]) -> None:
        self._limits_mps = limits_mps
        self._camera = camera
        self._ids = ids
        self._seen: list[_Seen] = []
        self._scatter = 1.0

    def update(self, now_ns: int, users: Sequence[SeenUser]) -> None:
        """Takes one picture's road users."""
        if not users and not self._seen:
            return
        found = _without_riders(sorted(users, key=_nearest_first))
        missed, left = set(range(len(self._seen))), set(range(len(found)))
        for _cost_value, seen_index, found_index in sorted(self._pairs(found, now_ns)):
            if seen_index in missed and found_index in left:
                missed.discard(seen_index)
                left.discard(found_index)
                self._hit(self._seen[seen_index], found[found_index], now_ns)
        for seen_index in missed:
            self._seen[seen_index].hits = self._seen[seen_index].hits << 1 & LAST_THREE
        for found_index in sorted(left):
            self._start(found[found_index], now_ns)
        self._seen = [seen for seen in self._seen if seen.confirmed or seen.hits & LAST_TWO]

    def advance(self, now_ns: int) -> None:
        """Forgets who has left."""
        if self._seen:
            self._seen = [
                seen
                for seen in self._seen
                if now_ns - seen.seen_ns <= COAST_S * NS_PER_S and not _has_arrived(seen, now_ns)
            ]

    def reset(self) -> None:
        """Forgets everything."""
        self._seen.clear()

    def tracks(self, now_ns: int, parked_after_ns: int) -> list[Track]:
        """All tracks as they stand at ``now_ns``."""
        return [self._track(seen, now_ns, parked_after_ns) for seen in self._seen]

    def _pairs(self, found: Sequence[SeenUser], now_ns: int) -> Iterator[tuple[float, int, int]]:
        for seen_index, seen in enumerate(self._seen):
            gap_s = (now_ns - seen.seen_ns) / NS_PER_S
            ahead_m = seen.ahead_m(now_ns)
            gate_m = GATE_M + GATE_SIGMAS * (error_m(ahead_m) + gap_s * math.sqrt(seen.motion.closing_variance))
            lateral_gate_m = LATERAL_GATE_M + LATERAL_PER_M * max(ahead_m, 0.0)
            for found_index, user in enumerate(found):
                off_m, off_lateral_m = abs(user.distance_m - ahead_m), abs(user.lateral_m - seen.lateral_m)
                if user.approach == seen.approach and off_m <= gate_m and off_lateral_m <= lateral_gate_m:
                    cost = off_m / gate_m + off_lateral_m / lateral_gate_m
                    yield cost + (OTHER_KIND_COST if user.user is not seen.user else 0.0), seen_index, found_index

    def _hit(self, seen: _Seen, user: SeenUser, now_ns: int) -> None:
        motion = seen.motion
        motion.advance((now_ns - seen.seen_ns) / NS_PER_S)
        variance = error_m(user.distance_m) ** 2
        if seen.boxes >= SETTLED_HITS:
            scatter = min((user.distance_m - motion.range_m) ** 2 / variance, SCATTER_MOST)
            self._scatter += SCATTER_GAIN * (max(scatter, SCATTER_LEAST) - self._scatter)
        motion.see_range(user.distance_m, self._scatter * variance)
        seen.boxes += 1
        _note(seen, user, now_ns)

    def _start(self, user: SeenUser, now_ns: int) -> None:
        limit_mps = self._limits_mps.get(user.approach, FIRST_LIMIT_MPS)
        closing_mps, spread = FIRST_SHARE * limit_mps, FIRST_SPREAD
        if user.zone is Zone.WAIT:
            closing_mps, spread = FIRST_WAIT_MPS, FIRST_WAIT_SPREAD
        closing_mps = min(closing_mps, FIRST_AT_MOST_MPS.get(user.user, closing_mps))
        motion = RangeFilter(
            user.distance_m,
            closing_mps,
            range_variance=error_m(user.distance_m) ** 2,
            speed_variance=(spread * closing_mps) ** 2,
            drift=DRIFT,
        )
        self._seen.append(
            _Seen(
                id=next(self._ids),
                approach=user.approach,
                motion=motion,
                lateral_m=user.lateral_m,
                votes={user.user: 1.0},
                user=user.user,
                seen_ns=now_ns,
                anchor_m=user.distance_m,
                anchor_ns=now_ns,
                farthest_in_m=user.distance_m,
                zone_hits=int(user.zone is Zone.WAIT),
            )
        )

    def _track(self, seen: _Seen, now_ns: int, parked_after_ns: int) -> Track:
        closing_mps = seen.motion.closing_mps
        error_mps = math.sqrt(max(seen.motion.closing_variance, 0.0))
        early_mps = EARLY_SIGMAS * error_mps
        if seen.user is RoadUser.WALKER:
            fastest_mps = max(WALKS_AT_MOST_MPS, closing_mps - WALKS_SIGMAS * error_mps)
            closing_mps = min(closing_mps, fastest_mps)
            early_mps = min(early_mps, fastest_mps - closing_mps)
        waits = bool(seen.zone_hits)
        parked = waits and seen.seen_ns - seen.anchor_ns >= parked_after_ns
        slow = abs(closing_mps) < max(STANDING_MPS, error_mps)
        stands = parked or (slow and error_mps < STANDING_ERROR_MPS)
        receding = (
            not stands
            and closing_mps < -RECEDING_MPS - error_mps
            and (seen.motion.range_m >= seen.farthest_in_m + RECEDING_M + error_m(seen.motion.range_m))
        )
        if not seen.confirmed or (stands and not waits):
            state = TrackState.TENTATIVE
        elif stands:
            state = TrackState.PARKED if parked else TrackState.WAITING
        else:
            state = TrackState.CONFIRMED if seen.hits & 1 else TrackState.COASTING
        distance_m = seen.motion.range_m if stands else seen.ahead_m(now_ns)
        if -ARRIVED_M < distance_m < 0:
            distance_m = 0.0
        return Track(
            id=seen.id,
            approach=seen.approach,
            sensor=self._camera,
            state=state,
            user=seen.user,
            distance_m=distance_m,
            speed_mps=0.0 if stands else closing_mps,
            receding=receding,
            updated_ns=seen.seen_ns,
            lateral_m=seen.lateral_m,
            in_wait_zone=waits,
            speed_error_mps=0.0 if stands else early_mps,
        )


def error_m(distance_m: float) -> float:
    """Sigma of a road user's distance as a camera on a pole at the junction sees it."""
    return ERROR_AT_LINE_M + ERROR_PER_M2 * distance_m * distance_m


def _has_arrived(seen: _Seen, now_ns: int) -> bool:
    """Moving, past the conflict point and no longer seen: the hold runs from its last picture."""
    return not seen.hits & 1 and seen.motion.closing_mps >= STANDING_MPS and seen.ahead_m(now_ns) <= 0


def _note(seen: _Seen, user: SeenUser, now_ns: int) -> None:
    """What a box says beside the distance: class, place across the road, zone."""
    range_m = seen.motion.range_m
    seen.lateral_m += LATERAL_GAIN * (user.lateral_m - seen.lateral_m)
    for voted in seen.votes:
        seen.votes[voted] *= VOTE_MEMORY
    seen.votes[user.user] = seen.votes.get(user.user, 0.0) + 1.0
    # The class it had stays on a tie.
    if seen.votes[user.user] > seen.votes[seen.user]:
        seen.user = user.user
    seen.seen_ns = now_ns
    seen.hits = (seen.hits << 1 | 1) & LAST_THREE
    seen.confirmed = seen.confirmed or seen.hits.bit_count() >= CONFIRM_HITS
    seen.zone_hits = (seen.zone_hits << 1 | (user.zone is Zone.WAIT)) & ZONE_HITS
    seen.farthest_in_m = min(seen.farthest_in_m, range_m)
    if not seen.zone_hits or abs(range_m - seen.anchor_m) >= MOVED_M:
        seen.anchor_m = range_m
        seen.anchor_ns = now_ns


def _without_riders(users: Sequence[SeenUser]) -> list[SeenUser]:
    """The users without the persons that ride one of the two-wheelers."""
    bikes = [user for user in users if user.user is RoadUser.TWO_WHEELER]
    if not bikes:
        return list(users)
    return [user for user in users if user.user is not RoadUser.WALKER or not any(_rides(user, bike) for bike in bikes)]


def _rides(person: SeenUser, bike: SeenUser) -> bool:
    return (
        person.approach == bike.approach
        and abs(person.distance_m - bike.distance_m) <= RIDER_M + RIDER_PER_M * max(bike.distance_m, 0.0)
        and abs(person.lateral_m - bike.lateral_m) <= RIDER_LATERAL_M
    )


def _nearest_first(user: SeenUser) -> tuple[float, float, str, str]:
    return (user.distance_m, user.lateral_m, user.user, user.approach)
