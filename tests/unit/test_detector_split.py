"""Which validation pictures are fair: none that training knows, by name, by camera or by its pixels."""

import pathlib

import cv2
import numpy as np
import pytest

from tools.detector import split
from tools.detector.errors import CannotMeasure

DATA = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "road_users"

with_pictures = pytest.mark.skipif(not DATA.is_dir(), reason="the labelled pictures are not at ../shared/road_users")


def stems(part: str, kind: str) -> set[str]:
    return {path.stem for path in (DATA / part / "images").glob(f"{kind}*")}


@with_pictures
@pytest.mark.parametrize("kind", [split.POLE, split.CLOSE])
def test_no_picture_of_train_is_in_val_by_name(kind: str) -> None:
    train, val = stems("train", kind), stems("val", kind)
    assert train
    assert val
    assert not train & val


@with_pictures
def test_every_pole_view_of_val_has_a_camera_and_every_name_written_down_is_there() -> None:
    assert set(split.CAMERAS) == stems("val", split.POLE)
    assert stems("val", split.CLOSE) >= split.TWINS


def test_the_cameras_that_training_knows_are_told_apart() -> None:
    assert {"junction", "jam", "bend"} == split.IN_TRAIN
    unseen = [stem for stem, camera in split.CAMERAS.items() if camera not in split.IN_TRAIN]
    assert len(split.CAMERAS) == 216
    assert len(unseen) == 183
    assert split.camera("hw_80229005b3") is None


def test_a_pole_view_that_nobody_placed_is_refused() -> None:
    with pytest.raises(CannotMeasure, match="atl_new"):
        split.camera("atl_new")


def thumbnails(part: str) -> tuple[list[str], np.ndarray]:
    names, small = [], []
    for path in sorted((DATA / part / "images").glob(f"{split.CLOSE}*")):
        picture = cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        names.append(path.stem)
        small.append(cv2.resize(picture, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float32))
    return names, np.stack(small)


def even(pictures: np.ndarray) -> np.ndarray:
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


@with_pictures
def test_close_views_that_are_pictures_of_train_as_they_are_or_mirrored_are_the_ones_left_out() -> None:
    _, train = thumbnails("train")
    names, val = thumbnails("val")
    alike = np.maximum(even(val) @ even(train).T, even(val[:, :, ::-1]) @ even(train).T).max(axis=1)
    assert {name for name, same in zip(names, alike, strict=True) if same > 0.95} == split.TWINS
