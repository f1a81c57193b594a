"""The journal: every event on disk before anybody is told of it, written by one thread that nobody waits for.

Invariants
- One thread alone touches the SQLite file; ``JournalWriter.append`` only takes a lock that is never held over I/O.
- What ``flush`` has acknowledged survives SIGKILL and a power cut (WAL with ``synchronous=FULL``).
- ``seq`` is never used twice within a ``stream``. A file that is damaged is put aside and a new one with a new
  ``stream`` begins, so (stream, seq) names one event for ever.
- While the disk refuses (full, read-only, failing) events wait in memory; when that is full, or the file has reached
  its cap, the least important go first, oldest first, alerts last, and each loss is counted.
"""

import collections
import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import sqlite3
import threading
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from device.events import Event, EventKind
from hal.clock import NS_PER_MS, Clock, boot_id, iso_utc

log = logging.getLogger(__name__)

JOURNAL_FILE: Final = "journal.db"
SCHEMA_VERSION: Final = 1

SHED_ORDER: Final = (
    EventKind.VOICE,
    EventKind.PART,
    EventKind.CAUTION,
    EventKind.HEALTH,
    EventKind.NODE,
    EventKind.CONFIG,
    EventKind.ALERT,
)
"""What is given up first when there is no room: what was said, then what flaps, alerts last."""

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

RESERVE_BYTES: Final = 1024 * 1024
"""Held beside the journal and given up when the disk is full: deleting rows needs room too (the WAL grows first, then
the file takes its pages). Twice the WAL at its checkpoint, below."""

CHECKPOINT_PAGES: Final = 100
"""Pages of 4 KiB in the WAL before SQLite moves them into the file."""

QUARANTINE_KEEP: Final = 3
"""Damaged files kept for whoever comes to look; older ones are deleted."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_STILL_USABLE: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

_SCHEMA: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, boot_id TEXT NOT NULL, mono_ms INTEGER NOT NULL,"
    " t TEXT NOT NULL, t_quality TEXT NOT NULL, kind TEXT NOT NULL, face TEXT, body TEXT NOT NULL)",
)

Connect = Callable[[pathlib.Path], sqlite3.Connection]


class JournalError(OSError):
    """The journal cannot be read now; the message names the file and the reason."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One event as journalled. ``mono_ms`` is only comparable within a ``boot_id``; ``t`` is ISO 8601 UTC."""

    stream: str
    seq: int
    boot_id: str
    mono_ms: int
    t: str
    t_quality: str
    kind: str
    face: str | None
    body: Mapping[str, Any]


def _connect(path: pathlib.Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=True)


