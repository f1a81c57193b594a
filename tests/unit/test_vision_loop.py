"""The vision loop on a virtual clock: whose turn it is, what is told, and what one sick camera may cost."""

import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from configs.schema import Zones
from device.vision.loop import VisionLoop
from device.vision.slot import RETRY_S, CameraSlot
from device.zones import areas_of
from hal.camera.sim import SimCamera, SimOptions
from hal.clock import NS_PER_S, SYSTEM_CLOCK, VirtualClock
from hal.errors import DeviceLostError, DeviceOpenError
from hal.interfaces import Camera, CameraFrame
from models.detector import Detection
from models.errors import ModelOutputError

WHOLE = areas_of({"branch_south": Zones(wait=[(0, 0), (1, 0), (1, 1), (0, 1)])})
WALKER = Detection("person", 0.9, 10, 10, 30, 80)


class FakeDetector:
    """Sees the same every time, takes a given time for it, and can be told to fail."""

    classes = ("person", "car")
    threshold = 0.3

    def __init__(self, clock: VirtualClock | None = None, takes_s: float = 0.0) -> None:
        self.sees: list[Detection] = [WALKER]
        self.failure: ModelOutputError | None = None
        self._clock, self._takes_s = clock, takes_s

    def detect(self, image: "npt.NDArray[np.uint8]", threshold: float | None = None) -> list[Detection]:
        if self._clock is not None:
            self._clock.sleep_s(self._takes_s)
        if self.failure is not None:
            raise self.failure
        return self.sees


@dataclasses.dataclass
class Bench:
    """A loop over drawn cameras whose clock moves 5 ms with every idle step."""

    clock: VirtualClock
    detector: FakeDetector | None
    cameras: dict[str, SimOptions]
    max_fps: float = 10.0
    problem: str | None = None

    def __post_init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.slots = {
            name: CameraSlot(name, WHOLE, self.clock, max_fps=self.max_fps, camera=SimCamera(name, options, self.clock))
            for name, options in self.cameras.items()
        }
        self.loop = VisionLoop(
            list(self.slots.values()), self.detector, self.said.append, self.clock, problem=self.problem
        )

    def run(self, duration_s: float) -> list[dict[str, Any]]:
        before = len(self.said)
        end_ns = self.clock.monotonic_ns() + round(duration_s * NS_PER_S)
        while self.clock.monotonic_ns() < end_ns:
            if not self.loop.step():
                self.clock.sleep_s(0.005)
        return self.said[before:]


def of_kind(said: list[dict[str, Any]], kind: str, camera: str | None = None) -> list[dict[str, Any]]:
    return [one for one in said if one["kind"] == kind and camera in (None, one.get("camera"))]


@pytest.fixture(autouse=True)
def _no_real_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VisionLoop, "_wait", lambda _loop, _now_ns: None)  # the clock here is virtual


