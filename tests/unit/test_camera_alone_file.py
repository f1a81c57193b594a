"""What is spent of the day of camera alone, on the disk: a restart begins no new day, whatever became of the file."""

import json
import pathlib
import threading
import time
from collections.abc import Callable

import pytest

from device import camera_alone_file
from device.camera_alone_file import CameraAloneFile

FACES = ("branch_south", "main_east")
DAY_S = 24 * 3600.0


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "camera_alone.json"


def started(path: pathlib.Path, *kept: dict[str, float]) -> dict[str, float]:
    """A core that starts, keeps what it is told and ends; returns what it began with."""
    file = CameraAloneFile(path, FACES)
    for spent_s in kept:
        file.keep(spent_s)
    file.close(timeout_s=20.0)
    return dict(file.spent_s)


def on_disk(path: pathlib.Path) -> object:
    return json.loads(path.read_text())["camera_alone_s"]


def until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_a_first_start_has_spent_nothing_and_writes_nothing(path: pathlib.Path) -> None:
    assert started(path, {}, {}) == {}
    assert not path.exists()


def test_a_restart_goes_on_where_it_was_and_pays_the_minute_that_was_not_written(path: pathlib.Path) -> None:
    started(path, {"branch_south": 0.8}, {"branch_south": 30.0}, {"branch_south": 7200.0})
    assert on_disk(path) == {"branch_south": 7200}
    assert started(path) == {"branch_south": 7260.0}


def test_restarts_within_a_minute_of_each_other_go_on_too(path: pathlib.Path) -> None:
    began = [started(path, {"branch_south": 1.0})]
    for _restart in range(5):
        spent_s = started(path)["branch_south"] + 1.0
        began.append(started(path, {"branch_south": spent_s}))
    assert began[-1]["branch_south"] == pytest.approx(5 * 61.0, abs=1.0)


def test_while_it_counts_the_file_is_written_once_a_minute(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(camera_alone_file, "write_atomically", lambda _path, data: written.append(data))
    started(path, *({"branch_south": float(second)} for second in range(600)))
    assert len(written) == 10
    written.clear()
    started(path, *({"branch_south": DAY_S} for _second in range(600)))
    assert len(written) == 1, "after the day nothing changes any more"


def test_a_day_that_was_given_back_is_given_back_on_the_disk(path: pathlib.Path) -> None:
    started(path, {"branch_south": 7200.0, "main_east": 60.0}, {"main_east": 61.0})
    assert on_disk(path) == {"main_east": 61}
    started(path, {"main_east": 121.0}, {})
    assert on_disk(path) == {} and started(path) == {}


def test_a_day_that_begins_again_is_written_though_more_was_spent_of_the_last_one(path: pathlib.Path) -> None:
    started(path, {"branch_south": 7200.0}, {"branch_south": 1.0})
    assert on_disk(path) == {"branch_south": 1}


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\0" * 40,
        b"[]",
        b"{}",
        b'{"camera_alone_s": 5}',
        b'{"camera_alone_s": {"branch_south": null}}',
        b'{"camera_alone_s": {"branch_south": "now"}}',
        b'{"camera_alone_s": {"branch_south": NaN}}',
        b'{"camera_alone_s": {"branch_south": 1e999}}',
        b'{"camera_alone_s": {"branch_south": -1}}',
        b'{"camera_alone_s": {"branch_south": 1' + b"0" * 400 + b"}}",
        b"[" * 100_000,
    ],
)
def test_a_file_that_cannot_be_read_is_a_day_spent_and_is_replaced(path: pathlib.Path, damage: bytes) -> None:
    path.write_bytes(damage)
    spent_s = started(path, dict.fromkeys(FACES, DAY_S))
    assert spent_s == dict.fromkeys(FACES, DAY_S)
    assert on_disk(path) == dict.fromkeys(FACES, DAY_S)


def test_a_file_that_is_a_folder_is_a_day_spent_and_a_problem(path: pathlib.Path) -> None:
    path.mkdir()
    file = CameraAloneFile(path, FACES)
    assert file.spent_s == dict.fromkeys(FACES, DAY_S) and file.problem() is None
    file.keep(file.spent_s)
    file.close(timeout_s=20.0)
    assert "cannot be written" in str(file.problem())


def test_faces_that_the_site_no_longer_has_are_forgotten(path: pathlib.Path) -> None:
    path.write_text('{"camera_alone_s": {"main_north": 500, "main_east": 500}}')
    assert started(path) == {"main_east": 560.0}


def test_a_disk_that_refused_is_tried_again(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_alone_file, "RETRY_S", 0.01)
    folder = path.parent / "state"
    file = CameraAloneFile(folder / path.name, FACES)
    file.keep({"branch_south": 60.0})
    until(file.problem)
    folder.mkdir()
    until(lambda: file.problem() is None)
    file.close(timeout_s=20.0)
    assert on_disk(folder / path.name) == {"branch_south": 60}


def test_a_disk_that_hangs_is_told_and_delays_nobody(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(camera_alone_file, "write_atomically", lambda _path, _data: hangs.wait(60))
    file = CameraAloneFile(path, FACES)
    for minute in range(4):
        file.keep({"branch_south": minute * 60.0})
    assert file.problem() == "hours of camera alone: the disk does not keep up"
    hangs.set()
    file.close(timeout_s=20.0)
    assert file.problem() is None
