"""What vision makes of pictures it cannot use, of a change of size, of a beam in the lens; the other films on."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from device.vision.dazzle import HOLD_S
from device.vision.loop import VisionLoop
from device.vision.slot import CameraSlot
from hal.camera.sim import SimCamera, SimOptions
from hal.clock import NS_PER_S, VirtualClock
from hal.interfaces import CameraFrame
from tests.unit.test_vision_loop import WHOLE, FakeDetector, of_kind

STREET = np.random.default_rng(0).integers(20, 40, (180, 320, 3), np.uint8)


@pytest.fixture(autouse=True)
def _no_real_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VisionLoop, "_wait", lambda _loop, _now_ns: None)  # the clock here is virtual


@dataclasses.dataclass
class Filmed:
    """A camera that shows what it is told to, ten times a second, with a little noise."""

    clock: VirtualClock
    shows: Any = None
    number: int = 0

    def __post_init__(self) -> None:
        self.shows = STREET
        self.next_ns = 0

    def read(self, timeout_s: float) -> CameraFrame | None:
        now_ns = self.clock.monotonic_ns()
        if now_ns < self.next_ns:
            return None
        self.next_ns = now_ns + NS_PER_S // 10
        self.number += 1
        image = self.shows
        if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size:
            image = image.copy()
            image[self.number % image.shape[0], :: 7 + self.number % 5] ^= 1
        return CameraFrame("c_a", now_ns, image, self.number)

    def close(self) -> None:
        pass


class Pair:
    """The camera, another one that is well, and the loop over both."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.said: list[dict[str, Any]] = []
        self.camera = Filmed(self.clock)
        well = SimCamera("c_well", SimOptions(), self.clock)
        slots = [
            CameraSlot("c_a", WHOLE, self.clock, max_fps=10, camera=self.camera),
            CameraSlot("c_well", WHOLE, self.clock, max_fps=10, camera=well),
        ]
        self.loop = VisionLoop(slots, FakeDetector(), self.said.append, self.clock)

    def run(self, seconds: float, shows: Any = None) -> list[dict[str, Any]]:
        if shows is not None:
            self.camera.shows = shows
        before = len(self.said)
        end_ns = self.clock.monotonic_ns() + round(seconds * NS_PER_S)
        while self.clock.monotonic_ns() < end_ns:
            if not self.loop.step():
                self.clock.sleep_s(0.005)
        return self.said[before:]


@pytest.mark.parametrize(
    ("shows", "named"),
    [
        (STREET[:, :, 1], "uint8 (180, 320)"),
        (STREET.astype(np.float32), "float32 (180, 320, 3)"),
        (np.zeros((0, 0, 3), np.uint8), "empty"),
        ("no picture", "str"),
    ],
    ids=["grey", "float", "empty", "text"],
)
def test_a_driver_that_hands_over_something_else_is_named_and_the_other_camera_films_on(shows: Any, named: str) -> None:
    pair = Pair()
    pair.run(1)
    said = pair.run(1, shows)
    assert not of_kind(said, "observation", "c_a")
    assert len(of_kind(said, "observation", "c_well")) >= 9
    told = of_kind(said, "camera", "c_a")
    assert told[0]["problem"].startswith("unusable: "), "at once"
    assert named in told[0]["problem"]
    assert told[-1]["unusable"] >= 1
    said = pair.run(3, STREET)
    assert of_kind(said, "observation", "c_a")
    assert of_kind(said, "camera", "c_a")[-1]["problem"] is None


def test_a_change_of_size_is_counted_and_the_camera_goes_on() -> None:
    pair = Pair()
    pair.run(1)
    said = pair.run(2, np.ascontiguousarray(STREET[:, :280]))
    assert of_kind(said, "observation", "c_a")[-1]["size"] == [280, 180]
    told = of_kind(said, "camera", "c_a")[-1]
    assert (told["problem"], told["resized"]) == (None, 1)


def test_a_beam_in_the_lens_takes_the_cameras_vote_with_its_first_picture() -> None:
    pair = Pair()
    pair.run(2)
    beam: npt.NDArray[np.uint8] = STREET.copy()
    beam[100:140] = 255
    said = pair.run(1.05, beam)
    assert not of_kind(said, "observation", "c_a")
    assert len(of_kind(said, "observation", "c_well")) >= 9
    told = of_kind(said, "camera", "c_a")
    assert told[0]["problem"].startswith("dazzled: "), "at once"
    said = pair.run(HOLD_S + 1, STREET)
    assert of_kind(said, "observation", "c_a")
    last = of_kind(said, "camera", "c_a")[-1]
    assert last["problem"] is None, "and no word of being slow: its pictures went through the detector all the time"
    assert last["dazzled"] >= 10
