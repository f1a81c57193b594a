"""OmniPreSense OPS243 (A: speed; C: speed and range): lines of JSON or plain text, + = inbound.

Two modules' worth in one because the wire is small: ``Ops243Decoder`` knows no port; ``Ops243`` sends the settings
(JSON, metres per second, units in every line, zeros on an empty road, both directions) and sends them again whenever
the radar falls silent, because one that restarted has forgotten them. Its answers carry no tag in the stream, so they
are told apart by their keys. Invariants: nothing raises for bad bytes; a line of zeros is an empty frame (alive).

A range has its own line: it is given to the next speed line if that has exactly one target, since nothing on the wire
says which of several it belongs to.
"""

import dataclasses
import enum
import json
import math
from collections.abc import Sequence
from typing import Any

from hal.clock import NS_PER_MS, Clock
from hal.interfaces import Flag, Idle, RadarFrame, RadarTarget, WireCounters
from hal.options import option
from hal.radar import sight
from hal.radar.line_wire import LineFramer
from hal.radar.serial_port import port_claims
from hal.radar.serial_radar import NEVER_NS, SerialRadar
from hal.registry import Driver

SETTINGS = b"OJ\nUM\nOU\nBZ\nR|\n"
"""JSON, metres per second, units shown, blanks as zeros, both directions (vendor's API note AN-010)."""

QUIET_NS = 400 * NS_PER_MS
"""With zeros on an empty road the slowest setting (5 Hz) never leaves this gap."""

RESEND_NS = 2_000 * NS_PER_MS
"""Pause between two attempts to bring a silent radar back."""

RANGE_AGE_NS = 250 * NS_PER_MS
"""How long a range waits for its speed."""

FASTEST_MPS = 140.0
"""Above the module's own limit (138 m/s) a number is noise."""

_UNITS_MPS = {
    "mps": 1.0,
    "m-per-sec": 1.0,
    "kmph": 1 / 3.6,
    "kph": 1 / 3.6,
    "km-per-hr": 1 / 3.6,
    "mph": 0.44704,
    "cmps": 0.01,
    "cm-per-sec": 0.01,
    "fps": 0.3048,
    "ft-per-sec": 0.3048,
}
_UNITS_M = {"m": 1.0, "cm": 0.01, "ft": 0.3048, "yd": 0.9144}


class SpeedUnit(enum.StrEnum):
    """What a number without a unit means."""

    MPS = "mps"
    KMPH = "kmph"
    MPH = "mph"


@dataclasses.dataclass(frozen=True, slots=True)
class Ops243Options:
    """Options of an OPS243."""

    url: str = option("串口地址", "port: /dev/ttyAMA0, /dev/serial/by-id/…, or socket://host:port")
    baud: int = option("波特率", "baud rate of the port", default=19200, ge=9600, le=115200)
    reach_m: float = option(sight.REACH_ZH, sight.REACH_EN, default=100.0, ge=10, le=255)
    sees_m: float | None = option(sight.SEES_ZH, sight.SEES_EN, default=None, ge=10, le=255)
    units: SpeedUnit = option(  # noqa: RUF009 (declares a field, shares nothing)
        "行内不带单位时的速度单位", "unit of a speed that comes without one", default=SpeedUnit.MPS
    )
    configure: bool = option(
        "打开时写入输出格式(JSON、米/秒、空路报零)",
        "send the output settings at open (JSON, m/s, zeros on an empty road)",
        default=True,
    )

    def __post_init__(self) -> None:
        sight.limit_m(self.reach_m, self.sees_m)

    @property
    def limit_m(self) -> float:
        """How far it looks, never less than its reach."""
        return sight.limit_m(self.reach_m, self.sees_m)


