"""A picture in which nobody can be recognised: small, and every road user's place in coarse blocks.

Invariants: a box is enlarged before it is hidden, because a detector cuts off heads and hands; faint boxes are hidden
too, since hiding a bush costs nothing and showing a face does; the picture is never larger than ``WIDTH_PX``, so that
whoever was not detected at all is small.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from models.boxes import Image
from models.detector import Detection

WIDTH_PX = 480
"""A face ten metres off is 6 px wide then: below the 15 to 20 px from which people are told apart."""

ENLARGED = 0.2
"""Of the box's size, on every side."""

BLOCKS = 6
"""Along the longer side of what is hidden: what is left is a colour and a size. A number plate is in one block."""

LEAST_BLOCK_PX = 8
FAINT = 0.08
"""Boxes from this score on are hidden."""


def unrecognisable(image: Image, found: Iterable[Detection]) -> Image:
    """A copy of an H×W×3 picture, at most ``WIDTH_PX`` wide, with the places of ``found`` (in pixels of ``image``)
    hidden."""
    ratio = min(1.0, WIDTH_PX / image.shape[1])
    width, height = max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio))
    small = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    for one in found:
        wide, tall = ENLARGED * (one.x1 - one.x0), ENLARGED * (one.y1 - one.y0)
        x0, x1 = int(max(0, (one.x0 - wide) * ratio)), int(min(width, (one.x1 + wide) * ratio + 1))
        y0, y1 = int(max(0, (one.y0 - tall) * ratio)), int(min(height, (one.y1 + tall) * ratio + 1))
        if x1 > x0 and y1 > y0:
            small[y0:y1, x0:x1] = _coarse(small[y0:y1, x0:x1])
    return small


def _coarse(region: Image) -> Image:
    height, width = region.shape[:2]
    block = max(LEAST_BLOCK_PX, -(-max(height, width) // BLOCKS))
    blocks = cv2.resize(region, (-(-width // block), -(-height // block)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
