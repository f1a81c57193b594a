"""A bar that is not met yet: a figure may come nearer to it, and no step back goes unseen."""

import json
import pathlib
from typing import Any

import pytest

from tools.evaluate.figures import FIGURES
from tools.evaluate.reached import keep, reached, worse

DARK, WARNED = "evaluate_dark_clean", "evaluate_warned_in_time_pct"


def line(name: str, value: float | None, bar: float, ok: bool | None) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "%" if name.endswith("_pct") else "", "bar": bar, "ok": ok}


@pytest.mark.parametrize(("value", "found"), [(20, []), (9, []), (24, []), (24.1, [DARK]), (None, [DARK])])
def test_more_in_the_dark_than_before_is_worse(value: float | None, found: list[str]) -> None:
    assert worse([line(DARK, value, 0, False)], {DARK: 20}) == found


@pytest.mark.parametrize(("value", "found"), [(5, []), (6, [DARK])])
def test_one_or_two_of_thousands_are_the_processors(value: float, found: list[str]) -> None:
    assert worse([line(DARK, value, 0, False)], {DARK: 3}) == found


@pytest.mark.parametrize(("value", "found"), [(99.5, []), (99.42, []), (99.41, [WARNED]), (None, [WARNED])])
def test_fewer_warned_in_time_is_worse(value: float | None, found: list[str]) -> None:
    assert worse([line(WARNED, value, 99.9, False)], {WARNED: 99.5}) == found


def test_a_bar_that_was_met_is_held() -> None:
    assert worse([line(DARK, 3, 0, False)], {}) == [DARK]
    assert worse([line(WARNED, 99.84, 99.9, False)], {}) == [WARNED]
    assert worse([line(WARNED, 99.86, 99.9, False)], {}) == []
    assert worse([line(DARK, 0, 0, True)], {DARK: 10}) == []
    assert worse([line("evaluate_wins_dark", 0, 1, False)], {}) == ["evaluate_wins_dark"]


@pytest.mark.parametrize(("value", "kept"), [(8, 8), (12, 10)])
def test_a_step_back_is_not_taken_for_the_floor(tmp_path: pathlib.Path, value: float, kept: float) -> None:
    path = tmp_path / "reached.json"
    keep([line(DARK, value, 0, False), line(WARNED, 99.95, 99.9, True)], {DARK: 10, WARNED: 99.5}, path)
    assert json.loads(path.read_text()) == {DARK: kept}, "a bar that is met needs no floor"


def test_a_time_is_the_machines() -> None:
    assert worse([line("evaluate_step_p99_ms", 9.0, 0.2, False)], {}) == []


def test_what_was_reached_are_figures_with_a_bar() -> None:
    bars = {figure.name: figure.bar for figure in FIGURES}
    assert all(bars[name] is not None for name in reached())
