"""The radars without a wire: a scripted one, and one that plays a recording; both on a clock that is told the time."""

import base64
import itertools
import json
import pathlib
from typing import Any

import pytest
from mcap.writer import Writer

from hal import registry
from hal.clock import NS_PER_S, VirtualClock
from hal.errors import DeviceOpenError
from hal.interfaces import RadarFrame, RadarSensor
from hal.radar.ld2451_wire import WireTarget, encode_report

START_NS = 1_000 * NS_PER_S


def opened(name: str, clock: VirtualClock, device: str = "r_east", **values: Any) -> Any:
    return registry.driver("radar", name).open(device, registry.parse_options("radar", name, values), clock)


def read_for(sensor: Any, clock: VirtualClock, seconds: float) -> list[RadarFrame]:
    end_ns = clock.monotonic_ns() + round(seconds * NS_PER_S)
    frames: list[RadarFrame] = []
    while clock.monotonic_ns() < end_ns:
        frames.extend(sensor.read((end_ns - clock.monotonic_ns()) / NS_PER_S))
    return frames


def test_one_road_user_after_another_drives_through_at_the_ld2451s_grain() -> None:
    clock = VirtualClock(start_ns=START_NS)
    sensor = opened("sim", clock, rate_hz=10, speed_kmh=72, every_s=20, first_s=1, reach_m=100)
    frames = read_for(sensor, clock, 30.0)
    assert len(frames) == 300
    assert {b.captured_ns - a.captured_ns for a, b in itertools.pairwise(frames)} == {NS_PER_S // 10}
    coming = [f.targets[0] for f in frames[:115] if f.targets and f.targets[0].speed_mps > 0]
    leaving = [f.targets[0] for f in frames[:115] if f.targets and f.targets[0].speed_mps < 0]
    assert coming[0].distance_m == 100.0
    assert [t.distance_m for t in coming] == [100.0 - 2 * n for n in range(50)]
    assert [t.speed_mps for t in leaving] == [-20.0] * len(leaving)
    assert [t.distance_m for t in leaving] == [2.0 * n for n in range(51)]
    assert all(not f.targets for f in frames[115:205])
    assert frames[215].targets[0].speed_mps == 20.0


def test_the_simulated_radars_raw_bytes_replay_to_the_same_frames() -> None:
    clock = VirtualClock(start_ns=START_NS)
    sensor = opened("sim", clock)
    live = read_for(sensor, clock, 5.0)
    row = registry.driver("radar", "sim")
    assert row.decoder is not None
    again = row.decoder("r_east", registry.parse_options("radar", "sim", {})).feed(sensor.take_raw(), 0)
    assert [f.targets for f in again] == [f.targets for f in live]
    assert isinstance(sensor, RadarSensor)


def test_a_reader_that_comes_late_gets_the_newest_and_the_skipped_are_counted() -> None:
    clock = VirtualClock(start_ns=START_NS)
    sensor = opened("sim", clock, rate_hz=10)
    assert sensor.read(0.05) == ()
    clock.advance_ns(NS_PER_S)
    assert len(sensor.read(0.2)) == 1
    assert sensor.counters.late_skipped >= 8


CAR = encode_report([WireTarget(0, 40, 0, 36)])
RECORDED = {
    "driver": "ld2451",
    "url": "/dev/ttyAMA0",
    "approach": "main_east",
    "to_conflict_m": 0,
    "direction_flag": "approach_is_0",
}


def recording(path: pathlib.Path, *, config: Any = RECORDED, cut: int = 0) -> str:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        schema = writer.register_schema("raw", "jsonschema", b"{}")
        topics = {
            topic: writer.register_channel(topic, "json", schema)
            for topic in ("/config", "/radar/r_west/raw", "/radar/r_east/raw")
        }

        def put(topic: str, at_s: float, body: Any) -> None:
            at_ns = 1_800_000_000 * NS_PER_S + round(at_s * NS_PER_S)
            writer.add_message(topics[topic], at_ns, json.dumps(body).encode(), at_ns)

        if config is not None:
            put("/config", 0.0, {"radars": {"r_east": config}})
        put("/radar/r_west/raw", 0.5, {"data": base64.b64encode(encode_report([])).decode()})
        put("/radar/r_east/raw", 1.0, {"data": base64.b64encode(CAR[:7]).decode()})
        put("/radar/r_east/raw", 1.25, {"data": base64.b64encode(CAR[7:]).decode()})
        put("/radar/r_east/raw", 1.5, {"data": "not base64!"})
        put("/radar/r_east/raw", 2.0, {"data": base64.b64encode(CAR).decode()})
        writer.finish()  # type: ignore[no-untyped-call]
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])
    return str(path)


