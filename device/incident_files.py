"""Writes incident recordings into a folder, and keeps that folder within its bounds. One thread of its own.

Invariants: a file has its name only when it is whole (``.part`` until then), except what a power cut left, which is
kept under ``-cut`` and plays as far as it goes; the disk is never filled (FREE_BYTES stay, retention comes before
writing, one file has a quarter of the folder's bound and FILE_BYTES at most); a full, read-only or hanging disk is told
by ``problem`` and costs incidents, never the caller's time.
"""

import contextlib
import errno
import json
import logging
import os
import pathlib
import queue
import shutil
import threading
from collections.abc import Mapping
from typing import Any, Final

from configs.schema import SiteConfig
from device.incident_folder import NOTES, PART, SUFFIX, cut_name, prune, publish, rename_leftovers, stem
from device.incidents import Begin, DayChange, End, Kept, Order, Trigger
from device.recording import RecordingError, RecordingFile
from hal.clock import Clock, iso_utc

log = logging.getLogger(__name__)

FREE_BYTES: Final = 50 * 1000 * 1000
"""Left free for the journal and the system; ``sentinel doctor`` calls less than this an error."""

FILE_SHARE: Final = 4
FILE_BYTES: Final = 16 * 1000 * 1000
"""One file has at most this fraction of the folder and so many bytes; what comes after that is left out of it and
counted. Five minutes of the busiest crossing, four radars and four cameras, are 1.1 MB."""

RETRY_S: Final = 60.0
"""A disk that failed is tried again this often, so that the part recovers without waiting for the next incident."""

QUEUE_ITEMS: Final = 8192
WAITING_INCIDENTS: Final = 2
"""Beginnings that may wait for the disk, each with what was in the ring."""


