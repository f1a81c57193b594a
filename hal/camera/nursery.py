"""Capture processes on demand: one small preloaded process per program, from which each capture is forked.

Why not a thread: ``cv2.VideoCapture.read`` can hang for ever, and only a process can be killed. Why not
``subprocess`` for each: a fork shares the pages of numpy and cv2 and starts in milliseconds. Why not
``multiprocessing``: its fork server re-imports the caller's main module and brings a resource tracker along.

Invariants: the nursery has one thread, so forking is safe; it ends when the program's end of its socket closes, and
its captures die with it (PR_SET_PDEATHSIG), so nothing outlives a program that was killed; memory is anonymous, so
nothing is left in /dev/shm.
"""

import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

ANSWER_S = 1.0
"""A nursery that takes nothing from its socket, or does not end, for this long is killed."""
_PROJECT = pathlib.Path(__file__).resolve().parents[2]

_QUIET = {
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_THREADS": "1",
}
"""Environment of the nursery: one thread, and no chatter of the codecs on stderr (reasons are reported by us)."""


@dataclasses.dataclass(slots=True)
class _Nursery:
    process: subprocess.Popen[bytes]
    talk: socket.socket


_lock = threading.Lock()
_nursery: _Nursery | None = None
_users = 0
_next_capture = 1


def enter() -> None:
    """Counts one more user; the nursery is started with the first ``start``."""
    global _users
    with _lock:
        _users += 1


def leave() -> None:
    """Counts one user less; with the last the nursery ends, and with it every capture."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _stop()


def start(request: Mapping[str, Any], fds: Sequence[int]) -> int:
    """Starts a capture, which gets copies of ``fds``; returns its number for ``kill``. Raises OSError."""
    global _next_capture
    with _lock:
        number = _next_capture
        _next_capture += 1
        data = json.dumps({"start": number, **request}).encode()
        try:
            _send(data, fds)
        except OSError:
            _stop()  # the nursery itself was killed (out of memory, say) or hangs: a new one
            _send(data, fds)
        return number


def kill(number: int) -> None:
    """Ends a capture at once, whatever it hangs in."""
    with _lock:
        if _nursery is not None:
            try:
                _send(json.dumps({"kill": number}).encode(), ())
            except OSError:
                _stop()


def process_id() -> int | None:
    """Process id of the nursery, for memory figures and tests; its captures are its children."""
    with _lock:
        return _nursery.process.pid if _nursery is not None else None


def _send(data: bytes, fds: Sequence[int]) -> None:
    global _nursery
    if _nursery is None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "hal.camera.capture", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=_PROJECT,
                env={**os.environ, **_QUIET},
            )
        ours.settimeout(ANSWER_S)
        _nursery = _Nursery(process, ours)
    socket.send_fds(_nursery.talk, [data], list(fds))


def _stop() -> None:
    global _nursery
    if _nursery is None:
        return
    _nursery.talk.close()
    try:
        _nursery.process.wait(ANSWER_S)
    except subprocess.TimeoutExpired:
        _nursery.process.kill()
        _nursery.process.wait()
    _nursery = None
