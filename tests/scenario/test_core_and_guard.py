"""pty → real LD2451 driver → core → guard → mock pin, in real processes: a junction without a camera."""

import json
import os
import pathlib
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from device.control import ControlError, call
from device.journal_reader import JOURNAL_FILE, JournalReader
from device.replay import play, read
from device.site import check_site, write_compiled
from tests.support.node import Node, Road, twins

pytestmark = pytest.mark.timeout(300)

SITE = """\
site: {{id: 371500/n0001, name: 测试路口}}
approaches:
  main_east:    {{road: main, limit_kmh: 60, conflicts: [branch_south], bearing_deg: 90}}
  main_west:    {{road: main, limit_kmh: 60, conflicts: [branch_south], bearing_deg: 270}}
  branch_south: {{road: branch, limit_kmh: 30, conflicts: [main_east, main_west], bearing_deg: 180}}
radars:
  r_east: {{driver: ld2451, url: {east}, approach: main_east, reach_m: 100, direction_flag: approach_is_1}}
  r_west: {{driver: ld2451, url: {west}, approach: main_west, reach_m: 100, direction_flag: approach_is_1}}
lamps:
  l_branch: {{driver: gpio, pin: 17, pin_factory: mock, tap: {tap}, faces: [branch_south]}}
  l_main:   {{driver: gpio, pin: 27, pin_factory: mock, tap: {tap}, faces: [main_east, main_west]}}
speakers:
  s_branch: {{driver: "null", faces: [branch_south]}}
policy: {{hold_s: 3}}  # 保持
voice: {{quiet_hours: {{enabled: false}}}}
"""


@pytest.fixture(scope="module")
def junction(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Road]]:
    folder = tmp_path_factory.mktemp("node")
    with twins("r_east", "r_west") as radars:
        site = SITE.format(east=radars["r_east"].path, west=radars["r_west"].path, tap=folder / "tap.jsonl")
        road = Road(radars)
        node = Node(folder, site)
        try:
            yield node, road
        finally:
            node.close()
            road.close()


def dark_then_lit(lamp: str) -> Any:
    return lambda line: line["lamp"] == lamp and line["shows"] == "caution" and line["on"]


def test_60_kmh_lights_the_branch_lamp_at_the_edge_of_reach(junction: tuple[Node, Road]) -> None:
    node, road = junction
    node.until_guarding()
    since_s = time.monotonic()
    arrival_s = road.drive("r_east", 60)
    line = node.until_tap(dark_then_lit("l_branch"), since_s)
    assert arrival_s - line["mono_ns"] / 1e9 >= 100 / (60 / 3.6) - 0.5
    assert line["caused_by_ns"] / 1e9 >= since_s
    dark = node.until_tap(lambda x: x["lamp"] == "l_branch" and x["shows"] == "clear", line["mono_ns"] / 1e9)
    assert 2.0 <= dark["mono_ns"] / 1e9 - arrival_s <= 4.0
    assert not dark["on"]


def test_without_a_camera_the_main_lamp_is_lit_for_every_arrival_and_nobody_speaks(junction: tuple[Node, Road]) -> None:
    node, road = junction
    node.until_guarding()
    since_s = time.monotonic()
    road.drive("r_west", 60)
    node.until_tap(dark_then_lit("l_main"), since_s)
    assert node.status()["speakers"]["s_branch"]["last_clip"] is None


def test_a_lamp_test_can_light_a_lamp_and_can_not_darken_one(junction: tuple[Node, Road]) -> None:
    node, _road = junction
    node.until_guarding()
    since_s = time.monotonic()
    with pytest.raises(ControlError, match="caution, alert or fault"):
        call(node.run_dir, "lamp", {"lamp": "l_main", "shows": "clear", "seconds": 5})
    with pytest.raises(ControlError, match="600"):
        call(node.run_dir, "lamp", {"lamp": "l_main", "shows": "alert", "seconds": 601})
    with pytest.raises(ControlError, match="l_main"):
        call(node.run_dir, "lamp", {"lamp": "l_gone", "shows": "alert", "seconds": 1})
    call(node.run_dir, "lamp", {"lamp": "l_main", "shows": "alert", "seconds": 1})
    node.until_tap(lambda x: x["lamp"] == "l_main" and x["shows"] == "alert" and x["on"], since_s)
    node.until(lambda s: s["lamps"]["l_main"]["shows"] == "clear", "the test's lease ran out")


def test_a_technician_may_hear_a_clip(junction: tuple[Node, Road]) -> None:
    node, _road = junction
    node.until(lambda s: s["faces"], "core is there")
    assert call(node.run_dir, "say", {"clip": "self_test"})["speakers"] == {"s_branch": None}
    assert node.status()["speakers"]["s_branch"]["last_clip"] == "self_test"
    with pytest.raises(ControlError, match="s_branch"):
        call(node.run_dir, "say", {"clip": "self_test", "speaker": "s_gone"})


