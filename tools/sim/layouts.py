"""The junctions of the bench: shape, speed limit and lanes, as lines on the ground; nothing of how SUMO writes them.

Coordinates are metres east and north of the junction's centre. A ``Road`` runs along the middle of its carriageway from
the centre outwards; traffic keeps right. Every road has one yard entrance, on its driver's right or left as he comes
in, so that some of its users turn off before they reach the junction.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from types import MappingProxyType

Point = tuple[float, float]

LIMITS_KMH = (40, 60, 80, 100)
MAIN_LENGTH_M = {40: 350.0, 60: 350.0, 80: 350.0, 100: 450.0}
"""11.5 s, the longest gap of the rule, at the limit and a quarter over: 399 m at 100 km/h, 320 m at 80."""
BRANCH_LENGTH_M = 200.0
BRANCH_LIMIT_KMH = 30
MAIN_LANE_M, BRANCH_LANE_M = 3.5, 3.25
"""Lane widths of a class III or IV rural road (JTG D20-2017, table 6.2.1: 3.5 m at 60 km/h, 3.25 m at 30)."""

SKEW_DEG = 50.0
"""Sharpest angle that still occurs where an old village road meets a newer main road."""
CURVE_STARTS_M = 55.0
"""Short sight: the bend begins this far from the junction."""
CURVE_TURNS_DEG = 75.0
SIDE_GRIP = 0.19
"""Side friction plus superelevation that a driver accepts in a tight bend: radius = v² / (g · 0.19)."""
_ARC_STEP_DEG = 2.0
"""Chords of a bend: 2° at 150 m of radius leaves 2 cm between chord and arc."""


@dataclasses.dataclass(frozen=True, slots=True)
class Road:
    """One approach and the way back out. ``points`` run outwards from the junction's centre, ``lanes`` are those of
    one direction, ``yard_m`` is where the yard's entrance lies, along the road from the centre."""

    main: bool
    limit_kmh: int
    lanes: int
    lane_m: float
    points: tuple[Point, ...]
    yard_m: float
    yard_on_right: bool

    @property
    def length_m(self) -> float:
        """Length along the road from the junction's centre."""
        return sum(math.dist(a, b) for a, b in itertools.pairwise(self.points))

    @property
    def bearing_deg(self) -> float:
        """Compass bearing of the road seen from the junction's centre."""
        (x0, y0), (x1, y1) = self.points[:2]
        return round(math.degrees(math.atan2(x1 - x0, y1 - y0)) % 360.0, 3)

    def at(self, along_m: float) -> tuple[Point, float]:
        """The point ``along_m`` from the centre and the compass bearing there, looking outwards."""
        left_m = along_m
        for (x0, y0), (x1, y1) in itertools.pairwise(self.points):
            piece_m = math.dist((x0, y0), (x1, y1))
            if left_m <= piece_m:
                part = left_m / piece_m
                bearing_deg = math.degrees(math.atan2(x1 - x0, y1 - y0)) % 360.0
                return (x0 + part * (x1 - x0), y0 + part * (y1 - y0)), bearing_deg
            left_m -= piece_m
        raise ValueError(f"{along_m} m is beyond the end of a road of {self.length_m:.0f} m")

    def lateral_m(self, point: Point) -> float:
        """Offset of a point from the road's middle line, positive to the left of a driver who comes in."""
        best_m, lateral_m = math.inf, 0.0
        for (x0, y0), (x1, y1) in itertools.pairwise(self.points):
            piece_m = math.dist((x0, y0), (x1, y1))
            east, north = (x1 - x0) / piece_m, (y1 - y0) / piece_m
            along_m = min(max((point[0] - x0) * east + (point[1] - y0) * north, 0.0), piece_m)
            away_m = math.dist(point, (x0 + along_m * east, y0 + along_m * north))
            if away_m < best_m:
                best_m = away_m
                # Left of one who comes in is right of one who looks outwards.
                lateral_m = math.copysign(away_m, (point[0] - x0) * north - (point[1] - y0) * east)
        return lateral_m


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """One junction. ``stop``: the branch has a stop line instead of a give-way line."""

    name: str
    roads: Mapping[str, Road]
    stop: bool

    @property
    def limit_kmh(self) -> int:
        """Speed limit of the main road."""
        return max(road.limit_kmh for road in self.roads.values() if road.main)

    def conflicts(self, approach: str) -> tuple[str, ...]:
        """The approaches whose users cross or join the way of those on ``approach``: the other kind of road."""
        main = self.roads[approach].main
        return tuple(name for name, road in self.roads.items() if road.main != main)


def _ray(bearing_deg: float, length_m: float) -> tuple[Point, ...]:
    angle = math.radians(bearing_deg)
    return (0.0, 0.0), (length_m * math.sin(angle), length_m * math.cos(angle))


def _bend(limit_kmh: int, length_m: float) -> tuple[Point, ...]:
    """East, then to the left (north) on a circle as tight as the limit allows, then straight."""
    radius_m = (limit_kmh / 3.6) ** 2 / (9.81 * SIDE_GRIP)
    turn_deg = min(CURVE_TURNS_DEG, math.degrees((length_m - CURVE_STARTS_M) / radius_m))
    steps = math.ceil(turn_deg / _ARC_STEP_DEG)
    points: list[Point] = [(0.0, 0.0), (CURVE_STARTS_M, 0.0)]
    for step in range(1, steps + 1):
        angle = math.radians(turn_deg) * step / steps
        points.append((CURVE_STARTS_M + radius_m * math.sin(angle), radius_m * (1.0 - math.cos(angle))))
    done_m = sum(math.dist(a, b) for a, b in itertools.pairwise(points))
    if length_m - done_m > 1.0:
        x, y = points[-1]
        angle = math.radians(turn_deg)
        points.append((x + (length_m - done_m) * math.cos(angle), y + (length_m - done_m) * math.sin(angle)))
    return tuple(points)


def _layout(shape: str, limit_kmh: int, lanes: int) -> Layout:
    length_m = MAIN_LENGTH_M[limit_kmh]

    def main(points: tuple[Point, ...], yard_m: float, on_right: bool) -> Road:
        return Road(True, limit_kmh, lanes, MAIN_LANE_M, points, yard_m, on_right)

    def branch(bearing_deg: float, yard_m: float, on_right: bool) -> Road:
        points = _ray(bearing_deg, BRANCH_LENGTH_M)
        return Road(False, BRANCH_LIMIT_KMH, 1, BRANCH_LANE_M, points, yard_m, on_right)

    east = _bend(limit_kmh, length_m) if shape == "curve" else _ray(90.0, length_m)
    roads = {
        "main_east": main(east, 75.0, True),
        "main_west": main(_ray(270.0, length_m), 55.0, False),
        "branch_south": branch(90.0 + SKEW_DEG if shape == "skew" else 180.0, 45.0, True),
    }
    if shape == "crossing":
        roads["branch_north"] = branch(0.0, 60.0, False)
    name = f"{shape}{limit_kmh}" + (f"x{lanes}" if lanes > 1 else "")
    return Layout(name, MappingProxyType(roads), stop=shape in ("crossing", "curve"))


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        layout.name: layout
        for shape in ("t", "crossing", "skew", "curve")
        for limit_kmh in LIMITS_KMH
        for lanes in (1, 2)
        for layout in (_layout(shape, limit_kmh, lanes),)
    }
)
"""Every junction of the bench by name: ``t60``, ``crossing80x2``, ``skew40``, ``curve100``, …"""
