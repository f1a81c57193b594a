"""A real guard process on mock pins, and a core process that does nothing but renew; for tests and benches.

Everything waits on a condition with a deadline. The tap is the only witness: it is what a stranger would have.
"""

import contextlib
import dataclasses
import json
import pathlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

from device import ipc
from hal.clock import NS_PER_S, SYSTEM_CLOCK

DEADLINE_S = 20.0
PATTERN = {"period_s": 1.0, "lit_pct": 50.0}

_RENEWING = """
import json, socket, sys, time
path, shows, lamps = sys.argv[1], sys.argv[2], sys.argv[3:]
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
while True:
    try:
        peer.connect(path)
        break
    except ConnectionRefusedError:
        time.sleep(0.01)
seq = 0
while True:
    seq += 1
    wishes = {lamp: {"shows": shows, "caused_by_ns": time.monotonic_ns()} for lamp in lamps}
    peer.send(json.dumps({"seq": seq, "lease_ms": 150, "brightness_pct": 100, "lamps": wishes}).encode())
    time.sleep(0.02)
"""


@dataclasses.dataclass(frozen=True, slots=True)
class TapLine:
    """One line of the lamp tap."""

    mono_ns: int
    lamp: str
    on: bool
    shows: str
    caused_by_ns: int | None


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Returns once the condition holds; fails with ``what`` after the deadline."""
    pause = threading.Event()
    end_ns = SYSTEM_CLOCK.monotonic_ns() + round(deadline_s * NS_PER_S)
    while not condition():
        assert SYSTEM_CLOCK.monotonic_ns() < end_ns, f"waited {deadline_s} s for {what}"
        pause.wait(0.005)


def guard_config(run_dir: pathlib.Path, **changed: Any) -> dict[str, Any]:
    """guard.json of a post with one lamp on a mock pin, earning clear in 0.3 s; ``changed`` replaces its keys."""
    tap = str(run_dir / "tap")
    lamp = {"driver": "gpio", "options": {"pin": 17, "pin_factory": "mock", "tap": tap}}
    return {
        "lease_cap_ms": 150,
        "safe_hold_s": 0.3,
        "clear_after_s": 0.3,
        "patterns": {"caution": PATTERN, "alert": PATTERN, "fault": PATTERN},
        "lamps": {"l_branch": lamp},
        "heartbeat": None,
        # A test machine is shared: a guard under test must not outrank everything on it.
        "realtime": False,
    } | changed


class GuardProcess:
    """A running guard. ``stop`` ends it and is called by ``running_guard``."""

    def __init__(self, run_dir: pathlib.Path, config: dict[str, Any], *, stderr: IO[bytes] | int | None = None) -> None:
        self.run_dir = run_dir
        self._children: list[subprocess.Popen[bytes]] = []
        (run_dir / ipc.GUARD_CONFIG).write_text(json.dumps(config), encoding="utf-8")
        self._stderr = run_dir / "guard.stderr"
        command = [sys.executable, "-m", "device.guard", "--run-dir", str(run_dir)]
        with self._stderr.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log if stderr is None else stderr)

    @property
    def socket_path(self) -> pathlib.Path:
        return self.run_dir / ipc.GUARD_SOCKET

    def log(self) -> str:
        """What guard said on stderr so far."""
        return self._stderr.read_text(encoding="utf-8")

    def tap(self) -> list[TapLine]:
        """Every complete line of the tap so far."""
        path = self.run_dir / "tap"
        if not path.exists():
            return []
        return [TapLine(**json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]

    def shows(self) -> str | None:
        """What the last line of the tap says."""
        lines = self.tap()
        return lines[-1].shows if lines else None

    def wait_ready(self) -> None:
        """Until guard has made its socket."""
        wait_for(self.socket_path.exists, "guard.sock")

    def connect(self) -> socket.socket:
        """A connection as core has it."""
        made: list[socket.socket] = []

        def connected() -> bool:
            # The file is there a moment before anybody listens on it.
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                made.append(ipc.connect(self.socket_path))
            return bool(made)

        wait_for(connected, "guard to listen")
        made[0].settimeout(DEADLINE_S)
        return made[0]

    def core(self, shows: str, *lamps: str) -> subprocess.Popen[bytes]:
        """A process that renews every 20 ms until it is killed."""
        self.wait_ready()
        command = [sys.executable, "-S", "-c", _RENEWING, str(self.socket_path), shows, *(lamps or ("l_branch",))]
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self._children.append(child)
        return child

    def stop(self) -> None:
        for child in (*self._children, self.process):
            if child.poll() is None:
                child.kill()
            child.wait(DEADLINE_S)


@contextlib.contextmanager
def running_guard(run_dir: pathlib.Path, **changed: Any) -> Iterator[GuardProcess]:
    """A guard in ``run_dir`` until the block ends."""
    guard = GuardProcess(run_dir, guard_config(run_dir, **changed))
    try:
        yield guard
    finally:
        guard.stop()


def pss_kb(pid: int) -> int:
    """Proportional set size of a process in kB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def open_fds(pid: int) -> int:
    """How many file descriptors a process holds."""
    return sum(1 for _ in pathlib.Path(f"/proc/{pid}/fd").iterdir())
