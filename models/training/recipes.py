"""The candidates that are trained, as a table: what each starts from, how it is made smaller, for how long."""

import dataclasses
from typing import Literal

MB = 1_000_000

MOST_BYTES = {"standard": 4 * MB, "tiny": 2 * MB}
"""The bundled models, and what their weights may weigh."""


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """All that tells one training from another; the same recipe, data and machine give the same weights."""

    name: str
    model: Literal["standard", "tiny"]
    """The bundled model that it is a candidate for. ``standard`` starts from the published YOLOX-Nano, ``tiny`` from a
    finished ``standard``, which also teaches it."""
    sizes: tuple[tuple[int, int], ...]
    """Inputs (height, width) on the node: for square and close pictures, and for 16:9."""
    integer: bool
    """Whether the weights ship as int8."""
    keep: float = 1.0
    """Share of the multiply-accumulates that narrowing leaves."""
    hard: bool = False
    """ReLU instead of SiLU."""
    distil: float = 0.0
    """Weight of the teacher's soft targets beside the labels."""
    steps: int = 3000
    batch: int = 12
    rate: float = 1e-4
    size: int = 416
    """Side of the square training pictures, px."""
    small: float = 0.3
    """Share of pictures that are mosaics of small vehicles; the rest are single views and mosaics of four, half and
    half."""
    degraded: float = 0.5
    """Share of pictures that go through the training set of corruptions."""
    seed: int = 20


SMALL = ((416, 416), (320, 544))
"""173,056 and 174,080 px: the same cost, a third more scale for 16:9 cameras in the second."""

LARGE = ((512, 512), (384, 640))
"""1.4 to 1.5 times the cost of SMALL: with the same weights AP50 on pole views is 0.61 instead of 0.56."""

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        # ``standard`` is the mean of these two (models.training.average): either alone is worse, by day as in weather.
        # Its weights stay floats: as integers they cost 0.006 AP50 on pole views, and 0.005 is what that may cost.
        Recipe("standard_clear", "standard", LARGE, integer=False, steps=900, rate=8e-5, small=0.0, degraded=0.0),
        Recipe("standard_weather", "standard", LARGE, integer=False),
        # Time at 544×320 on one x86 core against the published YOLOX-Nano there: about 0.73, 0.7, 0.6 and 0.7. ReLU is
        # the fastest and asks for the longest training: after 380 of 2,000 steps of tiny_hard, two thirds of the way
        # from SiLU, the loss was 10.2, from 6.8 at first.
        Recipe("tiny", "tiny", SMALL, integer=True, keep=0.8, distil=1.0, steps=1200, rate=2e-4),
        Recipe("tiny_hard", "tiny", SMALL, integer=True, hard=True, distil=1.0, steps=4000, rate=2e-4),
        Recipe("tiny_narrow", "tiny", SMALL, integer=True, keep=0.8, hard=True, distil=1.0, steps=4000, rate=2e-4),
        Recipe("tiny_silu", "tiny", SMALL, integer=True, keep=0.7, distil=1.0, steps=4000, rate=2e-4),
    )
}
