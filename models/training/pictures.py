"""The pictures that training sees: single views, mosaics of four, and mosaics of small vehicles, some degraded.

Invariants: a picture is a function of the seed, the step and its place in the batch, of nothing drawn before: a run
that goes on after an interruption draws what it would have drawn, and batches may be drawn ahead in any order. What is
left of a road user that is cut off or too small to learn is a region without a loss, never background.
"""

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from models.training import corruptions
from models.training.data import Sample
from models.training.teachers import CLASSES, Floats, Image

PAD = 114
"""Grey of the letterbox, as in YOLOX's own training."""

POLE_WEIGHT = 2
"""Views from poles are drawn twice as often: there are 492 of them beside 1,703 close ones, and they are the job."""

SCALES = {True: (0.8, 1.8), False: (0.6, 1.5)}
"""Pole and close views alone in a picture, against the letterboxed size. Up to what the largest inputs on a node do to
them: 640 px for a 512 px pole view is 1.54 times the letterbox at 416 px."""

IN_FOUR = 0.7
"""Of those scales, where four share a picture."""

SMALL_PX = (15.0, 60.0)
"""Heights that the vehicles of shrunk close views get: what the camera has to find from its pole."""

LEAST_TILE_PX = 72
"""The longest side of a shrunk close view is at least this, or a picture would be four hundred stamps."""

LEAST_BOX_PX = 4.0
"""Lower boxes are left out of the loss: what ships finds 4 % of those under 6 px, and half of the labels lack them."""

PERSON = CLASSES.index("person")


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """One training input: size×size×3 BGR, boxes N×4 xyxy and ignored M×4 in its pixels.

    ``clean`` is the same before corruptions: what a teacher is shown.
    """

    image: Image
    clean: Image
    boxes: Floats
    classes: npt.NDArray[np.int64]
    ignored: Floats


Part = tuple[Floats, npt.NDArray[np.int64], Floats]
Random = np.random.Generator


