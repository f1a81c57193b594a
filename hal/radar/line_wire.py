"""Radars that speak in lines of text: bytes to lines. Knows no port, no clock and no meaning of a line.

Invariants: the lines and counts that come out of a stream are the same however it was cut; a line too long to be one
is dropped whole; nothing raises.
"""

from hal.interfaces import WireCounters

MAX_LINE_BYTES = 512
"""The longest line known is an OPS243 report of many targets, below 300 bytes."""

_PADDING = b"\r\x00\xff \t"
"""Bytes that some firmware sends around a line and that mean nothing (the LD2415H sends 0x00 and 0xFF)."""


class LineFramer:
    """Finds lines in a stream of bytes; ``counters`` takes what was dropped."""

    def __init__(self, counters: WireCounters) -> None:
        self._counters = counters
        self._buffer = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, without their ends; empty lines are left out."""
        *whole, rest = (bytes(self._buffer) + data).split(b"\n")
        lines = []
        for piece in whole:
            if self._skipping or len(piece) > MAX_LINE_BYTES:
                self._overflow(len(piece) + 1)
                self._skipping = False
                continue
            line = piece.strip(_PADDING)
            if line:
                lines.append(line)
        if self._skipping or len(rest) > MAX_LINE_BYTES:
            self._overflow(len(rest))
            self._skipping = True
            rest = b""
        self._buffer[:] = rest
        return lines

    def reject(self, line: bytes) -> None:
        """Counts a line that the driver could not read."""
        self._counters.resyncs += 1
        self._counters.bytes_dropped += len(line)

    def _overflow(self, count: int) -> None:
        if not self._skipping:
            self._counters.resyncs += 1
        self._counters.bytes_dropped += count
