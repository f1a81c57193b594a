"""How light a picture is: day, dusk or night, by the picture alone.

The rule: the median luma of the picture without its black bars; under 50 night, under 70 dusk, from 70 on day. A median
does not care for headlights, lamps or salt-and-pepper noise. It says how dark the *picture* is, not what the clock
said: a black bus that fills a picture at noon counts as dusk, and of the pole views of ``val`` none was taken at night;
those that this rule calls night were darkened by whoever exported the set.
"""

import enum

import cv2
import numpy as np

from models.boxes import Image
from tools.detector.borders import content

NIGHT_BELOW = 50
"""Median luma (0..255). The streets at night among the close views of ``val`` lie at 9–47, deep shade from 44 on."""

DUSK_BELOW = 70
"""Below it: twilight, deep shade, or an underexposed picture; the median of ``val`` is about 105."""


class Light(enum.StrEnum):
    """What the rule says."""

    DAY = "day"
    DUSK = "dusk"
    NIGHT = "night"


def light(image: Image) -> Light:
    """The rule, on an H×W×3 uint8 BGR picture."""
    luma = float(np.median(cv2.cvtColor(image[content(image)], cv2.COLOR_BGR2GRAY)))
    if luma < NIGHT_BELOW:
        return Light.NIGHT
    return Light.DUSK if luma < DUSK_BELOW else Light.DAY
