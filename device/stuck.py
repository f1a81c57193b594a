"""One target that is the only cause for too long is an echo, not a busy road. Pure.

Invariant: an echo that flickers inside its range cell keeps its count, also through the hold; a second road user, or
the next vehicle of a column, begins it anew; only a dark face forgets.
"""

from device.tracks import Track, TrackState
from hal.clock import NS_PER_S

STUCK_CELL_M = 3.0
"""A standing echo wanders by this much; a target of its own is a busy road."""


class StuckWatch:
    """How long one target has been the only cause of a face."""

    def __init__(self) -> None:
        self._sole: tuple[Track, int] | None = None

    def why(self, now_ns: int, limit_s: float) -> str | None:
        """Names the target that has been the only cause for ``limit_s``, or None."""
        if self._sole is None:
            return None
        track, since_ns = self._sole
        if (now_ns - since_ns) / NS_PER_S < limit_s:
            return None
        where = "" if track.distance_m is None else f" at {track.distance_m:.0f} m"
        return f"{track.sensor}: one target{where} is the only cause for {limit_s:.0f} s"

    def caused(self, now_ns: int, cause: Track, count: int) -> None:
        """Takes this step's cause and how many causes there are."""
        if count > 1:
            self._sole = None
        elif self._sole is not None and _same_target(self._sole[0], cause):
            # Where it was last seen, not where it is predicted to have gone meanwhile.
            seen = self._sole[0] if cause.state is TrackState.COASTING else cause
            self._sole = (seen, self._sole[1])
        else:
            self._sole = (cause, now_ns)

    def dark(self) -> None:
        """The face has gone dark: whatever comes next begins anew."""
        self._sole = None


def _same_target(before: Track, now: Track) -> bool:
    """One track, or one range cell: a standing echo that is lost and found where it was is still one target, the next
    vehicle of a column appears where the last one did not vanish."""
    if before.id == now.id:
        return True
    if before.sensor != now.sensor or before.distance_m is None or now.distance_m is None:
        return False
    return abs(before.distance_m - now.distance_m) <= STUCK_CELL_M
