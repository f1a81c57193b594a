"""From the network's numbers to detections: threshold, suppression, back to the pixels of the source. Pure numpy.

Invariants: every array stays float32 (float64 costs several times as much and adds nothing); no input array is changed;
numbers that are not finite are an error, never a detection; every box returned lies inside the source picture.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.detector import Detection
from models.errors import ModelOutputError
from models.manifest import Manifest

Image: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Indices: TypeAlias = npt.NDArray[np.intp]

MAX_CANDIDATES = 400
"""Boxes that enter suppression, best first: bounds its cost at a low threshold; a street shows under 100."""


def suppress(boxes: Floats, classes: Indices, overlap: float) -> Indices:
    """Greedy suppression: positions that stay, of boxes N×4 xyxy ordered best first.

    A box goes when one that stays, of the same class, overlaps it by more than ``overlap`` (IoU).
    """
    # Columns apart and reused: pairs of whole boxes (N×N×2) cost three to ten times as much.
    x0, y0, x1, y1 = np.ascontiguousarray(boxes.T)
    area = (x1 - x0) * (y1 - y0)
    inner = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)
    tall = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    np.maximum(inner, 0, out=inner)
    np.maximum(tall, 0, out=tall)
    inner *= tall
    bound = area[:, None] + area
    bound -= inner
    bound *= np.float32(overlap)
    beats = inner > bound
    beats &= classes[:, None] == classes
    alive = np.ones(len(boxes), np.bool_)
    for row in range(len(boxes)):
        if alive[row]:
            alive[row + 1 :] &= ~beats[row, row + 1 :]
    return np.flatnonzero(alive)


def select(
    boxes: Floats, scores: Floats, *, threshold: float, overlap: float, max_detections: int
) -> tuple[Floats, Indices, Floats]:
    """Network output (boxes 4×N, scores C×N) → boxes K×4, class indices K, scores K, best first.

    Each candidate takes its best class; suppression is within a class, so one body may come out as both car and truck
    when the network wavers. That is kept on purpose: who decides takes the slower one, and the truth is among them.
    """
    best = scores.max(axis=0)
    chosen = np.flatnonzero(best >= np.float32(threshold))
    chosen = chosen[np.argsort(-best[chosen], kind="stable")[:MAX_CANDIDATES]]
    classes = scores[:, chosen].argmax(axis=0)
    found = np.ascontiguousarray(boxes[:, chosen].T)
    kept = suppress(found, classes, overlap)[:max_detections]
    return found[kept], classes[kept], best[chosen[kept]]


def postprocess(
    boxes: Floats,
    scores: Floats,
    *,
    ratio: float,
    source_shape: tuple[int, ...],
    manifest: Manifest,
    threshold: float,
) -> list[Detection]:
    """Network output of one picture (1×4×N, 1×C×N) → detections in source pixels. Raises ModelOutputError.

    ``ratio`` is what ``Letterbox.fit`` returned and ``source_shape`` the shape of the picture it was given.
    """
    if boxes.dtype != np.float32 or scores.dtype != np.float32:
        raise ModelOutputError(f"{manifest.file}: outputs are {boxes.dtype} and {scores.dtype}, expected float32")
    if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
        raise ModelOutputError(
            f"{manifest.file}: the network gave NaN or infinity; restart vision, and replace the model if it stays"
        )
    found, classes, values = select(
        boxes[0],
        scores[0],
        threshold=threshold,
        overlap=manifest.overlap,
        max_detections=manifest.max_detections,
    )
    found /= np.float32(ratio)
    np.clip(found[:, 0::2], 0, source_shape[1], out=found[:, 0::2])
    np.clip(found[:, 1::2], 0, source_shape[0], out=found[:, 1::2])
    return [
        Detection(manifest.classes[cls], score, x0, y0, x1, y1)
        for (x0, y0, x1, y1), cls, score in zip(found.tolist(), classes.tolist(), values.tolist(), strict=True)
        if x0 < x1 and y0 < y1
    ]
