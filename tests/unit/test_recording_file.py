"""A recording written by hand: times before the anchor, the same bytes every time, and a disk that refuses."""

import os
import pathlib

import pytest

from device.day import DAYLIGHT
from device.recording import FORMAT, METADATA, RecordingError, RecordingFile
from device.replay import read
from hal.clock import NS_PER_MS, NS_PER_S

WALL_NS = 1_790_000_000 * NS_PER_S
MONO_NS = 500 * NS_PER_S


def written(path: pathlib.Path, **options: bool) -> pathlib.Path:
    file = RecordingFile(
        path,
        {"site": {"id": "371500/n0001"}},
        anchor_wall_ns=WALL_NS,
        anchor_mono_ns=MONO_NS,
        clock_quality="synced",
        notes={"kind": "alert"},
        **options,
    )
    for tick in range(100):
        file.put_radar("r_east", bytes(12), MONO_NS + (tick - 50) * 100 * NS_PER_MS)
    file.put_camera("c_branch", {"kind": "observation", "camera": "c_branch"}, MONO_NS, wall_ns=7)
    file.close()
    return path


def metadata(path: pathlib.Path) -> dict[str, str]:
    from mcap.reader import make_reader

    with path.open("rb") as file:
        return {
            key: value
            for record in make_reader(file).iter_metadata()
            if record.name == METADATA
            for key, value in record.metadata.items()
        }


def test_what_came_before_the_anchor_has_its_own_time(tmp_path: pathlib.Path) -> None:
    recorded = read(written(tmp_path / "a.mcap"))
    radar = [message for message in recorded.messages if message.topic == "/radar/r_east/raw"]
    assert radar[0].log_ns == WALL_NS - 5 * NS_PER_S and radar[-1].log_ns == WALL_NS + 4900 * NS_PER_MS
    assert (recorded.anchor_wall_ns, recorded.anchor_mono_ns, recorded.cut_off) == (WALL_NS, MONO_NS, None)


def test_it_says_its_format_and_what_it_was_written_for(tmp_path: pathlib.Path) -> None:
    said = metadata(written(tmp_path / "a.mcap"))
    assert said["format"] == str(FORMAT) and said["kind"] == "alert" and said["clock_quality"] == "synced"


@pytest.mark.parametrize("compress", [False, True])
def test_the_same_calls_give_the_same_bytes(tmp_path: pathlib.Path, compress: bool) -> None:
    one = written(tmp_path / "a.mcap", compress=compress)
    two = written(tmp_path / "b.mcap", compress=compress)
    assert one.read_bytes() == two.read_bytes()


def test_a_compressed_one_holds_the_same_in_half_the_bytes(tmp_path: pathlib.Path) -> None:
    plain, small = written(tmp_path / "a.mcap"), written(tmp_path / "b.mcap", compress=True)
    assert read(plain).messages == read(small).messages
    assert small.stat().st_size < plain.stat().st_size / 2


def test_what_it_is_read_by_is_in_the_file_when_it_is_opened(tmp_path: pathlib.Path) -> None:
    options = {"anchor_wall_ns": WALL_NS, "anchor_mono_ns": MONO_NS, "clock_quality": "rtc"}
    RecordingFile(tmp_path / "a.mcap", {"site": {}}, day=DAYLIGHT, **options)  # type: ignore[arg-type]
    recorded = read(tmp_path / "a.mcap")
    assert recorded.notes["clock_quality"] == "rtc" and recorded.site_values() == {"site": {}} and recorded.tells_day


@pytest.mark.parametrize(("durable", "syncs"), [(True, 3), (False, 0)])
def test_a_kill_costs_a_second_and_what_cannot_be_made_again_is_synced_every_five(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, durable: bool, syncs: int
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    file = RecordingFile(
        tmp_path / "a.mcap",
        {},
        anchor_wall_ns=WALL_NS,
        anchor_mono_ns=MONO_NS,
        clock_quality="synced",
        durable=durable,
    )
    for tick in range(-100, 149):  # ten seconds that came before, fifteen as they come
        file.put_radar("r_east", bytes(12), MONO_NS + tick * 100 * NS_PER_MS)
        found = read(tmp_path / "a.mcap").messages
        if tick >= 10:
            assert WALL_NS + tick * 100 * NS_PER_MS - found[-1].log_ns <= NS_PER_S
    assert len(synced) == syncs, "what came before is synced with the first that comes after, then every five seconds"


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: pathlib.Path) -> None:
    full = pathlib.Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this machine")
    file = RecordingFile(tmp_path / "a.mcap", {}, anchor_wall_ns=0, anchor_mono_ns=0, clock_quality="floor")
    # The file becomes a device that refuses every write, as a full card does.
    os.dup2(os.open(full, os.O_WRONLY), file._file.fileno())
    with pytest.raises(RecordingError, match=r"a\.mcap: No space left"):
        for tick in range(2000):
            file.put_radar("r_east", bytes(200), tick)
    with pytest.raises(RecordingError, match=r"a\.mcap: No space left"):
        file.close()


def test_a_folder_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RecordingError, match="folder that can be written"):
        written(tmp_path / "no" / "a.mcap")
