"""How light a picture is, by the picture alone."""

import cv2
import numpy as np
import pytest

from tools.detector.borders import content
from tools.detector.light import Light, light


def grey(level: int, height: int = 60, width: int = 100) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


@pytest.mark.parametrize(
    ("level", "expected"),
    [(40, Light.NIGHT), (49, Light.NIGHT), (50, Light.DUSK), (69, Light.DUSK), (70, Light.DAY), (200, Light.DAY)],
)
def test_the_rule(level: int, expected: Light) -> None:
    assert light(grey(level)) is expected


def test_headlights_do_not_make_a_night_light() -> None:
    street = grey(30)
    street[20:40, :30] = 255
    assert light(street) is Light.NIGHT


def test_the_exporters_bars_do_not_make_a_day_dark() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[30:60] = 150
    assert content(picture) == (slice(30, 60), slice(0, 100))
    assert light(picture) is Light.DAY
    upright = cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE)
    assert content(upright) == (slice(0, 100), slice(40, 70))
    assert light(upright) is Light.DAY


def test_a_black_picture_is_night() -> None:
    assert content(grey(0)) == (slice(0, 60), slice(0, 100))
    assert light(grey(0)) is Light.NIGHT