def test_every_picture_becomes_one_observation_with_its_time_of_capture() -> None:
    clock = VirtualClock()
    said = Bench(clock, FakeDetector(), {"c_a": SimOptions(fps=5)}).run(2)
    seen = of_kind(said, "observation")
    assert [one["captured_ns"] for one in seen] == [n * NS_PER_S // 5 for n in range(10)]
    assert seen[0] == {
        "kind": "observation",
        "camera": "c_a",
        "captured_ns": 0,
        "sequence": 1,
        "size": [640, 360],
        "zones": {"branch_south": {"wait": {"person": 1}}},
        "counts": {"person": 1},
        "boxes": [["person", 0.9, 10, 10, 30, 80]],
    }


def test_an_empty_road_is_an_observation_too() -> None:
    bench = Bench(VirtualClock(), FakeDetector(), {"c_a": SimOptions()})
    assert bench.detector is not None
    bench.detector.sees = []
    seen = of_kind(bench.run(1), "observation")
    assert len(seen) == 10
    assert all(one["zones"] == {} and one["boxes"] == [] for one in seen)


def test_two_cameras_take_turns_when_the_detector_is_too_slow_for_both() -> None:
    clock = VirtualClock()
    said = Bench(clock, FakeDetector(clock, 0.09), {"c_a": SimOptions(), "c_b": SimOptions()}).run(10)
    turns = [one["camera"] for one in of_kind(said, "observation")]
    assert abs(turns.count("c_a") - turns.count("c_b")) <= 1
    assert len(turns) > 100
    # the newest picture: never older than one period and one turn of the other camera
    assert max(one["latency_max_ms"] for one in of_kind(said, "vision") if one["frames"]) < 300


def test_the_sites_cap_on_the_rate_holds() -> None:
    said = Bench(VirtualClock(), FakeDetector(), {"c_a": SimOptions(fps=30)}, max_fps=10).run(5)
    assert 48 <= len(of_kind(said, "observation")) <= 52
    last = of_kind(said, "camera")[-1]
    assert last["fps"] == pytest.approx(10, abs=0.6)
    assert len(of_kind(said, "observation")) - 11 <= last["pictures"] <= len(of_kind(said, "observation"))


def test_what_is_not_believed_is_no_observation_and_who_passed_is_counted() -> None:
    """A walker crosses the picture for two seconds, half of the time a faint box."""
    detector = FakeDetector()
    bench = Bench(VirtualClock(), detector, {"c_a": SimOptions(fps=10)})
    for step in range(20):
        score = 0.8 if step < 5 or step % 2 else 0.15
        detector.sees = [Detection("person", score, 20.0 * step, 100, 20.0 * step + 40, 200)]
        bench.run(0.1)
    detector.sees = []
    said = bench.run(3)
    shown = [one for one in of_kind(bench.said, "observation") if one["boxes"]]
    assert {box[1] for one in shown for box in one["boxes"]} == {0.8}
    assert of_kind(said, "camera")[-1]["passed"] == {"person": 1}


@pytest.mark.parametrize("shows", ["black", "bright", "grey", "frozen"])
def test_a_blind_camera_is_told_within_four_seconds_and_the_other_is_not_blamed(shows: str) -> None:
    bench = Bench(VirtualClock(), FakeDetector(), {"c_blind": SimOptions(shows=shows), "c_well": SimOptions()})
    assert all(one["problem"] is None for one in of_kind(bench.run(2), "camera"))
    said = bench.run(2)
    assert of_kind(said, "camera", "c_blind")[-1]["problem"] is not None
    assert {one["problem"] for one in of_kind(said, "camera", "c_well")} == {None}


def test_without_a_detector_the_reason_is_told_and_the_pictures_are_still_judged() -> None:
    bench = Bench(VirtualClock(), None, {"c_a": SimOptions(shows="black")}, problem="road_users.onnx: cut off")
    said = bench.run(5)
    assert not of_kind(said, "observation")
    assert {one["problem"] for one in of_kind(said, "vision")} == {"road_users.onnx: cut off"}
    assert not any(one["ready"] for one in of_kind(said, "vision"))
    assert of_kind(said, "camera")[-1]["problem"].startswith("black")


def test_output_that_cannot_be_trusted_is_no_observation_until_it_can() -> None:
    bench = Bench(VirtualClock(), FakeDetector(), {"c_a": SimOptions()})
    assert bench.detector is not None
    bench.run(1)
    bench.detector.failure = ModelOutputError("scores: nan")
    assert [one["problem"] for one in of_kind(bench.run(0.15), "vision")][-1:] == ["scores: nan"]  # at once
    said = bench.run(2)
    assert not of_kind(said, "observation")
    assert of_kind(said, "vision")[-1]["problem"] == "scores: nan"
    bench.detector.failure = None
    said = bench.run(2)
    assert of_kind(said, "observation")
    assert of_kind(said, "vision")[-1]["problem"] is None


def test_a_detector_ten_times_slower_is_told_within_seconds() -> None:
    clock = VirtualClock()
    bench = Bench(clock, FakeDetector(clock, 0.3), {"c_a": SimOptions()})
    problems = [one["problem"] for one in of_kind(bench.run(5), "camera")]
    assert problems[0] is None
    assert problems[-1] is not None
    assert problems[-1].startswith("slow")


def test_status_is_told_every_second_and_again_when_core_is_new() -> None:
    bench = Bench(VirtualClock(), FakeDetector(), {"c_a": SimOptions()})
    assert 4 <= len(of_kind(bench.run(5), "vision")) <= 6
    bench.loop.tell_all()
    said = bench.run(0.02)
    assert of_kind(said, "vision")
    assert of_kind(said, "camera")


class Scripted:
    """A camera that gives one picture and then raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.closed = False
        self._given = False

    def read(self, timeout_s: float) -> CameraFrame | None:
        if self._given:
            raise self.error
        self._given = True
        return CameraFrame("c_a", 0, np.zeros((90, 160, 3), np.uint8), 1)

    def close(self) -> None:
        self.closed = True


def advance_until_tried(slot: CameraSlot, now_ns: int) -> None:
    """Lets the opening thread end; its work here takes no time."""
    slot.advance(now_ns)
    for thread in threading.enumerate():
        if thread.name == f"open {slot.id}":
            thread.join(5)
    slot.advance(now_ns)


def attempts(outcomes: "list[Camera | Exception]") -> tuple[CameraSlot, Iterator[Any]]:
    left = iter(outcomes)

    def opener() -> Camera:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return CameraSlot("c_a", (), SYSTEM_CLOCK, max_fps=10, opener=opener), left


def test_a_camera_that_does_not_open_is_tried_again_later_with_its_reason_told() -> None:
    slot, left = attempts(
        [DeviceOpenError("camera c_a: no such device"), SimCamera("c_a", SimOptions(), VirtualClock())]
    )
    assert not slot.tried
    advance_until_tried(slot, 0)
    assert slot.tried
    assert slot.problem() == "camera c_a: no such device"
    advance_until_tried(slot, round((RETRY_S - 0.1) * NS_PER_S))
    assert not slot.is_open
    advance_until_tried(slot, round(RETRY_S * NS_PER_S))
    assert slot.is_open
    assert slot.problem() is None
    assert next(left, None) is None


def test_a_broken_driver_costs_its_camera_only() -> None:
    slot, _ = attempts([ZeroDivisionError("division by zero")])
    advance_until_tried(slot, 0)
    assert "driver is broken" in (slot.problem() or "")


def test_a_camera_that_is_gone_for_good_is_closed_and_stays_a_fault() -> None:
    gone = Scripted(DeviceLostError("camera c_a: the file has come to its end"))
    slot, left = attempts([gone, SimCamera("c_a", SimOptions(), VirtualClock())])
    advance_until_tried(slot, 0)
    assert slot.read(0) is not None
    assert slot.read(NS_PER_S) is None
    assert gone.closed
    assert slot.problem() == "camera c_a: the file has come to its end"
    advance_until_tried(slot, 1000 * NS_PER_S)
    assert not slot.is_open
    assert next(left, None) is not None
