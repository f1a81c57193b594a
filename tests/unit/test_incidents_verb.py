"""``sentinel incidents``: a technician finds what was recorded, newest first, without a running node."""

import json
import pathlib
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from device.cli.incidents import command
from device.cli.language import set_language
from device.incidents import IncidentKind
from hal.clock import NS_PER_S
from tests.unit.test_incident_files import NOW_NS, incident, trigger, write


@pytest.fixture(autouse=True)
def chinese_after() -> Iterator[None]:
    yield
    set_language("zh")


@pytest.fixture
def state_dir(tmp_path: pathlib.Path) -> pathlib.Path:
    later = trigger(IncidentKind.NEAR_MISS, NOW_NS + 90 * NS_PER_S)
    files = write(tmp_path / "incidents", *incident(trigger()), *incident(later))
    (files.folder / "20261122T000500Z-fault-main_east-cut.mcap").write_bytes(b"\x89MCAP0\r\n")
    return tmp_path


def run(state_dir: pathlib.Path, *words: str) -> str:
    result = CliRunner().invoke(command, ["--state-dir", str(state_dir), *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_list_in_words(state_dir: pathlib.Path) -> None:
    lines = run(state_dir, "--lang", "en").splitlines()
    assert lines[0].startswith("2026-11-22T00:05:00Z  fault  main_east  cut off")
    assert lines[1].startswith("2026-11-22T00:01:30Z  near miss  branch_south  10 s  1 events")
    assert lines[2].endswith("20261122T000000Z-alert-branch_south.mcap")
    assert lines[3] == f"Replay one: sentinel replay {state_dir}/incidents/NAME"
    assert "警报" in run(state_dir, "--lang", "zh")


def test_the_list_as_json(state_dir: pathlib.Path) -> None:
    answer = json.loads(run(state_dir, "--json"))
    kinds = [row["kind"] for row in answer["incidents"]]
    assert kinds == ["fault", "near_miss", "alert"] and answer["ok"] is True
    alert = answer["incidents"][2]
    assert pathlib.Path(alert["path"]).stat().st_size == alert["bytes"] and alert["seconds"] == 9.9
    assert alert["events"][0]["face"] == "branch_south" and answer["incidents"][0]["events"] is None


def test_the_newest_and_how_many_more_there_are(state_dir: pathlib.Path) -> None:
    lines = run(state_dir, "--lang", "en", "--last", "1").splitlines()
    assert len(lines) == 3 and "fault" in lines[0] and lines[1] == "and 2 older ones: --last 3"
    answer = json.loads(run(state_dir, "--json", "--last", "1"))
    assert (len(answer["incidents"]), answer["count"]) == (1, 3)


def test_an_empty_one_and_none_at_all(tmp_path: pathlib.Path) -> None:
    assert "No incident is recorded" in run(tmp_path, "--lang", "en")
