"""Writes what came in as one MCAP file (DESIGN.md §5): bytes as read, camera observations, the configuration, the day
state (night, quiet hours, wet road, visibility) as it changes.

``RecordingFile`` writes; ``Recording`` is one with a queue and a thread, for a caller that must not wait.

Invariants: no image is written here, ever; the caller of ``Recording`` never waits (a full queue drops and counts);
``log_time`` is the wall clock at the anchor plus monotonic time since, so a clock step during a recording cannot
reorder it; what a file is read by (anchor, configuration, day state) stands in it from the first moment; a process
that is killed costs a second of what came, a power cut five, never the file; the same calls give the same bytes.
"""

import base64
import contextlib
import json
import logging
import os
import pathlib
import queue
import threading
from collections.abc import Mapping
from typing import Any, Final

from device.day import DayState, day_message
from hal.clock import NS_PER_S, Clock

log = logging.getLogger(__name__)

FORMAT = 2
"""What this program writes: 1 (which said nothing of its format) had no ``format`` and no notes in its metadata. It
rises when something that was there before means something else, not for a further topic (docs/adr/0006)."""

CHUNK_BYTES = 16 * 1024
CHUNK_NS: Final = NS_PER_S
"""What comes after the opening is handed to the system a second later."""

SYNC_NS: Final = 5 * NS_PER_S
"""And is on the disk five seconds later, where it cannot be made again: the system alone would take 30 s."""

QUEUE_ITEMS = 4096
METADATA = "sentinel"
"""Name of the metadata record that carries the format, the anchor and the notes."""


def radar_topic(radar: str) -> str:
    """Topic of a radar's raw bytes."""
    return f"/radar/{radar}/raw"


def camera_topic(camera: str) -> str:
    """Topic of a camera's observations."""
    return f"/camera/{camera}/observations"


CONFIG_TOPIC = "/config"
DAY_TOPIC = "/day"


class RecordingError(Exception):
    """A recording could not be opened or written; the message names the file and the reason."""