def test_a_policy_value_takes_effect_between_two_steps(junction: tuple[Node, Road]) -> None:
    node, _road = junction
    node.until_guarding()
    pids = {name: node.supervisor.pid(name) for name in ("guard", "core")}
    text = node.site_path.read_text(encoding="utf-8").replace("hold_s: 3", "hold_s: 5")
    changed = node.folder / "changed.yaml"
    changed.write_text(text, encoding="utf-8")
    write_compiled(check_site(changed)[0], node.run_dir)
    answer = call(node.run_dir, "reload")
    assert answer == {"changed": ["policy"], "between_steps": ["policy"], "restarts": []}
    assert call(node.run_dir, "config")["policy"]["hold_s"] == 5
    write_compiled(check_site(node.site_path)[0], node.run_dir)
    assert call(node.run_dir, "reload")["changed"] == ["policy"]
    assert {name: node.supervisor.pid(name) for name in ("guard", "core")} == pids


def test_what_was_recorded_replays_to_the_levels_that_were_shown(
    junction: tuple[Node, Road], tmp_path: pathlib.Path
) -> None:
    node, road = junction
    node.until_guarding()
    path = tmp_path / "incident.mcap"
    first_seq = node.status()["journal"]["last_seq"]
    call(node.run_dir, "record_start", {"path": str(path)})
    with pytest.raises(ControlError, match="already recording"):
        call(node.run_dir, "record_start", {"path": str(tmp_path / "second.mcap")})
    road.drive("r_east", 80)
    node.until(lambda s: s["faces"]["branch_south"]["level"] == "caution", "caution")
    node.until(lambda s: s["faces"]["branch_south"]["level"] == "clear", "clear again")
    assert call(node.run_dir, "record_stop")["dropped"] == 0
    reader = JournalReader(node.state_dir / JOURNAL_FILE)

    def shown(_status: object = None) -> list[str]:
        rows = reader.after(first_seq, 100)
        levels = [row.body["to"] for row in rows if row.face == "branch_south" and row.kind == "caution"]
        # The release of an earlier test's vehicle may have been written after the recording began.
        return levels[levels.index("caution") :] if "caution" in levels else []

    node.until(lambda _s: len(shown()) >= 2, "both events are on disk")
    levels = shown()
    reader.close()
    node.until(lambda _s: read(path).cut_off is None, "the recording is closed")
    written: list[str] = []
    play(read(path), check_site(node.site_path)[0], written.append)
    replayed = [line for line in map(json.loads, written) if line["kind"] == "face" and line["face"] == "branch_south"]
    assert levels == ["caution", "clear"]
    assert [line["level"] for line in replayed][:3] == ["clear", "caution", "clear"]


def test_unknown_requests_are_answered_and_end_nothing(junction: tuple[Node, Road]) -> None:
    node, _road = junction
    node.until(lambda s: s["faces"], "core is there")
    with pytest.raises(ControlError, match="unknown verb"):
        call(node.run_dir, "self_destruct")
    with pytest.raises(ControlError):
        call(node.run_dir, "lamp", {})
    assert node.status()["counters"]["faulty"] == 0


def test_a_killed_core_flashes_and_comes_back(tmp_path: pathlib.Path) -> None:
    with twins("r_east", "r_west") as radars:
        tap = tmp_path / "tap.jsonl"
        road = Road(radars)
        node = Node(tmp_path, SITE.format(east=radars["r_east"].path, west=radars["r_west"].path, tap=tap))
        try:
            node.until_guarding()
            pid = node.supervisor.pid("core")
            assert pid is not None
            since_s = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            line = node.until_tap(lambda x: x["shows"] == "fault" and x["on"], since_s)
            assert line["caused_by_ns"] is None
            node.until(lambda s: s["uptime_s"] < 5, "core was started again")
            # Guard keeps its safe pattern though core is back and healthy: dark is earned anew.
            assert {lamp["shows"] for lamp in node.status()["lamps"].values()} == {"fault"}
        finally:
            node.close()
            road.close()


def test_a_radar_that_is_unplugged_is_named_and_its_faces_flash(tmp_path: pathlib.Path) -> None:
    with twins("r_east", "r_west") as radars:
        road = Road(radars)
        site = SITE.format(east=radars["r_east"].path, west=radars["r_west"].path, tap=tmp_path / "tap.jsonl")
        node = Node(tmp_path, site)
        try:
            node.until_guarding()
            radars["r_west"].unplug()
            status = node.until(lambda s: s["faces"]["branch_south"]["health"] == "fault", "fault", 5.0)
            assert any("r_west" in reason for reason in status["faces"]["branch_south"]["reasons"])
            assert status["faces"]["main_east"]["health"] == "ok"
            node.until(lambda s: s["parts"]["r_west"]["state"] in ("ERROR", "STALE"), "the part is named", 5.0)
        finally:
            node.close()
            road.close()


def test_a_recording_that_cannot_be_written_costs_the_recording_only(junction: tuple[Node, Road]) -> None:
    node, _road = junction
    node.until_guarding()
    pid = node.supervisor.pid("core")
    with pytest.raises(ControlError, match=r"folder that can be written"):
        call(node.run_dir, "record_start", {"path": "/proc/no_such_folder/a.mcap"})
    with pytest.raises(ControlError, match="no recording"):
        call(node.run_dir, "record_stop")
    path = node.folder / "short.mcap"
    call(node.run_dir, "record_start", {"path": str(path), "seconds": 0.3})
    node.until(lambda s: s["recording"] is None, "it ended by itself", 5.0)
    node.until(lambda _s: read(path).cut_off is None, "and is whole", 5.0)
    assert node.supervisor.pid("core") == pid
