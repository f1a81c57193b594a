"""How far one can see, from the contrast of a calibrated road: Koschmieder's law. Pure.

Through d metres of air that takes k of the light a metre, an edge keeps t = exp(-k d) of its difference, and airlight A
is added: what is left of its contrast, measured against the light around it, is q = 1 - (1 - t) A / B, with B the light
around it now. So t = 1 - (1 - q) B / A, and the slope of -ln t over the distance is k, whatever lens, shutter, sun and
clouds do to all of it alike. Visibility is the meteorological optical range, -ln(0.05) / k (WMO-No. 8, ch. 9).

Invariants: None is "good, or nobody knows": no calibration, too little road, darkness, a scatter in which fog and dirt
cannot be told apart; lorries and queues hide edges for a while, fog hides them for all of two minutes.
"""

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from device.ground_plane import HORIZON, GroundPlane
from device.vision.view import Edges, View
from device.zones import ZoneArea, contains

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.vision.detail import Detail
    from device.vision.view import Floats

OPTICAL_RANGE = -math.log(0.05)
GAMMA = 2.2
"""Of a camera's grey levels (sRGB, nearly); a ratio of two of them is a ratio of light to that power."""

FORGOTTEN_WINDOWS = 60
"""Ten minutes in which nothing could be judged: nobody knows any more. A lorry, or a minute of dazzle, ends no fog."""

WINDOWS = 12
"""Two minutes. Of each edge the upper quartile counts: hidden for a minute and a half it is still seen."""

LEAST_POINTS = 24
LEAST_STRETCH_M = 15.0
"""Of road between the nearest and the farthest edge: at 200 m of sight that takes a fifth of the contrast."""

GROUPS = 8
LEAST_KEPT = 0.03
"""Below it there is nothing left to measure; noise would be taken for far sight."""

SIGMAS = 6.0
"""Of the slope above its own error: fog lies on the law's line, a drop or a dazzling sun does not."""

FARTHEST_M = 1000.0
ABOVE, LEAST_ABOVE = 0.15, 0.01
"""Of the picture's height above the horizon: what is there is air or far behind the road; and the least of the picture
that it must be."""

LEAST_JUDGED = 0.5
"""Of the edges on the road: by night there are fewer that can be judged."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sighted:
    """``visibility_m`` and the standard error of its fit, in per cent of it."""

    visibility_m: float
    error_pct: float


class Visibility:
    """Follows one camera; ``planes`` is approach -> plane, of which the longest stretch of road is taken."""

    def __init__(self, view: View, areas: Sequence[ZoneArea], planes: Mapping[str, GroundPlane]) -> None:
        self._plane: GroundPlane | None = None
        self._points = np.empty(0, np.int64)
        self._distances: npt.NDArray[np.float64] = np.empty(0)
        for approach, plane in planes.items():
            points, distances = _road(view, [area for area in areas if area.approach == approach], plane)
            longest = np.ptp(self._distances) if len(self._distances) else LEAST_STRETCH_M
            if len(points) >= LEAST_POINTS and np.ptp(distances) >= longest:
                self._plane, self._points, self._distances = plane, points, distances
        self._seen: collections.deque[tuple[Floats, Floats]] = collections.deque(maxlen=WINDOWS)
        self._unseen = 0
        self._above: npt.NDArray[np.bool_] | None = None

    @property
    def can_tell(self) -> bool:
        """Whether there is road enough to tell by."""
        return self._plane is not None

    def take(self, edges: Edges, detail: "Detail | None") -> None:
        """Takes a window; None where its detail is not to be believed."""
        if self._plane is None:
            return
        if detail is None or detail.judged[self._points].mean() < LEAST_JUDGED:
            self._unseen += 1
            if self._unseen >= FORGOTTEN_WINDOWS:
                self._seen.clear()
            return
        self._unseen = 0
        light = detail.light[self._points]
        around = np.clip(light / self._airlight(edges, self._plane, light), 0.0, 1.0) ** GAMMA
        self._seen.append((detail.kept[self._points], around.astype(np.float32)))

    def estimate(self) -> Sighted | None:
        """How far one can see."""
        if len(self._seen) < WINDOWS:
            return None
        kept = np.quantile([kept for kept, _around in self._seen], 0.75, axis=0)
        around = np.median([around for _kept, around in self._seen], axis=0)
        passed = 1 - around * (1 - kept)
        groups = np.array_split(np.argsort(self._distances), GROUPS)
        middles = np.array([np.median(passed[group]) for group in groups])
        told = middles > LEAST_KEPT
        if told.sum() < GROUPS // 2:
            return None
        distances = np.array([self._distances[group].mean() for group in groups])[told]
        slope, error = _slope(distances, -np.log(middles[told]))
        if slope <= SIGMAS * error or OPTICAL_RANGE / slope > FARTHEST_M:
            return None
        return Sighted(OPTICAL_RANGE / slope, 100 * error / slope)

    def _airlight(self, edges: Edges, plane: GroundPlane, light: "Floats") -> float:
        """The light just above the horizon, or the brightest on the road where the picture does not show that."""
        if self._above is None or self._above.shape != edges.shape:
            height, width = edges.shape
            x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
            self._above = (_scale(plane, x, y) <= HORIZON) & (_scale(plane, x, y + ABOVE) > HORIZON)
        shown = np.count_nonzero(self._above) >= LEAST_ABOVE * self._above.size
        return max(1.0, float(np.median(edges.light[self._above])) if shown else float(light.max()))


def _road(
    view: View, areas: Sequence[ZoneArea], plane: GroundPlane
) -> "tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]":
    """The points on the road of an approach, and how far each is from the camera, but for a constant."""
    found = []
    for index, (x, y) in enumerate(view.places.tolist()):
        place = plane.locate(x, y)
        if place is not None and any(contains(area.polygon, (x, y)) for area in areas):
            # Its inverse grows with the distance from the camera, whichever way the approach is measured.
            found.append((index, place.distance_m, 1 / _scale(plane, x, y)))
    if len(found) < LEAST_POINTS:
        return np.empty(0, np.int64), np.empty(0)
    points, distances, depths = (np.array(column) for column in zip(*found, strict=True))
    away = 1.0 if float(np.cov(distances, depths)[0, 1]) > 0 else -1.0
    return points, away * distances


def _scale(plane: GroundPlane, x: Any, y: Any) -> Any:
    """The plane's denominator at places or arrays of them: above ``HORIZON`` they show road."""
    row = plane.to_road[2]
    return row[0] * x + row[1] * y + row[2]


def _slope(x: "npt.NDArray[np.float64]", y: "npt.NDArray[np.float64]") -> tuple[float, float]:
    """Slope of a line through points, outliers weighing less (Huber), and its standard error."""
    weights = np.ones_like(x)
    slope, off = 0.0, y
    for _ in range(5):
        centre = np.average(x, weights=weights)
        slope = float(np.average((x - centre) * y, weights=weights) / np.average((x - centre) ** 2, weights=weights))
        off = y - np.average(y, weights=weights) - slope * (x - centre)
        scatter = 1.48 * float(np.median(np.abs(off))) + 0.03
        weights = 1 / np.maximum(1.0, np.abs(off) / scatter)
    error = float(off.std()) / (float(x.std()) * math.sqrt(len(x) - 2))
    return slope, error
