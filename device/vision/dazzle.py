"""Whether headlights dazzle a camera right now: its vote is ignored from that picture on (FAULTS row 24). Pure.

Invariants: only by night, and only light that was not there before: a bright sky at dusk dazzles nobody. While it
lasts, what is taken for usual stands still, so that a car that stays with its beam in the lens is not grown used to.
"""

from typing import TYPE_CHECKING

import numpy as np

from hal.clock import NS_PER_S

if TYPE_CHECKING:
    import numpy.typing as npt

DAZZLED = 0.05
"""Share of saturated pixels above the usual. Traffic by night stays below 0.4 % (235 dark pictures of road_users,
atl_*); at 4 % the detector begins to miss vehicles, at 19 % it misses a fifth (python -m tools.camera_state)."""

SATURATED = 250
NIGHT_BELOW = 60
"""Median grey level, when not dazzled."""

HOLD_S = 2.0
"""A camera's own exposure needs as long to come back."""

USUAL_S = 30.0
"""How long a light must shine to be usual."""

_EVERY_PX = 8


class Dazzle:
    """Follows one camera."""

    def __init__(self) -> None:
        self.since_ns: int | None = None
        """When it began, None while nothing dazzles."""
        self._last_ns = 0
        self._usual: float | None = None
        self._usual_ns = 0
        self._night = False

    def look(self, image: "npt.NDArray[np.uint8]", captured_ns: int) -> bool:
        """Takes a picture (H x W x 3 uint8); whether its vote is to be ignored."""
        if not self._night and self.since_ns is None:
            return False
        share = _saturated(image)
        if share >= DAZZLED + (self._usual or 0.0):
            self.since_ns = captured_ns if self.since_ns is None else self.since_ns
            self._last_ns = captured_ns
        elif self.since_ns is not None and captured_ns - self._last_ns >= HOLD_S * NS_PER_S:
            self.since_ns = None
        return self.since_ns is not None

    def usual(self, image: "npt.NDArray[np.uint8]", median: int, captured_ns: int) -> None:
        """Learns from a picture and its median grey level what is usual, now and then and while nothing dazzles."""
        if self.since_ns is not None:
            return
        share = _saturated(image)
        if self._usual is None:
            self._usual = share
        passed_s = (captured_ns - self._usual_ns) / NS_PER_S
        self._usual += (share - self._usual) * min(1.0, passed_s / USUAL_S)
        self._usual_ns = captured_ns
        self._night = median < NIGHT_BELOW


def _saturated(image: "npt.NDArray[np.uint8]") -> float:
    """The share of saturated pixels, by every eighth one each way: 20 microseconds at 720p."""
    some = image[::_EVERY_PX, ::_EVERY_PX, 1]
    return float(np.count_nonzero(some >= SATURATED)) / some.size
