"""``sentinel run`` on real input: a real clip through the real detector, LD2451 bytes as hostile as they come on two
ptys, a real Mosquitto. Lamp edges and MQTT events are held against what was fed in."""

import dataclasses
import json
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from device.control import NotRunningError, call
from hal.clock import SYSTEM_CLOCK
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.node import Road, twins
from tests.support.radar_wire import Ld2451Twin
from tools.demo.broker import Broker

pytestmark = pytest.mark.timeout(300)

CLIP = pathlib.Path(__file__).parents[2].parent / "shared" / "footage" / "side_road_day.mp4"
GARBAGE = bytes.fromhex("f4f3f2 00ff fdfcfbfa f8f7f6f5 f4f3f2f1ffff 0a0d")

SITE = """\
site: {{id: 371500/n0002, name: 真实输入}}
approaches:
  main_east:    {{road: main, limit_kmh: 60, conflicts: [branch_south], bearing_deg: 90}}
  main_west:    {{road: main, limit_kmh: 60, conflicts: [branch_south], bearing_deg: 270}}
  branch_south: {{road: branch, limit_kmh: 30, conflicts: [main_east, main_west], bearing_deg: 180}}
radars:
  r_east: {{driver: ld2451, url: {east}, approach: main_east, reach_m: 100, direction_flag: approach_is_1}}
  r_west: {{driver: ld2451, url: {west}, approach: main_west, reach_m: 100, direction_flag: approach_is_1}}
cameras:
  c_branch:
    driver: opencv
    source: {clip}
    loop: true
    zones: {{branch_south: {{approach: [[0, 0], [1, 0], [1, 1], [0, 1]]}}}}
lamps:
  l_branch: {{driver: gpio, pin: 17, pin_factory: mock, tap: {tap}, faces: [branch_south]}}
  l_main:   {{driver: gpio, pin: 27, pin_factory: mock, tap: {tap}, faces: [main_east, main_west]}}
bridge: {{url: "mqtt://127.0.0.1:{port}"}}
"""


class HostileRoad(Road):
    """Every frame byte by byte, garbage between frames, angles and SNR of the real log."""

    _turn = 0

    def _send(self, twin: Ld2451Twin, seen: list[WireTarget]) -> None:
        self._turn += 1
        shaped = [dataclasses.replace(t, angle_deg=-33 if self._turn % 2 else 10, snr=255) for t in seen]
        twin.send_bytes((GARBAGE if self._turn % 3 == 0 else b"") + encode_report(shaped), split=1)


class Subscriber:
    """A county platform of one: keeps every event that arrives."""

    def __init__(self, port: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        # What the bridge could not send at once comes as backlog; both together are the journal.
        topics = [("sentinel/v1/371500/n0002/event", 1), ("sentinel/v1/371500/n0002/backlog", 1)]
        self._client.on_connect = lambda client, *_: client.subscribe(topics)
        self._client.on_message = lambda _c, _u, message: self.events.append(json.loads(message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()


@pytest.fixture
def broker(tmp_path: pathlib.Path) -> Iterator[Broker]:
    with Broker(tmp_path, SYSTEM_CLOCK) as running:
        yield running


def wait_for(condition: Any, what: str, deadline_s: float = 60.0) -> Any:
    end_s = time.monotonic() + deadline_s
    while time.monotonic() < end_s:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {deadline_s:.0f} s: {what}")


def test_hostile_bytes_and_a_real_clip(tmp_path: pathlib.Path, broker: Broker) -> None:
    if not CLIP.exists():
        pytest.skip(f"the clip {CLIP.name} is not beside the project (../shared/footage)")
    tap = tmp_path / "tap.jsonl"
    with twins("r_east", "r_west") as radars:
        road = HostileRoad(radars)
        subscriber = Subscriber(broker.port)
        site = tmp_path / "site.yaml"
        site.write_text(
            SITE.format(
                east=radars["r_east"].path, west=radars["r_west"].path, clip=CLIP.resolve(), tap=tap, port=broker.port
            ),
            encoding="utf-8",
        )
        folders = ["--run-dir", str(tmp_path / "run"), "--state-dir", str(tmp_path / "state")]
        node = subprocess.Popen(
            [sys.executable, "-m", "device.cli", "run", "--config", str(site), *folders],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def status() -> dict[str, Any]:
            try:
                return dict(call(tmp_path / "run", "status"))
            except NotRunningError:
                return {}

        def lamp_lines(lamp: str) -> list[dict[str, Any]]:
            lines = tap.read_text().splitlines() if tap.exists() else []
            return [line for line in map(json.loads, lines) if line["lamp"] == lamp]

        def dark() -> bool:
            now = status()
            return bool(now) and not now["booting"] and now["lamps"]["l_branch"]["shows"] == "clear"

        try:
            wait_for(dark, "the branch lamp has earned dark")
            wait_for(lambda: status()["sensors"]["c_branch"]["state"] == "ok", "the camera is heard")
            arrivals = []
            for radar, speed_kmh in (("r_east", 60), ("r_west", 40)):
                arrivals.append((radar.replace("r_", "main_"), road.drive(radar, speed_kmh), 100 / (speed_kmh / 3.6)))
                passed_s = arrivals[-1][1]
                wait_for(lambda passed_s=passed_s: time.monotonic() > passed_s + 2 and dark(), "dark again")
            wait_for(
                lambda: any(t["sensor"] == "c_branch" for t in status()["tracks"]), "a road user seen by the camera"
            )
            end = status()
            journalled = set(range(1, end["journal"]["last_seq"] + 1))
            wait_for(lambda: journalled <= {event["seq"] for event in subscriber.events}, "all events arrived")
        finally:
            node.send_signal(signal.SIGTERM)
            code = node.wait(20)
            road.close()
            subscriber.close()
    assert code == 0
    lit = [
        line["mono_ns"] / 1e9 for line in lamp_lines("l_branch") if line["on"] and line["shows"] in ("caution", "alert")
    ]
    for _approach, arrival_s, reach_s in arrivals:
        first = next(t for t in lit if t > arrival_s - 15)
        assert arrival_s - first >= min(7.0, reach_s) - 0.5
    raised = [
        event["body"]["cause"]["approach"]
        for event in subscriber.events
        if event["kind"] in ("caution", "alert")
        and event["body"]["from"] == "clear"
        and event["body"].get("cause")
        and event["body"]["cause"]["approach"].startswith("main_")
        and event["body"]["cause"]["distance_m"] is not None
    ]
    assert raised.count("main_east") >= 1 and raised.count("main_west") >= 1
    counters = end["sensors"]["r_east"]["counters"]
    assert counters["frames"] > 0 and counters["bytes_dropped"] > 0 and counters["targets_rejected"] == 0
    assert end["counters"]["faulty"] == 0
    seen = end["sensors"]["c_branch"]["counters"]
    assert seen["pictures"] > 10 and seen["fps"] > 0 and "problem" not in seen
