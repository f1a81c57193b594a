"""A real Mosquitto on a loopback port, for as long as a demonstration or a measurement lasts.

Invariants: by a configuration of its own it listens on 127.0.0.1 only and keeps nothing; it dies with the process that
started it.
"""

import pathlib
import shutil
import socket
import subprocess

from hal.clock import NS_PER_S, Clock
from hal.parent import die_with_parent

READY_S = 10.0
TRIES = 3
"""Between choosing a free port and listening on it another program may take it."""

_SBIN = "/usr/sbin/mosquitto"


class BrokerError(OSError):
    """There is no broker; the message says why and what to do."""


def installed() -> str | None:
    """Path of the program, None where it is not installed. It lies in a folder that is not on everybody's PATH."""
    return shutil.which("mosquitto") or (_SBIN if pathlib.Path(_SBIN).exists() else None)


class Broker:
    """``url`` is for the site file, ``port`` for a subscriber. ``folder`` takes its config and log. With a ``port`` it
    comes back where one was before; without, it takes a free one. ``config``: an office's file in place of its own;
    ``port`` is then the last that stands there."""

    def __init__(
        self, folder: pathlib.Path, clock: Clock, *, port: int | None = None, config: pathlib.Path | None = None
    ) -> None:
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        found = installed()
        if found is None:
            raise BrokerError("mosquitto: not found; install the package mosquitto")
        for _ in range(TRIES):
            self.port = port or _free_port()
            self._process = _start(found, config or _write_config(folder, self.port), folder)
            if _listens(self.port, self._process, clock):
                return
            self.close()
        raise BrokerError(f"mosquitto: did not listen on 127.0.0.1:{self.port}; see {folder / 'mosquitto.log'}")

    @property
    def url(self) -> str:
        """For ``bridge.url``."""
        return f"mqtt://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """As if its machine had lost power: what it had in memory is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _write_config(folder: pathlib.Path, port: int) -> pathlib.Path:
    config = folder / "mosquitto.conf"
    # Small messages answered at once: without set_tcp_nodelay a round trip can take 40 ms. And as on the platform page:
    # by default Mosquitto drops what it cannot give to a slow subscriber.
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nlog_dest stderr\n"
        "max_queued_messages 0\n",
        encoding="utf-8",
    )
    return config


def _start(program: str, config: pathlib.Path, folder: pathlib.Path) -> subprocess.Popen[bytes]:
    with (folder / "mosquitto.log").open("ab") as log:
        return subprocess.Popen(
            [program, "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )


def _listens(port: int, process: subprocess.Popen[bytes], clock: Clock) -> bool:
    end_ns = clock.monotonic_ns() + round(READY_S * NS_PER_S)
    while clock.monotonic_ns() < end_ns and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            clock.sleep_s(0.02)
        else:
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
