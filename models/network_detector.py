"""What the detectors of all runtimes share: a picture into the letterbox, the network's numbers to detections.

Invariants: nothing is float64 between camera and ``Detection``; the network has run at every input size before the
constructor of a runtime returns, so that the first frame is no slower; output that is not finite or not of the promised
shape is an error, never a detection. Not safe for two threads at once: the input buffers are shared between calls.
"""

import abc

import numpy as np

from models.boxes import Floats, Image, postprocess
from models.detector import Detection
from models.errors import ManifestError, ModelOutputError
from models.letterbox import Letterbox
from models.manifest import Manifest

STRIDES = (8, 16, 32)
"""Cell sizes of YOLOX's three levels, px: they give the number of boxes that an input size promises."""


class NetworkDetector(abc.ABC):
    """A ``Detector`` over one network. A runtime opens it, says how to ``run`` it, and calls ``check`` when it is open.
    Raises ManifestError for a threshold that is none."""

    runtime: str
    """Its word in the site file."""

    def __init__(self, manifest: Manifest, threshold: float | None) -> None:
        if threshold is not None and not 0 < threshold < 1:
            raise ManifestError(f"threshold: {threshold!r} is not allowed; allowed: a number between 0 and 1")
        self.manifest = manifest
        self._threshold = manifest.threshold if threshold is None else threshold
        self._sizes = [(size.height, size.width) for size in manifest.input.sizes]
        self.letterbox = Letterbox(self._sizes, manifest.input.pad)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class words in the order of the network's outputs."""
        return self.manifest.classes

    @property
    def threshold(self) -> float:
        """The score from which a detection is believed."""
        return self._threshold

    def run(self) -> tuple[Floats, Floats]:
        """The bare network on what ``letterbox.blob`` holds: boxes 1×4×N, scores 1×C×N. Raises ModelOutputError."""
        boxes, scores = self._infer()
        _, height, width, _ = self.letterbox.blob.shape
        cells = sum((height // stride) * (width // stride) for stride in STRIDES)
        promised = ((1, 4, cells), (1, len(self.classes), cells))
        if (boxes.shape, scores.shape) != promised:
            raise ModelOutputError(
                f"{self.manifest.file}: outputs {boxes.shape} and {scores.shape} found, "
                f"expected {promised[0]} and {promised[1]}; the manifest is of another model"
            )
        return boxes, scores

    def detect(self, image: Image, threshold: float | None = None) -> list[Detection]:
        """Road users in an H×W×3 uint8 BGR picture, best first, those of ``threshold`` (its own unless told) or more.
        A lower one adds detections and changes none. Raises PictureError or ModelOutputError."""
        ratio = self.letterbox.fit(image)
        boxes, scores = self.run()
        return postprocess(
            boxes,
            scores,
            ratio=ratio,
            source_shape=image.shape,
            manifest=self.manifest,
            threshold=self.threshold if threshold is None else threshold,
        )

    def check(self) -> None:
        """An even grey picture at every input size: warms the network, proves shapes and numbers. Raises ModelError."""
        for height, width in self._sizes:
            self.detect(np.full((height, width, 3), self.manifest.input.pad, np.uint8))

    @abc.abstractmethod
    def _infer(self) -> tuple[Floats, Floats]:
        """What the network says of ``letterbox.blob``. Raises ModelOutputError when it stops."""
