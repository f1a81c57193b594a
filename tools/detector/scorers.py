"""The models that are measured: ours as bundled, and the two public ones, one of them at two input sizes.

Invariants: all take a picture and give back boxes of every cell with scores of our five classes, before suppression;
each runs on one thread of onnxruntime without spinning.
"""

import dataclasses
import pathlib
import tempfile

import onnxruntime as ort

from models.errors import ModelError
from models.onnx_detector import ORT_ERRORS, OnnxDetector, load_detector
from models.training.teachers import Candidates, Image, NanoDetTeacher, Scorer, YoloxTeacher
from tools.detector.errors import CannotMeasure

WEIGHTS = pathlib.Path(__file__).resolve().parents[2] / "models" / "weights"
"""Where the bundled manifests lie."""

NANODET, YOLOX, YOLOX_WIDE = "nanodet_plus_m_1_5x_640x384", "yolox_nano_416", "yolox_nano_544x320"
"""The teachers, best first. The wide one is the published network on a 16:9 input, which shows a pole view larger."""

TEACHER_THRESHOLD = 0.3
"""Score from which a teacher's box counts where one is needed (recall, false alarms): that of our manifest."""

TEACHER_SUPPRESSION_IOU = 0.5
"""Suppression that NanoDet was published with; YOLOX's 0.45–0.65 brackets it."""

_SQUARE = bytes.fromhex("0a0208010a0208030a0308a0030a0308a003")
_WIDE = bytes.fromhex("0a0208010a0208030a0308c0020a0308a004")
"""Shapes [1, 3, 416, 416] and [1, 3, 320, 544] as ONNX writes them (TensorShapeProto, two-byte varints)."""


class OwnScorer:
    """A bundled model before suppression."""

    def __init__(self, detector: OnnxDetector) -> None:
        self._detector = detector

    def candidates(self, image: Image) -> Candidates:
        """Scores one H×W×3 BGR picture; boxes in its pixels."""
        ratio = self._detector.letterbox.fit(image)
        boxes, scores = self._detector.run()
        return Candidates(boxes[0].T / ratio, scores[0].T)


@dataclasses.dataclass(frozen=True, slots=True)
class Contestant:
    """A model in the run: ``threshold`` and ``suppression_iou`` as it would work on a node; ``ours``: it is bundled."""

    name: str
    scorer: Scorer
    threshold: float
    suppression_iou: float
    ours: bool


def contestants(weights: pathlib.Path, teachers: pathlib.Path) -> list[Contestant]:
    """Every bundled model of a folder of manifests, then the teachers. Raises CannotMeasure."""
    manifests = sorted(weights.glob("*.json"))
    if not manifests:
        raise CannotMeasure(f"{weights}: no model manifest (*.json) there; name the folder of the bundled models")
    ort.set_default_logger_severity(3)  # the wide teacher's stored shapes are those of the square one: a warning each
    ours = []
    for manifest in manifests:
        try:
            detector = load_detector(manifest)
        except ModelError as error:
            raise CannotMeasure(str(error)) from error
        ours.append(
            Contestant(manifest.stem, OwnScorer(detector), detector.threshold, detector.manifest.overlap, ours=True)
        )
    return ours + _teachers(teachers)


def _teachers(folder: pathlib.Path) -> list[Contestant]:
    square, nanodet = folder / f"{YOLOX}.onnx", folder / f"{NANODET}.onnx"
    for path in (square, nanodet):
        if not path.is_file():
            raise CannotMeasure(f"{path}: teacher not there; name its folder with --teachers")
    try:
        scorers: dict[str, Scorer] = {
            NANODET: NanoDetTeacher(nanodet),
            YOLOX_WIDE: wide_yolox(square),
            YOLOX: YoloxTeacher(square),
        }
    except ORT_ERRORS as error:
        raise CannotMeasure(f"{folder}: onnxruntime {ort.__version__} refuses a teacher: {error}") from error
    return [
        Contestant(name, scorer, TEACHER_THRESHOLD, TEACHER_SUPPRESSION_IOU, ours=False)
        for name, scorer in scorers.items()
    ]


def wide_yolox(path: pathlib.Path) -> YoloxTeacher:
    """YOLOX-Nano with its input declared 544×320: all of its layers are convolutions and take any size.

    The file declares 416×416 in one place, which is rewritten in a copy. Raises CannotMeasure when it is not there.
    """
    graph = path.read_bytes()
    if graph.count(_SQUARE) != 1:
        raise CannotMeasure(f"{path}: does not declare one input [1, 3, 416, 416]; take the published YOLOX-Nano")
    with tempfile.TemporaryDirectory(prefix="sentinel-detector-") as folder:
        copy = pathlib.Path(folder) / f"{YOLOX_WIDE}.onnx"
        copy.write_bytes(graph.replace(_SQUARE, _WIDE))
        return YoloxTeacher(copy)
