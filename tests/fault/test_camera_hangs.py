"""FAULTS rows 16, 17, 22 and 23: a camera that hangs, dies or changes is replaced; the other one does not notice."""

import contextlib
import itertools
import os
import pathlib
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from hal.camera import nursery
from hal.camera.opencv import OpenCvCamera, OpenCvOptions, open_camera
from hal.camera.restarts import HEALTHY_S, LONGEST_S, Restarts
from hal.camera.rpicam import RpicamCamera, RpicamOptions
from hal.camera.rpicam import open_camera as open_rpicam
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from hal.errors import DeviceOpenError
from hal.interfaces import CameraFrame
from tests.support.video import fake_rpicam, silent_server, write_video

silent_rtsp = pytest.fixture(silent_server)


@pytest.fixture
def lane(tmp_path: pathlib.Path) -> Iterator[OpenCvCamera]:
    """A camera that works, beside the one that does not."""
    options = OpenCvOptions(source=str(write_video(tmp_path / "lane.avi")), loop=True)
    with contextlib.closing(open_camera("c_lane", options, SYSTEM_CLOCK)) as camera:
        yield camera


def pictures_beside(sick: "OpenCvCamera | RpicamCamera", well: OpenCvCamera, wanted_restarts: int) -> int:
    """Reads both in turn until the sick one was replaced so often; returns how many pictures the other gave."""
    deadline = time.monotonic() + 30
    given = 0
    longest_s = 0.0
    while sick.restarts < wanted_restarts:
        assert time.monotonic() < deadline, sick.problem()
        before = time.monotonic()
        sick.read(0.0)
        longest_s = max(longest_s, time.monotonic() - before)
        given += well.read(0.02) is not None
    assert longest_s < 5.0  # OpenCV itself waits 30 s for a mute server, and for ever for a mute device
    return given


def until_picture(camera: "OpenCvCamera | RpicamCamera", within_s: float = 20) -> CameraFrame:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        frame = camera.read(0.2)
        if frame is not None:
            return frame
    raise AssertionError(f"no picture came: {camera.problem()}")


def capture_beside(known: set[int]) -> psutil.Process:
    """The capture process that is not one of the known ones."""
    number = nursery.process_id()
    assert number is not None
    return next(child for child in psutil.Process(number).children() if child.pid not in known)


def captures() -> set[int]:
    number = nursery.process_id()
    return {child.pid for child in psutil.Process(number).children()} if number is not None else set()


def test_a_server_that_accepts_and_says_nothing_is_given_up_while_the_other_films(
    silent_rtsp: str, lane: OpenCvCamera
) -> None:
    sick = OpenCvCamera("c_mute", OpenCvOptions(source=silent_rtsp, open_timeout_s=0.6), SYSTEM_CLOCK)
    with contextlib.closing(sick):
        assert pictures_beside(sick, lane, 2) > 5
        assert "no first picture within 0.6 s" in (sick.problem() or "")
        assert len(captures()) <= 2


def test_a_mute_camera_is_refused_at_open_with_its_reason(silent_rtsp: str) -> None:
    with pytest.raises(DeviceOpenError, match=r"c_mute \(rtsp://127.*no first picture within 0\.5 s.*ping"):
        open_camera("c_mute", OpenCvOptions(source=silent_rtsp, open_timeout_s=0.5), SYSTEM_CLOCK)
    assert nursery.process_id() is None


def test_a_stream_that_stops_in_the_middle_of_a_picture_is_replaced(tmp_path: pathlib.Path, lane: OpenCvCamera) -> None:
    whole = write_video(tmp_path / "source.avi", frames=60).read_bytes()
    pipe = tmp_path / "pipe.avi"
    os.mkfifo(pipe)
    hold = os.open(pipe, os.O_RDWR)  # so that the reader never sees the end

    def feed() -> None:
        with contextlib.suppress(OSError):
            sent = 0
            while sent < len(whole) * 2 // 3:
                sent += os.write(hold, whole[sent : sent + 16384])

    known = captures()
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    options = OpenCvOptions(source=str(pipe), stall_s=0.5, open_timeout_s=5)
    try:
        with contextlib.closing(open_camera("c_pipe", options, SYSTEM_CLOCK)) as sick:
            hung = capture_beside(known)
            assert pictures_beside(sick, lane, 1) > 5
            assert "no new picture" in (sick.problem() or "")
            assert not psutil.wait_procs([hung], timeout=5)[1]
    finally:
        os.close(hold)


def test_a_read_that_blocks_for_ever_is_killed_and_the_camera_films_again(
    tmp_path: pathlib.Path, lane: OpenCvCamera
) -> None:
    known = captures()
    options = OpenCvOptions(source=str(write_video(tmp_path / "other.avi")), loop=True)
    with contextlib.closing(open_camera("c_sick", options, SYSTEM_CLOCK)) as sick:
        until_picture(sick)
        hung = capture_beside(known)
        hung.suspend()
        hung_at = time.monotonic()
        assert pictures_beside(sick, lane, 1) > 5
        assert sick.problem() is not None
        until_picture(sick)
        assert time.monotonic() - hung_at < 10
        assert sick.problem() is None
        assert not psutil.wait_procs([hung], timeout=5)[1]