class Ops243Decoder:
    """Bytes to radar frames. ``units_seen``: the radar has said which unit it uses."""

    def __init__(self, radar: str, *, reach_m: float, units: SpeedUnit) -> None:
        self.counters = WireCounters()
        self.units_seen = False
        self._radar = radar
        self._limit_m = reach_m + 5.0
        self._unit_mps = _UNITS_MPS[units]
        self._lines = LineFramer(self.counters)
        self._range: tuple[float, int] | None = None

    def feed(self, data: bytes, captured_ns: int) -> Sequence[RadarFrame]:
        """Takes bytes as they came (any split) and returns the frames that they complete. Never raises for bytes."""
        self.counters.bytes_read += len(data)
        frames = []
        for line in self._lines.feed(data):
            targets = self._read(line, captured_ns)
            if targets is not None:
                frames.append(RadarFrame(self._radar, captured_ns, targets))
        self.counters.frames += len(frames)
        return frames

    def _read(self, line: bytes, captured_ns: int) -> tuple[RadarTarget, ...] | None:
        """The targets of one line, None when it is an answer, a range, or noise."""
        fields = _json_fields(line) if line.startswith(b"{") else _text_fields(line)
        if fields is None:
            self._lines.reject(line)
            return None
        unit = fields.get("unit")
        if isinstance(fields.get("Units"), str):
            self._learn(fields["Units"])
        if "range" in fields:
            ranges = _numbers(fields["range"])
            if ranges and len(ranges) == 1:
                self._range = (ranges[0] * _UNITS_M.get(str(unit), 1.0), captured_ns)
        if "speed" not in fields:
            return None
        speeds = _numbers(fields["speed"])
        if speeds is None:
            self._lines.reject(line)
            return None
        if isinstance(unit, str):
            self._learn(unit)
        return self._targets([speed * self._unit_mps for speed in speeds if speed], captured_ns)

    def _learn(self, unit: str) -> None:
        factor = _UNITS_MPS.get(unit)
        if factor is not None:
            self._unit_mps = factor
            self.units_seen = True

    def _targets(self, speeds_mps: list[float], captured_ns: int) -> tuple[RadarTarget, ...]:
        distance_m = None
        if len(speeds_mps) == 1 and self._range is not None:
            range_m, seen_ns = self._range
            self._range = None
            if captured_ns - seen_ns <= RANGE_AGE_NS:
                distance_m = range_m
        targets = []
        for mps in speeds_mps:
            if abs(mps) > FASTEST_MPS or (distance_m is not None and not 0 <= distance_m <= self._limit_m):
                self.counters.targets_rejected += 1
                continue
            targets.append(RadarTarget(mps, distance_m, None, Flag.APPROACHING if mps > 0 else Flag.RECEDING))
        return tuple(targets)


def _json_fields(line: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _text_fields(line: bytes) -> dict[str, Any] | None:
    """``-10.90``, ``"mps",-10.90``, ``606.7,-10.90`` (magnitude first), ``"m",7.3``: the last number counts."""
    *before, last = line.decode("ascii", errors="replace").split(",")
    unit = before[0].strip().strip('"') if before and before[0].strip().startswith('"') else None
    if unit is not None and unit not in _UNITS_MPS and unit not in _UNITS_M:
        return None
    if _numbers([part for part in before if not part.strip().startswith('"')] + [last]) is None:
        return None
    fields: dict[str, Any] = {"range" if unit in _UNITS_M else "speed": last}
    if unit is not None:
        fields["unit"] = unit
    return fields


def _numbers(value: Any) -> list[float] | None:
    """A number, a number in a string, or an array of them, as floats; None when anything in it is no number."""
    parts = value if isinstance(value, list) else [value]
    numbers = []
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, int | float | str):
            return None
        try:
            number = float(part)
        except (ValueError, OverflowError):
            return None
        if not math.isfinite(number):
            return None
        numbers.append(number)
    return numbers


def decoder(radar: str, options: Ops243Options) -> Ops243Decoder:
    """The bytes-to-frames half, for the driver and for replay."""
    return Ops243Decoder(radar, reach_m=options.limit_m, units=options.units)


class Ops243(SerialRadar):
    """An open OPS243."""

    def __init__(self, device: str, options: Ops243Options, clock: Clock) -> None:
        self._wire = decoder(device, options)
        super().__init__(device, options.url, options.baud, self._wire, Idle.FRAMES, clock)
        self._configure = options.configure
        self._sent = 0
        self._send_ns = clock.monotonic_ns() if options.configure else NEVER_NS

    def problem(self) -> str | None:
        """That the radar never confirmed its unit of speed, or None."""
        if not self._configure or self._wire.units_seen or self._sent < 2:
            return None
        return (
            f"雷达 {self._device} 不应答设置,速度单位未经确认 / "
            f"radar {self._device} does not answer settings: its unit of speed is not confirmed; check the TX line"
        )

    def _due_ns(self) -> int:
        return self._send_ns

    def _talk(self, now_ns: int) -> bytes:
        if now_ns < self._send_ns:
            return b""
        self._sent += 1
        self._send_ns = now_ns + RESEND_NS
        return SETTINGS

    def _after(self, now_ns: int, frames: Sequence[RadarFrame]) -> bytes:
        if frames and self._configure and (self._wire.units_seen or self._sent >= 3):
            self._send_ns = now_ns + QUIET_NS
        return b""


def open_radar(device: str, options: Ops243Options, clock: Clock) -> Ops243:
    """Opens the port. Raises DeviceOpenError."""
    return Ops243(device, options, clock)


DRIVER = Driver(
    options=Ops243Options,
    open=open_radar,
    claims=lambda options: port_claims(options.url),
    decoder=decoder,
    idle=Idle.FRAMES,
)
