"""What a person marked once in the clips: every vehicle that arrives or passes, by boxes in single frames, and the
stretches in which nothing new comes into view. Pure, but for reading ``marks.json``.

Invariants: boxes are x0, y0, x1, y1 in pixels of the clip, cut off at its edge, right to some five pixels; between two
marked frames a box is interpolated; frames count from 0. The clips themselves are no part of the project.
"""

import bisect
import dataclasses
import json
import pathlib

Box = tuple[float, float, float, float]
FILE = pathlib.Path(__file__).with_name("marks.json")


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """One vehicle that moves into view and out of it. ``boxes``: frame -> box, in order."""

    what: str
    boxes: dict[int, Box]

    def box(self, frame: int) -> Box | None:
        """Where it is in a frame; None before its first and after its last mark."""
        marked = list(self.boxes)
        after = bisect.bisect_left(marked, frame)
        if after == len(marked) or frame < marked[0]:
            return None
        if marked[after] == frame:
            return self.boxes[frame]
        first, second = marked[after - 1], marked[after]
        share = (frame - first) / (second - first)
        low, high = self.boxes[first], self.boxes[second]
        x0, y0, x1, y1 = (a + share * (b - a) for a, b in zip(low, high, strict=True))
        return x0, y0, x1, y1


@dataclasses.dataclass(frozen=True, slots=True)
class Clip:
    """The marks of one clip. ``nothing_new``: (first, last) frames between which nobody comes into view."""

    name: str
    fps: float
    arrivals: tuple[Arrival, ...]
    nothing_new: tuple[tuple[int, int], ...]


def clips() -> tuple[Clip, ...]:
    """Every clip that was marked."""
    return tuple(
        Clip(
            name,
            clip["fps"],
            tuple(
                Arrival(one["what"], {int(frame): tuple(box) for frame, box in one["boxes"].items()})
                for one in clip["arrivals"]
            ),
            tuple((first, last) for first, last in clip["nothing_new"]),
        )
        for name, clip in json.loads(FILE.read_text(encoding="utf-8")).items()
    )
