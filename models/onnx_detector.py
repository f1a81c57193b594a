"""The detector that a node runs: onnxruntime on the processor, one picture at a time.

Invariants: nothing is float64 between camera and ``Detection``; the input buffer is allocated once and its padding is
only repainted when the picture's size changes; one intra-op thread by default and no spinning (a spinning pool costs
half a core at 10 fps); the session has run before the constructor returns, so that the first frame is no slower;
output that is not finite or not of the promised shape is an error, never a detection.

Not safe for two threads at once: the input buffer is shared between calls.
"""

import pathlib

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
    """Fits pictures into one reused input buffer: scaled with their shape kept, at the top left, the rest grey."""

    def __init__(self, height: int, width: int, pad: int) -> None:
        self.blob: Image = np.full((1, height, width, 3), pad, np.uint8)
        """The network's input, 1×H×W×3; valid until the next ``fit``."""
        self._pad = pad
        self._filled = (0, 0)

    def fit(self, image: Image) -> float:
        """Paints an H×W×3 uint8 picture into ``blob``; returns input pixels per source pixel. Raises PictureError."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise PictureError(f"picture: {image.dtype} {image.shape} found, expected uint8 (height, width, 3)")
        canvas = self.blob[0]
        ratio = min(canvas.shape[0] / image.shape[0], canvas.shape[1] / image.shape[1])
        height, width = max(1, int(image.shape[0] * ratio)), max(1, int(image.shape[1] * ratio))
        if (height, width) != self._filled:
            canvas[...] = self._pad
            self._filled = (height, width)
        cv2.resize(image, (width, height), dst=canvas[:height, :width], interpolation=cv2.INTER_LINEAR)
        return float(ratio)


class OnnxDetector:
    """A ``Detector`` over one ONNX file whose bytes the manifest has proven."""

    def __init__(self, weights: bytes, manifest: Manifest, *, threads: int = 1, threshold: float | None = None) -> None:
        if threshold is not None and not 0 < threshold < 1:
            raise ManifestError(f"threshold: {threshold!r} is not allowed; allowed: a number between 0 and 1")
        self.manifest = manifest
        self.threshold = manifest.threshold if threshold is None else threshold
        self.letterbox = Letterbox(manifest.input.height, manifest.input.width, manifest.input.pad)
        cells = sum((manifest.input.height // s) * (manifest.input.width // s) for s in _STRIDES)
        self._promised = ((1, 4, cells), (1, len(manifest.classes), cells))
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
        if (boxes.shape, scores.shape) != self._promised:
            raise ModelOutputError(
                f"{self.manifest.file}: outputs {boxes.shape} and {scores.shape} found, "
                f"expected {self._promised[0]} and {self._promised[1]}; the manifest is of another model"
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
        """One inference on an even grey picture: warms the session and proves shapes and numbers. Raises ModelError."""
        self.detect(np.full((self.manifest.input.height, self.manifest.input.width, 3), 114, np.uint8))


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
    wanted = ("image", "tensor(uint8)", [1, manifest.input.height, manifest.input.width, 3])
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
