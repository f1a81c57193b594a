"""Picture sheets of the worst misses and the worst false alarms, into a folder outside the project.

The worst misses are the tallest labels that a model misses at its own threshold, those that a teacher finds first:
they could have been seen. The worst false alarms are the surest boxes that meet no label; those that
a teacher sees as well come last, for the fault may be the label's.

Invariants: nothing is written inside the project, since the pictures are not ours; pictures without faults make no
sheet. Green: label; red: box of the model; yellow: what the tile is about.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from models.boxes import Floats, Image
from models.training.teachers import CLASSES
from tools.detector import split
from tools.detector.errors import CannotMeasure
from tools.detector.looking import IN_WEATHERS, Look, Looks, Picture, Truth, drawn_in, vehicles_as_one
from tools.detector.matching import Boxes, match, on_any
from tools.detector.scorers import NANODET, Contestant

PROJECT = pathlib.Path(__file__).resolve().parents[2]

TILES, ACROSS, TILE_PX = 30, 6, 240

AROUND = 2.5
"""A tile shows this many times the larger side of the box it is about, at least LEAST_PX."""

LEAST_PX = 96

_GREEN, _RED, _YELLOW, _WHITE = (80, 220, 80), (60, 60, 240), (0, 230, 255), (255, 255, 255)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Fault:
    """Something missed or falsely seen: ``rank`` orders them, worst highest."""

    picture: Picture
    said: Boxes
    box: Floats
    rank: tuple[float, float]
    words: str


def check(folder: pathlib.Path) -> None:
    """Refuses a folder inside the project. Raises CannotMeasure."""
    if folder.resolve().is_relative_to(PROJECT):
        raise CannotMeasure(
            f"{folder}: inside the project, and these pictures are not ours to keep there; name another"
        )


def write(folder: pathlib.Path, contestants: Sequence[Contestant], pictures: Sequence[Picture], looks: Looks) -> int:
    """Writes ``{model}_{view}_{weather}_{misses|false}.png`` for every bundled model; returns how many."""
    check(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for one in contestants:
        if not one.ours:
            continue
        for weather in IN_WEATHERS:
            said, teacher = looks[one.name, weather], looks[NANODET, weather]
            for pole in (True, False):
                misses: list[Fault] = []
                false: list[Fault] = []
                for picture, mine, theirs in zip(pictures, said, teacher, strict=True):
                    if picture.sample.pole == pole and picture.camera not in split.IN_TRAIN:
                        misses += missed(picture, mine, theirs, one.threshold)
                        false += false_alarms(picture, mine, theirs, one.threshold)
                for kind, faults in (("misses", misses), ("false", false)):
                    if faults:
                        name = f"{one.name}_{'pole' if pole else 'close'}_{weather}_{kind}.png"
                        cv2.imwrite(str(folder / name), sheet(worst(faults), weather))
                        written += 1
    return written


def _sure(look: Look, pole: bool, threshold: float) -> Boxes:
    found = look.vehicle if pole else look.kinds
    return found.of(found.scores >= np.float32(threshold))


def _truth(picture: Picture) -> Truth:
    sample = picture.sample
    return vehicles_as_one(sample) if sample.pole else (sample.boxes, sample.classes)


def missed(picture: Picture, mine: Look, theirs: Look, threshold: float) -> Iterator[Fault]:
    """Labels that a model misses at its threshold; ``theirs`` is what a teacher says at the same."""
    pole = picture.sample.pole
    labels, classes = _truth(picture)
    said, teacher = _sure(mine, pole, threshold), _sure(theirs, pole, threshold)
    met, seen = set(match(said, labels, classes).tolist()), set(match(teacher, labels, classes).tolist())
    for index in set(range(len(labels))) - met:
        box = labels[index]
        word = "vehicle" if pole else CLASSES[classes[index]]
        words = f"{word} {box[3] - box[1]:.0f} px{', teacher saw it' if index in seen else ''}"
        yield Fault(picture, said, box, (float(index in seen), float(box[3] - box[1])), words)


def false_alarms(picture: Picture, mine: Look, theirs: Look, threshold: float) -> Iterator[Fault]:
    """Boxes of a model that meet no label; ``theirs`` as above."""
    pole = picture.sample.pole
    labels, classes = _truth(picture)
    said, teacher = _sure(mine, pole, threshold), _sure(theirs, pole, threshold)
    also = on_any(said.boxes, teacher.boxes)
    for row in np.flatnonzero(match(said, labels, classes) < 0).tolist():
        score = float(said.scores[row])
        word = "vehicle" if pole else CLASSES[said.classes[row]]
        words = f"{word} {score:.2f}{', teacher too' if also[row] else ''}"
        yield Fault(picture, said, said.boxes[row], (float(not also[row]), score), words)


def worst(faults: Sequence[Fault]) -> list[Fault]:
    """The TILES worst, worst first."""
    return sorted(faults, key=lambda fault: fault.rank, reverse=True)[:TILES]


def sheet(faults: Sequence[Fault], weather: str) -> Image:
    """Tiles of TILE_PX, ACROSS a row."""
    tiles = [_tile(fault, weather) for fault in faults]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % ACROSS)
    rows = [np.hstack(tiles[i : i + ACROSS]) for i in range(0, len(tiles), ACROSS)]
    return np.asarray(np.vstack(rows), np.uint8)


def _tile(fault: Fault, weather: str) -> Image:
    image = drawn_in(fault.picture, weather)
    x0, y0, x1, y1 = fault.box.tolist()
    side = int(max(LEAST_PX, AROUND * max(x1 - x0, y1 - y0)))
    left, top = int((x0 + x1 - side) / 2), int((y0 + y1 - side) / 2)
    scale = TILE_PX / side
    # A window that may reach over the edge: moved and scaled in one go, black outside.
    window = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float64)
    tile = np.asarray(cv2.warpAffine(image, window, (TILE_PX, TILE_PX)), np.uint8)
    shift = np.array([left, top, left, top])
    labels, _ = _truth(fault.picture)
    for boxes, colour in ((labels, _GREEN), (fault.said.boxes, _RED), (fault.box[None], _YELLOW)):
        for a, b, c, d in np.round((boxes - shift) * scale).astype(int).tolist():
            cv2.rectangle(tile, (a, b), (c, d), colour, 1)
    for text, y in ((fault.words, 14), (fault.picture.name, TILE_PX - 6)):
        cv2.putText(tile, text, (4, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _WHITE, 1, cv2.LINE_AA)
    return tile
