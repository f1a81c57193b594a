"""Which runtime runs the network: by the word in the site file. A runtime is imported when it is asked for."""

import pathlib
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from models.network_detector import NetworkDetector

Runtime = Literal["onnxruntime", "ncnn"]
RUNTIMES: Final[tuple[Runtime, ...]] = get_args(Runtime)


def open_detector(
    runtime: Runtime, manifest: pathlib.Path | None = None, *, threads: int = 1, threshold: float | None = None
) -> "NetworkDetector":
    """The bundled model, or the one whose manifest is named, in this runtime. Raises ModelError, and ImportError where
    onnxruntime is broken."""
    if runtime == "ncnn":
        from models import ncnn_detector

        return ncnn_detector.load_detector(manifest, threads=threads, threshold=threshold)
    from models import onnx_detector

    return onnx_detector.load_detector(manifest, threads=threads, threshold=threshold)
