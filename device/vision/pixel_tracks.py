"""Boxes of one camera -> tracks in pixels, and how many vehicles and riders have passed. Pure.

Invariants: only a box above the detector's threshold begins a track, one below it may keep a track alive; three boxes
above it confirm, so that what flickers at the threshold is nobody for longer; who has been confirmed and stands is
remembered for ``PARKED_S`` unseen, so that a flickering box of a parked car is no newcomer; who has moved by its own
size once and is gone counts as passed, once, by the class that most pictures said. Nothing here decides a lamp: these
are counts for the county's report.
"""

import dataclasses
import itertools
import math
import typing
from collections.abc import Iterable, Sequence

from hal.clock import NS_PER_S
from models.detector import Detection

CONFIRM_BOXES = 3
UNSEEN_S = 1.0
"""Who moves and is not seen for a second has left, or is another one when something comes there again."""

PARKED_S = 60.0
"""The box of a parked vehicle may stay below the threshold for long: shade, glare, somebody in front of it."""

GATE_IOU = 0.15
GATE_SIZES = 0.5
"""A box fits a track that overlaps it a little, or whose middle is within half of their size: at ten pictures a second
a near vehicle moves by less than that against its prediction, a far one by a pixel."""

STANDS_S = 3.0
STANDS_SIZES = 0.3
STANDS_RATIO = 1.25
"""Who has kept its place and its size for so long stands: who comes straight at the camera grows by more."""

STANDS_IOU = 0.4
STANDS_GAIN = 0.1
"""Another box of one who stands is at the same place: whoever drives past must not take its number along. Who starts
from there begins a new track, which is the one that counts."""

SIZE_RATIO_MOST = 2.0
"""Between two pictures nobody doubles his size; a box cut off by the picture's edge shrinks faster than that."""

TWICE_IOU = 0.55
"""Two boxes of vehicles that overlap so much are one vehicle that the detector calls both, van and lorry."""

POSITION_GAIN = 0.6
MOTION_GAIN = 0.3
"""Of what a box is off its prediction: a box trembles by a tenth of its size, braking takes a second."""

MOVED_SIZES = 1.0
"""Who has gone as far as it is large has moved; a trembling box wanders by a third."""

VOTE_MEMORY = 0.9
PERSON = "person"
"""Riders are boxed beside their machine. All others are vehicles, and no vehicle is two of them at one place."""


