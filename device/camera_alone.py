"""The day that a face may stand on a camera alone while its radar is mended (FAULTS.md: D2 for at most 24 h). Pure.

Invariants: the day begins when a camera first stands alone and runs on whatever the camera does; a fault of the camera
or a restart gives nothing of it back, only radars that are back for good do.
"""

from hal.clock import NS_PER_S

CAMERA_ALONE_MAX_S = 24 * 3600.0
"""A camera at night or in fog sees less than it says: a county has a day to mend the radar."""

RADARS_BACK_FOR_S = 3600.0
"""A radar that fails again within the hour was not mended: FAULTS.md counts restarts by the hour too."""


class CameraAlone:
    """How much of its day one face has spent. ``spent_s`` is what had been spent before ``start_ns``."""

    def __init__(self, start_ns: int, spent_s: float = 0.0) -> None:
        spent_ns = round(min(spent_s, CAMERA_ALONE_MAX_S) * NS_PER_S)
        self._since_ns = start_ns - spent_ns if spent_ns > 0 else None
        self._back_since_ns: int | None = None

    @property
    def counting(self) -> bool:
        """Whether something of the day has been spent."""
        return self._since_ns is not None

    def spent_s(self, now_ns: int) -> float:
        """Seconds of the day that are spent, all of it at most."""
        return 0.0 if self._since_ns is None else min(CAMERA_ALONE_MAX_S, (now_ns - self._since_ns) / NS_PER_S)

    def over(self, now_ns: int, *, alone: bool, radars_back: bool) -> bool:
        """Takes one look at the sensors and says whether a camera stands alone for longer than a day. ``radars_back``:
        every watched approach that has a radar has one that can be believed."""
        if alone and self._since_ns is None:
            self._since_ns = now_ns
        if self._since_ns is None:
            return False
        if not radars_back:
            self._back_since_ns = None
        elif self._back_since_ns is None:
            self._back_since_ns = now_ns
        elif (now_ns - self._back_since_ns) / NS_PER_S >= RADARS_BACK_FOR_S:
            self._since_ns = self._back_since_ns = None
            return False
        return alone and (now_ns - self._since_ns) / NS_PER_S > CAMERA_ALONE_MAX_S
