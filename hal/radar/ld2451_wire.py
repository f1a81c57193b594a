"""The HLK-LD2451's wire: bytes to frames and commands to bytes. Knows no port, no clock and no thread.

Invariants: ``feed`` never raises whatever the bytes; the frames and counters that come out of a stream are the same
however it was cut; a broken frame never hides the whole frame behind it.

The protocol carries no checksum, so a frame is believed only if head, length, count and tail agree. If they do not,
nothing in it can be trusted and the search goes on behind its head. A *target* that is impossible (direction above 1,
distance beyond reach + 5 m) is dropped alone: the frame around it has proven its shape. SNR and angle never reject:
in a real log 113 of 167 rows are saturated (255) and 105 lie beyond the nominal +-20 degrees.
"""

import collections
import dataclasses
import enum
import struct
from collections.abc import Iterable, Sequence

from hal.interfaces import Flag, RadarFrame, RadarTarget, WireCounters

REPORT_HEAD = bytes.fromhex("F4F3F2F1")
REPORT_TAIL = bytes.fromhex("F8F7F6F5")
COMMAND_HEAD = bytes.fromhex("FDFCFBFA")
COMMAND_TAIL = bytes.fromhex("04030201")

ANGLE_ZERO = 0x80
"""Raw angle of straight ahead; one step is one degree."""

MAX_TARGETS = 32
"""More targets than this in one frame is noise: a wrong length must not make the parser wait for seconds of bytes."""

MAX_COMMAND_BYTES = 64
"""The longest answer known (firmware version) has 12 bytes; beyond this a length is noise."""

REACH_MARGIN_M = 5.0
"""A target this far beyond the site's reach is still believed: the radar's own limit is coarse."""

_HEAD_BYTES = 4
_FRAME_BYTES = 10
"""Head, length and tail."""
_ACK_FLAG = 0x0100


class Command(enum.IntEnum):
    """Command words of the vendor's protocol (V1.03)."""

    SET_DETECTION = 0x02
    SET_SENSITIVITY = 0x03
    GET_DETECTION = 0x12
    GET_SENSITIVITY = 0x13
    VERSION = 0xA0
    SET_BAUD = 0xA1
    FACTORY_RESET = 0xA2
    RESTART = 0xA3
    END_CONFIG = 0xFE
    ENABLE_CONFIG = 0xFF


class Detect(enum.IntEnum):
    """Which directions the radar reports. Only ALL lets tracking check the flag against the trend of distance."""

    AWAY = 0
    APPROACH = 1
    ALL = 2


@dataclasses.dataclass(frozen=True, slots=True)
class WireTarget:
    """One target as the wire has it: whole degrees, metres and km/h, and a direction bit whose meaning is disputed."""

    angle_deg: int
    distance_m: int
    direction: int
    speed_kmh: int
    snr: int = 0xFF

    def encode(self) -> bytes:
        """Five bytes. A value that has no byte is an error of the caller."""
        return struct.pack("5B", self.angle_deg + ANGLE_ZERO, self.distance_m, self.direction, self.speed_kmh, self.snr)


@dataclasses.dataclass(frozen=True, slots=True)
class Ack:
    """The radar's answer to a command: ``status`` 0 is success, ``value`` what follows it."""

    command: int
    status: int
    value: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Detection:
    """Detection parameters: reach 10..255 m, directions, minimum speed 0..120 km/h, hold 0..255 s."""

    reach_m: int
    directions: int
    min_speed_kmh: int
    hold_s: int

    def encode(self) -> bytes:
        return struct.pack("4B", self.reach_m, self.directions, self.min_speed_kmh, self.hold_s)

    @classmethod
    def decode(cls, value: bytes) -> "Detection | None":
        """None when the answer is too short to be one."""
        return cls(*value[:4]) if len(value) >= 4 else None


