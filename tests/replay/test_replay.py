"""A recording plays back through the real parser: the contract's lines, the same bytes every time, honest errors."""

import json
import os
import pathlib

import pytest

from device.recording import Recording, RecordingError
from device.replay import Recorded, ReplayError, play, read
from hal.clock import NS_PER_MS, NS_PER_S, VirtualClock
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.road import Vehicle, site

FACE_KEYS = ["t_s", "kind", "face", "level", "health", "shows", "cause"]
CAUSE_KEYS = ["approach", "class", "distance_m", "speed_mps", "time_to_arrival_s"]
BOTH = ("r_east", "r_west")


def record(path: pathlib.Path, *vehicles: Vehicle, seconds: float = 26.0, radars: tuple[str, ...] = BOTH) -> None:
    """Records LD2451 bytes at 10 Hz, each frame in two reads split at an awkward place, and an empty branch."""
    clock = VirtualClock(start_ns=5 * NS_PER_S)
    recording = Recording(path, site().model_dump(mode="json"), clock)
    for tick in range(round(seconds * 10)):
        for radar in radars:
            seen = [v.target(tick / 10) for v in vehicles if v.radar == radar]
            data = encode_report(
                WireTarget(0, round(t.distance_m or 0), 1 if t.speed_mps > 0 else 0, round(abs(t.speed_mps) * 3.6))
                for t in seen
                if t is not None
            )
            now_ns = clock.monotonic_ns()
            cut = tick % (len(data) - 1) + 1
            recording.put_radar(radar, data[:cut], now_ns)
            recording.put_radar(radar, data[cut:], now_ns + NS_PER_MS)
        recording.put_camera(
            "c_branch",
            {"kind": "observation", "camera": "c_branch", "captured_ns": clock.monotonic_ns(), "zones": {}},
            clock.monotonic_ns() + 20 * NS_PER_MS,
        )
        clock.advance_ns(100 * NS_PER_MS)
    recording.close()
    assert recording.problem is None and recording.dropped == 0


def lines(recorded: Recorded, **options: bool) -> list[dict[str, object]]:
    written: list[str] = []
    play(recorded, site(), written.append, **options)
    return [json.loads(line) for line in written]


def faces(played: list[dict[str, object]], face: str) -> list[dict[str, object]]:
    return [line for line in played if line["kind"] == "face" and line["face"] == face]


def test_50_kmh_is_warned_of_at_the_edge_of_reach_and_released(tmp_path: pathlib.Path) -> None:
    record(tmp_path / "a.mcap", Vehicle(50, 20.0))
    branch = faces(lines(read(tmp_path / "a.mcap")), "branch_south")
    # Released 3 s after it passed at 20 s; 0.5 s after the last message the radars are stale.
    assert [(line["level"], line["health"]) for line in branch] == [
        ("clear", "ok"),
        ("caution", "ok"),
        ("clear", "ok"),
        ("clear", "fault"),
    ]
    assert branch[0]["t_s"] == 0.0
    assert 20.0 - float(str(branch[1]["t_s"])) == pytest.approx(7.1, abs=0.3)
    assert list(branch[1]) == FACE_KEYS
    cause = branch[1]["cause"]
    assert isinstance(cause, dict) and list(cause) == CAUSE_KEYS
    assert cause["approach"] == "main_east" and cause["speed_mps"] == pytest.approx(13.9)
    assert branch[3]["shows"] == "fault" and float(str(branch[3]["t_s"])) == pytest.approx(26.4, abs=0.2)


def test_the_same_bytes_out_every_time(tmp_path: pathlib.Path) -> None:
    record(tmp_path / "a.mcap", Vehicle(50, 20.0), Vehicle(70, 18.0, radar="r_west"))
    recorded = read(tmp_path / "a.mcap")
    one: list[str] = []
    two: list[str] = []
    play(recorded, site(), one.append, with_tracks=True)
    play(recorded, site(), two.append, with_tracks=True)
    assert one == two and any('"track"' in line for line in one)


def test_absent_sensors_are_not_fitted_unless_strict(tmp_path: pathlib.Path) -> None:
    record(tmp_path / "a.mcap", Vehicle(50, 10.0), seconds=12, radars=("r_east",))
    recorded = read(tmp_path / "a.mcap")
    assert faces(lines(recorded), "branch_south")[0]["health"] == "ok"
    strict = faces(lines(recorded, strict=True), "branch_south")
    assert next(line["t_s"] for line in strict if line["health"] == "fault") < 1.0  # type: ignore[operator]


def test_cold_includes_boot(tmp_path: pathlib.Path) -> None:
    record(tmp_path / "a.mcap", seconds=15)
    branch = faces(lines(read(tmp_path / "a.mcap"), cold=True), "branch_south")
    assert branch[0]["shows"] == "fault"
    assert branch[1]["shows"] == "clear" and float(str(branch[1]["t_s"])) == pytest.approx(10.0, abs=0.2)


def test_a_recording_that_was_cut_off_plays_as_far_as_it_goes(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.mcap"
    record(path, Vehicle(50, 20.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    recorded = read(path)
    assert recorded.cut_off is not None and recorded.cut_off.startswith("byte ")
    assert lines(recorded)


@pytest.mark.parametrize("data", [b"", b"not a recording", b"\x89MCAP0\r\n"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: pathlib.Path, data: bytes) -> None:
    (tmp_path / "a.mcap").write_bytes(data)
    with pytest.raises(ReplayError, match=r"a\.mcap"):
        read(tmp_path / "a.mcap")


def test_a_recording_of_another_site_is_refused(tmp_path: pathlib.Path) -> None:
    record(tmp_path / "a.mcap", seconds=1, radars=("r_east", "r_north"))
    with pytest.raises(ReplayError, match="r_north"):
        lines(read(tmp_path / "a.mcap"))


def test_a_recording_never_overwrites(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.mcap").write_bytes(b"kept")
    with pytest.raises(RecordingError, match=r"a\.mcap"):
        Recording(tmp_path / "a.mcap", {}, VirtualClock())
    assert (tmp_path / "a.mcap").read_bytes() == b"kept"


def test_a_recording_is_on_the_disk_every_five_seconds(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    record(tmp_path / "a.mcap", seconds=19.0)
    assert len(synced) == 4 + 1, "at the first message, every five seconds, and whole at its end"


def test_a_disk_that_is_full_ends_the_recording_and_says_so(tmp_path: pathlib.Path) -> None:
    full = pathlib.Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this machine")
    link = tmp_path / "a.mcap"
    clock = VirtualClock(start_ns=NS_PER_S)
    recording = Recording(link, {}, clock)
    # The file becomes a device that refuses every write, as a full card does.
    os.dup2(os.open(full, os.O_WRONLY), recording._file._file.fileno())
    for _ in range(2000):
        recording.put_radar("r_east", bytes(200), clock.monotonic_ns())
    recording.close()
    assert recording.problem is not None and "a.mcap" in recording.problem
    assert recording.over(clock.monotonic_ns())
