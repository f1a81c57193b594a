"""The detector that a node runs unless told otherwise: onnxruntime on the processor, one picture at a time.

Invariants: one intra-op thread by default and no spinning (a spinning pool costs half a core at 10 fps); what
onnxruntime refuses is a ModelError that names the file.
"""

import pathlib

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from models.boxes import Floats
from models.errors import ManifestError, ModelFileError, ModelOutputError
from models.manifest import BUNDLED, Manifest, read_manifest, read_weights
from models.network_detector import NetworkDetector

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


class OnnxDetector(NetworkDetector):
    """Over one ONNX file whose bytes the manifest has proven."""

    runtime = "onnxruntime"

    def __init__(self, weights: bytes, manifest: Manifest, *, threads: int = 1, threshold: float | None = None) -> None:
        super().__init__(manifest, threshold)
        self.session = _open(weights, manifest, threads)
        self.check()

    def _infer(self) -> tuple[Floats, Floats]:
        try:
            boxes, scores = self.session.run(["boxes", "scores"], {"image": self.letterbox.blob})
        except ORT_ERRORS as error:
            raise ModelOutputError(f"{self.manifest.file}: the network stopped: {error}; restart vision") from error
        return boxes, scores


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
