"""Tracks from an uncalibrated camera, which knows how many are in a zone and not where. Pure.

Invariants: two pictures of three confirm, a flicker of the detector shorter than 1.5 s does not release; standing in
the wait zone is waiting, then parked after ``parked_after_s`` until the zone is left; standing outside the zones
never counts, because it is in no zone. These tracks carry no distance.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from configs.schema import RoadUser
from device.observation import Zone, ZoneCount
from device.tracks import COAST_S, Track, TrackState
from hal.clock import NS_PER_S

CONFIRM_HITS = 2
LAST_THREE = 0b111
LAST_TWO = 0b11


@dataclasses.dataclass(slots=True)
class _Place:
    """The n-th road user of a class in a zone. Without calibration users are told apart by their number only."""

    id: int
    since_ns: int
    seen_ns: int
    hits: int = 0
    confirmed: bool = False


class ZonePlaces:
    """Who is in the zones of one camera, by number."""

    def __init__(self, camera: str, ids: Iterator[int]) -> None:
        self._camera = camera
        self._ids = ids
        self._places: dict[tuple[str, Zone, RoadUser, int], _Place] = {}

    def update(self, now_ns: int, counts: Sequence[ZoneCount]) -> None:
        """Takes one picture's counts."""
        if not counts and not self._places:
            return
        seen = {(count.approach, count.zone, count.user, number) for count in counts for number in range(count.count)}
        # In order: track numbers must not depend on the order of a set.
        for key in sorted(seen):
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = _Place(next(self._ids), now_ns, now_ns)
            place.seen_ns = now_ns
        for key, place in self._places.items():
            place.hits = (place.hits << 1 | (key in seen)) & LAST_THREE
            place.confirmed = place.confirmed or place.hits.bit_count() >= CONFIRM_HITS

    def advance(self, now_ns: int) -> None:
        """Forgets who has left."""
        if self._places:
            self._places = {
                key: place
                for key, place in self._places.items()
                if now_ns - place.seen_ns <= COAST_S * NS_PER_S and (place.confirmed or place.hits)
            }

    def reset(self) -> None:
        """Forgets everything."""
        self._places.clear()

    def tracks(self, now_ns: int, parked_after_ns: int) -> list[Track]:
        """All tracks as they stand at ``now_ns``."""
        return [
            Track(
                id=place.id,
                approach=approach,
                sensor=self._camera,
                state=_state(zone, place, now_ns, parked_after_ns),
                user=user,
                distance_m=None,
                speed_mps=None,
                receding=False,
                updated_ns=place.seen_ns,
                in_wait_zone=zone is Zone.WAIT,
            )
            for (approach, zone, user, _number), place in self._places.items()
        ]


def _state(zone: Zone, place: _Place, now_ns: int, parked_after_ns: int) -> TrackState:
    if not place.confirmed:
        return TrackState.TENTATIVE
    if zone is Zone.WAIT:
        return TrackState.PARKED if now_ns - place.since_ns >= parked_after_ns else TrackState.WAITING
    return TrackState.CONFIRMED if place.hits & 1 else TrackState.COASTING
