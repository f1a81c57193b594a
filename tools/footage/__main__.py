"""``python -m tools.footage FOLDER``: the bundled detector and the tracks in pixels against the marked clips.

Prints JSON lines {"name", "value", "unit", "bar", "ok"} and, on stderr, a line for each arrival. Exit 0 when every bar
is met, 1 when not, 2 when a clip is not there or is not the one that was marked.
"""

import argparse
import pathlib
import sys
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from device.vision.loop import KEEPS_ALIVE
from models.detector import Detection
from models.onnx_detector import OnnxDetector, load_detector
from tools.bench.figures import as_json
from tools.footage.judge import Verdict, frames, judge
from tools.footage.marks import Clip, clips

ARRIVALS = "side_road_day.mp4"
"""The clip from a pole, whose arrivals have bars; the other one, from a window, is told beside it."""

BOXED_BAR = 0.8
TRACKS_BAR = 1.1
NEW_TRACKS_BAR = 0.2
SECONDS_PER_MINUTE = 60.0


class ClipError(ValueError):
    """A clip is not there, or is not the one that was marked."""


def pictures(folder: pathlib.Path, clip: Clip, detector: OnnxDetector) -> Iterator[tuple[int, Sequence[Detection]]]:
    """(frame, boxes) at the node's rate. Raises ClipError."""
    path = folder / clip.name
    video = cv2.VideoCapture(str(path))
    try:
        if not video.isOpened():
            raise ClipError(f"{path}: no video to read; the clip that was marked is expected there")
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        last = max(frame for arrival in clip.arrivals for frame in arrival.boxes)
        if count <= last:
            raise ClipError(f"{path}: {count} frames; a clip with more than {last} was marked")
        wanted = frames(clip, count)
        number = 0
        for frame in wanted:
            while number <= frame:
                good, image = video.read()
                if not good:
                    return
                number += 1
            yield frame, detector.detect(np.asarray(image, np.uint8))
    finally:
        video.release()


def lines(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    """The figures, in order."""
    found: list[dict[str, object]] = []
    for verdict in verdicts:
        name, bars = verdict.clip.name.removesuffix(".mp4"), verdict.clip.name == ARRIVALS
        least = min(seen.share for seen in verdict.seen)
        tracks = [seen.tracks for seen in verdict.seen]
        found += [
            _line(f"footage_{name}_arrivals", len(tracks), "", None, None),
            _line(f"footage_{name}_boxed_least", least, "", BOXED_BAR, least >= BOXED_BAR, bars),
            _line(
                f"footage_{name}_tracks_per_arrival",
                sum(tracks) / len(tracks),
                "",
                TRACKS_BAR,
                min(tracks) >= 1 and sum(tracks) <= TRACKS_BAR * len(tracks),
                bars,
            ),
        ]
    still_s = sum(verdict.nothing_new_s for verdict in verdicts)
    new = sum(verdict.new_tracks for verdict in verdicts) / still_s * SECONDS_PER_MINUTE
    return [
        *found,
        _line("footage_nothing_new_s", still_s, "s", None, None),
        _line("footage_new_tracks_per_min", new, "1/min", NEW_TRACKS_BAR, new <= NEW_TRACKS_BAR),
    ]


def _line(
    name: str, value: float, unit: str, bar: float | None, ok: bool | None, judged: bool = True
) -> dict[str, object]:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "bar": bar if judged else None,
        "ok": ok if judged else None,
    }


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tools.footage", description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, help="where the marked clips are")
    folder = parser.parse_args().folder
    detector = load_detector(threshold=KEEPS_ALIVE)
    verdicts = []
    try:
        for clip in clips():
            verdicts.append(judge(clip, pictures(folder, clip, detector), detector.manifest.threshold))
    except ClipError as error:
        print(error, file=sys.stderr)
        return 2
    for verdict in verdicts:
        for seen in verdict.seen:
            told = f"{verdict.clip.name}: {seen.arrival.what}: boxed in {seen.boxed} of {seen.pictures} pictures"
            print(f"{told}, {seen.tracks} track(s)", file=sys.stderr)
        print(f"{verdict.clip.name}: passed {verdict.passed}", file=sys.stderr)
    figures = lines(verdicts)
    for line in figures:
        print(as_json(line))
    return 1 if any(line["ok"] is False for line in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