@dataclasses.dataclass(frozen=True, slots=True)
class Sensitivity:
    """Detections in a row before a target is reported (1..10), and the SNR level (higher = less sensitive)."""

    triggers: int
    snr_level: int

    def encode(self) -> bytes:
        return struct.pack("4B", self.triggers, self.snr_level, 0, 0)

    @classmethod
    def decode(cls, value: bytes) -> "Sensitivity | None":
        """None when the answer is too short to be one."""
        return cls(value[0], value[1]) if len(value) >= 2 else None


def firmware_text(value: bytes) -> str | None:
    """``V1.01.24051510`` from the version answer (type u16, major u16, minor u32), None when it is too short."""
    if len(value) < 8:
        return None
    _kind, major, minor = struct.unpack_from("<HHI", value)
    return f"V{major >> 8}.{major & 0xFF:02x}.{minor:08x}"


def encode_report(targets: Iterable[WireTarget], *, idle_bytes: bool = True) -> bytes:
    """A report frame, as the radar sends it ten times a second.

    Without targets it is the length-0 frame, or count 0 when ``idle_bytes`` is False: both occur.
    """
    rows = [target.encode() for target in targets]
    payload = bytes((len(rows), 1 if rows else 0)) + b"".join(rows)
    if not rows and idle_bytes:
        payload = b""
    return REPORT_HEAD + struct.pack("<H", len(payload)) + payload + REPORT_TAIL


def encode_command(command: int, value: bytes = b"") -> bytes:
    """A command as the host sends it."""
    return COMMAND_HEAD + struct.pack("<HH", 2 + len(value), command) + value + COMMAND_TAIL


def encode_ack(command: int, status: int = 0, value: bytes = b"") -> bytes:
    """An answer as the radar sends it: the command word with 0x0100 set, status, value."""
    return COMMAND_HEAD + struct.pack("<HHH", 4 + len(value), command | _ACK_FLAG, status) + value + COMMAND_TAIL


class Framer:
    """Finds frames in a stream of bytes.

    ``counters`` takes what was dropped: ``resyncs`` counts runs of bytes that were no frame, ``bytes_dropped`` their
    length. ``answers`` says which side is listened to: True takes ACKs (0x0100 set), False takes commands (a twin).
    """

    def __init__(self, counters: WireCounters, *, answers: bool = True) -> None:
        self._counters = counters
        self._ack_byte = 1 if answers else 0
        self._buffer = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> list[tuple[bool, bytes]]:
        """The frames that ``data`` completes, as (is a report, payload)."""
        buffer = self._buffer
        buffer += data
        found: list[tuple[bool, bytes]] = []
        at = 0
        while True:
            start = self._seek(at)
            if start > at:
                self._drop(start - at)
                at = start
            size = self._size(at)
            if size == 0:
                break
            if size < 0:
                # A head that begins no frame: go on behind its first byte.
                self._drop(1)
                at += 1
                continue
            report = buffer[at] == REPORT_HEAD[0]
            found.append((report, bytes(buffer[at + 6 : at + size - 4])))
            self._lost = False
            at += size
        del buffer[:at]
        return found

    def _seek(self, at: int) -> int:
        """Where the next head starts, or might start in the bytes still to come."""
        buffer = self._buffer
        if buffer.startswith((REPORT_HEAD, COMMAND_HEAD), at):
            return at
        heads = [i for i in (buffer.find(REPORT_HEAD, at), buffer.find(COMMAND_HEAD, at)) if i >= 0]
        if heads:
            return min(heads)
        for keep in (3, 2, 1):
            start = len(buffer) - keep
            if start >= at and (REPORT_HEAD.startswith(buffer[start:]) or COMMAND_HEAD.startswith(buffer[start:])):
                return start
        return len(buffer)

    def _size(self, at: int) -> int:
        """Bytes of the whole frame at ``at``; 0 when it is not all there yet; -1 when it is no frame."""
        buffer = self._buffer
        have = len(buffer) - at
        if have < 6:
            return 0
        length = buffer[at + 4] | buffer[at + 5] << 8
        size = _FRAME_BYTES + length
        if buffer[at] == REPORT_HEAD[0]:
            # Length and count must agree at once: waiting for the bytes of a wrong length would hide good frames.
            if length and (length < 2 or length > 2 + 5 * MAX_TARGETS):
                return -1
            if length and have > 6 and buffer[at + 6] * 5 + 2 != length:
                return -1
            tail = REPORT_TAIL
        else:
            if not (2 if self._ack_byte == 0 else 4) <= length <= MAX_COMMAND_BYTES:
                return -1
            if have > 7 and buffer[at + 7] != self._ack_byte:
                return -1
            tail = COMMAND_TAIL
        # A head inside a frame means that its end was lost (no plausible target spells one: 244 km/h at 241 m).
        end = min(size, have) + at
        if (
            buffer.find(REPORT_HEAD, at + _HEAD_BYTES, end) >= 0
            or buffer.find(COMMAND_HEAD, at + _HEAD_BYTES, end) >= 0
        ):
            return -1
        if have < size:
            return 0
        return size if buffer.startswith(tail, at + size - 4) else -1

    def _drop(self, count: int) -> None:
        self._counters.bytes_dropped += count
        if not self._lost:
            self._counters.resyncs += 1
            self._lost = True


