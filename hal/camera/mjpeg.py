"""A stream of JPEG pictures, cut into pictures. Bytes in, pictures out; knows no process and no clock.

The cut follows JPEG's own structure (ITU-T T.81 annex B) and does not look for FFD9 alone: a segment's length is
believed, so a thumbnail inside an APP segment, or FFD9 inside a table, does not end a picture. In coded data FF is
always stuffed, so the first real marker there is the end of the scan.

Invariants: the same pictures come out however the bytes are split; bad bytes never raise, they are dropped and
counted, and the next start of a picture is found again; memory is bounded by ``MAX_PICTURE_BYTES``.
"""

import enum
import re

MAX_PICTURE_BYTES = 16 * 1024 * 1024
"""No JPEG of a 4K camera is larger; more without an end is not a picture."""

_START = b"\xff\xd8\xff"
_EOI = 0xD9
_SOS = 0xDA
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))
"""Markers without a length: TEM and RST0-7."""
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class _Part(enum.Enum):
    OUTSIDE = enum.auto()
    SEGMENTS = enum.auto()
    SCAN = enum.auto()


class MjpegFramer:
    """Cuts one stream."""

    def __init__(self) -> None:
        self.pictures = 0
        self.bytes_dropped = 0
        self._buffer = bytearray()
        self._at = 0
        self._part = _Part.OUTSIDE

    def feed(self, data: bytes) -> list[bytes]:
        """Takes bytes as they came and returns the pictures they complete, oldest first."""
        self._buffer += data
        done: list[bytes] = []
        while self._advance(done):
            pass
        if self._part is not _Part.OUTSIDE and len(self._buffer) > MAX_PICTURE_BYTES:
            self._resync()
        return done

    def _advance(self, done: list[bytes]) -> bool:
        """One step; False when more bytes are needed."""
        if self._part is _Part.OUTSIDE:
            return self._find_start()
        if self._part is _Part.SCAN:
            found = _SCAN_END.search(self._buffer, self._at)
            if found is None:
                self._at = max(self._at, len(self._buffer) - 1)
                return False
            self._at = found.start()
            self._part = _Part.SEGMENTS
            return True
        return self._segment(done)

    def _find_start(self) -> bool:
        start = self._buffer.find(_START)
        if start < 0:
            keep = min(len(self._buffer), len(_START) - 1)
            self.bytes_dropped += len(self._buffer) - keep
            del self._buffer[: len(self._buffer) - keep]
            return False
        self.bytes_dropped += start
        del self._buffer[:start]
        self._at = 2
        self._part = _Part.SEGMENTS
        return True

    def _segment(self, done: list[bytes]) -> bool:
        buffer, at = self._buffer, self._at
        if len(buffer) < at + 2:
            return False
        marker = buffer[at + 1]
        if buffer[at] != 0xFF or marker in (0x00, 0xD8):
            self._resync()
        elif marker == 0xFF:
            self._at += 1  # a fill byte
        elif marker == _EOI:
            done.append(bytes(buffer[: at + 2]))
            self.pictures += 1
            del buffer[: at + 2]
            self._part = _Part.OUTSIDE
        elif marker in _BARE:
            self._at += 2
        else:
            if len(buffer) < at + 4:
                return False
            length = int.from_bytes(buffer[at + 2 : at + 4], "big")
            if length < 2:
                self._resync()
                return True
            if len(buffer) < at + 2 + length:
                return False
            self._at += 2 + length
            if marker == _SOS:
                self._part = _Part.SCAN
        return True

    def _resync(self) -> None:
        """What we took for a picture is none: look for a start after this one."""
        self.bytes_dropped += 2
        del self._buffer[:2]
        self._part = _Part.OUTSIDE
