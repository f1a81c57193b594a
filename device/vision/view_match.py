"""Where a camera's view is in a picture: at its place, elsewhere, gone, or nobody can tell. Pure.

Likeness is the mean, over the points of the view, of how well the direction of the edge at its place fits: 1 where
every edge is there, about 0 where none is. Directions count double and without sign, so that night against day, where
bright and dark change sides, is still the same edge, and light plays no part.

Invariants: darkness, fog, a blurred picture and a lorry before the camera make it less like, never like elsewhere; gone
is told only of a picture as light and as rich in edges as the view was, in which none of it is left.
"""

import dataclasses
import enum
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from device.vision.view import FAINT, Edges, View

if TYPE_CHECKING:
    from device.vision.view import Floats, Ints

TOLERANCE = 0.015
"""Of the picture's width: as much as a mark of the ground plane may be off (device.calibration_limits). A pole sways
and a bracket stretches in the sun by less."""

REACH = 0.2
"""Of the width and of the height, both ways: how far a turned view is looked for. Farther away it is gone."""

TURNS_DEG = (0.0, *(float(turn * sign) for turn in (3, 6, 9, 12, 15, 18) for sign in (-1, 1)))
"""About the camera's own axis. A point at the edge of the picture is 1.3 % of the width off between two of them."""

SURE = 0.8
"""Of the view's likeness to itself: so like, there is nothing to look for elsewhere."""

STANDS_OUT = 6.0
"""Standard deviations above the likeness of all other places. Views of other places reached 4.8, the same view in any
light 5.3 and more (road_users, six pole cameras)."""

UPRIGHT, UPRIGHT_SIGMAS = 0.6, 12.0
"""Below both, turns are looked for too: turned by three degrees a view is a third as like and stands out by 6, by night
a view that is at its place stands out by 20."""

ELSEWHERE = 7.0
CLEARLY = 1.3
"""And so much more like than at its place."""

LEFT = 0.4
"""Of the view's likeness to itself: as much is left of it under noise, rain, and a lorry over half the picture."""

RICH, LIGHT = 0.6, 0.5
"""Share of the edges and of the light of the view that a picture needs in which it is told to be gone."""

_STEP_PX = 3
_POOL_PX = 5
_COARSE_POINTS = 200


class Where(enum.StrEnum):
    """Where the view is."""

    HERE = "here"
    MOVED = "moved"
    GONE = "gone"
    UNSURE = "unsure"


@dataclasses.dataclass(frozen=True, slots=True)
class Sight:
    """``likeness`` at its place, as a share of that of the view to itself; ``right`` and ``down``: where the view is
    now, in pixels of the reduced picture; ``turned_deg``: anticlockwise in the picture."""

    where: Where
    likeness: float
    right: int = 0
    down: int = 0
    turned_deg: float = 0.0


class _Field:
    """The directions of a picture's edges, doubled and pooled, with a border of nothing."""

    def __init__(self, edges: Edges, pool_px: int, border: int) -> None:
        squares = edges.x * edges.x, edges.y * edges.y
        total = squares[0] + squares[1] + np.float32(FAINT * FAINT)
        cosine, sine = (squares[0] - squares[1]) / total, 2 * edges.x * edges.y / total
        self._border = border
        self._fields = [
            cv2.copyMakeBorder(cv2.blur(part, (pool_px, pool_px)), border, border, border, border, cv2.BORDER_CONSTANT)
            for part in (cosine, sine)
        ]

    def likeness(self, columns: "Ints", rows: "Ints", doubled: "Floats", right: "Ints", down: "Ints") -> "Floats":
        """Of points (N) shifted by each of ``right``, ``down`` (M): M values."""
        height, width = self._fields[0].shape
        at = np.clip(rows + self._border, 0, height - 1) * width + np.clip(columns + self._border, 0, width - 1)
        index = (down * width + right)[:, None] + at[None, :]
        cosine, sine = (field.ravel().take(index, mode="clip") for field in self._fields)
        return np.asarray((cosine @ doubled[:, 0] + sine @ doubled[:, 1]) / len(at), np.float32)


def likeness_here(view: View, edges: Edges) -> float:
    """How like the view a picture is at the view's own place, a sway apart."""
    return _near(view, edges)[0]


def find(view: View, edges: Edges) -> Sight:
    """Looks for the view in a picture."""
    here, right, down = _near(view, edges)
    share = here / view.likeness
    if share >= SURE:
        return Sight(Where.HERE, share, right, down)
    best, here_sigmas = _elsewhere(view, edges, share)
    if best is not None and best.likeness >= CLEARLY * share:
        return dataclasses.replace(best, likeness=share)
    if here_sigmas >= STANDS_OUT or share >= LEFT:
        return Sight(Where.HERE, share, right, down)
    as_before = edges.share >= RICH * view.edges and float(edges.light.mean()) >= LIGHT * view.light
    return Sight(Where.GONE if as_before else Where.UNSURE, share)


