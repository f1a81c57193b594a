"""Tracks in pixels against the marks: is every arrival boxed, is it one track, does anything new appear where nothing
does? Pure.

Invariants: a box and a track are an arrival's when they share ``MATCH_IOU`` with its mark; an arrival is asked for from
``FROM_PX`` of height on; a track belongs to an arrival that it shows in ``OWNED_PICTURES`` pictures or more, so that
one that is merely driven past does not count.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from device.vision.pixel_tracks import PixelTracks, iou
from hal.clock import NS_PER_S
from models.detector import Detection
from tools.footage.marks import Arrival, Clip

FROM_PX = 40.0
MATCH_IOU = 0.4
"""The marks are right to five pixels, interpolated where a vehicle brakes: less than the 0.5 of hand-drawn labels."""

OWNED_PICTURES = 3
PICTURES_PER_S = 10.0
"""What the node looks at."""

SETTLED_S = 3.0
"""At the start of a clip everybody who is parked there is new."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """How one arrival was seen: pictures from ``FROM_PX`` on, those with a box of it, and the tracks that it was."""

    arrival: Arrival
    pictures: int
    boxed: int
    tracks: int

    @property
    def share(self) -> float:
        """Of its pictures those with a box."""
        return self.boxed / self.pictures if self.pictures else 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """A clip. ``new_tracks`` began where nothing new comes into view, in ``nothing_new_s`` seconds."""

    clip: Clip
    seen: tuple[Seen, ...]
    new_tracks: int
    nothing_new_s: float
    passed: dict[str, int]


def frames(clip: Clip, count: int) -> list[int]:
    """The frames that a node at ten pictures a second would look at."""
    step = max(1.0, clip.fps / PICTURES_PER_S)
    return [round(number * step) for number in range(int(count / step)) if round(number * step) < count]


def judge(clip: Clip, pictures: Iterable[tuple[int, Sequence[Detection]]], threshold: float) -> Verdict:
    """``pictures``: (frame, boxes) in order, the boxes below the threshold too."""
    tracker = PixelTracks(threshold)
    boxed = [0] * len(clip.arrivals)
    asked = [0] * len(clip.arrivals)
    owners: list[dict[int, int]] = [{} for _ in clip.arrivals]
    new_tracks, now_ns = 0, 0
    for frame, detections in pictures:
        now_ns = round(frame / clip.fps * NS_PER_S)
        begun = tracker.begun
        shown = tracker.update(now_ns, detections)
        if now_ns >= SETTLED_S * NS_PER_S and any(first <= frame <= last for first, last in clip.nothing_new):
            new_tracks += tracker.begun - begun
        for number, arrival in enumerate(clip.arrivals):
            box = arrival.box(frame)
            if box is None or box[3] - box[1] < FROM_PX:
                continue
            asked[number] += 1
            boxed[number] += any(
                found.score >= threshold and iou(box, (found.x0, found.y0, found.x1, found.y1)) >= MATCH_IOU
                for found in detections
            )
            for track in shown:
                if track.confirmed and iou(box, track.box) >= MATCH_IOU:
                    owners[number][track.id] = owners[number].get(track.id, 0) + 1
    tracker.update(now_ns + 2 * NS_PER_S, ())
    seen = tuple(
        Seen(arrival, asked[number], boxed[number], sum(n >= OWNED_PICTURES for n in owners[number].values()))
        for number, arrival in enumerate(clip.arrivals)
    )
    still_s = sum((last - first) / clip.fps for first, last in clip.nothing_new)
    return Verdict(clip, seen, new_tracks, still_s, dict(tracker.passed))
