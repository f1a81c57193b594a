"""Night: what street lamps and headlights light, the glare they make in the lens, and a sensor that counts photons.

- The exposure grows as the light falls, but a camera that must not smear stops at 1/30 s; the rest is gain, which
  makes nothing brighter that was not caught: shot noise (Poisson) and read noise are amplified with it.
- Glare: veiling light falls with the square of the angle from the lamp (CIE 146:2002, disability glare).
- Lamps stand where the labelled vehicles are, as they would; every fifth vehicle stands unlit.

Not modelled: motion blur of the longer exposure, reflections on a wet road, infrared cameras.
"""

import numpy as np

from models.boxes import Floats
from tools.detector.degrade.optics import FULL_WELL, View

DARKEST = 0.005
"""Light at strength 1 as a share of daylight white: a village road with few lamps, 10 lx to a dull day's 2,000."""

SHUTTER = 10.0
"""How much longer than by day a shutter may stay open: 1/300 s to 1/30 s."""

MAX_EXPOSURE = 40.0
"""Shutter times gain (12 dB) at most: what cheap cameras allow before the picture is grain alone."""

READ_NOISE = 3.0
"""Electrons, of a present sensor."""

SKY_LEFT = 0.04
"""Of the light above the horizon so much is left relative to the road: the sky does not shine at night."""

SKYLINE = 0.25
"""Share of the height over which buildings and trees pass into sky."""

LAMP_TINT = np.array([0.62, 0.88, 1.12], np.float32)
"""Street lamps are warm (3000 K), BGR."""

LIT = 0.8
"""Share of vehicles with their lamps on."""

HEADLIGHT, TAIL_LIGHT = 1.0, 0.12
"""Light of a lamp that looks at the camera, 1 = as bright as daylight white before the night's exposure."""

LAMP_SIZE = 0.04
"""Radius of a lamp as a share of the vehicle's smaller side: 7 cm on a car of 1.7 m."""

CONE = 0.02
"""Light on the road in front of a headlight at its brightest, as a share of daylight white (20 lx and more)."""

ONCOMING = 0.3
"""Share of pictures into which somebody out of the labels shines from the far end of the road."""

ONCOMING_LIGHT = 12.0
"""High beams on the camera's axis, against a dipped lamp's HEADLIGHT."""

GLARE = 0.004
"""Veil at one degree from a lamp of light 1: dust on a window and a lens of plastic scatter a little over 1 %."""


def apply(
    light: Floats,
    strength: float,
    view: View,
    vehicles: Floats,
    still: np.random.Generator,
    moving: np.random.Generator,
) -> Floats:
    """H×W×3 linear light as a sensor shows it when the light is DARKEST ** strength of the day's."""
    if strength <= 0:
        return light
    ambient = DARKEST**strength
    exposure = min(MAX_EXPOSURE, ambient**-0.75)
    shutter = min(SHUTTER, exposure)
    lit = light * _street(ambient, view)
    road, glare = _lamps(view, vehicles, still)
    # Headlights belong to the night: at dusk they are on, and drown in what is left of the day.
    lit += light * road * np.float32(CONE)
    lit += glare
    electrons = np.clip(lit, 0, None) * np.float32(shutter * FULL_WELL)
    # A full pixel holds no more, so nothing above it need be counted.
    caught = moving.poisson(np.minimum(electrons, 2 * FULL_WELL)) + _read_noise(light.shape, moving)
    return np.asarray(np.minimum(caught, FULL_WELL) * (exposure / shutter / FULL_WELL), np.float32)


def _read_noise(shape: tuple[int, ...], moving: np.random.Generator) -> Floats:
    return moving.standard_normal(shape, np.float32) * np.float32(READ_NOISE)


def _street(ambient: float, view: View) -> Floats:
    """What is left of daylight, H×1×3: warmer, and far less above the horizon."""
    night = np.float32(1 - ambient)
    above = np.clip((view.horizon_row - np.arange(view.height_px)) / (SKYLINE * view.height_px), 0, 1)
    sky = 1 - night * (1 - SKY_LEFT) * above
    return np.asarray(ambient * sky[:, None, None] * (1 + night * (LAMP_TINT - 1)), np.float32)


def _lamps(view: View, vehicles: Floats, still: np.random.Generator) -> tuple[Floats, Floats]:
    """Light on the road (H×W×1, 0..1 and more where beams cross) and light into the lens (H×W×3)."""
    rows = np.arange(view.height_px, dtype=np.float32)[:, None]
    columns = np.arange(view.width_px, dtype=np.float32)
    road = np.zeros((view.height_px, view.width_px), np.float32)
    white, red = np.zeros_like(road), np.zeros_like(road)
    degrees_per_px = np.float32(180 / np.pi / view.focal_px)

    def shine(layer: Floats, x: float, y: float, radius_px: float, amount: float) -> None:
        square = (columns - np.float32(x)) ** 2 + (rows - np.float32(y)) ** 2
        layer += np.where(square <= radius_px**2, np.float32(amount), 0)
        layer += np.float32(amount * GLARE) / (square * degrees_per_px**2 + np.float32(0.05))

    dazzled, x, y = still.random() < ONCOMING, still.uniform(0, view.width_px), still.uniform(0, view.height_px / 3)
    if dazzled:
        shine(white, x, view.horizon_row + y, max(1.5, 0.006 * view.width_px), ONCOMING_LIGHT)
    for x0, y0, x1, y1 in vehicles.tolist():
        on, facing = still.random() < LIT, still.random() < 0.5
        if not on:
            continue
        width, height = x1 - x0, y1 - y0
        radius = max(1.0, LAMP_SIZE * min(width, height))
        for share in (0.2, 0.8):
            layer, amount = (white, HEADLIGHT) if facing else (red, TAIL_LIGHT)
            shine(layer, x0 + share * width, y0 + 0.6 * height, radius, amount)
        if facing:
            across = (columns - np.float32((x0 + x1) / 2)) / np.float32(max(2.0, 0.6 * width))
            along = (rows - np.float32(y1 + 0.3 * height)) / np.float32(max(2.0, 0.8 * height))
            road += np.exp(-(across**2) - along**2)
    colour = white[..., None] + red[..., None] * np.array([0.05, 0.08, 1.0], np.float32)
    return road[..., None], np.asarray(colour, np.float32)
