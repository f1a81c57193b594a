"""Helpers of the journal's tests: events of a junction, and connections to a disk that fails."""

import pathlib
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from device.events import Event, EventKind
from device.journal_reader import JournalReader, Row

MS = 1_000_000


def alert(n: int, face: str = "branch_south") -> Event:
    return Event(EventKind.ALERT, n * MS, face, {"n": n, "level": "alert"})


def event(kind: EventKind, n: int) -> Event:
    return Event(kind, n * MS, "branch_south", {"n": n})


def rows_of(path: pathlib.Path) -> list[Row]:
    reader = JournalReader(path)
    try:
        return reader.after(0, 1_000_000)
    finally:
        reader.close()


def numbers(path: pathlib.Path) -> list[int]:
    """The ``n`` of every event in the journal, in order of seq, but for what the journal tells of itself."""
    return [row.body["n"] for row in rows_of(path) if "n" in row.body]


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
    """Returns as soon as the condition holds; fails, saying what was waited for, when it does not come to hold."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for: {what}"
        time.sleep(0.01)


def disk_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(f"injected fault {code}")
    error.sqlite_errorcode = code
    return error


class FlakyDisk:
    """Counts every statement of every connection and fails those it is told to, before they run."""

    def __init__(self, faults: dict[int, int]) -> None:
        self._faults = faults
        self._lock = threading.Lock()
        self.statements = 0
        self.raised = 0

    def check(self, statement: str) -> None:
        if statement == "ROLLBACK":
            return
        with self._lock:
            self.statements += 1
            code = self._faults.get(self.statements)
            if code is None:
                return
            self.raised += 1
        raise disk_error(code)

    def connect(self, path: pathlib.Path) -> sqlite3.Connection:
        check = self.check

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                check(sql)
                return super().execute(sql, *args)

            def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
                check(sql)
                return super().executemany(sql, *args)

        return sqlite3.connect(path, isolation_level=None, factory=Connection)


def slow_connect(release: threading.Event) -> Callable[[pathlib.Path], sqlite3.Connection]:
    """A card that does not answer until ``release`` is set."""

    def connect(path: pathlib.Path) -> sqlite3.Connection:
        release.wait(60)
        return sqlite3.connect(path, isolation_level=None)

    return connect
