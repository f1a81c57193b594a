"""How much of its detail a picture has kept: what dirt, drops, condensation and fog take away. Pure.

Invariants: measured by the camera's own view, at its edges and in its cells; a lorry before the camera hides edges but
brings its own, so it blinds no cell; what is too dark to be judged is not judged.
"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from device.vision.view import BLACK_LEVEL, Edges, View

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.vision.view import Floats

KEPT = 0.4
"""Of the strength of the view's edges in a cell: less is blind. A blur that leaves half of it costs the detector 40 to
70 % of the vehicles of both clips of ../shared/footage, one that leaves a third nearly all; rain leaves 0.7."""

ANY = 0.6
"""Of the detail of a cell, whatever is in it."""

BRIGHT = 30.0
"""Mean grey level of a cell from which it is judged."""

LEAST_POINTS = 4
"""In a cell, to judge it by."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """By point of the view (N): ``kept``, the share of its edge's strength (negative where bright and dark have changed
    sides); ``light`` around it; ``judged`` and ``blind``, whether its cell is."""

    kept: "Floats"
    light: "Floats"
    judged: "npt.NDArray[np.bool_]"
    blind: "npt.NDArray[np.bool_]"


def detail_of(view: View, edges: Edges, right: int, down: int) -> Detail:
    """The detail of a picture in which the view is ``right`` and ``down`` of its place, in pixels."""
    height, width = edges.shape
    columns, rows = view.pixels(edges.shape)
    columns, rows = np.clip(columns + right, 0, width - 1), np.clip(rows + down, 0, height - 1)
    slope = edges.x[rows, columns] * view.across[:, 0] + edges.y[rows, columns] * view.across[:, 1]
    light = edges.light[rows, columns]
    strength = slope / (light + BLACK_LEVEL)
    cells = view.cells()
    count = np.bincount(cells, minlength=len(view.detail))
    of_view = np.bincount(cells, view.strengths, minlength=len(count))
    now = np.bincount(cells, strength, minlength=len(count))
    judged = (count >= LEAST_POINTS) & (edges.brightness() >= BRIGHT)
    blind = judged & (now < KEPT * of_view) & (edges.detail() < ANY * view.detail)
    kept = np.asarray(strength / view.strengths, np.float32)
    return Detail(kept, light, judged[cells], blind[cells])
