"""A recording and the pictures beside it become one file that replays to the same lines."""

import pathlib

import numpy as np
import pytest

from device.joining import join
from device.recording import Recording
from device.replay import ReplayError, play, read
from device.vision.images import ImageRecorder
from hal.clock import NS_PER_MS, NS_PER_S, VirtualClock
from hal.interfaces import CameraFrame
from hal.radar.ld2451_wire import encode_report
from tests.support.road import site


def recorded(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    clock = VirtualClock(start_ns=5 * NS_PER_S)
    images = ImageRecorder(folder, clock)
    clock.advance_ns(NS_PER_S)  # vision was there before the recording began
    image = np.zeros((48, 64, 3), np.uint8)
    images.keep(CameraFrame("c_branch", clock.monotonic_ns() - NS_PER_S // 2, image, 0))
    recording = Recording(folder / "a.mcap", site().model_dump(mode="json"), clock)
    for number in range(1, 6):
        clock.advance_ns(100 * NS_PER_MS)
        recording.put_radar("r_east", encode_report([]), clock.monotonic_ns())
        if number < 5:
            images._queue.put(CameraFrame("c_branch", clock.monotonic_ns(), image, number))
    recording.close()
    images.close()
    return recording.path, images.path


def lines(path: pathlib.Path) -> list[str]:
    written: list[str] = []
    play(read(path), site(), written.append)
    return written


def test_the_joined_file_has_the_pictures_and_replays_the_same(tmp_path: pathlib.Path) -> None:
    recording, pictures = recorded(tmp_path)
    before = recording.read_bytes(), pictures.read_bytes()
    assert join(recording, pictures, tmp_path / "both.mcap") == 4, "the picture from before the recording is left out"
    assert (recording.read_bytes(), pictures.read_bytes()) == before
    joined = read(tmp_path / "both.mcap")
    assert [m.topic for m in joined.messages].count("/camera/c_branch/image") == 4
    assert joined.anchor_mono_ns == read(recording).anchor_mono_ns is not None
    assert lines(tmp_path / "both.mcap") == lines(recording)


def test_what_cannot_be_read_is_named_and_nothing_is_overwritten(tmp_path: pathlib.Path) -> None:
    recording, pictures = recorded(tmp_path)
    (tmp_path / "text.mcap").write_text("no recording")
    with pytest.raises(ReplayError, match=r"text\.mcap"):
        join(recording, tmp_path / "text.mcap", tmp_path / "out.mcap")
    assert not (tmp_path / "out.mcap").exists()
    with pytest.raises(FileExistsError):
        join(recording, pictures, recording)