def test_a_capture_that_dies_is_replaced(lane: OpenCvCamera) -> None:
    until_picture(lane)
    capture_beside(set()).kill()
    deadline = time.monotonic() + 10
    while not lane.restarts:
        lane.read(0.0)
        assert time.monotonic() < deadline
    assert "died" in (lane.problem() or "")
    until_picture(lane)
    assert lane.restarts == 1


def test_even_the_nursery_may_die(lane: OpenCvCamera) -> None:
    until_picture(lane)
    number = nursery.process_id()
    assert number is not None
    psutil.Process(number).kill()
    deadline = time.monotonic() + 10
    while not lane.restarts:
        lane.read(0.1)
        assert time.monotonic() < deadline
    until_picture(lane)
    assert nursery.process_id() not in (None, number)


def test_a_camera_that_changes_its_size_is_opened_again_at_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "lane.avi"
    write_video(path, frames=10)
    larger = write_video(tmp_path / "larger.avi", frames=10, width=320, height=240)
    with contextlib.closing(open_camera("c", OpenCvOptions(source=str(path), loop=True), SYSTEM_CLOCK)) as camera:
        assert until_picture(camera).image.shape == (144, 256, 3)
        larger.replace(path)
        deadline = time.monotonic() + 10
        while until_picture(camera).image.shape != (240, 320, 3):
            assert time.monotonic() < deadline
        assert camera.restarts == 1


def test_a_source_that_keeps_failing_is_tried_ever_more_rarely() -> None:
    restarts = Restarts()
    now_ns, waits_s = 0, []
    for _ in range(8):
        due_ns = restarts.failed(now_ns, started_ns=now_ns)
        waits_s.append((due_ns - now_ns) / NS_PER_S)
        now_ns = due_ns
    assert waits_s[0] == 0
    assert waits_s == sorted(waits_s)
    assert waits_s[-1] == LONGEST_S
    healthy_since_ns = now_ns
    now_ns += round(HEALTHY_S * NS_PER_S)
    assert restarts.failed(now_ns, started_ns=healthy_since_ns) == now_ns


@pytest.fixture
def rpicam(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder first on PATH with an ``rpicam-vid`` of ours in it."""
    folder = fake_rpicam(tmp_path / "bin", "plays")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def test_a_silent_rpicam_is_killed_and_started_again(rpicam: pathlib.Path, lane: OpenCvCamera) -> None:
    (rpicam / "behaviour").write_text("hang plays")
    with contextlib.closing(open_rpicam("c_csi", RpicamOptions(stall_s=0.5, fps=30), SYSTEM_CLOCK)) as camera:
        assert pictures_beside(camera, lane, 1) > 5
        assert "no new picture" in (camera.problem() or "")
        until_picture(camera)
        assert camera.problem() is None
        runs = sorted(int(run.name.split("-")[2]) for run in rpicam.glob("run-*"))
        assert len(runs) == 2
    assert not [pid for pid in runs if psutil.pid_exists(pid)]


def test_an_rpicam_without_a_camera_says_what_the_program_said(rpicam: pathlib.Path) -> None:
    (rpicam / "behaviour").write_text("missing")
    with pytest.raises(DeviceOpenError, match=r"c_csi \(CSI 1\).*no cameras available.*ribbon"):
        open_rpicam("c_csi", RpicamOptions(number=1), SYSTEM_CLOCK)


def test_a_mute_rpicam_is_refused_and_ended(rpicam: pathlib.Path) -> None:
    (rpicam / "behaviour").write_text("mute")
    with pytest.raises(DeviceOpenError, match="no first picture within 1 s"):
        open_rpicam("c_csi", RpicamOptions(open_timeout_s=1), SYSTEM_CLOCK)
    (run,) = rpicam.glob("run-*")
    assert not psutil.pid_exists(int(run.name.split("-")[2]))


def test_the_program_is_told_what_the_site_file_says(rpicam: pathlib.Path) -> None:
    options = RpicamOptions(number=1, width=640, height=360, fps=12.5, upside_down=True)
    with contextlib.closing(open_rpicam("c_csi", options, SYSTEM_CLOCK)) as camera:
        until_picture(camera)
    words = (rpicam / "argv").read_text().split("\n")
    pairs = dict(itertools.pairwise(words))
    assert pairs["--codec"] == "mjpeg"
    assert pairs["--camera"] == "1"
    assert (pairs["--width"], pairs["--height"], pairs["--framerate"]) == ("640", "360", "12.5")
    assert pairs["--rotation"] == "180"
    assert pairs["--output"] == "-"
