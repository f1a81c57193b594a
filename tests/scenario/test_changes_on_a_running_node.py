"""A technician changes things while the node runs: policy takes effect between two steps, a device restarts its owner
alone, what is refused changes nothing; and a broken model costs the camera, never the radars."""

import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from models.onnx_detector import BUNDLED
from tests.support.node import Node, Road, twins
from tests.support.video import write_video

pytestmark = pytest.mark.timeout(300)

SITE = """\
site: {{id: 371500/n0003, name: 改动}}
approaches:
  main_east:    {{road: main, limit_kmh: 60, conflicts: [branch_south]}}
  branch_south: {{road: branch, limit_kmh: 30, conflicts: [main_east]}}
radars:
  r_east: {{driver: ld2451, url: {east}, approach: main_east, reach_m: 100}}
cameras:
  c_branch: {{driver: opencv, source: {clip}, loop: true, zones: {{branch_south: {{wait: [[0, 0], [1, 0], [1, 1]]}}}}}}
lamps:
  l_branch: {{driver: gpio, pin: 17, pin_factory: mock, tap: {tap}, faces: [branch_south]}}
policy:
  hold_s: 3  # 原因消失后 / after the cause has gone
{more}
"""


def start(folder: pathlib.Path, east: str, more: str = "") -> Node:
    clip = write_video(folder / "clip.avi", frames=60)
    return Node(folder, SITE.format(east=east, clip=clip, tap=folder / "tap.jsonl", more=more))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with twins("r_east") as radars:
        road = Road(radars)
        running = start(tmp_path_factory.mktemp("node"), radars["r_east"].path)
        try:
            running.until(lambda s: s["parts"].get("vision", {}).get("state") == "OK", "vision is ready")
            yield running
        finally:
            running.close()
            road.close()


def sentinel(node: Node, *arguments: str) -> tuple[int, Any]:
    environment = {**os.environ, "SENTINEL_RUN_DIR": str(node.run_dir), "SENTINEL_STATE_DIR": str(node.state_dir)}
    environment.pop("SENTINEL_CONFIG", None)
    done = subprocess.run(
        [sys.executable, "-m", "device.cli", "--json", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def pids(node: Node) -> dict[str, int | None]:
    return {name: node.supervisor.pid(name) for name in ("guard", "core", "vision")}


def settled(node: Node) -> dict[str, int | None]:
    """Process ids once all three run and vision answers."""
    node.until(lambda s: s["parts"].get("vision", {}).get("state") == "OK", "vision is ready")
    return pids(node)


def test_a_threshold_is_set_shown_and_taken_back_without_a_restart(node: Node) -> None:
    before = settled(node)
    code, _answer = sentinel(node, "config", "set", "policy.hold_s", "4")
    assert code == 0
    code, shown = sentinel(node, "config", "show", "policy.hold_s")
    assert code == 0 and "4" in json.dumps(shown)
    assert "# 原因消失后" in node.site_path.read_text(encoding="utf-8")
    assert sentinel(node, "config", "rollback")[0] == 0
    assert "hold_s: 3  # 原因消失后" in node.site_path.read_text(encoding="utf-8")
    assert "3" in json.dumps(sentinel(node, "config", "show", "policy.hold_s")[1])
    assert pids(node) == before


def test_what_is_out_of_bounds_is_refused_and_the_node_keeps_its_configuration(node: Node) -> None:
    before = settled(node)
    text = node.site_path.read_text(encoding="utf-8")
    sha256 = node.status()["config"]["sha256"]
    code, answer = sentinel(node, "config", "set", "policy.hold_s", "0")
    assert code == 2 and not answer["ok"]
    assert node.site_path.read_text(encoding="utf-8") == text
    assert node.status()["config"]["sha256"] == sha256 and pids(node) == before


def test_a_changed_lamp_restarts_guard_alone_and_flashes_meanwhile(node: Node) -> None:
    before = settled(node)
    since_s = time.monotonic()
    code, _answer = sentinel(node, "config", "set", "lamps.l_branch.pin", "18")
    assert code == 0
    node.until_tap(lambda line: line["shows"] == "fault" and line["on"], since_s)
    node.until(lambda _s: pids(node)["guard"] not in (None, before["guard"]), "guard was started again")
    now = pids(node)
    assert (now["core"], now["vision"]) == (before["core"], before["vision"])


def test_a_changed_camera_restarts_vision_alone(node: Node) -> None:
    before = settled(node)
    code, _answer = sentinel(node, "config", "set", "detector.threshold", "0.4")
    assert code == 0
    node.until(lambda _s: pids(node)["vision"] not in (None, before["vision"]), "vision was started again")
    now = settled(node)
    assert now["core"] == before["core"] and now["guard"] == before["guard"]


@pytest.mark.parametrize("damage", ["missing", "truncated", "wrong hash"])
def test_a_broken_model_is_named_and_the_radar_guards_on(tmp_path: pathlib.Path, damage: str) -> None:
    manifest = BUNDLED
    weights = manifest.with_suffix(".onnx").read_bytes()
    (tmp_path / manifest.name).write_bytes(manifest.read_bytes())
    broken = (tmp_path / manifest.name).with_suffix(".onnx")
    if damage == "truncated":
        broken.write_bytes(weights[: len(weights) // 2])
    elif damage == "wrong hash":
        broken.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with twins("r_east") as radars:
        road = Road(radars)
        node = start(tmp_path, radars["r_east"].path, f"detector: {{manifest: {tmp_path / manifest.name}}}")
        try:
            status = node.until(lambda s: s["parts"].get("vision", {}).get("state") == "ERROR", "vision says so")
            assert broken.name in status["parts"]["vision"]["problem"]
            node.until(lambda s: s["faces"]["branch_south"]["health"] == "degraded", "the radar guards on")
            since_s = time.monotonic()
            road.drive("r_east", 60)
            node.until_tap(lambda line: line["shows"] == "caution" and line["on"], since_s)
            code, found = sentinel(node, "doctor")
            assert code == 1
            assert any(broken.name in json.dumps(line) for line in found["findings"] if line["state"] == "ERROR")
        finally:
            node.close()
            road.close()
