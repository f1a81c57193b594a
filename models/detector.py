"""What the node asks of a detector, and nothing about how it is done.

Invariants: boxes are pixels of the image that was handed in, inside it, x0 < x1 and y0 < y1; scores are 0..1; the
list is ordered best first.
"""

import dataclasses
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ROAD_USERS = ("person", "two_wheeler", "car", "bus", "truck")
"""Every class a bundled model may name, in the order of the bundled model's outputs.

``two_wheeler`` joins bicycles, motorcycles and e-bikes: the machine, not its rider, who is a ``person``.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Detection:
    """One road user: class, score 0..1, and its box in pixels of the source image (origin top left)."""

    cls: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float


@runtime_checkable
class Detector(Protocol):
    """Finds road users in one picture."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class words that ``detect`` may return."""

    @property
    def threshold(self) -> float:
        """The score from which a detection is believed."""

    def detect(self, image: "npt.NDArray[np.uint8]", threshold: float | None = None) -> list[Detection]:
        """Detections in an H×W×3 uint8 BGR image, best first, those of ``threshold`` (its own unless told) or more.
        Raises ModelError when it cannot be trusted."""
