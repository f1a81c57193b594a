"""A radar without a wire: one road user after another drives through, as an LD2451 would report it.

Each comes into reach at a steady speed, passes the radar and drives out of reach on the other side. The frames go
through the LD2451's own encoder and decoder, so they carry its grain (whole metres, whole km/h) at its rate, and a
recording of this radar replays like one of the real thing.

It does not model: noise, missed detections, ghosts, occlusion, several users at once, acceleration, angle, SNR,
the blind zone near the radar, the firmware's own confirmation and hold, silence, or garbage on the wire.
"""

import dataclasses
from collections.abc import Sequence

from hal.clock import NS_PER_S, Clock
from hal.interfaces import Idle, RadarFrame, WireCounters
from hal.options import option
from hal.radar.ld2451_wire import Ld2451Decoder, WireTarget, encode_report
from hal.radar.serial_radar import RAW_LIMIT_BYTES
from hal.registry import Driver


@dataclasses.dataclass(frozen=True, slots=True)
class SimOptions:
    """Options of the simulated radar."""

    rate_hz: float = option("每秒帧数", "frames a second", default=10.0, ge=1, le=200)
    speed_kmh: int = option("车速(公里/小时)", "speed of each road user, km/h", default=60, ge=1, le=255)
    every_s: float = option("每隔几秒来一辆", "seconds from one road user to the next", default=20.0, ge=1, le=3600)
    first_s: float = option("第一辆在几秒后出现", "seconds until the first one", default=2.0, ge=0, le=3600)
    reach_m: float = option("雷达有效距离(米)", "how far the radar sees, metres", default=100.0, ge=10, le=250)


def scene(t_s: float, options: SimOptions) -> tuple[WireTarget, ...]:
    """Who is in reach ``t_s`` seconds after the start; direction 1 = approaching."""
    if t_s < options.first_s:
        return ()
    along_m = options.reach_m - (t_s - options.first_s) % options.every_s * options.speed_kmh / 3.6
    if along_m < -options.reach_m:
        return ()
    return (WireTarget(0, round(abs(along_m)), 1 if along_m > 0 else 0, options.speed_kmh),)


def decoder(radar: str, options: SimOptions) -> Ld2451Decoder:
    """The bytes-to-frames half, for replay."""
    return Ld2451Decoder(radar, reach_m=options.reach_m, approach_flag=1)


class SimRadar:
    """A radar that follows its script on the clock it was given."""

    def __init__(self, device: str, options: SimOptions, clock: Clock) -> None:
        self.idle = Idle.FRAMES
        self.missed_polls = 0
        self._options = options
        self._clock = clock
        self._decoder = decoder(device, options)
        self.counters: WireCounters = self._decoder.counters
        self._period_ns = round(NS_PER_S / options.rate_hz)
        self._start_ns = clock.monotonic_ns()
        self._next = 1
        self._raw = bytearray()

    def read(self, timeout_s: float) -> Sequence[RadarFrame]:
        """Waits for the next frame of the script; none if it is not due within ``timeout_s``."""
        now_ns = self._clock.monotonic_ns()
        behind = (now_ns - self._start_ns) // self._period_ns
        if behind > self._next:
            # Newest wins: what was not fetched in time is over.
            self.counters.late_skipped += behind - self._next
            self._next = behind
        due_ns = self._start_ns + self._next * self._period_ns
        if due_ns - now_ns > timeout_s * NS_PER_S:
            self._clock.sleep_s(timeout_s)
            return ()
        self._clock.sleep_s((due_ns - now_ns) / NS_PER_S)
        data = encode_report(scene((due_ns - self._start_ns) / NS_PER_S, self._options))
        self._next += 1
        if len(self._raw) < RAW_LIMIT_BYTES:
            self._raw += data
        return self._decoder.feed(data, self._clock.monotonic_ns())

    def take_raw(self) -> bytes:
        """The bytes an LD2451 would have sent since the last call."""
        data = bytes(self._raw)
        self._raw.clear()
        return data

    def problem(self) -> str | None:
        """Nothing can be wrong with it."""
        return None

    def close(self) -> None:
        """Nothing to release."""


def open_radar(device: str, options: SimOptions, clock: Clock) -> SimRadar:
    """Opens at once; the script starts now."""
    return SimRadar(device, options, clock)


DRIVER = Driver(options=SimOptions, open=open_radar, decoder=decoder, idle=Idle.FRAMES)
