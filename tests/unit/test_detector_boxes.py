"""Suppression and the way back from network pixels to the road's: what must hold for any boxes at all."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.boxes import MAX_CANDIDATES, postprocess, select, suppress
from models.errors import ModelOutputError, PictureError
from models.letterbox import Letterbox
from models.manifest import BUNDLED, read_manifest

MANIFEST = read_manifest(BUNDLED)
PERSON, TWO_WHEELER, CAR, BUS, TRUCK = range(5)


def network_output(*users: tuple[int, float, tuple[float, float, float, float]], cells: int = 50):
    """Boxes 1×4×N and scores 1×5×N of a network that sees exactly these road users."""
    boxes = np.zeros((1, 4, cells), np.float32)
    boxes[:, 2:] = 1
    scores = np.full((1, 5, cells), 0.001, np.float32)
    for cell, (cls, score, box) in enumerate(users):
        boxes[0, :, cell] = box
        scores[0, cls, cell] = score
    return boxes, scores


def detections(boxes, scores, *, ratio=1.0, shape=(416, 416, 3), threshold=0.3, manifest=MANIFEST):
    return postprocess(boxes, scores, ratio=ratio, source_shape=shape, manifest=manifest, threshold=threshold)


def test_a_car_seen_by_three_cells_is_one_car() -> None:
    boxes, scores = network_output(
        (CAR, 0.6, (100, 100, 200, 160)), (CAR, 0.9, (102, 101, 203, 162)), (CAR, 0.4, (98, 97, 199, 161))
    )
    (only,) = detections(boxes, scores)
    assert (only.cls, only.x0, only.x1) == ("car", 102, 203)
    assert only.score == pytest.approx(0.9)


def test_suppression_stays_within_a_class_so_a_rider_does_not_hide_the_motorcycle() -> None:
    boxes, scores = network_output(
        (PERSON, 0.7, (300, 100, 330, 160)),
        (TWO_WHEELER, 0.65, (300, 100, 330, 160)),
        (TRUCK, 0.6, (100, 100, 200, 160)),
        (TRUCK, 0.8, (101, 100, 201, 160)),
    )
    assert [d.cls for d in detections(boxes, scores)] == ["truck", "person", "two_wheeler"]


def test_two_cars_side_by_side_stay_two() -> None:
    boxes, scores = network_output((CAR, 0.6, (100, 100, 200, 160)), (CAR, 0.9, (150, 100, 250, 160)))
    assert len(detections(boxes, scores)) == 2


def test_what_lies_only_in_the_grey_padding_is_no_road_user() -> None:
    boxes, scores = network_output((CAR, 0.9, (10, 300, 60, 340)), (CAR, 0.8, (10, 200, 60, 250)))
    (only,) = detections(boxes, scores, ratio=416 / 1280, shape=(720, 1280, 3))
    assert only.y1 == 720  # the second one reaches into the padding and is cut at the picture's edge


def test_the_threshold_and_the_greatest_number_hold() -> None:
    users = [(CAR, 0.31 + i / 1000, (20.0 * i, 0.0, 20.0 * i + 10, 10.0)) for i in range(20)]
    boxes, scores = network_output(*users, (CAR, 0.29, (0, 200, 20, 220)))
    assert len(detections(boxes, scores)) == 20
    few = MANIFEST.model_copy(update={"max_detections": 3})
    best = detections(boxes, scores, manifest=few)
    assert [round(d.score, 3) for d in best] == [0.329, 0.328, 0.327]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["boxes", "scores"])
def test_numbers_that_are_none_are_an_error(bad: float, where: str) -> None:
    boxes, scores = network_output((CAR, 0.9, (10, 10, 60, 60)))
    (boxes if where == "boxes" else scores)[0, 1, 7] = bad
    with pytest.raises(ModelOutputError, match=MANIFEST.file):
        detections(boxes, scores)


def test_wider_numbers_are_refused_not_converted() -> None:
    boxes, scores = network_output((CAR, 0.9, (10, 10, 60, 60)))
    with pytest.raises(ModelOutputError, match="float64"):
        detections(boxes.astype(np.float64), scores)


def test_nothing_widens_to_float64_on_the_way() -> None:
    boxes, scores = network_output((CAR, 0.9, (10, 10, 60, 60)), (BUS, 0.9, (100, 10, 160, 60)))
    found, _, values = select(boxes[0], scores[0], threshold=0.3, overlap=0.5, max_detections=9)
    assert found.dtype == values.dtype == np.float32


coordinates = st.floats(0, 400, width=32)
boxes_best_first = hnp.arrays(np.float32, st.tuples(st.integers(0, 25), st.just(4)), elements=coordinates).map(
    lambda b: np.concatenate([b[:, :2], b[:, :2] + b[:, 2:] + 1], axis=1)
)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """The definition, one pair at a time."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inner = max(width, 0.0) * max(height, 0.0)
    whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner
    return float(inner / whole)


