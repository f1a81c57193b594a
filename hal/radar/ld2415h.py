"""HLK-LD2415H: lines of text with one signed speed in km/h, + = approaching. Speed only.

It says nothing on an empty road, so it is asked for its settings (``43 46 07``), which it answers in a line of its own;
the command and the answer are those that the public ESPHome component uses (its maker's manual was not read here).
``Ld2415hDecoder`` knows no port; ``Ld2415h`` asks, and puts right settings that differ, one command at a time.
Invariants: nothing raises for bad bytes; an answer is an empty frame (alive), and its unit (X6) scales what follows.
"""

import dataclasses
import re
from collections.abc import Sequence

from hal.clock import NS_PER_MS, Clock
from hal.interfaces import Flag, Idle, RadarFrame, RadarTarget, WireCounters
from hal.options import option
from hal.radar.line_wire import LineFramer
from hal.radar.polling import Polling
from hal.radar.serial_port import port_claims
from hal.radar.serial_radar import SerialRadar
from hal.registry import Driver

GET_SETTINGS = bytes.fromhex("43 46 07") + bytes(10)
"""Asks for the settings; the answer is ``X1:01 X2:00 … X0:01``, after a line with the firmware."""

ANSWER_NS = 400 * NS_PER_MS
"""An answer of about 90 bytes takes 94 ms at 9600 baud; the rest is for the radar to think."""

MAX_WRITES = 4
"""Attempts to write the settings before the difference is reported and left."""

