"""What is kept of a camera's view: points on edges, and no picture."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.vision.view import COLUMNS, EDGE, POINTS_A_CELL, ROWS, View, edges_of, middle_of_five, view_of
from device.vision.view_learning import APART_PX, PROVING_WINDOWS, WINDOWS, Learner
from device.vision.view_match import Where, find
from tools.camera_state.degraded import Noise

HEIGHT, WIDTH = 180, 320


def yard(*, right: int = 0, van: int | None = None) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """A drawn yard: walls, doors and kerbs at odd places; a van at some column."""
    random = np.random.default_rng(5)
    picture = np.full((HEIGHT, WIDTH + 80), 110, np.uint8)
    for _ in range(60):
        x, y = random.integers(0, WIDTH + 60), random.integers(0, HEIGHT - 12)
        width, height = random.integers(8, 60, 2)
        picture[y : y + height, x : x + width] = random.integers(40, 220)
    picture = picture[:, 40 - right : 40 - right + WIDTH].copy()
    if van is not None:
        picture[60:150, van : van + 110] = 245
    return picture


def learned(*, van_in: int = 0, steps: int = WINDOWS + PROVING_WINDOWS) -> View:
    """The yard's view; a van stood in it for some of the windows."""
    noise, learner = Noise(HEIGHT, WIDTH), Learner()
    for number in range(steps):
        picture = noise.add(yard(van=100 if number < van_in else None)[..., None], 2.0)[..., 0]
        view = learner.take(edges_of(picture))
        if view is not None:
            return view
    raise AssertionError(f"not learned: {learner.learned_pct} %")


@pytest.fixture(scope="module")
def view() -> View:
    return learned()


@given(st.lists(st.integers(0, 255), min_size=60, max_size=60))
@settings(max_examples=50)
def test_the_middle_one_of_five_looks_is_kept(values: list[int]) -> None:
    looks = list(np.array(values, np.uint8).reshape(5, 3, 4))
    assert (middle_of_five(looks) == np.median(np.stack(looks), axis=0)).all()


def test_a_view_is_few_points_apart_and_nothing_of_the_picture(view: View) -> None:
    written = view.as_json()
    assert set(written) == {"places", "degrees", "strengths", "detail", "light", "edges", "likeness"}
    assert np.bincount(view.cells(), minlength=ROWS * COLUMNS).max() <= POINTS_A_CELL
    columns, rows = view.pixels((HEIGHT, WIDTH))
    apart = np.maximum(np.abs(columns[:, None] - columns), np.abs(rows[:, None] - rows)) + 1000 * np.eye(len(columns))
    assert apart.min() > APART_PX
    assert len(json.dumps(written)) < 20_000


def test_who_stood_there_for_a_while_is_not_in_the_view(view: View) -> None:
    with_van = learned(van_in=WINDOWS // 3)
    empty = edges_of(yard())
    columns, rows = with_van.pixels(empty.shape)
    assert (np.hypot(empty.x, empty.y)[rows, columns] > 0.9 * EDGE).all(), "each point is on an edge of the empty yard"
    assert len(with_van.places) > 0.7 * len(view.places)


def test_a_view_survives_its_file(view: View) -> None:
    again = view_of(json.loads(json.dumps(view.as_json())))
    assert np.allclose(again.places, view.places, atol=1e-4)
    assert np.allclose(again.across, view.across, atol=2e-3)
    assert find(again, edges_of(yard())).where is Where.HERE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("places", []),
        ("places", [[0.5, 0.5]]),
        ("degrees", [1.0]),
        ("strengths", "many"),
        ("strengths", None),
        ("detail", [1.0]),
        ("light", 0),
        ("likeness", float("nan")),
        ("likeness", None),
    ],
)
def test_a_file_that_is_no_view_is_refused(view: View, key: str, value: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        view_of({**view.as_json(), key: value})


def test_a_camera_that_is_still_being_turned_teaches_nothing() -> None:
    noise, learner = Noise(HEIGHT, WIDTH), Learner()
    for number in range(WINDOWS + PROVING_WINDOWS):
        assert learner.take(edges_of(noise.add(yard(right=number % 30)[..., None], 2.0)[..., 0])) is None


def test_a_camera_that_was_turned_at_the_end_of_the_lesson_begins_anew() -> None:
    noise, learner = Noise(HEIGHT, WIDTH), Learner()
    for number in range(WINDOWS + PROVING_WINDOWS):
        right = 30 if number >= WINDOWS else 0
        assert learner.take(edges_of(noise.add(yard(right=right)[..., None], 2.0)[..., 0])) is None
    assert learner.learned_pct == 0


def test_a_camera_that_changes_its_size_during_the_lesson_begins_anew() -> None:
    learner = Learner()
    for number in range(WINDOWS + PROVING_WINDOWS):
        assert learner.take(edges_of(yard() if number < WINDOWS // 2 else yard()[::2, ::2].copy())) is None


@pytest.mark.parametrize("wall", [yard() // 4, np.full((HEIGHT, WIDTH), 120, np.uint8)], ids=["night", "bare wall"])
def test_night_and_a_bare_wall_teach_nothing(wall: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> None:
    learner = Learner()
    for _ in range(WINDOWS + PROVING_WINDOWS):
        assert learner.take(edges_of(wall)) is None
    assert learner.learned_pct == 0


def test_bright_and_dark_that_change_sides_are_the_same_view(view: View) -> None:
    assert find(view, edges_of(255 - yard())).where is Where.HERE


def test_a_view_is_found_where_it_has_gone(view: View) -> None:
    sight = find(view, edges_of(yard(right=-17)))
    assert (sight.where, sight.right, sight.down) == (Where.MOVED, -17, 0)


def test_of_an_even_grey_picture_nobody_can_tell(view: View) -> None:
    assert find(view, edges_of(np.full((HEIGHT, WIDTH), 120, np.uint8))).where is Where.UNSURE
