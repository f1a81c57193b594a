"""What the detector costs around its network: the picture's way in, and the boxes' way out."""

import numpy as np
import pytest

from models.boxes import postprocess
from models.onnx_detector import OnnxDetector, load_detector


@pytest.fixture(scope="module")
def detector() -> OnnxDetector:
    return load_detector()


def street(users: int, cells_each: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Network output with so many road users, each seen by several cells, among background."""
    random = np.random.default_rng(5)
    boxes = random.uniform(0, 400, (1, 4, 3549)).astype(np.float32)
    boxes[:, 2:] = boxes[:, :2] + 8
    scores = random.uniform(0, 0.02, (1, 5, 3549)).astype(np.float32)
    for cell in range(users * cells_each):
        x, y = (cell // cells_each % 8) * 50, (cell // cells_each // 8) * 40
        boxes[0, :, cell] = np.array([x, y, x + 40, y + 30]) + random.uniform(-2, 2, 4)
        scores[0, 2, cell] = random.uniform(0.4, 0.9)
    return boxes, scores


@pytest.mark.parametrize("users", [0, 6, 40])
def test_bench_postprocess(benchmark, detector: OnnxDetector, users: int) -> None:
    boxes, scores = street(users)
    found = benchmark(
        postprocess,
        boxes,
        scores,
        ratio=0.65,
        source_shape=(360, 640, 3),
        manifest=detector.manifest,
        threshold=detector.threshold,
    )
    assert len(found) == users


@pytest.mark.parametrize("shape", [(360, 640, 3), (720, 1280, 3)])
def test_bench_letterbox(benchmark, detector: OnnxDetector, shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    assert benchmark(detector.letterbox.fit, picture) == pytest.approx(640 / shape[1])


def test_bench_bare_network(benchmark, detector: OnnxDetector) -> None:
    benchmark(detector.run)


def test_bench_detect_720p(benchmark, detector: OnnxDetector) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8)
    benchmark(detector.detect, picture)
