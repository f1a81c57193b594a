"""The detector that a node runs: onnxruntime on the processor, one picture at a time.

Invariants: nothing is float64 between camera and ``Detection``; input buffers are allocated once and their padding is
only repainted when the picture's size changes; one intra-op thread by default and no spinning (a spinning pool costs
half a core at 10 fps); the session has run before the constructor returns, so that the first frame is no slower;
output that is not finite or not of the promised shape is an error, never a detection.

Not safe for two threads at once: the input buffers are shared between calls.
"""

import pathlib
from collections.abc import Sequence

import cv2
import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from models.boxes import Floats, Image, postprocess
from models.detector import Detection
from models.errors import ManifestError, ModelFileError, ModelOutputError, PictureError
from models.manifest import BUNDLED, Manifest, read_manifest, read_weights

ORT_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    ort_state.EngineError,
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
)
"""What onnxruntime raises for a file or a run that it cannot do: its own kinds share no base below Exception."""

_STRIDES = (8, 16, 32)
"""Cell sizes of YOLOX's three levels, px: they give the number of boxes that an input size promises."""


class Letterbox:
    """Fits pictures into reused input buffers: scaled with their shape kept, at the top left, the rest grey.

    Of several input sizes the one that shows the picture largest is taken: a wide picture in a square input leaves
    nearly half of it grey, and small road users far away are what matters.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], pad: int) -> None:
        self._buffers: list[Image] = [np.full((1, height, width, 3), pad, np.uint8) for height, width in sizes]
        self._filled = [(0, 0)] * len(self._buffers)
        self._pad = pad
        self.blob: Image = self._buffers[0]
        """The network's input, 1×H×W×3, of the last picture; valid until the next ``fit``."""

    def fit(self, image: Image) -> float:
        """Paints an H×W×3 uint8 picture into ``blob``; returns input pixels per source pixel. Raises PictureError."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise PictureError(f"picture: {image.dtype} {image.shape} found, expected uint8 (height, width, 3)")
        ratios = [min(b.shape[1] / image.shape[0], b.shape[2] / image.shape[1]) for b in self._buffers]
        ratio = max(ratios)
        chosen = ratios.index(ratio)
        self.blob = self._buffers[chosen]
        canvas = self.blob[0]
        height, width = max(1, int(image.shape[0] * ratio)), max(1, int(image.shape[1] * ratio))
        if (height, width) != self._filled[chosen]:
            canvas[...] = self._pad
            self._filled[chosen] = (height, width)
        cv2.resize(image, (width, height), dst=canvas[:height, :width], interpolation=cv2.INTER_LINEAR)
        return float(ratio)


class OnnxDetector:
    """A ``Detector`` over one ONNX file whose bytes the manifest has proven."""

    def __init__(self, weights: bytes, manifest: Manifest, *, threads: int = 1, threshold: float | None = None) -> None:
        if threshold is not None and not 0 < threshold < 1:
            raise ManifestError(f"threshold: {threshold!r} is not allowed; allowed: a number between 0 and 1")
        self.manifest = manifest
        self.threshold = manifest.threshold if threshold is None else threshold
        self._sizes = [(size.height, size.width) for size in manifest.input.sizes]
        self.letterbox = Letterbox(self._sizes, manifest.input.pad)
        self.session = _open(weights, manifest, threads)
        self.check()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class words in the order of the network's outputs."""
        return self.manifest.classes

    def run(self) -> tuple[Floats, Floats]:
        """The bare network on what ``letterbox.blob`` holds: boxes 1×4×N, scores 1×C×N. Raises ModelOutputError."""
        try:
            boxes, scores = self.session.run(["boxes", "scores"], {"image": self.letterbox.blob})
        except ORT_ERRORS as error:
            raise ModelOutputError(f"{self.manifest.file}: the network stopped: {error}; restart vision") from error
        _, height, width, _ = self.letterbox.blob.shape
        cells = sum((height // stride) * (width // stride) for stride in _STRIDES)
        promised = ((1, 4, cells), (1, len(self.classes), cells))
        if (boxes.shape, scores.shape) != promised:
            raise ModelOutputError(
                f"{self.manifest.file}: outputs {boxes.shape} and {scores.shape} found, "
                f"expected {promised[0]} and {promised[1]}; the manifest is of another model"
            )
        return boxes, scores

    def detect(self, image: Image) -> list[Detection]:
        """Road users in an H×W×3 uint8 BGR picture, best first. Raises PictureError or ModelOutputError."""
        ratio = self.letterbox.fit(image)
        boxes, scores = self.run()
        return postprocess(
            boxes,
            scores,
            ratio=ratio,
            source_shape=image.shape,
            manifest=self.manifest,
            threshold=self.threshold,
        )

    def check(self) -> None:
        """An even grey picture at every input size: warms the session, proves shapes and numbers. Raises ModelError."""
        for height, width in self._sizes:
            self.detect(np.full((height, width, 3), self.manifest.input.pad, np.uint8))


def _open(weights: bytes, manifest: Manifest, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise ModelFileError(f"{manifest.file}: onnxruntime {ort.__version__} refuses it: {error}") from error
    wanted = ("image", "tensor(uint8)", [1, "height", "width", 3])
    found = [(item.name, item.type, item.shape) for item in session.get_inputs()]
    names = [item.name for item in session.get_outputs()]
    if found != [wanted] or sorted(names) != ["boxes", "scores"]:
        raise ManifestError(
            f"{manifest.file}: input {found} and outputs {names} found, expected {[wanted]} and boxes, scores; "
            "the manifest is of another model"
        )
    return session


def load_detector(
    manifest_path: pathlib.Path | None = None, *, threads: int = 1, threshold: float | None = None
) -> OnnxDetector:
    """Opens the bundled model, or the one whose manifest is named; ready and warm on return. Raises ModelError."""
    path = BUNDLED if manifest_path is None else manifest_path
    manifest = read_manifest(path)
    return OnnxDetector(read_weights(path, manifest), manifest, threads=threads, threshold=threshold)
