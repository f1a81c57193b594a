"""Core keeps what led to an alert: its own steps on a virtual clock, a file on a real disk, and the replay of it."""

import json
import pathlib
from collections.abc import Iterator

import pytest

from configs.schema import Recording as RecordingSettings
from configs.schema import SiteConfig
from device.core import Core
from device.events import Event
from device.observation import SensorProblem
from device.replay import play, read
from device.runtime import Input, RadarInput, VisionInput
from device.sensors import radar_decoder
from device.snapshot import snapshot
from hal.clock import NS_PER_MS, NS_PER_S, VirtualClock
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.road import Vehicle, site


class Node:
    """Core's control loop without its threads: radars at 10 Hz, and a camera on the branch."""

    def __init__(self, folder: pathlib.Path, *vehicles: Vehicle, walker_s: float = 1e9, silent_s: float = 1e9) -> None:
        self.config: SiteConfig = site().model_copy(
            update={"recording": RecordingSettings(before_s=20, after_s=10), "lamps": {}}
        )
        run_dir = folder / "run"
        run_dir.mkdir()
        (folder / "state").mkdir(exist_ok=True)
        self.clock = VirtualClock(start_ns=100 * NS_PER_S)
        self.core = Core(self.config, folder / "site.yaml", run_dir, folder / "state", self.clock)
        self.events: list[Event] = []
        self._decoders = {name: radar_decoder(self.config, name) for name in self.config.radars}
        self._vehicles, self._walker_s, self._silent_s = vehicles, walker_s, silent_s

    def run(self, until_s: float) -> None:
        self.core._step(self.clock.monotonic_ns(), [SensorProblem(name, 1, None) for name in self._decoders])
        for tick in range(round(until_s * 50)):
            self.clock.advance_ns(20 * NS_PER_MS)
            self.core._step(self.clock.monotonic_ns(), self._inputs(tick / 50) if tick % 5 == 0 else [])
            assert self.core.output is not None
            self.events += self.core.output.events

    def _inputs(self, t_s: float) -> list[Input]:
        now_ns = self.clock.monotonic_ns()
        inputs: list[Input] = []
        for name, decoder in self._decoders.items():
            if t_s < self._silent_s:
                raw = self._report(name, t_s)
                inputs.append(RadarInput(name, tuple(decoder.feed(raw, now_ns)), raw, now_ns))
        zones = {"branch_south": {"wait": {"person": 1}}} if t_s >= self._walker_s else {}
        message = {"kind": "observation", "camera": "c_branch", "captured_ns": now_ns, "zones": zones}
        return [*inputs, VisionInput(message, now_ns)]

    def _report(self, radar: str, t_s: float) -> bytes:
        seen = [vehicle.target(t_s) for vehicle in self._vehicles if vehicle.radar == radar]
        return encode_report(
            WireTarget(0, round(t.distance_m or 0), 1 if t.speed_mps > 0 else 0, round(abs(t.speed_mps) * 3.6))
            for t in seen
            if t is not None
        )

    def close(self) -> list[pathlib.Path]:
        if self.core.incidents.open:
            self.core.incident_files.put(self.core.incidents.end())
        self.core.incident_files.close(timeout_s=20.0)
        self.core.vision.close()
        self.core.journal.close()
        folder = self.core.incident_files.folder
        return sorted(folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    yield tmp_path


def faces(path: pathlib.Path, config: SiteConfig) -> list[tuple[float, str, str]]:
    written: list[str] = []
    play(read(path), config, written.append)
    lines = [json.loads(line) for line in written]
    return [
        (line["t_s"], line["level"], line["health"])
        for line in lines
        if line["kind"] == "face" and line["face"] == "branch_south"
    ]


def test_a_walker_on_the_branch_and_a_car_on_the_main_road(folder: pathlib.Path) -> None:
    node = Node(folder, Vehicle(50, 40.0), walker_s=10.0)
    node.run(60.0)
    (path,) = node.close()
    assert "-alert-" in path.name, "of both, the one who crosses and the one who comes, the first"
    recorded = read(path)
    seconds = (recorded.messages[-1].log_ns - recorded.messages[0].log_ns) / NS_PER_S
    assert seconds == pytest.approx(30.0, abs=1.0) and recorded.cut_off is None
    alerts_s = [t_s for t_s, level, _health in faces(path, node.config) if level == "alert"]
    assert alerts_s[0] == pytest.approx(20.0, abs=1.0), "20 s before it, as the node saw it"


def test_an_empty_road_and_a_start_keep_nothing(folder: pathlib.Path) -> None:
    node = Node(folder)
    node.run(15.0)
    assert node.core.output is not None
    assert node.core.output.decisions["branch_south"].health.value == "ok", "its self-test is over"
    assert node.close() == []


def test_a_start_with_a_dead_radar_keeps_nothing_however_long(folder: pathlib.Path) -> None:
    node = Node(folder, silent_s=0.0)
    node.run(40.0)
    assert node.core.output is not None and node.core.output.decisions["branch_south"].health.value == "fault"
    assert node.close() == []


def test_a_radar_that_falls_silent_is_one_fault_that_replays_as_one(folder: pathlib.Path) -> None:
    node = Node(folder, silent_s=30.0)
    node.run(60.0)
    (path,) = node.close()
    assert "-fault-" in path.name
    # The one camera is still heard: the recording goes on to 10 s after the fault.
    assert [health for _t_s, _level, health in faces(path, node.config)][:2] == ["ok", "fault"]


def test_the_days_bytes_spent_is_a_warning_and_the_alerts_left_out_are_counted(folder: pathlib.Path) -> None:
    node = Node(folder, Vehicle(50, 40.0), walker_s=10.0)
    node.core.incident_files.written_bytes = 500_000_000
    node.run(60.0)
    state = snapshot(node.core)
    assert state["parts"]["incidents"]["state"] == "WARN"
    assert "2 alerts not kept" in state["parts"]["incidents"]["problem"], "the branch's and the main road's"
    assert state["counters"]["incident_alerts_left_out"] == 2
    assert node.close() == []


def test_a_disk_that_refuses_is_a_part_in_error_and_the_lamp_goes_on(folder: pathlib.Path) -> None:
    (folder / "state").mkdir()
    (folder / "state" / "incidents").write_text("in the way")
    node = Node(folder, Vehicle(50, 25.0), walker_s=10.0)
    node.run(40.0)
    node.core.incident_files.close(timeout_s=20.0)
    assert "incidents" in str(node.core.incident_files.problem())
    assert any(event.body.get("to") == "alert" for event in node.events)
    node.close()
