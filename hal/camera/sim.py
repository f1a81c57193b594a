"""A drawn camera: a grey road with boxes that move across it, at a steady rate, with sensor noise.

Does not model: anything a detector would recognise (the boxes are not people or cars: use a video file for that),
lens, exposure, motion blur, compression, delay between light and picture, or a camera that fails to open. ``shows``
makes the pictures that ``device.vision.picture_health`` must notice.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from hal.clock import NS_PER_S, Clock
from hal.errors import DeviceLostError
from hal.interfaces import CameraFrame
from hal.options import option
from hal.registry import Driver

_NOISE_FRAMES = 4
_LIGHT = {"road": (80, 12), "frozen": (80, 12), "black": (0, 12), "bright": (252, 4), "grey": (120, 6)}
"""Grey level of the ground and spread of the noise above it, per ``shows``."""
_WITH_BOXES = ("road", "frozen")
_CROSSING_S = 6.0
"""A box crosses the picture in this time."""


@dataclasses.dataclass(frozen=True, slots=True)
class SimOptions:
    """What a site file may say of a ``sim`` camera."""

    width: int = option("宽度(像素)", "width in pixels", default=640, ge=64, le=1920)
    height: int = option("高度(像素)", "height in pixels", default=360, ge=64, le=1080)
    fps: float = option("帧率", "pictures a second", default=10.0, ge=0.5, le=60)
    boxes: int = option("移动方块数", "moving boxes", default=2, ge=0, le=16)
    shows: str = option(
        "画面:正常、全黑、过曝、无对比、定格",
        "picture: normal, black, overexposed, without contrast, frozen",
        default="road",
        choices=("road", "black", "bright", "grey", "frozen"),
    )


class SimCamera:
    """See the module."""

    def __init__(self, camera: str, options: SimOptions, clock: Clock) -> None:
        self._camera = camera
        self._options = options
        self._clock = clock
        self._period_ns = round(NS_PER_S / options.fps)
        self._started_ns = clock.monotonic_ns()
        self._last = -1
        self._sequence = 0
        self._closed = False
        self._image = np.empty((options.height, options.width, 3), np.uint8)
        self._grounds = self._draw_grounds()

    def read(self, timeout_s: float) -> CameraFrame | None:
        """The newest picture that is due and was not returned yet, or None after ``timeout_s``."""
        if self._closed:
            raise DeviceLostError(f"camera {self._camera} (sim): read after close")
        now_ns = self._clock.monotonic_ns()
        index = (now_ns - self._started_ns) // self._period_ns
        if index <= self._last:
            wait_ns = self._started_ns + (self._last + 1) * self._period_ns - now_ns
            self._clock.sleep_s(min(timeout_s, wait_ns / NS_PER_S))
            index = (self._clock.monotonic_ns() - self._started_ns) // self._period_ns
            if index <= self._last:
                return None
        self._last = index
        self._sequence += 1
        captured_ns = self._started_ns + index * self._period_ns
        self._draw(0 if self._options.shows == "frozen" else index)
        return CameraFrame(self._camera, captured_ns, self._image, self._sequence)

    def close(self) -> None:
        """Nothing to release."""
        self._closed = True

    def problem(self) -> str | None:
        """Never a problem of its own."""
        return None

    def _draw_grounds(self) -> list[npt.NDArray[np.uint8]]:
        """The scene without boxes, once with each noise."""
        options = self._options
        level, spread = _LIGHT[options.shows]
        ground = np.full(self._image.shape, level, np.uint8)
        if options.shows in _WITH_BOXES:
            ground[: options.height // 3] = 180
            ground[options.height // 3 :: 24, options.width // 2 - 4 : options.width // 2 + 4] = 220
        random = np.random.default_rng(0)
        return [ground + random.integers(0, spread, ground.shape, np.uint8) for _ in range(_NOISE_FRAMES)]

    def _draw(self, index: int) -> None:
        options = self._options
        self._image[:] = self._grounds[index % _NOISE_FRAMES]
        if options.shows not in _WITH_BOXES:
            return
        size = options.height // 6
        for box in range(options.boxes):
            share = (index / options.fps / _CROSSING_S + box / options.boxes) % 1.0
            x = round(share * (options.width - size))
            y = options.height // 3 + (box * size) % (options.height * 2 // 3 - size)
            self._image[y : y + size, x : x + size] = (40, 60 + 20 * (box % 8), 200)


def open_camera(camera: str, options: SimOptions, clock: Clock) -> SimCamera:
    """A drawn camera; never fails."""
    return SimCamera(camera, options, clock)


DRIVER = Driver(options=SimOptions, open=open_camera)
