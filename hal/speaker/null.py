"""A speaker that makes no sound and remembers what it was asked to say, and when.

It does not model how long a clip takes or a card that fails: see ``sim``.
"""

import dataclasses
import json
import pathlib
from collections import deque

from hal.clock import Clock
from hal.errors import HalError
from hal.options import option
from hal.registry import Driver
from hal.speaker import clips

PLAYED_KEPT = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class NullOptions:
    """Options of ``driver: null``."""

    log: str | None = option(
        "把每次播报追加写入此文件(JSON 行)", "append every clip to this file (JSON lines)", default=None
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Played:
    """One clip that was asked for."""

    clip: str
    volume_pct: int
    mono_ns: int


class NullSpeaker:
    """``played`` holds the last thousand clips; the log, if any, all of them."""

    def __init__(self, speaker: str, options: NullOptions, clock: Clock) -> None:
        self._speaker = speaker
        self._clock = clock
        self._log = None if options.log is None else pathlib.Path(options.log)
        self._problem: str | None = None
        self._closed = False
        self.played: deque[Played] = deque(maxlen=PLAYED_KEPT)

    def play(self, clip: str, volume_pct: int) -> None:
        """Notes the clip."""
        clips.known(self._speaker, clip)
        if self._closed:
            raise HalError(f"speaker {self._speaker}: already closed")
        played = Played(clip, volume_pct, self._clock.monotonic_ns())
        self.played.append(played)
        self._problem = None
        if self._log is not None:
            line = {"mono_ns": played.mono_ns, "speaker": self._speaker, "clip": clip, "volume_pct": volume_pct}
            try:
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            except OSError as error:
                self._problem = f"speaker {self._speaker}: log {self._log} not written: {error}"

    def busy(self) -> bool:
        return False

    def problem(self) -> str | None:
        return self._problem

    def close(self) -> None:
        self._closed = True


def _open(speaker: str, options: NullOptions, clock: Clock) -> NullSpeaker:
    return NullSpeaker(speaker, options, clock)


DRIVER = Driver(options=NullOptions, open=_open)
