"""Renders the clips of hal.speaker.clips with espeak-ng: ``python -m tools.voice.render [--out DIR]``.

The voice is ``cmn-latn-pinyin`` fed pinyin with tone numbers (plain ``cmn`` misreads characters). A clip is spoken at
the voice's own pace, faster only as far as two seconds ask for. Every file is replaced whole or not at all.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

from hal.errors import HalError
from hal.speaker import clips, wav

PROGRAM = "espeak-ng"
VOICE = "cmn-latn-pinyin"
OWN_PACE_WPM = 175
"""espeak-ng's default; a step of 5 is just audible."""

FASTEST_WPM = 260
STEP_WPM = 5


class RenderError(RuntimeError):
    """A clip could not be rendered; the message says which and what to do."""


def render(out: pathlib.Path) -> dict[str, float]:
    """Writes ``<id>.wav`` for every clip into ``out``; returns their durations in seconds. Raises RenderError."""
    if shutil.which(PROGRAM) is None:
        raise RenderError(f"no program {PROGRAM} on this machine; apt install espeak-ng")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        return {clip.id: _render(clip, pathlib.Path(scratch), out) for clip in clips.CLIPS.values()}


def _render(clip: clips.Clip, scratch: pathlib.Path, out: pathlib.Path) -> float:
    made = scratch / f"{clip.id}.wav"
    for pace_wpm in range(OWN_PACE_WPM, FASTEST_WPM + 1, STEP_WPM):
        _speak(clip, pace_wpm, made)
        duration_s = wav.read(made).duration_s
        if duration_s <= clips.LONGEST_S:
            made.replace(out / made.name)
            return duration_s
    raise RenderError(
        f"clip {clip.id}: {duration_s:.2f} s at {FASTEST_WPM} words/min; shorten it ({clips.LONGEST_S} s)"
    )


def _speak(clip: clips.Clip, pace_wpm: int, path: pathlib.Path) -> None:
    # -b 1: UTF-8, -z: no pause after the last word.
    command = [PROGRAM, "-b", "1", "-z", "-v", VOICE, "-s", str(pace_wpm), "-w", str(path), clip.pinyin]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not path.is_file():
        raise RenderError(f"clip {clip.id}: {PROGRAM} failed ({done.returncode}): {done.stderr.strip()}")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.voice.render", description="渲染语音 / renders the clips")
    parser.add_argument("--out", type=pathlib.Path, default=clips.RENDERED, help="default: %(default)s")
    out: pathlib.Path = parser.parse_args(argv).out
    try:
        durations = render(out)
    except (RenderError, HalError, OSError) as error:
        print(f"voice: {error}", file=sys.stderr)
        return 1
    for clip, duration_s in durations.items():
        print(f"{clip} {duration_s:.2f} s {clips.CLIPS[clip].text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
