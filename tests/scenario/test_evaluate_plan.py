"""The plan of scenes: what it covers, that its seeds fix its figures, and its command line."""

import dataclasses
import functools
import json
import pathlib

import pytest
from click.testing import CliRunner

from tests.support.judged import drives, road
from tests.support.sumo import needs_sumo
from tools.evaluate.__main__ import main
from tools.evaluate.plan import PLAN, WEATHERS, Entry, fixed, fresh, rounds, run, work
from tools.evaluate.tally import Tally
from tools.sim.demand import LEVELS
from tools.sim.layouts import LAYOUTS, LIMITS_KMH
from tools.sim.sensing.fittings import Fitting
from tools.sim.sensing.recorder import record
from tools.sim.sensing.weather import CLEAN


def timeless(tallies: list[Tally]) -> list[Tally]:
    return [dataclasses.replace(one, replay_s=0.0) for one in tallies]


def test_the_plan_holds_every_shape_limit_traffic_and_fitting_that_is_sold() -> None:
    layouts = [LAYOUTS[layout] for layout, _, _ in PLAN]
    assert {layout.limit_kmh for layout in layouts} == set(LIMITS_KMH)
    assert {
        word for layout in layouts for word in ("t", "crossing", "skew", "curve") if layout.name.startswith(word)
    } == {
        "t",
        "crossing",
        "skew",
        "curve",
    }
    assert {demand for _, demand, _ in PLAN} == set(LEVELS)
    assert {fitting for _, _, fitting in PLAN} == set(Fitting) - {Fitting.CAMERA_ONLY}
    assert any(layout.name.endswith("x2") for layout in layouts)


def test_seeds_are_fixed_in_ci_and_never_used_twice() -> None:
    assert list(fixed()) == list(fixed())
    many = list(rounds(5, 3))
    assert len({entry.seed for entry in many}) == len(many) == 3 * len(PLAN) * len(WEATHERS)
    assert {entry.weather for entry in many} == set(WEATHERS)
    endless = fresh(5)
    assert next(endless).seed == many[0].seed


@needs_sumo
def test_the_same_seed_gives_the_same_verdict_in_any_process(tmp_path: pathlib.Path) -> None:
    entry = Entry("t60", "busy", Fitting.RADAR_ONLY, "clean", 3, 60.0)
    here = work(entry, tmp_path)
    jobs = [functools.partial(work, entry, None)]
    assert timeless(run(jobs)) == timeless([here])
    assert here.node.passages > 0
    assert len(list(tmp_path.glob("*.mcap"))) == 1, "kept"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("kept")
    record(road(drives()), Fitting.RADAR_ONLY, CLEAN, 1, folder)
    return folder


def test_kept_recordings_are_judged_again_as_json_lines(kept: pathlib.Path) -> None:
    done = CliRunner().invoke(main, ["--again", str(kept), "--json"])
    assert done.exit_code == 0, done.output
    lines = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert set(lines["evaluate_passages"]) == {"name", "value", "unit", "bar", "ok"}
    assert lines["evaluate_passages"]["value"] == 1 and lines["evaluate_passages"]["ok"] is None
    assert lines["evaluate_dark_clean"] == {"name": "evaluate_dark_clean", "value": 0, "unit": "", "bar": 0, "ok": True}


def test_a_table_for_people_and_an_error_for_nothing_to_judge(kept: pathlib.Path) -> None:
    done = CliRunner().invoke(main, ["--again", str(kept), "--only", "t60/clean"])
    assert done.exit_code == 0 and "distance trigger" in done.stdout
    nothing = CliRunner().invoke(main, ["--again", str(kept), "--only", "zz"])
    assert nothing.exit_code == 2 and "crossing80x2" in nothing.output
