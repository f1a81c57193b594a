"""Tracks in pixels: one number for one road user, none for a flicker, and each who passed counted once."""

import random

import pytest

from device.vision.pixel_tracks import PixelTracks, iou
from hal.clock import NS_PER_S
from models.detector import Detection

THRESHOLD = 0.3


def car(x: float, y: float, width: float = 60, score: float = 0.8, cls: str = "car") -> Detection:
    """A vehicle whose middle is here, as high as half its width."""
    return Detection(cls, score, x - width / 2, y - width / 4, x + width / 2, y + width / 4)


class Road:
    """A camera at ten pictures a second."""

    def __init__(self) -> None:
        self.tracks = PixelTracks(THRESHOLD)
        self.now_ns = 0

    def see(self, *found: Detection) -> list[int]:
        """The numbers of the confirmed tracks that the picture shows."""
        self.now_ns += NS_PER_S // 10
        return [track.id for track in self.tracks.update(self.now_ns, found) if track.confirmed]

    def empty(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.see()


def test_a_car_that_comes_nearer_is_one_track_and_passes_once() -> None:
    road, rng, numbers = Road(), random.Random(4), set()
    for step in range(30):
        width = 30 * 1.06**step
        numbers.update(road.see(car(200 + 10 * step + rng.gauss(0, 1), 100 + 5 * step, width + rng.gauss(0, 2))))
    assert len(numbers) == 1 and road.tracks.passed == {}
    road.empty(1.2)
    assert road.tracks.passed == {"car": 1}


def test_two_boxes_are_nobody_three_are_a_road_user() -> None:
    road = Road()
    assert road.see(car(100, 100)) == road.see(car(100, 100)) == []
    assert road.tracks.begun == 0
    assert road.see(car(100, 100)) == [1]
    assert road.tracks.begun == 1


def test_a_box_below_the_threshold_keeps_a_track_and_begins_none() -> None:
    road = Road()
    for step in range(4):
        road.see(car(100 + 5 * step, 100))
    for step in range(4, 20):
        assert road.see(car(100 + 5 * step, 100, score=0.12)) == [1]
    alone = Road()
    for step in range(10):
        assert alone.see(car(100 + 5 * step, 100, score=0.29)) == []
    assert alone.tracks.begun == 0


def test_a_vent_in_a_wall_that_is_now_and_then_a_car_is_nobody_until_three_boxes_are_believed() -> None:
    road = Road()
    for score in (0.31, 0.2, 0.25, 0.31, 0.15, 0.22):
        assert road.see(car(100, 100, width=20, score=score)) == []
    assert road.tracks.begun == 0
    assert road.see(car(100, 100, width=20, score=0.31)) == [1]


def test_a_parked_car_that_flickers_for_a_minute_is_no_newcomer_and_never_passes() -> None:
    road, rng = Road(), random.Random(2)
    for _ in range(40):
        road.see(car(300, 200))
    for number in range(600):
        road.see(*[car(300 + rng.gauss(0, 3), 200 + rng.gauss(0, 2))] if number % 150 == 0 else [])
    assert road.tracks.begun == 1
    road.empty(61)
    assert road.tracks.passed == {}
    road.see(car(300, 200))
    road.see(car(300, 200))
    assert road.see(car(300, 200)) == [2], "after a minute unseen it is somebody else"


def test_who_drives_past_a_parked_car_takes_its_number_nowhere() -> None:
    road = Road()
    for _ in range(40):
        road.see(car(300, 200))
    for step in range(40):
        passing = car(100 + 10 * step, 190)
        hides = abs(passing.x0 - 270) < 25
        road.see(passing, *([] if hides else [car(300, 200)]))
    road.empty(1.2)
    assert road.tracks.passed == {"car": 1} and road.tracks.begun == 2
    assert road.see(car(300, 200)) == [1]


def test_a_car_that_stood_and_drives_off_counts_once() -> None:
    road = Road()
    for _ in range(40):
        road.see(car(300, 200))
    for step in range(30):
        road.see(car(300 + 8 * step, 200))
    road.empty(1.2)
    assert road.tracks.passed == {"car": 1}


def test_one_who_comes_straight_at_the_camera_does_not_stand() -> None:
    """60 m off at 36 km/h: in three seconds its middle moves by a few pixels, and it is twice as large."""
    road, numbers = Road(), set()
    for step in range(50):
        away_m = 60 - step
        numbers.update(road.see(car(320 + step / 5, 120 + 200 / away_m, 1500 / away_m)))
    assert numbers == {1}


def test_van_and_lorry_at_one_place_are_one_vehicle_and_its_rider_is_nobody_elses() -> None:
    road = Road()
    for _ in range(5):
        numbers = road.see(
            car(100, 100, cls="truck", score=0.6),
            car(102, 100),
            car(400, 100, cls="two_wheeler"),
            car(400, 98, cls="person"),
        )
    assert len(numbers) == 3


def test_the_class_is_what_the_last_pictures_said_most() -> None:
    road = Road()
    for step in range(12):
        road.see(car(100 + 10 * step, 100, cls="truck" if step % 3 == 0 else "car"))
    road.empty(1.2)
    assert road.tracks.passed == {"car": 1}


def test_another_of_twice_the_size_is_another() -> None:
    road = Road()
    for _ in range(5):
        road.see(car(100, 100, 40))
    for _ in range(5):
        numbers = road.see(car(100, 100, 90))
    assert numbers == [2]


def test_who_is_gone_for_a_second_is_another_when_he_comes_back() -> None:
    road = Road()
    for step in range(10):
        road.see(car(100 + 10 * step, 100))
    road.empty(0.8)
    assert road.see(car(270, 100)) == [1]
    for step in range(5):
        road.see(car(280 + 10 * step, 100))
    road.empty(1.1)
    for step in range(3):
        numbers = road.see(car(420 + 10 * step, 100))
    assert numbers == [2] and road.tracks.passed == {"car": 1}


def test_the_order_of_boxes_changes_nothing() -> None:
    one, other, rng = Road(), Road(), random.Random(1)
    for step in range(30):
        found = [car(100 + 9 * step, 100), car(500 - 9 * step, 130), car(300, 240)]
        shuffled = rng.sample(found, 3)
        assert sorted(one.see(*found)) == sorted(other.see(*shuffled))
    assert one.tracks.begun == other.tracks.begun == 3


@pytest.mark.parametrize(("box", "shared"), [((0, 0, 10, 10), 1.0), ((5, 0, 15, 10), 1 / 3), ((10, 0, 20, 10), 0.0)])
def test_the_common_share_of_two_boxes(box: tuple[float, float, float, float], shared: float) -> None:
    assert iou((0, 0, 10, 10), box) == pytest.approx(shared)
