"""The loop: the newest picture of each camera in turn, through one detector, to a sink.

Invariants: a picture's observation leaves before anything else is done with the picture; no camera waits for another
one's pictures; without a detector the pictures are still judged, and the reason is told; nothing here blocks for
longer than ``WAIT_S``.
"""

import collections
import logging
import select
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from device.vision.pixel_tracks import PixelTracks
from device.vision.slot import CameraSlot
from device.zones import road_users
from hal.clock import NS_PER_MS, NS_PER_S, Clock
from hal.interfaces import CameraFrame
from models.detector import Detection, Detector
from models.errors import ModelError

WAIT_S = 0.1
_BLIND_WAIT_S = 0.005
"""Waiting time where a driver cannot say when it has a picture."""
STATUS_EVERY_S = 1.0
_REMEMBERED = 1000
KEEPS_ALIVE = 0.1
"""Boxes from this score on keep a track in pixels alive; nothing else is done with those that are not believed."""

Sink = Callable[[dict[str, Any]], object]
log = logging.getLogger(__name__)


class VisionLoop:
    """See the module. Each of ``keep`` is handed every picture after its observation has left (for the recording)."""

    def __init__(
        self,
        cameras: Sequence[CameraSlot],
        detector: Detector | None,
        sink: Sink,
        clock: Clock,
        *,
        problem: str | None = None,
        keep: Sequence[Callable[[CameraFrame], None]] = (),
    ) -> None:
        self._turns = collections.deque(cameras)
        self._cameras = tuple(cameras)
        self._detector = detector
        self._tracks = {slot.id: PixelTracks(detector.threshold) for slot in cameras} if detector is not None else {}
        self._sink = sink
        self._clock = clock
        self._keep = keep
        self._model_problem = problem
        self._output_problem: str | None = None
        self._status_ns = 0
        self._told: dict[str, str | None] = {}
        self._told_problem: str | None = None
        self._latency_ns: collections.deque[int] = collections.deque(maxlen=_REMEMBERED)
        self._inference_ns: collections.deque[int] = collections.deque(maxlen=_REMEMBERED)
        self.frames = 0

    def step(self) -> bool:
        """Takes one picture of the camera whose turn it is, or waits a little; True when there was a picture."""
        now_ns = self._clock.monotonic_ns()
        for _ in range(len(self._turns)):
            slot = self._turns[0]
            self._turns.rotate(-1)
            slot.advance(now_ns)
            frame = slot.read(now_ns)
            if frame is not None:
                self._see(slot, frame)
                self._tell(self._clock.monotonic_ns())
                return True
        self._tell(now_ns)
        self._wait(now_ns)
        return False

    def tell_all(self) -> None:
        """Says everything again at the next step: core is new."""
        self._status_ns = 0

    def close(self) -> None:
        """Releases all cameras."""
        for slot in self._cameras:
            slot.close()

    def accept_view(self, camera: str) -> None:
        """Has a camera learn its view anew: what it looks at is right."""
        for slot in self._cameras:
            if slot.id == camera:
                slot.view.learn_anew()
                self._status_ns = 0

    def _see(self, slot: CameraSlot, frame: CameraFrame) -> None:
        dazzled = slot.dazzled(frame)
        detector = self._detector
        if detector is not None and (found := self._detect(detector, frame)) is not None:
            done_ns = self._clock.monotonic_ns()
            if not dazzled:
                self._sink(observation(slot, frame, [one for one in found if one.score >= detector.threshold]))
            self._latency_ns.append(done_ns - frame.captured_ns)
            slot.inferred(done_ns)
            self.frames += 1
            self._tracks[slot.id].update(frame.captured_ns, found)
        slot.look(frame)
        for keep in self._keep:
            keep(frame)

    def _detect(self, detector: Detector, frame: CameraFrame) -> list[Detection] | None:
        """Every box, those that are not believed too; None when the detector fails."""
        started_ns = self._clock.monotonic_ns()
        try:
            detections = detector.detect(frame.image, min(detector.threshold, KEEPS_ALIVE))
        except ModelError as error:
            if self._output_problem is None:
                log.error("camera=%s event=detector_failed reason=%r", frame.camera, str(error))
            self._output_problem = str(error)
            return None
        self._output_problem = None
        self._inference_ns.append(self._clock.monotonic_ns() - started_ns)
        return detections

    def _tell(self, now_ns: int) -> None:
        """Cameras and detector: at once what changed, everything once a second."""
        everything = now_ns >= self._status_ns
        for slot in self._cameras:
            problem = slot.problem()
            if everything or self._told.get(slot.id, "") != problem:
                self._told[slot.id] = problem
                tracks = self._tracks.get(slot.id)
                self._sink(camera_message(slot, problem, now_ns, tracks.passed if tracks is not None else {}))
        problem = self._model_problem or self._output_problem
        if everything or problem != self._told_problem:
            self._told_problem = problem
            self._sink(self._vision_message(problem))
        if everything:
            self._status_ns = now_ns + round(STATUS_EVERY_S * NS_PER_S)

    def _vision_message(self, problem: str | None) -> dict[str, Any]:
        return {
            "kind": "vision",
            "ready": self._detector is not None and all(slot.tried for slot in self._cameras),
            "problem": problem,
            "frames": self.frames,
            **_spread("latency", self._latency_ns),
            **_spread("inference", self._inference_ns),
        }

    def _wait(self, now_ns: int) -> None:
        poll = select.poll()
        wait_ns = round(WAIT_S * NS_PER_S)
        for slot in self._cameras:
            if not slot.is_open:
                continue
            if slot.due_ns > now_ns:
                wait_ns = min(wait_ns, slot.due_ns - now_ns)
                continue
            handle = slot.fileno()
            if handle is None:
                wait_ns = min(wait_ns, round(_BLIND_WAIT_S * NS_PER_S))
            else:
                poll.register(handle, select.POLLIN)
        poll.poll(-(-wait_ns // NS_PER_MS))


def observation(slot: CameraSlot, frame: CameraFrame, detections: Sequence[Detection]) -> dict[str, Any]:
    """The message to core for one picture: occupancy by approach, zone and class, places on the road where the approach
    is calibrated (``users``; without calibration the key is absent); boxes in pixels of the picture."""
    height, width = frame.image.shape[:2]
    zones, users = road_users(detections, slot.areas, slot.planes, width, height)
    counts: dict[str, int] = {}
    for found in detections:
        counts[found.cls] = counts.get(found.cls, 0) + 1
    return {
        "kind": "observation",
        "camera": slot.id,
        "captured_ns": frame.captured_ns,
        "sequence": frame.sequence,
        "size": [width, height],
        "zones": zones,
        **({"users": [user.as_json() for user in users]} if slot.planes else {}),
        "counts": counts,
        "boxes": [
            [found.cls, round(found.score, 3), *(round(edge, 1) for edge in (found.x0, found.y0, found.x1, found.y1))]
            for found in detections
        ],
    }


def camera_message(slot: CameraSlot, problem: str | None, now_ns: int, passed: Mapping[str, int]) -> dict[str, Any]:
    """The message to core on how a camera fares, and how many road users of each class have passed it."""
    fps = round(slot.fps(now_ns), 1)
    counts = {"passed": dict(passed), **slot.counts()}
    said = {"kind": "camera", "camera": slot.id, "problem": problem, "fps": fps, "size": slot.size, **counts}
    return {**said, "view": slot.view.report()}


def _spread(name: str, values_ns: Sequence[int]) -> dict[str, float | None]:
    """Median, 99th percentile and maximum in milliseconds; None before the first value."""
    ordered = sorted(values_ns)
    if not ordered:
        return {f"{name}_p50_ms": None, f"{name}_p99_ms": None, f"{name}_max_ms": None}
    last = len(ordered) - 1
    picked = {"p50": ordered[last // 2], "p99": ordered[last * 99 // 100], "max": ordered[last]}
    return {f"{name}_{key}_ms": round(value / NS_PER_MS, 2) for key, value in picked.items()}
