"""Average precision and recall, on the pictures as they are and on resampled ones. Pure.

Invariants: a picture drawn twice counts twice, with its labels and its false boxes; every figure of a view is worked
out on the same draws, so the difference of two models on a draw is paired; row 0 of the draws is the pictures as they
are, each once.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from models.boxes import Floats, Indices

ROUNDS = 2000
"""Draws: the ends of a 95 % interval then move by about a fiftieth of its width from one seed to the next."""

SEED = 20
CONFIDENCE = 0.95

_CHUNK = 500
"""Draws at a time: keeps the arrays (draws × hits) under a few ten megabytes."""

Draws = npt.NDArray[np.float32]
"""How often each picture was drawn: rounds + 1 × pictures."""


def draws(pictures: int, rounds: int = ROUNDS, seed: int = SEED) -> Draws:
    """The pictures as they are, then ``rounds`` resamples of as many with replacement."""
    if not pictures:
        return np.ones((rounds + 1, 0), np.float32)
    drawn = np.random.default_rng(seed).multinomial(pictures, np.full(pictures, 1 / pictures), rounds)
    return np.concatenate([np.ones((1, pictures)), drawn]).astype(np.float32)


def average_precision(
    hit: npt.NDArray[np.bool_], picture: Indices, labels: npt.NDArray[np.intp], drawn: Draws
) -> Floats:
    """Area under the precision envelope (every point, as PASCAL VOC since 2010) on each draw; NaN without a label.

    ``hit`` and ``picture`` are of boxes best first; ``labels`` is the number of labels of each picture. Precision
    peaks at hits, so false boxes are only counted between one hit and the next: draws × pictures × hits, one matrix
    product.
    """
    count = int(hit.sum())
    rank = np.cumsum(hit)
    between = np.zeros((drawn.shape[1], count), np.float32)
    before_last = ~hit & (rank < count)
    np.add.at(between, (picture[before_last], rank[before_last]), 1)
    total = drawn @ labels.astype(np.float32)
    areas = np.zeros(len(drawn), np.float32)
    for start in range(0, len(drawn), _CHUNK):
        some = drawn[start : start + _CHUNK]
        gained = some[:, picture[hit]]
        true = np.cumsum(gained, axis=1)
        false = np.cumsum(some @ between, axis=1)
        precision = true / np.maximum(true + false, 1)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        areas[start : start + _CHUNK] = (gained * envelope).sum(axis=1)
    return _share(areas, total)


def recall(hit: npt.NDArray[np.bool_], picture: Indices, labels: npt.NDArray[np.intp], drawn: Draws) -> Floats:
    """Labels met of all labels on each draw; NaN without a label."""
    met = np.bincount(picture[hit], minlength=drawn.shape[1])
    return _share(drawn @ met.astype(np.float32), drawn @ labels.astype(np.float32))


def _share(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.float32(np.nan))


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval; ``labels`` is how many labels it stands on."""

    value: float
    low: float
    high: float
    labels: int


def estimate(values: Floats, labels: int) -> Estimate:
    """Row 0 as the value, the rest as its distribution (percentile interval). All NaN where there is no label."""
    spread = values[1:][np.isfinite(values[1:])]
    if not labels or not len(spread):
        return Estimate(float("nan"), float("nan"), float("nan"), labels)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(spread, [tail, 100 - tail])
    return Estimate(float(values[0]), float(low), float(high), labels)
