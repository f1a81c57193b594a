"""The judge over a real recording: a car's echoes as bytes, the real node, its lines, the verdict; and the command that
explains one recording."""

import dataclasses
import pathlib

import pytest
from click.testing import CliRunner

from tests.support.judged import drives, road
from tools.evaluate.case import Judged, judge, tally
from tools.evaluate.one import main
from tools.evaluate.pace import replay_ratio, step_p99_ms
from tools.sim.scene import Scene
from tools.sim.sensing.fittings import Fitting, site_config
from tools.sim.sensing.recorder import Recorded, record
from tools.sim.sensing.weather import CLEAN

ONE_CAR = road(drives(kmh=50, arrives_s=30.0))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return record(ONE_CAR, Fitting.RADAR_ONLY, CLEAN, 1, tmp_path_factory.mktemp("recording"))


def judged(files: Recorded, scene: Scene = ONE_CAR) -> Judged:
    clean = dataclasses.replace(scene, weather="clean")
    return judge(files.recording, clean, site_config(ONE_CAR, Fitting.RADAR_ONLY))


def test_a_lone_car_is_warned_of_in_time_and_nothing_is_found(files: Recorded) -> None:
    found = judged(files)
    assert found.findings() == []
    sums = tally(found, fitting="radar_only")
    assert (sums.node.passages, sums.node.dark_passages, sums.late) == (1, 0, 0)
    assert sums.leads == 2, "the branch face and its own"
    assert [unit.name for unit in sums.sides] == ["node", "distance", "bare", "bare_held"]
    trigger = sums.sides[1]
    # It holds 5 s where 3.3 are excused; the beam loses the car up to 10 m before the line, 0.7 s before it arrives.
    assert 0.9 < trigger.needless_s < 1.8 and trigger.dark_passages == 0


def test_the_same_light_with_nobody_there_is_needless(files: Recorded) -> None:
    """The truth is what decides: the same recording beside an empty road is one long false alarm."""
    found = judged(files, road())
    (branch,) = [verdict for verdict in found.verdicts if verdict.duty.face == "branch_south"]
    assert branch.needless.total_s == pytest.approx(branch.lit_s) and branch.lit_s > 7
    assert any(finding.what == "needless" and "main_east" in finding.node for finding in found.findings())


def test_a_car_of_which_the_sensors_said_nothing_is_dark(files: Recorded) -> None:
    found = judged(files, road(drives(arrives_s=30.0), drives("second", arrives_s=50.0, approach="main_west")))
    dark = [finding for finding in found.findings() if finding.what == "dark"]
    assert {finding.who for finding in dark} == {"second(car)@main_west"}
    assert all(finding.size_s > 4 for finding in dark)


def test_one_recording_is_explained_on_the_command_line(files: Recorded, tmp_path: pathlib.Path) -> None:
    clean = CliRunner().invoke(main, [str(files.recording)])
    assert clean.exit_code == 0, clean.output
    assert "branch_south" in clean.output and "findings 0" in clean.output
    at = CliRunner().invoke(main, [str(files.recording), "--at", "27.0"])
    assert "car(car)@main_east 41." in at.output and "track" in at.output
    from tools.sim.scene import write_scene

    empty = tmp_path / "empty.jsonl"
    write_scene(dataclasses.replace(road(), weather="clean"), empty)
    wrong = CliRunner().invoke(main, [str(files.recording), "--truth", str(empty)])
    assert wrong.exit_code == 1 and "needless" in wrong.output
    gone = CliRunner().invoke(main, [str(files.recording), "--truth", str(tmp_path / "none.jsonl")])
    assert gone.exit_code == 2 and "none.jsonl" in gone.output


def test_the_pace_is_measured_on_twenty_tracks(files: Recorded) -> None:
    p99_ms, tracks = step_p99_ms(site_config(ONE_CAR, Fitting.RADAR_ONLY))
    assert tracks >= 20 and p99_ms > 0
    assert replay_ratio(files.recording, site_config(ONE_CAR, Fitting.RADAR_ONLY)) > 1
