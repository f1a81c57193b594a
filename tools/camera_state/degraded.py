"""What dirt, hands, weather, night and headlights do to a real picture. H x W x 3 uint8 in, the same out.

The physics is plain: lenses blur, drops blur a disc, fog takes light by distance and adds airlight (in linear light,
Koschmieder), night is less light and the sensor's noise, headlights saturate and their glare falls with the square of
the distance. Not modelled: shadows that move with the sun, snow, wet roads that mirror, lenses that bend a drop's edge.
"""

import functools
import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

GAMMA = 2.2
_LINEAR = ((np.arange(256) / 255.0) ** GAMMA).astype(np.float32)
_TILES = 7
"""Noise is drawn once and shifted: seven tiles in a row of looks that have no period of seven."""


class Noise:
    """A sensor's noise, drawn once for pictures of one size."""

    def __init__(self, height: int, width: int, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self._tiles = [random.normal(0, 1, (height, width, 1)).astype(np.float32) for _ in range(_TILES)]
        self._next = 0

    def add(self, image: Image, sigma: float) -> Image:
        """The picture with noise of ``sigma`` grey levels."""
        self._next += 1
        tile = np.roll(self._tiles[self._next % _TILES], self._next * 37, axis=1)
        return _bytes(image + sigma * tile)


def blurred(image: Image, share: float) -> Image:
    """Out of focus, greased or steamed up: sigma in widths of the picture."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), share * image.shape[1]), np.uint8)


def drop(image: Image, x: float, y: float, radius: float) -> Image:
    """A drop on the lens at a place 0..1, its radius in widths of the picture: out of focus inside, a soft rim."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    away = np.hypot(columns - x * width, rows - y * height) / (radius * width)
    inside = np.clip((1.1 - away) / 0.3, 0, 1)[..., None]
    return _bytes(image * (1 - inside) + blurred(image, 0.016) * inside)


def steamed(image: Image, clear: float) -> Image:
    """Condensation: a grey veil that lets ``clear`` 0..1 through, and a slight blur."""
    return _bytes(blurred(image, 0.002) * np.float32(clear) + 190 * (1 - clear))


def fogged(image: Image, depth_m: Floats, visibility_m: float, airlight: float = 0.5) -> Image:
    """Fog of a meteorological optical range; ``airlight`` in linear light, 0..1."""
    kept = np.exp(depth_m * (math.log(0.05) / visibility_m))[..., None]
    light = _LINEAR[image] * kept + airlight * (1 - kept)
    return _bytes(255 * light ** (1 / GAMMA))


def exposed(image: Image, gain: float, gamma: float = 1.0) -> Image:
    """Another exposure."""
    table = np.clip(255 * gain * (np.arange(256) / 255.0) ** gamma, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def shaded(image: Image, seed: int) -> Image:
    """Sun and cloud: light that differs by a third from one quarter of the picture to the next."""
    return _bytes(image * _clouds(image.shape[0], image.shape[1], seed))


def turned(image: Image, right: float = 0.0, down: float = 0.0, degrees: float = 0.0) -> Image:
    """The camera turned: the picture shifted by shares of its width and turned anticlockwise; mirrored at its edges."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += (right * width, down * width)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def rain(image: Image, seed: int) -> Image:
    """Streaks of rain under a duller light."""
    random = np.random.default_rng(seed)
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.uint8)
    for x, y in zip(random.integers(0, width, 300).tolist(), random.integers(0, height, 300).tolist(), strict=True):
        cv2.line(streaks, (x, y), (x - width // 160, y + height // 15), 80, 1)
    return np.asarray(cv2.add(exposed(image, 0.8), cv2.merge([streaks] * 3)), np.uint8)


def lorry(image: Image, seed: int, share: float = 0.75) -> Image:
    """A lorry right before the camera: a flank with a frame, ribs and a cab window over ``share`` of the width."""
    random = np.random.default_rng(seed)
    result = image.copy()
    height, width = image.shape[:2]
    left = int(random.uniform(0, 1 - share) * width)
    right, top, bottom = left + int(share * width), int(0.05 * height), int(0.95 * height)
    colour = tuple(random.integers(60, 220, 3).tolist())
    cv2.rectangle(result, (left, top), (right, bottom), colour, -1)
    cv2.rectangle(result, (left, top), (right, bottom), (40, 40, 40), 3)
    for rib in range(left, right, max(8, width // 20)):
        cv2.line(result, (rib, top), (rib, bottom), tuple(0.8 * np.array(colour)), 2)
    cv2.rectangle(result, (left + 10, top + 20), (left + width // 6, top + height // 4), (25, 25, 30), -1)
    return result


def headlights(image: Image, x: float, y: float, size: float) -> Image:
    """Two lights at a place 0..1, ``size`` apart in widths of the picture, with their glare."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    glare = np.zeros((height, width), np.float32)
    for side in (-0.5, 0.5):
        away = ((columns - (x + side * size) * width) ** 2 + (rows - y * height) ** 2) / (size * width / 2) ** 2
        glare += 230 / (0.01 + away)
    return _bytes(image + np.minimum(glare, 4000)[..., None])


def lamp_lit(image: Image, x: float, y: float, radius: float, light: float) -> Image:
    """Night but for a lamp: ``light`` 0..1 of the day around a place, nearly nothing elsewhere."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    away = np.hypot(columns - x * width, rows - y * height) / (radius * width)
    return _bytes(image * (0.06 + light / (1 + away**4))[..., None])


@functools.lru_cache(maxsize=2)
def _clouds(height: int, width: int, seed: int) -> Floats:
    light = np.exp(np.random.default_rng(seed).normal(0, 0.35, (4, 5))).astype(np.float32)
    return np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)[..., None]


def _bytes(values: npt.NDArray[Any]) -> Image:
    return np.asarray(np.clip(values, 0, 255), np.uint8)
