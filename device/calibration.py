"""Known points of a camera's picture -> its ground plane, with how well they fit; a bad calibration is refused.

Imported by vision and the command line only: it needs numpy and OpenCV, which core must never load. Invariants: what
``calibrate`` returns maps every given point to its place within ``allowed_residual_m``, has all of them in front of
the camera, and shows road in all of the approach's zones; what it refuses names the point, its value and what is
allowed. Least squares run in pixels of the picture, because that is where points are marked with an error.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from configs.errors import ConfigError, Problem
from configs.ground import PointOnRoad, problems
from configs.schema import SiteConfig, Zones
from device.calibration_limits import (
    MOST_CONDITION,
    PointFit,
    agrees,
    behind,
    horizon_in_zone,
    ill_conditioned,
    keeps,
    left_out_most_m,
    off,
)
from device.ground_plane import DETECTOR_PX, GroundPlane, Matrix

GOOD_SHARE, GOOD_M, FINE_M = 0.10, 3.0, 0.5
"""A distance is reliable while a pixel's error keeps it within 10 % and 3 m; under half a metre is always good."""

_STEP_M = 0.5
_NO_INVERSE = 1e-12
Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class _Mark:
    image: tuple[float, float]
    distance_m: float
    lateral_m: float


@dataclasses.dataclass(frozen=True, slots=True)
class Calibration:
    """One camera's plane on one approach."""

    camera: str
    approach: str
    plane: GroundPlane
    points: tuple[PointFit, ...]
    condition: float
    shaken: tuple[GroundPlane, ...]
    """The plane with one mark moved by one pixel, for every mark and both directions."""

    def error_m(self, distance_m: float) -> float | None:
        """How far off the camera is at a distance, in the middle of the lane, when the foot of the box and each of the
        marks are one pixel of the detector's picture off, independently; None where the picture shows no road."""
        at = self.plane.image_of(distance_m, self.plane.middle_lateral_m)
        return None if at is None else _error_m(self.plane, self.shaken, *at)

    @property
    def reliable_to_m(self) -> float | None:
        """How far the camera tells distances to within ``GOOD_SHARE`` and ``GOOD_M``, at most as far as it tells any,
        in steps of half a metre; None where that fails at the nearest point already."""
        reliable_m, distance_m = None, self.plane.nearest_m
        while distance_m <= self.plane.reach_m:
            error_m = self.error_m(distance_m)
            if error_m is None or error_m > min(GOOD_M, max(FINE_M, GOOD_SHARE * distance_m)):
                break
            reliable_m, distance_m = distance_m, distance_m + _STEP_M
        return reliable_m

    @property
    def worst(self) -> PointFit:
        """The point that is most off."""
        return max(self.points, key=lambda point: point.residual_m)


def calibrations(config: SiteConfig) -> tuple[list[Calibration], list[Problem]]:
    """Every calibration of a site that holds, and why the others do not."""
    held: list[Calibration] = []
    refused: list[Problem] = []
    for camera_id, camera in config.cameras.items():
        for approach, points in camera.ground.items():
            try:
                held.append(calibrate(camera_id, approach, points, camera.zones[approach]))
            except ConfigError as error:
                refused += error.problems
    return held, refused


def planes(camera_id: str, config: SiteConfig) -> Mapping[str, GroundPlane]:
    """Approach -> plane of one camera. Raises ConfigError."""
    camera = config.cameras[camera_id]
    return {
        approach: calibrate(camera_id, approach, points, camera.zones[approach]).plane
        for approach, points in camera.ground.items()
    }


def calibrate(camera: str, approach: str, points: Sequence[PointOnRoad], zones: Zones | None = None) -> Calibration:
    """The plane through the points, by least squares where there are more than four. Raises ConfigError when they make
    none, do not agree with each other, or put the horizon into one of the approach's zones."""
    path = f"cameras.{camera}.ground.{approach}"
    found = problems(points, path)
    if found:
        raise ConfigError(found)
    condition = _condition(points)
    if condition > MOST_CONDITION:
        raise ConfigError([ill_conditioned(path, condition)])
    plane = _fit(points, path)
    fits = tuple(_judged(plane, points, index) for index in range(len(points)))
    found = _too_far_off(points, fits, path) or horizon_in_zone(plane, zones, f"cameras.{camera}.zones.{approach}")
    if found:
        raise ConfigError(found)
    return Calibration(camera, approach, plane, fits, condition, tuple(_shaken(points, path)))


def _fit(points: Sequence[PointOnRoad], path: str) -> GroundPlane:
    road, image = _arrays(points)
    # From the middle of the points: the conflict point itself may lie under or behind the camera.
    middle = road.mean(axis=0)
    fitted, _ = cv2.findHomography(road - middle, image * DETECTOR_PX, 0)
    if fitted is None or not np.isfinite(fitted).all() or abs(float(np.linalg.det(fitted))) < _NO_INVERSE:
        raise ConfigError([ill_conditioned(path, math.inf)])
    to_image = np.diag([1 / DETECTOR_PX[0], 1 / DETECTOR_PX[1], 1.0]) @ fitted @ _shift(-middle)
    to_road = np.linalg.inv(to_image)
    to_road /= float((np.column_stack([image, np.ones(len(image))]) @ to_road[2]).mean())
    for index, (x, y) in enumerate(image):
        if float(to_road[2] @ (x, y, 1.0)) <= 0:
            raise ConfigError([behind(path, index, points[index])])
    to_image = np.linalg.inv(to_road)  # of this scale its denominator is positive in front of the camera
    nearest_m, farthest_m = float(road[:, 0].min()), float(road[:, 0].max())
    return GroundPlane(_plain(to_road), _plain(to_image), nearest_m, farthest_m, float(middle[1]))


