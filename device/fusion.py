"""Camera zones -> tracks, and who is on an approach from all its sensors. Pure.

Invariants: two pictures of three confirm, a flicker of the detector shorter than 1.5 s does not release; standing in
the wait zone is waiting, then parked after ``parked_after_s`` until the zone is left; standing outside the zones
never counts, because it is in no zone. A camera has no calibration yet, so its tracks carry no distance.
"""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator

from configs.schema import RoadUser
from device.observation import CameraObservation, Zone
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S

CONFIRM_HITS = 2
CONFIRM_WINDOW = 3
KEEP_S = 1.5
"""A detector misses a walker for a few frames; this is the same patience that radar tracks get while coasting."""


@dataclasses.dataclass(slots=True)
class _Place:
    """The n-th road user of a class in a zone. Without calibration users are told apart by their number only."""

    id: int
    since_ns: int
    seen_ns: int
    hits: deque[bool]
    confirmed: bool = False


class CameraTracker:
    """The tracks of one camera, over all its zones."""

    def __init__(self, camera: str, parked_after_s: float, ids: Iterator[int]) -> None:
        self._camera = camera
        self._parked_after_ns = round(parked_after_s * NS_PER_S)
        self._ids = ids
        self._places: dict[tuple[str, Zone, RoadUser, int], _Place] = {}

    def update(self, observation: CameraObservation) -> None:
        """Takes one picture's occupancy, newer than the last one."""
        now_ns = observation.captured_ns
        seen = {
            (count.approach, count.zone, count.user, number)
            for count in observation.occupancy
            for number in range(count.count)
        }
        for key in seen:
            place = self._places.get(key)
            if place is None:
                place = _Place(next(self._ids), now_ns, now_ns, deque(maxlen=CONFIRM_WINDOW))
                self._places[key] = place
            place.seen_ns = now_ns
        for key, place in self._places.items():
            place.hits.append(key in seen)
            place.confirmed = place.confirmed or sum(place.hits) >= CONFIRM_HITS

    def advance(self, now_ns: int) -> None:
        """Forgets who has left."""
        self._places = {
            key: place
            for key, place in self._places.items()
            if (now_ns - place.seen_ns) <= KEEP_S * NS_PER_S and (place.confirmed or any(place.hits))
        }

    def set_parked_after_s(self, parked_after_s: float) -> None:
        """Takes a new policy value between two steps."""
        self._parked_after_ns = round(parked_after_s * NS_PER_S)

    def reset(self) -> None:
        """Forgets everything: the camera went stale."""
        self._places.clear()

    def tracks(self, now_ns: int) -> list[Track]:
        """All tracks as they stand at ``now_ns``."""
        return [
            Track(
                id=place.id,
                approach=approach,
                sensor=self._camera,
                state=self._state(zone, place, now_ns),
                user=user,
                distance_m=None,
                speed_mps=None,
                receding=False,
                updated_ns=place.seen_ns,
            )
            for (approach, zone, user, _number), place in self._places.items()
        ]

    def _state(self, zone: Zone, place: _Place, now_ns: int) -> TrackState:
        if not place.confirmed:
            return TrackState.TENTATIVE
        if zone is Zone.WAIT:
            return TrackState.PARKED if now_ns - place.since_ns >= self._parked_after_ns else TrackState.WAITING
        return TrackState.CONFIRMED if place.hits[-1] else TrackState.COASTING


def classes_present(tracks: Iterable[Track]) -> set[RoadUser]:
    """The classes that a camera can name on an approach. A radar's track has no class of its own; where a camera
    names anyone on that approach, the radar's road user is taken to be among those."""
    return {track.user for track in tracks if track.user is not None}
