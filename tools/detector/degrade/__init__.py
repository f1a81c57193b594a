"""The evaluation's own set of degradations: night, rain and fog, modelled by their optics. Never trained on.

Training has a generator of its own in ``models.training``; neither imports the other, no number is shared, so that a
model that learned the generator's tricks gains nothing here. Each weather works in linear light on the picture without
its black bars, and is a function of the picture, a strength and the seeds alone.

Invariants: strength 0 changes nothing but rounding, more strength is more of it; the same seeds give the same bytes;
what hangs on the lens or stands in the scene comes from one seed and keeps still over a clip, what falls, flickers
or is noise comes from the other.
"""

import zlib
from collections.abc import Callable, Mapping

import numpy as np

from models.boxes import Floats, Image
from tools.detector.borders import content
from tools.detector.degrade import fog, night, rain
from tools.detector.degrade.optics import View, decoded, encoded

NAME = "evaluation-optical-1"
"""Name of this set; a change of any number in it is a new name, since figures of two sets are not comparable."""

Weather = Callable[[Floats, float, View, Floats, np.random.Generator, np.random.Generator], Floats]

WEATHERS: Mapping[str, Weather] = {"night": night.apply, "rain": rain.apply, "fog": fog.apply}

STRENGTH = (0.3, 1.0)
"""Each picture draws its strength evenly from here: from plainly visible to hardly usable."""


def degraded(
    image: Image,
    weather: str,
    name: str,
    *,
    pole: bool,
    vehicles: Floats,
    frame: int = 0,
    strength: float | None = None,
) -> Image:
    """The picture in that weather. ``name`` seeds it (a clip's name for all of its frames), ``frame`` what moves.

    ``vehicles`` N×4 xyxy px: where lamps may be lit at night. ``strength`` 0..1, drawn from STRENGTH when not given.
    """
    seed = zlib.crc32(f"{NAME} {weather} {name}".encode())
    still, moving = np.random.default_rng(seed), np.random.default_rng([seed, frame])
    drawn = float(still.uniform(*STRENGTH))
    rows, columns = content(image)
    inner = image[rows, columns]
    shift = np.array([columns.start, rows.start] * 2, np.float32)
    light = WEATHERS[weather](
        decoded(inner),
        drawn if strength is None else strength,
        View.of(inner.shape[0], inner.shape[1], pole=pole),
        vehicles - shift,
        still,
        moving,
    )
    out = image.copy()
    out[rows, columns] = encoded(light)
    return out
