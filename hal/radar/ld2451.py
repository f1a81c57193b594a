"""HLK-LD2451, 24 GHz, up to 100 m, about 10 frames a second: distance, speed, angle and a direction bit per target.

What it does beside reading: it compares the radar's settings with the wanted ones at open and every minute, writes
them only if they differ (the radar keeps them in flash) and reads them back; and it asks a radar that has fallen
silent. Invariants: opening never waits for the radar, and a radar that streams but answers no command guards on, with
``problem()`` saying so; the radar is always set to report both directions, because approach-only would blind the check
of its direction bit against the trend of distance.
"""

import dataclasses
import enum
from collections.abc import Sequence
from typing import TypeVar

from hal.clock import NS_PER_S, Clock
from hal.errors import HalError
from hal.interfaces import Idle, RadarFrame
from hal.options import option
from hal.radar import sight
from hal.radar.ld2451_dialogue import Dialogue, Step
from hal.radar.ld2451_wire import Command, Detect, Detection, Ld2451Decoder, Sensitivity, firmware_text
from hal.radar.polling import QUIET_NS, Polling
from hal.radar.serial_port import port_claims
from hal.radar.serial_radar import NEVER_NS, SerialRadar
from hal.registry import Driver

CHECK_EVERY_NS = 60 * NS_PER_S
"""How often the settings are read back: a radar that lost them must not go unseen for more than a minute."""

BAUD_CODES = {9600: 1, 19200: 2, 38400: 3, 57600: 4, 115200: 5, 230400: 6, 256000: 7, 460800: 8}
"""Codes of the baud command, as in the vendor's sister protocols (LD2410, LD2450)."""

EXCHANGE_LIMIT_NS = 5 * NS_PER_S
"""Longer than any exchange of a few commands with all its retries."""

RETRY_CHECK_NS = 10 * NS_PER_S
"""Pause after a radar answered nothing: it may still be starting up."""

_T = TypeVar("_T")
_QUERY = (Step(Command.GET_DETECTION), Step(Command.GET_SENSITIVITY))


class DirectionFlag(enum.StrEnum):
    """What direction bit 1 means. The vendor's table says approaching, its worked example the reverse."""

    APPROACH_IS_1 = "approach_is_1"
    APPROACH_IS_0 = "approach_is_0"


@dataclasses.dataclass(frozen=True, slots=True)
class Ld2451Options:
    """Options of an LD2451."""

    url: str = option("串口地址", "port: /dev/ttyAMA0, /dev/serial/by-id/…, or socket://host:port")
    baud: int = option("波特率", "baud rate of the port", default=115200, ge=9600, le=460800)
    reach_m: float = option(sight.REACH_ZH, sight.REACH_EN, default=100.0, ge=10, le=255)
    sees_m: float | None = option(sight.SEES_ZH, sight.SEES_EN, default=None, ge=10, le=255)
    direction_flag: DirectionFlag = option(  # noqa: RUF009 (declares a field, shares nothing)
        "方向位的含义(与距离变化核对)",
        "what direction bit 1 means; checked against the trend of distance",
        default=DirectionFlag.APPROACH_IS_1,
    )
    min_speed_kmh: int = option("最低上报速度(公里/小时)", "slowest target reported, km/h", default=3, ge=0, le=120)
    hold_s: int = option(
        "雷达内部保持时间(秒),跟踪自己会保持,宜短",
        "seconds the radar itself holds a lost target; short, tracking holds",
        default=1,
        ge=0,
        le=255,
    )
    sensitivity_triggers: int = option(
        "连续检测几次才上报(跟踪会再确认,宜小)",
        "detections in a row before a target is reported; small, tracking confirms",
        default=1,
        ge=1,
        le=10,
    )
    sensitivity_snr: int = option(
        "信噪比门限,越大越不灵敏", "SNR level, higher is less sensitive", default=4, ge=0, le=8
    )
    configure: bool = option(
        "打开时写入并核对雷达参数", "write the settings to the radar and read them back", default=True
    )
    idle: Idle = option(  # noqa: RUF009 (declares a field, shares nothing)
        "空路时雷达的表现:frames 持续报空帧(静默 0.5 秒即故障);polled 静默(按 poll_s 询问)",
        "what it does on an empty road: frames (empty frames; 0.5 s of silence is a fault) or polled (silence; asked)",
        default=Idle.FRAMES,
        choices=("frames", "polled"),
    )
    poll_s: float = option(
        "idle 为 polled 时的询问间隔(秒)", "seconds between questions when idle is polled", default=1.5, ge=0.5, le=2
    )

    def __post_init__(self) -> None:
        sight.limit_m(self.reach_m, self.sees_m)

    @property
    def limit_m(self) -> float:
        """How far it looks, never less than its reach."""
        return sight.limit_m(self.reach_m, self.sees_m)


