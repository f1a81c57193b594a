"""False alarms on a road where nothing arrives: what is one, and what is a parked car."""

import pathlib

import cv2
import numpy as np
import pytest

from tools.detector import alarms
from tools.detector.alarms import QUIET, Counted, Stretch, frames, unexplained
from tools.detector.errors import CannotMeasure

FOOTAGE = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "footage"

PARKED = ((100, 100, 160, 140), (165, 100, 220, 140))
SHAPE = (360, 640)


def box(*corners: float) -> np.ndarray:
    return np.array([corners], np.float32)


def pictures(*each: np.ndarray | None, step_s: float = 0.1) -> list[tuple[float, np.ndarray]]:
    nothing = np.empty((0, 4), np.float32)
    return [(index * step_s, nothing if one is None else one) for index, one in enumerate(each)]


@pytest.mark.parametrize(
    ("corners", "false"),
    [
        ((102, 98, 158, 141), False),
        ((100, 98, 222, 142), False),  # both parked cars as one
        ((110, 110, 130, 130), False),  # a part of one
        ((100, 140, 160, 190), True),  # the shadow before it
        ((60, 80, 160, 140), True),  # 40 % of it
        ((400, 100, 440, 130), True),
        ((-20, 100, 30, 140), True),  # reaches over the edge
    ],
)
def test_a_box_on_what_is_parked_is_no_alarm(corners: tuple[float, ...], false: bool) -> None:
    assert len(unexplained(box(*corners), PARKED, SHAPE)) == false


def test_a_box_of_a_single_picture_is_no_alarm_and_one_that_stays_is_one() -> None:
    one = box(400, 100, 440, 130)
    assert alarms.alarms(pictures(one)) == 0
    assert alarms.alarms(pictures(one, one)) == 1
    assert alarms.alarms(pictures(*[one] * 9)) == 1


def test_a_flicker_is_one_alarm_and_a_return_is_another() -> None:
    one = box(400, 100, 440, 130)
    assert alarms.alarms(pictures(one, one, None, None, one, one)) == 1
    assert alarms.alarms(pictures(one, one, *[None] * 6, one, one)) == 2
    assert alarms.alarms(pictures(one, *[None] * 6, one)) == 0


def test_two_places_are_two_alarms_and_a_moving_one_is_followed() -> None:
    both = np.concatenate([box(400, 100, 440, 130), box(30, 200, 60, 220)])
    assert alarms.alarms(pictures(both, both)) == 2
    moving = [box(100 + 8 * i, 100, 140 + 8 * i, 130) for i in range(9)]
    assert alarms.alarms(pictures(*moving)) == 1
    assert alarms.alarms(pictures(box(400, 100, 440, 130), box(30, 200, 60, 220))) == 0


def test_a_rate_is_by_the_time_looked_at() -> None:
    stretch = Stretch("a.mp4", 10, 49, 2, 20, ())
    assert stretch.seconds == pytest.approx(2)
    assert Counted(3, 90).a_minute == pytest.approx(2)


def test_a_clip_that_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CannotMeasure, match=r"street\.mp4"):
        next(frames(tmp_path / "street.mp4", Stretch("street.mp4", 0, 5, 1, 10, ())))


@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="the roadside clips are not at ../shared/footage")
@pytest.mark.parametrize("stretch", QUIET, ids=lambda one: f"{one.clip} {one.first}-{one.last}")
def test_nothing_comes_or_goes_in_the_stretches(stretch: Stretch) -> None:
    """Between frames of a second apart nothing as large as a road user changes, leaves and shadows aside."""
    small = [
        cv2.GaussianBlur(cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (160, 90)), (0, 0), 1.5).astype(int)
        for _, frame in frames(FOOTAGE / stretch.clip, stretch)
    ]
    assert len(small) == len(range(stretch.first, stretch.last + 1, stretch.step))
    apart = max(1, round(stretch.fps / stretch.step))
    for before, after in zip(small, small[apart:], strict=False):
        # Below the crowns, whose shadows sway in side_road_day (87 px at most); a car that passes changes 1,200 px.
        changed = (np.abs(after - before) > 20)[25:]
        assert changed.sum() < 150
    clip = cv2.VideoCapture(str(FOOTAGE / stretch.clip))
    assert clip.get(cv2.CAP_PROP_FPS) == pytest.approx(stretch.fps, abs=0.01)
    clip.release()
