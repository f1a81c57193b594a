"""Keeps what each face has spent of its day of camera alone on the disk, so that a restart begins no new day.

Invariants: seconds are kept and no time of day, so that neither a reboot nor a jump of the wall clock changes them; a
start costs the minute that may not have been written; a file that cannot be read counts as a whole day spent; a disk
that is full, read-only or hangs is told by ``problem`` and costs the caller no time. One thread of its own.
"""

import json
import logging
import math
import pathlib
import queue
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

from configs.files import write_atomically
from device.camera_alone import CAMERA_ALONE_MAX_S

log = logging.getLogger(__name__)

FILE: Final = "camera_alone.json"

WRITE_EVERY_S: Final = 60.0
"""While a camera stands alone; 1,440 small files in the day after which nothing changes any more."""

RETRY_S: Final = 60.0
WAITING: Final = 2
"""Writings that may wait for the disk before that is a problem."""

Spent = Mapping[str, float]
"""Face -> seconds of camera alone that are spent; a face that is not there has spent none."""


class CameraAloneFile:
    """The file. ``spent_s`` is what it held at the start; ``keep`` and ``problem`` are for the caller's thread."""

    def __init__(self, path: pathlib.Path, faces: Iterable[str]) -> None:
        self._path = path
        self._kept = _read(path)
        whole_day = dict.fromkeys(faces, CAMERA_ALONE_MAX_S)
        self.spent_s: Spent = (
            whole_day
            if self._kept is None
            else {face: seconds + WRITE_EVERY_S for face, seconds in self._kept.items() if face in whole_day}
        )
        self._queue: queue.SimpleQueue[Spent | None] = queue.SimpleQueue()
        self._asked = 0
        self._tried = 0  # written by the thread alone, as is the problem
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="camera_alone", daemon=True)
        self._thread.start()

    def keep(self, spent_s: Spent) -> None:
        """Has it written where it is another minute than the last one; never waits. Call it once a second."""
        kept = self._kept
        if (
            kept is not None
            and kept.keys() == spent_s.keys()
            and all(abs(seconds - kept[face]) < WRITE_EVERY_S for face, seconds in spent_s.items())
        ):
            return
        self._kept = dict(spent_s)
        self._asked += 1
        self._queue.put(self._kept)

    def problem(self) -> str | None:
        """Why the hours of camera alone are not reaching the disk, or None."""
        if self._problem is None and self._asked - self._tried > WAITING:
            return "hours of camera alone: the disk does not keep up"
        return self._problem

    def close(self, timeout_s: float = 2.0) -> None:
        """Writes what is waiting and ends the thread; a disk that hangs costs ``timeout_s`` at most."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        failed: Spent | None = None
        while True:
            try:
                newest = self._queue.get(timeout=None if failed is None else RETRY_S)
                self._tried += newest is not None
            except queue.Empty:
                newest = failed
            if newest is None:
                break
            failed = None if self._written(newest) else newest

    def _written(self, spent_s: Spent) -> bool:
        data = json.dumps({"camera_alone_s": {face: round(seconds) for face, seconds in sorted(spent_s.items())}})
        try:
            write_atomically(self._path, data.encode() + b"\n")
        except OSError as error:
            if self._problem is None:
                log.error("event=camera_alone_not_written path=%s error=%r", self._path, error)
            self._problem = f"hours of camera alone cannot be written: {error}"
            return False
        self._problem = None
        return True


def _read(path: pathlib.Path) -> dict[str, float] | None:
    """What the file holds; None when that cannot be known."""
    try:
        values: Any = json.loads(path.read_bytes())["camera_alone_s"]
        spent_s = {str(face): float(seconds) for face, seconds in values.items()}
        if not all(math.isfinite(seconds) and seconds >= 0 for seconds in spent_s.values()):
            raise ValueError(f"seconds {values!r}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        log.error("event=camera_alone_unreadable path=%s error=%r counts_as=a_whole_day", path, error)
        return None
    return spent_s
