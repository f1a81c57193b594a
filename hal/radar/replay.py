"""A radar that plays the raw bytes of a recording in real time, through the decoder of the radar that was recorded.

The recording says in its ``/config`` message which driver that was and with which options; both can be given here
instead. Times run from the first message of the recording, whatever its topic, so that all replayed devices of one
recording stay in step. A recording cut off is played as far as it goes.

It does not model: the radar's answers to questions asked now, its settings, or the splits of the bytes below one
recorded message; frames carry the time they are played, not the time they were recorded.
"""

import base64
import binascii
import dataclasses
import json
import pathlib
import struct
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from hal import registry
from hal.clock import NS_PER_S, Clock
from hal.errors import DeviceOpenError, OptionError
from hal.interfaces import Idle, RadarDecoder, RadarFrame, WireCounters
from hal.options import option
from hal.radar.serial_radar import RAW_LIMIT_BYTES
from hal.registry import Driver

_SITE_KEYS = frozenset({"driver", "approach", "to_conflict_m"})
"""Keys of a radar's entry that belong to the site and not to its driver."""


@dataclasses.dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Options of a replayed radar."""

    path: str = option("录制文件(MCAP)", "recording (MCAP)")
    radar: str | None = option(
        "录制中的雷达编号,默认与本设备相同", "id of the radar in the recording; default: as here", default=None
    )
    driver: str | None = option(
        "录制时的驱动,默认取自录制中的配置",
        "driver of the recorded radar; default: from the recording's /config",
        default=None,
    )
    driver_options: str = option(
        "录制时的驱动参数(JSON),覆盖录制中的配置",
        "options of the recorded radar as JSON, over those of the recording",
        default="{}",
    )
    reach_m: float | None = option(
        "雷达有效距离(米),默认取自录制", "reach in metres; default: from the recording", default=None, ge=10, le=255
    )
    idle: Idle = option(  # noqa: RUF009 (declares a field, shares nothing)
        "录制的雷达在空路时的表现",
        "what the recorded radar does on an empty road",
        default=Idle.FRAMES,
        choices=("frames", "polled"),
    )
    poll_s: float = option(
        "录制时的询问间隔(秒)", "seconds between questions in the recording", default=1.5, ge=0.5, le=2
    )
    loop: bool = option("循环播放", "start again at the end", default=False)


@dataclasses.dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    log_ns: int
    data: bytes


class ReplayRadar:
    """An open recording, played on the clock it was given."""

    def __init__(self, device: str, options: ReplayOptions, clock: Clock) -> None:
        self._device = device
        self._options = options
        self._clock = clock
        self._decoder = decoder(device, options)
        self.idle = options.idle
        self.missed_polls = 0
        self.counters: WireCounters = self._decoder.counters
        self._topic = f"/radar/{options.radar or device}/raw"
        self._raw = bytearray()
        self._first_ns = 0
        self._next: _Message | None = None
        self._rewind()
        if self._next is None:
            raise _unplayable(device, options.path, f"it holds no message of {self._topic}")

    def read(self, timeout_s: float) -> Sequence[RadarFrame]:
        """Waits for the next recorded message and returns the frames it completes; silent after the end."""
        deadline_ns = self._clock.monotonic_ns() + round(timeout_s * NS_PER_S)
        while True:
            now_ns = self._clock.monotonic_ns()
            if self._next is None and self._options.loop:
                self._rewind()
            due_ns = deadline_ns if self._next is None else self._start_ns + self._next.log_ns - self._first_ns
            if self._next is None or due_ns > deadline_ns:
                self._clock.sleep_s((deadline_ns - now_ns) / NS_PER_S)
                return ()
            self._clock.sleep_s((due_ns - now_ns) / NS_PER_S)
            data = _raw_bytes(self._next.data)
            self._advance()
            if len(self._raw) < RAW_LIMIT_BYTES:
                self._raw += data
            frames = self._decoder.feed(data, self._clock.monotonic_ns())
            if frames:
                return frames

    def take_raw(self) -> bytes:
        """The bytes played since the last call."""
        data = bytes(self._raw)
        self._raw.clear()
        return data

    def problem(self) -> str | None:
        """That the recording has ended, or None."""
        if self._next is not None or self._options.loop:
            return None
        return f"录制已放完:{self._options.path} / recording {self._options.path} has ended"

    def close(self) -> None:
        """Releases the file."""
        self._next = None
        self._messages.close()

    def _rewind(self) -> None:
        self._messages = _messages(self._device, self._options.path)
        self._start_ns = self._clock.monotonic_ns()
        self._next = next(self._messages, None)
        if self._next is not None:
            self._first_ns = self._next.log_ns
            if self._next.topic != self._topic:
                self._advance()

    def _advance(self) -> None:
        self._next = next((message for message in self._messages if message.topic == self._topic), None)


def decoder(device: str, options: ReplayOptions) -> RadarDecoder:
    """The decoder of the recorded radar. Raises DeviceOpenError."""
    radar = options.radar or device
    entry = _recorded_entry(device, options.path, radar)
    name = options.driver or entry.get("driver")
    if not isinstance(name, str) or name == "replay":
        raise _unplayable(device, options.path, f"it does not say which driver {radar} had; give the option driver")
    try:
        given = json.loads(options.driver_options)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise _unplayable(device, options.path, f"driver_options: {options.driver_options!r} is no JSON object")
    # Entries of another driver mean nothing to the one that is asked for.
    values = {} if name != entry.get("driver") else {k: v for k, v in entry.items() if k not in _SITE_KEYS}
    values.update(given)
    try:
        row = registry.driver("radar", name)
        known = {field.name: field for field in dataclasses.fields(row.options)}
        if options.reach_m is not None and "reach_m" in known:
            values["reach_m"] = options.reach_m
        if "url" in known:
            values.setdefault("url", options.path)
        if row.decoder is None:
            raise _unplayable(device, options.path, f"driver {name} has no decoder")
        decode: RadarDecoder = row.decoder(
            radar if radar == device else device, registry.parse_options("radar", name, values)
        )
    except OptionError as error:
        raise _unplayable(device, options.path, str(error)) from error
    return decode


def _recorded_entry(device: str, path: str, radar: str) -> Mapping[str, Any]:
    """The radar's entry in the recording's ``/config``, empty when there is none."""
    for message in _messages(device, path):
        if message.topic != "/config":
            continue
        try:
            radars = json.loads(message.data)["radars"]
            return dict(radars[radar])
        except (ValueError, KeyError, TypeError):
            return {}
    return {}


def _messages(device: str, path: str) -> Generator[_Message, None, None]:
    """Every message in file order. A file cut off ends where it was cut; one that is no MCAP raises DeviceOpenError."""
    # Imported here: a node that replays nothing does not pay for it.
    from mcap.exceptions import InvalidMagic, McapError
    from mcap.records import Channel, Message
    from mcap.stream_reader import StreamReader

    try:
        file = pathlib.Path(path).open("rb")  # noqa: SIM115 (closed by the with below)
    except OSError as error:
        raise _unplayable(device, path, error.strerror or str(error)) from error
    topics: dict[int, str] = {}
    with file:
        try:
            for record in StreamReader(file).records:
                if isinstance(record, Channel):
                    topics[record.id] = record.topic
                elif isinstance(record, Message) and record.channel_id in topics:
                    yield _Message(topics[record.channel_id], record.log_time, record.data)
        except InvalidMagic as error:
            if not topics:
                raise _unplayable(device, path, "it is no MCAP file") from error
        except (McapError, EOFError, struct.error, ValueError):
            # Cut off: what came before has been played.
            return


def _raw_bytes(data: bytes) -> bytes:
    try:
        return base64.b64decode(json.loads(data)["data"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        return b""


def _unplayable(device: str, path: str, reason: str) -> DeviceOpenError:
    return DeviceOpenError(f"雷达 {device}:录制 {path} 无法播放 / radar {device}: cannot play {path}: {reason}")


def open_radar(device: str, options: ReplayOptions, clock: Clock) -> ReplayRadar:
    """Opens the recording. Raises DeviceOpenError."""
    return ReplayRadar(device, options, clock)


DRIVER = Driver(options=ReplayOptions, open=open_radar, decoder=decoder, idle=Idle.FRAMES)
