"""What the weathers share: linear light, a guess of the camera's view, and slowly varying patterns.

Invariants: linear light is float32, 1.0 is the white of the daylight picture; depth is a guess by picture row from a
flat road, so a tall object is hazed as if each of its rows stood where the road behind that row is.
"""

import dataclasses

import cv2
import numpy as np

from models.boxes import Floats, Image

_LEVELS = 65535
"""Steps of the encoding table: under a tenth of an 8-bit step in the dark, where sRGB is steepest."""

_CODES = np.arange(256) / 255
_TO_LIGHT = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)
_LIGHT = np.arange(_LEVELS + 1) / _LEVELS
_TO_CODE = np.round(255 * np.where(_LIGHT <= 0.0031308, 12.92 * _LIGHT, 1.055 * _LIGHT ** (1 / 2.4) - 0.055)).astype(
    np.uint8
)


def decoded(image: Image) -> Floats:
    """8-bit sRGB → linear light (IEC 61966-2-1), same shape."""
    return np.asarray(_TO_LIGHT[image])


def encoded(light: Floats) -> Image:
    """Linear light → 8-bit sRGB; below 0 and above 1 it clips as a sensor does."""
    return np.asarray(_TO_CODE[(np.clip(light, 0, 1) * np.float32(_LEVELS) + np.float32(0.5)).astype(np.uint16)])


FULL_WELL = 6000.0
"""Electrons that a pixel of 2–3 µm holds, white by day: the noise of light itself is √electrons."""


def grainy(light: Floats, random: np.random.Generator) -> Floats:
    """Daylight exposure with its shot noise (normal: there are many electrons); what is hazed is lost in it at last."""
    noise = random.standard_normal(light.shape, np.float32)
    return np.asarray(light + noise * np.sqrt(np.maximum(light, 0) / np.float32(FULL_WELL)), np.float32)


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """A guess of where the camera stands: good enough to say which rows are far."""

    height_px: int
    width_px: int
    focal_px: float
    horizon_row: float
    camera_height_m: float
    far_m: float
    """Of all above the horizon, and of what the guess puts beyond it."""

    @classmethod
    def of(cls, height_px: int, width_px: int, *, pole: bool) -> "View":
        """From a pole: 6 m up, the horizon at a quarter of the height, 200 m to see. Close by: 1.5 m (eye level), the
        horizon at 0.45, and 25 m to whatever stands behind, since a vehicle fills the picture and is as near as its
        wheels.

        Focal length = the longer side: 53° across, a common wide lens of a camera on a pole or in a telephone.
        """
        focal = float(max(height_px, width_px))
        share, up_m, far_m = (0.25, 6.0, 200.0) if pole else (0.45, 1.5, 25.0)
        return cls(height_px, width_px, focal, share * height_px, up_m, far_m)

    def depth_m(self) -> Floats:
        """Distance of the road at the middle of each row, m (H values): h · f / (row − horizon), far_m at most."""
        below = np.arange(self.height_px) + 0.5 - self.horizon_row
        metres = self.camera_height_m * self.focal_px / np.maximum(below, 1e-6)
        return np.asarray(np.minimum(metres, self.far_m), np.float32)


def patches(shape: tuple[int, int], cells: int, random: np.random.Generator) -> Floats:
    """A smooth random pattern H×W in −1..1, about so many blobs across."""
    coarse = random.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
