"""The journal: every event on disk before anybody is told of it, written by one thread that nobody waits for.

Invariants
- One thread alone touches the SQLite file; ``JournalWriter.append`` only takes a lock that is never held over I/O.
- What ``flush`` has acknowledged survives SIGKILL and a power cut (WAL with ``synchronous=FULL``).
- ``seq`` is never used twice within a ``stream``. A file that is damaged is put aside and a new one with a new
  ``stream`` begins, so (stream, seq) names one event for ever.
- While the disk refuses (full, read-only, failing) events wait in memory; when that is full, or the file has reached
  its cap, what the county has goes first, then telemetry, events, and alerts last; each loss is counted by class.
- Of itself the journal tells when it begins and ceases to lose what the county has not (one event each, not one a row),
  and that it began anew.
"""

import contextlib
import json
import logging
import pathlib
import sqlite3
import threading
import uuid
from collections.abc import Mapping
from typing import Any, Final

from device import outbox_cursor
from device.events import Event, EventClass, EventKind
from device.journal_store import CLASS_OF, Connect, DamagedError, Losses, Ring, Store, connect_file, result_code
from hal.clock import NS_PER_MS, Clock, boot_id, iso_utc

log = logging.getLogger(__name__)


RING_EVENTS: Final = 10_000
"""Events kept in memory while the disk refuses: a day of a busy junction (5 a minute), about 5 MB."""

MAX_ROWS: Final = 200_000
"""A month at 5 events a minute; an outage of 7 days (FAULTS 45) needs a quarter of it."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""About 300 B a row; also what the check at start-up has to read from an SD card (1-2 s at 40 MB/s)."""

BATCH_EVENTS: Final = 200
"""Events in one transaction. While one fsync runs the next batch gathers by itself; no timer is needed."""

RETRY_S: Final = 1.0
"""Pause after the disk refused. Short, because the ring is bounded; long enough not to spin on a dead card."""