def _shaken(points: Sequence[PointOnRoad], path: str) -> Iterator[GroundPlane]:
    for index, point in enumerate(points):
        x, y = point.image
        for moved in ((x + 1 / DETECTOR_PX[0], y), (x, y + 1 / DETECTOR_PX[1])):
            mark = _Mark(moved, point.distance_m, point.lateral_m)
            yield _fit([*points[:index], mark, *points[index + 1 :]], path)


def _error_m(plane: GroundPlane, shaken: Sequence[GroundPlane], x: float, y: float) -> float | None:
    """By how much a pixel of the place itself and one of each mark move its distance, in quadrature."""
    width, height = DETECTOR_PX
    here, *seen = [plane.on_plane(x, y), plane.on_plane(x + 1 / width, y), plane.on_plane(x, y + 1 / height)]
    seen += [other.on_plane(x, y) for other in shaken]
    if here is None or None in seen:
        return None
    return math.hypot(*(place.distance_m - here.distance_m for place in seen if place is not None))


def _arrays(points: Sequence[PointOnRoad]) -> tuple[Array, Array]:
    road = np.array([(point.distance_m, point.lateral_m) for point in points], dtype=np.float64)
    return road, np.array([point.image for point in points], dtype=np.float64)


def _condition(points: Sequence[PointOnRoad]) -> float:
    """Largest over least singular value of the linear equations, points moved to the middle and scaled to 1."""
    road, image = _arrays(points)
    (u, v), (x, y) = _normalised(road), _normalised(image)
    zero, one = np.zeros_like(u), np.ones_like(u)
    rows = [
        np.stack([u, v, one, zero, zero, zero, -x * u, -x * v, -x]),
        np.stack([zero, zero, zero, u, v, one, -y * u, -y * v, -y]),
    ]
    singular = np.linalg.svd(np.concatenate(rows, axis=1).T, compute_uv=False)
    return float(singular[0] / singular[7]) if singular[7] > 0 else math.inf


def _normalised(places: Array) -> tuple[Array, Array]:
    centred = places - places.mean(axis=0)
    scaled = centred / np.abs(centred).mean(axis=0)  # each axis its own: a lane is ten times longer than wide
    return scaled[:, 0], scaled[:, 1]


def _shift(by: Array) -> Array:
    return np.array([[1.0, 0.0, by[0]], [0.0, 1.0, by[1]], [0.0, 0.0, 1.0]])


def _plain(matrix: npt.NDArray[Any]) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    return (a, b, c), (d, e, f), (g, h, i)


def _judged(plane: GroundPlane, points: Sequence[PointOnRoad], index: int) -> PointFit:
    point = points[index]
    left_out_m, most_m = _left_out(points, index)
    return PointFit(
        number=index + 1,
        image=point.image,
        distance_m=point.distance_m,
        lateral_m=point.lateral_m,
        residual_m=_off_m(plane, point),
        residual_pct=_off_pct(plane, point),
        left_out_m=left_out_m,
        left_out_most_m=most_m,
    )


def _left_out(points: Sequence[PointOnRoad], index: int) -> tuple[float | None, float | None]:
    """How far off a point is for the plane of the others, and how far it may be; None where they do not know."""
    point = points[index]
    others = [*points[:index], *points[index + 1 :]]
    plane = _without(points, index)
    if plane is None:
        return None, None
    off_m = _off_m(plane, point)
    most_m = left_out_most_m(point.distance_m, 0.0)
    if off_m <= most_m:
        return off_m, most_m
    with contextlib.suppress(ConfigError):
        pixel_m = _error_m(plane, tuple(_shaken(others, "")), *point.image)
        if pixel_m is not None and math.isfinite(off_m):
            return off_m, left_out_most_m(point.distance_m, pixel_m)
    return None, None


def _too_far_off(points: Sequence[PointOnRoad], fits: Sequence[PointFit], path: str) -> list[Problem]:
    """Points that do not agree. One bad mark pulls the plane off its neighbours too: where the others agree among
    themselves without it, it alone is named."""
    found = [fit for fit in fits if not keeps(fit)]
    odd_one = _agree_without(points, fits) if found else None
    return [off(fit, path) for fit in ([odd_one] if odd_one is not None else found)]


def _without(points: Sequence[PointOnRoad], index: int) -> GroundPlane | None:
    """The plane of all points but one, None where those make none."""
    others = [*points[:index], *points[index + 1 :]]
    if len(others) < 4 or problems(others, "") or _condition(others) > MOST_CONDITION:
        return None
    with contextlib.suppress(ConfigError):
        return _fit(others, "")
    return None


def _agree_without(points: Sequence[PointOnRoad], fits: Sequence[PointFit]) -> PointFit | None:
    """The point without which all others agree, and best; None where there is none. Four others always agree, which
    says nothing."""
    best, least_pct = None, math.inf
    for index, fit in enumerate(fits):
        others = _without(points, index) if len(points) > 5 else None
        if others is None:
            continue
        kept = [(other, _off_pct(others, other)) for other in (*points[:index], *points[index + 1 :])]
        agree = all(agrees(_off_m(others, other), off_pct, other.distance_m) for other, off_pct in kept)
        worst_pct = max(off_pct for _other, off_pct in kept)
        if agree and worst_pct < least_pct:
            best, least_pct = fit, worst_pct
    return best


def _off_pct(plane: GroundPlane, point: PointOnRoad) -> float:
    shown = plane.image_of(point.distance_m, point.lateral_m)
    return math.inf if shown is None else 100 * math.dist(shown, point.image)


def _off_m(plane: GroundPlane, point: PointOnRoad) -> float:
    place = plane.on_plane(*point.image)
    if place is None:
        return math.inf
    return math.hypot(place.distance_m - point.distance_m, place.lateral_m - point.lateral_m)
