"""What every radar driver owes, tried on every one of them through the driver table and a real pty."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from hal import registry
from hal.clock import SYSTEM_CLOCK
from hal.errors import DeviceLostError, DeviceOpenError, OptionError
from hal.interfaces import Flag, Idle, RadarDecoder, RadarFrame, RadarSensor
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.radar_wire import PtyRadar, until

# Driver -> bytes of one road user coming at 36 km/h = 10 m/s, then of one leaving at the same speed.
COMING_LEAVING = {
    "ld2451": (encode_report([WireTarget(0, 40, 1, 36)]), encode_report([WireTarget(0, 40, 0, 36)])),
    "ops243": (b'{"unit":"mps","speed":"10.0"}\r\n', b'{"unit":"mps","speed":"-10.0"}\r\n'),
    "ld2415h": (b"V+036.0\r\n", b"V-036.0\r\n"),
}
EMPTY_ROAD = {
    "ld2451": encode_report([]),
    "ops243": b'{"unit":"mps","speed":"0.0"}\r\n',
    "ld2415h": b"X1:03 X2:00 X3:05 X4:00 X5:00 X6:00 X7:05 X8:03 X9:01 X0:01\r\n",
}
WIRED = sorted(COMING_LEAVING)


@pytest.fixture
def pty_radar() -> Iterator[PtyRadar]:
    with PtyRadar() as far_end:
        yield far_end


def opened(name: str, url: str, **values: Any) -> Any:
    row = registry.driver("radar", name)
    options = registry.parse_options("radar", name, {"url": url, "configure": False, **values})
    return row.open("r_east", options, SYSTEM_CLOCK)


def read_some(sensor: RadarSensor, count: int) -> list[RadarFrame]:
    frames: list[RadarFrame] = []

    def enough() -> bool:
        frames.extend(sensor.read(0.05))
        return len(frames) >= count

    until(enough, f"{count} frames")
    return frames


@pytest.mark.parametrize("name", WIRED)
def test_a_coming_user_has_a_positive_closing_speed_and_a_leaving_one_a_negative(
    name: str, pty_radar: PtyRadar
) -> None:
    with contextlib.closing(opened(name, pty_radar.path)) as sensor:
        before_ns = SYSTEM_CLOCK.monotonic_ns()
        for raw in COMING_LEAVING[name]:
            pty_radar.send_bytes(raw)
        coming, leaving = read_some(sensor, 2)
        assert coming.targets[0].speed_mps == pytest.approx(10.0)
        assert coming.targets[0].flag is Flag.APPROACHING
        assert leaving.targets[0].speed_mps == pytest.approx(-10.0)
        assert leaving.targets[0].flag is Flag.RECEDING
        assert coming.radar == "r_east"
        assert before_ns < coming.captured_ns <= leaving.captured_ns < SYSTEM_CLOCK.monotonic_ns()


@pytest.mark.parametrize("name", WIRED)
def test_the_raw_bytes_are_exactly_those_that_came_and_replay_to_the_same_frames(
    name: str, pty_radar: PtyRadar
) -> None:
    stream = b"\xf4noise\n" + b"".join(COMING_LEAVING[name]) + EMPTY_ROAD[name]
    with contextlib.closing(opened(name, pty_radar.path)) as sensor:
        pty_radar.send_bytes(stream, split=3)
        live = read_some(sensor, 3)
        assert sensor.take_raw() == stream
        assert sensor.take_raw() == b""
        assert sensor.counters.bytes_read == len(stream)
    row = registry.driver("radar", name)
    options = registry.parse_options("radar", name, {"url": "/dev/null"})
    assert row.decoder is not None
    decoder: RadarDecoder = row.decoder("r_east", options)
    assert [f.targets for f in decoder.feed(stream, 0)] == [f.targets for f in live]


@pytest.mark.parametrize("name", WIRED)
def test_an_empty_road_is_a_frame_without_targets(name: str, pty_radar: PtyRadar) -> None:
    with contextlib.closing(opened(name, pty_radar.path)) as sensor:
        pty_radar.send_bytes(EMPTY_ROAD[name])
        assert read_some(sensor, 1)[0].targets == ()


@pytest.mark.parametrize("name", WIRED)
def test_garbage_is_counted_and_never_raises(name: str, pty_radar: PtyRadar) -> None:
    noise = bytes(range(256)) * 3 + b"\n"
    with contextlib.closing(opened(name, pty_radar.path)) as sensor:
        pty_radar.send_bytes(noise)
        pty_radar.send_bytes(COMING_LEAVING[name][0])
        assert len(read_some(sensor, 1)[-1].targets) == 1
        assert sensor.counters.resyncs >= 1
        assert sensor.counters.bytes_dropped > 700


@pytest.mark.parametrize("name", WIRED)
def test_a_quiet_radar_gives_nothing_at_the_timeout(name: str, pty_radar: PtyRadar) -> None:
    with contextlib.closing(opened(name, pty_radar.path)) as sensor:
        assert list(sensor.read(0.01)) == []


@pytest.mark.parametrize("name", WIRED)
def test_unplugging_is_noticed(name: str, pty_radar: PtyRadar) -> None:
    with contextlib.closing(opened(name, pty_radar.path)) as sensor:
        pty_radar.unplug()
        with pytest.raises(DeviceLostError, match=r"r_east.*gone"):
            sensor.read(1.0)


@pytest.mark.parametrize("name", WIRED)
def test_a_missing_port_is_refused_with_device_port_reason_and_advice(name: str) -> None:
    with pytest.raises(DeviceOpenError) as refused:
        opened(name, "/dev/ttyNOSUCH")
    for part in ("r_east", "/dev/ttyNOSUCH", "No such file", "/dev/serial/by-id"):
        assert part in str(refused.value)


@pytest.mark.parametrize("name", WIRED)
def test_a_port_without_a_file_descriptor_is_refused(name: str) -> None:
    with pytest.raises(DeviceOpenError, match="no file descriptor"):
        opened(name, "loop://")
    with pytest.raises(DeviceOpenError, match="nosuch"):
        opened(name, "nosuch://x")


@pytest.mark.parametrize("name", WIRED)
def test_a_port_that_another_program_holds_is_refused(name: str, pty_radar: PtyRadar) -> None:
    with (
        contextlib.closing(opened(name, pty_radar.path)),
        pytest.raises(DeviceOpenError, match="another program holds the port"),
    ):
        opened(name, pty_radar.path)


@pytest.mark.parametrize("name", WIRED)
def test_a_socket_works_like_a_port(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        with contextlib.closing(opened(name, url)) as sensor:
            far_end, _ = server.accept()
            with far_end:
                far_end.sendall(COMING_LEAVING[name][0])
                assert read_some(sensor, 1)[0].targets[0].speed_mps == pytest.approx(10.0)
            with pytest.raises(DeviceLostError):
                until(lambda: sensor.read(0.05) and False, "end of stream")
        server.close()
        with pytest.raises(DeviceOpenError):
            opened(name, url)


@pytest.mark.parametrize("name", WIRED)
def test_a_driver_claims_its_port_and_the_pins_of_the_header_uart(name: str) -> None:
    row = registry.driver("radar", name)
    claims = row.claims(registry.parse_options("radar", name, {"url": "/dev/ttyAMA0"}))
    assert claims >= {"port /dev/ttyAMA0", "gpio 14", "gpio 15"}
    assert row.claims(registry.parse_options("radar", name, {"url": "socket://h:1"})) == {"port socket://h:1"}


@pytest.mark.parametrize("name", [*WIRED, "sim", "replay"])
def test_every_driver_says_what_an_empty_road_looks_like_and_sees_no_standing_user(name: str) -> None:
    row = registry.driver("radar", name)
    assert row.idle in set(Idle)
    assert row.sees_standing is False
    with pytest.raises(OptionError, match="colour"):
        registry.parse_options("radar", name, {"colour": "red"})


@pytest.mark.parametrize("name", WIRED)
def test_raw_bytes_that_nobody_fetches_are_bounded(name: str, pty_radar: PtyRadar, monkeypatch: Any) -> None:
    monkeypatch.setattr("hal.radar.serial_radar.RAW_LIMIT_BYTES", 50)
    with contextlib.closing(opened(name, pty_radar.path)) as sensor:
        sent = b"".join(COMING_LEAVING[name]) * 5
        pty_radar.send_bytes(sent)
        read_some(sensor, 10)
        assert sensor.take_raw() == sent[-50:]
        assert sensor.raw_dropped == len(sent) - 50


@pytest.mark.parametrize("name", WIRED)
def test_an_open_radar_is_a_radar_sensor(name: str, pty_radar: PtyRadar) -> None:
    with contextlib.closing(opened(name, pty_radar.path)) as sensor:
        assert isinstance(sensor, RadarSensor)
