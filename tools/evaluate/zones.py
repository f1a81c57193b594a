"""How far a camera's zones reach along their approach, in metres: the judge's own reading of the site file.

A calibrated camera's polygon is carried to the road by the plane through its calibration points. Without calibration
nobody can say in metres what the zone covers, so the smallest usual wait zone obliges and the camera's range excuses.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from configs.schema import SiteConfig

EDGE_M = 1.0
"""Whoever stands this near the zone's far edge may be in or out: half a bonnet."""

UNCALIBRATED_SURELY_M = 4.0
UNCALIBRATED_AT_MOST_M = 15.0
UNCALIBRATED_WHOLE_M = 60.0
"""First car at the line; two cars and the gap between them; the range of the detector (its model card)."""

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """Where a camera sees who stands: surely within ``surely_m`` of the conflict point, perhaps within ``at_most_m``.
    ``without_distance``: it only says that somebody is in a zone, and zones end by ``whole_m``."""

    surely_m: float
    at_most_m: float
    without_distance: bool
    whole_m: float


def standing_zone(site: SiteConfig, approach: str) -> Standing | None:
    """The wait zones of an approach over all its cameras, None where no camera sees who stands there."""
    found = [
        _standing(
            tuple(zones.wait),
            tuple((point.image, point.distance_m, point.lateral_m) for point in camera.ground.get(approach, ())),
        )
        for camera in site.cameras.values()
        if (zones := camera.zones.get(approach)) is not None and zones.wait is not None
    ]
    if not found:
        return None
    return Standing(
        surely_m=max(zone.surely_m for zone in found),
        at_most_m=max(zone.at_most_m for zone in found),
        without_distance=any(zone.without_distance for zone in found),
        whole_m=max(zone.whole_m for zone in found),
    )


@functools.cache
def _standing(wait: tuple[Point, ...], ground: tuple[tuple[Point, float, float], ...]) -> Standing:
    if not ground:
        return Standing(UNCALIBRATED_SURELY_M, UNCALIBRATED_AT_MOST_M, True, UNCALIBRATED_WHOLE_M)
    plane = _plane(ground)
    far_m = _far_edge_m([_on_road(plane, corner) for corner in wait])
    return Standing(far_m[0] - EDGE_M, far_m[1] + EDGE_M, False, far_m[1] + EDGE_M)


def _far_edge_m(corners: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Nearest and farthest place of the edge that lies up the road: the two corners farthest out."""
    distances = sorted((distance_m for distance_m, _ in corners), reverse=True)
    return distances[1], distances[0]


def _plane(ground: Sequence[tuple[Point, float, float]]) -> npt.NDArray[np.float64]:
    """The 3x3 homography picture -> road of least squares (direct linear transform)."""
    rows = []
    for (u, v), x, y in ground:
        rows.append([u, v, 1, 0, 0, 0, -x * u, -x * v, -x])
        rows.append([0, 0, 0, u, v, 1, -y * u, -y * v, -y])
    return np.asarray(np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3))


def _on_road(plane: npt.NDArray[np.float64], point: Point) -> tuple[float, float]:
    x, y, w = plane @ np.array([point[0], point[1], 1.0])
    return float(x / w), float(y / w)
