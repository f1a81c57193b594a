"""What every Detector must keep to, held against both bundled models in each runtime; and that they find the cars of
real pictures."""

import pathlib
import threading

import cv2
import numpy as np
import pytest

from models.detector import ROAD_USERS, Detector
from models.errors import ModelOutputError, PictureError
from models.manifest import BUNDLED_MODELS
from models.network_detector import NetworkDetector
from models.onnx_detector import load_detector
from models.runtimes import RUNTIMES, Runtime, open_detector

SHARED = pathlib.Path(__file__).parents[2].parent / "shared"


def opened(runtime: Runtime, model: str, **options: float) -> NetworkDetector:
    if runtime == "ncnn":
        pytest.importorskip("ncnn", reason="the runtime ncnn is not installed")
    return open_detector(runtime, BUNDLED_MODELS[model], **options)


def another(detector: NetworkDetector, **options: float) -> NetworkDetector:
    """The same model in the same runtime, opened again."""
    model = next(word for word, path in BUNDLED_MODELS.items() if path.stem == detector.manifest.name)
    return opened(detector.runtime, model, **options)


@pytest.fixture(
    scope="module", params=[(runtime, model) for runtime in RUNTIMES for model in BUNDLED_MODELS], ids="-".join
)
def detector(request: pytest.FixtureRequest) -> NetworkDetector:
    return opened(*request.param)


def drawn_street(height: int = 480, width: int = 640) -> np.ndarray:
    """A picture of our own: sky, road, and dark boxes with lights standing on it."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 3] = (210, 180, 150)
    picture[height // 3 :] = (90, 95, 95)
    for x in (90, 300, 470):
        cv2.rectangle(picture, (x, 250), (x + 110, 320), (40, 30, 160), -1)
        cv2.rectangle(picture, (x + 15, 215), (x + 95, 252), (60, 50, 60), -1)
        for wheel in (x + 22, x + 88):
            cv2.circle(picture, (wheel, 322), 14, (15, 15, 15), -1)
    return picture


def test_it_is_a_detector(detector: NetworkDetector) -> None:
    assert isinstance(detector, Detector)
    assert detector.classes == ROAD_USERS


@pytest.mark.parametrize("shape", [(480, 640), (720, 1280), (1280, 720), (352, 640), (37, 500)])
def test_detections_lie_inside_the_picture_best_first(detector: NetworkDetector, shape: tuple[int, int]) -> None:
    bold = another(detector, threshold=0.01)
    picture = cv2.resize(drawn_street(), (shape[1], shape[0]))
    found = bold.detect(picture)
    assert found or min(shape) < 100, "at a threshold of 0.01 a drawn street is never empty"
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    for d in found:
        assert d.cls in ROAD_USERS
        assert 0.01 <= d.score <= 1
        assert 0 <= d.x0 < d.x1 <= shape[1]
        assert 0 <= d.y0 < d.y1 <= shape[0]
    fewer = [d for d in found if d.score >= detector.threshold]
    assert len(detector.detect(picture)) <= len(found)
    assert {d.score for d in fewer} >= {d.score for d in detector.detect(picture)}


def test_the_same_picture_gives_the_same_answer_and_is_left_alone(detector: NetworkDetector) -> None:
    picture = drawn_street()
    kept = picture.copy()
    first = detector.detect(picture)
    detector.detect(np.full((720, 1280, 3), 255, np.uint8))
    assert detector.detect(picture) == first
    assert (picture == kept).all()


def test_an_empty_wall_holds_no_road_user(detector: NetworkDetector) -> None:
    for grey in (0, 114, 255):
        assert detector.detect(np.full((480, 640, 3), grey, np.uint8)) == []


def test_what_is_no_picture_is_refused(detector: NetworkDetector) -> None:
    with pytest.raises(PictureError):
        detector.detect(np.zeros((480, 640), np.uint8))


def test_it_runs_on_one_thread_without_spinning() -> None:
    detector = load_detector()
    options = detector.session.get_session_options()
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    before = threading.active_count()
    detector.detect(drawn_street())
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("cells", "classes", "box", "score"),
    [(10, 5, 0, 0), (None, 80, 0, 0), (None, 5, 0, np.nan), (None, 5, np.inf, 0)],
    ids=["too few boxes", "of 80 classes", "not a number", "infinite"],
)
def test_a_network_that_answers_nonsense_is_an_error(
    detector: NetworkDetector,
    monkeypatch: pytest.MonkeyPatch,
    cells: int | None,
    classes: int,
    box: float,
    score: float,
) -> None:
    fresh = another(detector)
    size = fresh.manifest.input.sizes[0]
    picture = drawn_street(size.height, size.width)
    fresh.detect(picture)
    count = cells or fresh.run()[0].shape[2]
    answer = np.full((1, 4, count), box, np.float32), np.full((1, classes, count), score, np.float32)
    monkeypatch.setattr(fresh, "_infer", lambda: answer)
    with pytest.raises(ModelOutputError, match=rf"{detector.manifest.name}\.onnx"):
        fresh.detect(picture)
    with pytest.raises(ModelOutputError):
        fresh.check()


def pictures(prefix: str, count: int) -> list[pathlib.Path]:
    folder = SHARED / "road_users" / "val" / "images"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: the labelled pictures are not part of the project")
    return sorted(folder.glob(f"{prefix}*.jpg"))[:count]


@pytest.mark.parametrize(("prefix", "least"), [("hw_", 0.6), ("atl_", 0.3)])
def test_it_finds_the_vehicles_of_real_pictures(detector: NetworkDetector, prefix: str, least: float) -> None:
    """At the shipped threshold, of the labelled vehicles of 40 validation pictures at least this share is found."""
    found = labelled = 0
    for path in pictures(prefix, 40):
        picture = cv2.imread(str(path))
        assert picture is not None
        height, width = picture.shape[:2]
        boxes = [d for d in detector.detect(picture) if d.cls != "person"]
        for line in (path.parents[1] / "labels" / f"{path.stem}.txt").read_text("ascii").splitlines():
            if not line.strip():
                continue
            cls, cx, cy, w, h = (float(v) for v in line.split())
            if cls == 0:
                continue
            labelled += 1
            x0, y0, x1, y1 = (cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height
            for d in boxes:
                inner = max(0.0, min(x1, d.x1) - max(x0, d.x0)) * max(0.0, min(y1, d.y1) - max(y0, d.y0))
                whole = (x1 - x0) * (y1 - y0) + (d.x1 - d.x0) * (d.y1 - d.y0) - inner
                if inner >= 0.5 * whole:
                    found += 1
                    break
    assert labelled > 40
    assert found / labelled >= least


def test_it_sees_the_cars_of_a_real_side_road(detector: NetworkDetector) -> None:
    clip = SHARED / "footage" / "side_road_day.mp4"
    if not clip.exists():
        pytest.skip(f"{clip} is absent: the real footage is not part of the project")
    capture = cv2.VideoCapture(str(clip))
    seen = frames = 0
    while frames < 60:
        good = [capture.grab() for _ in range(10)]
        ok, picture = capture.retrieve()
        if not all(good) or not ok:
            break
        frames += 1
        seen += any(d.cls in ("car", "bus", "truck") for d in detector.detect(picture))
    assert frames > 30
    assert seen / frames >= 0.5
