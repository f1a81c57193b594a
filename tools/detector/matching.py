"""Which boxes meet which labels. Pure.

Invariants: a label is met once, by the best-scored box that overlaps it by MATCH_IOU; a box that meets none may lie on
a gap (where both teachers see what nobody labelled): whoever asks decides whether it is then false or set aside.
"""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.boxes import Floats, Indices, select
from models.training.data import overlap
from models.training.teachers import CLASSES, Candidates

Mask: TypeAlias = npt.NDArray[np.bool_]

MATCH_IOU = 0.5
"""AP50."""

LOW_SCORE = 0.01
"""Average precision wants the whole curve, so nearly everything is kept."""

MAX_BOXES = 300
"""More than any picture here has labels (the fullest has 60)."""

PERSON = CLASSES.index("person")
VEHICLES = tuple(i for i in range(len(CLASSES)) if i != PERSON)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """What a model says of one picture after suppression, best first: K×4 xyxy px, classes, scores."""

    boxes: Floats
    classes: Indices
    scores: Floats

    def of(self, wanted: Mask) -> "Boxes":
        """Those that a mask names."""
        return Boxes(self.boxes[wanted], self.classes[wanted], self.scores[wanted])


def by_class(found: Candidates, suppression_iou: float) -> Boxes:
    """Best class per candidate, suppressed within its class, as the node does it."""
    boxes, classes, scores = select(
        found.boxes.T, found.scores.T, threshold=LOW_SCORE, overlap=suppression_iou, max_detections=MAX_BOXES
    )
    return Boxes(boxes, classes, scores)


def as_vehicle(found: Candidates, suppression_iou: float) -> Boxes:
    """The four vehicle classes taken as one, whose boxes compete; every class comes out as 0."""
    rows = found.scores[:, VEHICLES].max(axis=1)[None]
    boxes, classes, scores = select(
        found.boxes.T, rows, threshold=LOW_SCORE, overlap=suppression_iou, max_detections=MAX_BOXES
    )
    return Boxes(boxes, classes, scores)


def match(found: Boxes, labels: Floats, classes: Indices) -> Indices:
    """For each box (best first) the label of its class that it meets, −1 for none."""
    met = np.full(len(found.boxes), -1, np.intp)
    if not len(labels) or not len(met):
        return met
    table = np.where(found.classes[:, None] == classes, overlap(found.boxes, labels), 0)
    for row in np.flatnonzero(table.max(axis=1) >= MATCH_IOU).tolist():
        best = int(table[row].argmax())
        if table[row, best] >= MATCH_IOU:
            met[row] = best
            table[:, best] = 0
    return met


def on_any(boxes: Floats, regions: Floats, iou: float = MATCH_IOU) -> Mask:
    """Which boxes overlap one of the regions."""
    if not len(regions):
        return np.zeros(len(boxes), np.bool_)
    return np.asarray(overlap(boxes, regions).max(axis=1, initial=0) >= iou)


def gaps(first: Boxes, second: Boxes, sure: float, labels: Floats) -> Floats:
    """Regions (M×4) where two models agree on a class at ``sure`` and no label is near (IoU under 0.3)."""
    one, two = first.of(first.scores >= sure), second.of(second.scores >= sure)
    if not len(one.boxes) or not len(two.boxes):
        return np.empty((0, 4), np.float32)
    same = one.classes[:, None] == two.classes
    agreed = one.boxes[((overlap(one.boxes, two.boxes) >= MATCH_IOU) & same).any(axis=1)]
    return np.asarray(agreed[~on_any(agreed, labels, 0.3)], np.float32)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """All boxes of one model on the pictures of a view, best first.

    ``picture`` is the index of the picture, ``label`` the index of the label met (−1: none) in the view's ``Labels``.
    """

    score: Floats
    picture: Indices
    cls: Indices
    height_px: Floats
    label: Indices
    in_gap: Mask


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """All labels of a view: picture, class, height in source pixels."""

    picture: Indices
    cls: Indices
    height_px: Floats


def ranked(found: Sequence[Boxes], met: Sequence[Indices], labels: Labels, regions: Sequence[Floats]) -> Ranked:
    """Joins what ``match`` said of each picture of a view."""
    first = np.searchsorted(labels.picture, np.arange(len(found)))
    score = np.concatenate([one.scores for one in found])
    order = np.argsort(-score, kind="stable")
    boxes = np.concatenate([one.boxes for one in found])
    label = np.concatenate([np.where(one >= 0, one + start, -1) for one, start in zip(met, first, strict=True)])
    in_gap = np.concatenate([on_any(one.boxes, region) for one, region in zip(found, regions, strict=True)])
    return Ranked(
        score=score[order],
        picture=np.repeat(np.arange(len(found)), [len(one.boxes) for one in found])[order],
        cls=np.concatenate([one.classes for one in found])[order],
        height_px=(boxes[:, 3] - boxes[:, 1])[order],
        label=label[order],
        in_gap=in_gap[order],
    )
