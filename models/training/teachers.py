"""The public COCO detectors that we learn from and compare with, their 80 classes mapped onto our five.

Invariants: boxes come back as xyxy in pixels of the source image; scores are those of the teacher, a road user that
is two COCO classes (bicycle, motorcycle) takes the higher one. No threshold hides here: the caller gives it.
"""

import dataclasses
import pathlib
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

CLASSES = ("person", "two_wheeler", "car", "bus", "truck")

COCO_ROWS: tuple[tuple[int, ...], ...] = ((0,), (1, 3), (2,), (5,), (7,))
"""Rows of the COCO 80 that make each of our classes: two_wheeler = bicycle + motorcycle."""

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes before suppression: ``boxes`` N×4 xyxy in source pixels, ``scores`` N×5 in the order of CLASSES."""

    boxes: Floats
    scores: Floats


class Scorer(Protocol):
    """Anything that can be measured: an image in, candidates out."""

    def candidates(self, image: Image) -> Candidates:
        """Scores one H×W×3 BGR image."""


def open_session(path: pathlib.Path, threads: int) -> ort.InferenceSession:
    """A session as the node opens one; the int8 weights of NanoDet are kept in fp32 arithmetic."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _ours(coco: Floats) -> Floats:
    return np.stack([coco[:, list(rows)].max(axis=1) for rows in COCO_ROWS], axis=1)


def grid(height: int, width: int) -> tuple[Floats, Floats]:
    """Cell corners (N×2, in cells) and strides (N×1) of YOLOX's three levels, in the order of its output."""
    corners, strides = [], []
    for stride in (8, 16, 32):
        rows, columns = height // stride, width // stride
        y, x = np.mgrid[0:rows, 0:columns]
        corners.append(np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32))
        strides.append(np.full((rows * columns, 1), stride, np.float32))
    return np.concatenate(corners), np.concatenate(strides)


class YoloxTeacher:
    """YOLOX-Nano as published: BGR 0–255, letterbox at the top left, pad 114, output [1, N, 85]."""

    def __init__(self, path: pathlib.Path, threads: int = 1) -> None:
        self._session = open_session(path, threads)
        _, _, self._height, self._width = self._session.get_inputs()[0].shape
        self._corners, self._strides = grid(self._height, self._width)

    def candidates(self, image: Image) -> Candidates:
        ratio = min(self._height / image.shape[0], self._width / image.shape[1])
        width, height = int(image.shape[1] * ratio), int(image.shape[0] * ratio)
        canvas = np.full((self._height, self._width, 3), 114, np.uint8)
        canvas[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        out = self._session.run(None, {"images": cv2.dnn.blobFromImage(canvas)})[0][0]
        centre = (out[:, :2] + self._corners) * self._strides
        half = np.exp(out[:, 2:4]) * self._strides / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1) / np.float32(ratio)
        return Candidates(boxes.astype(np.float32, copy=False), _ours(out[:, 4:5] * out[:, 5:]))


class NanoDetTeacher:
    """NanoDet-Plus-m-1.5x as published: BGR, letterbox centred, pad 0, mean and deviation of its training."""

    _MEAN = (103.53, 116.28, 123.675)
    _DEVIATION = np.array([57.375, 57.12, 58.395], np.float32)

    def __init__(self, path: pathlib.Path, threads: int = 1) -> None:
        self._session = open_session(path, threads)
        _, _, self._height, self._width = self._session.get_inputs()[0].shape

    def candidates(self, image: Image) -> Candidates:
        ratio = min(self._height / image.shape[0], self._width / image.shape[1])
        width, height = int(image.shape[1] * ratio), int(image.shape[0] * ratio)
        left, top = (self._width - width) // 2, (self._height - height) // 2
        canvas = np.zeros((self._height, self._width, 3), np.uint8)
        canvas[top : top + height, left : left + width] = cv2.resize(image, (width, height))
        blob = np.asarray(cv2.dnn.blobFromImage(canvas, mean=self._MEAN), np.float32)
        blob = blob / self._DEVIATION.reshape(1, 3, 1, 1)
        scores, boxes = self._session.run(["scores", "boxes"], {"data": blob})
        shift = np.array([left, top, left, top], np.float32)
        return Candidates((boxes[0] - shift) / np.float32(ratio), _ours(scores[0]))
