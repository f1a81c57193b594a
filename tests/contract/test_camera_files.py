"""Video files as cameras: pace, end, loop, rate cap; and the capture process leaves nothing behind."""

import contextlib
import itertools
import pathlib
import signal
import subprocess
import sys
import time

import psutil
import pytest

from hal.camera import nursery
from hal.camera.opencv import OpenCvCamera, OpenCvOptions, open_camera
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from hal.errors import DeviceLostError, DeviceOpenError
from tests.support.video import number_of, write_video

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def open_file(path: pathlib.Path, **options: object) -> OpenCvCamera:
    return open_camera("c_branch", OpenCvOptions(source=str(path), **options), SYSTEM_CLOCK)  # type: ignore[arg-type]


def open_descriptors() -> set[str]:
    return {entry.name for entry in pathlib.Path("/proc/self/fd").iterdir()}


def play(camera: OpenCvCamera, most: int = 1000) -> list[tuple[int, int]]:
    """(number on the picture, time of capture) until the end."""
    seen = []
    with contextlib.suppress(DeviceLostError):
        for _ in range(most):
            frame = camera.read(5.0)
            assert frame is not None
            seen.append((number_of(frame.image), frame.captured_ns))
    return seen


def test_without_realtime_every_picture_of_the_file_comes_once(tmp_path: pathlib.Path) -> None:
    path = write_video(tmp_path / "lane.avi", frames=60)
    with contextlib.closing(open_file(path, realtime=False)) as camera:
        assert [number for number, _ in play(camera)] == list(range(60))
        assert camera.overwritten == 0
        with pytest.raises(DeviceLostError, match=r"c_branch.*lane\.avi.*end.*loop: true"):
            camera.read(0.0)
        assert camera.problem() is not None


def test_a_file_plays_at_its_own_rate(tmp_path: pathlib.Path) -> None:
    path = write_video(tmp_path / "lane.avi", frames=20, fps=20)
    with contextlib.closing(open_file(path)) as camera:
        seen = play(camera)
    (first, first_ns), (last, last_ns) = seen[0], seen[-1]
    assert last >= 15  # a busy machine may drop some
    # Never early; late only as far as the machine is busy.
    assert (last_ns - first_ns) / NS_PER_S >= (last - first) / 20 - 0.02
    assert [number for number, _ in seen] == sorted({number for number, _ in seen})


def test_the_rate_can_be_capped_without_slowing_the_file(tmp_path: pathlib.Path) -> None:
    path = write_video(tmp_path / "lane.avi", frames=40, fps=40)
    with contextlib.closing(open_file(path, max_fps=10.0)) as camera:
        seen = play(camera)
    steps = [(after - before) / NS_PER_S for (_, before), (_, after) in itertools.pairwise(seen[1:])]
    assert len(seen) <= 12
    assert sum(steps) / len(steps) >= 0.09
    assert seen[-1][0] >= 30


def test_a_looping_file_starts_again(tmp_path: pathlib.Path) -> None:
    path = write_video(tmp_path / "lane.avi", frames=10)
    with contextlib.closing(open_file(path, realtime=False, loop=True)) as camera:
        numbers = [number for number, _ in play(camera, 25)]
    assert numbers == [*range(10), *range(10), *range(5)]


def test_a_picture_stays_whole_until_the_next_read(tmp_path: pathlib.Path) -> None:
    path = write_video(tmp_path / "lane.avi", fps=100, frames=100)
    with contextlib.closing(open_file(path, loop=True)) as camera:
        frame = camera.read(5.0)
        assert frame is not None
        before = frame.image.copy()
        time.sleep(0.3)  # thirty pictures are written meanwhile
        assert (frame.image == before).all()


def test_a_relative_path_is_the_callers(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "lane.avi")
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(open_file(pathlib.Path("lane.avi"))) as camera:
        assert camera.read(5.0) is not None


def test_closing_the_last_camera_ends_every_process(tmp_path: pathlib.Path) -> None:
    path = write_video(tmp_path / "lane.avi")
    open_fds = open_descriptors()
    one, two = open_file(path, loop=True), open_file(path, loop=True)
    number = nursery.process_id()
    assert number is not None
    processes = [psutil.Process(number), *psutil.Process(number).children()]
    assert len(processes) == 3
    one.close()
    assert two.read(5.0) is not None
    two.close()
    assert nursery.process_id() is None
    _gone, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive
    assert open_descriptors() == open_fds


def test_a_refused_camera_leaves_nothing(tmp_path: pathlib.Path) -> None:
    (tmp_path / "noise.avi").write_bytes(bytes(range(256)) * 40)
    open_fds = open_descriptors()
    with pytest.raises(DeviceOpenError):
        open_file(tmp_path / "noise.avi")
    assert nursery.process_id() is None
    assert open_descriptors() == open_fds


def test_a_killed_program_leaves_no_process_and_no_shared_memory(tmp_path: pathlib.Path) -> None:
    path = write_video(tmp_path / "lane.avi")
    script = (
        "import sys, time\n"
        "from hal.camera import nursery\n"
        "from hal.camera.opencv import OpenCvOptions, open_camera\n"
        "from hal.clock import SYSTEM_CLOCK\n"
        "camera = open_camera('c', OpenCvOptions(source=sys.argv[1], loop=True), SYSTEM_CLOCK)\n"
        "camera.read(5.0)\n"
        "print(nursery.process_id(), flush=True)\n"
        "time.sleep(1000)\n"
    )
    shared_before = set(pathlib.Path("/dev/shm").iterdir())
    program = subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=PROJECT, stdout=subprocess.PIPE)
    assert program.stdout is not None
    number = int(program.stdout.readline())
    processes = [psutil.Process(number), *psutil.Process(number).children()]
    capture = processes[1]
    capture.suspend()  # even one that hangs
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()
    _gone, alive = psutil.wait_procs(processes, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert not {name for name in set(pathlib.Path("/dev/shm").iterdir()) - shared_before if "camera" in name.name}
