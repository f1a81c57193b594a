"""Evidence that shows the road and nobody on it: one still picture when core asks for it, where the site says
``recording.snapshots: true``.

Invariants: no picture is written that has not been through ``privacy.unrecognisable``, and none at all without a
detector that says where people are; at most one of a camera in ``EVERY_S``; the folder holds ``keep`` of them, the
oldest go; a disk that is full or slow costs the picture, one line in the log, never the loop a moment.
"""

import logging
import pathlib
import queue
import threading

import cv2

from configs.files import write_atomically
from device.vision.privacy import FAINT, unrecognisable
from hal.clock import NS_PER_S, Clock, iso_utc
from hal.interfaces import CameraFrame
from models.detector import Detector
from models.errors import ModelError

EVERY_S = 10.0
ASKED_FOR_S = 2.0
"""A camera that has no picture for so long has none of the moment that was meant."""

JPEG_QUALITY = 80
WAITING = 2
"""Pictures that wait for the disk; one more is lost."""

log = logging.getLogger(__name__)


class Snapshots:
    """See the module. ``keep`` is how many the folder holds."""

    def __init__(self, folder: pathlib.Path, detector: Detector, clock: Clock, *, keep: int) -> None:
        self._folder = folder
        self._detector = detector
        self._clock = clock
        self._keep = keep
        self._asked_ns: dict[str, int] = {}
        self._taken_ns: dict[str, int] = {}
        self.failed = 0
        self._waiting: queue.Queue[tuple[str, bytes] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
        self._thread.start()

    def ask(self, camera: str) -> None:
        """The next picture of this camera is wanted."""
        self._asked_ns[camera] = self._clock.monotonic_ns()

    def take(self, frame: CameraFrame) -> None:
        """Writes this picture if it is wanted."""
        asked_ns = self._asked_ns.pop(frame.camera, None)
        now_ns = self._clock.monotonic_ns()
        if asked_ns is None or now_ns - asked_ns > ASKED_FOR_S * NS_PER_S:
            return
        taken_ns = self._taken_ns.get(frame.camera)
        if taken_ns is not None and now_ns - taken_ns < EVERY_S * NS_PER_S:
            return
        self._taken_ns[frame.camera] = now_ns
        try:
            picture = unrecognisable(frame.image, self._detector.detect(frame.image, threshold=FAINT))
            _done, jpeg = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
            self._waiting.put_nowait((frame.camera, jpeg.tobytes()))
        except (ModelError, queue.Full) as error:
            self._fail(frame.camera, str(error) or "the disk does not keep up")

    @property
    def idle(self) -> bool:
        """Whether everything taken is written."""
        return self._waiting.unfinished_tasks == 0

    def close(self) -> None:
        """Writes what is waiting."""
        self._waiting.put(None)
        self._thread.join()

    def _fail(self, camera: str, reason: str) -> None:
        self.failed += 1
        log.error("event=snapshot_failed camera=%s reason=%r", camera, reason)

    def _run(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            camera, jpeg = waiting
            try:
                self._write(camera, jpeg)
            except OSError as error:
                self._fail(camera, str(error))
            self._waiting.task_done()

    def _write(self, camera: str, jpeg: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        stamp = iso_utc(self._clock.wall_ns()).replace(":", "").replace("-", "").replace(".", "_")
        write_atomically(self._folder / f"{stamp}-{camera}.jpg", jpeg)
        for old in sorted(self._folder.glob("*.jpg"))[: -self._keep]:
            old.unlink(missing_ok=True)
