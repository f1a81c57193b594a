"""What training learns from: labels that a teacher may add to but not touch, and the pictures made of them."""

import pathlib

import cv2
import numpy as np
import pytest

from models.training.data import Batches, fill_gaps, read_samples
from models.training.teachers import CLASSES, COCO_ROWS, Candidates


def array(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(len(rows), -1)


def test_coco_rows_are_those_of_the_published_order() -> None:
    names = {0: "person", 1: "bicycle", 2: "car", 3: "motorcycle", 5: "bus", 7: "truck"}
    assert [[names[row] for row in rows] for rows in COCO_ROWS] == [
        ["person"],
        ["bicycle", "motorcycle"],
        ["car"],
        ["bus"],
        ["truck"],
    ]
    assert len(CLASSES) == len(COCO_ROWS)


class Seer:
    """A teacher that always sees the same."""

    def __init__(self, *users: tuple[int, float, tuple[float, float, float, float]]) -> None:
        self._boxes = array(*(box for _, _, box in users))
        self._scores = np.zeros((len(users), 5), np.float32)
        for row, (cls, score, _) in enumerate(users):
            self._scores[row, cls] = score

    def candidates(self, _image: np.ndarray) -> Candidates:
        return Candidates(self._boxes, self._scores)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two pictures of 200×100 px: a close one with a car on its left, a pole one with nothing labelled."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for name, label in (("hw_a", "2 0.25 0.5 0.2 0.4\n"), ("atl_b", "\n")):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.jpg"), np.full((100, 200, 3), 90, np.uint8))
        (tmp_path / "labels" / f"{name}.txt").write_text(label, "ascii")
    return tmp_path


def test_a_teacher_fills_gaps_and_leaves_labels_alone(folder: pathlib.Path) -> None:
    pole, close = read_samples(folder)
    assert (pole.pole, close.pole) == (True, False)
    assert close.boxes.tolist() == [[pytest.approx(v) for v in (30, 30, 70, 70)]]
    seer = Seer(
        (2, 0.9, (32, 31, 70, 70)),  # the labelled car again
        (4, 0.8, (120, 20, 180, 80)),  # a truck nobody labelled
        (0, 0.3, (5, 5, 15, 25)),  # perhaps a person
        (2, 0.1, (185, 80, 195, 90)),  # nothing
    )
    filled = fill_gaps(close, seer)
    assert [CLASSES[c] for c in filled.classes] == ["car", "truck"]
    assert filled.boxes[0].tolist() == close.boxes[0].tolist()
    assert filled.ignored.tolist() == [[5, 5, 15, 25]]


def test_training_pictures_keep_boxes_inside_and_repeat_with_the_seed(folder: pathlib.Path) -> None:
    samples = read_samples(folder)
    first, again = Batches(samples, 128, seed=4), Batches(samples, 128, seed=4)
    boxes = 0
    for _ in range(40):
        picture, twin = first.picture(), again.picture()
        assert (picture.image == twin.image).all()
        assert picture.image.shape == (128, 128, 3)
        assert len(picture.boxes) == len(picture.classes)
        if len(picture.boxes):
            boxes += len(picture.boxes)
            assert picture.boxes.min() >= 0
            assert picture.boxes.max() <= 128
            assert (picture.boxes[:, 2:] - picture.boxes[:, :2]).min() >= 2
    assert boxes > 10
