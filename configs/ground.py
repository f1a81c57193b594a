"""Which points of a camera's calibration can make a ground plane at all: geometry of the points alone, no fitting.

Invariants: nothing but cross products and the standard library, so that every process refuses the same file (core
must not import numpy); a problem names the points by their number, from 1, and its path counts from 0 as the file
does. How well the points agree with each other is ``device.calibration``'s to judge.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from configs.errors import Problem, Text

SAME_IMAGE = 0.004
"""Of the picture. Nearer than this is one point marked twice: two pixels of the 544 of the coarser bundled detector."""

SAME_PLACE_M = 0.1
"""On the road. A tape and a chalk mark are no better."""

LEAST_HEIGHT_IMAGE = 0.01
"""Of the picture. A triangle lower than this is a line, as far as one who marks pixels by hand can tell."""

LEAST_HEIGHT_M = 0.3
"""On the road, the same."""

Triple = tuple[int, int, int]
Place = tuple[float, float]


class PointOnRoad(Protocol):
    """What is needed of ``configs.schema.GroundPoint``."""

    @property
    def image(self) -> Place: ...
    @property
    def distance_m(self) -> float: ...
    @property
    def lateral_m(self) -> float: ...


def problems(points: Sequence[PointOnRoad], path: str) -> list[Problem]:
    """Why these points make no ground plane, the plainest reason first; empty when they may. ``path``: of the list."""
    return _twice(points, path) or _on_a_line(points, path) or _turned_over(points, path)


def value_of(point: PointOnRoad) -> dict[str, Any]:
    """The point as the file writes it."""
    return {"image": list(point.image), "distance_m": point.distance_m, "lateral_m": point.lateral_m}


def _twice(points: Sequence[PointOnRoad], path: str) -> list[Problem]:
    found = []
    for (i, one), (j, other) in itertools.combinations(enumerate(points), 2):
        for here, there, least, text in (
            (one.image, other.image, SAME_IMAGE, Text("图像上", "in the picture")),
            (_road(one), _road(other), SAME_PLACE_M, Text("路面上", "on the road")),
        ):
            if math.dist(here, there) < least:
                detail = Text(
                    f"第 {i + 1} 点和第 {j + 1} 点在{text.zh}是同一个点",
                    f"points {i + 1} and {j + 1} are the same point {text.en}",
                )
                allowed = Text("每个点只写一次,各点分开", "every point once, apart from the others")
                found.append(_problem(f"{path}.{j}", detail, allowed, value_of(other)))
                break
    return found


def _on_a_line(points: Sequence[PointOnRoad], path: str) -> list[Problem]:
    """A plane needs four points of which no three lie on a line, in the picture and on the road."""
    strength = {triple: _strength(points, triple) for triple in _triples(range(len(points)))}
    best, weakest = -1.0, (0, 1, 2)
    for four in itertools.combinations(range(len(points)), 4):
        triple = min(_triples(four), key=strength.__getitem__)
        if strength[triple] > best:
            best, weakest = strength[triple], triple
    if best >= 1.0:
        return []
    names = ", ".join(str(index + 1) for index in weakest)
    height_image, height_m = _heights(points, weakest)
    detail = Text(
        f"第 {names} 点在一条直线上(三角形高:图像 {height_image:.3f},路面 {height_m:.2f} m),定不出路面",
        f"points {names} lie on one line (the triangle is {height_image:.3f} of the picture and {height_m:.2f} m "
        "on the road high), which gives no ground plane",
    )
    allowed = Text(
        f"至少四个点,任意三个不在一条直线上:图像 ≥ {LEAST_HEIGHT_IMAGE:g},路面 ≥ {LEAST_HEIGHT_M:g} m;"
        "路两边各取远近两点",
        f"four points of which no three lie on a line: ≥ {LEAST_HEIGHT_IMAGE:g} of the picture, ≥ {LEAST_HEIGHT_M:g} m "
        "on the road; take a near and a far one on each side of the road",
    )
    return [_problem(f"{path}.{weakest[-1]}", detail, allowed, value_of(points[weakest[-1]]))]


def _turned_over(points: Sequence[PointOnRoad], path: str) -> list[Problem]:
    """Whoever looks down on a road sees any three points turn the way they turn on the road: lateral_m is positive to
    the left of who comes in, so (distance, lateral) and the picture's (right, down) are of one handedness."""
    same: list[Triple] = []
    other: list[Triple] = []
    for triple in _triples(range(len(points))):
        if _strength(points, triple) >= 1.0:
            turns = _cross(_images(points, triple)) * _cross(_roads(points, triple))
            (same if turns > 0 else other).append(triple)
    if not other:
        return []
    if not same:
        detail = Text(
            "左右写反了:从图像看,这些点与路面上的左右相反",
            "left and right are swapped: the picture shows these points mirrored",
        )
        allowed = Text(
            "lateral_m 向左为正,按驶向路口的驾驶人看;distance_m 离冲突点越远越大",
            "lateral_m is positive to the left seen by a driver who comes in; distance_m grows away from the "
            "conflict point",
        )
        return [_problem(path, detail, allowed, [point.lateral_m for point in points])]
    wrong = other if len(other) <= len(same) else same
    worst = max(range(len(points)), key=lambda index: (sum(index in triple for triple in wrong), index))
    names = ", ".join(str(index + 1) for index in next(triple for triple in wrong if worst in triple))
    detail = Text(
        f"第 {worst + 1} 点与其他点的次序矛盾(第 {names} 点在图像里与路面上转向相反):点写串了,或在地平线以上、镜头后面",
        f"point {worst + 1} contradicts the order of the others (points {names} turn one way in the picture and the "
        "other way on the road): points mixed up, or one above the horizon or behind the camera",
    )
    allowed = Text("图像里的点与路面上的点一一对应", "each point of the picture with its own place on the road")
    return [_problem(f"{path}.{worst}", detail, allowed, value_of(points[worst]))]


def _problem(path: str, detail: Text, allowed: Text, value: Any) -> Problem:
    return Problem("rule", path=path, value=value, allowed=allowed, params={"detail": detail})


def _road(point: PointOnRoad) -> Place:
    return point.distance_m, point.lateral_m


def _triples(indices: Iterable[int]) -> Iterable[Triple]:
    return itertools.combinations(indices, 3)


def _images(points: Sequence[PointOnRoad], triple: Triple) -> list[Place]:
    return [points[index].image for index in triple]


def _roads(points: Sequence[PointOnRoad], triple: Triple) -> list[Place]:
    return [_road(points[index]) for index in triple]


def _heights(points: Sequence[PointOnRoad], triple: Triple) -> tuple[float, float]:
    return _height(_images(points, triple)), _height(_roads(points, triple))


def _strength(points: Sequence[PointOnRoad], triple: Triple) -> float:
    """How far three points are from a line, in units of the least allowed; below 1 they are on one."""
    height_image, height_m = _heights(points, triple)
    return min(height_image / LEAST_HEIGHT_IMAGE, height_m / LEAST_HEIGHT_M)


def _height(corners: Sequence[Place]) -> float:
    """The least height of a triangle."""
    longest = max(math.dist(one, other) for one, other in itertools.combinations(corners, 2))
    return abs(_cross(corners)) / longest if longest > 0 else 0.0


def _cross(corners: Sequence[Place]) -> float:
    """Twice the signed area of a triangle."""
    (ax, ay), (bx, by), (cx, cy) = corners
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