@given(boxes_best_first, st.floats(0.2, 0.9), st.integers(0, 2**31))
def test_suppression_keeps_exactly_those_that_no_better_one_of_their_class_covers(boxes, overlap, seed) -> None:
    classes = np.random.default_rng(seed).integers(0, 3, len(boxes))
    kept = suppress(boxes, classes, overlap).tolist()
    assert kept == sorted(kept)
    margin = 1e-4  # pairs that lie on the threshold itself may go either way in float32
    for i in range(len(boxes)):
        rivals = [iou(boxes[i], boxes[k]) for k in kept if k < i and classes[k] == classes[i]]
        if i in kept:
            assert all(value <= overlap + margin for value in rivals)
        else:
            assert any(value >= overlap - margin for value in rivals)


@given(boxes_best_first, st.floats(0.2, 0.9))
def test_suppressing_twice_changes_nothing(boxes, overlap) -> None:
    classes = np.zeros(len(boxes), np.intp)
    once = boxes[suppress(boxes, classes, overlap)]
    assert len(suppress(once, np.zeros(len(once), np.intp), overlap)) == len(once)


def test_a_flood_of_boxes_is_cut_to_the_best() -> None:
    count = MAX_CANDIDATES * 4
    x = np.arange(count, dtype=np.float32) * 20
    boxes = np.stack([x, x * 0, x + 10, x * 0 + 10])
    scores = np.full((5, count), 0.1, np.float32)
    scores[CAR] = np.linspace(0.4, 0.9, count, dtype=np.float32)
    found, _, values = select(boxes, scores, threshold=0.3, overlap=0.5, max_detections=10**6)
    assert len(found) == MAX_CANDIDATES
    assert values.min() == np.sort(scores[CAR])[-MAX_CANDIDATES]


@given(
    st.tuples(st.integers(40, 1100), st.integers(40, 2000)),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.sampled_from([[(416, 416)], [(320, 544)], [(416, 416), (320, 544)]]),
)
def test_a_box_goes_to_the_network_and_comes_back_within_a_pixel(shape, corners, sizes) -> None:
    height, width = shape
    (left, right), (top, bottom) = sorted((corners[0], corners[1])), sorted((corners[2], corners[3]))
    source = np.array([left * width, top * height, right * width, bottom * height])
    if source[2] - source[0] < 0.01 or source[3] - source[1] < 0.01:
        return
    letterbox = Letterbox(sizes, 114)
    ratio = letterbox.fit(np.zeros((height, width, 3), np.uint8))
    boxes, scores = network_output((CAR, 0.9, tuple(source * ratio)))
    (back,) = detections(boxes, scores, ratio=ratio, shape=(height, width, 3))
    assert np.abs(np.array([back.x0, back.y0, back.x1, back.y1]) - source).max() < 1
    # What was picture is black, what was not is grey: the mapping of the picture is that of the boxes.
    painted = np.argwhere((letterbox.blob[0] == 0).all(axis=2)).max(axis=0) + 1
    assert np.abs(painted - np.array([height, width]) * ratio).max() <= 1


def test_the_padding_is_grey_again_after_a_taller_picture() -> None:
    letterbox = Letterbox([(416, 416)], 114)
    letterbox.fit(np.full((600, 600, 3), 255, np.uint8))
    letterbox.fit(np.full((360, 640, 3), 255, np.uint8))
    assert (letterbox.blob[0, :234] == 255).all()
    assert (letterbox.blob[0, 234:] == 114).all()


@pytest.mark.parametrize(
    ("shape", "taken"),
    [((720, 1280), (320, 544)), ((352, 640), (320, 544)), ((500, 500), (416, 416)), ((640, 480), (416, 416))],
)
def test_the_input_that_shows_the_picture_largest_is_taken(shape: tuple[int, int], taken: tuple[int, int]) -> None:
    letterbox = Letterbox([(416, 416), (320, 544)], 114)
    for around in ((500, 500), (720, 1280)):  # whatever came before
        letterbox.fit(np.zeros((*around, 3), np.uint8))
        ratio = letterbox.fit(np.full((*shape, 3), 200, np.uint8))
        assert letterbox.blob.shape[1:3] == taken
        assert ratio == min(taken[0] / shape[0], taken[1] / shape[1])
        high, wide = int(shape[0] * ratio), int(shape[1] * ratio)
        assert (letterbox.blob[0, :high, :wide] == 200).all()
        assert (letterbox.blob[0, high:] == 114).all()
        assert (letterbox.blob[0, :, wide:] == 114).all()


def test_a_picture_is_put_in_place_not_beside_it() -> None:
    letterbox = Letterbox([(416, 416)], 114)
    before = letterbox.blob.ctypes.data
    picture = np.random.default_rng(3).integers(0, 255, (416, 416, 3), np.uint8)
    assert letterbox.fit(picture) == 1.0
    assert letterbox.blob.ctypes.data == before
    assert (letterbox.blob[0] == picture).all()
    assert letterbox.fit(picture[:, ::-1]) == 1.0  # a mirrored view, not contiguous
    assert (letterbox.blob[0] == picture[:, ::-1]).all()


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_what_is_no_picture_is_refused_with_its_shape(picture) -> None:
    with pytest.raises(PictureError, match="expected uint8"):
        Letterbox([(416, 416)], 114).fit(picture)


def test_a_detection_cannot_be_changed_afterwards() -> None:
    (only,) = detections(*network_output((CAR, 0.9, (10, 10, 60, 60))))
    with pytest.raises(dataclasses.FrozenInstanceError):
        only.score = 1.0  # type: ignore[misc]