class IncidentFiles:
    """The writer. ``put`` and ``problem`` are for the caller's thread; the rest is done by the writer's own."""

    def __init__(self, folder: pathlib.Path, config: SiteConfig, clock: Clock) -> None:
        self.folder = folder
        self.dropped = 0
        self.written = self.written_bytes = self.deleted = 0
        """Files finished, bytes of them, and older files deleted to make room. Changed by the writer's thread alone."""
        self._clock = clock
        self._config = config
        self._queue: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._begun = 0
        self._ended = 0  # written by the writer's thread alone
        self._skipping = False
        self._file: RecordingFile | None = None
        self._limit = 0
        self._left_out = 0
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="incidents", daemon=True)
        self._thread.start()

    def put(self, order: Order) -> None:
        """Hands an order over; never waits. When the disk does not keep up it is dropped and counted, and so is the
        rest of an incident whose beginning was."""
        full = self._queue.qsize() >= QUEUE_ITEMS
        if isinstance(order, Begin):
            self._skipping = full or self._begun - self._ended >= WAITING_INCIDENTS
            self._begun += not self._skipping
        if self._skipping or (full and isinstance(order, Kept)):
            self.dropped += 1
        else:
            self._queue.put(order)

    def configure(self, config: SiteConfig) -> None:
        """Takes the configuration that the next recording carries and the bounds of the folder."""
        self._config = config

    def problem(self) -> str | None:
        """Why incidents are not reaching the disk, or None."""
        if self._problem is not None:
            return self._problem
        if self._skipping:
            return f"incident recordings: the disk does not keep up, {self.dropped} messages dropped"
        return None

    def close(self, timeout_s: float = 3.0) -> None:
        """Ends the thread; an incident that is still open stays as a cut one."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    # --- the writer's thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._try_folder()
        while True:
            try:
                order = self._queue.get(timeout=None if self._problem is None else RETRY_S)
            except queue.Empty:
                self._try_folder()
                continue
            if order is None:
                break
            try:
                self._obey(order)
            except (RecordingError, OSError) as error:
                self._failed(str(error))
                self._abandon(delete=True)
            except Exception as error:  # the thread's top: an incident that cannot be written costs itself
                log.exception("event=incident_failed")
                self._failed(f"{type(error).__name__}: {error}")
                self._abandon(delete=True)
            if isinstance(order, End):
                self._ended += 1
        self._abandon(delete=False)

    def _try_folder(self) -> None:
        """Whether an incident could be written now; what a power cut left gets its name."""
        if self._config.recording.keep_count == 0:
            self._problem = None
            return
        try:
            self._room()
            rename_leftovers(self.folder)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.folder))
            self._problem = None
        except (RecordingError, OSError) as error:
            self._failed(str(error))

    def _room(self) -> int:
        """Makes room for one more file and returns how long it may be. Raises RecordingError and OSError."""
        settings = self._config.recording
        keep_bytes = settings.keep_mb * 1000 * 1000
        limit = min(keep_bytes // FILE_SHARE, FILE_BYTES)
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        gone = prune(self.folder, settings.keep_count - 1, keep_bytes - limit)
        if gone:
            self.deleted += len(gone)
            log.info("event=incidents_deleted count=%d last=%s", len(gone), gone[-1].name)
        free = shutil.disk_usage(self.folder).free
        if free < FREE_BYTES + limit:
            raise RecordingError(
                f"{self.folder}: {free // 1_000_000} MB free, an incident needs {(FREE_BYTES + limit) // 1_000_000}"
            )
        return limit

    def _obey(self, order: Order) -> None:
        if isinstance(order, Begin):
            self._abandon(delete=False)
            self._begin(order)
        elif self._file is None:
            return
        elif isinstance(order, Kept):
            self._write(self._file, order)
        elif isinstance(order, DayChange):
            self._file.put_day(order.day, order.at_ns)
        else:
            self._end(self._file, order)

    def _begin(self, order: Begin) -> None:
        self._limit, self._left_out = self._room(), 0
        trigger = order.trigger
        mono_ns, wall_ns = self._clock.monotonic_ns(), self._clock.wall_ns()
        at_wall_ns = wall_ns - (mono_ns - trigger.at_ns)
        self._file = RecordingFile(
            self.folder / f"{stem(at_wall_ns, trigger)}{PART}",
            self._config.model_dump(mode="json"),
            anchor_wall_ns=wall_ns,
            anchor_mono_ns=mono_ns,
            clock_quality=self._clock.quality().value,
            notes={"incident": trigger.kind.value, "face": trigger.face or "", "event": _event(trigger, at_wall_ns)},
            compress=True,
            config_at_ns=min([kept.at_ns for kept in order.before], default=trigger.at_ns),
            day=order.days[0].day if order.days else None,
            durable=True,
        )
        for change in order.days[1:]:
            self._file.put_day(change.day, change.at_ns)
        for kept in order.before:
            self._write(self._file, kept)

    def _write(self, file: RecordingFile, kept: Kept) -> None:
        if file.bytes() >= self._limit:
            self._left_out += 1
        elif isinstance(kept.payload, bytes):
            file.put_radar(kept.sensor, kept.payload, kept.at_ns, kept.wall_ns)
        else:
            file.put_camera(kept.sensor, kept.payload, kept.at_ns, kept.wall_ns)

    def _end(self, file: RecordingFile, order: End) -> None:
        triggers = [_event(trigger, file.wall_ns(trigger.at_ns)) for trigger in order.triggers]
        file.note(
            NOTES,
            {"events": "[" + ",".join(triggers) + "]", "count": str(order.count), "left_out": str(self._left_out)},
        )
        file.close()
        self._file = None
        named = self.folder / f"{stem(file.wall_ns(order.named.at_ns), order.named)}{SUFFIX}"
        self.written_bytes += file.path.stat().st_size
        self.written += 1
        publish(file.path, named)
        self._problem = None

    def _abandon(self, *, delete: bool) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        file.abandon()
        with contextlib.suppress(OSError):  # the disk has just failed; what is left is found at the next start
            if delete:
                file.path.unlink(missing_ok=True)
            else:
                self.written_bytes += file.path.stat().st_size
                publish(file.path, cut_name(file.path))

    def _failed(self, reason: str) -> None:
        self._problem = f"incident recordings cannot be written: {reason}"
        log.error("event=incident_not_written reason=%r", reason)


def _event(trigger: Trigger, wall_ns: int) -> str:
    values: Mapping[str, Any] = {
        "kind": trigger.kind.value,
        "face": trigger.face,
        "t": iso_utc(wall_ns),
        "body": dict(trigger.body),
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str)
