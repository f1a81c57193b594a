"""WAV files made quieter: aplay has no volume of its own, and a mixer control is named differently on every card."""

import array
import dataclasses
import pathlib
import sys
import wave

from hal.errors import HalError


@dataclasses.dataclass(frozen=True, slots=True)
class Sound:
    """16-bit PCM as read from a file; ``samples`` in the machine's byte order, channels interleaved."""

    rate_hz: int
    channels: int
    samples: "array.array[int]"

    @property
    def duration_s(self) -> float:
        """How long it plays."""
        return len(self.samples) / self.channels / self.rate_hz


def read(path: pathlib.Path) -> Sound:
    """Reads a 16-bit WAV file. Raises HalError when it is none."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2 or file.getnframes() == 0:
                raise HalError(f"{path}: {file.getsampwidth()} byte samples, {file.getnframes()} frames; 16 bit wanted")
            samples = array.array("h")
            samples.frombytes(file.readframes(file.getnframes()))
            if sys.byteorder == "big":
                samples.byteswap()
            return Sound(file.getframerate(), file.getnchannels(), samples)
    except (wave.Error, EOFError, OSError) as error:
        raise HalError(f"{path}: cannot be read as WAV: {error}") from error


def write(path: pathlib.Path, sound: Sound) -> None:
    """Writes a 16-bit WAV file."""
    samples = array.array("h", sound.samples)
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sound.channels)
        file.setsampwidth(2)
        file.setframerate(sound.rate_hz)
        file.writeframes(samples.tobytes())


def quieter(sound: Sound, volume_pct: int) -> Sound:
    """The sound at ``volume_pct`` (0 to 100) of its amplitude."""
    pct = min(100, max(0, volume_pct))
    samples = array.array("h", [sample * pct // 100 for sample in sound.samples])
    return dataclasses.replace(sound, samples=samples)