QUARANTINE_KEEP: Final = 3
"""Damaged files kept for whoever comes to look; older ones are deleted."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})

_STILL_USABLE: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class JournalWriter:
    """Writes events to ``path`` from a thread of its own, opened there too, so that a slow card delays nobody. The
    outbox's cursor lies in the same folder."""

    def __init__(
        self,
        path: pathlib.Path,
        clock: Clock,
        *,
        max_rows: int = MAX_ROWS,
        max_bytes: int = MAX_BYTES,
        ring_events: int = RING_EVENTS,
        retry_s: float = RETRY_S,
        connect: Connect = connect_file,
    ) -> None:
        self._path = path
        self._clock = clock
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._retry_s = retry_s
        self._connect = connect
        self._boot_id = boot_id()
        self._changed = threading.Condition()
        self._ring = Ring(ring_events)
        self._in_hand: list[tuple[int, Event]] = []
        self._closing = False
        self._halt = threading.Event()  # ends the pause after a failure, when closing
        self._problem: str | None = None
        self._stream: str | None = None
        self._last_seq = 0
        self._pruned = 0
        self._quarantined = 0
        self._aside: str | None = None
        self._lost = Losses()  # of this stream, as far as it is on the disk
        self._ring_told = Losses()  # of what the ring shed, what has gone into that count
        self._losing_upto: int | None = None  # the last seq when something was lost; None: nothing is being lost
        self._room_was_made = False
        self._store: Store | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, event: Event) -> None:
        """Hands one event over. Never blocks on I/O and never raises; what cannot be kept is counted."""
        with self._changed:
            self._ring.push(event)
            self._changed.notify_all()

    def problem(self) -> str | None:
        """Why events are not reaching the disk, or None."""
        with self._changed:
            if self._problem is None:
                return None
            return f"{self._problem}; {self._ring.size} events in memory, {self._ring.shed.total()} dropped"

    def stream(self) -> str | None:
        """The id of this journal, None until it has been opened."""
        with self._changed:
            return self._stream

    def last_seq(self) -> int:
        """The last ``seq`` that is safely on the disk; 0 when there is none."""
        with self._changed:
            return self._last_seq

    def counters(self) -> dict[str, int]:
        """Events waiting in memory, dropped from memory, pruned from the file; files put aside."""
        with self._changed:
            return {
                "waiting": self._ring.size + len(self._in_hand),
                "dropped": self._ring.shed.total(),
                "pruned": self._pruned,
                "quarantined": self._quarantined,
            }

    def lost(self) -> dict[str, int]:
        """Events of this stream that were given up before the county had them, by class, telemetry first."""
        with self._changed:
            lost = self._lost + self._ring_lost()
        return {name.value: lost[name] for name in EventClass}

    def losing(self) -> bool:
        """Whether something was lost and the county has not caught up since."""
        with self._changed:
            return self._losing_upto is not None or self._ring_lost().total() > 0

    def flush(self, timeout_s: float) -> bool:
        """Waits until the journal is open and every event appended before is on the disk. False when time ran out or
        one was dropped."""
        with self._changed:
            upto = self._ring.last_ticket()
            dropped = self._ring.shed.total()
            settled = self._changed.wait_for(
                lambda: self._stream is not None and self._first_unsettled() > upto, timeout_s
            )
            return settled and self._ring.shed.total() == dropped

    def close(self, timeout_s: float = 2.0) -> None:
        """Writes what is waiting, once, and ends the thread; a disk that hangs costs ``timeout_s`` at most."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._halt.set()
        self._thread.join(timeout_s)

    def _ring_lost(self) -> Losses:
        """What the ring shed and no transaction has counted yet. The lock is held."""
        lost = Losses()
        for kind, count in self._ring.shed.items():
            lost[CLASS_OF[kind]] += count
        return lost - self._ring_told

    def _first_unsettled(self) -> int:
        return self._in_hand[0][0] if self._in_hand else self._ring.first_ticket()

    def _run(self) -> None:
        while True:
            try:
                self._open()
                with self._changed:
                    self._changed.wait_for(lambda: self._ring.size > 0 or self._closing)
                    if self._ring.size == 0:
                        break
                    self._in_hand = self._ring.take(BATCH_EVENTS)
                self._open()  # again: the file may have been moved while there was nothing to write
                self._write(self._in_hand)
            except Exception as error:  # noqa: BLE001 - the thread's top: the journal outlives whatever the disk does
                self._failed(error)
                if self._halt.wait(self._retry_s):
                    break
        if self._store is not None:
            self._store.close()

    def _open(self) -> None:
        if self._store is not None and self._store.replaced():
            log.error("event=journal_replaced path=%s", self._path)
            self._store.close()
            self._store = None
        if self._store is None:
            self._store = store = Store(self._path, self._connect)
            store.hold_reserve()
            before = self._stream or self._cursor_or_nothing().stream
            with self._changed:
                self._stream, self._last_seq, self._lost = store.stream, store.last_seq, Losses(store.lost)
                self._changed.notify_all()
            # The bridge may have seen the new file already, and written its stream into the cursor.
            if store.created and (before not in (None, store.stream) or self._aside is not None):
                self._losing_upto = None
                self._tell({"state": "new_stream", "before": before, "aside": self._aside})
                self._aside = None
        if self._problem is not None and not self._in_hand and self._ring.size == 0:
            # Nothing waits that could prove the disk well again, so what may have failed last is tried instead.
            self._count_losses(self._keep_to_the_cap(self._store))
            with self._changed:
                self._problem = None

    def _write(self, batch: list[tuple[int, Event]]) -> None:
        store = self._store
        if store is None:
            raise AssertionError("_open comes first")
        # Stamped here and not in append: after a step of the wall clock the newer anchor is the better one.
        quality = self._clock.quality().value
        wall_minus_mono_ns = self._clock.wall_ns() - self._clock.monotonic_ns()
        with self._changed:
            lost = self._ring_lost()
        store.write(
            [
                (
                    self._boot_id,
                    event.at_ns // NS_PER_MS,
                    iso_utc(event.at_ns + wall_minus_mono_ns),
                    quality,
                    event.kind.value,
                    event.face,
                    _json(event.body),
                )
                for _, event in batch
            ],
            lost,
        )
        with self._changed:
            self._in_hand = []
            self._last_seq, self._lost = store.last_seq, Losses(store.lost)
            self._ring_told += lost
            if self._problem is not None:
                log.warning("event=journal_recovered path=%s last_seq=%d", self._path, store.last_seq)
            self._problem = None
            self._changed.notify_all()
        if self._room_was_made and store.hold_reserve():
            self._room_was_made = False
        self._count_losses(lost + self._keep_to_the_cap(store))

    def _keep_to_the_cap(self, store: Store) -> Losses:
        lost = Losses()
        if store.rows > self._max_rows:
            # One per cent more than needed, so that not every batch has to delete.
            surplus = store.rows - self._max_rows + self._max_rows // 100
            lost += self._shed(store, *store.shed(surplus, self._cursor(store)))
        if store.used_bytes() > self._max_bytes:
            lost += self._shed(store, *store.shed(max(1, store.rows // 20), self._cursor(store)))
        return lost

    def _shed(self, store: Store, gone: int, lost: Losses) -> Losses:
        if gone:
            with self._changed:
                self._pruned += gone
                self._lost = Losses(store.lost)
            log.warning("event=journal_pruned path=%s rows=%d lost_to_the_county=%d", self._path, gone, lost.total())
        return lost

    def _count_losses(self, lost: Losses) -> None:
        """Tells that losing begins, and that it is over once the county has all that was left."""
        upto = self._losing_upto
        if lost.total():
            self._losing_upto = self._last_seq
            if upto is None:
                self._tell({"state": "losing", "lost": self.lost()})
        elif upto is not None and self._store is not None and self._cursor(self._store).delivered_upto() >= upto:
            self._losing_upto = None
            self._tell({"state": "kept", "lost": self.lost()})

    def _tell(self, body: Mapping[str, Any]) -> None:
        self.append(Event(EventKind.JOURNAL, self._clock.monotonic_ns(), None, body))

    def _cursor(self, store: Store) -> outbox_cursor.Cursor:
        """What the county has of this very journal."""
        cursor = self._cursor_or_nothing()
        return cursor if cursor.stream == store.stream else outbox_cursor.NOTHING

    def _cursor_or_nothing(self) -> outbox_cursor.Cursor:
        try:
            return outbox_cursor.read(self._path.with_name(outbox_cursor.CURSOR_FILE))
        except (OSError, ValueError) as error:
            log.warning("event=journal_cursor_unreadable error=%r effect=nothing_counts_as_delivered", error)
            return outbox_cursor.NOTHING

    def _failed(self, error: Exception) -> None:
        with self._changed:
            first = self._problem is None
            self._problem = f"journal {self._path}: {error}"
            self._ring.restore(self._in_hand)
            self._in_hand = []
            self._changed.notify_all()
        if first:
            log.error("event=journal_failed path=%s error=%r", self._path, error)
        store, code = self._store, result_code(error) if isinstance(error, sqlite3.Error) else 0
        if isinstance(error, DamagedError) or code in _DAMAGED:
            if store is not None:
                store.close()
            self._store = None
            self._put_aside()
        elif code == sqlite3.SQLITE_FULL and store is not None and not self._room_was_made:
            # Once an episode: whoever fills the disk must not cost us the whole history.
            self._room_was_made = True
            with contextlib.suppress(sqlite3.Error, OSError):
                self._count_losses(self._shed(store, *store.make_room(self._cursor(store))))
        elif code not in _STILL_USABLE and store is not None:
            store.close()
            self._store = None

    def _put_aside(self) -> None:
        """Renames the damaged file and its WAL. The database goes first: SQLite deletes a WAL without one."""
        name = self._path.name
        stamp = iso_utc(self._clock.wall_ns()).replace(":", "").replace(".", "")
        aside = self._path.with_name(f"{name}.damaged-{stamp}-{uuid.uuid4().hex[:6]}")
        try:
            self._path.rename(aside)
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    self._path.with_name(name + suffix).rename(aside.with_name(aside.name + suffix))
            kept = sorted(
                path for path in self._path.parent.glob(f"{name}.damaged-*") if not path.name.endswith(("-wal", "-shm"))
            )
            for old in kept[:-QUARANTINE_KEEP]:
                for suffix in ("", "-wal", "-shm"):
                    old.with_name(old.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            log.error("event=journal_quarantine_failed path=%s error=%r", self._path, error)
            return
        with self._changed:
            self._quarantined += 1
        self._aside = aside.name
        log.error("event=journal_quarantined path=%s aside=%s", self._path, aside)


def _json(body: Mapping[str, Any]) -> str:
    """JSON of an event's body; a value that JSON has no word for is written as text rather than lost."""
    try:
        return json.dumps(dict(body), ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        log.error("event=journal_body_unwritable error=%r", error)
        return json.dumps({"unwritable": repr(error)})
