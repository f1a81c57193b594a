"""Camera observations -> tracks: of calibrated approaches by place, of the others by number in a zone. Pure.

Invariant: an approach's wait zone counts as empty only when a camera that sees it has looked for 1.5 s on end and
found nobody, the patience that its tracks get too.
"""

from collections.abc import Iterable, Iterator, Mapping

from device.camera_users import SeenUsers
from device.camera_zones import ZonePlaces
from device.observation import CameraObservation, Zone
from device.tracks import COAST_S, Track
from hal.clock import NS_PER_S


class CameraTracker:
    """The tracks of one camera. ``wait_zones`` names the approaches whose wait zone it sees, ``limits_mps`` gives
    the speed limit of each approach."""

    def __init__(
        self,
        camera: str,
        parked_after_s: float,
        ids: Iterator[int],
        *,
        wait_zones: Iterable[str] = (),
        limits_mps: Mapping[str, float] | None = None,
    ) -> None:
        self._parked_after_ns = round(parked_after_s * NS_PER_S)
        self._places = ZonePlaces(camera, ids)
        self._users = SeenUsers(camera, ids, limits_mps or {})
        self._wait_zones = frozenset(wait_zones)
        self._looked_since_ns: int | None = None
        self._waits_ns: dict[str, int] = {}

    def update(self, observation: CameraObservation) -> None:
        """Takes one picture, newer than the last one."""
        now_ns = observation.captured_ns
        if self._looked_since_ns is None:
            self._looked_since_ns = now_ns
        waits_on = {count.approach for count in observation.occupancy if count.zone is Zone.WAIT}
        waits_on |= {user.approach for user in observation.users if user.zone is Zone.WAIT}
        for approach in waits_on:
            self._waits_ns[approach] = now_ns
        self._places.update(now_ns, observation.occupancy)
        self._users.update(now_ns, observation.users)

    def advance(self, now_ns: int) -> None:
        """Forgets who has left."""
        self._places.advance(now_ns)
        self._users.advance(now_ns)

    def set_parked_after_s(self, parked_after_s: float) -> None:
        """Takes a new policy value between two steps."""
        self._parked_after_ns = round(parked_after_s * NS_PER_S)

    def reset(self) -> None:
        """Forgets everything: the camera went stale."""
        self._places.reset()
        self._users.reset()
        self._looked_since_ns = None

    def tracks(self, now_ns: int) -> list[Track]:
        """All tracks as they stand at ``now_ns``."""
        return [
            *self._places.tracks(now_ns, self._parked_after_ns),
            *self._users.tracks(now_ns, self._parked_after_ns),
        ]

    def nobody_waits(self, approach: str, now_ns: int) -> bool:
        """Whether it sees the wait zone of this approach and has seen it empty for a while."""
        if approach not in self._wait_zones or self._looked_since_ns is None:
            return False
        since_ns = max(self._looked_since_ns, self._waits_ns.get(approach, self._looked_since_ns))
        return now_ns - since_ns >= COAST_S * NS_PER_S
