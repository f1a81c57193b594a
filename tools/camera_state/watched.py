"""A camera slot that is fed pictures at given times, with nothing of it replaced but the camera itself."""

from collections.abc import Callable, Iterator

import numpy as np

from device.vision.slot import CameraSlot
from device.vision.view import View
from device.vision.view_health import LOOK_S, ViewHealth
from hal.clock import NS_PER_S, VirtualClock
from hal.interfaces import CameraFrame
from tools.camera_state.degraded import Image
from tools.camera_state.scenes import Scene

LEARNING_S = 700.0
"""More than the eleven minutes that a view takes to be learned."""

Degrade = Callable[[Image, float], Image]
"""Picture and seconds -> picture."""


def untouched(image: Image, _t_s: float) -> Image:
    """Nothing wrong."""
    return image


class _Fed:
    """A camera whose pictures come by another way."""

    def read(self, timeout_s: float) -> CameraFrame | None:
        """Never has one."""

    def close(self) -> None:
        """Nothing to release."""


class Watched:
    """One scene through a slot; ``view`` is what it learned before. Time goes on with every picture."""

    def __init__(self, scene: Scene, view: View | None = None) -> None:
        self.scene = scene
        self.learned: list[View | None] = []
        self.view = ViewHealth("c_branch", scene.areas, scene.planes, view=view, keep=self.learned.append)
        self.slot = CameraSlot(
            "c_branch", scene.areas, VirtualClock(), max_fps=10, planes=scene.planes, view=self.view, camera=_Fed()
        )
        self.t_s = 0.0
        self._random = np.random.default_rng(0)

    def learn(self, degrade: Degrade = untouched) -> View:
        """Films until the view is learned; returns it."""
        for _problem in self.film(LEARNING_S, degrade):
            if self.learned and self.learned[-1] is not None:
                return self.learned[-1]
        raise AssertionError(f"{self.scene.name}: nothing was learned in {LEARNING_S:.0f} s: {self.view.report()}")

    def film(self, seconds: float, degrade: Degrade = untouched) -> Iterator[str | None]:
        """Films on; what is told after each picture."""
        end_s = self.t_s + seconds
        while self.t_s < end_s:
            yield self.show(degrade(self.scene.at(self.t_s), self.t_s))

    def show(self, image: Image) -> str | None:
        """Shows one picture; what is told then. A look apart, and a little more or less: cameras have no clockwork."""
        frame = CameraFrame("c_branch", round(self.t_s * NS_PER_S), image, 1)
        self.slot.dazzled(frame)
        self.slot.look(frame)
        self.t_s += LOOK_S + float(self._random.uniform(0, 0.1))
        return self.slot.problem()

    def until_told(self, word: str, within_s: float, degrade: Degrade = untouched) -> float | None:
        """Seconds until a problem that begins with the word is told; None when it is not within that time."""
        began_s = self.t_s
        for problem in self.film(within_s, degrade):
            if problem is not None and problem.startswith(word):
                return self.t_s - began_s
        return None
