"""A simulated speaker: ``null`` that also takes time to speak and whose card can be missing or busy.

It does not model loudness, the time a card takes to wake, or two programs sharing a card.
"""

import dataclasses

from hal.clock import NS_PER_S, Clock
from hal.errors import DeviceOpenError
from hal.options import option
from hal.registry import Driver
from hal.speaker import clips
from hal.speaker.null import NullOptions, NullSpeaker


@dataclasses.dataclass(frozen=True, slots=True)
class SimSpeakerOptions:
    """Options of ``driver: sim`` of a speaker."""

    play_s: float = option(
        "每条语音时长(秒)", "how long a clip takes, in seconds", default=clips.LONGEST_S, ge=0, le=10
    )
    failure: str = option(
        "注入故障:打不开、设备被占用",
        "injected failure: it will not open, its card is held by another program",
        default="none",
        choices=("none", "will_not_open", "device_busy"),
    )
    log: str | None = option(
        "把每次播报追加写入此文件(JSON 行)", "append every clip to this file (JSON lines)", default=None
    )


class SimSpeaker:
    """``played`` holds what was begun; what was asked for while a clip played is not in it."""

    def __init__(self, speaker: str, options: SimSpeakerOptions, clock: Clock) -> None:
        if options.failure == "will_not_open":
            raise DeviceOpenError(f"speaker {speaker}: simulated speaker does not open (failure: will_not_open)")
        self._speaker = speaker
        self._options = options
        self._clock = clock
        self._null = NullSpeaker(speaker, NullOptions(log=options.log), clock)
        self._until_ns = 0
        self._problem: str | None = None
        self.played = self._null.played

    def play(self, clip: str, volume_pct: int) -> None:
        """Begins a clip, unless one is playing or the card is held elsewhere."""
        clips.known(self._speaker, clip)
        if self.busy():
            return
        if self._options.failure == "device_busy":
            self._problem = f"speaker {self._speaker}: simulated card is busy (failure: device_busy)"
            return
        self._null.play(clip, volume_pct)
        self._until_ns = self._clock.monotonic_ns() + round(self._options.play_s * NS_PER_S)

    def busy(self) -> bool:
        return self._clock.monotonic_ns() < self._until_ns

    def problem(self) -> str | None:
        return self._problem or self._null.problem()

    def close(self) -> None:
        self._until_ns = 0
        self._null.close()


def _open(speaker: str, options: SimSpeakerOptions, clock: Clock) -> SimSpeaker:
    return SimSpeaker(speaker, options, clock)


DRIVER = Driver(options=SimSpeakerOptions, open=_open)
