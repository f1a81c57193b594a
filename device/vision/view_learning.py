"""How a camera's view is learned: ten minutes of daylight, then proven. Pure.

Invariants: what moved within the ten minutes is not in it; a camera that is still being turned teaches nothing, it
begins anew; by night, in fog and before an empty wall nothing is learned, and nothing is told of the view until it is.
"""

import dataclasses
from typing import TYPE_CHECKING

import cv2
import numpy as np

from device.vision.view import BLACK_LEVEL, COLUMNS, POINTS_A_CELL, ROWS, Edges, View
from device.vision.view_match import likeness_here

if TYPE_CHECKING:
    from device.vision.view import Floats, Ints

WINDOWS = 60
"""Ten minutes of ten seconds each: longer than a lorry unloads a crate, shorter than a shadow wanders."""

PROVING_WINDOWS = 6
"""A further minute in which what was learned must be seen again."""

LEAST_LIGHT = 50.0
"""Mean grey level of a day picture; lit streets by night are at 20 to 45 (road_users, atl_* night views)."""

LEAST_EDGES = 0.05
"""Share of edges: day views of roads have 0.2 to 0.6, thick fog and bare walls next to none."""

LEAST_POINTS = 60
LEAST_LIKENESS = 0.35
"""Of the view to itself: day views are at 0.5 to 0.8, two views of other places at 0.25 at most."""

STEADY = 0.8
"""Square of the mean slope over the mean of its square: about the share of the windows in which the edge was there.
Leaves, and who stops for two minutes, have less."""

LEAST_STRENGTH = 4.0
"""Grey levels a pixel: so strong that half of its detail can still be told from noise."""

APART_PX = 4
BORDER_PX = 6


@dataclasses.dataclass(slots=True)
class _Sums:
    x: "Floats"
    y: "Floats"
    square: "Floats"
    light: "Floats"
    detail: "Floats"
    edges: float = 0.0
    count: int = 0


class Learner:
    """Learns one camera's view."""

    def __init__(self) -> None:
        self._sums: _Sums | None = None
        self._view: View | None = None
        self._proofs: list[float] = []

    @property
    def learned_pct(self) -> int:
        """How far it is."""
        done = WINDOWS if self._view is not None else self._sums.count if self._sums is not None else 0
        return round(100 * (done + len(self._proofs)) / (WINDOWS + PROVING_WINDOWS))

    def take(self, edges: Edges) -> View | None:
        """Takes a window's picture; the view once it is learned and proven."""
        if float(edges.light.mean()) < LEAST_LIGHT or edges.share < LEAST_EDGES:
            return None
        if self._view is not None:
            return self._prove(self._view, edges)
        if self._sums is None or self._sums.x.shape != edges.shape:
            x, y, square, light = (np.zeros_like(edges.x) for _ in range(4))
            self._sums = _Sums(x, y, square, light, np.zeros(ROWS * COLUMNS, np.float32))
        sums = self._sums
        sums.x += edges.x
        sums.y += edges.y
        sums.square += edges.x * edges.x + edges.y * edges.y
        sums.light += edges.light
        sums.detail += edges.detail()
        sums.edges += edges.share
        sums.count += 1
        if sums.count >= WINDOWS:
            self._view, self._sums = _view(sums), None
        return None

    def _prove(self, view: View, edges: Edges) -> View | None:
        self._proofs.append(likeness_here(view, edges))
        if len(self._proofs) < PROVING_WINDOWS:
            return None
        likeness = float(np.median(self._proofs))
        self._view, self._proofs = None, []
        return dataclasses.replace(view, likeness=likeness) if likeness >= LEAST_LIKENESS else None


def _view(sums: _Sums) -> View | None:
    """The view of the summed windows; None where too little of it is steady."""
    x, y, light = sums.x / sums.count, sums.y / sums.count, sums.light / sums.count
    strength = cv2.magnitude(x, y)
    steady = np.where(strength * strength >= STEADY * sums.square / sums.count, strength, 0).astype(np.float32)
    columns, rows = _strongest(steady)
    if len(columns) < LEAST_POINTS:
        return None
    height, width = strength.shape
    slope = np.stack([x[rows, columns], y[rows, columns]], axis=1)
    size = np.hypot(slope[:, 0], slope[:, 1])
    return View(
        places=np.stack([(columns + 0.5) / width, (rows + 0.5) / height], axis=1).astype(np.float32),
        across=(slope / size[:, None]).astype(np.float32),
        strengths=(size / (light[rows, columns] + BLACK_LEVEL)).astype(np.float32),
        detail=(sums.detail / sums.count).astype(np.float32),
        light=float(light.mean()),
        edges=sums.edges / sums.count,
        likeness=1.0,
    )


def _strongest(strength: "Floats") -> "tuple[Ints, Ints]":
    """Columns and rows of the strongest edges, ``APART_PX`` apart, at most ``POINTS_A_CELL`` in a cell."""
    height, width = strength.shape
    ridge = np.where(strength >= cv2.dilate(strength, np.ones((3, 3), np.uint8)), strength, 0)
    ridge[:BORDER_PX] = ridge[-BORDER_PX:] = 0
    ridge[:, :BORDER_PX] = ridge[:, -BORDER_PX:] = 0
    rows, columns = np.nonzero(ridge >= LEAST_STRENGTH)
    order = np.argsort(-ridge[rows, columns], kind="stable")
    taken = np.zeros(strength.shape, bool)
    room = np.full((ROWS, COLUMNS), POINTS_A_CELL)
    kept = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        cell = row * ROWS // height, column * COLUMNS // width
        if room[cell] and not taken[row, column]:
            room[cell] -= 1
            taken[max(0, row - APART_PX) : row + APART_PX + 1, max(0, column - APART_PX) : column + APART_PX + 1] = True
            kept.append((column, row))
    found = np.array(kept, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]
