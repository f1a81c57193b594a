"""What leaves vision as a picture shows the road and nobody on it; and it leaves only when it was asked for."""

import pathlib

import cv2
import numpy as np
import pytest

from device.vision.privacy import BLOCKS, ENLARGED, FAINT, WIDTH_PX, unrecognisable
from device.vision.snapshots import ASKED_FOR_S, EVERY_S, Snapshots
from hal.clock import NS_PER_S, VirtualClock
from hal.interfaces import CameraFrame
from models.detector import Detection
from models.errors import ModelOutputError
from models.onnx_detector import load_detector
from tests.support.journals import wait_for

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "road_users" / "val"


def noise(height: int = 240, width: int = 320) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)


def colours(region: np.ndarray) -> int:
    return len(np.unique(region.reshape(-1, 3), axis=0))


def person(x0: float, y0: float, x1: float, y1: float) -> Detection:
    return Detection("person", 0.5, x0, y0, x1, y1)


def test_the_place_of_a_road_user_is_a_few_colours_and_the_rest_is_as_it_was() -> None:
    picture = noise()
    hidden = unrecognisable(picture, [person(100, 60, 160, 180)])
    assert colours(hidden[60:180, 100:160]) <= BLOCKS * BLOCKS
    outside = np.ones((240, 320), bool)
    outside[int(60 - 120 * ENLARGED) : int(180 + 120 * ENLARGED) + 2, 88:174] = False
    assert (hidden[outside] == picture[outside]).all()
    assert (picture == noise()).all(), "the picture itself is left alone"


def test_a_box_hides_more_than_itself() -> None:
    hidden = unrecognisable(noise(), [person(100, 60, 160, 180)])
    assert colours(hidden[40:59, 100:160]) <= BLOCKS * BLOCKS, "a head above the box"


@pytest.mark.parametrize(
    "box",
    [(-20.0, -20.0, 30.0, 40.0), (300.0, 200.0, 400.0, 300.0), (50.0, 50.0, 51.0, 51.0), (0.0, 0.0, 320.0, 240.0)],
)
def test_boxes_at_the_edge_tiny_and_huge_are_hidden(box: tuple[float, float, float, float]) -> None:
    hidden = unrecognisable(noise(), [person(*box)])
    x0, y0, x1, y1 = (int(max(0.0, value)) for value in box)
    assert colours(hidden[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]) <= BLOCKS * BLOCKS


def test_boxes_beyond_the_picture_hide_nothing() -> None:
    assert (unrecognisable(noise(), [person(400, 300, 500, 400)]) == noise()).all()


def test_a_large_picture_becomes_small_and_its_boxes_with_it() -> None:
    hidden = unrecognisable(noise(720, 1280), [person(640, 360, 800, 700)])
    assert hidden.shape == (270, WIDTH_PX, 3)
    assert colours(hidden[140:260, 242:298]) <= BLOCKS * BLOCKS


@pytest.mark.skipif(not SHARED.exists(), reason="the labelled pictures are not at ../shared/road_users")
def test_of_the_people_in_real_close_views_few_are_missed() -> None:
    """Of those labelled and at least 12 px high in the small picture, where a face begins to be one."""
    detector, hidden, people = load_detector(), 0, 0
    for path in sorted((SHARED / "images").glob("hw_*.jpg")):
        labels = (SHARED / "labels" / f"{path.stem}.txt").read_text("ascii").splitlines()
        boxes = [line.split() for line in labels if line.startswith("0 ")]
        if not boxes:
            continue
        picture = np.asarray(cv2.imread(str(path)), np.uint8)
        shown = unrecognisable(picture, detector.detect(picture, threshold=FAINT))
        plain = unrecognisable(picture, [])
        height, width = shown.shape[:2]
        for _cls, cx, cy, w, h in ([float(value) for value in box] for box in boxes):
            x0, x1 = int((cx - w / 2) * width), int((cx + w / 2) * width)
            y0, y1 = int((cy - h / 2) * height), int((cy + h / 2) * height)
            if y1 - y0 < 12 or x1 - x0 < 3:
                continue
            people += 1
            changed = (shown[y0:y1, x0:x1] != plain[y0:y1, x0:x1]).any(axis=2)
            hidden += changed.mean() > 0.8
    assert people > 50
    assert hidden / people >= 0.95, f"{hidden} of {people}"


class Sees:
    """A detector that sees a person in the middle, or fails."""

    classes = ("person",)
    threshold = 0.3

    def __init__(self) -> None:
        self.asked: list[float | None] = []
        self.fails = False

    def detect(self, _image: object, threshold: float | None = None) -> list[Detection]:
        if self.fails:
            raise ModelOutputError("no number")
        self.asked.append(threshold)
        return [person(100, 60, 160, 180)]


class Desk:
    """Snapshots of two cameras, and a clock."""

    def __init__(self, folder: pathlib.Path, keep: int = 10) -> None:
        self.folder, self.clock, self.detector = folder / "snapshots", VirtualClock(), Sees()
        self.snapshots = Snapshots(self.folder, self.detector, self.clock, keep=keep)

    def film(self, camera: str = "c") -> None:
        self.snapshots.take(CameraFrame(camera, self.clock.monotonic_ns(), noise(), 1))

    def after(self, seconds: float) -> None:
        self.clock.advance_ns(round(seconds * NS_PER_S))

    def written(self) -> None:
        wait_for(lambda: self.snapshots.idle, "the pictures on the disk")

    def files(self) -> list[pathlib.Path]:
        self.snapshots.close()
        return sorted(self.folder.glob("*"))


def test_a_picture_that_was_asked_for_is_written_once_with_everybody_hidden(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    desk.film()
    desk.snapshots.ask("c")
    desk.film("other")
    desk.film()
    desk.film()
    (path,) = desk.files()
    assert path.name.endswith("-c.jpg") and desk.detector.asked == [FAINT]
    picture = np.asarray(cv2.imread(str(path)), np.int16)
    inside = picture[60:180, 100:160]
    # Blocks of 28 px: beside a block's border nothing differs but by what JPEG does.
    assert np.abs(np.diff(inside, axis=1)).mean() < 0.3 * np.abs(np.diff(picture[:, :80], axis=1)).mean()


def test_one_every_ten_seconds_of_each_camera(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    for camera in ("c", "d", "c"):
        desk.snapshots.ask(camera)
        desk.film(camera)
        desk.written()
    desk.after(EVERY_S)
    desk.snapshots.ask("c")
    desk.film("c")
    assert sorted(path.name[-5:] for path in desk.files()) == ["c.jpg", "c.jpg", "d.jpg"]


def test_a_camera_that_comes_back_too_late_has_nothing_to_show(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    desk.snapshots.ask("c")
    desk.after(ASKED_FOR_S + 0.1)
    desk.film()
    assert desk.files() == []


def test_the_oldest_go(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path, keep=2)
    for _ in range(4):
        desk.snapshots.ask("c")
        desk.film()
        desk.after(EVERY_S)
        desk.written()
    kept = desk.files()
    assert len(kept) == 2 and kept[0].name > "19700101T0000"


def test_where_the_detector_fails_no_picture_is_written(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    desk.detector.fails = True
    desk.snapshots.ask("c")
    desk.film()
    assert desk.files() == [] and desk.snapshots.failed == 1


def test_a_disk_that_is_gone_costs_the_picture(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    desk.folder.write_text("no folder")
    desk.snapshots.ask("c")
    desk.film()
    desk.snapshots.close()
    assert desk.snapshots.failed == 1
