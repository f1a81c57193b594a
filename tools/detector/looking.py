"""Every model looks at every picture in every weather, once; what it says is kept for all the questions that follow.

Invariants: a degraded picture is made once and shown to all; pictures keep the order of their names; close views that
are in ``train`` (``split.TWINS``) are left out.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from models.boxes import Floats, Image, Indices
from models.training.data import Sample, read_samples
from tools.detector import split
from tools.detector.degrade import WEATHERS, degraded
from tools.detector.errors import CannotMeasure
from tools.detector.light import Light, light
from tools.detector.matching import PERSON, Boxes, Labels, Ranked, as_vehicle, by_class, gaps, match, ranked
from tools.detector.scorers import NANODET, YOLOX_WIDE, Contestant

CLEAR = "clear"
"""The pictures as they are."""

IN_WEATHERS = (CLEAR, *WEATHERS)

GAP_SCORE = 0.42
"""Both teachers at least so sure of a road user that nobody labelled: a gap in the labels, most likely."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A validation picture; ``camera`` None for close views."""

    sample: Sample
    light: Light
    camera: str | None

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.sample.path.stem


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one model says of one picture: by class, and with the vehicle classes as one."""

    kinds: Boxes
    vehicle: Boxes


Truth = tuple[Floats, Indices]
"""Labels of a picture: N×4 xyxy px and their classes."""

Looks = Mapping[tuple[str, str], Sequence[Look]]
"""By model and weather, in the order of the pictures."""


def read_pictures(folder: pathlib.Path, every: int = 1) -> list[Picture]:
    """Pictures of a folder with images/ and labels/, every so many-th of them. Raises CannotMeasure."""
    for part in ("images", "labels"):
        if not (folder / part).is_dir():
            raise CannotMeasure(f"{folder / part}: not there; name the folder of the validation pictures with --data")
    try:
        samples = [sample for sample in read_samples(folder) if sample.path.stem not in split.TWINS][::every]
    except (OSError, ValueError) as error:
        raise CannotMeasure(f"{folder}: {error}") from error
    return [Picture(one, light(one.image()), split.camera(one.path.stem)) for one in samples]


def look(
    contestants: Sequence[Contestant], pictures: Sequence[Picture], told: Callable[[str], None]
) -> dict[tuple[str, str], list[Look]]:
    """Runs everything. ``told`` hears how far it is."""
    looks: dict[tuple[str, str], list[Look]] = {
        (one.name, weather): [] for one in contestants for weather in IN_WEATHERS
    }
    for number, picture in enumerate(pictures):
        if number % 50 == 0:
            told(f"{number} / {len(pictures)}")
        for weather in IN_WEATHERS:
            image = drawn_in(picture, weather)
            for one in contestants:
                found = one.scorer.candidates(image)
                said = Look(by_class(found, one.suppression_iou), as_vehicle(found, one.suppression_iou))
                looks[one.name, weather].append(said)
    return looks


def drawn_in(picture: Picture, weather: str) -> Image:
    """The picture in a weather: the same bytes whenever it is asked for."""
    sample = picture.sample
    if weather == CLEAR:
        return sample.image()
    vehicles = sample.boxes[sample.classes != PERSON]
    return degraded(sample.image(), weather, picture.name, pole=sample.pole, vehicles=vehicles)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class View:
    """The pole views or the close views, matched: what the questions are asked of.

    Keys of ``kinds`` and ``vehicle`` are (model, weather). On pole views nobody is a person: there are no such labels.
    """

    name: str
    pictures: Sequence[Picture]
    kind_labels: Labels
    vehicle_labels: Labels
    kinds: Mapping[tuple[str, str], Ranked]
    vehicle: Mapping[tuple[str, str], Ranked]
    kind_gaps: int
    vehicle_gaps: int


def view(pole: bool, pictures: Sequence[Picture], looks: Looks) -> View:
    """Matches the boxes of one kind of view with its labels."""
    where = [i for i, picture in enumerate(pictures) if picture.sample.pole == pole]
    shown = [pictures[i] for i in where]
    said = {key: [many[i] for i in where] for key, many in looks.items()}
    allowed = [_without_person(one.sample) if pole else (one.sample.boxes, one.sample.classes) for one in shown]
    vehicles = [vehicles_as_one(one.sample) for one in shown]
    kinds = {key: [_drop_person(one.kinds) if pole else one.kinds for one in many] for key, many in said.items()}
    vehicle = {key: [one.vehicle for one in many] for key, many in said.items()}
    kind_labels, vehicle_labels = _labels(allowed), _labels(vehicles)
    kind_gaps, vehicle_gaps = _gaps(kinds, allowed), _gaps(vehicle, vehicles)
    return View(
        name="pole" if pole else "close",
        pictures=shown,
        kind_labels=kind_labels,
        vehicle_labels=vehicle_labels,
        kinds={key: _ranked(many, allowed, kind_labels, kind_gaps) for key, many in kinds.items()},
        vehicle={key: _ranked(many, vehicles, vehicle_labels, vehicle_gaps) for key, many in vehicle.items()},
        kind_gaps=sum(map(len, kind_gaps)),
        vehicle_gaps=sum(map(len, vehicle_gaps)),
    )


def _without_person(sample: Sample) -> Truth:
    kept = sample.classes != PERSON
    return sample.boxes[kept], sample.classes[kept]


def vehicles_as_one(sample: Sample) -> Truth:
    """Labels as a pole view's question takes them: persons out, every vehicle of the same class 0."""
    boxes, _ = _without_person(sample)
    return boxes, np.zeros(len(boxes), np.intp)


def _drop_person(found: Boxes) -> Boxes:
    return found.of(found.classes != PERSON)


def _labels(truth: Sequence[Truth]) -> Labels:
    boxes = np.concatenate([np.empty((0, 4), np.float32), *(boxes for boxes, _ in truth)])
    return Labels(
        picture=np.repeat(np.arange(len(truth)), [len(boxes) for boxes, _ in truth]),
        cls=np.concatenate([np.empty(0, np.intp), *(classes for _, classes in truth)]),
        height_px=boxes[:, 3] - boxes[:, 1],
    )


def _gaps(said: Mapping[tuple[str, str], Sequence[Boxes]], truth: Sequence[Truth]) -> list[Floats]:
    both = zip(said[NANODET, CLEAR], said[YOLOX_WIDE, CLEAR], truth, strict=True)
    return [gaps(first, second, GAP_SCORE, boxes) for first, second, (boxes, _) in both]


def _ranked(found: Sequence[Boxes], truth: Sequence[Truth], labels: Labels, regions: Sequence[Floats]) -> Ranked:
    met = [match(one, boxes, classes) for one, (boxes, classes) in zip(found, truth, strict=True)]
    return ranked(found, met, labels, regions)