class RecordingFile:
    """One recording, written by the caller's own hand: no thread, no clock.

    ``anchor_wall_ns`` and ``anchor_mono_ns`` are one moment on both clocks; every ``*_ns`` after is monotonic and may
    lie before it. ``notes`` go into the metadata beside the anchor. ``day`` is the state in force at the beginning,
    None where nobody knows one (it plays as by day). ``durable`` is for what cannot be made again, and for a caller
    that may wait for the disk. Every method raises RecordingError when the file cannot be made or written.
    """

    def __init__(
        self,
        path: pathlib.Path,
        config_values: Mapping[str, Any],
        *,
        anchor_wall_ns: int,
        anchor_mono_ns: int,
        clock_quality: str,
        notes: Mapping[str, str] | None = None,
        compress: bool = False,
        config_at_ns: int | None = None,
        day: DayState | None = None,
        durable: bool = False,
    ) -> None:
        # Imported here: its compressors cost 9 MB, and core records seldom.
        from mcap.writer import CompressionType, Writer

        self.path = path
        self._anchor_wall_ns = anchor_wall_ns
        self._anchor_mono_ns = anchor_mono_ns
        self._channels: dict[str, int] = {}
        self._sequence: dict[str, int] = {}
        self._chunk_until_ns = anchor_mono_ns + CHUNK_NS
        # What is written at the opening need not wait for its five seconds: the first message after it takes it along.
        self._sync_at_ns = anchor_mono_ns if durable else None
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise RecordingError(
                f"{path}: {error.strerror}; give a new file in a folder that can be written"
            ) from error
        try:
            self._writer: Any = Writer(
                self._file,
                chunk_size=CHUNK_BYTES,
                compression=CompressionType.ZSTD if compress else CompressionType.NONE,
            )
            self._writer.start(profile="", library="branch-sentinel")
            self._writer.add_metadata(
                METADATA,
                {
                    "format": str(FORMAT),
                    "anchor_wall_ns": str(anchor_wall_ns),
                    "anchor_mono_ns": str(anchor_mono_ns),
                    "clock_quality": clock_quality,
                    **(notes or {}),
                },
            )
            self._schema = self._writer.register_schema("sentinel.Json", "jsonschema", b'{"type":"object"}')
        except OSError as error:
            raise self._failed(error) from error
        begins_ns = anchor_mono_ns if config_at_ns is None else config_at_ns
        self.put(CONFIG_TOPIC, config_values, begins_ns)
        if day is not None:
            self.put_day(day, begins_ns)
        self._flush()

    def put_radar(self, radar: str, data: bytes, captured_ns: int, wall_ns: int | None = None) -> None:
        """Bytes as read from a radar."""
        self.put(radar_topic(radar), radar_message(data), captured_ns, wall_ns)

    def put_camera(self, camera: str, message: Mapping[str, Any], received_ns: int, wall_ns: int | None = None) -> None:
        """A camera observation as it reached core."""
        self.put(camera_topic(camera), message, received_ns, wall_ns)

    def put_day(self, day: DayState, at_ns: int) -> None:
        """The day state that is in force from ``at_ns`` on."""
        self.put(DAY_TOPIC, day_message(day), at_ns)

    def put(self, topic: str, message: Mapping[str, Any], at_ns: int, wall_ns: int | None = None) -> None:
        """One message at monotonic ``at_ns``; ``wall_ns`` is what the wall clock said, by the anchor unless told."""
        self.write(topic, encoded(message), at_ns, wall_ns)

    def write(self, topic: str, data: bytes, at_ns: int, wall_ns: int | None = None) -> None:
        """The same for a message that is JSON already."""
        log_ns = self.wall_ns(at_ns)
        self._keep_up(at_ns)
        try:
            channel = self._channels.get(topic)
            if channel is None:
                channel = self._channels[topic] = self._writer.register_channel(topic, "json", self._schema)
            sequence = self._sequence[topic] = self._sequence.get(topic, 0) + 1
            self._writer.add_message(
                channel_id=channel,
                log_time=log_ns,
                publish_time=log_ns if wall_ns is None else wall_ns,
                data=data,
                sequence=sequence,
            )
        except OSError as error:
            raise self._failed(error) from error

    def _keep_up(self, at_ns: int) -> None:
        """Lets go of what a second, and syncs what five seconds have brought. What lies before the opening comes all
        at once: chunks by size are enough for it."""
        if at_ns >= self._chunk_until_ns:
            self._chunk_until_ns = at_ns + CHUNK_NS
            self._flush()
        if self._sync_at_ns is not None and at_ns >= self._sync_at_ns:
            self._sync_at_ns = at_ns + SYNC_NS
            self._flush()
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                raise self._failed(error) from error

    def _flush(self) -> None:
        """Ends the chunk and hands it to the system."""
        try:
            self._writer.flush()
        except OSError as error:
            raise self._failed(error) from error

    def wall_ns(self, at_ns: int) -> int:
        """The ``log_time`` of a monotonic moment."""
        return self._anchor_wall_ns + at_ns - self._anchor_mono_ns

    def bytes(self) -> int:
        """How long the file is so far, without the chunk that is being filled."""
        return self._file.tell()

    def note(self, name: str, values: Mapping[str, str]) -> None:
        """One more metadata record."""
        try:
            self._writer.add_metadata(name, dict(values))
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Writes the index and puts the whole file on the disk."""
        try:
            self._writer.finish()
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self._drop()

    def abandon(self) -> None:
        """Closes without an index, as a power cut would leave it."""
        self._drop()

    def _drop(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written is told by whoever wrote it
            self._file.close()

    def _failed(self, error: OSError) -> RecordingError:
        return RecordingError(f"{self.path}: {error.strerror or error}")


class Recording:
    """One open recording with a writer thread of its own. Raises RecordingError when the file cannot be made."""

    def __init__(
        self,
        path: pathlib.Path,
        config: dict[str, Any],
        clock: Clock,
        *,
        max_s: float | None = None,
        day: DayState | None = None,
    ) -> None:
        self.path = path
        self._day = day
        self._clock = clock
        self._anchor_mono_ns = clock.monotonic_ns()
        self._max_ns = None if max_s is None else round(max_s * NS_PER_S)
        self._queue: queue.Queue[tuple[str, int, int, bytes] | None] = queue.Queue()
        self.dropped = 0
        self.problem: str | None = None
        self._file = RecordingFile(
            path,
            config,
            anchor_wall_ns=clock.wall_ns(),
            anchor_mono_ns=self._anchor_mono_ns,
            clock_quality=clock.quality().value,
            day=day,
            durable=True,
        )
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def put_radar(self, radar: str, data: bytes, captured_ns: int) -> None:
        """Bytes as read from a radar."""
        self.put(radar_topic(radar), radar_message(data), captured_ns)

    def put_camera(self, camera: str, message: dict[str, Any], received_ns: int) -> None:
        """A camera observation as it reached core."""
        self.put(camera_topic(camera), message, received_ns)

    def put_day(self, day: DayState, at_ns: int) -> None:
        """The day state that is in force from ``at_ns`` on; nothing where it is the one before."""
        if day != self._day:
            self._day = day
            self.put(DAY_TOPIC, day_message(day), at_ns)

    def put(self, topic: str, message: dict[str, Any], at_ns: int) -> None:
        """One message at monotonic ``at_ns``; never waits."""
        if self._queue.qsize() >= QUEUE_ITEMS:
            self.dropped += 1
            return
        self._queue.put((topic, at_ns, self._clock.wall_ns(), encoded(message)))

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
                topic, at_ns, wall_ns, data = item
                self._file.write(topic, data, at_ns, wall_ns)
            self._file.close()
        except Exception as error:  # noqa: BLE001 - the thread's top: a full disk ends the recording, not the node
            self.problem = str(error)
            log.error("event=recording_failed path=%s error=%s", self.path, error)


def radar_message(data: bytes) -> dict[str, str]:
    """Bytes of a radar as the contract writes them."""
    return {"data": base64.b64encode(data).decode("ascii")}


def encoded(message: Mapping[str, Any]) -> bytes:
    """A message as its JSON."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