def test_a_recording_plays_at_its_own_pace_with_the_recorded_sites_direction_flag(tmp_path: pathlib.Path) -> None:
    clock = VirtualClock(start_ns=START_NS)
    sensor = opened("replay", clock, path=recording(tmp_path / "a.mcap"))
    frames = read_for(sensor, clock, 5.0)
    assert [(f.captured_ns - START_NS) / NS_PER_S for f in frames] == [1.25, 2.0]
    assert [f.targets[0].speed_mps for f in frames] == [10.0, 10.0]
    assert sensor.take_raw() == CAR + CAR
    assert "has ended" in sensor.problem()
    sensor.close()


def test_a_recording_loops_when_told(tmp_path: pathlib.Path) -> None:
    clock = VirtualClock(start_ns=START_NS)
    sensor = opened("replay", clock, path=recording(tmp_path / "a.mcap"), loop=True)
    assert len(read_for(sensor, clock, 6.5)) == 6
    assert sensor.problem() is None


def test_the_driver_and_its_options_can_be_given(tmp_path: pathlib.Path) -> None:
    clock = VirtualClock(start_ns=START_NS)
    path = recording(tmp_path / "a.mcap", config=None)
    with pytest.raises(DeviceOpenError, match="give the option driver"):
        opened("replay", clock, path=path)
    sensor = opened("replay", clock, "r_new", path=path, radar="r_east", driver="ld2451", reach_m=20)
    frames = read_for(sensor, clock, 3.0)
    assert [f.radar for f in frames] == ["r_new", "r_new"]
    assert sensor.counters.targets_rejected == 2
    turned = opened("replay", clock, path=path, driver="ld2451", driver_options='{"direction_flag": "approach_is_0"}')
    assert read_for(turned, clock, 3.0)[0].targets[0].speed_mps == 10.0


def test_a_recording_cut_off_plays_as_far_as_it_goes(tmp_path: pathlib.Path) -> None:
    clock = VirtualClock(start_ns=START_NS)
    path = tmp_path / "a.mcap"
    recording(path)
    # Without the index at the end: what the writer had put down when the power went.
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"/radar/r_east/raw")])
    sensor = opened("replay", clock, path=str(path))
    assert len(read_for(sensor, clock, 5.0)) == 2


@pytest.mark.parametrize("content", [None, b"", b"no recording", b"\x89MCAP0\r\n"])
def test_what_cannot_be_played_is_refused_with_its_reason(tmp_path: pathlib.Path, content: bytes | None) -> None:
    path = tmp_path / "bad.mcap"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeviceOpenError, match=r"r_east.*bad\.mcap"):
        opened("replay", VirtualClock(), path=str(path), driver="ld2451")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"radar": "r_north"}, "no message of /radar/r_north/raw"),
        ({"driver": "ld9999"}, "ld9999"),
        ({"driver_options": "[1]"}, "no JSON object"),
        ({"driver_options": '{"colour": 1}'}, "colour"),
    ],
)
def test_a_recording_that_does_not_fit_is_refused(tmp_path: pathlib.Path, values: dict[str, Any], says: str) -> None:
    path = recording(tmp_path / "a.mcap")
    with pytest.raises(DeviceOpenError, match=says):
        opened("replay", VirtualClock(), path=path, **{"driver": "ld2451", **values})
