"""The base of all radars on a serial port: waits, reads, remembers the raw bytes, and asks the silent.

A driver brings its decoder and, if it talks to its radar, overrides three hooks: ``_due_ns`` (when it has something to
do), ``_talk`` (what to send now) and ``_after`` (look at what the bytes brought). All run in the caller's thread:
a radar object belongs to one thread.
"""

import abc
import collections
from collections.abc import Sequence

from hal.clock import NS_PER_S, Clock
from hal.interfaces import Idle, RadarDecoder, RadarFrame, WireCounters
from hal.radar.serial_port import SerialPort

RAW_LIMIT_BYTES = 262_144
"""Raw bytes kept for a recording that nobody fetches: about 20 s at 115200 baud; then the oldest go."""

PENDING_FRAMES = 64
"""Frames kept while a command is being exchanged; then the oldest go."""

NEVER_NS = 1 << 62
"""A time that never comes."""


class SerialRadar(abc.ABC):
    """An open radar on a serial port.

    ``missed_polls`` counts unanswered questions in a row (two = dead; only of use where ``idle`` is polled).
    ``raw_dropped`` counts raw bytes that were not fetched in time.
    """

    def __init__(self, device: str, url: str, baud: int, decoder: RadarDecoder, idle: Idle, clock: Clock) -> None:
        self.idle = idle
        self.counters: WireCounters = decoder.counters
        self.missed_polls = 0
        self.raw_dropped = 0
        self._device = device
        self._clock = clock
        self._decoder = decoder
        self._raw = bytearray()
        self._pending: collections.deque[RadarFrame] = collections.deque(maxlen=PENDING_FRAMES)
        self._port = SerialPort(device, url, baud)

    def read(self, timeout_s: float) -> Sequence[RadarFrame]:
        """Waits for bytes and returns the frames they complete (none at a timeout). Raises DeviceLostError."""
        if self._pending:
            frames = tuple(self._pending)
            self._pending.clear()
            return frames
        deadline_ns = self._clock.monotonic_ns() + round(timeout_s * NS_PER_S)
        while True:
            heard = self._turn(deadline_ns)
            if heard or self._clock.monotonic_ns() >= deadline_ns:
                return heard

    def take_raw(self) -> bytes:
        """The bytes read since the last call, for the recording."""
        data = bytes(self._raw)
        self._raw.clear()
        return data

    def close(self) -> None:
        """Releases the port."""
        self._port.close()

    @abc.abstractmethod
    def problem(self) -> str | None:
        """What a technician should know though the radar is heard (settings not taken, no answers), or None."""

    def _due_ns(self) -> int:
        """When ``_talk`` wants to be called next."""
        return NEVER_NS

    def _talk(self, now_ns: int) -> bytes:
        """What to send now."""
        return b""

    def _after(self, now_ns: int, frames: Sequence[RadarFrame]) -> bytes:
        """Sees every read; what it returns is sent."""
        return b""

    def _turn(self, deadline_ns: int) -> Sequence[RadarFrame]:
        """One wake-up: send what is due, wait until bytes or ``deadline_ns``, take all bytes with one read."""
        now_ns = self._clock.monotonic_ns()
        self._send(self._talk(now_ns))
        wait_ns = min(deadline_ns, self._due_ns()) - now_ns
        if not self._port.wait(wait_ns / NS_PER_S):
            return ()
        data = self._port.take()
        captured_ns = self._clock.monotonic_ns()
        if not data:
            return ()
        self._keep(data)
        frames = self._decoder.feed(data, captured_ns)
        self._send(self._after(captured_ns, frames))
        return frames

    def _send(self, data: bytes) -> None:
        # A port that takes no bytes now (nobody reads the far end) shows as a missed answer.
        if data:
            self._port.send(data)

    def _keep(self, data: bytes) -> None:
        self._raw += data
        excess = len(self._raw) - RAW_LIMIT_BYTES
        if excess > 0:
            del self._raw[:excess]
            self.raw_dropped += excess