def _code(error: sqlite3.Error) -> int:
    """Primary result code; the upper bits only refine it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class _DamagedError(Exception):
    """The file is no journal of ours; its owner puts it aside."""


class _Store:
    """The SQLite file as its one writing thread sees it. Raises sqlite3.Error, OSError and _DamagedError."""

    def __init__(self, path: pathlib.Path, connect: Connect) -> None:
        self._path = path
        if not path.exists():
            # A WAL left without its database belongs to another journal and must not be replayed into this one.
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        self._db = connect(path)
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            self.close()
            if _code(error) == sqlite3.SQLITE_ERROR:  # a table or column that should be there is not
                raise _DamagedError(str(error)) from error
            raise
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA cache_size=-512")
        db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise _DamagedError(str(verdict))
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version == 0:
            self._create()
        elif version != SCHEMA_VERSION:
            raise _DamagedError(f"schema version {version}, this program writes {SCHEMA_VERSION}")
        found = db.execute("SELECT value FROM meta WHERE key = 'stream'").fetchone()
        if found is None:
            raise _DamagedError("no stream id")
        self.stream: str = found[0]
        self.rows: int = db.execute("SELECT count(*) FROM events").fetchone()[0]
        sequence = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        self.last_seq: int = 0 if sequence is None else sequence[0]
        status = self._path.stat()
        self._inode = (status.st_dev, status.st_ino)

    def _create(self) -> None:
        db = self._db
        with self._transaction():
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('stream', ?)", (str(uuid.uuid4()),))
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def replaced(self) -> bool:
        """Whether somebody moved or deleted the file: SQLite would go on writing to a file without a name."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return True
        return (status.st_dev, status.st_ino) != self._inode

    def write(self, rows: list[tuple[str, int, str, str, str, str | None, str]]) -> None:
        """One transaction; on return the rows are on the disk, in order, with consecutive ``seq``."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO events (boot_id, mono_ms, t, t_quality, kind, face, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            last = self._db.execute("SELECT last_insert_rowid()").fetchone()[0]
        self.last_seq = last
        self.rows += len(rows)

    def used_bytes(self) -> int:
        """Bytes of the pages in use; freed pages are reused and do not count."""
        pages, free, size = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def shed(self, count: int) -> int:
        """Deletes the ``count`` oldest rows below alert, and alerts only when nothing else is left."""
        with self._transaction():
            gone = self._db.execute(
                "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE kind <> 'alert' ORDER BY seq LIMIT ?)",
                (count,),
            ).rowcount
            if gone < count:
                gone += self._db.execute(
                    "DELETE FROM events WHERE seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?)", (count - gone,)
                ).rowcount
        self.rows -= gone
        return gone

    def hold_reserve(self) -> bool:
        """Sets the reserve aside if it is not there and four times its size is free; whether it is there now."""
        reserve = self._path.with_name(self._path.name + "-reserve")
        try:
            if reserve.exists():
                return True
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < 4 * RESERVE_BYTES:
                return False
            with reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            return False
        return True

    def make_room(self) -> int:
        """After a full disk: gives up the reserve, moves the WAL into the file, frees a twentieth of that for reuse."""
        self._path.with_name(self._path.name + "-reserve").unlink(missing_ok=True)
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        lesser = self._db.execute("SELECT count(*) FROM events WHERE kind <> 'alert'").fetchone()[0]
        return self.shed(min(lesser, max(1, self.rows // 20))) if lesser else 0

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.close()


class _Ring:
    """Events waiting for the disk, in order, bounded. Not thread-safe: its owner holds the lock."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: dict[EventKind, collections.deque[tuple[int, Event]]] = {
            kind: collections.deque() for kind in SHED_ORDER
        }
        self._ticket = 0
        self.size = 0
        self.shed: collections.Counter[EventKind] = collections.Counter()

    def push(self, event: Event) -> None:
        self._ticket += 1
        self._waiting[event.kind].append((self._ticket, event))
        self.size += 1
        self._shed_surplus()

    def take(self, limit: int) -> list[tuple[int, Event]]:
        """The oldest events, out of the ring; ``restore`` puts them back when they could not be written."""
        batch: list[tuple[int, Event]] = []
        while len(batch) < limit:
            heads = [queue for queue in self._waiting.values() if queue]
            if not heads:
                break
            batch.append(min(heads, key=lambda queue: queue[0][0]).popleft())
        self.size -= len(batch)
        return batch

    def restore(self, batch: list[tuple[int, Event]]) -> None:
        for ticket, event in reversed(batch):
            self._waiting[event.kind].appendleft((ticket, event))
        self.size += len(batch)
        self._shed_surplus()

    def first_ticket(self) -> int:
        """Ticket of the oldest event here, or of the next one to come."""
        return min((queue[0][0] for queue in self._waiting.values() if queue), default=self._ticket + 1)

    def last_ticket(self) -> int:
        return self._ticket

    def _shed_surplus(self) -> None:
        while self.size > self._capacity:
            kind = next(kind for kind in SHED_ORDER if self._waiting[kind])
            self._waiting[kind].popleft()
            self.size -= 1
            self.shed[kind] += 1


