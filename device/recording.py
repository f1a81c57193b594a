"""Writes what came in as one MCAP file (DESIGN.md §5): bytes as read, camera observations, the configuration.

Invariants: no image is written here, ever; the caller never waits (a full queue drops and counts); ``log_time`` is
the wall clock at open plus monotonic time since, so a clock step during a recording cannot reorder it; small
uncompressed chunks, so that a power cut costs seconds, not the file.
"""

import base64
import json
import logging
import pathlib
import queue
import threading
from typing import Any

from hal.clock import NS_PER_S, Clock

log = logging.getLogger(__name__)

CHUNK_BYTES = 16 * 1024
QUEUE_ITEMS = 4096
METADATA = "sentinel"
"""Name of the metadata record that carries the anchor."""


def radar_topic(radar: str) -> str:
    """Topic of a radar's raw bytes."""
    return f"/radar/{radar}/raw"


def camera_topic(camera: str) -> str:
    """Topic of a camera's observations."""
    return f"/camera/{camera}/observations"


CONFIG_TOPIC = "/config"


class RecordingError(Exception):
    """A recording could not be opened or written; the message names the file and the reason."""


class Recording:
    """One open recording with a writer thread of its own. Raises RecordingError when the file cannot be made."""

    def __init__(self, path: pathlib.Path, config: dict[str, Any], clock: Clock, *, max_s: float | None = None) -> None:
        # Imported here: its compressors cost 9 MB, and core records seldom.
        from mcap.writer import CompressionType, Writer

        self.path = path
        self._clock = clock
        self._anchor_mono_ns = clock.monotonic_ns()
        self._anchor_wall_ns = clock.wall_ns()
        self._max_ns = None if max_s is None else round(max_s * NS_PER_S)
        self._queue: queue.Queue[tuple[str, int, int, bytes] | None] = queue.Queue()
        self._channels: dict[str, int] = {}
        self._sequence: dict[str, int] = {}
        self.dropped = 0
        self.problem: str | None = None
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise RecordingError(
                f"{path}: {error.strerror}; give a new file in a folder that can be written"
            ) from error
        self._writer: Any = Writer(self._file, chunk_size=CHUNK_BYTES, compression=CompressionType.NONE)
        self._writer.start(profile="", library="branch-sentinel")
        self._writer.add_metadata(
            METADATA,
            {
                "anchor_wall_ns": str(self._anchor_wall_ns),
                "anchor_mono_ns": str(self._anchor_mono_ns),
                "clock_quality": clock.quality().value,
            },
        )
        self._schema = self._writer.register_schema("sentinel.Json", "jsonschema", b'{"type":"object"}')
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()
        self.put(CONFIG_TOPIC, config, self._anchor_mono_ns)

    def put_radar(self, radar: str, data: bytes, captured_ns: int) -> None:
        """Bytes as read from a radar."""
        self.put(radar_topic(radar), {"data": base64.b64encode(data).decode("ascii")}, captured_ns)

    def put_camera(self, camera: str, message: dict[str, Any], received_ns: int) -> None:
        """A camera observation as it reached core."""
        self.put(camera_topic(camera), message, received_ns)

    def put(self, topic: str, message: dict[str, Any], at_ns: int) -> None:
        """One message at monotonic ``at_ns``; never waits."""
        data = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
        if self._queue.qsize() >= QUEUE_ITEMS:
            self.dropped += 1
            return
        self._queue.put((topic, at_ns, self._clock.wall_ns(), data))

    def over(self, now_ns: int) -> bool:
        """Whether the asked length is reached or writing failed."""
        return self.problem is not None or (self._max_ns is not None and now_ns - self._anchor_mono_ns >= self._max_ns)

    def elapsed_s(self, now_ns: int) -> float:
        """Seconds since it was opened."""
        return (now_ns - self._anchor_mono_ns) / NS_PER_S

    def close(self, timeout_s: float = 5.0) -> None:
        """Writes what is queued, and the index."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                self._write(*item)
            self._writer.finish()
            self._file.close()
        except Exception as error:  # noqa: BLE001 - the thread's top: a full disk ends the recording, not the node
            self.problem = f"{self.path}: {error}"
            log.error("event=recording_failed path=%s error=%s", self.path, error)

    def _write(self, topic: str, at_ns: int, wall_ns: int, data: bytes) -> None:
        channel = self._channels.get(topic)
        if channel is None:
            channel = self._channels[topic] = self._writer.register_channel(topic, "json", self._schema)
        self._sequence[topic] = self._sequence.get(topic, 0) + 1
        self._writer.add_message(
            channel_id=channel,
            log_time=self._anchor_wall_ns + at_ns - self._anchor_mono_ns,
            publish_time=wall_ns,
            data=data,
            sequence=self._sequence[topic],
        )
