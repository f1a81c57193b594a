"""Which faults of a model are shown first."""

import pathlib

import numpy as np

from models.training.data import Sample
from models.training.teachers import CLASSES
from tools.detector.light import Light
from tools.detector.looking import Look, Picture
from tools.detector.matching import Boxes
from tools.detector.sheets import TILES, Fault, false_alarms, missed, worst

CAR, TRUCK, PERSON = CLASSES.index("car"), CLASSES.index("truck"), CLASSES.index("person")

FAR, NEAR, TALL = (0, 0, 20, 12), (100, 0, 160, 40), (200, 0, 260, 90)
NOBODY, ALSO_NOBODY = (300, 0, 340, 30), (400, 0, 440, 30)


def picture(*users: tuple[int, tuple[float, ...]], name: str = "hw_a") -> Picture:
    boxes = np.array([box for _, box in users], np.float32).reshape(-1, 4)
    classes = np.array([cls for cls, _ in users], np.int64)
    sample = Sample(pathlib.Path(f"{name}.jpg"), boxes, classes, np.empty((0, 4), np.float32))
    return Picture(sample, Light.DAY, "avenue" if name.startswith("atl_") else None)


def says(*users: tuple[int, float, tuple[float, ...]]) -> Look:
    """What a model says of both questions; vehicles taken as one are all of class 0."""
    boxes = np.array([box for _, _, box in users], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score, _ in users], np.float32)
    kinds = Boxes(boxes, np.array([cls for cls, _, _ in users], np.intp), scores)
    return Look(kinds, Boxes(boxes, np.zeros(len(users), np.intp), scores))


def words(faults: list[Fault]) -> list[str]:
    return [fault.words for fault in worst(faults)]


def test_the_worst_miss_is_what_a_teacher_saw_and_then_the_tallest() -> None:
    street = picture((CAR, FAR), (CAR, NEAR), (CAR, TALL))
    nothing, teacher = says(), says((CAR, 0.9, FAR), (CAR, 0.2, NEAR))
    assert words(list(missed(street, nothing, teacher, 0.3))) == ["car 12 px, teacher saw it", "car 90 px", "car 40 px"]
    unsure = says((CAR, 0.5, TALL), (CAR, 0.2, FAR))
    assert words(list(missed(street, unsure, teacher, 0.3))) == ["car 12 px, teacher saw it", "car 40 px"]


def test_the_worst_false_alarm_is_the_surest_that_no_teacher_shares() -> None:
    street = picture((CAR, NEAR))
    mine = says((CAR, 0.9, ALSO_NOBODY), (CAR, 0.8, NEAR), (TRUCK, 0.7, NOBODY), (CAR, 0.5, TALL), (CAR, 0.2, FAR))
    teacher = says((CAR, 0.6, ALSO_NOBODY))
    got = words(list(false_alarms(street, mine, teacher, 0.3)))
    assert got == ["truck 0.70", "car 0.50", "car 0.90, teacher too"]


def test_on_a_pole_view_vehicles_are_one_and_nobody_misses_a_person() -> None:
    street = picture((TRUCK, NEAR), (PERSON, FAR), name="atl_a")
    assert words(list(missed(street, says(), says(), 0.3))) == ["vehicle 40 px"]
    assert not list(false_alarms(street, says((CAR, 0.9, NEAR)), says(), 0.3)), "a truck taken for a car is a vehicle"
    close = picture((TRUCK, NEAR))
    assert words(list(false_alarms(close, says((CAR, 0.9, NEAR)), says(), 0.3))) == ["car 0.90"]


def test_a_sheet_holds_the_worst_few() -> None:
    street = picture(*((CAR, (0, 0, 30, 10 + i)) for i in range(TILES + 9)))
    shown = worst(list(missed(street, says(), says(), 0.3)))
    assert len(shown) == TILES
    assert shown[0].words == f"car {10 + TILES + 8} px"