class JournalWriter:
    """Writes events to ``path`` from a thread of its own, opened there too, so that a slow card delays nobody."""

    def __init__(
        self,
        path: pathlib.Path,
        clock: Clock,
        *,
        max_rows: int = MAX_ROWS,
        max_bytes: int = MAX_BYTES,
        ring_events: int = RING_EVENTS,
        retry_s: float = RETRY_S,
        connect: Connect = _connect,
    ) -> None:
        self._path = path
        self._clock = clock
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._retry_s = retry_s
        self._connect = connect
        self._boot_id = boot_id()
        self._changed = threading.Condition()
        self._ring = _Ring(ring_events)
        self._in_hand: list[tuple[int, Event]] = []
        self._closing = False
        self._halt = threading.Event()  # ends the pause after a failure, when closing
        self._problem: str | None = None
        self._stream: str | None = None
        self._last_seq = 0
        self._pruned = 0
        self._quarantined = 0
        self._room_was_made = False
        self._store: _Store | None = None
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
            self._store = store = _Store(self._path, self._connect)
            store.hold_reserve()
            with self._changed:
                self._stream, self._last_seq = store.stream, store.last_seq
                self._changed.notify_all()
        if self._problem is not None and not self._in_hand and self._ring.size == 0:
            # Nothing waits that could prove the disk well again, so what may have failed last is tried instead.
            self._keep_to_the_cap(self._store)
            with self._changed:
                self._problem = None

    def _write(self, batch: list[tuple[int, Event]]) -> None:
        store = self._store
        if store is None:
            raise AssertionError("_open comes first")
        # Stamped here and not in append: after a step of the wall clock the newer anchor is the better one.
        quality = self._clock.quality().value
        wall_minus_mono_ns = self._clock.wall_ns() - self._clock.monotonic_ns()
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
            ]
        )
        with self._changed:
            self._in_hand = []
            self._last_seq = store.last_seq
            if self._problem is not None:
                log.warning("event=journal_recovered path=%s last_seq=%d", self._path, store.last_seq)
            self._problem = None
            self._changed.notify_all()
        if self._room_was_made and store.hold_reserve():
            self._room_was_made = False
        self._keep_to_the_cap(store)

    def _keep_to_the_cap(self, store: _Store) -> None:
        gone = 0
        if store.rows > self._max_rows:
            # One per cent more than needed, so that not every batch has to delete.
            gone += store.shed(store.rows - self._max_rows + self._max_rows // 100)
        if store.used_bytes() > self._max_bytes:
            gone += store.shed(max(1, store.rows // 20))
        if gone:
            with self._changed:
                self._pruned += gone
            log.warning("event=journal_pruned path=%s rows=%d", self._path, gone)

    def _failed(self, error: Exception) -> None:
        with self._changed:
            first = self._problem is None
            self._problem = f"journal {self._path}: {error}"
            self._ring.restore(self._in_hand)
            self._in_hand = []
            self._changed.notify_all()
        if first:
            log.error("event=journal_failed path=%s error=%r", self._path, error)
        store, code = self._store, _code(error) if isinstance(error, sqlite3.Error) else 0
        if isinstance(error, _DamagedError) or code in _DAMAGED:
            if store is not None:
                store.close()
            self._store = None
            self._put_aside()
        elif code == sqlite3.SQLITE_FULL and store is not None and not self._room_was_made:
            # Once an episode: whoever fills the disk must not cost us the whole history.
            self._room_was_made = True
            with contextlib.suppress(sqlite3.Error, OSError):
                gone = store.make_room()
                with self._changed:
                    self._pruned += gone
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
        log.error("event=journal_quarantined path=%s aside=%s", self._path, aside)


def _json(body: Mapping[str, Any]) -> str:
    """JSON of an event's body; a value that JSON has no word for is written as text rather than lost."""
    try:
        return json.dumps(dict(body), ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        log.error("event=journal_body_unwritable error=%r", error)
        return json.dumps({"unwritable": repr(error)})


class JournalReader:
    """Reads the journal from another process or thread, never writing to it.

    Follows the writer when it starts a new file. Each call is one short read transaction, so that the writer can
    always checkpoint. Methods raise JournalError while the file is missing, half made or damaged.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._stream = ""

    def stream(self) -> str:
        """The id of the journal now at ``path``."""
        with self._reading():
            return self._stream

    def last_seq(self) -> int:
        """The last ``seq`` given out; 0 when there is none."""
        with self._reading() as db:
            found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
            return 0 if found is None else int(found[0])

    def after(self, seq: int, limit: int, *, upto: int | None = None) -> list[Row]:
        """At most ``limit`` rows with a ``seq`` above ``seq`` (and not above ``upto``), in order."""
        with self._reading() as db:
            found = db.execute(
                "SELECT seq, boot_id, mono_ms, t, t_quality, kind, face, body FROM events"
                " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (seq, 2**62 if upto is None else upto, limit),
            ).fetchall()
            return [
                Row(self._stream, row_seq, boot, mono_ms, t, quality, kind, face, json.loads(body))
                for row_seq, boot, mono_ms, t, quality, kind, face, body in found
            ]

    def close(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db, self._inode = None, None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._current()
        except (sqlite3.Error, OSError, ValueError) as error:
            self.close()
            raise JournalError(f"journal {self._path}: {error}") from error

    def _current(self) -> sqlite3.Connection:
        status = self._path.stat()
        inode = (status.st_dev, status.st_ino)
        if self._db is not None and inode == self._inode:
            return self._db
        self.close()
        uri = f"file:{urllib.parse.quote(str(self._path.absolute()))}?mode=ro"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0)
        try:
            found = db.execute("SELECT value FROM meta WHERE key = 'stream'").fetchone()
            if found is None:
                raise ValueError("no stream id yet")
        except BaseException:
            db.close()
            raise
        self._db, self._inode, self._stream = db, inode, str(found[0])
        return db
