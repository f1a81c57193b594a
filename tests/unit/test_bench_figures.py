"""What the bench may claim: bars, sample counts, percentiles, and the exact words of its JSON lines."""

import json
import math

import pytest

from tools.bench.figures import BY_NAME, FIGURES, Figure, Reading, as_json, judged, lines, percentile, spread

ISSUE = {
    "radar_to_lamp_p50_ms": (2, 10_000),
    "radar_to_lamp_p99_ms": (10, 10_000),
    "radar_to_lamp_edge_max_ms": (1, 200),
    "radar_to_lamp_busy_p99_ms": (12, 10_000),
    "radar_event_to_lamp_p99_ms": (350, 100),
    "camera_event_to_lamp_p99_ms": (500, 100),
    "vision_overhead_ms_640": (2, 1),
    "vision_overhead_ms_720p": (2, 1),
    "vision_beyond_inference_pct": (20, 60),
    "start_guard_s": (0.3, 1),
    "start_core_s": (1, 1),
    "start_vision_s": (5, 1),
    "rss_guard_mb": (28, 60),
    "rss_core_mb": (40, 60),
    "rss_vision_mb": (180, 60),
    "rss_bridge_mb": (50, 60),
    "core_killed_to_safe_p99_ms": (20, 300),
    "core_hung_to_safe_p99_ms": (200, 200),
}
"""Bar and least number of samples, as the project's owner asked for them."""


@pytest.mark.parametrize("name", ISSUE)
def test_every_figure_asked_for_is_there_with_its_bar_and_enough_samples(name: str) -> None:
    bar, least = ISSUE[name]
    assert BY_NAME[name].bar == bar
    assert BY_NAME[name].samples >= least


def test_no_other_figure_has_a_bar_and_every_p99_has_its_maximum_beside() -> None:
    assert {figure.name for figure in FIGURES if figure.bar is not None} == set(ISSUE)
    for figure in FIGURES:
        if "_p99_" in figure.name:
            assert BY_NAME[figure.name.replace("_p99_", "_max_")].bar is None


def test_names_are_unique_and_end_with_their_unit() -> None:
    assert len(BY_NAME) == len(FIGURES)
    assert all(f"_{figure.unit.lower()}" in figure.name for figure in FIGURES)


BARRED = Figure("some_p99_ms", "ms", 20, 300, "某", "some")


@pytest.mark.parametrize(
    ("value", "samples", "ok"),
    [(20.0, 300, True), (20.001, 300, False), (1.0, 299, None), (99.0, 299, None), (math.inf, 300, False)],
)
def test_a_value_is_ok_at_its_bar_and_claims_nothing_on_too_few_samples(
    value: float, samples: int, ok: bool | None
) -> None:
    line = judged(BARRED, Reading(value, samples))
    assert line["ok"] is ok
    assert line["value"] == (None if math.isinf(value) else value)


def test_what_could_not_be_measured_is_not_ok() -> None:
    assert judged(BARRED, None) == {"name": "some_p99_ms", "value": None, "unit": "ms", "bar": 20, "ok": False}


def test_a_maximum_without_a_bar_claims_nothing_measured_or_not() -> None:
    figure = BY_NAME["radar_to_lamp_max_ms"]
    assert judged(figure, Reading(5.0, 20_000))["ok"] is None
    assert judged(figure, None)["ok"] is None


def test_lines_have_the_words_of_the_contract_in_the_order_of_the_table() -> None:
    found = list(lines({"start_core_s": Reading(0.4, 10), "radar_to_lamp_p50_ms": Reading(1.23456, 10_000)}))
    assert [json.loads(as_json(line)) for line in found] == [
        {"name": "radar_to_lamp_p50_ms", "value": 1.235, "unit": "ms", "bar": 2, "ok": True},
        {"name": "start_core_s", "value": 0.4, "unit": "s", "bar": 1, "ok": True},
    ]
    assert list(found[0]) == ["name", "value", "unit", "bar", "ok"]


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([7.0], 0.5) == 7.0
    assert percentile([], 0.99) == math.inf


def test_one_frame_in_fifty_that_never_came_makes_the_p99_infinite() -> None:
    readings = spread("x", [1.0] * 98 + [math.inf] * 2)
    assert readings["x_p50_ms"] == Reading(1.0, 100)
    assert readings["x_p99_ms"].value == math.inf
    assert readings["x_max_ms"].value == math.inf
