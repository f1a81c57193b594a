"""A speaker on an ALSA device, through ``aplay`` as a separate program.

Invariants: ``play`` returns at once, a thread of its own scales, starts aplay and waits for it; a clip that is still
playing wins; an aplay that does not end is stopped; nothing of this ever reaches a lamp.
"""

import contextlib
import dataclasses
import pathlib
import shutil
import subprocess
import tempfile
import threading
from typing import Any

from hal.errors import DeviceOpenError, HalError
from hal.options import option
from hal.registry import Driver
from hal.speaker import clips, wav

PLAYER = "aplay"
OVERTIME_S = 5.0
"""How much longer than its clip aplay may take: opening a sleeping USB card takes one to two seconds."""

RENDER_HINT = "run python -m tools.voice.render"


@dataclasses.dataclass(frozen=True, slots=True)
class AlsaOptions:
    """Options of ``driver: alsa``."""

    device: str = option("ALSA 设备名(aplay -L 可列出)", "ALSA device, as aplay -L lists them", default="default")
    clips_dir: str | None = option(
        "语音文件夹;不填用自带语音", "folder of <clip id>.wav; without it the bundled voice", default=None
    )
    county_clips_dir: str | None = option(
        "县里下发的语音,优先;由节点自己填写",
        "clips from the county, which come first; the node fills it in",
        default=None,
    )


class AlsaSpeaker:
    """One open speaker."""

    def __init__(self, speaker: str, options: AlsaOptions) -> None:
        self._speaker = speaker
        self._device = options.device
        self._clips_dir = clips.RENDERED if options.clips_dir is None else pathlib.Path(options.clips_dir)
        self._county_dir = None if options.county_clips_dir is None else pathlib.Path(options.county_clips_dir)
        if shutil.which(PLAYER) is None:
            raise DeviceOpenError(f"speaker {speaker}: no program {PLAYER} on this machine; apt install alsa-utils")
        missing = [clip for clip in clips.CLIPS if not self._path(clip).is_file()]
        if missing:
            raise DeviceOpenError(
                f"speaker {speaker}: {self._clips_dir} has no {', '.join(missing)} (.wav); {RENDER_HINT}"
            )
        self._prove_county_clips()
        self._scaled = tempfile.TemporaryDirectory(prefix="clips-")
        self._lock = threading.Lock()
        self._closed = False
        self._problem: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def play(self, clip: str, volume_pct: int) -> None:
        """Starts a clip at ``volume_pct`` of its amplitude (0: nothing is played)."""
        path = self._path(clips.known(self._speaker, clip).id)
        if not path.is_file():
            raise HalError(f"speaker {self._speaker}: {path} is missing; {RENDER_HINT}")
        if self._closed:
            raise HalError(f"speaker {self._speaker}: already closed")
        if volume_pct <= 0 or self.busy():
            return
        self._thread = threading.Thread(
            target=self._play, args=(path, min(100, volume_pct)), name=f"speaker-{self._speaker}", daemon=True
        )
        self._thread.start()

    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def problem(self) -> str | None:
        return self._problem

    def close(self) -> None:
        """Stops aplay and removes the scaled clips."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
        if self._thread is not None:
            self._thread.join(OVERTIME_S)
        self._scaled.cleanup()

    def _path(self, clip: str) -> pathlib.Path:
        if self._county_dir is not None and (path := self._county_dir / f"{clip}.wav").is_file():
            return path
        return self._clips_dir / f"{clip}.wav"

    def _prove_county_clips(self) -> None:
        """A clip that came over the air and cannot be played is told at the start, while it is on trial, and not when
        somebody should have heard it. Raises DeviceOpenError."""
        for path in [] if self._county_dir is None else sorted(self._county_dir.glob("*.wav")):
            try:
                sound = wav.read(path)
            except HalError as error:
                raise DeviceOpenError(f"speaker {self._speaker}: {error}") from None
            if sound.duration_s > clips.LONGEST_S:
                raise DeviceOpenError(
                    f"speaker {self._speaker}: {path} plays {sound.duration_s:.1f} s, {clips.LONGEST_S:g} s at most"
                )

    def _play(self, path: pathlib.Path, volume_pct: int) -> None:
        try:
            heard, duration_s = self._at_volume(path, volume_pct)
            problem = self._run(heard, duration_s)
        except (HalError, OSError) as error:
            problem = f"speaker {self._speaker}: {error}"
        if not self._closed:
            self._problem = problem

    def _at_volume(self, path: pathlib.Path, volume_pct: int) -> tuple[pathlib.Path, float]:
        """The clip at this volume, made once, and how long it plays."""
        scaled = pathlib.Path(self._scaled.name) / f"{path.stem}-{volume_pct}.wav"
        sound = wav.read(scaled if scaled.is_file() else path)
        if not scaled.is_file():
            wav.write(scaled, wav.quieter(sound, volume_pct))
        return scaled, sound.duration_s

    def _run(self, path: pathlib.Path, duration_s: float) -> str | None:
        """Plays to the end; what aplay said if it failed."""
        with self._lock:
            if self._closed:
                return None
            self._process = subprocess.Popen(
                [PLAYER, "-q", "-D", self._device, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        process = self._process
        patience_s = duration_s + OVERTIME_S
        try:
            _, said = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=OVERTIME_S)
            return f"speaker {self._speaker}: {PLAYER} on {self._device} did not end in {patience_s:.0f} s"
        if process.returncode == 0:
            return None
        lines = said.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else "it said nothing"
        return f"speaker {self._speaker}: {PLAYER} on {self._device} failed ({process.returncode}): {reason}"


def _open(speaker: str, options: AlsaOptions, _clock: Any) -> AlsaSpeaker:
    return AlsaSpeaker(speaker, options)


DRIVER = Driver(options=AlsaOptions, open=_open, claims=lambda options: frozenset({f"alsa {options.device}"}))
