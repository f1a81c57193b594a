"""The ruler: average precision worked out by hand, and intervals that hold what they promise."""

import numpy as np
import pytest

from tools.detector.curves import average_precision, draws, estimate, recall

ONCE = np.ones((1, 1), np.float32)


def ap(hits: list[bool], labels: int) -> float:
    """Of boxes of one picture, best first."""
    found = np.array(hits, np.bool_)
    return float(average_precision(found, np.zeros(len(found), np.intp), np.array([labels]), ONCE)[0])


def test_average_precision_of_known_curves() -> None:
    # Recall 1/2 at precision 1, recall 2/2 at precision 2/3.
    assert ap([True, False, True], 2) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert ap([True], 4) == pytest.approx(0.25)
    assert ap([False], 4) == 0
    assert ap([], 4) == 0
    # The envelope: precision 1/2 at the first hit rises to 3/4 at the third, and that counts for all three.
    assert ap([False, True, True, True], 3) == pytest.approx(3 / 4)
    # What comes after the last hit costs nothing.
    assert ap([True, False, False, False], 1) == 1


def test_nothing_labelled_is_no_figure() -> None:
    assert np.isnan(ap([False], 0))
    nothing = estimate(np.full(5, np.nan, np.float32), 0)
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_a_picture_drawn_twice_counts_twice() -> None:
    # Picture 0: a hit; picture 1: a false box above another hit, and a label that nobody found.
    hit, picture = np.array([True, False, True]), np.array([0, 1, 1])
    labels = np.array([1, 2])
    drawn = np.array([[1, 1], [2, 0], [0, 1], [0, 2], [1, 2]], np.float32)
    got = average_precision(hit, picture, labels, drawn)
    # As they are: 1/3 at precision 1, 1/3 at 2/3. Picture 1 alone: half at 1/2. One and two: 1/5 at 1, 2/5 at 3/5.
    assert got.tolist() == pytest.approx([1 / 3 + 1 / 3 * 2 / 3, 1, 0.25, 0.25, 0.2 + 0.4 * 0.6])
    assert recall(hit, picture, labels, drawn).tolist() == pytest.approx([2 / 3, 1, 1 / 2, 1 / 2, 3 / 5])


def test_every_draw_is_as_many_pictures_and_the_first_is_each_once() -> None:
    drawn = draws(30, rounds=50)
    assert (drawn[0] == 1).all()
    assert (drawn.sum(axis=1) == 30).all()
    assert (drawn == draws(30, rounds=50)).all()
    assert not (drawn == draws(30, rounds=50, seed=5)).all()
    assert drawn[1:].std() > 0.5


def road(random: np.random.Generator, pictures: int, skill: float) -> tuple[np.ndarray, ...]:
    """Boxes of a model on so many pictures: every label is found with that chance, and false boxes score lower."""
    labels = random.integers(1, 6, pictures)
    of_label = np.repeat(np.arange(pictures), labels)
    found = of_label[random.random(len(of_label)) < skill]
    false = np.repeat(np.arange(pictures), random.poisson(1.5, pictures))
    score = np.concatenate([random.normal(1, 1, len(found)), random.normal(0, 1, len(false))])
    order = np.argsort(-score)
    hit = np.repeat([True, False], [len(found), len(false)])[order]
    return hit, np.concatenate([found, false])[order], labels


@pytest.mark.parametrize("measure", [average_precision, recall])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(measure) -> None:
    random = np.random.default_rng(1)
    pictures = 2_000
    truth = measure(*road(random, pictures, 0.7), np.ones((1, pictures), np.float32))[0]
    held = 0
    for seed in range(120):
        hit, picture, labels = road(random, 60, 0.7)
        got = estimate(measure(hit, picture, labels, draws(60, rounds=200, seed=seed)), int(labels.sum()))
        assert got.low <= got.value <= got.high
        held += got.low <= truth <= got.high
    assert 0.87 <= held / 120 <= 1


def test_two_models_on_the_same_draws_are_told_apart_where_two_intervals_overlap() -> None:
    random = np.random.default_rng(2)
    hit, picture, labels = road(random, 80, 0.7)
    # The other model is the first with every tenth of its hits lost: worse, and by the same pictures' fault.
    kept = ~hit | (np.cumsum(hit) % 10 > 0)
    drawn = draws(80, rounds=1000)
    good = average_precision(hit, picture, labels, drawn)
    worse = average_precision(hit[kept], picture[kept], labels, drawn)
    apart = estimate(good - worse, 1)
    unpaired = estimate(good - average_precision(hit[kept], picture[kept], labels, draws(80, 1000, seed=9)), 1)
    assert apart.high - apart.low < 0.5 * (unpaired.high - unpaired.low)
    assert apart.low > 0 > unpaired.low
    assert apart.value == pytest.approx(unpaired.value)


def test_the_interval_is_the_middle_95_of_100() -> None:
    values = np.array([7, *range(101)], np.float32)
    got = estimate(values, 3)
    assert (got.value, got.labels) == (7, 3)
    assert (got.low, got.high) == pytest.approx((2.5, 97.5))
