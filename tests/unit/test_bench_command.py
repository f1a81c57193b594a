"""``sentinel bench``: what it prints and how it ends; and one real measurement, small, through the verb."""

import json
import pathlib
from collections.abc import Mapping

import pytest
from click.testing import CliRunner

from tools.bench import command as bench
from tools.bench import evidence
from tools.bench.figures import FIGURES, Reading
from tools.bench.rig import BenchError
from tools.bench.session import FULL, Session


def test_every_figure_comes_from_exactly_one_measurement() -> None:
    names = [name for measure in bench.MEASURES for name in measure.names()]
    assert sorted(names) == sorted(figure.name for figure in FIGURES)


def test_a_full_run_takes_as_many_samples_as_the_figures_ask_for() -> None:
    assert FULL.frames >= 10_000 and FULL.kills >= 300 and FULL.hangs >= 200 and FULL.edges >= 200
    assert 4 * FULL.events_each >= 100 and FULL.starts >= 10 and FULL.pictures >= 300 and FULL.work_s >= 60


def measured_as(value: float, samples: int) -> bench.Measure:
    def take(_session: Session) -> Mapping[str, Reading]:
        return {"start_core_s": Reading(value, samples)}

    return bench.Measure(take, ("start_core_s",))


def out_of_order(_session: Session) -> Mapping[str, Reading]:
    raise BenchError("mosquitto is not installed")


@pytest.mark.parametrize(("value", "exit_code", "ok"), [(0.4, 0, True), (1.4, 1, False)])
def test_a_missed_bar_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, value: float, exit_code: int, ok: bool
) -> None:
    monkeypatch.setattr(bench, "MEASURES", (measured_as(value, 10),))
    out = tmp_path / "figures.jsonl"
    done = CliRunner().invoke(bench.command, ["--json", "--out", str(out)])
    assert done.exit_code == exit_code
    assert json.loads(done.stdout) == {"name": "start_core_s", "value": value, "unit": "s", "bar": 1, "ok": ok}
    assert out.read_text() == done.stdout


def test_what_could_not_be_measured_is_said_with_its_reason_and_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "MEASURES", (bench.Measure(out_of_order, ("core_killed",)),))
    done = CliRunner().invoke(bench.command, ["--json"])
    assert done.exit_code == 1
    assert [json.loads(line)["value"] for line in done.stdout.splitlines()] == [None, None, None]
    assert "mosquitto is not installed" in done.stderr


def test_only_measures_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "MEASURES", (measured_as(0.4, 10), bench.Measure(out_of_order, ("core_killed",))))
    done = CliRunner().invoke(bench.command, ["--only", "start_"])
    assert done.exit_code == 0
    assert "start_core_s" in done.stdout and "core_killed" not in done.stdout


def test_a_figure_that_does_not_exist_is_bad_input() -> None:
    done = CliRunner().invoke(bench.command, ["--only", "lamp_to_radar"])
    assert done.exit_code == 2
    assert "radar_to_lamp_p99_ms" in done.stderr


def test_the_page_shows_every_figure_and_its_raw_line() -> None:
    lines = [bench.lines({figure.name: Reading(1.5, 20_000)}) for figure in FIGURES]
    page = evidence.page([line for group in lines for line in group], load="0", minutes=1)
    for figure in FIGURES:
        assert f"| `{figure.name}` | 1.500 | {figure.unit} |" in page
        assert f'"name": "{figure.name}"' in page


def test_smoke_guard_core_and_vision_are_timed_from_their_start() -> None:
    done = CliRunner().invoke(bench.command, ["--json", "--quick", "--only", "start_"])
    found = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.exit_code == 0, done.stderr
    assert set(found) == {"start_guard_s", "start_core_s", "start_vision_s"}
    assert all(line["value"] > 0 and line["ok"] is None for line in found.values())
