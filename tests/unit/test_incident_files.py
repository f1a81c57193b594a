"""Incident recordings on a disk: whole or not there, within bounds, and a disk that fails costs nothing else."""

import dataclasses
import json
import os
import pathlib
import shutil
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Recording as RecordingSettings
from configs.schema import SiteConfig
from device import incident_files
from device.day import DAYLIGHT, DayState, day_written
from device.incident_files import IncidentFiles
from device.incident_folder import NOTES, kind_of, names, prune, span_ns, stored
from device.incidents import Begin, DayChange, End, IncidentKind, Kept, Order, Trigger
from device.recording import DAY_TOPIC, METADATA, RecordingFile
from device.replay import read
from hal.clock import NS_PER_S, VirtualClock
from tests.support.road import site

NOW_NS = 1_000 * NS_PER_S
NAME = "20261122T000000Z-alert-branch_south.mcap"
"""VirtualClock's wall time begins at the floor of this version."""


def junction(**settings: object) -> SiteConfig:
    return site().model_copy(update={"recording": RecordingSettings.model_validate(settings)})


def trigger(kind: IncidentKind = IncidentKind.ALERT, at_ns: int = NOW_NS, face: str = "branch_south") -> Trigger:
    return Trigger(kind, face, at_ns, {"from": "caution", "to": "alert"})


def kept(at_ns: int) -> Kept:
    return Kept("r_east", at_ns, at_ns + 7, b"\xf4\xf3\xf2\xf1" + os.urandom(8))


