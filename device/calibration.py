"""Known points of a camera's picture -> its ground plane, with how well they fit; a bad calibration is refused.

Imported by vision and the command line only: it needs numpy and OpenCV, which core must never load. Invariants: what
``ground_plane`` returns maps every given point to its place within ``allowed_residual_m``, has all of them in front of
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

from configs.errors import ConfigError, Problem, Text
from configs.ground import PointOnRoad, problems, value_of
from configs.schema import SiteConfig, Zones
from device.ground_plane import DETECTOR_PX, GroundPlane, Matrix

MOST_CONDITION = 100.0
"""Of the normalised equations. Points spread over a lane give 3 to 60; above this a pixel of a mark, and not the road,
decides where the plane lies."""

FIXED_RESIDUAL_M, RESIDUAL_SHARE = 0.5, 0.05
"""A point may be half a metre and 5 % of its distance off: what a tape and three pixels at 60 m are."""

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
class PointFit:
    """How one point agrees with the plane. ``left_out_m``: how far off it is for a plane made of the others, None with
    four points or where the others make none."""

    number: int
    image: tuple[float, float]
    distance_m: float
    lateral_m: float
    residual_m: float
    residual_pct: float
    left_out_m: float | None


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
        foot_m = self.plane.pixel_error_m(distance_m)
        at = self.plane.image_of(distance_m, self.plane.middle_lateral_m)
        if foot_m is None or at is None:
            return None
        seen = [plane.on_plane(*at) for plane in self.shaken]
        return math.hypot(foot_m, *(math.inf if place is None else place.distance_m - distance_m for place in seen))

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


def allowed_residual_m(distance_m: float) -> float:
    """How far a point may be off at its distance."""
    return FIXED_RESIDUAL_M + RESIDUAL_SHARE * abs(distance_m)


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
        raise ConfigError([_ill_conditioned(path, condition)])
    plane = _fit(points, path)
    fits = tuple(_judged(plane, points, index) for index in range(len(points)))
    found = _too_far_off(fits, path) or _horizon_in_zone(plane, zones, f"cameras.{camera}.zones.{approach}")
    if found:
        raise ConfigError(found)
    return Calibration(camera, approach, plane, fits, condition, tuple(_shaken(points, path)))


def _fit(points: Sequence[PointOnRoad], path: str) -> GroundPlane:
    road, image = _arrays(points)
    # From the middle of the points: the conflict point itself may lie under or behind the camera.
    middle = road.mean(axis=0)
    fitted, _ = cv2.findHomography(road - middle, image * DETECTOR_PX, 0)
    if fitted is None or not np.isfinite(fitted).all() or abs(float(np.linalg.det(fitted))) < _NO_INVERSE:
        raise ConfigError([_ill_conditioned(path, math.inf)])
    to_image = np.diag([1 / DETECTOR_PX[0], 1 / DETECTOR_PX[1], 1.0]) @ fitted @ _shift(-middle)
    to_road = np.linalg.inv(to_image)
    to_road /= float((np.column_stack([image, np.ones(len(image))]) @ to_road[2]).mean())
    for index, (x, y) in enumerate(image):
        if float(to_road[2] @ (x, y, 1.0)) <= 0:
            raise ConfigError([_behind(path, index, points[index])])
    to_image = np.linalg.inv(to_road)  # of this scale its denominator is positive in front of the camera
    nearest_m, farthest_m = float(road[:, 0].min()), float(road[:, 0].max())
    return GroundPlane(_plain(to_road), _plain(to_image), nearest_m, farthest_m, float(middle[1]))


def _shaken(points: Sequence[PointOnRoad], path: str) -> Iterator[GroundPlane]:
    for index, point in enumerate(points):
        x, y = point.image
        for moved in ((x + 1 / DETECTOR_PX[0], y), (x, y + 1 / DETECTOR_PX[1])):
            mark = _Mark(moved, point.distance_m, point.lateral_m)
            yield _fit([*points[:index], mark, *points[index + 1 :]], path)


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
    others = [other for place, other in enumerate(points) if place != index]
    left_out_m = None
    if len(others) >= 4 and not problems(others, ""):
        with contextlib.suppress(ConfigError):  # where the others alone make no plane there is nothing to say
            left_out_m = _off_m(_fit(others, ""), point)
    shown = plane.image_of(point.distance_m, point.lateral_m)
    off_pct = math.inf if shown is None else 100 * math.dist(shown, point.image)
    return PointFit(
        index + 1, point.image, point.distance_m, point.lateral_m, _off_m(plane, point), off_pct, left_out_m
    )


def _off_m(plane: GroundPlane, point: PointOnRoad) -> float:
    place = plane.on_plane(*point.image)
    if place is None:
        return math.inf
    return math.hypot(place.distance_m - point.distance_m, place.lateral_m - point.lateral_m)


def _too_far_off(fits: Sequence[PointFit], path: str) -> list[Problem]:
    found = []
    for fit in fits:
        most_m = allowed_residual_m(fit.distance_m)
        if fit.residual_m > most_m:
            detail = Text(
                f"第 {fit.number} 点与其他点对不上:差 {fit.residual_m:.2f} m(图像 {fit.residual_pct:.1f} %)",
                f"point {fit.number} does not agree with the others: {fit.residual_m:.2f} m off "
                f"({fit.residual_pct:.1f} % of the picture)",
            )
            allowed = Text(
                f"≤ {most_m:.2f} m({FIXED_RESIDUAL_M:g} m 加距离的 {RESIDUAL_SHARE:.0%});重量这一点,看有没有写串",
                f"≤ {most_m:.2f} m ({FIXED_RESIDUAL_M:g} m and {RESIDUAL_SHARE:.0%} of the distance); measure it "
                "again, or see whether two were mixed up",
            )
            value = {"image": list(fit.image), "distance_m": fit.distance_m, "lateral_m": fit.lateral_m}
            found.append(_problem(f"{path}.{fit.number - 1}", detail, allowed, value))
    return found


def _horizon_in_zone(plane: GroundPlane, zones: Zones | None, path: str) -> list[Problem]:
    """A zone is drawn on the road: where it reaches above the horizon, the zone or the points are wrong."""
    found = []
    drawn = {"wait": zones.wait, "approach": zones.approach} if zones is not None else {}
    for name, polygon in drawn.items():
        for index, corner in enumerate(polygon or ()):
            if plane.above_horizon(*corner):
                detail = Text(
                    "按这个来向的标定点,区域的这个角在地平线以上",
                    "by this approach's calibration points, this corner of the zone is above the horizon",
                )
                allowed = Text("路面上的点;改区域或重量标定点", "a place on the road; mend the zone or the points")
                found.append(_problem(f"{path}.{name}.{index}", detail, allowed, list(corner)))
    return found


def _ill_conditioned(path: str, condition: float) -> Problem:
    detail = Text("这些点挤在一起,定不准路面", "these points are too close together to give a ground plane")
    allowed = Text(
        f"条件数 ≤ {MOST_CONDITION:g};点要散开,远近左右都有",
        f"condition number ≤ {MOST_CONDITION:g}; spread the points, near and far, left and right",
    )
    value = f"{condition:.0f}" if math.isfinite(condition) else "∞"
    return _problem(path, detail, allowed, value)


def _behind(path: str, index: int, point: PointOnRoad) -> Problem:
    detail = Text(
        f"第 {index + 1} 点按其他点算在地平线以上或镜头后面",
        f"point {index + 1} is above the horizon or behind the camera by the other points",
    )
    allowed = Text("图像里看得见的路面上的点", "a point of the road that the picture shows")
    return _problem(f"{path}.{index}", detail, allowed, value_of(point))


def _problem(path: str, detail: Text, allowed: Text, value: object) -> Problem:
    return Problem("rule", path=path, value=value, allowed=allowed, params={"detail": detail})
