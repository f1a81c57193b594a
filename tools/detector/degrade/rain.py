"""Rain: streaks of drops that fall through the exposure, the veil of those too far to see, and drops on the glass.

- How many and how large: Marshall and Palmer (1948), N(D) = 8000 exp(−4.1 R^−0.21 D) per m³ and mm.
- How fast: Atlas, Srivastava and Sekhon (1973), v = 9.65 − 10.3 exp(−0.6 D) m/s.
- How bright: a drop sends on light from nearly all of the scene above it (Garg and Nayar 2007), and covers a pixel
  for D / v of the exposure; so a streak is a faint share of sky light laid over what is behind.
- The veil: 1.076 R^0.67 dB/km (Carbonneau and Wisely 1998), and spray raised by wheels as so many times that.
- Drops on the glass show the scene upside down and out of focus.

Not modelled: splashes, puddles and their reflections, wipers, wind that turns during an exposure.
"""

import math

import cv2
import numpy as np

from models.boxes import Floats
from tools.detector.degrade.optics import View, grainy

DOWNPOUR_MM_H = 80.0
"""Rain rate at strength 1: a cloudburst of a summer storm. At strength s it is s times that."""

EXPOSURE_S = 1 / 250
"""Under a rain sky by day; it sets the length of a streak (2.6 cm) and how faint it is."""

DEEPEST_M = 4.0
"""Streaks beyond it are thinner than a fifth of a pixel and belong to the veil."""

NEAREST_M = 0.3
SMALLEST_MM = 1.0
"""Smaller drops fall slowly and leave no streak that a camera of this kind resolves."""

SPRAY = 3.0
"""Extinction near a wet road with traffic, times that of the rain alone: a guess, 280 m of visibility at strength 1."""

SKY = np.array([0.75, 0.72, 0.70], np.float32)
"""Light of an overcast sky, linear BGR, that drops and veil send on."""

DARKER = 0.35
"""Share of the scene's light that a storm cloud takes at strength 1."""

LENS_DROPS = 14
"""Drops on the glass at strength 1, for want of a wiper."""


def slope_per_mm(rate_mm_h: float) -> float:
    """Marshall and Palmer's Λ, 1/mm."""
    return 4.1 * float(rate_mm_h**-0.21)


def fall_mps(diameter_mm: Floats) -> Floats:
    """Terminal speed of a drop, m/s."""
    return np.asarray(9.65 - 10.3 * np.exp(-0.6 * diameter_mm), np.float32)


def extinction_per_m(rate_mm_h: float) -> float:
    """Of rain and the spray it makes, 1/m."""
    decibel_per_km = 1.076 * float(rate_mm_h**0.67)
    return SPRAY * decibel_per_km / (10 * math.log10(math.e)) / 1000


def apply(
    light: Floats,
    strength: float,
    view: View,
    _vehicles: Floats,
    still: np.random.Generator,
    moving: np.random.Generator,
) -> Floats:
    """H×W×3 linear light in rain of DOWNPOUR_MM_H · strength."""
    if strength <= 0:
        return light
    rate = DOWNPOUR_MM_H * strength
    through = np.exp(-extinction_per_m(rate) * view.depth_m())[:, None, None]
    dim = np.float32(1 - DARKER * strength)
    wet = light * dim * through + SKY * dim * (1 - through)
    covered = _streaks(rate, view, still, moving)[..., None]
    wet = wet * (1 - covered) + SKY * dim * covered
    return grainy(_through_lens_drops(np.asarray(wet, np.float32), round(LENS_DROPS * strength), still), moving)


def _streaks(rate_mm_h: float, view: View, still: np.random.Generator, moving: np.random.Generator) -> Floats:
    """Share of the exposure during which a drop covers each pixel, H×W."""
    across, down = view.width_px / view.focal_px, view.height_px / view.focal_px
    volume_m3 = (DEEPEST_M**3 - NEAREST_M**3) / 3 * across * down
    slope = slope_per_mm(rate_mm_h)
    count = int(volume_m3 * 8000 / slope * np.exp(-slope * SMALLEST_MM))
    wind = float(still.normal(0, 0.15))
    # Evenly in the frustum: the chance of a depth grows with its square.
    depth_m = (moving.uniform(NEAREST_M**3, DEEPEST_M**3, count) ** (1 / 3)).astype(np.float32)
    size_mm = (SMALLEST_MM + moving.exponential(1 / slope, count)).astype(np.float32)
    speed = fall_mps(size_mm)
    length_px = view.focal_px * speed * np.float32(EXPOSURE_S) / depth_m
    width_px = view.focal_px * size_mm / 1000 / depth_m
    share = np.minimum(width_px, 1) * (size_mm / 1000 / speed) / np.float32(EXPOSURE_S)
    x = moving.uniform(0, view.width_px, count)
    y = moving.uniform(-0.1 * view.height_px, view.height_px, count)
    layer = np.zeros((view.height_px, view.width_px), np.float32)
    ends = np.round(np.stack([x, y, x + wind * length_px, y + length_px], axis=1) * 16).astype(int)
    for (x0, y0, x1, y1), amount, width in zip(ends.tolist(), share.tolist(), width_px.tolist(), strict=True):
        cv2.line(layer, (x0, y0), (x1, y1), amount, max(1, round(width)), cv2.LINE_8, shift=4)
    return layer


def _through_lens_drops(light: Floats, count: int, still: np.random.Generator) -> Floats:
    """Drops of 1.5–6 % of the width: a fish-eye of the scene upside down, blurred, soft at its rim."""
    height, width = light.shape[:2]
    sizes = still.uniform(0.015, 0.06, LENS_DROPS) * width
    places = still.uniform(0, 1, (LENS_DROPS, 2)) * (width, height)
    # A drop shows nearly the whole half-space: the picture seen through it is small, and out of the lens's focus.
    small = cv2.GaussianBlur(cv2.resize(light, (32, 32), interpolation=cv2.INTER_AREA), (0, 0), 1.0)[::-1, ::-1]
    out = light.copy()
    for radius, (x, y) in zip(sizes[:count].tolist(), places[:count].tolist(), strict=True):
        x0, y0 = max(0, int(x - radius)), max(0, int(y - radius))
        x1, y1 = min(width, int(x + radius) + 1), min(height, int(y + radius) + 1)
        if x0 >= x1 or y0 >= y1:
            continue
        rows, columns = np.mgrid[y0:y1, x0:x1]
        u, v = (columns - x) / radius, (rows - y) / radius
        inside = np.clip(4 * (1 - np.hypot(u, v)), 0, 1).astype(np.float32)[..., None]
        seen = cv2.remap(
            small, (15.5 + 15.5 * u).astype(np.float32), (15.5 + 15.5 * v).astype(np.float32), cv2.INTER_LINEAR
        )
        out[y0:y1, x0:x1] = out[y0:y1, x0:x1] * (1 - inside) + seen * inside
    return out
