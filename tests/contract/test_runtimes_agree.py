"""Both runtimes say the same of the same picture, in fp32: drawn ones, noise, and real ones where they are at hand."""

import json
import pathlib
import shutil
import typing
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from configs.schema import DetectorSettings
from device.vision.pixel_tracks import iou
from models.errors import ManifestError, ModelFileError
from models.manifest import BUNDLED, BUNDLED_MODELS, read_manifest
from models.network_detector import NetworkDetector
from models.runtimes import RUNTIMES, open_detector

SHARED = pathlib.Path(__file__).parents[2].parent / "shared"
THRESHOLD = 0.05
"""Far below what a node acts on, so that hundreds of boxes are compared."""

needs_ncnn = pytest.mark.usefixtures("ncnn_is_there")


@pytest.fixture
def ncnn_is_there() -> None:
    pytest.importorskip("ncnn", reason="the runtime ncnn is not installed")


@pytest.fixture(scope="module", params=BUNDLED_MODELS)
def both(request: pytest.FixtureRequest) -> tuple[NetworkDetector, NetworkDetector]:
    pytest.importorskip("ncnn", reason="the runtime ncnn is not installed")
    manifest = BUNDLED_MODELS[request.param]
    return open_detector("onnxruntime", manifest, threshold=THRESHOLD), open_detector(
        "ncnn", manifest, threshold=THRESHOLD
    )


def golden() -> Iterator[np.ndarray]:
    """Pictures of every shape that a camera gives: square and wide inputs, day, night and noise."""
    random = np.random.default_rng(3)
    for height, width in ((360, 640), (720, 1280), (416, 416), (480, 640), (64, 900)):
        noise = random.integers(0, 255, (height, width, 3), np.uint8)
        yield noise
        yield cv2.GaussianBlur(noise, (0, 0), 9)
    folder = SHARED / "road_users" / "val" / "images"
    for prefix in ("atl_", "hw_"):
        for path in sorted(folder.glob(f"{prefix}*.jpg"))[::20]:
            picture = cv2.imread(str(path))
            assert picture is not None
            yield np.asarray(picture, np.uint8)


def test_the_same_boxes(both: tuple[NetworkDetector, NetworkDetector]) -> None:
    compared = 0
    for picture in golden():
        one, other = (detector.detect(picture) for detector in both)
        assert [found.cls for found in one] == [found.cls for found in other]
        for a, b in zip(one, other, strict=True):
            assert a.score == pytest.approx(b.score, abs=1e-3)
            assert iou((a.x0, a.y0, a.x1, a.y1), (b.x0, b.y0, b.x1, b.y1)) >= 0.99
            compared += 1
    assert compared > 300 or not SHARED.exists(), "noise alone has no boxes"


def test_the_same_numbers_before_suppression(both: tuple[NetworkDetector, NetworkDetector]) -> None:
    picture = np.random.default_rng(8).integers(0, 255, (360, 640, 3), np.uint8)
    for detector in both:
        detector.letterbox.fit(picture)
    (boxes, scores), (other_boxes, other_scores) = (detector.run() for detector in both)
    assert np.abs(boxes - other_boxes).max() < 0.01, "a hundredth of a pixel of the input"
    assert np.abs(scores - other_scores).max() < 1e-4


def test_the_site_file_names_every_runtime() -> None:
    assert typing.get_args(DetectorSettings.model_fields["runtime"].annotation) == RUNTIMES


@pytest.fixture
def bundle(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the bundled manifest and its files."""
    for path in BUNDLED.parent.glob(f"{BUNDLED.stem}.*"):
        shutil.copy(path, tmp_path)
    return tmp_path / BUNDLED.name


@needs_ncnn
def test_a_cut_off_file_is_named(bundle: pathlib.Path) -> None:
    weights = bundle.with_suffix(".ncnn.bin")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=r"ncnn\.bin.*cut off"):
        open_detector("ncnn", bundle)


@needs_ncnn
def test_a_file_that_its_manifest_proves_and_ncnn_refuses_is_an_error(bundle: pathlib.Path) -> None:
    import hashlib

    param = bundle.with_suffix(".ncnn.param")
    param.write_text("7767517\n1 1\nNobody knows 0 0\n")
    values = json.loads(bundle.read_text("utf-8"))
    data = param.read_bytes()
    values["ncnn"]["param"] |= {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    bundle.write_text(json.dumps(values), "utf-8")
    with pytest.raises(ModelFileError, match="refuses its files"):
        open_detector("ncnn", bundle)


@needs_ncnn
def test_a_model_without_files_for_ncnn_says_what_to_do(bundle: pathlib.Path) -> None:
    values = json.loads(bundle.read_text("utf-8"))
    del values["ncnn"]
    bundle.write_text(json.dumps(values), "utf-8")
    with pytest.raises(ManifestError, match="onnxruntime"):
        open_detector("ncnn", bundle)
    assert read_manifest(bundle).ncnn is None


def test_where_ncnn_is_not_installed_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ncnn", None)
    with pytest.raises(ModelFileError, match="ncnn is not installed"):
        open_detector("ncnn")
