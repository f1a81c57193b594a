"""The outbox's cursor on its way to the disk, on a thread of its own: a card that is slow to sync holds up nobody.

Invariants: the newest is what is written, and those that were overtaken are not; what could not be written is tried
again every second until it is or a newer one has come; after ``close`` the last one is on the disk, or ``problem`` says
why it is not.
"""

import pathlib
import threading
from typing import Final

from configs.files import write_atomically

AGAIN_S: Final = 1.0
CLOSE_S: Final = 5.0
"""A card that has not answered for so long will not."""


class CursorFile:
    """Takes what is to be written and returns at once. The thread begins with the first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next: tuple[pathlib.Path, bytes] | None = None
        self._closing = False
        self._problem: str | None = None
        self._thread: threading.Thread | None = None

    @property
    def problem(self) -> str | None:
        """Why the last attempt failed."""
        return self._problem

    def write(self, path: pathlib.Path, data: bytes) -> None:
        """Has ``data`` written to ``path``."""
        with self._changed:
            self._next = (path, data)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cursor", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Waits until all is written, or cannot be; ``CLOSE_S`` at most."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._closing)
                taken, self._next = self._next, None
            if taken is None:
                return
            try:
                write_atomically(*taken)
                self._problem = None
            except OSError as error:
                self._problem = str(error)
                with self._changed:
                    self._changed.wait_for(lambda: self._next is not None or self._closing, AGAIN_S)
                    if self._next is None and not self._closing:
                        self._next = taken
