"""What a camera's calibration must keep to, and the words with which one that does not is refused. Pure.

Invariant: a refusal names the point (by its number, from 1), its value, what is allowed, and what to do about it.
"""

import dataclasses
import math

from configs.errors import Problem, Text
from configs.ground import PointOnRoad, value_of
from configs.schema import Zones
from device.ground_plane import GroundPlane

MOST_CONDITION = 100.0
"""Of the normalised equations. Points spread over a lane give 3 to 60; above this a pixel of a mark, and not the road,
decides where the plane lies."""

FIXED_RESIDUAL_M, RESIDUAL_SHARE = 0.5, 0.05
"""A point may be half a metre and 5 % of its distance off: what a tape and three pixels at 60 m are."""


MOST_RESIDUAL_PCT = 1.5
"""And so much of the picture: eight of the 544 pixels of the coarser bundled detector, where a careful mark is two off.
Near the camera that is a hand's breadth, which the metres above would let pass and the far end of the road would pay
for."""


LEFT_OUT_PIXELS = 4.0
"""A corner point draws the plane to itself: its residual stays small however wrong it is. What the other points say of
its place shows it, as far as they know: their marks may be four pixels off."""


@dataclasses.dataclass(frozen=True, slots=True)
class PointFit:
    """How one point agrees with the plane. ``left_out_m``: how far off it is for a plane made of the others, None with
    four points or where the others make none that shows it;
    ``left_out_most_m``: what is allowed, wider where one pixel of the others' marks moves that place far."""

    number: int
    image: tuple[float, float]
    distance_m: float
    lateral_m: float
    residual_m: float
    residual_pct: float
    left_out_m: float | None
    left_out_most_m: float | None


def allowed_residual_m(distance_m: float) -> float:
    """How far a point may be off at its distance."""
    return FIXED_RESIDUAL_M + RESIDUAL_SHARE * abs(distance_m)


def agrees(off_m: float, off_pct: float, distance_m: float) -> bool:
    """Whether a point at a distance keeps to both limits, on the road and in the picture."""
    return off_m <= allowed_residual_m(distance_m) and off_pct <= MOST_RESIDUAL_PCT


def left_out_most_m(distance_m: float, pixel_m: float) -> float:
    """How far off a point may be for a plane of the others, of which one pixel is ``pixel_m`` there."""
    return allowed_residual_m(distance_m) + LEFT_OUT_PIXELS * pixel_m


def keeps(fit: PointFit) -> bool:
    """Whether a point keeps to all limits."""
    alone = fit.left_out_m is None or fit.left_out_most_m is None or fit.left_out_m <= fit.left_out_most_m
    return alone and agrees(fit.residual_m, fit.residual_pct, fit.distance_m)


def off(fit: PointFit, path: str) -> Problem:
    most_m = allowed_residual_m(fit.distance_m)
    share = f"{fit.residual_pct:.1f} %"
    alone = Text("", "")
    if fit.left_out_m is not None:
        beyond = f"{fit.left_out_m:.2f} m (≤ {fit.left_out_most_m:.2f} m)"
        alone = Text(f",只按其他点算差 {beyond}", f", {beyond} by the other points alone")
    detail = Text(
        f"第 {fit.number} 点与其他点对不上:差 {fit.residual_m:.2f} m(图像 {share}){alone.zh}",
        f"point {fit.number} does not agree with the others: {fit.residual_m:.2f} m off ({share} of the picture)"
        f"{alone.en}",
    )
    allowed = Text(
        f"≤ {most_m:.2f} m({FIXED_RESIDUAL_M:g} m 加距离的 {RESIDUAL_SHARE:.0%})和图像的 {MOST_RESIDUAL_PCT:g} %;"
        "重量这一点,看有没有写串",
        f"≤ {most_m:.2f} m ({FIXED_RESIDUAL_M:g} m and {RESIDUAL_SHARE:.0%} of the distance) and "
        f"{MOST_RESIDUAL_PCT:g} % of the picture; measure it again, or see whether two were mixed up",
    )
    value = {"image": list(fit.image), "distance_m": fit.distance_m, "lateral_m": fit.lateral_m}
    return _problem(f"{path}.{fit.number - 1}", detail, allowed, value)


def horizon_in_zone(plane: GroundPlane, zones: Zones | None, path: str) -> list[Problem]:
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


def ill_conditioned(path: str, condition: float) -> Problem:
    detail = Text("这些点挤在一起,定不准路面", "these points are too close together to give a ground plane")
    allowed = Text(
        f"条件数 ≤ {MOST_CONDITION:g};点要散开,远近左右都有",
        f"condition number ≤ {MOST_CONDITION:g}; spread the points, near and far, left and right",
    )
    value = f"{condition:.0f}" if math.isfinite(condition) else "∞"
    return _problem(path, detail, allowed, value)


def behind(path: str, index: int, point: PointOnRoad) -> Problem:
    detail = Text(
        f"第 {index + 1} 点按其他点算在地平线以上或镜头后面",
        f"point {index + 1} is above the horizon or behind the camera by the other points",
    )
    allowed = Text("图像里看得见的路面上的点", "a point of the road that the picture shows")
    return _problem(f"{path}.{index}", detail, allowed, value_of(point))


def _problem(path: str, detail: Text, allowed: Text, value: object) -> Problem:
    return Problem("rule", path=path, value=value, allowed=allowed, params={"detail": detail})
