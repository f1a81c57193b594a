"""The second runtime: ncnn on the processor, for boards where it is the faster one. An extra: ``pip install ncnn``.

Invariants: the network ends at its heads and is decoded here as the ONNX graph decodes itself, so that both runtimes
give the same boxes; arithmetic is fp32 (ncnn would take 16 bits where the processor offers them); the bytes that were
proven are the bytes that are run: they reach ncnn, which reads files alone, through one in memory.
"""

import os
import pathlib
from typing import Any

import numpy as np

from models.boxes import Floats
from models.errors import ManifestError, ModelFileError, ModelOutputError
from models.manifest import BUNDLED, Manifest, located, read_manifest, read_proven
from models.network_detector import STRIDES, NetworkDetector

INPUT = "in0"
HEADS = 3
"""Outputs of each level, in this order: class scores, box, objectness; ``out0`` is the first of the finest level."""


class NcnnDetector(NetworkDetector):
    """Over the ncnn files of a manifest. Raises ModelFileError when ncnn is not there or refuses them."""

    runtime = "ncnn"

    def __init__(
        self, param: bytes, weights: bytes, manifest: Manifest, *, threads: int = 1, threshold: float | None = None
    ) -> None:
        super().__init__(manifest, threshold)
        self._ncnn = _library()
        self._net = _open(self._ncnn, param, weights, manifest, threads)
        self.check()

    def _infer(self) -> tuple[Floats, Floats]:
        blob = self.letterbox.blob[0]
        height, width, _ = blob.shape
        extractor = self._net.create_extractor()
        pixels = self._ncnn.Mat.from_pixels(blob, self._ncnn.Mat.PixelType.PIXEL_BGR, width, height)
        extractor.input(INPUT, pixels)
        boxes, scores = [], []
        for level, stride in enumerate(STRIDES):
            classes, box, objectness = (self._head(extractor, HEADS * level + head) for head in range(HEADS))
            boxes.append(_corners(box, stride))
            scores.append((_sigmoid(classes) * _sigmoid(objectness)).reshape(len(classes), -1))
        return np.concatenate(boxes, axis=1)[None], np.concatenate(scores, axis=1)[None]

    def _head(self, extractor: Any, number: int) -> Floats:
        code, found = extractor.extract(f"out{number}")
        if code != 0:
            raise ModelOutputError(f"{self.manifest.file}: ncnn stopped before out{number} ({code}); restart vision")
        return np.asarray(found, np.float32)


def _sigmoid(values: Floats) -> Floats:
    # The bounds are where float32 has reached 0 and 1; beyond them exp would overflow with a warning.
    clipped = np.clip(values, np.float32(-80), np.float32(80))
    one = np.float32(1)
    return one / (one + np.exp(-clipped))


def _corners(box: Floats, stride: int) -> Floats:
    """x0, y0, x1, y1 in input pixels, 4×cells. The head tells the centre from the cell's corner and the size as a
    logarithm, both in cells."""
    _, rows, columns = box.shape
    cell = np.float32(stride)
    x = (box[0] + np.arange(columns, dtype=np.float32)) * cell
    y = (box[1] + np.arange(rows, dtype=np.float32)[:, None]) * cell
    half_width, half_height = np.exp(box[2]) * (cell / 2), np.exp(box[3]) * (cell / 2)
    return np.stack([x - half_width, y - half_height, x + half_width, y + half_height]).reshape(4, -1)


def _library() -> Any:
    try:
        import ncnn
    except ImportError as error:
        raise ModelFileError(
            f"detector.runtime: ncnn is not installed here ({error}); pip install ncnn, or use onnxruntime"
        ) from error
    return ncnn


def _open(library: Any, param: bytes, weights: bytes, manifest: Manifest, threads: int) -> Any:
    net = library.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    handle = os.memfd_create("weights")
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(weights)
        if net.load_param_mem(param.decode()) != 0 or net.load_model(f"/proc/self/fd/{handle}") != 0:
            raise ModelFileError(
                f"{manifest.name}: ncnn {library.__version__} refuses its files; reinstall the package"
            )
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{manifest.name}: the layers for ncnn are no text; reinstall the package") from error
    finally:
        os.close(handle)
    return net


def load_detector(
    manifest_path: pathlib.Path | None = None, *, threads: int = 1, threshold: float | None = None
) -> NcnnDetector:
    """Opens the bundled model, or the one whose manifest is named; ready and warm on return. Raises ModelError."""
    path = BUNDLED if manifest_path is None else located(manifest_path)
    manifest = read_manifest(path)
    if manifest.ncnn is None:
        raise ManifestError(f"{path}: no files for ncnn; use detector.runtime: onnxruntime, or a manifest with ncnn")
    param, weights = read_proven(path.parent, manifest.ncnn.param), read_proven(path.parent, manifest.ncnn.weights)
    return NcnnDetector(param, weights, manifest, threads=threads, threshold=threshold)
