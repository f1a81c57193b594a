"""Labelled images and the batches made from them: labels, what a teacher adds to them, mosaics.

Invariants: a label is never moved or dropped in favour of a teacher's box; a teacher's box is added only where no label
overlaps it; less certain ones become regions without a loss; the same seed gives the same batches.
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

PAD = 114
"""Grey of the letterbox, as in YOLOX's own training."""


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


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """One training input: ``image`` size×size×3 BGR, boxes in its pixels."""

    image: Image
    boxes: Floats
    classes: npt.NDArray[np.int64]
    ignored: Floats


class Batches:
    """Draws training pictures: mosaics of four and single images, random scale, place, flip and brightness."""

    def __init__(self, samples: list[Sample], size: int, seed: int, *, mosaic: float = 0.5, pole_weight: int = 2):
        self._draw = [s for s in samples for _ in range(pole_weight if s.pole else 1)]
        self._size = size
        self._mosaic = mosaic
        self._random = np.random.default_rng(seed)

    def picture(self) -> Picture:
        """One picture. Boxes cut to under 2 px, or to under a quarter of themselves, are dropped."""
        size, random = self._size, self._random
        canvas = np.full((size, size, 3), PAD, np.uint8)
        parts: list[tuple[Floats, npt.NDArray[np.int64], Floats]] = []
        if random.random() < self._mosaic:
            cx, cy = (int(v) for v in random.uniform(0.35, 0.65, 2) * size)
            tiles = [(0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size)]
            parts.extend(self._place(canvas, tile, random.uniform(0.5, 1.1)) for tile in tiles)
        else:
            parts.append(self._place(canvas, (0, 0, size, size), random.uniform(0.7, 1.4)))
        boxes, classes, ignored = (np.concatenate([part[i] for part in parts]) for i in range(3))
        gain, lift = random.uniform(0.6, 1.4), random.uniform(-25, 25)
        image = np.clip(canvas.astype(np.float32) * np.float32(gain) + np.float32(lift), 0, 255).astype(np.uint8)
        return Picture(image, boxes.astype(np.float32), classes.astype(np.int64), ignored.astype(np.float32))

    def _place(
        self, canvas: Image, tile: tuple[int, int, int, int], scale: float
    ) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
        """Puts one image into a tile: as letterboxed at ``scale`` 1, cropped at random where it is larger."""
        random = self._random
        sample = self._draw[int(random.integers(len(self._draw)))]
        image = sample.image()
        height, width = image.shape[:2]
        ratio = self._size / max(height, width) * scale
        image = np.asarray(cv2.resize(image, (max(1, int(width * ratio)), max(1, int(height * ratio)))), np.uint8)
        boxes, ignored = sample.boxes * np.float32(ratio), sample.ignored * np.float32(ratio)
        if random.random() < 0.5:
            image = image[:, ::-1]
            boxes, ignored = (
                np.stack([image.shape[1] - b[:, 2], b[:, 1], image.shape[1] - b[:, 0], b[:, 3]], axis=1)
                for b in (boxes, ignored)
            )
        x0, y0, x1, y1 = tile
        # Spare room is shared at random on either side; a negative one is a crop.
        left = int(random.uniform(0, 1) * (x1 - x0 - image.shape[1]))
        top = int(random.uniform(0, 1) * (y1 - y0 - image.shape[0]))
        cut = image[max(0, -top) : y1 - y0 - top, max(0, -left) : x1 - x0 - left]
        ox, oy = x0 + max(0, left), y0 + max(0, top)
        canvas[oy : oy + cut.shape[0], ox : ox + cut.shape[1]] = cut
        limits = (ox, oy, ox + cut.shape[1], oy + cut.shape[0])
        moved = np.array([x0 + left, y0 + top] * 2, np.float32)
        boxes, kept = _clip(boxes + moved, limits)
        ignored, _ = _clip(ignored + moved, limits)
        return boxes, sample.classes[kept], ignored


def _clip(boxes: Floats, limits: tuple[int, int, int, int]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    x0, y0, x1, y1 = limits
    low, high = np.array([x0, y0, x0, y0], np.float32), np.array([x1, y1, x1, y1], np.float32)
    cut = np.clip(boxes, low, high)
    side = cut[:, 2:] - cut[:, :2]
    whole = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6), axis=1)
    kept = (side.min(axis=1) >= 2) & (np.prod(side, axis=1) >= 0.25 * whole)
    return cut[kept], kept
