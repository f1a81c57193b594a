"""The lamp tap: JSON lines by which anyone can time the node from outside.

The words are a contract: ``{"mono_ns", "lamp", "on", "shows", "caused_by_ns"}``, ``mono_ns`` taken right after the
pin was switched. Invariant: a tap that cannot be written never matters to the lamp; one line is one ``write``.
"""

import contextlib
import json
import os


class Tap:
    """Appends to one file; opening, writing and closing never raise and never wait."""

    def __init__(self, path: str) -> None:
        self._fd: int | None = None
        with contextlib.suppress(OSError):
            # Non-blocking: a named pipe nobody reads must not hold the lamp.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o644)

    def write(self, mono_ns: int, lamp: str, on: bool, shows: str, caused_by_ns: int | None) -> None:
        if self._fd is None:
            return
        line = {"mono_ns": mono_ns, "lamp": lamp, "on": on, "shows": shows, "caused_by_ns": caused_by_ns}
        with contextlib.suppress(OSError):
            os.write(self._fd, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
