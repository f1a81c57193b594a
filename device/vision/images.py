"""Pictures on disk, only where the site says ``recording.images: true``: one MCAP file beside core's recording.

Topic ``/camera/{id}/image``, schema ``foxglove.CompressedImage`` as JSON. ``log_time`` is the wall clock at the
file's start plus the monotonic time since, so that it never jumps and joins with core's recording; ``publish_time`` is
the wall clock. Times of capture stay exact: the anchor is in the metadata.

Invariants: a disk that is full or gone ends the recording with one line in the log, never the process.
"""

import base64
import contextlib
import dataclasses
import json
import logging
import pathlib
import queue
import threading

import cv2
from mcap.writer import CompressionType, Writer

from device.recording import METADATA
from hal.clock import NS_PER_S, Clock, iso_utc
from hal.interfaces import CameraFrame

JPEG_QUALITY = 80
SCHEMA_NAME = "foxglove.CompressedImage"
_SCHEMA = {
    "type": "object",
    "properties": {
        "timestamp": {
            "type": "object",
            "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}},
        },
        "frame_id": {"type": "string"},
        "data": {"type": "string", "contentEncoding": "base64"},
        "format": {"type": "string"},
    },
}
CHUNK_BYTES = 256 * 1024
QUEUE_PICTURES = 4
log = logging.getLogger(__name__)


def image_topic(camera: str) -> str:
    """Topic of a camera's pictures."""
    return f"/camera/{camera}/image"


class ImageRecorder:
    """Writes pictures to one new file in ``folder``. Raises OSError when the file cannot be made."""

    def __init__(self, folder: pathlib.Path, clock: Clock) -> None:
        self._clock = clock
        self._wall_ns, self._mono_ns = clock.wall_ns(), clock.monotonic_ns()
        folder.mkdir(parents=True, exist_ok=True)
        stamp = iso_utc(self._wall_ns).replace(":", "").replace("-", "").replace(".", "_")
        self.path = folder / f"images-{stamp}.mcap"
        self.dropped = 0
        self._channels: dict[str, int] = {}
        self._file = self.path.open("xb")
        # JPEG does not get smaller, and small chunks lose little in a power cut.
        self._writer = Writer(self._file, chunk_size=CHUNK_BYTES, compression=CompressionType.NONE)
        self._writer.start(profile="", library="branch-sentinel")
        anchor = {
            "anchor_wall_ns": str(self._wall_ns),
            "anchor_mono_ns": str(self._mono_ns),
            "clock_quality": clock.quality().value,
        }
        self._writer.add_metadata(METADATA, anchor)
        self._schema = self._writer.register_schema(SCHEMA_NAME, "jsonschema", json.dumps(_SCHEMA).encode())
        self._queue: queue.Queue[CameraFrame | None] = queue.Queue(QUEUE_PICTURES)
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    def keep(self, frame: CameraFrame) -> None:
        """Takes a copy of a picture; drops it, counted, when the disk does not keep up."""
        if self._queue.full():
            self.dropped += 1
            return
        self._queue.put_nowait(dataclasses.replace(frame, image=frame.image.copy()))

    def close(self) -> None:
        """Writes what is waiting and finishes the file."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        try:
            while (frame := self._queue.get()) is not None:
                self._write(frame)
            self._finish()
        except (OSError, ValueError) as error:
            log.error("event=images_stopped path=%s reason=%r", self.path, str(error))
            while self._queue.get() is not None:  # pictures go nowhere from here on; nobody waits for them
                self.dropped += 1
        finally:
            with contextlib.suppress(OSError):
                self._file.close()

    def _write(self, frame: CameraFrame) -> None:
        ok, jpeg = cv2.imencode(".jpg", frame.image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
        if not ok:
            self.dropped += 1
            return
        log_ns = self._wall_ns + frame.captured_ns - self._mono_ns
        message = {
            "timestamp": {"sec": log_ns // NS_PER_S, "nsec": log_ns % NS_PER_S},
            "frame_id": frame.camera,
            "data": base64.b64encode(jpeg.tobytes()).decode("ascii"),
            "format": "jpeg",
        }
        data = json.dumps(message).encode()
        channel = self._channel(frame.camera)
        self._writer.add_message(channel, log_ns, data, self._clock.wall_ns(), frame.sequence)

    def _finish(self) -> None:
        self._writer.finish()  # type: ignore[no-untyped-call]  # mcap annotates all but this one

    def _channel(self, camera: str) -> int:
        if camera not in self._channels:
            self._channels[camera] = self._writer.register_channel(image_topic(camera), "json", self._schema)
        return self._channels[camera]
