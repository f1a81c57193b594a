"""Threads and links of core: one thread per radar, one receiver for vision, the link to guard. They only carry.

Invariants: nothing here decides; every input goes into one inbox with its capture time; a device that will not open
or is lost reports its reason, is retried, and stops nobody else; a send to guard never waits.
"""

import contextlib
import dataclasses
import logging
import pathlib
import queue
import socket
import threading
from collections.abc import Mapping
from typing import Any

from configs.schema import Radar
from device import ipc, realtime
from device.observation import SensorProblem
from device.sensors import radar_options
from device.site import LEASE_CAP_MS
from hal import registry
from hal.clock import NS_PER_S, Clock
from hal.errors import DeviceLostError, HalError
from hal.interfaces import RadarFrame, RadarSensor, Shows

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 0.2
REOPEN_S = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class RadarInput:
    """What one read of a radar brought: frames, and the bytes for a recording."""

    radar: str
    frames: tuple[RadarFrame, ...]
    raw: bytes
    captured_ns: int


@dataclasses.dataclass(frozen=True, slots=True)
class VisionInput:
    """One message of vision, or None when it has gone."""

    message: Mapping[str, Any] | None
    received_ns: int


@dataclasses.dataclass(slots=True)
class Call:
    """A request of core.sock on its way through the control thread."""

    verb: str
    args: Mapping[str, Any]
    done: threading.Event = dataclasses.field(default_factory=threading.Event)
    result: Any = None
    error: Exception | None = None


Input = RadarInput | VisionInput | SensorProblem | Call
Inbox = queue.SimpleQueue[Input]


class RadarThread(threading.Thread):
    """Opens one radar, reads it for ever, reopens it when it is lost."""

    def __init__(self, name: str, radar: Radar, inbox: Inbox, clock: Clock) -> None:
        super().__init__(name=f"radar-{name}", daemon=True)
        self._radar_name = name
        self._radar = radar
        self._inbox = inbox
        self._clock = clock
        self._stopping = threading.Event()
        self._sensor: RadarSensor | None = None

    def run(self) -> None:
        realtime.ask(realtime.CORE_PRIORITY)
        while not self._stopping.is_set():
            try:
                self._sensor = self._open()
                self._report(None)
                self._read(self._sensor)
            except (HalError, OSError) as error:
                log.warning("event=radar_lost radar=%s reason=%s", self._radar_name, error)
                self._report(str(error))
            except Exception as error:  # the thread's top: a driver's mistake is this radar's fault, nobody else's
                log.exception("event=radar_failed radar=%s", self._radar_name)
                self._report(f"driver failed: {type(error).__name__}: {error}")
            finally:
                if self._sensor is not None:
                    with contextlib.suppress(HalError, OSError):
                        self._sensor.close()
            self._stopping.wait(REOPEN_S)

    def stop(self) -> None:
        """Asks the thread to end; it does within one read."""
        self._stopping.set()

    def status(self) -> dict[str, Any]:
        """Counters, and what a technician should know though the radar is heard."""
        sensor = self._sensor
        if sensor is None:
            return {"counters": {}, "warning": None}
        warning = getattr(sensor, "problem", lambda: None)()
        return {"counters": dataclasses.asdict(sensor.counters), "warning": warning}

    def _open(self) -> RadarSensor:
        driver = registry.driver("radar", self._radar.driver)
        sensor: RadarSensor = driver.open(self._radar_name, radar_options(self._radar), self._clock)
        return sensor

    def _read(self, sensor: RadarSensor) -> None:
        while not self._stopping.is_set():
            try:
                frames = tuple(sensor.read(READ_TIMEOUT_S))
            except DeviceLostError:
                self._put((), sensor.take_raw())
                raise
            self._put(frames, sensor.take_raw())

    def _put(self, frames: tuple[RadarFrame, ...], raw: bytes) -> None:
        if frames or raw:
            captured_ns = frames[-1].captured_ns if frames else self._clock.monotonic_ns()
            self._inbox.put(RadarInput(self._radar_name, frames, raw, captured_ns))

    def _report(self, problem: str | None) -> None:
        self._inbox.put(SensorProblem(self._radar_name, self._clock.monotonic_ns(), problem))


