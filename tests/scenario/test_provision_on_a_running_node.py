"""The county changes a node that runs: real core, guard and provision; and a node on which nothing is right."""

import pathlib
from typing import Any

import pytest

from device.provisioning.boot import BOTH_BAD
from device.provisioning.wave import everyone
from tests.support.enrolled_node import enrolled
from tests.support.node import Road, twins
from tests.support.office import Office

pytestmark = pytest.mark.timeout(400)

SITE = """\
site: {{id: 371500/n0001, name: 县里改}}
approaches:
  main_east:    {{road: main, limit_kmh: 60, conflicts: [branch_south]}}
  branch_south: {{road: branch, limit_kmh: 30, conflicts: [main_east]}}
radars:
  r_east: {{driver: ld2451, url: {east}, approach: main_east, reach_m: 100}}
lamps:
  l_branch: {{driver: gpio, pin: 17, pin_factory: mock, tap: {tap}, faces: [branch_south]}}
policy: {{hold_s: 3}}
"""


def site_yaml(folder: pathlib.Path, east: str) -> str:
    return SITE.format(east=east, tap=folder / "tap.jsonl")


def layers(status: dict[str, Any]) -> dict[str, Any]:
    return status["config"]["layers"] or {}


def test_a_bundle_is_confirmed_one_that_does_harm_taken_back_and_a_change_by_hand_wins(tmp_path: pathlib.Path) -> None:
    office = Office(tmp_path / "keys")
    (tmp_path / "node").mkdir()
    with twins("r_east") as radars:
        road = Road(radars)
        with enrolled(
            tmp_path / "node", office.repository, site_yaml(tmp_path / "node", radars["r_east"].path)
        ) as node:
            status = node.until(lambda s: not s["booting"], "the node is up")
            assert layers(status)["runs"] == "site"
            node.receives(office.says("north", 5, wave=everyone(trial_s=1)))
            status = node.until(lambda s: layers(s)["runs"] == "good", "the county's configuration is confirmed")
            assert node.sentinel("config", "show", "policy.hold_s") == 5

            answer = node.sentinel("config", "set", "policy.hold_s", "6")
            assert answer["layer"] == "local"
            assert "hold_s: 3" in node.site_path.read_text(encoding="utf-8"), "the site file stays"
            (row,) = node.sentinel("config", "show", "--origin", "policy.hold_s")
            assert row == {"path": "policy.hold_s", "value": 6.0, "layer": "local", "hours_left": 72}
            node.until(lambda s: layers(s)["local"] == [{"path": "policy.hold_s", "hours_left": 72}], "it is told")
            node.sentinel("config", "set", "lamps.l_branch.pin", "18")
            assert "pin: 18" in node.site_path.read_text(encoding="utf-8"), "what stands at the pole is the site file's"
            assert node.sentinel("config", "show", "policy.hold_s") == 6, "and the layers over it stay"
            node.until(lambda s: not s["booting"], "the node is up")
            assert node.sentinel("config", "clear")["cleared"] == ["policy.hold_s"]
            assert node.sentinel("config", "show", "policy.hold_s") == 5

            node.receives(office.says("north", 7, wave=everyone(trial_s=3600)))
            node.until(lambda s: layers(s)["runs"] == "trial", "the next one is on trial")
            road.close()
            radars["r_east"].unplug()  # whatever is to blame: with it the node has gone blind
            status = node.until(lambda s: layers(s)["runs"] == "good", "it is taken back")
            assert "face branch_south" in layers(status)["reverted"]["why"]
            assert node.sentinel("config", "show", "policy.hold_s") == 5


def test_when_nothing_is_right_guard_flashes_by_the_last_pins_and_core_decides_nothing(tmp_path: pathlib.Path) -> None:
    office = Office(tmp_path / "keys")
    folder = tmp_path / "node"
    folder.mkdir()
    with twins("r_east") as radars:
        road = Road(radars)
        try:
            with enrolled(folder, office.repository, site_yaml(folder, radars["r_east"].path)) as node:
                node.until(lambda s: layers(s)["runs"] == "site", "the node runs")
                text = node.site_path.read_text(encoding="utf-8")
            for path in node.run_dir.iterdir():
                path.unlink()  # power is off: a folder in memory
            node.site_path.write_text("lamps: [", encoding="utf-8")
            node.begin()
            try:
                status = node.until(lambda s: s["lamps"]["l_branch"]["shows"] == "fault" and s["faces"], "core answers")
                assert layers(status)["runs"] == "safe"
                part = status["parts"]["configuration"]
                assert part["state"] == "ERROR" and BOTH_BAD in part["problem"]
                assert {face["health"] for face in status["faces"].values()} == {"fault"}
                assert status["sensors"]["r_east"]["state"] == "fault", "the radar feeds, and nobody reads it"
                node.site_path.write_text(text, encoding="utf-8")
                # Named, for the node may be starting anew this very moment: provision sees the mended file as well.
                node.sentinel("config", "apply", str(node.site_path), "--config", str(node.site_path))
                status = node.until(lambda s: layers(s)["runs"] == "site" and s["sensors"], "it is mended")
                assert "configuration" not in status["parts"]
                node.until(lambda s: s["sensors"]["r_east"]["state"] == "ok", "the radar is read again")
            finally:
                node.close()
        finally:
            road.close()
