"""A camera that shows nothing useful is noticed after three seconds; one that shows a quiet lane is not."""

import numpy as np
import numpy.typing as npt
import pytest

from device.vision.picture_health import EVERY_S, LASTING_S, Fault, PictureHealth, describe, reduce
from hal.camera.sim import SimCamera, SimOptions
from hal.clock import NS_PER_S, VirtualClock

Picture = npt.NDArray[np.uint8]


def lane(number: int, *, noise: int = 3) -> Picture:
    """A still lane with a sensor's noise."""
    image = np.full((360, 640, 3), 90, np.uint8)
    image[100:200, 50:300] = 160
    if noise:
        image += np.random.default_rng(number).integers(0, noise, image.shape, np.uint8)
    return image


def watch(health: PictureHealth, pictures: "list[Picture]", start_s: float, fps: float = 10) -> list[Fault | None]:
    return [health.observe(image, round((start_s + index / fps) * NS_PER_S)) for index, image in enumerate(pictures)]


def test_a_still_lane_with_noise_is_healthy() -> None:
    assert set(watch(PictureHealth(), [lane(n) for n in range(80)], 0)) == {None}


def test_the_same_picture_again_and_again_is_frozen_after_three_seconds() -> None:
    told = watch(PictureHealth(), [lane(1)] * 60, 0)
    first = told.index(Fault.FROZEN)
    assert LASTING_S * 10 <= first <= (LASTING_S + EVERY_S) * 10 + 1


def test_a_camera_that_thaws_is_trusted_again_only_after_a_while() -> None:
    health = PictureHealth()
    watch(health, [lane(1)] * 60, 0)
    told = watch(health, [lane(n) for n in range(100)], 6)
    assert told[0] is Fault.FROZEN
    assert told[-1] is None
    assert told.index(None) >= LASTING_S * 10 - 5


@pytest.mark.parametrize(
    ("shows", "fault"),
    [("black", Fault.BLACK), ("bright", Fault.OVEREXPOSED), ("grey", Fault.LOW_CONTRAST), ("frozen", Fault.FROZEN)],
)
def test_what_a_drawn_camera_shows_is_told(shows: str, fault: Fault) -> None:
    clock = VirtualClock()
    camera = SimCamera("c_branch", SimOptions(shows=shows), clock)
    health = PictureHealth()
    told = []
    while clock.monotonic_ns() < 5 * NS_PER_S:
        frame = camera.read(1.0)
        if frame is not None:
            told.append(health.observe(frame.image, frame.captured_ns))
    assert told[20] is None
    assert told[-1] is fault
    assert describe(fault).startswith(f"{fault.value}: ")


def test_one_dazzling_second_is_no_fault() -> None:
    white = np.full((360, 640, 3), 255, np.uint8)
    pictures = [lane(n) for n in range(20)] + [white] * 10 + [lane(n) for n in range(20, 40)]
    assert set(watch(PictureHealth(), pictures, 0)) == {None}


def test_a_dark_lane_with_one_lamp_is_not_black() -> None:
    night = [lane(n, noise=0) // 12 for n in range(50)]
    for number, image in enumerate(night):
        image += np.random.default_rng(number).integers(0, 3, image.shape, np.uint8)
        image[60:120, 300:360] = 200
    assert set(watch(PictureHealth(), night, 0)) == {None}


@pytest.mark.parametrize("size", [(120, 160), (180, 320), (352, 640), (720, 1280), (1080, 1920)])
def test_a_picture_is_judged_on_at_most_320_by_180(size: tuple[int, int]) -> None:
    reduced = reduce(np.zeros((*size, 3), np.uint8))
    assert reduced.shape[0] <= 180
    assert reduced.shape[1] <= 320
    assert reduced.size >= 10_000
