"""Which box meets which label, and what each question then counts."""

import numpy as np
import pytest

from models.training.teachers import CLASSES, Candidates
from tools.detector.curves import draws
from tools.detector.matching import Boxes, Labels, as_vehicle, by_class, gaps, match, ranked
from tools.detector.questions import HEIGHTS, Answer, answer, mean

CAR, TRUCK, PERSON = CLASSES.index("car"), CLASSES.index("truck"), CLASSES.index("person")


def rows(*each: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(each, np.float32).reshape(-1, 4)


def seen(*users: tuple[int, float, tuple[float, float, float, float]]) -> Boxes:
    """Class, score and box of what a model sees in a picture, best first."""
    return Boxes(
        rows(*(box for _, _, box in users)),
        np.array([cls for cls, _, _ in users], np.intp),
        np.array([score for _, score, _ in users], np.float32),
    )


def test_a_label_is_met_once_by_the_surest_box() -> None:
    labels = rows((0, 0, 10, 10), (100, 0, 110, 10))
    found = seen(
        (CAR, 0.9, (0, 0, 10, 9)),
        (CAR, 0.8, (0, 0, 10, 10)),  # lies better, comes later
        (CAR, 0.7, (100, 4, 110, 14)),  # IoU 6/14
        (CAR, 0.6, (200, 0, 210, 10)),
        (CAR, 0.5, (100, 2, 110, 12)),  # IoU 8/12
    )
    assert match(found, labels, np.array([CAR, CAR])).tolist() == [0, -1, -1, -1, 1]


def test_a_box_takes_the_label_it_lies_on_best_and_then_the_one_left() -> None:
    labels = rows((0, 0, 10, 10), (0, 2, 10, 12))
    found = seen((CAR, 0.9, (0, 2, 10, 12)), (CAR, 0.8, (0, 2, 10, 12)))
    assert match(found, labels, np.array([CAR, CAR])).tolist() == [1, 0]


def test_a_truck_taken_for_a_car_meets_nothing() -> None:
    assert match(seen((CAR, 0.9, (0, 0, 9, 9))), rows((0, 0, 9, 9)), np.array([TRUCK])).tolist() == [-1]


def test_pictures_without_boxes_or_labels() -> None:
    assert match(seen(), rows((0, 0, 9, 9)), np.array([CAR])).tolist() == []
    assert match(seen((CAR, 0.9, (0, 0, 9, 9))), rows(), np.array([], np.intp)).tolist() == [-1]


def test_one_body_as_car_and_truck_is_two_by_class_and_one_vehicle_and_a_person_is_none() -> None:
    scores = np.zeros((3, 5), np.float32)
    scores[0, CAR], scores[1, TRUCK], scores[2, PERSON] = 0.8, 0.7, 0.9
    found = Candidates(rows((0, 0, 40, 20), (0, 0, 40, 21), (60, 0, 70, 30)), scores)
    assert sorted(by_class(found, 0.5).classes.tolist()) == [PERSON, CAR, TRUCK]
    vehicle = as_vehicle(found, 0.5)
    assert vehicle.boxes.tolist() == [[0, 0, 40, 20]]
    assert vehicle.scores.tolist() == pytest.approx([0.8])


def test_a_gap_is_what_both_teachers_are_sure_of_and_nobody_labelled() -> None:
    one = seen(
        (CAR, 0.9, (0, 0, 10, 10)),  # labelled
        (CAR, 0.8, (50, 0, 60, 10)),  # the other sees it too
        (CAR, 0.8, (80, 0, 90, 10)),  # the other is not sure
        (TRUCK, 0.7, (110, 0, 120, 10)),  # the other says car
        (CAR, 0.3, (140, 0, 150, 10)),  # not sure itself
    )
    two = seen(
        (CAR, 0.9, (0, 0, 10, 10)),
        (CAR, 0.9, (140, 0, 150, 10)),
        (CAR, 0.6, (50, 1, 60, 10)),
        (CAR, 0.6, (110, 0, 120, 10)),
        (CAR, 0.4, (80, 0, 90, 10)),
    )
    assert gaps(one, two, 0.42, rows((0, 0, 10, 10))).tolist() == [[50, 0, 60, 10]]
    assert gaps(one, seen(), 0.42, rows((0, 0, 10, 10))).shape == (0, 4)


class Street:
    """Two pictures: a far car (12 px high) and a near truck (70 px), and a car of 40 px."""

    first = rows((0, 0, 12, 12), (100, 0, 200, 70))
    second = rows((0, 0, 60, 40))
    labels = Labels(np.array([0, 0, 1]), np.array([CAR, TRUCK, CAR]), np.array([12, 70, 40], np.float32))

    def ask(self, *found: Boxes, **asked: object) -> Answer:
        truth = ((self.first, np.array([CAR, TRUCK])), (self.second, np.array([CAR])))
        met = [match(one, *each) for one, each in zip(found, truth, strict=True)]
        regions = [rows((300, 0, 320, 20)), rows()]
        boxes = ranked(found, met, self.labels, regions)
        options = {"pictures": np.array([True, True]), **asked}
        return answer(boxes, self.labels, draws(2, rounds=10), 0.3, **options)  # type: ignore[arg-type]


ALL = (
    seen(
        (TRUCK, 0.9, (100, 0, 200, 70)),
        (CAR, 0.8, (300, 0, 320, 20)),  # nobody labelled it: 20 px high
        (CAR, 0.2, (0, 0, 12, 12)),
    ),
    seen((CAR, 0.85, (0, 0, 60, 40))),
)


def test_every_label_of_the_view_counts_and_recall_asks_for_a_sure_box() -> None:
    got = Street().ask(*ALL)
    assert got.labels == 3
    # Truck, car, false, far car: recall 2/3 at precision 1, the last third at 3/4.
    assert got.ap[0] == pytest.approx(2 / 3 + 1 / 3 * 3 / 4)
    assert got.recall[0] == pytest.approx(2 / 3)


def test_by_class() -> None:
    cars = Street().ask(*ALL, cls=CAR)
    assert cars.labels == 2
    assert cars.ap[0] == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert cars.recall[0] == pytest.approx(1 / 2)
    trucks = Street().ask(*ALL, cls=TRUCK)
    assert (trucks.labels, trucks.ap[0]) == (1, pytest.approx(1))


@pytest.mark.parametrize(
    ("height_px", "band"),
    [(0.5, 0), (15.9, 0), (16, 1), (31.9, 1), (32, 2), (63.9, 2), (64, 3), (500, 3)],
)
def test_the_bands_of_height_meet_without_a_gap(height_px: float, band: int) -> None:
    assert [least <= height_px < less for least, less in HEIGHTS.values()].index(True) == band
    assert sum(least <= height_px < less for least, less in HEIGHTS.values()) == 1


def test_by_height_a_box_on_a_label_of_another_height_is_set_aside() -> None:
    street = Street()
    low, second, third, high = (street.ask(*ALL, height_px=band) for band in HEIGHTS.values())
    assert [one.labels for one in (low, second, third, high)] == [1, 0, 1, 1]
    # The false box is 20 px high: it spoils its own band only, where no label is.
    assert (low.ap[0], third.ap[0], high.ap[0]) == (1, 1, 1)
    assert np.isnan(second.ap[0])
    assert low.recall[0] == 0, "seen, but not surely"
    # A false box of 12 px above it does spoil the lowest band.
    again = street.ask(seen((CAR, 0.9, (400, 0, 412, 12)), (CAR, 0.2, (0, 0, 12, 12))), seen(), height_px=(0, 16))
    assert again.ap[0] == pytest.approx(1 / 2)


def test_only_the_pictures_asked_for() -> None:
    second = Street().ask(*ALL, pictures=np.array([False, True]))
    assert (second.labels, second.ap[0], second.recall[0]) == (1, 1, 1)


def test_what_lies_on_a_gap_is_charged_unless_set_aside() -> None:
    assert Street().ask(*ALL, gaps_aside=True).ap[0] == pytest.approx(1)
    assert Street().ask(*ALL).ap[0] < 1


def test_the_mean_over_classes_leaves_out_a_class_without_a_label() -> None:
    street = Street()
    each = [street.ask(*ALL, cls=index) for index in range(len(CLASSES))]
    got = mean(each)
    assert got.ap[0] == pytest.approx((1 / 2 + 1 / 2 * 2 / 3 + 1) / 2)
    assert got.recall[0] == pytest.approx((1 / 2 + 1) / 2)
    assert got.labels == 3
