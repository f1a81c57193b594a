"""``sentinel detect``: JSON lines of the contract for images, a folder and a video; a video cut off is exit 1."""

import json
import pathlib
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from device.cli.app import cli

PICTURES = pathlib.Path(__file__).resolve().parents[3] / "shared" / "road_users" / "val" / "images"


def detect(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["detect", *map(str, arguments)], prog_name="sentinel")


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def picture(grey: int) -> np.ndarray:
    return np.full((120, 200, 3), grey, np.uint8)


def test_a_folder_is_read_by_name_and_a_bad_image_does_not_hide_the_others(tmp_path: pathlib.Path) -> None:
    for name in ("b.png", "a.jpg", "c.PNG"):
        cv2.imwrite(str(tmp_path / name), picture(90))
    (tmp_path / "notes.txt").write_text("not an image")
    result = detect(tmp_path)
    assert result.exit_code == 0, result.output
    assert [line["source"] for line in lines(result)] == ["a.jpg", "b.png", "c.PNG"]
    assert all(list(line) == ["source", "frame", "t_s", "boxes"] for line in lines(result))
    (tmp_path / "aa.jpg").write_bytes(b"junk")
    broken = detect(tmp_path)
    assert broken.exit_code == 2 and "aa.jpg" in broken.stderr
    assert len(lines(broken)) == 3


def video(path: pathlib.Path, frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (200, 120))
    assert writer.isOpened()
    noise = np.random.default_rng(1)
    for _ in range(frames):
        writer.write(noise.integers(0, 255, (120, 200, 3), np.uint8))
    writer.release()


def test_a_video_is_read_frame_by_frame_and_a_cut_is_told(tmp_path: pathlib.Path) -> None:
    whole = tmp_path / "road.avi"
    video(whole, 12)
    result = detect(whole)
    assert result.exit_code == 0, result.output
    assert [(line["source"], line["frame"], line["t_s"]) for line in lines(result)] == [
        ("road.avi", n, round(n / 10, 3)) for n in range(12)
    ]
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = detect(cut)
    assert result.exit_code == 1
    assert 0 < len(lines(result)) < 12
    assert "cut.avi" in result.stderr


@pytest.mark.skipif(not PICTURES.is_dir(), reason=f"no real pictures in {PICTURES}")
def test_boxes_of_a_real_picture_are_in_its_own_pixels() -> None:
    path = sorted(PICTURES.iterdir())[0]
    height, width = cv2.imread(str(path)).shape[:2]
    [line] = lines(detect(path, "--threshold", "0.3"))
    assert line["boxes"]
    for name, score, x0, y0, x1, y1 in line["boxes"]:
        assert name in ("person", "two_wheeler", "car", "bus", "truck")
        assert 0.3 <= score <= 1
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    strict = lines(detect(path, "--threshold", "0.8"))[0]["boxes"]
    assert len(strict) < len(line["boxes"])