@dataclasses.dataclass(slots=True)
class PixelTrack:
    """One road user in the picture: middle and size in pixels, their change in pixels a second."""

    id: int
    state: list[float]
    """Middle x and y, width, height."""
    motion: list[float]
    seen_ns: int
    began_at: tuple[float, float]
    anchor: list[float]
    anchor_ns: int
    votes: dict[str, float]
    boxes: int = 1
    moved: bool = False

    @property
    def confirmed(self) -> bool:
        """Whether enough boxes bore it out."""
        return self.boxes >= CONFIRM_BOXES

    @property
    def stands(self) -> bool:
        """Whether it has long been where it is, as large as it is."""
        return self.seen_ns - self.anchor_ns >= STANDS_S * NS_PER_S

    @property
    def cls(self) -> str:
        """The class that the last pictures said most."""
        return max(self.votes, key=lambda word: (self.votes[word], word))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in pixels when it was last seen."""
        x, y, width, height = self.state
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2


class _Place(typing.NamedTuple):
    """Where a box or a track is in a picture."""

    x: float
    y: float
    size: float
    corners: tuple[float, float, float, float]


class PixelTracks:
    """The tracks of one camera. ``threshold`` is the score from which a box begins a track."""

    def __init__(self, threshold: float) -> None:
        self.passed: dict[str, int] = {}
        """How many confirmed road users that moved have left, by class."""
        self.begun = 0
        """How many tracks were confirmed so far."""
        self._threshold = threshold
        self._ids = itertools.count(1)
        self._tracks: list[PixelTrack] = []

    def update(self, now_ns: int, detections: Sequence[Detection]) -> list[PixelTrack]:
        """Takes the boxes of a picture, those below the threshold too; the tracks that it showed."""
        self._forget(now_ns)
        boxes = [(found, _placed(_state(found))) for found in _once(detections)]
        tracks = [(track, _placed(_ahead(track, now_ns))) for track in self._tracks]
        taken: set[int] = set()
        shown: dict[int, PixelTrack] = {}
        # First the boxes that the detector is sure of; what is left of the tracks may take a doubtful one.
        for sure in (True, False):
            pairs = [
                (cost, track.id, index, track)
                for index, (found, box) in enumerate(boxes)
                if (found.score >= self._threshold) is sure
                for track, place in tracks
                if track.id not in shown and (cost := _misfit(track, place, found.cls, box, now_ns)) is not None
            ]
            for _cost, number, index, track in sorted(pairs):
                if index not in taken and number not in shown:
                    taken.add(index)
                    shown[number] = track
                    self._see(track, boxes[index][0], now_ns)
        for index, (found, _box) in enumerate(boxes):
            if index not in taken and found.score >= self._threshold:
                begun = _begin(next(self._ids), found, now_ns)
                self._tracks.append(begun)
                shown[begun.id] = begun
        return list(shown.values())

    def _see(self, track: PixelTrack, box: Detection, now_ns: int) -> None:
        gap_s = (now_ns - track.seen_ns) / NS_PER_S
        measured = _state(box)
        for axis, ahead in enumerate(_ahead(track, now_ns)):
            off = measured[axis] - ahead
            track.state[axis] = ahead + (STANDS_GAIN if track.stands else POSITION_GAIN) * off
            if gap_s > 0:
                track.motion[axis] += MOTION_GAIN * off / gap_s
        track.seen_ns = now_ns
        for word in track.votes:
            track.votes[word] *= VOTE_MEMORY
        track.votes[box.cls] = track.votes.get(box.cls, 0.0) + box.score
        if box.score >= self._threshold:
            track.boxes += 1
            self.begun += track.boxes == CONFIRM_BOXES
        if _left(track.anchor, track.state):
            track.anchor, track.anchor_ns = list(track.state), now_ns
        went = math.dist(track.began_at, track.state[:2])
        track.moved = track.moved or went >= MOVED_SIZES * _size(track.state)

    def _forget(self, now_ns: int) -> None:
        kept = []
        for track in self._tracks:
            patience_s = PARKED_S if track.confirmed and (track.stands or not track.moved) else UNSEEN_S
            if now_ns - track.seen_ns <= patience_s * NS_PER_S:
                kept.append(track)
            elif track.confirmed and track.moved:
                self.passed[track.cls] = self.passed.get(track.cls, 0) + 1
        self._tracks = kept


def _begin(number: int, box: Detection, now_ns: int) -> PixelTrack:
    state = _state(box)
    return PixelTrack(number, state, [0.0] * 4, now_ns, (state[0], state[1]), list(state), now_ns, {box.cls: box.score})


def _left(anchor: Sequence[float], state: Sequence[float]) -> bool:
    """Whether it is not where it was, or not as large."""
    sizes = _size(anchor), _size(state)
    return math.dist(anchor[:2], state[:2]) > STANDS_SIZES * sizes[0] or max(sizes) > STANDS_RATIO * min(sizes)


def _state(box: Detection) -> list[float]:
    return [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, box.x1 - box.x0, box.y1 - box.y0]


def _ahead(track: PixelTrack, now_ns: int) -> list[float]:
    """Where it should be now; who is not confirmed, or has not moved, is where it was."""
    gap_s = (now_ns - track.seen_ns) / NS_PER_S
    if track.stands or gap_s > UNSEEN_S:
        return list(track.state)
    return [value + motion * gap_s for value, motion in zip(track.state, track.motion, strict=True)]


def _size(state: Sequence[float]) -> float:
    return math.sqrt(max(state[2], 1.0) * max(state[3], 1.0))


def _placed(state: Sequence[float]) -> _Place:
    return _Place(state[0], state[1], _size(state), _corners(state))


def _misfit(track: PixelTrack, ahead: _Place, cls: str, box: _Place, now_ns: int) -> float | None:
    """How badly a box fits a track that should be ``ahead``, or None where it cannot be the same road user."""
    sizes = ahead.size + box.size
    # What does not even come near is most of all pairs: nothing else is asked of it.
    if abs(ahead.x - box.x) > sizes or abs(ahead.y - box.y) > sizes:
        return None
    if (cls == PERSON) is not (track.cls == PERSON):
        return None
    if max(ahead.size, box.size) > SIZE_RATIO_MOST * min(ahead.size, box.size):
        return None
    off = math.hypot(ahead.x - box.x, ahead.y - box.y) / (sizes / 2)
    shared = iou(ahead.corners, box.corners)
    kept_place = track.stands or now_ns - track.seen_ns > UNSEEN_S * NS_PER_S
    if shared < STANDS_IOU if kept_place else shared < GATE_IOU and off > GATE_SIZES:
        return None
    return off + 1.0 - shared


def _corners(state: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = state
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def iou(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """The share of two boxes (x0, y0, x1, y1) that they have in common."""
    # Most pairs of a picture are apart, and comparing is a tenth of min and max.
    if one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]:
        return 0.0
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return common / (sum(areas) - common)


def _once(detections: Iterable[Detection]) -> list[Detection]:
    """Each vehicle once, by its best box."""
    kept: list[Detection] = []
    vehicles: list[tuple[float, float, float, float]] = []
    for found in sorted(detections, key=lambda one: -one.score):
        if found.cls != PERSON:
            corners = (found.x0, found.y0, found.x1, found.y1)
            if any(iou(corners, other) >= TWICE_IOU for other in vehicles):
                continue
            vehicles.append(corners)
        kept.append(found)
    return kept