class VisionReceiver(threading.Thread):
    """Listens on vision.sock; the newest connection wins."""

    def __init__(self, run_dir: pathlib.Path, inbox: Inbox, clock: Clock) -> None:
        super().__init__(name="vision", daemon=True)
        self._inbox = inbox
        self._clock = clock
        self._server = ipc.listen(run_dir / ipc.VISION_SOCKET)
        self._server.setblocking(True)
        self._peer: socket.socket | None = None

    def run(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            previous, self._peer = self._peer, peer
            if previous is not None:
                with contextlib.suppress(OSError):
                    previous.shutdown(socket.SHUT_RDWR)
            threading.Thread(target=self._receive, args=(peer,), name="vision-peer", daemon=True).start()

    def tell(self, message: dict[str, Any]) -> bool:
        """Tells vision something; False when it is not connected or does not listen."""
        peer = self._peer
        if peer is None:
            return False
        with contextlib.suppress(OSError):
            return ipc.send(peer, message)
        return False

    def close(self) -> None:
        """Stops listening."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _receive(self, peer: socket.socket) -> None:
        # It parses under the lock that the control thread needs: it must not be put aside while it holds it.
        realtime.ask(realtime.CORE_PRIORITY)
        with peer:
            try:
                while True:
                    message = ipc.receive(peer)
                    if message is not None:
                        self._inbox.put(VisionInput(message, self._clock.monotonic_ns()))
            except (EOFError, OSError):
                pass
        if self._peer is peer:
            self._peer = None
            self._inbox.put(VisionInput(None, self._clock.monotonic_ns()))


class GuardLink:
    """Core's end of guard.sock, used by the control thread alone."""

    RETRY_NS = NS_PER_S // 10

    def __init__(self, run_dir: pathlib.Path, clock: Clock) -> None:
        self._path = run_dir / ipc.GUARD_SOCKET
        self._clock = clock
        self._peer: socket.socket | None = None
        self._next_try_ns = 0
        self._sequence = 0
        self.state: Mapping[str, Any] | None = None
        self.dropped = 0

    @property
    def connected(self) -> bool:
        """Whether guard holds the line."""
        return self._peer is not None

    def renew(self, lamps: Mapping[str, tuple[Shows, int | None]], brightness_pct: int) -> None:
        """Renews every lamp's lease: lamp -> (shows, capture time of the cause)."""
        peer = self._connected()
        if peer is None:
            return
        self._sequence += 1
        message = {
            "seq": self._sequence,
            "lease_ms": LEASE_CAP_MS,
            "brightness_pct": brightness_pct,
            "lamps": {
                lamp: {"shows": shows.value, "caused_by_ns": caused_by_ns}
                for lamp, (shows, caused_by_ns) in lamps.items()
            },
        }
        try:
            if not ipc.send(peer, message):
                self.dropped += 1
            self._listen(peer)
        except (OSError, EOFError):
            self._lose()

    def restart_peer(self) -> None:
        """Tells guard that its compiled configuration changed; it flashes until it is back."""
        if self._peer is not None:
            with contextlib.suppress(OSError):
                ipc.send(self._peer, {"kind": "restart"})

    def close(self) -> None:
        """Lets go: guard goes to its safe pattern."""
        self._lose()

    def _listen(self, peer: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                message = ipc.receive(peer)
                if message is not None and message.get("kind") == "state":
                    self.state = message

    def _connected(self) -> socket.socket | None:
        if self._peer is None and self._clock.monotonic_ns() >= self._next_try_ns:
            self._next_try_ns = self._clock.monotonic_ns() + self.RETRY_NS
            with contextlib.suppress(OSError):
                self._peer = ipc.connect(self._path)
                self._peer.setblocking(False)
        return self._peer

    def _lose(self) -> None:
        self.state = None
        if self._peer is not None:
            self._peer.close()
            self._peer = None
