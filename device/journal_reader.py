"""Reads the journal from another process or thread, by whoever keeps a cursor. Never writes.

Invariants: each call is one short read transaction, so that the writer can always checkpoint; a journal that the writer
put aside and began anew is followed; what cannot be read is a JournalError that names the file.
"""

import contextlib
import dataclasses
import json
import pathlib
import sqlite3
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, Final

JOURNAL_FILE: Final = "journal.db"


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
            return [self._row(*row) for row in found]

    def between(self, since: str, until: str, seq: int, limit: int) -> list[Row]:
        """At most ``limit`` rows with ``since`` <= ``t`` < ``until`` (ISO 8601 UTC, as written) and a ``seq`` above
        ``seq``, in order of ``seq``. Reads the whole file: for a report, not for a loop."""
        with self._reading() as db:
            found = db.execute(
                "SELECT seq, boot_id, mono_ms, t, t_quality, kind, face, body FROM events"
                " WHERE seq > ? AND t >= ? AND t < ? ORDER BY seq LIMIT ?",
                (seq, since, until, limit),
            ).fetchall()
            return [self._row(*row) for row in found]

    def undated(self) -> int:
        """How many rows were written while the wall clock was certainly wrong."""
        with self._reading() as db:
            return int(db.execute("SELECT count(*) FROM events WHERE t_quality = 'floor'").fetchone()[0])

    def close(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db, self._inode = None, None

    def _row(
        self, seq: int, boot: str, mono_ms: int, t: str, quality: str, kind: str, face: str | None, body: str
    ) -> Row:
        return Row(self._stream, seq, boot, mono_ms, t, quality, kind, face, json.loads(body))

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
