"""A picture of any size into a network's input buffer. numpy and one resize.

Invariants: buffers are allocated once and their padding is only repainted when the picture's size changes; the shape of
the picture is kept. Not safe for two threads at once: the buffers are shared between calls.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from models.boxes import Image
from models.errors import PictureError


class Letterbox:
    """Fits pictures into reused input buffers: scaled with their shape kept, at the top left, the rest grey.

    Of several input sizes the one that shows the picture largest is taken: a wide picture in a square input leaves
    nearly half of it grey, and small road users far away are what matters.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], pad: int) -> None:
        self._buffers: list[Image] = [np.full((1, height, width, 3), pad, np.uint8) for height, width in sizes]
        self._filled = [(0, 0)] * len(self._buffers)
        self._pad = pad
        self.blob: Image = self._buffers[0]
        """The network's input, 1×H×W×3, of the last picture; valid until the next ``fit``."""

    def fit(self, image: Image) -> float:
        """Paints an H×W×3 uint8 picture into ``blob``; returns input pixels per source pixel. Raises PictureError."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise PictureError(f"picture: {image.dtype} {image.shape} found, expected uint8 (height, width, 3)")
        ratios = [min(b.shape[1] / image.shape[0], b.shape[2] / image.shape[1]) for b in self._buffers]
        ratio = max(ratios)
        chosen = ratios.index(ratio)
        self.blob = self._buffers[chosen]
        canvas = self.blob[0]
        height, width = max(1, int(image.shape[0] * ratio)), max(1, int(image.shape[1] * ratio))
        if (height, width) != self._filled[chosen]:
            canvas[...] = self._pad
            self._filled[chosen] = (height, width)
        cv2.resize(image, (width, height), dst=canvas[:height, :width], interpolation=cv2.INTER_LINEAR)
        return float(ratio)
