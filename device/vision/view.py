"""What a camera looks at, as a few hundred points on the edges of what stands still. Pure.

A point is a place, the direction across its edge, and how strong the edge is for the light around it. That is what a
moved camera, a lost focus and fog are measured by, because it is of this camera and this scene, and because light that
falls evenly changes none of it. It is no picture: at most ``POINTS_A_CELL`` points in each of the 40 cells, none beside
another, and neither brightness nor colour. Nobody can be recognised by it, and who moves is not in it.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Picture = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.int64]

COLUMNS, ROWS = 8, 5
"""The cells of a picture: one is about a car in front of the camera."""

POINTS_A_CELL = 10
FAINT = 2.0
"""Grey levels a pixel: what a sensor's noise leaves of the middle one of five pictures."""

EDGE = 4.0
"""Grey levels a pixel from which there is an edge: twice the noise."""

BLACK_LEVEL = 8.0
"""Added to the light around an edge, so that noise on black is not a strong edge."""

AROUND_PX = 15
"""The light around an edge is that of a square of so many pixels of the reduced picture."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The slope of a reduced picture, grey levels a pixel, and the light around each pixel, 0..255; all H x W."""

    x: "Floats"
    y: "Floats"
    light: "Floats"

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.x.shape[0], self.x.shape[1]

    @property
    def share(self) -> float:
        """How much of the picture is edges, 0..1."""
        return float(np.count_nonzero(cv2.magnitude(self.x, self.y) > EDGE)) / self.x.size

    def detail(self) -> "Floats":
        """How strong the edges are for the light around them, root mean square of each cell (row by row)."""
        relative = cv2.magnitude(self.x, self.y) / (self.light + BLACK_LEVEL)
        return np.sqrt(_of_cells(relative * relative))

    def brightness(self) -> "Floats":
        """The mean light of each cell (row by row)."""
        return _of_cells(self.light)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a camera looked at when it was taught. Arrays are by point (N of them) or by cell (40).

    ``places`` N x 2 of the picture, 0..1 from the top left; ``across`` N x 2 unit vectors across the edge, towards the
    brighter side, in the picture's own proportions; ``strengths`` N, slope a pixel for the light around; ``detail`` by
    cell as ``Edges.detail``; ``light`` and ``edges`` of the whole picture, ``likeness`` of the view to itself.
    """

    places: "Floats"
    across: "Floats"
    strengths: "Floats"
    detail: "Floats"
    light: float
    edges: float
    likeness: float

    def pixels(self, shape: tuple[int, int]) -> "tuple[Ints, Ints]":
        """Columns and rows of the points in a reduced picture of height and width ``shape``."""
        height, width = shape
        columns = np.clip((self.places[:, 0] * width).astype(np.int64), 0, width - 1)
        rows = np.clip((self.places[:, 1] * height).astype(np.int64), 0, height - 1)
        return columns, rows

    def cells(self) -> "Ints":
        """The cell of each point."""
        columns, rows = self.pixels((ROWS, COLUMNS))
        return rows * COLUMNS + columns

    def as_json(self) -> dict[str, Any]:
        """The form that ``view_of`` reads; places to a third of a pixel of 320, directions to half a degree."""
        return {
            "places": _rounded(self.places, 4),
            "degrees": _rounded(np.degrees(np.arctan2(self.across[:, 1], self.across[:, 0])), 1),
            "strengths": _rounded(self.strengths, 4),
            "detail": _rounded(self.detail, 5),
            "light": round(self.light, 1),
            "edges": round(self.edges, 4),
            "likeness": round(self.likeness, 3),
        }


def view_of(written: dict[str, Any]) -> View:
    """A view from its JSON form. Raises KeyError, TypeError or ValueError on anything else."""
    places = np.array(written["places"], np.float32)
    angles = np.radians(np.array(written["degrees"], np.float64))
    found = View(
        places=places,
        across=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
        strengths=np.array(written["strengths"], np.float32),
        detail=np.array(written["detail"], np.float32),
        light=float(written["light"]),
        edges=float(written["edges"]),
        likeness=float(written["likeness"]),
    )
    count = len(places)
    if not count or places.shape != (count, 2) or found.strengths.shape != (count,) or angles.shape != (count,):
        raise ValueError(f"{count} places, {len(angles)} degrees and {len(found.strengths)} strengths do not agree")
    if found.detail.shape != (ROWS * COLUMNS,):
        raise ValueError(f"detail of {len(found.detail)} cells; allowed: {ROWS * COLUMNS}")
    numbers = np.concatenate([places.ravel(), found.strengths, found.detail])
    above_zero = [found.light, found.edges, found.likeness, float(found.strengths.min())]
    if not (np.isfinite(numbers).all() and np.isfinite(angles).all() and all(0 < one < 1e6 for one in above_zero)):
        raise ValueError("numbers that are not finite, or not above zero")
    return found


def edges_of(picture: "Picture") -> Edges:
    """The edges of a reduced grey picture, H x W uint8."""
    smooth = cv2.GaussianBlur(picture, (3, 3), 0)
    x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    light = cv2.blur(picture, (AROUND_PX, AROUND_PX)).astype(np.float32)
    return Edges(np.asarray(x, np.float32), np.asarray(y, np.float32), light)


def middle_of_five(looks: "list[Picture]") -> "Picture":
    """Pixel by pixel the middle one of five pictures of one size: who drives through, rain and noise are gone."""
    a, b, c, d, e = looks
    a, b = np.minimum(a, b), np.maximum(a, b)
    c, d = np.minimum(c, d), np.maximum(c, d)
    low, high = np.maximum(a, c), np.minimum(b, d)  # the least and the most of the first four are out
    return np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))


def _rounded(values: "Floats", digits: int) -> Any:
    return np.round(values.astype(np.float64), digits).tolist()


def _of_cells(values: "Floats") -> "Floats":
    """The mean of each cell, row by row."""
    return np.asarray(cv2.resize(values, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), np.float32).ravel()