def wanted_detection(options: Ld2451Options) -> Detection:
    """The detection parameters of these options; always both directions."""
    return Detection(round(options.limit_m), Detect.ALL, options.min_speed_kmh, options.hold_s)


def wanted_sensitivity(options: Ld2451Options) -> Sensitivity:
    """The sensitivity of these options."""
    return Sensitivity(options.sensitivity_triggers, options.sensitivity_snr)


def decoder(radar: str, options: Ld2451Options) -> Ld2451Decoder:
    """The bytes-to-frames half, for the driver and for replay."""
    approach = 1 if options.direction_flag is DirectionFlag.APPROACH_IS_1 else 0
    return Ld2451Decoder(radar, reach_m=options.limit_m, approach_flag=approach)


class Ld2451(SerialRadar):
    """An open LD2451. ``settings_written`` counts how often settings had to be written since open."""

    def __init__(self, device: str, options: Ld2451Options, clock: Clock) -> None:
        self._wire = decoder(device, options)
        super().__init__(device, options.url, options.baud, self._wire, options.idle, clock)
        self.settings_written = 0
        self._options = options
        self._problem: str | None = None
        self._dialogue: Dialogue | None = None
        self._checking = False
        now_ns = clock.monotonic_ns()
        self._check_ns = now_ns
        # A radar that should stream is asked fast enough that its answers keep it fresh (0.5 s), should it fall silent
        # after all; that costs it detection time on an empty road, so one known to be silent is asked calmly.
        self._polling = Polling(now_ns, options.poll_s if options.idle is Idle.POLLED else QUIET_NS / NS_PER_S)
        self._road_empty = True

    def problem(self) -> str | None:
        """Why the radar does not have the settings of this site, or None. The radar guards on with what it has."""
        return self._problem

    # -- commands for a technician: each waits for the answer, frames heard meanwhile are kept for read() ----------

    def detection(self) -> Detection:
        """Reads the detection parameters. Raises HalError when the radar does not answer."""
        found = Detection.decode(self._ask(Step(Command.GET_DETECTION)))
        return self._whole(found, Command.GET_DETECTION)

    def set_detection(self, wanted: Detection) -> None:
        """Writes the detection parameters and reads them back. Raises HalError, also when they read back otherwise."""
        if wanted.directions != Detect.ALL:
            raise HalError(
                f"radar {self._device}: directions {wanted.directions} is not allowed; allowed: {Detect.ALL} (all), "
                "because one direction alone blinds the check of the direction bit"
            )
        self._ask(Step(Command.SET_DETECTION, wanted.encode()))
        self._same(self.detection(), wanted)

    def sensitivity(self) -> Sensitivity:
        """Reads the sensitivity. Raises HalError when the radar does not answer."""
        found = Sensitivity.decode(self._ask(Step(Command.GET_SENSITIVITY)))
        return self._whole(found, Command.GET_SENSITIVITY)

    def set_sensitivity(self, wanted: Sensitivity) -> None:
        """Writes the sensitivity and reads it back. Raises HalError, also when it reads back otherwise."""
        self._ask(Step(Command.SET_SENSITIVITY, wanted.encode()))
        self._same(self.sensitivity(), wanted)

    def firmware(self) -> str:
        """The firmware version, like ``V1.01.24051510``. Raises HalError when the radar does not answer."""
        return self._whole(firmware_text(self._ask(Step(Command.VERSION))), Command.VERSION)

    def set_baud(self, baud: int) -> None:
        """Sets the radar's baud rate; it holds after a restart. Raises HalError."""
        if baud not in BAUD_CODES:
            raise HalError(f"radar {self._device}: baud {baud} is not allowed; allowed: {sorted(BAUD_CODES)}")
        self._ask(Step(Command.SET_BAUD, BAUD_CODES[baud].to_bytes(2, "little")))

    def factory_reset(self) -> None:
        """Back to the maker's settings; they hold after a restart. Raises HalError."""
        self._ask(Step(Command.FACTORY_RESET))

    def restart(self) -> None:
        """Restarts the radar; its settings are checked again at the next chance. Raises HalError."""
        self._ask(Step(Command.RESTART))
        self._check_ns = self._clock.monotonic_ns()

    # -- hooks of the base ----------------------------------------------------------------------------------------

    def _due_ns(self) -> int:
        if self._dialogue is not None:
            return self._dialogue.due_ns()
        return min(self._polling.due_ns, self._check_due_ns())

    def _talk(self, now_ns: int) -> bytes:
        if self._dialogue is not None:
            if now_ns < self._dialogue.due_ns():
                return b""
            self._polling.missed()
            return self._advance(self._dialogue.on_time(now_ns), now_ns)
        if now_ns >= self._check_due_ns():
            return self._check(_QUERY, now_ns)
        if self._polling.due(now_ns):
            self._polling.asked()
            return self._begin(Dialogue(()), now_ns)
        return b""

    def _after(self, now_ns: int, frames: Sequence[RadarFrame]) -> bytes:
        out = b""
        if frames:
            self._polling.heard(now_ns)
            self._road_empty = not frames[-1].targets
        for ack in self._wire.take_acks():
            if self._dialogue is not None:
                out += self._advance(self._dialogue.on_ack(ack, now_ns), now_ns)
        self.missed_polls = self._polling.misses
        return out

    # -- the settings ---------------------------------------------------------------------------------------------

    def _check_due_ns(self) -> int:
        if not self._options.configure:
            return NEVER_NS
        # Config mode silences the radar for a moment: wait for an empty road, but not for ever.
        return self._check_ns if self._road_empty else self._check_ns + CHECK_EVERY_NS

    def _check(self, steps: Sequence[Step], now_ns: int) -> bytes:
        self._check_ns = now_ns + CHECK_EVERY_NS
        self._checking = True
        return self._begin(Dialogue(steps), now_ns)

    def _begin(self, dialogue: Dialogue, now_ns: int) -> bytes:
        self._dialogue = dialogue
        return dialogue.begin(now_ns)

    def _advance(self, out: bytes, now_ns: int) -> bytes:
        """Carries an exchange on; when it has ended, draws the conclusions."""
        self.missed_polls = self._polling.misses
        dialogue = self._dialogue
        if dialogue is None or not dialogue.done:
            return out
        self._dialogue = None
        if self._polling.asking:
            self._polling.give_up(now_ns)
        if not self._checking:
            return out
        self._checking = False
        return out + self._conclude(dialogue, now_ns)

    def _conclude(self, dialogue: Dialogue, now_ns: int) -> bytes:
        """Compares what was read with what is wanted; writes once, then says what is still wrong."""
        if dialogue.failure is not None:
            self._check_ns = now_ns + RETRY_CHECK_NS
            self._problem = (
                f"雷达 {self._device} 不应答设置命令,按其现有参数继续工作 / "
                f"radar {self._device} {dialogue.failure}; it guards on with the settings it has"
            )
            return b""
        wanted = (wanted_detection(self._options), wanted_sensitivity(self._options))
        found = (
            Detection.decode(dialogue.answers[Command.GET_DETECTION]),
            Sensitivity.decode(dialogue.answers[Command.GET_SENSITIVITY]),
        )
        if found == wanted:
            self._problem = None
            return b""
        if Command.SET_DETECTION in dialogue.answers:
            self._problem = (
                f"雷达 {self._device} 读回的参数与设置不符 / "
                f"radar {self._device} reads back {found}, asked for {wanted}; it guards on with the settings it has"
            )
            return b""
        self.settings_written += 1
        steps = (
            Step(Command.SET_DETECTION, wanted[0].encode()),
            Step(Command.SET_SENSITIVITY, wanted[1].encode()),
            *_QUERY,
        )
        return self._check(steps, now_ns)

    def _ask(self, step: Step) -> bytes:
        """One command for a technician: waits for its answer. Raises HalError."""
        limit_ns = self._clock.monotonic_ns() + EXCHANGE_LIMIT_NS
        mine: Dialogue | None = None
        while self._clock.monotonic_ns() < limit_ns:
            if self._dialogue is None and mine is None:
                mine = Dialogue((step,))
                self._send(self._begin(mine, self._clock.monotonic_ns()))
            self._pending.extend(self._turn(limit_ns))
            if mine is not None and mine.done:
                break
        if mine is None or step.command not in mine.answers:
            what = mine.failure if mine is not None and mine.failure else f"does not answer 0x{step.command:02X}"
            raise HalError(
                f"雷达 {self._device} 不应答命令,检查发送线和波特率 / "
                f"radar {self._device} {what}; check the TX line and the baud rate"
            )
        return mine.answers[step.command]

    def _whole(self, found: _T | None, command: Command) -> _T:
        if found is None:
            raise HalError(f"radar {self._device}: the answer to 0x{command:02X} is too short; check the firmware")
        return found

    def _same(self, found: object, wanted: object) -> None:
        if found != wanted:
            raise HalError(f"radar {self._device} reads back {found}, asked for {wanted}; is the value in its range?")


def open_radar(device: str, options: Ld2451Options, clock: Clock) -> Ld2451:
    """Opens the port. Raises DeviceOpenError; the radar itself is spoken to later, while it is being read."""
    return Ld2451(device, options, clock)


DRIVER = Driver(
    options=Ld2451Options,
    open=open_radar,
    claims=lambda options: port_claims(options.url),
    decoder=decoder,
    idle=Idle.POLLED,
)
