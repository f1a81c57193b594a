"""Boxes in a picture -> who is in which zone of which approach, and where on the road if that is calibrated. Pure.

Invariants: a road user stands where its box meets the ground, at the middle of the lower edge; a zone includes its
border, so that a foot cut off by the picture's edge is inside a zone drawn to that edge; one box counts once per zone,
however many zones overlap; the same boxes give the same counts in any order. On a calibrated approach a box has one
place on the road instead of a count, or a count where its foot is no place: cut off by the picture's lower edge, above
the horizon, far outside what was calibrated. No place is bent into range.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from device.ground_plane import GroundPlane, Place
from device.observation import Zone

Point = tuple[float, float]
Occupancy = dict[str, dict[str, dict[str, int]]]
"""approach -> zone -> class -> how many; only what is not zero."""

_CUT_OFF_PX = 1.0
"""A box that ends so near the picture's lower edge goes on below it: where it meets the ground is not seen."""

_BORDER = 1e-9
"""Distance in picture widths that counts as on the border: far below a pixel, far above rounding."""


class Box(Protocol):
    """What is needed of a detection: class word and box in pixels."""

    @property
    def cls(self) -> str: ...
    @property
    def x0(self) -> float: ...
    @property
    def x1(self) -> float: ...
    @property
    def y1(self) -> float: ...


class ZonesOfApproach(Protocol):
    """What is needed of ``configs.schema.Zones``."""

    @property
    def wait(self) -> Sequence[Point] | None: ...
    @property
    def approach(self) -> Sequence[Point] | None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class ZoneArea:
    """One zone: a polygon in picture coordinates 0..1, origin top left."""

    approach: str
    zone: Zone
    polygon: tuple[Point, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class PlacedUser:
    """One box on a calibrated approach. ``cls`` is the detector's word; in both zones it waits."""

    approach: str
    zone: Zone
    cls: str
    place: Place

    def as_json(self) -> dict[str, Any]:
        """The form ``device.observation.camera_observation`` reads; centimetres, far below what a pixel is."""
        return {
            "approach": self.approach,
            "zone": self.zone.value,
            "class": self.cls,
            "distance_m": round(self.place.distance_m, 2),
            "lateral_m": round(self.place.lateral_m, 2),
        }


def areas_of(zones: Mapping[str, ZonesOfApproach]) -> tuple[ZoneArea, ...]:
    """The zones of one camera's entry in the site file."""
    return tuple(
        ZoneArea(approach, zone, tuple((float(x), float(y)) for x, y in polygon))
        for approach, drawn in zones.items()
        for zone, polygon in ((Zone.WAIT, drawn.wait), (Zone.APPROACH, drawn.approach))
        if polygon is not None
    )


def foot(box: Box, width: int, height: int) -> Point:
    """Where the box stands, 0..1 of a picture of width x height pixels; a box beyond the edge stands on it."""
    x = (box.x0 + box.x1) / 2 / width
    y = box.y1 / height
    return min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)


def contains(polygon: Sequence[Point], point: Point) -> bool:
    """Whether a point is inside a polygon (even-odd rule, either turning sense) or on its border."""
    x, y = point
    inside = False
    ax, ay = polygon[-1]
    for bx, by in polygon:
        if _on_segment(ax, ay, bx, by, x, y):
            return True
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            inside = not inside
        ax, ay = bx, by
    return inside


def road_users(
    boxes: Iterable[Box], areas: Sequence[ZoneArea], planes: Mapping[str, GroundPlane], width: int, height: int
) -> tuple[Occupancy, list[PlacedUser]]:
    """Who stands in the zones: counted by class, or placed on the road where ``planes`` (approach -> plane) can. Width
    and height are the picture's, in pixels."""
    counts: Occupancy = {}
    placed: list[PlacedUser] = []
    for box in boxes:
        point = foot(box, width, height)
        whole = box.y1 < height - _CUT_OFF_PX
        zones: dict[str, list[Zone]] = {}
        for area in areas:
            if contains(area.polygon, point):
                zones.setdefault(area.approach, []).append(area.zone)
        for approach, inside in zones.items():
            plane = planes.get(approach)
            place = plane.locate(*point) if plane is not None and whole else None
            if place is not None:
                zone = Zone.WAIT if Zone.WAIT in inside else inside[0]
                placed.append(PlacedUser(approach, zone, box.cls, place))
                continue
            for zone in inside:
                classes = counts.setdefault(approach, {}).setdefault(zone.value, {})
                classes[box.cls] = classes.get(box.cls, 0) + 1
    return counts, placed


def _on_segment(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> bool:
    if not (min(ax, bx) - _BORDER <= x <= max(ax, bx) + _BORDER):
        return False
    if not (min(ay, by) - _BORDER <= y <= max(ay, by) + _BORDER):
        return False
    return abs((bx - ax) * (y - ay) - (by - ay) * (x - ax)) <= _BORDER
