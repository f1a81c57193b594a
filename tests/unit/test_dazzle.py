"""A beam in the lens by night: its pictures do not count, from the first one on, and for as long as it stays."""

import numpy as np
import numpy.typing as npt
import pytest

from device.vision.dazzle import HOLD_S, Dazzle
from hal.clock import NS_PER_S

Picture = npt.NDArray[np.uint8]


def road(*, light: int, beam: float = 0.0, sky: float = 0.0) -> Picture:
    """A road of an even light; a beam fills a share of the picture, and a bright sky another."""
    image = np.full((360, 640, 3), light, np.uint8)
    image[: round(360 * sky)] = 255
    image[360 - round(360 * beam) :] = 255
    return image


class Night:
    """Pictures ten times a second; twice a second what is usual is learned, as the slot does."""

    def __init__(self) -> None:
        self.dazzle = Dazzle()
        self.tick = 0

    def film(self, picture: Picture, seconds: float) -> list[bool]:
        told = []
        for _ in range(round(seconds * 10)):
            at_ns = self.tick * NS_PER_S // 10
            told.append(self.dazzle.look(picture, at_ns))
            if self.tick % 5 == 0:
                self.dazzle.usual(picture, int(np.median(picture)), at_ns)
            self.tick += 1
        return told


def test_the_first_picture_with_a_beam_in_the_lens_does_not_count() -> None:
    night = Night()
    assert not any(night.film(road(light=20), 60))
    assert all(night.film(road(light=20, beam=0.1), 3))


def test_it_counts_again_a_moment_after_the_beam_has_gone() -> None:
    night = Night()
    night.film(road(light=20), 60)
    night.film(road(light=20, beam=0.1), 3)
    told = night.film(road(light=20), HOLD_S + 1)
    assert told.index(False) == pytest.approx(HOLD_S * 10, abs=1)
    assert not any(told[told.index(False) :])


def test_a_car_that_stays_with_its_beam_in_the_lens_is_not_grown_used_to() -> None:
    night = Night()
    night.film(road(light=20), 60)
    assert all(night.film(road(light=20, beam=0.1), 600))


def test_by_day_nothing_dazzles() -> None:
    day = Night()
    day.film(road(light=110), 60)
    assert not any(day.film(road(light=110, beam=0.3), 10))


def test_a_sky_that_stays_bright_at_dusk_dazzles_nobody() -> None:
    dusk = Night()
    assert not any(dusk.film(road(light=90, sky=0.3), 60))
    for light in range(89, 20, -1):
        assert not any(dusk.film(road(light=light, sky=0.3), 5))


def test_street_lamps_that_were_always_there_leave_room_for_a_beam() -> None:
    night = Night()
    assert not any(night.film(road(light=20, sky=0.08), 60))
    assert all(night.film(road(light=20, sky=0.08, beam=0.08), 1))
