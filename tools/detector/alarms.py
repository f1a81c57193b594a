"""False alarms on stretches of real clips in which nothing arrives: only parked vehicles, or an empty road.

The stretches were found and the parked vehicles marked by hand (frame numbers from 0, boxes in pixels). A box of a
model at its own threshold with under half of its area on the marks is a false one; false ones that follow each other
make one alarm when they last for two pictures, as a node confirms what it sees.

Known limit: 247 pictures are 23 seconds of road (and as many in each weather), so one alarm is 2.6 a minute; a rate of
0.2 a minute cannot be shown with what there is, only refuted.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from models.boxes import Floats, Image
from models.training.data import overlap
from tools.detector.degrade import WEATHERS, degraded
from tools.detector.errors import CannotMeasure
from tools.detector.looking import CLEAR
from tools.detector.matching import by_class
from tools.detector.scorers import Contestant


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """Frames ``first``..``last`` of a clip, every ``step``-th, in which nothing but ``parked`` is there to be seen."""

    clip: str
    first: int
    last: int
    step: int
    fps: float
    parked: tuple[tuple[float, float, float, float], ...]

    @property
    def seconds(self) -> float:
        """Road time of the pictures looked at."""
        return len(range(self.first, self.last + 1, self.step)) * self.step / self.fps


_STREET = (
    (84, 106, 150, 150),  # three cars at the far kerb
    (143, 82, 218, 142),
    (212, 76, 302, 134),
    (8, 220, 84, 278),  # a van, a motorcycle under its cover, two large cars at the near kerb
    (72, 242, 130, 288),
    (160, 212, 308, 306),
    (302, 228, 476, 320),
    (330, 0, 420, 28),  # roof of a car behind the fence
    (0, 200, 36, 254),  # a car that stands at the left edge until frame 84
    (390, 328, 444, 360),  # cut off by the lower edge, cannot be told: don't know
    (0, 332, 24, 360),
)

_SIDE_ROAD = (
    (594, 150, 640, 196),  # a car in the drive on the right
    (0, 94, 22, 118),  # a car park behind the hedge on the left
    (200, 68, 228, 90),  # a car in a drive beyond the junction
    (322, 86, 380, 116),  # something dark behind the trees, perhaps parked cars: don't know
)

QUIET = (
    Stretch("street_side_view.mp4", 0, 26, 1, 10.04, _STREET),
    Stretch("street_side_view.mp4", 196, 233, 1, 10.04, _STREET),
    Stretch("street_side_view.mp4", 556, 577, 1, 10.04, _STREET),
    Stretch("street_side_view.mp4", 657, 733, 1, 10.04, _STREET),
    Stretch("side_road_day.mp4", 740, 904, 2, 24.01, _SIDE_ROAD),
)

EXPLAINED = 0.5
"""Share of a box on marked places from which it is one of them, or several taken as one."""

SAME_IOU = 0.3
"""False boxes of two pictures that overlap so much are the same alarm."""

LONGEST_GAP_S = 0.5
"""An alarm that flickers off for longer is a new one: the node's limit of a stale sensor."""

CONFIRMED_BY = 2
"""Pictures in which an alarm must be seen."""


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """Alarms of one model in one weather and the road time they fell in."""

    alarms: int
    seconds: float

    @property
    def a_minute(self) -> float:
        """Alarms a minute."""
        return 60 * self.alarms / self.seconds


def count(
    contestants: Sequence[Contestant], footage: pathlib.Path, stretches: Sequence[Stretch] = QUIET
) -> dict[tuple[str, str], Counted]:
    """Alarms by model and weather. Raises CannotMeasure."""
    totals = {(one.name, weather): Counted(0, 0) for one in contestants for weather in (CLEAR, *WEATHERS)}
    for stretch in stretches:
        false: dict[tuple[str, str], list[tuple[float, Floats]]] = {key: [] for key in totals}
        for number, frame in frames(footage / stretch.clip, stretch):
            for weather, image in _weathers(frame, stretch, number):
                for one in contestants:
                    found = by_class(one.scorer.candidates(image), one.suppression_iou)
                    boxes = found.boxes[found.scores >= one.threshold]
                    at_s = number / stretch.fps
                    false[one.name, weather].append((at_s, unexplained(boxes, stretch.parked, image.shape[:2])))
        for key, each in false.items():
            before = totals[key]
            totals[key] = Counted(before.alarms + alarms(each), before.seconds + stretch.seconds)
    return totals


def frames(path: pathlib.Path, stretch: Stretch) -> Iterator[tuple[int, Image]]:
    """Numbered frames of a stretch. Raises CannotMeasure when the clip is not there or too short."""
    clip = cv2.VideoCapture(str(path))
    try:
        for number in range(stretch.last + 1):
            if not clip.grab():
                raise CannotMeasure(f"{path}: frame {number} of {stretch.last + 1} cannot be read; name its folder")
            if number >= stretch.first and (number - stretch.first) % stretch.step == 0:
                _, frame = clip.retrieve()
                yield number, np.asarray(frame, np.uint8)
    finally:
        clip.release()


def _weathers(frame: Image, stretch: Stretch, number: int) -> Iterator[tuple[str, Image]]:
    nobody = np.empty((0, 4), np.float32)  # parked: their lamps are off
    yield CLEAR, frame
    for weather in WEATHERS:
        yield weather, degraded(frame, weather, stretch.clip, pole=True, vehicles=nobody, frame=number)


def unexplained(boxes: Floats, parked: Sequence[tuple[float, float, float, float]], shape: tuple[int, ...]) -> Floats:
    """Boxes (N×4 px) of which less than EXPLAINED lies on the marked places."""
    marked = np.zeros(shape, np.float64)
    for x0, y0, x1, y1 in parked:
        marked[int(y0) : int(y1), int(x0) : int(x1)] = 1
    kept = []
    for box in boxes:
        x0, y0, x1, y1 = np.clip(np.round(box), 0, [shape[1], shape[0]] * 2).astype(int)
        inside = marked[y0:y1, x0:x1]
        if inside.size and inside.mean() < EXPLAINED:
            kept.append(box)
    return np.array(kept, np.float32).reshape(-1, 4)


def alarms(false: Sequence[tuple[float, Floats]]) -> int:
    """Alarms among the false boxes of consecutive pictures (time in s, N×4)."""
    confirmed = 0
    # An alarm under way: when it was last seen, where, and in how many pictures.
    going: list[tuple[float, Floats, int]] = []
    for at_s, boxes in false:
        still = [one for one in going if at_s - one[0] <= LONGEST_GAP_S]
        free = np.ones(len(boxes), np.bool_)
        going = []
        for seen_s, box, pictures in still:
            fits = np.where(free, overlap(boxes, box[None])[:, 0], 0) if len(boxes) else np.zeros(0)
            best = int(fits.argmax()) if len(fits) else -1
            if best >= 0 and fits[best] >= SAME_IOU:
                free[best] = False
                going.append((at_s, boxes[best], pictures + 1))
                confirmed += pictures + 1 == CONFIRMED_BY
            else:
                going.append((seen_s, box, pictures))
        going += [(at_s, box, 1) for box in boxes[free]]
    return confirmed
