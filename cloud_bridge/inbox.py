"""The group's bundle on its way from the broker to the node's inbox, ``{state}/county/inbox/``; nothing is judged here.

Invariants
- What waits in memory is one bundle, the last that came, of at most ``MAX_PACKED_BYTES``: a flood costs no more.
- A file is there whole or not at all, under its hash; the newest by its time stamp is the last that came, whatever the
  clock says (after a power cut it may stand at 1970): whoever takes from the inbox takes that one.
- The same bundle again, as after each reconnect, writes nothing, also where it was taken from the inbox meanwhile.
- What cannot be written is tried again.
"""

import contextlib
import hashlib
import logging
import os
import pathlib
import re
import threading
from typing import Final

from cloud_bridge.topics import InboxHealth
from configs.bundle import MAX_PACKED_BYTES
from configs.files import write_atomically
from hal.clock import NS_PER_S, Clock

log = logging.getLogger(__name__)

KEPT: Final = 3
"""The newest is the one that counts; those before it are for whoever wants to know what came in the night."""

WRITE_EVERY_NS: Final = 5 * NS_PER_S
"""Least time between two writes: who floods the topic wears the flash by 50 kB a second at most, and an order to go
back, which may follow its bundle at once, is not kept waiting for long."""

_OURS: Final = re.compile(r"[0-9a-f]{64}\.bundle")
_HALF: Final = re.compile(r"\.[0-9a-f]{64}\.bundle\..+")


class Inbox:
    """The inbox of one node. ``offer`` may be called from any thread, everything else from one. ``offered_bytes``: all
    that was offered, whatever became of it."""

    def __init__(self, folder: pathlib.Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: bytes | None = None
        self.offered_bytes = 0
        self._too_big = 0
        self._last_too_big = False
        self._subscription_problem: str | None = None
        self._written = 0
        self._last: str | None = None
        self._looked = False
        self._next_ns = clock.monotonic_ns()
        self._problem: str | None = None

    def offer(self, payload: bytes) -> None:
        """A message of the group's topic. An empty one is how a broker forgets a retained message, and says nothing."""
        if not payload:
            return
        with self._lock:
            self.offered_bytes += len(payload)
            self._last_too_big = len(payload) > MAX_PACKED_BYTES
            if self._last_too_big:
                self._too_big += 1
            else:
                self._waiting = payload

    def keep(self) -> None:
        """Writes what waits, if it is time."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            if self._waiting is None or now_ns < self._next_ns:
                return
            payload, self._waiting = self._waiting, None
        try:
            self._write(payload)
            self._problem = None
        except OSError as error:
            self._next_ns = now_ns + WRITE_EVERY_NS
            if self._problem is None:
                log.error("event=inbox_unwritable folder=%s error=%r", self._folder, error)
            self._problem = f"{self._folder}: {error.strerror or error}"
            with self._lock:
                if self._waiting is None:
                    self._waiting = payload

    def subscribed(self, problem: str | None) -> None:
        """Whether the broker lets this node hear its group; ``problem`` in words where it does not."""
        self._subscription_problem = problem

    def health(self) -> InboxHealth:
        """For the county."""
        big = f"the group's topic carries more than {MAX_PACKED_BYTES} bytes" if self._last_too_big else None
        return InboxHealth(
            received=self._written,
            too_big=self._too_big,
            problem=self._problem or self._subscription_problem or big,
        )

    def _write(self, payload: bytes) -> None:
        name = f"{hashlib.sha256(payload).hexdigest()}.bundle"
        if not self._looked:
            self._look()
        if name == self._last:
            return
        self._next_ns = self._clock.monotonic_ns() + WRITE_EVERY_NS
        path = self._folder / name
        self._age()
        write_atomically(path, payload)
        self._last = name
        self._written += 1
        log.info("event=bundle_received sha256=%s size=%d", path.stem, len(payload))
        for old in self._files()[:-KEPT]:
            old.unlink(missing_ok=True)

    def _look(self) -> None:
        """What a bridge before this one left: its newest bundle need not be written again, halves of one go."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for half in self._folder.iterdir():
            if _HALF.fullmatch(half.name):
                half.unlink(missing_ok=True)
        files = self._files()
        self._last = files[-1].name if files else None
        self._looked = True

    def _age(self) -> None:
        """What a clock that was ahead dated into the future goes into the past, in its order, before the next comes."""
        files = self._dated(re.compile(r"[^.].*"))
        if files and files[-1][0] > self._clock.wall_ns() - NS_PER_S:
            for place, (_mtime_ns, path) in enumerate(files):
                with contextlib.suppress(FileNotFoundError):
                    os.utime(path, ns=(place, place))

    def _files(self) -> list[pathlib.Path]:
        """Our own, oldest first; what was put in by hand is not ours to tidy."""
        return [path for _mtime_ns, path in self._dated(_OURS)]

    def _dated(self, names: re.Pattern[str]) -> list[tuple[int, pathlib.Path]]:
        found = []
        for path in self._folder.iterdir():
            if names.fullmatch(path.name):
                with contextlib.suppress(FileNotFoundError):  # taken from the inbox while we look
                    found.append((path.stat().st_mtime_ns, path))
        return sorted(found)