def tolerance_px(shape: tuple[int, int]) -> int:
    """How far the view may be off in a reduced picture of that height and width."""
    return max(1, round(TOLERANCE * shape[1]))


def _near(view: View, edges: Edges) -> tuple[float, int, int]:
    """The best likeness within the tolerance, and where."""
    most = tolerance_px(edges.shape)
    right, down = _grid(most, most, 1)
    values = _Field(edges, 3, most).likeness(*view.pixels(edges.shape), _doubled(view.across), right, down)
    best = int(values.argmax())
    return float(values[best]), int(right[best]), int(down[best])


def _elsewhere(view: View, edges: Edges, share: float) -> tuple[Sight | None, float]:
    """Where else the view stands out, None where it does nowhere; and by how much it stands out at its place."""
    height, width = edges.shape
    reach = round(REACH * width)
    coarse = slice(None, None, -(-len(view.places) // _COARSE_POINTS))
    columns, rows = (values[coarse] for values in view.pixels(edges.shape))
    field = _Field(edges, _POOL_PX, reach + width // 8)
    right, down = _grid(reach, round(REACH * height), _STEP_PX)
    tolerance = tolerance_px(edges.shape)
    inside = np.maximum(np.abs(right), np.abs(down)) <= tolerance
    found: list[tuple[float, int, int, float]] = []
    here_sigmas = 0.0
    for degrees in TURNS_DEG:
        across = view.across[coarse]
        turned = _turned(columns, rows, across, degrees, edges.shape)
        values = field.likeness(turned[0], turned[1], _doubled(turned[2]), right, down)
        middle, spread = float(values.mean()), float(values.std()) + 1e-6
        if degrees == 0.0:
            here_sigmas = (float(values[inside].max()) - middle) / spread
            values = np.where(inside, -np.inf, values).astype(np.float32)
        best = int(values.argmax())
        found.append(((float(values[best]) - middle) / spread, int(right[best]), int(down[best]), degrees))
        if share >= UPRIGHT or here_sigmas >= UPRIGHT_SIGMAS:
            break
    sigmas, to_right, to_down, degrees = max(found)
    if sigmas < ELSEWHERE:
        return None, here_sigmas
    sight = _refined(view, edges, to_right, to_down, degrees)
    off = math.hypot(sight.right, sight.down) > tolerance or sight.turned_deg != 0.0
    return (sight if off else None), here_sigmas


def _refined(view: View, edges: Edges, right: int, down: int, degrees: float) -> Sight:
    """The exact place near a coarse one, by all points; ``likeness`` is what it is there."""
    columns, rows, across = _turned(*view.pixels(edges.shape), view.across, degrees, edges.shape)
    near_right, near_down = _grid(_STEP_PX, _STEP_PX, 1)
    field = _Field(edges, 3, max(edges.shape) // 2)
    values = field.likeness(columns, rows, _doubled(across), near_right + right, near_down + down)
    best = int(values.argmax())
    place = int(near_right[best]) + right, int(near_down[best]) + down
    return Sight(Where.MOVED, float(values[best]) / view.likeness, *place, degrees)


def _turned(
    columns: "Ints", rows: "Ints", across: "Floats", degrees: float, shape: tuple[int, int]
) -> "tuple[Ints, Ints, Floats]":
    """Points and directions turned anticlockwise about the middle of the picture."""
    if degrees == 0.0:
        return columns, rows, across
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x, y = columns - (shape[1] - 1) / 2, rows - (shape[0] - 1) / 2
    turned_x, turned_y = cosine * x + sine * y, cosine * y - sine * x
    to = np.stack(
        [cosine * across[:, 0] + sine * across[:, 1], cosine * across[:, 1] - sine * across[:, 0]], axis=1
    ).astype(np.float32)
    return (
        np.round(turned_x + (shape[1] - 1) / 2).astype(np.int64),
        np.round(turned_y + (shape[0] - 1) / 2).astype(np.int64),
        to,
    )


def _doubled(across: "Floats") -> "Floats":
    """Directions at twice their angle, by which an edge and the same edge the other way round are one."""
    x, y = across[:, 0], across[:, 1]
    return np.stack([x * x - y * y, 2 * x * y], axis=1)


def _grid(right: int, down: int, step: int) -> "tuple[Ints, Ints]":
    """All shifts within the bounds, in steps that meet zero."""
    columns = np.arange(-(right // step) * step, right + 1, step)
    rows = np.arange(-(down // step) * step, down + 1, step)
    grid = np.meshgrid(columns, rows)
    return grid[0].ravel(), grid[1].ravel()