_MPS = tuple(kmh / 3.6 for kmh in range(256))
_MINUS_MPS = (0.0, *(-kmh / 3.6 for kmh in range(1, 256)))


class Ld2451Decoder:
    """Bytes to radar frames, with the closing speed positive = approaching.

    ``approach_flag`` is the direction bit that means approaching at this site (the vendor contradicts itself).
    A successful answer to END_CONFIG becomes an empty frame: the radar lives and reports again, which is how a radar
    that is silent on an empty road is heard; replay sees it in the recorded bytes just the same.
    """

    def __init__(self, radar: str, *, reach_m: float, approach_flag: int) -> None:
        self.counters = WireCounters()
        self._radar = radar
        self._limit_m = reach_m + REACH_MARGIN_M
        self._framer = Framer(self.counters)
        self._acks: collections.deque[Ack] = collections.deque(maxlen=32)
        if approach_flag == 1:
            self._kinds = ((Flag.RECEDING, _MINUS_MPS), (Flag.APPROACHING, _MPS))
        else:
            self._kinds = ((Flag.APPROACHING, _MPS), (Flag.RECEDING, _MINUS_MPS))

    def feed(self, data: bytes, captured_ns: int) -> Sequence[RadarFrame]:
        """Takes bytes as they came (any split) and returns the frames that they complete. Never raises for bytes."""
        self.counters.bytes_read += len(data)
        frames = []
        for report, payload in self._framer.feed(data):
            if report:
                frames.append(RadarFrame(self._radar, captured_ns, self._targets(payload)))
            elif self._answered(payload):
                frames.append(RadarFrame(self._radar, captured_ns, ()))
        self.counters.frames += len(frames)
        return frames

    def take_acks(self) -> list[Ack]:
        """The answers to commands since the last call, oldest first (at most 32)."""
        acks = list(self._acks)
        self._acks.clear()
        return acks

    def _targets(self, payload: bytes) -> tuple[RadarTarget, ...]:
        targets = []
        for angle, distance_m, direction, kmh, snr in struct.iter_unpack("5B", payload[2:]):
            if direction > 1 or distance_m > self._limit_m:
                self.counters.targets_rejected += 1
                continue
            flag, mps = self._kinds[direction]
            targets.append(RadarTarget(mps[kmh], float(distance_m), float(angle - ANGLE_ZERO), flag, float(snr)))
        return tuple(targets)

    def _answered(self, payload: bytes) -> bool:
        word, status = struct.unpack_from("<HH", payload)
        ack = Ack(word & ~_ACK_FLAG, status, payload[4:])
        self._acks.append(ack)
        return ack.command == Command.END_CONFIG and status == 0
