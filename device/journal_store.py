"""Where the journal's events are while they wait, and the SQLite file they go to. Used by the writer's thread alone.

Invariants: a batch is one transaction with ``synchronous=FULL``; what is no journal of ours is a DamagedError for its
owner to put aside; what there is no room for goes by its class, oldest first: in the file what the county has before
what it has not, and what is lost to the county is counted by class in the very transaction that deletes it.
"""

import collections
import contextlib
import os
import pathlib
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from device.events import Event, EventClass, EventKind
from device.outbox_cursor import Cursor

SCHEMA_VERSION: Final = 1

SHED_CLASSES: Final[Mapping[EventClass, tuple[EventKind, ...]]] = {
    EventClass.TELEMETRY: (EventKind.VOICE, EventKind.PART, EventKind.PASSAGE, EventKind.DUTY),
    EventClass.EVENT: (
        EventKind.SPEEDING,
        EventKind.WRONG_WAY,
        EventKind.RIGHT_TURN,
        EventKind.CAUTION,
        EventKind.HEALTH,
        EventKind.NODE,
        EventKind.CONFIG,
    ),
    EventClass.ALERT: (EventKind.JOURNAL, EventKind.NEAR_MISS, EventKind.ALERT),
}
"""What is given up first when there is no room: telemetry, then events, alerts last. Telemetry is what comes with every
road user or flaps: most of the rows, and of each the least worth."""

SHED_ORDER: Final = tuple(kind for kinds in SHED_CLASSES.values() for kind in kinds)
"""The kinds in that order; in memory each kind is a queue of its own."""

CLASS_OF: Final[Mapping[EventKind, EventClass]] = {kind: name for name, kinds in SHED_CLASSES.items() for kind in kinds}

Losses = collections.Counter[EventClass]
"""How many events the county will never have, by class."""

RESERVE_BYTES: Final = 1024 * 1024
"""Held beside the journal and given up when the disk is full: deleting rows needs room too (the WAL grows first, then
the file takes its pages). Twice the WAL at its checkpoint, below."""

CHECKPOINT_PAGES: Final = 100
"""Pages of 4 KiB in the WAL before SQLite moves them into the file."""

_SCHEMA: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, boot_id TEXT NOT NULL, mono_ms INTEGER NOT NULL,"
    " t TEXT NOT NULL, t_quality TEXT NOT NULL, kind TEXT NOT NULL, face TEXT, body TEXT NOT NULL)",
)

Connect = Callable[[pathlib.Path], sqlite3.Connection]


def connect_file(path: pathlib.Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=True)


def result_code(error: sqlite3.Error) -> int:
    """Primary result code; the upper bits only refine it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class DamagedError(Exception):
    """The file is no journal of ours; its owner puts it aside."""


class Store:
    """The SQLite file as its one writing thread sees it. Raises sqlite3.Error, OSError and DamagedError."""

    def __init__(self, path: pathlib.Path, connect: Connect) -> None:
        self._path = path
        if not path.exists():
            # A WAL left without its database belongs to another journal and must not be replayed into this one.
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        self.created = False
        """Whether there was no journal here, so that a new stream began."""
        self._db = connect(path)
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            self.close()
            if result_code(error) == sqlite3.SQLITE_ERROR:  # a table or column that should be there is not
                raise DamagedError(str(error)) from error
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
            raise DamagedError(str(verdict))
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version == 0:
            self._create()
        elif version != SCHEMA_VERSION:
            raise DamagedError(f"schema version {version}, this program writes {SCHEMA_VERSION}")
        found = db.execute("SELECT value FROM meta WHERE key = 'stream'").fetchone()
        if found is None:
            raise DamagedError("no stream id")
        self.stream: str = found[0]
        self.rows: int = db.execute("SELECT count(*) FROM events").fetchone()[0]
        sequence = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        self.last_seq: int = 0 if sequence is None else sequence[0]
        self.lost: Losses = collections.Counter()
        for name in EventClass:
            count = db.execute("SELECT value FROM meta WHERE key = ?", (f"lost_{name}",)).fetchone()
            self.lost[name] = 0 if count is None else int(count[0])
        status = self._path.stat()
        self._inode = (status.st_dev, status.st_ino)

    def _create(self) -> None:
        db = self._db
        with self._transaction():
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('stream', ?)", (str(uuid.uuid4()),))
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        self.created = True

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

    def write(self, rows: list[tuple[str, int, str, str, str, str | None, str]], lost: Losses) -> None:
        """One transaction; on return the rows are on the disk, in order, with consecutive ``seq``, and so is the count
        of what was ``lost`` before it came here."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO events (boot_id, mono_ms, t, t_quality, kind, face, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            last = self._db.execute("SELECT last_insert_rowid()").fetchone()[0]
            self._note(lost)
        self.last_seq = last
        self.lost += lost
        self.rows += len(rows)

    def used_bytes(self) -> int:
        """Bytes of the pages in use; freed pages are reused and do not count."""
        pages, free, size = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def shed(self, count: int, cursor: Cursor, *, spare_alerts: bool = False) -> tuple[int, Losses]:
        """Deletes ``count`` rows: what the county has by ``cursor``, then what it has not, in each telemetry, events
        and alerts, oldest first; with ``spare_alerts`` no alert that it has not. How many went, and how many of them
        are lost to the county."""
        gone, lost = 0, Losses()
        with self._transaction():
            for delivered in (True, False):
                for name in EventClass:
                    if gone == count or (spare_alerts and not delivered and name is EventClass.ALERT):
                        continue
                    where, values = _of_class(name, cursor, delivered)
                    found = self._db.execute(
                        f"DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE {where} ORDER BY seq LIMIT ?)",
                        (*values, count - gone),
                    ).rowcount
                    gone += found
                    lost[name] += 0 if delivered else found
            self._note(lost)
        self.rows -= gone
        self.lost += lost
        return gone, +lost

    def _note(self, lost: Losses) -> None:
        for name, count in (+lost).items():
            self._db.execute(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
                (f"lost_{name}", count),
            )

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

    def make_room(self, cursor: Cursor) -> tuple[int, Losses]:
        """After a full disk: gives up the reserve, moves the WAL into the file, frees a twentieth of that for reuse."""
        self._path.with_name(self._path.name + "-reserve").unlink(missing_ok=True)
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.shed(max(1, self.rows // 20), cursor, spare_alerts=True)

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.close()


def _of_class(name: EventClass, cursor: Cursor, delivered: bool) -> tuple[str, list[object]]:
    """Condition and values of the rows of a class that the county has, or has not. A kind that this program does not
    know (an older one wrote it) weighs as an event."""
    others = name is EventClass.EVENT
    kinds = [kind for kind, its in CLASS_OF.items() if (its is name) != others]
    among = f"kind {'NOT IN' if others else 'IN'} ({', '.join('?' * len(kinds))})"
    has = "seq <= ?" + " AND NOT (seq > ? AND seq <= ?)" * len(cursor.backlog)
    bounds = [cursor.live, *(bound for bounds in cursor.backlog for bound in bounds)]
    return f"{among} AND {'' if delivered else 'NOT '}({has})", [*kinds, *bounds]


class Ring:
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