_SPEED = re.compile(rb"V([+-])(\d{1,3}(?:\.\d{1,2})?)")
_SETTING = re.compile(rb"X(\d):([0-9A-Fa-f]{2})")
_FIRMWARE = b"No."
_UNITS_MPS = {0: 1 / 3.6, 1: 0.44704, 2: 1.0}
"""Setting X6: km/h, mph, m/s."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ld2415hOptions:
    """Options of an LD2415H."""

    url: str = option("串口地址", "port: /dev/ttyAMA0, /dev/serial/by-id/…, or socket://host:port")
    baud: int = option("波特率", "baud rate of the port", default=9600, ge=9600, le=115200)
    min_speed_kmh: int = option("最低上报速度(公里/小时)", "slowest speed reported, km/h", default=3, ge=1, le=255)
    mount_angle_deg: int = option(
        "雷达轴线与来车方向的夹角(度),用于余弦补偿",
        "angle between the radar's axis and the road, degrees; the radar corrects the speed by its cosine",
        default=0,
        ge=0,
        le=90,
    )
    sensitivity: int = option("灵敏度", "sensitivity", default=5, ge=0, le=15)
    configure: bool = option("写入并核对雷达参数", "write the settings to the radar and read them back", default=True)
    poll_s: float = option(
        "雷达静默时的询问间隔(秒)", "seconds between questions to a silent radar", default=1.5, ge=0.5, le=2
    )

    @property
    def idle(self) -> Idle:
        """Always polled: it says nothing on an empty road."""
        return Idle.POLLED


class Ld2415hDecoder:
    """Bytes to radar frames. ``settings``: as last answered, X number to value; ``answers`` counts the answers."""

    def __init__(self, radar: str) -> None:
        self.counters = WireCounters()
        self.answers = 0
        self.settings: dict[int, int] = {}
        self._radar = radar
        self._lines = LineFramer(self.counters)
        self._unit_mps = _UNITS_MPS[0]

    def feed(self, data: bytes, captured_ns: int) -> Sequence[RadarFrame]:
        """Takes bytes as they came (any split) and returns the frames that they complete. Never raises for bytes."""
        self.counters.bytes_read += len(data)
        frames = []
        for line in self._lines.feed(data):
            targets = self._read(line)
            if targets is not None:
                frames.append(RadarFrame(self._radar, captured_ns, targets))
        self.counters.frames += len(frames)
        return frames

    def _read(self, line: bytes) -> tuple[RadarTarget, ...] | None:
        speed = _SPEED.fullmatch(line)
        if speed is not None:
            mps = float(speed[2]) * self._unit_mps
            if mps == 0.0:
                return ()
            approaching = speed[1] == b"+"
            flag = Flag.APPROACHING if approaching else Flag.RECEDING
            return (RadarTarget(mps if approaching else -mps, flag=flag),)
        if line.startswith(b"X"):
            found = {int(key): int(value, 16) for key, value in _SETTING.findall(line)}
            if found and len(found) == len(line.split()):
                self.settings = found
                self.answers += 1
                self._unit_mps = _UNITS_MPS.get(found.get(6, 0), self._unit_mps)
                return ()
        if not line.startswith(_FIRMWARE):
            self._lines.reject(line)
        return None


def decoder(radar: str, _options: Ld2415hOptions) -> Ld2415hDecoder:
    """The bytes-to-frames half, for the driver and for replay."""
    return Ld2415hDecoder(radar)


def _wanted(options: Ld2415hOptions) -> tuple[tuple[dict[int, int], bytes], ...]:
    """Groups of settings (X number to value) with the command that writes each group."""
    speed = {1: options.min_speed_kmh, 2: options.mount_angle_deg, 3: options.sensitivity}
    # Both directions, the highest rate (about 22 a second), km/h.
    mode = {4: 0, 5: 0, 6: 0}
    return tuple(
        (group, bytes((0x43, 0x46, number, *group.values())) + b"\r\n") for number, group in ((1, speed), (2, mode))
    )


class Ld2415h(SerialRadar):
    """An open LD2415H. ``settings_written`` counts the setting commands sent since open."""

    def __init__(self, device: str, options: Ld2415hOptions, clock: Clock) -> None:
        self._wire = decoder(device, options)
        super().__init__(device, options.url, options.baud, self._wire, Idle.POLLED, clock)
        self.settings_written = 0
        self._groups = _wanted(options) if options.configure else ()
        self._polling = Polling(clock.monotonic_ns(), options.poll_s)
        self._asked_ns = 0
        self._judged = 0

    def problem(self) -> str | None:
        """Which settings the radar does not take, or None."""
        for group, _command in self._groups:
            found = {key: self._wire.settings.get(key) for key in group}
            if self.settings_written >= MAX_WRITES and self._wire.settings and found != group:
                return (
                    f"雷达 {self._device} 读回的参数与设置不符 / "
                    f"radar {self._device} reads back {found}, asked for {group}; it guards on with what it has"
                )
        return None

    def _due_ns(self) -> int:
        return self._asked_ns + ANSWER_NS if self._polling.asking else self._polling.due_ns

    def _talk(self, now_ns: int) -> bytes:
        if self._polling.asking:
            if now_ns < self._asked_ns + ANSWER_NS:
                return b""
            self._polling.missed()
            self.missed_polls = self._polling.misses
            self._polling.give_up(now_ns)
            if self._polling.misses > 1:
                return b""
        elif not self._polling.due(now_ns):
            return b""
        self._polling.asked()
        self._asked_ns = now_ns
        return GET_SETTINGS

    def _after(self, now_ns: int, frames: Sequence[RadarFrame]) -> bytes:
        if not frames:
            return b""
        self._polling.heard(now_ns)
        self.missed_polls = 0
        if self._wire.answers != self._judged and self.settings_written < MAX_WRITES:
            self._judged = self._wire.answers
            for group, command in self._groups:
                if any(self._wire.settings.get(key) != value for key, value in group.items()):
                    self.settings_written += 1
                    # The next question, a moment later, reads it back.
                    self._polling.due_ns = now_ns + ANSWER_NS
                    return command
        return b""


def open_radar(device: str, options: Ld2415hOptions, clock: Clock) -> Ld2415h:
    """Opens the port. Raises DeviceOpenError."""
    return Ld2415h(device, options, clock)


DRIVER = Driver(
    options=Ld2415hOptions,
    open=open_radar,
    claims=lambda options: port_claims(options.url),
    decoder=decoder,
    idle=Idle.POLLED,
)
