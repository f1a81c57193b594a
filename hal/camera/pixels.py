"""Pictures as cameras give them -> the one form the node uses: height x width x 3, uint8, BGR. Knows no device.

Invariants: bytes that are no picture, and a picture that is cut off, are counted and never raised; a grey picture is
one in which the three colours are the same.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

TOO_MANY = 10
"""Pictures in a row that cannot be decoded: one is a disturbance, ten are a fault."""

FILLED_IN = 128
"""Grey level with which libjpeg fills in what is missing of a picture that is cut off."""


class JpegDecoder:
    """Decodes the pictures of one camera."""

    def __init__(self) -> None:
        self.undecodable = 0
        self._in_a_row = 0

    def decode(self, jpeg: bytes) -> Image | None:
        """The picture, or None where there is none, counted."""
        image = _decoded(jpeg)
        if image is None:
            self.undecodable += 1
            self._in_a_row += 1
        else:
            self._in_a_row = 0
        return image

    def problem(self) -> str | None:
        """What to say when the pictures come and are none, else None."""
        if self._in_a_row < TOO_MANY:
            return None
        return f"{self._in_a_row} pictures in a row cannot be decoded; check the cable and its plugs"


def bgr_of(image: npt.NDArray[Any]) -> Image | None:
    """A grey or BGR picture of 8 bits as BGR; None for any other form."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or not image.size:
        return None
    if image.ndim == 2 or image.shape[2] == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    return image if image.shape[2] == 3 else None


def _decoded(jpeg: bytes) -> Image | None:
    if not jpeg:
        return None
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # a header of 65,000 x 65,000 pixels, say
        return None
    if image is None or bool((image[-1] == FILLED_IN).all()):
        return None
    return np.asarray(image, np.uint8)
