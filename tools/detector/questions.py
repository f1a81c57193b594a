"""What is asked of every model: AP50 and recall by class, height, light and camera, in each weather. Pure.

Pole views ask for any vehicle (the four classes as one), close views for the mean over the five classes; parts of a
view by height or light pool the classes there, a box being right when its class is.

Invariants: every answer of a view is worked out on the same draws, so any two can be subtracted draw by draw; the
unqualified pole view is that of cameras that training never saw.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from models.boxes import Floats
from models.training.teachers import CLASSES
from tools.detector import split
from tools.detector.curves import Draws, Estimate, average_precision, estimate, recall
from tools.detector.degrade import WEATHERS
from tools.detector.light import Light
from tools.detector.looking import CLEAR, View
from tools.detector.matching import VEHICLES, Labels, Mask, Ranked

HEIGHTS: Mapping[str, tuple[float, float]] = {
    "under 16 px": (0, 16),
    "16–32 px": (16, 32),
    "32–64 px": (32, 64),
    "over 64 px": (64, float("inf")),
}
"""Height of the label in pixels of the source picture, lower bound included."""

POLE, CLOSE = "any vehicle", "mean of 5 classes"
"""The headline of each view."""

ALL_CAMERAS, SEEN_CAMERAS, GAPS_ASIDE = "all cameras of val", "cameras in train too", "gaps set aside"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """Which question: ``view`` is pole or close."""

    view: str
    weather: str
    what: str


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """AP50 and recall on every draw (row 0: as it is), and how many labels they stand on."""

    ap: Floats
    recall: Floats
    labels: int

    def ap50(self) -> Estimate:
        """AP50 with its interval."""
        return estimate(self.ap, self.labels)

    def found(self) -> Estimate:
        """Recall at the model's own threshold with its interval."""
        return estimate(self.recall, self.labels)


Answers = Mapping[Asked, Mapping[str, Answer]]
"""By question, then by model."""


def ask(view: View, drawn: Draws, thresholds: Mapping[str, float]) -> dict[Asked, dict[str, Answer]]:
    """All answers of one view; ``thresholds`` by model: where its recall is read."""
    answers: dict[Asked, dict[str, Answer]] = {}
    for model, threshold in thresholds.items():
        every = _pole(view, model, threshold, drawn) if view.name == "pole" else _close(view, model, threshold, drawn)
        for asked, answer in every:
            answers.setdefault(asked, {})[model] = answer
    return answers


def _pole(view: View, model: str, threshold: float, drawn: Draws) -> Iterator[tuple[Asked, Answer]]:
    cameras = np.array([str(one.camera) for one in view.pictures])
    unseen = ~np.isin(cameras, list(split.IN_TRAIN))
    clear = view.vehicle[model, CLEAR]

    def any_vehicle(boxes: Ranked, pictures: Mask, height: tuple[float, float] | None = None) -> Answer:
        return answer(boxes, view.vehicle_labels, drawn, threshold, pictures=pictures, height_px=height)

    for weather in (CLEAR, *WEATHERS):
        yield Asked("pole", weather, POLE), any_vehicle(view.vehicle[model, weather], unseen)
    for index in VEHICLES:
        yield (
            Asked("pole", CLEAR, CLASSES[index]),
            answer(view.kinds[model, CLEAR], view.kind_labels, drawn, threshold, pictures=unseen, cls=index),
        )
    for what, height in HEIGHTS.items():
        yield Asked("pole", CLEAR, what), any_vehicle(clear, unseen, height)
    for kind, pictures in _by_light(view):
        yield Asked("pole", CLEAR, kind), any_vehicle(clear, unseen & pictures)
    for camera in sorted(set(cameras[unseen])):
        yield Asked("pole", CLEAR, camera), any_vehicle(clear, cameras == camera)
    yield Asked("pole", CLEAR, ALL_CAMERAS), any_vehicle(clear, np.ones_like(unseen))
    yield Asked("pole", CLEAR, SEEN_CAMERAS), any_vehicle(clear, ~unseen)
    yield (
        Asked("pole", CLEAR, GAPS_ASIDE),
        answer(clear, view.vehicle_labels, drawn, threshold, pictures=unseen, gaps_aside=True),
    )


def _close(view: View, model: str, threshold: float, drawn: Draws) -> Iterator[tuple[Asked, Answer]]:
    everything = np.ones(len(view.pictures), np.bool_)
    clear = view.kinds[model, CLEAR]

    def of_class(boxes: Ranked, index: int, gaps_aside: bool = False) -> Answer:
        return answer(boxes, view.kind_labels, drawn, threshold, pictures=everything, cls=index, gaps_aside=gaps_aside)

    for weather in (CLEAR, *WEATHERS):
        each = [of_class(view.kinds[model, weather], index) for index in range(len(CLASSES))]
        yield Asked("close", weather, CLOSE), mean(each)
        if weather == CLEAR:
            yield from ((Asked("close", CLEAR, name), one) for name, one in zip(CLASSES, each, strict=True))
    for what, height in HEIGHTS.items():
        yield (
            Asked("close", CLEAR, what),
            answer(clear, view.kind_labels, drawn, threshold, pictures=everything, height_px=height),
        )
    for kind, pictures in _by_light(view):
        yield Asked("close", CLEAR, kind), answer(clear, view.kind_labels, drawn, threshold, pictures=pictures)
    yield Asked("close", CLEAR, GAPS_ASIDE), mean([of_class(clear, index, True) for index in range(len(CLASSES))])


def _by_light(view: View) -> Iterator[tuple[str, Mask]]:
    for kind in Light:
        yield str(kind), np.array([one.light == kind for one in view.pictures], np.bool_)


def answer(
    boxes: Ranked,
    labels: Labels,
    drawn: Draws,
    threshold: float,
    *,
    pictures: Mask,
    cls: int | None = None,
    height_px: tuple[float, float] | None = None,
    gaps_aside: bool = False,
) -> Answer:
    """One question of one model.

    Only labels of these pictures, this class and this height are wanted. A box on another label is set aside; one
    that meets no label is false where it is of this class and height itself, unless it lies on a gap and those are
    set aside.
    """
    wanted = pictures[labels.picture]
    alone = pictures[boxes.picture] & (boxes.label < 0)
    if cls is not None:
        wanted &= labels.cls == cls
        alone &= boxes.cls == cls
    if height_px is not None:
        least, less = height_px
        wanted &= (labels.height_px >= least) & (labels.height_px < less)
        alone &= (boxes.height_px >= least) & (boxes.height_px < less)
    if gaps_aside:
        alone &= ~boxes.in_gap
    hit = np.zeros(len(alone), np.bool_)
    met = boxes.label >= 0
    hit[met] = wanted[boxes.label[met]]
    kept = hit | alone
    count = np.bincount(labels.picture[wanted], minlength=len(pictures))
    sure = hit & (boxes.score >= np.float32(threshold))
    return Answer(
        ap=average_precision(hit[kept], boxes.picture[kept], count, drawn),
        recall=recall(sure, boxes.picture, count, drawn),
        labels=int(count.sum()),
    )


def mean(each: Sequence[Answer]) -> Answer:
    """Mean over classes, draw by draw; a class without a label in a draw is left out of it."""
    ap, found = (np.stack([getattr(one, part) for one in each]) for part in ("ap", "recall"))
    some = np.maximum(np.isfinite(ap).sum(axis=0), 1)
    return Answer(
        ap=np.nansum(ap, axis=0) / some,
        recall=np.nansum(found, axis=0) / some,
        labels=sum(one.labels for one in each),
    )