class Batches:
    """Draws batches of pictures: random scale, place, flip and brightness. ``small`` and ``degraded``: see Recipe."""

    def __init__(
        self, samples: list[Sample], *, size: int, batch: int, seed: int, small: float = 0.3, degraded: float = 0.5
    ) -> None:
        self._draw = [s for s in samples for _ in range(POLE_WEIGHT if s.pole else 1)]
        self._close = [s for s in samples if not s.pole]
        self._size = size
        self._batch = batch
        self._seed = seed
        self._plain = (1 - small) / 2
        self._degraded = degraded

    def batch(self, step: int) -> list[Picture]:
        """The pictures of one step."""
        return [self.picture(step, index) for index in range(self._batch)]

    def picture(self, step: int, index: int) -> Picture:
        """One picture of one step."""
        random = np.random.default_rng([self._seed, step, index])
        canvas = np.full((self._size, self._size, 3), PAD, np.uint8)
        kind = random.random()
        if kind < self._plain or not self._close:
            parts = self._single(canvas, random)
        elif kind < 2 * self._plain:
            parts = self._four(canvas, random)
        else:
            parts = self._small(canvas, random)
        boxes, classes, ignored = (np.concatenate([part[i] for part in parts]) for i in range(3))
        gain, lift = random.uniform(0.6, 1.4), random.uniform(-25, 25)
        clean = np.clip(canvas.astype(np.float32) * np.float32(gain) + np.float32(lift), 0, 255).astype(np.uint8)
        image = corruptions.degrade(clean, boxes, random) if random.random() < self._degraded else clean
        return Picture(image, clean, boxes, classes, ignored)

    def _single(self, canvas: Image, random: Random) -> list[Part]:
        sample, image = _drawn(self._draw, random)
        tile = (0, 0, self._size, self._size)
        return [_place(canvas, tile, sample, image, self._ratio(sample, image, random), random)]

    def _four(self, canvas: Image, random: Random) -> list[Part]:
        size = self._size
        cx, cy = (int(v) for v in random.uniform(0.35, 0.65, 2) * size)
        parts = []
        for tile in ((0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size)):
            sample, image = _drawn(self._draw, random)
            parts.append(_place(canvas, tile, sample, image, IN_FOUR * self._ratio(sample, image, random), random))
        return parts

    def _small(self, canvas: Image, random: Random) -> list[Part]:
        """Rows of close views, each shrunk until its tallest vehicle has a height of SMALL_PX."""
        size, parts, top = self._size, [], 0
        while top <= size - LEAST_TILE_PX // 2:
            left, row = 0, 0
            while left <= size - LEAST_TILE_PX // 2:
                sample, image = _drawn(self._close, random)
                ratio, tallest = _shrinking(sample, image, random)
                row = row or min(max(int(image.shape[0] * ratio), LEAST_TILE_PX // 2), size - top)
                right = min(left + max(1, int(image.shape[1] * ratio)), size)
                parts.append(_place(canvas, (left, top, right, top + row), sample, image, ratio, random, tallest))
                left = right
            top += row
        return parts

    def _ratio(self, sample: Sample, image: Image, random: Random) -> float:
        """Input pixels per source pixel."""
        return float(self._size / max(image.shape[:2]) * random.uniform(*SCALES[sample.pole]))


def _drawn(among: list[Sample], random: Random) -> tuple[Sample, Image]:
    sample = among[int(random.integers(len(among)))]
    return sample, sample.image()


def _shrinking(sample: Sample, image: Image, random: Random) -> tuple[float, int | None]:
    """How far a close view is shrunk, and which of its boxes decided: the tallest vehicle, else the tallest person."""
    least = LEAST_TILE_PX / max(image.shape[:2])
    low, high = SMALL_PX
    if not len(sample.boxes):
        return float(random.uniform(least, 0.4)), None
    heights = sample.boxes[:, 3] - sample.boxes[:, 1] - 1e4 * (sample.classes == PERSON)
    tallest = int(heights.argmax())
    height = float(sample.boxes[tallest, 3] - sample.boxes[tallest, 1])
    wanted = np.exp(random.uniform(np.log(low), np.log(high)))
    return float(min(max(wanted / height, least), high / height, 1.0)), tallest


def _place(
    canvas: Image,
    tile: tuple[int, int, int, int],
    sample: Sample,
    image: Image,
    ratio: float,
    random: Random,
    whole: int | None = None,
) -> Part:
    """Puts one image, scaled by ``ratio``, into a tile; cropped at random where it is larger, around box ``whole``."""
    # Averaging where it shrinks far: small vehicles in a real picture are soft, not broken up into single pixels.
    how = cv2.INTER_AREA if ratio < 0.5 else cv2.INTER_LINEAR
    size = (max(1, int(image.shape[1] * ratio)), max(1, int(image.shape[0] * ratio)))
    image = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    boxes, ignored = sample.boxes * np.float32(ratio), sample.ignored * np.float32(ratio)
    if random.random() < 0.5:
        image = image[:, ::-1]
        boxes, ignored = (
            np.stack([image.shape[1] - b[:, 2], b[:, 1], image.shape[1] - b[:, 0], b[:, 3]], axis=1)
            for b in (boxes, ignored)
        )
    x0, y0, x1, y1 = tile
    kept = boxes[whole] if whole is not None else np.zeros(4, np.float32)
    left = _offset(x1 - x0, image.shape[1], float(kept[0]), float(kept[2]), random)
    top = _offset(y1 - y0, image.shape[0], float(kept[1]), float(kept[3]), random)
    cut = image[max(0, -top) : y1 - y0 - top, max(0, -left) : x1 - x0 - left]
    ox, oy = x0 + max(0, left), y0 + max(0, top)
    canvas[oy : oy + cut.shape[0], ox : ox + cut.shape[1]] = cut
    limits = (ox, oy, ox + cut.shape[1], oy + cut.shape[0])
    moved = np.array([x0 + left, y0 + top] * 2, np.float32)
    boxes, learnt = _clip(boxes + moved, limits)
    ignored, _ = _clip(ignored + moved, limits)
    visible = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) > 0
    return boxes[learnt], sample.classes[learnt], np.concatenate([ignored, boxes[~learnt & visible]])


def _offset(tile: int, image: int, low: float, high: float, random: Random) -> int:
    """Where an image begins in its tile, px along one side: spare room is shared at random, a negative one is a crop.

    ``low`` to ``high`` (in the image) stays inside the tile where it fits at all.
    """
    spare = tile - image
    first, last = min(0, spare), max(0, spare)
    if high - low <= tile:
        first, last = max(first, int(np.ceil(-low))), min(last, int(tile - high))
    return int(random.uniform(min(first, last), last))


def _clip(boxes: Floats, limits: tuple[int, int, int, int]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Boxes cut to the part of the picture that shows, and which of them are still worth learning."""
    x0, y0, x1, y1 = limits
    low, high = np.array([x0, y0, x0, y0], np.float32), np.array([x1, y1, x1, y1], np.float32)
    cut = np.clip(boxes, low, high)
    side = cut[:, 2:] - cut[:, :2]
    whole = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6), axis=1)
    learnt = (side[:, 1] >= LEAST_BOX_PX) & (side[:, 0] >= 2) & (np.prod(side, axis=1) >= 0.25 * whole)
    return cut, learnt
