"""Core's end of ``vision.sock`` for tests, and a vision process that is started on it."""

import contextlib
import pathlib
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from device import ipc

PROJECT = pathlib.Path(__file__).resolve().parents[2]


class StubCore:
    """Listens, keeps every message, and can say something back."""

    def __init__(self, run_dir: pathlib.Path) -> None:
        self.path = run_dir / ipc.VISION_SOCKET
        self.messages: list[dict[str, Any]] = []
        self.peer: socket.socket | None = None
        self._server = ipc.listen(self.path)

    def until(self, wanted: Callable[[dict[str, Any]], bool], *, within_s: float = 30.0) -> dict[str, Any]:
        """The first message from now on that is wanted. Fails the test when none comes."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            for message in self._receive(deadline - time.monotonic()):
                if wanted(message):
                    return message
        raise AssertionError(f"no such message within {within_s} s; the last ones were {self.messages[-5:]}")

    def listen_for(self, duration_s: float) -> list[dict[str, Any]]:
        """All messages of the next while."""
        deadline = time.monotonic() + duration_s
        before = len(self.messages)
        while time.monotonic() < deadline:
            self._receive(deadline - time.monotonic())
        return self.messages[before:]

    def say(self, message: dict[str, Any]) -> None:
        """Sends one message to vision."""
        assert self.peer is not None
        assert ipc.send(self.peer, message)

    def close(self) -> None:
        """Dies as a killed core does."""
        self._server.close()
        if self.peer is not None:
            self.peer.close()

    def _receive(self, timeout_s: float) -> list[dict[str, Any]]:
        waiting = self.peer if self.peer is not None else self._server
        if not select.select([waiting], [], [], max(0.0, min(timeout_s, 0.2)))[0]:
            return []
        if self.peer is None:
            self.peer = self._server.accept()[0]
            self.peer.setblocking(False)
            return []
        got: list[dict[str, Any]] = []
        with contextlib.suppress(BlockingIOError):
            try:
                while True:
                    message = ipc.receive(self.peer)
                    assert message is not None
                    got.append(message)
            except EOFError:
                self.peer.close()
                self.peer = None
        self.messages += got
        return got


@contextlib.contextmanager
def vision_process(config: pathlib.Path, run_dir: pathlib.Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A running vision process; killed at the end if it is still there."""
    folders = ["--run-dir", str(run_dir), "--state-dir", str(run_dir / "state")]
    with (run_dir / "vision.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "device.vision", "--config", str(config), *folders],
            cwd=PROJECT,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def site_text(cameras: str, extra: str = "") -> str:
    """A small site file whose cameras section is given (indented by two)."""
    return f"""
site: {{id: 371500/n0001, name: 示例路口}}
approaches:
  main_east: {{road: main, limit_kmh: 60, conflicts: [branch_south]}}
  branch_south: {{road: branch, limit_kmh: 30, conflicts: [main_east]}}
cameras:
{cameras}
lamps:
  l_branch: {{driver: gpio, pin: 17, faces: [branch_south]}}
{extra}
"""


WHOLE = "zones: {branch_south: {wait: [[0, 0], [1, 0], [1, 1], [0, 1]]}}"
"""A wait zone that is the whole picture."""
