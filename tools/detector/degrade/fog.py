"""Fog by Koschmieder's law: I = J·t + A·(1 − t), t = exp(−3.912 d / V).

3.912 = −ln 0.02: V is the distance at which a black object keeps 2 % of its contrast (Koschmieder 1924, Middleton
1952). Density drifts in patches. Not modelled: glow around lamps, light from above through the fog, fog at night.
"""

import numpy as np

from models.boxes import Floats
from tools.detector.degrade.optics import View, grainy, patches

DENSEST_M = 100.0
"""Visibility at strength 1, DENSEST_M / s at strength s: dense fog in which a camera can still be asked for the cars
of the near half of its view; below that there is nothing in the picture to find."""

AIRLIGHT = np.array([0.66, 0.64, 0.62], np.float32)
"""Colour of fog by day in linear light (BGR): the horizon sky, a little under white."""

PATCHINESS = 0.2
"""Extinction drifts by this share either way over the picture."""

CONTRAST_LEFT = 0.02


def transmission(depth_m: Floats, visibility_m: float) -> Floats:
    """Share of light that comes through, 0..1: 0.02 at the visibility itself."""
    return np.asarray(CONTRAST_LEFT ** (depth_m / np.float32(visibility_m)), np.float32)


def apply(
    light: Floats,
    strength: float,
    view: View,
    _vehicles: Floats,
    still: np.random.Generator,
    moving: np.random.Generator,
) -> Floats:
    """H×W×3 linear light in fog of visibility DENSEST_M / strength."""
    if strength <= 0:
        return light
    drift = 1 + PATCHINESS * patches(light.shape[:2], 5, still)
    through = transmission(view.depth_m()[:, None] * drift * np.float32(strength), DENSEST_M)[..., None]
    return grainy(np.asarray(light * through + AIRLIGHT * (1 - through), np.float32), moving)
