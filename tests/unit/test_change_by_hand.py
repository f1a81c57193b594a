"""A technician changes values on an enrolled node that does not run: what goes where, and how it is taken back."""

import json
import pathlib
from typing import Any

import pytest
from click.testing import CliRunner

from configs.local_layer import LOCAL_FILE
from device.cli.app import cli
from device.provisioning import enrolment
from device.provisioning.slots import Slot, Slots
from tests.support.site_files import write


@pytest.fixture
def pole(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The folder of a node to which the county said that the hold is 5 s."""
    state_dir = tmp_path / "state"
    monkeypatch.setenv("SENTINEL_CONFIG", str(write(tmp_path)))
    monkeypatch.setenv("SENTINEL_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SENTINEL_STATE_DIR", str(state_dir))
    enrolment.write(state_dir, enrolment.Enrolment(county="371500", group="north", node="n0009"))
    slots = Slots(state_dir / enrolment.FOLDER)
    slots.begin(Slot(version=7, group="policy: {hold_s: 5}"))
    slots.confirm()
    return tmp_path


def sentinel(*arguments: str) -> tuple[int, Any]:
    result = CliRunner().invoke(cli, ["--json", "config", *arguments])
    return result.exit_code, json.loads(result.stdout)


def origin(path: str) -> tuple[Any, str | None, int | None]:
    code, (row,) = sentinel("show", "--origin", path)
    assert code == 0
    return row["value"], row["layer"], row["hours_left"]


def test_a_value_that_the_county_may_set_is_changed_by_hand_and_the_site_file_stays(pole: pathlib.Path) -> None:
    text = (pole / "site.yaml").read_text(encoding="utf-8")
    assert origin("policy.hold_s") == (5, "group", None)
    assert origin("voice.quiet_hours.start") == ("21:00", "site", None)
    assert origin("policy.min_on_s")[1] is None, "the program's own"
    code, answer = sentinel("set", "policy.hold_s", "6")
    assert (code, answer["old"], answer["new"], answer["layer"]) == (0, 5, 6, "local")
    assert origin("policy.hold_s") == (6, "local", 72)
    assert (pole / "site.yaml").read_text(encoding="utf-8") == text
    assert sentinel("clear") == (0, {"ok": True, "cleared": ["policy.hold_s"]})
    assert origin("policy.hold_s") == (5, "group", None)
    assert sentinel("clear") == (0, {"ok": True, "cleared": []})


def test_what_stands_at_the_pole_goes_into_the_site_file(pole: pathlib.Path) -> None:
    code, answer = sentinel("set", "radars.r_east.reach_m", "90")
    assert code == 0 and "layer" not in answer
    assert "reach_m: 90" in (pole / "site.yaml").read_text(encoding="utf-8")
    assert origin("radars.r_east.reach_m") == (90, "site", None)
    assert not (pole / "state" / LOCAL_FILE).exists()


def test_what_is_out_of_bounds_is_refused_and_the_change_before_it_stays(pole: pathlib.Path) -> None:
    sentinel("set", "policy.hold_s", "6")
    code, answer = sentinel("set", "policy.hold_s", "0")
    assert code == 2 and answer["problems"][0]["layer"] == "local"
    assert origin("policy.hold_s") == (6, "local", 72)


def test_a_node_that_was_never_enrolled_changes_its_site_file(pole: pathlib.Path) -> None:
    (pole / "state" / enrolment.FOLDER / enrolment.FILE).unlink()
    code, answer = sentinel("set", "policy.hold_s", "6")
    assert code == 0 and "layer" not in answer
    assert "hold_s: 6" in (pole / "site.yaml").read_text(encoding="utf-8")
