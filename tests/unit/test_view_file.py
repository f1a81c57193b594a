"""A camera's view is kept over restarts, and a disk that refuses costs only the memory of it."""

import logging
import pathlib
import threading

import pytest

from configs.schema import Camera
from device.vision import view_file
from device.vision.view import View
from device.vision.view_file import FOLDER, ViewFile
from hal.clock import VirtualClock
from tests.unit.test_view import learned

WAIT = [(0.1, 0.5), (0.9, 0.5), (0.9, 0.9), (0.1, 0.9)]
CAMERA = Camera.model_validate({"driver": "sim", "zones": {"branch_south": {"wait": WAIT, "reach_m": 30}}})


@pytest.fixture(scope="module")
def view() -> View:
    return learned()


def file(folder: pathlib.Path, camera: Camera = CAMERA) -> ViewFile:
    return ViewFile(folder, "c_branch", camera, VirtualClock())


def kept(folder: pathlib.Path, view: View | None) -> None:
    keeper = file(folder)
    keeper.keep(view)
    keeper.close()


def test_a_view_is_there_after_a_restart(tmp_path: pathlib.Path, view: View) -> None:
    assert file(tmp_path).read() is None
    kept(tmp_path, view)
    again = file(tmp_path).read()
    assert again is not None
    assert len(again.places) == len(view.places)


def test_a_view_that_was_given_up_stays_given_up(tmp_path: pathlib.Path, view: View) -> None:
    kept(tmp_path, view)
    kept(tmp_path, None)
    assert file(tmp_path).read() is None


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"driver": "opencv", "source": "/dev/video0"}, True),
        ({"zones": {"branch_south": {"wait": WAIT, "reach_m": 45}}}, True),
        ({"zones": {"branch_south": {"wait": [(0.2, 0.5), *WAIT[1:]]}}}, False),
        ({"zones": {"branch_south": {"wait": WAIT, "approach": WAIT}}}, False),
    ],
)
def test_zones_that_are_drawn_anew_are_a_view_that_is_learned_anew(
    tmp_path: pathlib.Path, view: View, change: dict[str, object], same: bool
) -> None:
    kept(tmp_path, view)
    changed = Camera.model_validate({"driver": "sim", "zones": {"branch_south": {"wait": WAIT}}, **change})
    assert (file(tmp_path, changed).read() is not None) is same


@pytest.mark.parametrize("data", [b"", b"\xff\x00", b"[]", b"{}", b'{"drawn": 1, "view": 2}', b"[" * 5000])
def test_a_file_that_cannot_be_read_is_a_view_that_was_never_learned(tmp_path: pathlib.Path, data: bytes) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "c_branch.json").write_bytes(data)
    assert file(tmp_path).read() is None


def test_a_broken_view_in_a_good_file_is_named(
    tmp_path: pathlib.Path, view: View, caplog: pytest.LogCaptureFixture
) -> None:
    kept(tmp_path, view)
    path = tmp_path / FOLDER / "c_branch.json"
    path.write_text(path.read_text().replace('"places": [[', '"places": [[9e999, 1], ['))
    with caplog.at_level(logging.ERROR):
        assert file(tmp_path).read() is None
    assert str(path) in caplog.text


def test_a_disk_that_refuses_is_told_in_the_log(
    tmp_path: pathlib.Path, view: View, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    with caplog.at_level(logging.ERROR):
        kept(tmp_path, view)
    assert "event=view_not_written" in caplog.text


def test_a_disk_that_hangs_makes_nobody_wait(
    tmp_path: pathlib.Path, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    def write(_path: pathlib.Path, _data: bytes) -> None:
        hangs.set()
        goes_on.wait(20)

    monkeypatch.setattr(view_file, "write_atomically", write)
    keeper = file(tmp_path)
    keeper.keep(view)
    assert hangs.wait(20)
    keeper.keep(None)  # returns though the first one is still being written
    keeper.close(timeout_s=0.0)
    goes_on.set()
