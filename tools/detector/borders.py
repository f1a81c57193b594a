"""The black bars that an exporter put around a picture to make it square: neither dark road nor fog."""

import cv2
import numpy as np

from models.boxes import Image

_BLACK = 24
"""A line of pixels belongs to a bar when 95 % of it are darker: JPEG leaves some noise in black."""


def content(image: Image) -> tuple[slice, slice]:
    """Rows and columns of an H×W×3 picture without its black bars; all of it when it is black everywhere."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    rows, columns = (np.flatnonzero(np.quantile(grey, 0.95, axis=axis) > _BLACK) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return slice(0, image.shape[0]), slice(0, image.shape[1])
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
