"""Whether a camera's pictures can be trusted at all: black, overexposed, without contrast, or frozen. Pure.

Invariants: works on every n-th pixel of at most 320 x 180 and only a few times a second, so that it costs nothing
beside inference; a fault must last ``LASTING_S`` before it is told, and pictures must be good as long before it is
taken back. A still scene with a live sensor's noise is not frozen; the very same pixels again and again are.
"""

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from hal.clock import NS_PER_S

if TYPE_CHECKING:
    import numpy.typing as npt

REDUCED_WIDTH = 320
REDUCED_HEIGHT = 180
LASTING_S = 3.0
"""FAULTS rows 18 and 19: three seconds from the fault to degraded."""
EVERY_S = 0.5
"""How often a picture is looked at."""
BLACK_BELOW = 30
"""A covered lens: 99 of 100 pixels are darker. A lit lamp or a headlight alone covers more than one in a hundred."""
WHITE_ABOVE = 250
"""An overexposed picture: 80 of 100 pixels are brighter."""
LEAST_SPREAD = 12
"""Least grey levels between the 1st and the 99th percentile; fog or a hood leaves less."""


class Fault(enum.StrEnum):
    """What can be wrong with a picture."""

    BLACK = "black"
    OVEREXPOSED = "overexposed"
    LOW_CONTRAST = "low_contrast"
    FROZEN = "frozen"
    DAZZLED = "dazzled"  # device.vision.dazzle
    BLURRED = "blurred"  # device.vision.view_health
    MOVED = "moved"  # likewise


@dataclasses.dataclass(frozen=True, slots=True)
class Light:
    """Grey levels 0..255 below which 1, 20, 50 and 99 of 100 pixels lie."""

    p1: int
    p20: int
    p50: int
    p99: int


def reduce(image: "npt.NDArray[np.uint8]") -> "npt.NDArray[np.uint8]":
    """Every n-th pixel's green (the nearest to grey) of an HxWx3 picture each way, at most 180 x 320, a copy."""
    step = max(-(-image.shape[0] // REDUCED_HEIGHT), -(-image.shape[1] // REDUCED_WIDTH))
    return image[::step, ::step, 1].copy()


def light_of(reduced: "npt.NDArray[np.uint8]") -> Light:
    """The light of a reduced picture."""
    below = np.cumsum(np.bincount(reduced.ravel(), minlength=256))
    p1, p20, p50, p99 = np.searchsorted(below, np.array((0.01, 0.20, 0.50, 0.99)) * below[-1])
    return Light(int(p1), int(p20), int(p50), int(p99))


def light_fault(light: Light) -> Fault | None:
    """The fault of one picture's light, or None."""
    if light.p99 < BLACK_BELOW:
        return Fault.BLACK
    if light.p20 > WHITE_ABOVE:
        return Fault.OVEREXPOSED
    if light.p99 - light.p1 < LEAST_SPREAD:
        return Fault.LOW_CONTRAST
    return None


class PictureHealth:
    """Follows one camera; ``fault`` is what is told, None while the pictures are good."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.looked_ns: int | None = None
        """Capture time of the picture that was looked at last."""
        self.reduced: npt.NDArray[np.uint8] | None = None
        """That picture, reduced."""
        self.light = Light(0, 0, 0, 0)
        """And its light."""
        self._changed_ns = 0
        self._suspect: Fault | None = None
        self._since_ns = 0

    def observe(self, image: "npt.NDArray[np.uint8]", captured_ns: int) -> Fault | None:
        """Takes a picture (HxWx3 uint8), looks at it if it is time, and returns ``fault``."""
        if self.looked_ns is not None and captured_ns < self.looked_ns + round(EVERY_S * NS_PER_S):
            return self.fault
        self.looked_ns = captured_ns
        reduced = reduce(image)
        if self.reduced is None or not np.array_equal(reduced, self.reduced):
            self._changed_ns = captured_ns
        self.reduced, self.light = reduced, light_of(reduced)
        lasting_ns = round(LASTING_S * NS_PER_S)
        seen = light_fault(self.light)
        if captured_ns - self._changed_ns >= lasting_ns and seen is None:
            self.fault = Fault.FROZEN
            self._suspect, self._since_ns = None, captured_ns
            return self.fault
        if seen is not self._suspect:
            self._suspect, self._since_ns = seen, captured_ns
        if captured_ns - self._since_ns >= lasting_ns:
            self.fault = self._suspect
        return self.fault


def describe(fault: Fault) -> str:
    """The fault as a sentence with what to do, beginning with its word."""
    return f"{fault}: {_SENTENCES[fault]}"


_SENTENCES = {
    Fault.BLACK: "the picture is black; is the lens covered, or the camera without night vision?",
    Fault.OVEREXPOSED: "the picture is overexposed; is a lamp or the sun in the lens, or the exposure fixed?",
    Fault.LOW_CONTRAST: "the picture has no contrast; clean the lens, look for fog or a hood",
    Fault.FROZEN: "the same picture again and again; power-cycle the camera",
    Fault.DAZZLED: "headlights shine into the lens; it counts again when they are gone",
    Fault.BLURRED: "the picture has lost its detail; clean the lens, unless there is fog or something before it",
    Fault.MOVED: "nothing of its view is left; turn it back, clear what is before it, or accept: sentinel aim --accept",
}
