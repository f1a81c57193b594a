"""Core keeps what led to an alert: its own steps on a virtual clock, a file on a real disk, and the replay of it."""

import contextlib
import dataclasses
import datetime
import json
import pathlib
import socket
from collections.abc import Iterator

import pytest

from configs.schema import Conditions, SiteConfig
from configs.schema import Recording as RecordingSettings
from device import ipc
from device.core import Core
from device.day import DayState, day_written
from device.events import Event, EventKind
from device.observation import SensorProblem
from device.recording import DAY_TOPIC
from device.replay import Recorded, Replay, play, read
from device.runtime import Input, RadarInput, VisionInput
from device.sensors import radar_decoder
from device.site import config_hash, section_hashes
from device.snapshot import snapshot
from hal.clock import NS_PER_MS, NS_PER_S, ClockQuality, VirtualClock
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.road import Vehicle, site


class Node:
    """Core's control loop without its threads: radars at 10 Hz, and a camera on the branch."""

    def __init__(
        self,
        folder: pathlib.Path,
        *vehicles: Vehicle,
        walker_s: float = 1e9,
        silent_s: float = 1e9,
        begins: str = "12:00:00",
        conditions: Conditions | None = None,
    ) -> None:
        self.config: SiteConfig = site().model_copy(
            update={
                "recording": RecordingSettings(before_s=20, after_s=10),
                "lamps": {},
                "conditions": conditions or Conditions(),
            }
        )
        run_dir = folder / "run"
        run_dir.mkdir()
        (folder / "state").mkdir(exist_ok=True)
        local = datetime.datetime.fromisoformat(f"2026-11-23T{begins}")
        self.clock = VirtualClock(start_ns=100 * NS_PER_S, wall_ns=round(local.timestamp()) * NS_PER_S)
        self.core = Core(self.config, folder / "site.yaml", run_dir, folder / "state", self.clock)
        self.events: list[Event] = []
        self.says: list[tuple[int, str, str]] = []
        self._decoders = {name: radar_decoder(self.config, name) for name in self.config.radars}
        self._vehicles, self._walker_s, self._silent_s = vehicles, walker_s, silent_s
        self._tick = 0

    def run(self, until_s: float) -> None:
        if self._tick == 0:
            self.core._step(self.clock.monotonic_ns(), [SensorProblem(name, 1, None) for name in self._decoders])
        for tick in range(self._tick, round(until_s * 50)):
            self._tick = tick + 1
            self.clock.advance_ns(20 * NS_PER_MS)
            self.core._step(self.clock.monotonic_ns(), self._inputs(tick / 50) if tick % 5 == 0 else [])
            assert self.core.output is not None
            self.events += self.core.output.events
            self.says += [(self.clock.monotonic_ns(), face, clip) for face, clip in self.core.output.says.items()]

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

    def reload(self, config: SiteConfig) -> None:
        """As `sentinel config set` does on a running node."""
        self.config = config
        self.core._reload({"config": config, "sections": section_hashes(config), "sha256": config_hash(config)})

    def record(self, path: pathlib.Path) -> None:
        """As `sentinel record` does."""
        self.core._record_start(self.core._prepared("record_start", {"path": str(path)}))

    def told(self, recorded: Recorded) -> list[tuple[float, str, str]]:
        """What this node's branch face did in the time of a recording: seconds from its first message, and what."""
        first_ns = begins_ns(recorded)
        last_ns = first_ns + round(recorded.duration_s * NS_PER_S)
        told = [
            (event.at_ns, event.kind.value, str(event.body["to"]))
            for event in self.events
            if event.kind in (EventKind.ALERT, EventKind.CAUTION) and event.face == "branch_south"
        ]
        told += [(at_ns, "voice", clip) for at_ns, face, clip in self.says if face == "branch_south"]
        return [
            ((at_ns - first_ns) / NS_PER_S, *words) for at_ns, *words in sorted(told) if first_ns < at_ns <= last_ns
        ]

    def close(self) -> list[pathlib.Path]:
        if self.core.incidents.open:
            self.core.incident_files.put(self.core.incidents.end())
        self.core.incident_files.close(timeout_s=20.0)
        self.core.vision.close()
        self.core.journal.close()
        folder = self.core.incident_files.folder
        return sorted(folder.iterdir()) if folder.is_dir() else []


def begins_ns(recorded: Recorded) -> int:
    """The node's monotonic time of the first message."""
    assert recorded.anchor_wall_ns is not None and recorded.anchor_mono_ns is not None
    return recorded.messages[0].log_ns - recorded.anchor_wall_ns + recorded.anchor_mono_ns


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


@pytest.mark.parametrize("wanted", [True, False])
def test_an_alert_asks_the_camera_that_looks_there_for_a_picture(folder: pathlib.Path, wanted: bool) -> None:
    node = Node(folder, Vehicle(50, 40.0), walker_s=10.0)
    recording = node.core.config.recording.model_copy(update={"snapshots": wanted})
    node.core.config = node.core.config.model_copy(update={"recording": recording})
    mine, visions = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    node.core.vision._peer = mine
    visions.setblocking(False)
    node.run(60.0)
    asked = []
    with contextlib.suppress(BlockingIOError):
        while True:
            asked.append(ipc.receive(visions))
    alerts = [event for event in node.events if event.kind is EventKind.ALERT and event.body["to"] == "alert"]
    assert len(alerts) >= 2, "the walker's face and the car's"
    if wanted:
        assert asked.count({"kind": "snapshot", "camera": "c_branch"}) == len(asked) >= len(alerts)
    else:
        assert asked == []
    mine.close()
    visions.close()


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