def incident(first: Trigger, *more: Trigger, seconds: int = 10) -> list[Order]:
    """Ten messages a second before and after."""
    tenths = [first.at_ns + (tenth - 5 * seconds) * NS_PER_S // 10 for tenth in range(10 * seconds)]
    before = tuple(kept(at_ns) for at_ns in tenths if at_ns < first.at_ns)
    after = [kept(at_ns) for at_ns in tenths if at_ns >= first.at_ns]
    named = min((first, *more), key=lambda t: list(IncidentKind).index(t.kind))
    return [Begin(first, before), *after, End(named, (first, *more), 1 + len(more))]


def write(folder: pathlib.Path, *orders: Order, config: SiteConfig | None = None) -> IncidentFiles:
    """Everything written and the writer ended."""
    files = IncidentFiles(folder, config or junction(), VirtualClock(start_ns=NOW_NS))
    for order in orders:
        files.put(order)
    files.close(timeout_s=20.0)
    return files


def notes(path: pathlib.Path, name: str) -> dict[str, str]:
    from mcap.reader import make_reader

    with path.open("rb") as file:
        return next(record.metadata for record in make_reader(file).iter_metadata() if record.name == name)


def test_a_file_is_named_by_time_kind_and_face_and_says_why_it_is_there(tmp_path: pathlib.Path) -> None:
    first, then = trigger(), trigger(IncidentKind.NEAR_MISS, NOW_NS + NS_PER_S)
    files = write(tmp_path / "incidents", *incident(first), *incident(first, then))
    assert files.problem() is None
    assert sorted(path.name for path in files.folder.iterdir()) == [
        NAME,
        "20261122T000001Z-near_miss-branch_south.mcap",
    ]
    said = notes(files.folder / NAME, METADATA)
    assert (said["incident"], said["face"]) == ("alert", "branch_south")
    assert json.loads(said["event"]) == {
        "kind": "alert",
        "face": "branch_south",
        "t": "2026-11-22T00:00:00.000Z",
        "body": {"from": "caution", "to": "alert"},
    }
    ended = notes(files.folder / "20261122T000001Z-near_miss-branch_south.mcap", NOTES)
    assert ended["count"] == "2" and [event["kind"] for event in json.loads(ended["events"])] == ["alert", "near_miss"]


def oldest_ns(path: pathlib.Path) -> int:
    return min(message.log_ns for message in read(path).messages)


def test_the_list_says_when_what_and_how_long_the_newest_first(tmp_path: pathlib.Path) -> None:
    later = trigger(IncidentKind.NEAR_MISS, NOW_NS + 90 * NS_PER_S)
    write(tmp_path, *incident(trigger()), *incident(later))
    (tmp_path / "holiday.mcap").write_bytes(b"not ours")
    (tmp_path / NAME.replace(".mcap", "-cut.mcap")).write_bytes(b"\x89MCAP0\r\n")
    newest, oldest, cut = map(stored, names(tmp_path))
    assert span_ns(newest.path) == (oldest_ns(newest.path), oldest_ns(newest.path) + 99 * NS_PER_S // 10)
    assert span_ns(cut.path) is None
    assert (newest.kind, newest.t, newest.seconds) == (IncidentKind.NEAR_MISS, "2026-11-22T00:01:30Z", 9.9)
    assert oldest.face == "branch_south" and oldest.events is not None and oldest.events[0]["body"]["to"] == "alert"
    assert (cut.kind, cut.seconds, cut.events) == (IncidentKind.ALERT, None, None)


def test_it_plays_from_its_first_message_with_the_times_of_the_node(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, *incident(trigger()))
    recorded = read(files.folder / NAME)
    radar = [message for message in recorded.messages if message.topic == "/radar/r_east/raw"]
    assert recorded.cut_off is None and len(radar) == 100
    assert recorded.messages[0].topic == "/config" and recorded.messages[0].log_ns == radar[0].log_ns
    assert radar[-1].log_ns - radar[0].log_ns == 99 * NS_PER_S // 10
    assert json.loads(recorded.messages[0].data)["site"]["id"] == "371500/n0001"


def test_it_begins_with_the_day_state_in_force_and_has_every_change(tmp_path: pathlib.Path) -> None:
    night, wet = dataclasses.replace(DAYLIGHT, night=True), dataclasses.replace(DAYLIGHT, wet=True)
    begin, *after, end = incident(trigger())
    assert isinstance(begin, Begin)
    days = (DayChange(NOW_NS - 900 * NS_PER_S, DAYLIGHT), DayChange(NOW_NS - NS_PER_S, night))
    change = DayChange(NOW_NS + NS_PER_S, wet)
    files = write(tmp_path, dataclasses.replace(begin, days=days), *after[:10], change, *after[10:], end)
    recorded = read(files.folder / NAME)
    assert [message.topic for message in recorded.messages[:2]] == ["/config", "/day"]
    first_ns = recorded.messages[0].log_ns
    told: list[tuple[float, DayState]] = [
        ((message.log_ns - first_ns) / NS_PER_S, day_written(message.data))
        for message in recorded.messages
        if message.topic == DAY_TOPIC
    ]
    assert told == [(0.0, DAYLIGHT), (4.0, night), (6.0, wet)]


def test_it_is_on_the_disk_five_seconds_later_at_most(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    write(tmp_path, *incident(trigger(), seconds=60))
    # What was in the ring at once, then twenty-nine seconds as they came, the whole file, and its name.
    assert len(synced) == 1 + 5 + 1 + 1


def test_the_same_second_twice_keeps_both(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, *incident(trigger()), *incident(trigger()))
    assert sorted(p.name for p in files.folder.iterdir()) == [NAME.replace(".mcap", "-2.mcap"), NAME]


def test_a_node_that_stops_in_the_middle_leaves_a_cut_one_and_so_does_a_power_cut(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, *incident(trigger(), seconds=200)[:-1])
    (cut,) = files.folder.iterdir()
    assert cut.name == NAME.replace(".mcap", "-cut.mcap")
    assert read(cut).messages and read(cut).cut_off is not None
    cut.rename(tmp_path / f"{NAME}.part")  # what a power cut leaves
    write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [cut.name]


def test_a_folder_that_cannot_be_made_is_a_problem_and_nothing_more(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("in the way")
    files = write(tmp_path / "file" / "incidents", *incident(trigger()))
    assert "incident recordings cannot be written" in str(files.problem())


def test_a_disk_that_fills_while_writing_leaves_nothing_behind_and_recovers(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = pathlib.Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this machine")
    made: list[pathlib.Path] = []

    class FirstOnFullDisk(RecordingFile):
        def __init__(self, path: pathlib.Path, *args: Any, **options: Any) -> None:
            super().__init__(path, *args, **options)
            made.append(path)
            if len(made) == 1:
                os.dup2(os.open(full, os.O_WRONLY), self._file.fileno())

    monkeypatch.setattr(incident_files, "RecordingFile", FirstOnFullDisk)
    files = write(tmp_path, *incident(trigger(), seconds=60), *incident(trigger(IncidentKind.FAULT)))
    assert len(made) == 2
    assert [path.name for path in tmp_path.iterdir()] == [NAME.replace("alert", "fault")]
    assert files.problem() is None, "the next one was written"


def test_a_nearly_full_disk_is_left_alone(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=60_000_000)
    monkeypatch.setattr("device.incident_files.shutil.disk_usage", lambda _path: usage)
    files = write(tmp_path, *incident(trigger()))
    assert list(tmp_path.iterdir()) == [] and "60 MB free, an incident needs 66" in str(files.problem())


def test_a_disk_that_hangs_costs_incidents_and_is_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(incident_files, "rename_leftovers", lambda _folder: goes_on.wait(20.0))
    files = IncidentFiles(tmp_path, junction(), VirtualClock(start_ns=NOW_NS))
    for number in range(4):
        for order in incident(trigger(at_ns=NOW_NS + number * NS_PER_S)):
            files.put(order)
    assert "the disk does not keep up" in str(files.problem())
    assert files.dropped == 2 * len(incident(trigger())), "two wait, two are given up whole"
    goes_on.set()
    files.close(timeout_s=20.0)
    assert len(list(tmp_path.iterdir())) == 2


def test_one_file_takes_a_quarter_of_the_folder_at_most(tmp_path: pathlib.Path) -> None:
    flood = [Kept("r_east", NOW_NS + tick, 0, os.urandom(60_000)) for tick in range(60)]
    first = trigger()
    files = write(tmp_path, Begin(first, ()), *flood, End(first, (first,), 1), config=junction(keep_mb=8))
    assert (tmp_path / NAME).stat().st_size < 2_200_000
    assert int(notes(tmp_path / NAME, NOTES)["left_out"]) > 10 and files.problem() is None


def test_what_was_written_and_what_was_deleted_for_it_are_counted(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, *incident(trigger()), *incident(trigger()), config=junction(keep_count=1))
    assert (files.written, files.deleted) == (2, 1)
    assert files.written_bytes > sum(path.stat().st_size for path in tmp_path.iterdir())
    cut = write(tmp_path / "cut", *incident(trigger(), seconds=200)[:-1])
    (path,) = (tmp_path / "cut").iterdir()
    assert (cut.written, cut.written_bytes) == (0, path.stat().st_size), "the card bore it too"


def test_with_count_0_no_folder_is_made(tmp_path: pathlib.Path) -> None:
    assert write(tmp_path / "incidents", config=junction(keep_count=0)).problem() is None
    assert not (tmp_path / "incidents").exists()


def named(folder: pathlib.Path, number: int, kind: str, size: int = 10) -> pathlib.Path:
    path = folder / f"20261122T00{number:04d}Z-{kind}-branch_south.mcap"
    path.write_bytes(bytes(size))
    return path


def test_alerts_go_first_down_to_a_quarter_then_faults_then_near_misses(tmp_path: pathlib.Path) -> None:
    for number, kind in enumerate(["near_miss", "fault", "alert"] * 4):
        named(tmp_path, number, kind)
    gone = [path.name[9:] for path in prune(tmp_path, 8, 10**9)]
    assert [name.split("-")[1] for name in gone] == ["alert", "alert", "fault", "fault"]
    assert gone == sorted(gone[:2]) + sorted(gone[2:]), "the oldest of each"
    assert len(prune(tmp_path, 0, 10**9)) == 8 and list(tmp_path.iterdir()) == []


def test_bytes_count_too_and_other_files_are_left_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "holiday.mcap").write_bytes(bytes(10_000))
    for number in range(5):
        named(tmp_path, number, "near_miss", size=1000)
    assert [path.name for path in prune(tmp_path, 100, 2500)] == [
        named(tmp_path, number, "near_miss").name for number in range(3)
    ]
    assert (tmp_path / "holiday.mcap").exists() and kind_of(tmp_path / "holiday.mcap") is None


@given(
    st.lists(st.tuples(st.sampled_from(list(IncidentKind)), st.integers(0, 50)), max_size=30),
    st.integers(0, 20),
    st.integers(0, 500),
)
def test_after_pruning_the_bounds_hold_and_only_what_had_to_go_went(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[IncidentKind, int]],
    keep_count: int,
    keep_bytes: int,
) -> None:
    folder = tmp_path_factory.mktemp("incidents")
    sizes = {named(folder, number, kind.value, size): size for number, (kind, size) in enumerate(files)}
    gone = prune(folder, keep_count, keep_bytes)
    left = set(folder.iterdir())
    assert left | set(gone) == set(sizes) and not left & set(gone)
    assert len(left) <= keep_count and sum(sizes[path] for path in left) <= keep_bytes
    if gone:
        back = left | {gone[-1]}
        assert len(back) > keep_count or sum(sizes[path] for path in back) > keep_bytes
