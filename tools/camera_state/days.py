"""Hours in which nothing is wrong with a camera, made of a clip: sun and cloud, rain, dusk, night, dawn, traffic.

Eight hours of a turn: four of day under drifting exposure and passing clouds, one of them rain; one of dusk, two of
night with a street lamp, passing headlights and the node's own flashing lamp, one of dawn. By day a lorry stands before
the camera for 25 s now and then. Not modelled: shadows that turn with the sun, snow, leaves that fall.
"""

import math

import numpy as np

from tools.camera_state import degraded
from tools.camera_state.degraded import Image, Noise

HOURS = 8.0
_HOUR_S = 3600.0
RAIN, DUSK = 2.0, 4.0
"""The hours at which each begins; both last one, and night ends with an hour of dawn."""

_LORRY_EVERY_S, _LORRY_S = 900.0, 25.0
_CAR_EVERY_S, _CAR_S = 40.0, 8.0
_CLOUD_S = 600.0
DARKEST = 0.05


class Day:
    """What the hours do to a picture of one size; the same seed gives the same day."""

    def __init__(self, height: int, width: int, seed: int = 0) -> None:
        self._noise = Noise(height, width, seed)
        self._seed = seed
        lamp = np.full((height, width, 3), 255, np.uint8)
        self._lamp = degraded.lamp_lit(lamp, 0.65, 0.55, 0.25, 0.45).astype(np.float32) / 255
        self._near = degraded.lamp_lit(lamp, 0.3, 0.9, 0.2, 0.2).astype(np.float32) / 255
        self._random = np.random.default_rng(seed)

    def __call__(self, image: Image, t_s: float) -> Image:
        """The picture as it is ``t_s`` after the morning began."""
        hour = t_s / _HOUR_S % HOURS
        light = self._light(hour)
        if light < 1.0:
            return self._noise.add(self._by_night(image, t_s, light), 2.0 + 4.0 * (1 - light))
        if t_s % _LORRY_EVERY_S < _LORRY_S:
            image = degraded.lorry(image, int(t_s // _LORRY_EVERY_S) + self._seed)
        turn = 2 * math.pi * t_s / _HOUR_S
        image = degraded.exposed(image, 1.0 + 0.25 * math.sin(3 * turn), 1.0 + 0.2 * math.sin(1.7 * turn))
        if RAIN <= hour < RAIN + 1:
            return self._noise.add(degraded.rain(image, int(self._random.integers(1 << 30))), 1.5)
        return self._noise.add(degraded.shaded(image, int(t_s // _CLOUD_S) + self._seed), 1.5)

    def _light(self, hour: float) -> float:
        """Of the day's, 1 to ``DARKEST``."""
        if hour < DUSK:
            return 1.0
        share = min(1.0, hour - DUSK, HOURS - hour)
        return float(DARKEST**share)

    def _by_night(self, image: Image, t_s: float, light: float) -> Image:
        lit = np.maximum(light, self._lamp * (1 - light))
        if self._random.random() < 0.5 and t_s % _CAR_EVERY_S < _CAR_S:
            lit = lit + self._near  # the node's own lamp flashes once a second; a look meets it lit or dark
        dark = np.clip(image * lit, 0, 255).astype(np.uint8)
        passed = t_s % _CAR_EVERY_S / _CAR_S
        if passed < 1.0:
            return degraded.headlights(dark, 0.35 + 0.25 * passed, 0.35 + 0.3 * passed, 0.004 + 0.012 * passed)
        return dark