def replayed(recorded: Recorded, config: SiteConfig) -> list[tuple[float, str, str]]:
    """The same of the replay, up to the last message: what is silent after it is so on the desk alone."""
    lines = [json.loads(line) for line in Replay(recorded, config).lines()]
    return [
        (line["t_s"], line["event"], line.get("to") or line["clip"])
        for line in lines
        if line["kind"] == "event"
        and line["event"] in ("alert", "caution", "voice")
        and line["face"] == "branch_south"
        and line["t_s"] <= recorded.duration_s
    ]


def as_told(node: Node, recorded: Recorded) -> list[tuple[object, str, str]]:
    """To one step of the node."""
    return [(pytest.approx(t_s, abs=0.021), *words) for t_s, *words in node.told(recorded)]


def by_day(recorded: Recorded) -> Recorded:
    """The same recording by a program that wrote no day state."""
    return dataclasses.replace(recorded, messages=tuple(m for m in recorded.messages if m.topic != DAY_TOPIC))


def days(recorded: Recorded) -> list[tuple[float, DayState]]:
    first_ns = recorded.messages[0].log_ns
    return [
        ((message.log_ns - first_ns) / NS_PER_S, day_written(message.data))
        for message in recorded.messages
        if message.topic == DAY_TOPIC
    ]


FOG = Conditions(wet=True, visibility_m=80)


@pytest.mark.parametrize(
    ("begins", "conditions", "speaks"),
    [("22:00:00", Conditions(), False), ("12:00:00", FOG, True), ("20:30:00", FOG, True)],
    ids=["a quiet night", "a wet road in fog", "both, before the quiet hours"],
)
def test_an_incident_replays_as_it_was(folder: pathlib.Path, begins: str, conditions: Conditions, speaks: bool) -> None:
    node = Node(folder, Vehicle(30, 40.0), walker_s=10.0, begins=begins, conditions=conditions)
    node.run(60.0)
    (path,) = node.close()
    recorded = read(path)
    told = as_told(node, recorded)
    assert [words[1:] for words in told][:1] == [("alert", "alert")]
    assert any(kind == "voice" for _t_s, kind, _clip in told) is speaks
    assert replayed(recorded, node.config) == told
    assert replayed(by_day(recorded), node.config) != told, "as by day it would have been another incident"


def test_night_that_falls_before_the_alert_is_in_force_from_then_on(folder: pathlib.Path) -> None:
    # Dusk is at 20:00:00, 20 s after the start at 100 s, and the alert's recording begins before it.
    node = Node(folder, Vehicle(30, 45.0), walker_s=10.0, begins="19:59:40")
    node.run(70.0)
    (path,) = node.close()
    recorded = read(path)
    (first_s, before), (then_s, after) = days(recorded)
    assert (first_s, before.night, after.night) == (0.0, False, True)
    assert then_s == pytest.approx(120.0 - begins_ns(recorded) / NS_PER_S, abs=1.1), "the day is read every second"
    assert replayed(recorded, node.config) == as_told(node, recorded)


def test_rain_that_is_told_long_before_is_what_the_recording_begins_with(folder: pathlib.Path) -> None:
    node = Node(folder, Vehicle(30, 100.0), walker_s=10.0)
    node.run(5.0)
    node.reload(node.config.model_copy(update={"conditions": FOG}))
    assert node.core.day.wet, "from the next step on, not a second later"
    node.run(130.0)
    (path,) = node.close()
    recorded = read(path)
    assert [(t_s, day.wet, day.visibility_m) for t_s, day in days(recorded)] == [(0.0, True, 80.0)]
    assert replayed(recorded, node.config) == as_told(node, recorded)


def test_a_clock_that_is_lost_while_an_incident_is_open_is_in_it(folder: pathlib.Path) -> None:
    node = Node(folder, Vehicle(30, 40.0), Vehicle(30, 48.0, radar="r_west"), walker_s=10.0)
    node.run(36.0)
    assert node.core.incidents.open
    node.clock.set_quality(ClockQuality.FLOOR)
    node.run(70.0)
    (path,) = node.close()
    recorded = read(path)
    assert [(day.clock_trusted, day.quiet, day.night) for _t_s, day in days(recorded)] == [
        (True, False, False),
        (False, True, True),
    ]
    assert replayed(recorded, node.config) == as_told(node, recorded)


def test_a_recording_made_by_hand_begins_with_the_day_state_and_has_its_changes(folder: pathlib.Path) -> None:
    node = Node(folder, Vehicle(30, 40.0), walker_s=10.0, begins="19:59:40")
    node.run(15.0)
    node.record(folder / "a.mcap")
    node.run(60.0)
    recording = node.core.recording
    assert recording is not None
    node.core._record_stop()
    recording.close(timeout_s=20.0)
    node.close()
    recorded = read(folder / "a.mcap")
    assert [day.night for _t_s, day in days(recorded)] == [False, True]
    assert days(recorded)[0][0] == 0.0 and days(recorded)[1][0] == pytest.approx(5.0, abs=1.1)
    assert replayed(recorded, node.config) == as_told(node, recorded)
    assert replayed(by_day(recorded), node.config) != as_told(node, recorded)


def test_night_that_falls_while_the_file_is_being_opened_is_in_it(folder: pathlib.Path) -> None:
    node = Node(folder, begins="19:59:50")
    node.run(5.0)
    opened = node.core._prepared("record_start", {"path": str(folder / "a.mcap")})
    node.run(15.0)
    node.core._record_start(opened)
    node.core._record_stop()
    opened["recording"].close(timeout_s=20.0)
    node.close()
    assert [day.night for _t_s, day in days(read(folder / "a.mcap"))] == [False, True]
