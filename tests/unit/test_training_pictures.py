"""What training sees: boxes stay on their cars, small ones come often, a picture depends on nothing drawn before."""

import pathlib

import cv2
import numpy as np
import pytest

from models.training import labels, pictures
from models.training.data import Sample, fill_gaps, read_samples
from models.training.pictures import Batches, Picture
from models.training.teachers import CLASSES, COCO_ROWS, Candidates, NanoDetTeacher

SHARED = pathlib.Path(__file__).parents[2].parent / "shared"

RED = (30, 30, 220)


def boxes_of(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(len(rows), -1)


def folder_of(folder: pathlib.Path, users: dict[str, list[tuple[int, tuple[int, int, int, int]]]]) -> pathlib.Path:
    """Pictures of 512×384 px, even asphalt, each labelled road user a red block where its label says."""
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for name, there in users.items():
        image = np.full((384, 512, 3), 120, np.uint8)
        rows = []
        for cls, (x0, y0, x1, y1) in there:
            image[y0:y1, x0:x1] = RED
            middle, side = ((x0 + x1) / 1024, (y0 + y1) / 768), ((x1 - x0) / 512, (y1 - y0) / 384)
            rows.append(f"{cls} {middle[0]} {middle[1]} {side[0]} {side[1]}\n")
        cv2.imwrite(str(folder / "images" / f"{name}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 98])
        (folder / "labels" / f"{name}.txt").write_text("".join(rows), "ascii")
    return folder


@pytest.fixture
def streets(tmp_path: pathlib.Path) -> list[Sample]:
    """A parked car and a bus from close by, each alone; a junction from a pole with four cars far off."""
    far = [(2, (60 + 100 * i, 120 + 40 * i, 90 + 100 * i, 142 + 40 * i)) for i in range(4)]
    close = {"hw_car": [(2, (100, 100, 400, 300))], "hw_bus": [(3, (30, 20, 480, 370))], "atl_junction": far}
    return read_samples(folder_of(tmp_path, close))


def redness(image: np.ndarray, box: np.ndarray) -> float:
    """Share of a box that is red, its edge left out."""
    x0, y0, x1, y1 = (int(v) for v in (box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1))
    patch = image[y0:y1, x0:x1].astype(int)
    return float((patch[..., 2] > patch[..., 1] + 40).mean()) if patch.size else 1.0


def heights(picture: Picture) -> np.ndarray:
    return picture.boxes[:, 3] - picture.boxes[:, 1]


def test_boxes_stay_on_their_cars_and_every_car_is_known(streets: list[Sample]) -> None:
    batches = Batches(streets, size=256, batch=12, seed=4)
    seen = 0
    for step in range(1, 6):
        for picture in batches.batch(step):
            known = np.concatenate([picture.boxes, picture.ignored])
            seen += len(picture.boxes)
            assert picture.image.shape == (256, 256, 3)
            if len(known):
                assert known.min() >= 0
                assert known.max() <= 256
            assert all(redness(picture.clean, box) > 0.9 for box in picture.boxes)
            red = (picture.clean[..., 2].astype(int) > picture.clean[..., 1].astype(int) + 60).astype(np.uint8)
            for x0, y0, x1, y1 in known:
                red[max(0, int(y0) - 2) : int(y1) + 3, max(0, int(x0) - 2) : int(x1) + 3] = 0
            assert red.sum() < 12  # nothing red that is neither labelled nor left out
    assert seen > 200


def test_a_picture_depends_on_seed_step_and_place_alone(streets: list[Sample]) -> None:
    first, again, other = (Batches(streets, size=128, batch=4, seed=seed) for seed in (4, 4, 5))
    in_order = [first.batch(step) for step in (1, 2, 3)]
    later = again.batch(3)
    for one, two in zip(in_order[2], later, strict=True):
        assert (one.image == two.image).all()
        assert (one.boxes == two.boxes).all()
        assert (one.ignored == two.ignored).all()
    assert not all((a.image == b.image).all() for a, b in zip(in_order[0], in_order[1], strict=True))
    assert not all((a.image == b.image).all() for a, b in zip(in_order[0], other.batch(1), strict=True))


def test_a_recipe_may_leave_weather_and_small_vehicles_out(streets: list[Sample]) -> None:
    clear = Batches(streets, size=128, batch=12, seed=1, degraded=0.0).batch(1)
    assert all((picture.image == picture.clean).all() for picture in clear)
    bad = Batches(streets, size=128, batch=12, seed=1, degraded=1.0).batch(1)
    assert sum((picture.image != picture.clean).any() for picture in bad) >= 4
    close = Batches([street for street in streets if not street.pole], size=416, batch=12, seed=1, small=0.0)
    assert np.median(np.concatenate([heights(picture) for picture in close.batch(1)])) > 61


def test_close_views_come_shrunk_until_their_vehicles_are_15_to_60_px_high(streets: list[Sample]) -> None:
    batches = Batches(streets, size=416, batch=6, seed=1, small=1.0)
    many = [picture for step in (1, 2) for picture in batches.batch(step)]
    high = np.concatenate([heights(picture) for picture in many])
    assert min(len(picture.boxes) for picture in many) >= 6
    assert (high < 61).all()
    # A vehicle is only ever cut where its row or the picture ends.
    assert ((high >= 14) & (high <= 61)).mean() > 0.9
    assert (high < 32).mean() > 0.2


def test_a_view_of_one_bus_is_not_shrunk_to_a_stamp(streets: list[Sample]) -> None:
    bus = next(s for s in streets if s.path.stem == "hw_bus")
    for seed in range(20):
        ratio, tallest = pictures._shrinking(bus, bus.image(), np.random.default_rng(seed))
        assert tallest == 0
        assert 512 * ratio >= pictures.LEAST_TILE_PX - 1
        assert 350 * ratio <= 60.5


def test_what_is_cut_off_or_tiny_is_left_out_of_the_loss_and_not_background(streets: list[Sample]) -> None:
    canvas = np.zeros((60, 60, 3), np.uint8)
    bus = next(s for s in streets if s.path.stem == "hw_bus")
    junction = next(s for s in streets if s.path.stem == "atl_junction")
    for seed in range(20):
        random = np.random.default_rng(seed)
        boxes, _, ignored = pictures._place(canvas, (0, 0, 60, 60), bus, bus.image(), 0.6, random)
        assert len(boxes) + len(ignored) == 1  # a window of a bus of 270 px: far less than a quarter of it
        assert len(ignored) == 1
        boxes, _, ignored = pictures._place(canvas, (0, 0, 60, 60), junction, junction.image(), 0.1, random)
        assert (len(boxes), len(ignored)) == (0, 4)  # cars of 2 px


def test_the_teacher_of_a_degraded_picture_sees_the_clean_one(streets: list[Sample]) -> None:
    batch = [picture for step in range(1, 4) for picture in Batches(streets, size=128, batch=8, seed=2).batch(step)]
    same = sum((picture.image == picture.clean).all() for picture in batch)
    assert 4 < same < 20


def test_coco_rows_are_those_of_the_published_order() -> None:
    names = {0: "person", 1: "bicycle", 2: "car", 3: "motorcycle", 5: "bus", 7: "truck"}
    assert [[names[row] for row in rows] for rows in COCO_ROWS] == [
        ["person"],
        ["bicycle", "motorcycle"],
        ["car"],
        ["bus"],
        ["truck"],
    ]
    assert len(CLASSES) == len(COCO_ROWS)


class Seer:
    """A teacher that always sees the same."""

    def __init__(self, *users: tuple[int, float, tuple[float, float, float, float]]) -> None:
        self._boxes = boxes_of(*(box for _, _, box in users))
        self._scores = np.zeros((len(users), 5), np.float32)
        for row, (cls, score, _) in enumerate(users):
            self._scores[row, cls] = score

    def candidates(self, _image: np.ndarray) -> Candidates:
        return Candidates(self._boxes, self._scores)


def test_a_teacher_fills_gaps_and_leaves_labels_alone(streets: list[Sample]) -> None:
    close = next(s for s in streets if s.path.stem == "hw_car")
    assert not close.pole
    assert close.boxes.tolist() == [[pytest.approx(v) for v in (100, 100, 400, 300)]]
    seer = Seer(
        (2, 0.9, (104, 101, 400, 300)),  # the labelled car again
        (4, 0.8, (420, 20, 510, 80)),  # a truck nobody labelled
        (0, 0.3, (5, 5, 15, 25)),  # perhaps a person
        (2, 0.1, (485, 280, 495, 290)),  # nothing
    )
    filled = fill_gaps(close, seer)
    assert [CLASSES[c] for c in filled.classes] == ["car", "truck"]
    assert filled.boxes[0].tolist() == close.boxes[0].tolist()
    assert filled.ignored.tolist() == [[5, 5, 15, 25]]


def test_filled_labels_are_kept_to_the_bit_and_made_again_when_a_label_changes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path, {"hw_car": [(2, (101, 103, 400, 299))]})
    teacher = tmp_path / "teacher.onnx"
    teacher.write_bytes(b"first")
    asked = []

    def seer(path: pathlib.Path, *, threads: int) -> Seer:
        asked.append((path, threads))
        return Seer((4, 0.8, (420.125, 20.3, 510, 80)), (0, 0.3, (5, 5, 15.7, 25)))

    monkeypatch.setattr(labels, "NanoDetTeacher", seer)
    kept = tmp_path / "labels.json"
    (made,), key = labels.filled(folder, teacher, kept, 1)
    (read,), same = labels.filled(folder, teacher, kept, 1)
    assert len(asked) == 1
    assert key == same
    assert read.path == made.path
    for name in ("boxes", "classes", "ignored"):
        assert getattr(read, name).dtype == getattr(made, name).dtype
        assert getattr(read, name).tobytes() == getattr(made, name).tobytes()
    (folder / "labels" / "hw_car.txt").write_text("2 0.5 0.5 0.2 0.2\n")
    (changed,), other = labels.filled(folder, teacher, kept, 1)
    assert other != key
    assert len(changed.boxes) == 2
    assert changed.boxes[0].tolist() != made.boxes[0].tolist()
    teacher.write_bytes(b"second")
    assert labels.filled(folder, teacher, kept, 1)[1] != other
    assert len(asked) == 3


@pytest.mark.skipif(not (SHARED / "teacher").exists(), reason=f"the teachers are not there: {SHARED / 'teacher'}")
def test_the_real_teacher_finds_cars_that_a_pole_view_has_no_label_for(tmp_path: pathlib.Path) -> None:
    """All labels of a real pole view taken away: the teacher brings most of the large ones back."""
    teacher = NanoDetTeacher(SHARED / "teacher" / "nanodet_plus_m_1_5x_640x384.onnx")
    image = next((SHARED / "road_users" / "train" / "images").glob("atl_*.jpg"))
    whole = next(s for s in read_samples_of(image, tmp_path))
    bare = Sample(whole.path, np.empty((0, 4), np.float32), np.empty(0, np.int64), np.empty((0, 4), np.float32))
    filled = fill_gaps(bare, teacher)
    assert len(filled.boxes) > 0
    assert len(filled.boxes) + len(filled.ignored) >= 0.3 * len(whole.boxes)


def read_samples_of(image: pathlib.Path, into: pathlib.Path) -> list[Sample]:
    """The samples of a folder that holds one real picture and its label."""
    label = image.parents[1] / "labels" / f"{image.stem}.txt"
    for source in (image, label):
        place = into / source.parent.name
        place.mkdir()
        (place / source.name).write_bytes(source.read_bytes())
    return read_samples(into)
