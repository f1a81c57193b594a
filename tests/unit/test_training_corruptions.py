"""The training set of corruptions: each does to a street what its weather does, the same again for the same seed."""

import pathlib
import re

import cv2
import numpy as np
import pytest

from models.training import corruptions

ROAD = (slice(120, 240), slice(0, 320))
CAR = np.array([[140, 150, 200, 190]], np.float32)


@pytest.fixture
def street() -> np.ndarray:
    """320×240 BGR: a bright sky, trees of rough green, a grey road, a blue car with white windows."""
    random = np.random.default_rng(5)
    picture = np.empty((240, 320, 3), np.uint8)
    picture[:60] = (235, 215, 190)
    picture[60:120] = random.integers(20, 140, (60, 320, 3))
    picture[120:] = 120
    picture[120::16] = 90
    picture[150:190, 140:200] = (200, 60, 30)
    picture[155:165, 150:190] = 250
    return picture


def after(name: str, street: np.ndarray, seed: int = 1) -> np.ndarray:
    return corruptions.PAINTERS[name](street, CAR, np.random.default_rng(seed))


def contrast(picture: np.ndarray) -> float:
    return float(picture.astype(np.float32).std())


def changed(picture: np.ndarray, street: np.ndarray) -> np.ndarray:
    """H×W: how much each pixel has moved, grey levels."""
    return np.abs(picture.astype(int) - street.astype(int)).max(axis=2)


@pytest.mark.parametrize("name", list(corruptions.PAINTERS))
def test_the_same_seed_paints_the_same_picture_and_another_seed_another(name: str, street: np.ndarray) -> None:
    before = street.copy()
    first, again, other = after(name, street), after(name, street), after(name, street, seed=2)
    assert (street == before).all()
    assert first.shape == street.shape
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != other).any()
    assert changed(first, street).max() > 15


@pytest.mark.parametrize("seed", range(8))
def test_night_is_darker_and_noisier(street: np.ndarray, seed: int) -> None:
    dark = after("night", street, seed)
    assert dark.mean() < 0.75 * street.mean()
    flat = (slice(210, 224, None), slice(0, 320))  # asphalt without a line: all of its texture is noise
    high = dark[flat].astype(np.float32) - cv2.GaussianBlur(dark[flat], (0, 0), 5)
    assert high.std() > 0.5


@pytest.mark.parametrize("seed", range(8))
def test_headlights_burn_out_the_lower_half_of_a_car_and_leave_the_far_corner(street: np.ndarray, seed: int) -> None:
    cars = np.tile(CAR, (6, 1))  # every second one has its lamps on: of six at least one
    lit = corruptions.headlights(street, cars, np.random.default_rng(seed))
    assert lit[165:190, 140:200].min(axis=2).max() > 235
    assert changed(lit, street)[ROAD][-20:, :60].max() < 20
    assert (lit >= street).all()


def test_an_empty_road_at_night_can_still_be_dazzled(street: np.ndarray) -> None:
    lit = corruptions.headlights(street, np.empty((0, 4), np.float32), np.random.default_rng(0))
    assert changed(lit, street).max() > 60


@pytest.mark.parametrize("seed", range(8))
def test_rain_leaves_bright_strokes_that_are_longer_than_wide(street: np.ndarray, seed: int) -> None:
    even = np.full_like(street, 100)
    wet = corruptions.rain(even, CAR, np.random.default_rng(seed))
    strokes = (wet.max(axis=2) > np.median(wet) + 15).astype(np.uint8)
    _, _, found, _ = cv2.connectedComponentsWithStats(strokes)
    found = found[1:][found[1:, cv2.CC_STAT_AREA] > 4]
    assert len(found) > 10
    assert np.median(found[:, cv2.CC_STAT_HEIGHT] / found[:, cv2.CC_STAT_WIDTH]) > 1.5
    assert contrast(after("rain", street, seed)) < contrast(street)


@pytest.mark.parametrize("seed", range(8))
def test_fog_takes_contrast_everywhere(street: np.ndarray, seed: int) -> None:
    thick = after("fog", street, seed)
    assert contrast(thick) < 0.85 * contrast(street)
    for strip in (slice(60, 90), slice(90, 120), slice(190, 240)):  # trees, and the lines on the road
        edges, before = (np.diff(picture[strip].astype(int), axis=0).std() for picture in (thick, street))
        assert edges < 0.85 * before
    assert corruptions.fog(np.zeros_like(street), CAR, np.random.default_rng(seed)).min() > 0


def test_drops_blur_round_places_and_leave_the_rest(street: np.ndarray) -> None:
    wet = after("drops", street)
    share = (changed(wet, street) > 0).mean()
    assert 0.005 < share < 0.5


def test_motion_blurs_along_one_direction(street: np.ndarray) -> None:
    point = np.zeros((41, 41, 3), np.uint8)
    point[20, 20] = 255
    for seed in range(8):
        smear = corruptions.motion_blur(point, CAR, np.random.default_rng(seed))[..., 0]
        ys, xs = np.nonzero(smear)
        assert np.hypot(np.ptp(xs), np.ptp(ys)) >= 2
        assert len(xs) <= 9 + 2  # a stroke, not a disc
        assert abs(int(smear.sum()) - 255) <= 10  # no light is lost
    assert changed(after("motion_blur", street), street).max() > 15


def test_jpeg_leaves_edges_at_the_borders_of_its_blocks() -> None:
    slope = np.tile(np.linspace(40, 200, 320, dtype=np.uint8)[None, :, None], (240, 1, 3))
    coded = corruptions.jpeg(slope, CAR, np.random.default_rng(3)).astype(int)
    steps = np.abs(np.diff(coded[..., 1], axis=1)).mean(axis=0)
    at_borders = steps[7::8].mean()
    assert at_borders > 2 * np.delete(steps, np.arange(7, 319, 8)).mean()


def test_degrading_draws_every_kind_and_leaves_some_pictures_alone(street: np.ndarray) -> None:
    results = [corruptions.degrade(street, CAR, np.random.default_rng(seed)) for seed in range(60)]
    alone = sum((result == street).all() for result in results)
    assert 3 < alone < 40
    assert min(result.mean() for result in results) < 60  # nights
    assert (corruptions.degrade(street, CAR, np.random.default_rng(7)) == results[7]).all()


def test_a_night_picture_gets_no_second_night(street: np.ndarray) -> None:
    dark = (street // 5).astype(np.uint8)
    assert min(corruptions.degrade(dark, CAR, np.random.default_rng(seed)).mean() for seed in range(60)) > 8


def test_nothing_of_training_knows_the_corruptions_of_the_evaluation() -> None:
    for path in pathlib.Path(corruptions.__file__).parent.glob("*.py"):
        assert not re.search(r"^\s*(from|import) tools\b", path.read_text(encoding="utf-8"), re.MULTILINE), path
