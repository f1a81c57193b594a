"""Time is measured by turns, so that a busy machine slows all models alike."""

import numpy as np
import pytest

from models.training.teachers import Candidates
from tools.detector.pace import by_turns, median_ms, ratio
from tools.detector.scorers import Contestant


class Heard:
    """A model that writes down when it was asked, and of which picture."""

    def __init__(self, name: str, diary: list[tuple[str, int]]) -> None:
        self._name, self._diary = name, diary

    def candidates(self, image: np.ndarray) -> Candidates:
        self._diary.append((self._name, int(image[0, 0, 0])))
        return Candidates(np.empty((0, 4), np.float32), np.empty((0, 5), np.float32))


def test_every_model_has_one_turn_a_round_on_the_same_picture_and_none_is_always_first() -> None:
    diary: list[tuple[str, int]] = []
    models = [Contestant(name, Heard(name, diary), 0.3, 0.5, ours=False) for name in "abc"]
    pictures = [np.full((2, 2, 3), index, np.uint8) for index in range(2)]
    times = by_turns(models, pictures, rounds=5)
    rounds = [diary[i : i + 3] for i in range(0, len(diary), 3)]
    assert len(rounds) == 6, "one to warm up"
    assert [{picture for _, picture in each} for each in rounds] == [{0}, {1}, {0}, {1}, {0}, {1}]
    assert ["".join(name for name, _ in each) for each in rounds] == ["abc", "bca", "cab", "abc", "bca", "cab"]
    assert {name: len(each) for name, each in times.items()} == {"a": 5, "b": 5, "c": 5}


def test_a_slow_moment_of_the_machine_is_no_fault_of_the_model_it_hit() -> None:
    times = {"ours": np.array([10, 10, 40, 10, 10.0]), "theirs": np.array([20, 20, 80, 20, 90.0])}
    assert median_ms(times, "ours") == 10
    assert ratio(times, "ours", "theirs") == pytest.approx(0.5)
