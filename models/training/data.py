"""Labelled images: what the label files say, and what a teacher adds to them.

Invariants: a label is never moved or dropped in favour of a teacher's box; a teacher's box is added only where no label
overlaps it; less certain ones become regions without a loss.
"""

import dataclasses
import pathlib

import cv2
import numpy as np
import numpy.typing as npt

from models.training.teachers import CLASSES, Candidates, Image, Scorer

Floats = npt.NDArray[np.float32]

POLE_PREFIX = "atl_"
"""Images of cameras on poles; the rest (``hw_``) are close views. They are always measured apart."""

ADD_SCORE = 0.42
"""From this score on a teacher's box counts as a missing label (value of the recipe that worked)."""

IGNORE_SCORE = 0.2
"""From here to ADD_SCORE the region is neither road user nor background: no objectness loss there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One image: ``boxes`` N×4 xyxy in pixels, ``classes`` N, ``ignored`` M×4 regions without an objectness loss."""

    path: pathlib.Path
    boxes: Floats
    classes: npt.NDArray[np.int64]
    ignored: Floats

    @property
    def pole(self) -> bool:
        """Whether a camera on a pole took it."""
        return self.path.name.startswith(POLE_PREFIX)

    def image(self) -> Image:
        """Decodes the picture as BGR."""
        image = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        if image is None:
            raise FileNotFoundError(f"{self.path}: not a readable image")
        return image.astype(np.uint8, copy=False)


def read_samples(folder: pathlib.Path) -> list[Sample]:
    """Reads ``images/*.jpg`` with ``labels/*.txt`` (YOLO: class cx cy w h, normalised), sorted by name."""
    samples = []
    for path in sorted((folder / "images").iterdir()):
        rows = [line.split() for line in (folder / "labels" / f"{path.stem}.txt").read_text("ascii").splitlines()]
        values = np.array([[float(v) for v in row] for row in rows if row], np.float32).reshape(-1, 5)
        sample = Sample(path, np.empty((0, 4), np.float32), np.empty(0, np.int64), np.empty((0, 4), np.float32))
        height, width = sample.image().shape[:2]
        half = values[:, 3:5] / 2
        boxes = np.concatenate([values[:, 1:3] - half, values[:, 1:3] + half], axis=1)
        boxes *= np.array([width, height, width, height], np.float32)
        samples.append(dataclasses.replace(sample, boxes=boxes, classes=values[:, 0].astype(np.int64)))
    if not samples:
        raise FileNotFoundError(f"{folder}/images holds no image")
    return samples


def overlap(a: Floats, b: Floats) -> Floats:
    """IoU of every box of ``a`` (N×4 xyxy) with every one of ``b`` (M×4): N×M."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.prod(np.maximum(high - low, 0), axis=2)
    area_a, area_b = (np.prod(np.maximum(x[:, 2:] - x[:, :2], 0), axis=1) for x in (a, b))
    union = area_a[:, None] + area_b[None, :] - inner
    return np.asarray(inner / np.maximum(union, 1e-9), np.float32)


def keep_best(found: Candidates, threshold: float, iou: float = 0.5) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Best class per candidate, then suppression within the class: boxes, classes, scores, best first."""
    classes = found.scores.argmax(axis=1)
    scores = found.scores.max(axis=1)
    chosen = scores >= threshold
    boxes, classes, scores = found.boxes[chosen], classes[chosen], scores[chosen]
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(xywh.tolist(), scores.tolist(), classes.tolist(), threshold, iou)
    order = np.array(kept, np.int64).reshape(-1)
    return boxes[order], classes[order].astype(np.int64), scores[order]


def fill_gaps(sample: Sample, teacher: Scorer) -> Sample:
    """Adds what the teacher sees and the labels do not have. Any overlap with a label leaves the label alone."""
    boxes, classes, scores = keep_best(teacher.candidates(sample.image()), IGNORE_SCORE)
    if len(sample.boxes) and len(boxes):
        free = overlap(boxes, sample.boxes).max(axis=1) < 0.1
        # A rider stands on a labelled two-wheeler and a driver sits in a labelled car: the first is wanted, and the
        # overlap of a whole person with the machine below is more than 0.1, so persons get a laxer bound.
        person = classes == CLASSES.index("person")
        free |= person & (overlap(boxes, sample.boxes).max(axis=1) < 0.3)
        boxes, classes, scores = boxes[free], classes[free], scores[free]
    sure = scores >= ADD_SCORE
    return dataclasses.replace(
        sample,
        boxes=np.concatenate([sample.boxes, boxes[sure]]).astype(np.float32),
        classes=np.concatenate([sample.classes, classes[sure]]),
        ignored=boxes[~sure].astype(np.float32),
    )
