"""Where the sensors of a fitting stand and which way they look, from the scene's roads and the site file. Pure.

Every approach has a pole on the right-hand verge beside its line. A radar hangs there, ``to_conflict_m`` up the road,
aimed at the lane 50 m out. A camera looks up its approach from across the junction, because the stop line lies below
the picture of one that hangs at the line itself. Invariant: places depend on the roads, never on noise
nor on which of the lanes traffic happened to use.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator

import numpy as np

from configs.schema import SiteConfig
from tools.sim.scene import ApproachTruth, Kind, Sample, Scene, User

RADAR_HEIGHT_M = 2.5
"""Above parked cars, below the cab of a lorry; a hand-held ladder reaches it."""

RADAR_HALF_ANGLE_DEG = 20.0
"""Vendor's figure for the LD2451 (±20°); the OPS243's beam is 20° wide (-3 dB), taken as ±10°."""

OPS243_HALF_ANGLE_DEG = 10.0

AIM_M = 50.0
"""The radar is aimed at the lane this far out: half the reach of an LD2451."""

CAMERA_HEIGHT_M = 5.0
CAMERA_BACK_M = 12.0
"""The camera's pole stands across the main road: the stop line is then 12 m off and inside the picture."""

CAMERA_HALF_ANGLE_DEG = 30.0
"""A 4 mm lens on a common sensor sees about 60 degrees across."""

CAMERA_REACH_M = 60.0
"""Where a car is about 12 px high in the detector's input: below that the detector misses most (its model card)."""

LANE_M = 3.5
"""A lane of a county road at 60 km/h (JTG D20-2017); places the verge from the middle of the outermost lane."""

VERGE_M = 2.0
"""From the lane's edge to the pole."""

NEAR_M = 30.0
"""Samples nearer than this place the line; on a curve those farther out would not."""

KEEPS_LANE = frozenset({Kind.CAR, Kind.TRUCK, Kind.BUS, Kind.TRACTOR})
"""Whoever drives in the middle of a lane; two-wheelers ride at its edge."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """A sensor's place: east and north of the junction's centre, the unit vector it looks along, half its field of
    view, how far it surely sees a car (what the site file promises) and how far at most."""

    x_m: float
    y_m: float
    height_m: float
    look_x: float
    look_y: float
    half_angle_deg: float
    reach_m: float
    sees_m: float


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """Where an approach meets the junction. ``x_m, y_m`` is the conflict point on the centre line; ``out`` points up
    the road; ``left`` is left for one who comes in; ``right_edge_m`` and ``left_edge_m`` are the lateral places of
    the inbound lanes' edges; ``aim_x_m, aim_y_m`` a point of the inbound lanes 50 m out."""

    x_m: float
    y_m: float
    out_x: float
    out_y: float
    left_x: float
    left_y: float
    right_edge_m: float
    left_edge_m: float
    aim_x_m: float
    aim_y_m: float

    def at(self, distance_m: float, lateral_m: float) -> tuple[float, float]:
        """The place ``distance_m`` up a straight road."""
        return (
            self.x_m + distance_m * self.out_x + lateral_m * self.left_x,
            self.y_m + distance_m * self.out_y + lateral_m * self.left_y,
        )


def lines(scene: Scene) -> dict[str, Line]:
    """The line of every approach, from what has driven there; without that, from its bearing alone."""
    near: dict[str, list[Sample]] = {name: [] for name in scene.approaches}
    far: dict[str, list[Sample]] = {name: [] for name in scene.approaches}
    for user in scene.users:
        if user.kind in KEEPS_LANE:
            for approach, samples in _inbound(user).items():
                near[approach] += [sample for sample in samples if sample.distance_m <= NEAR_M]
                far[approach] += [sample for sample in samples if abs(sample.distance_m - AIM_M) <= AIM_M / 10]
    return {name: _line(approach, near[name], far[name]) for name, approach in scene.approaches.items()}


def _inbound(user: User) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for sample in user.samples:
        if not sample.outbound:
            found.setdefault(sample.approach, []).append(sample)
    return found


def _line(approach: ApproachTruth, close: list[Sample], far: list[Sample]) -> Line:
    bearing = math.radians(approach.bearing_deg)
    out_x, out_y = math.sin(bearing), math.cos(bearing)
    left_x, left_y = out_y, -out_x
    # Fallback for a road nobody drove: the line lies two lanes from the centre.
    x_m = _median((s.x_m - s.distance_m * out_x - s.lateral_m * left_x for s in close), out_x * 2 * LANE_M)
    y_m = _median((s.y_m - s.distance_m * out_y - s.lateral_m * left_y for s in close), out_y * 2 * LANE_M)
    # A centre line is the carriageway's middle, with all that come in right of it, or the middle of the inbound lanes.
    beside = _median((s.lateral_m for s in close), -LANE_M / 2) < -LANE_M / 4
    right_edge_m = -approach.lanes * LANE_M * (1.0 if beside else 0.5)
    left_edge_m = right_edge_m + approach.lanes * LANE_M
    middle_m = (right_edge_m + left_edge_m) / 2
    line = Line(x_m, y_m, out_x, out_y, left_x, left_y, right_edge_m, left_edge_m, 0.0, 0.0)
    straight = line.at(AIM_M, middle_m)
    return dataclasses.replace(
        line,
        aim_x_m=_median((s.x_m + (middle_m - s.lateral_m) * left_x for s in far), straight[0]),
        aim_y_m=_median((s.y_m + (middle_m - s.lateral_m) * left_y for s in far), straight[1]),
    )


def _median(values: Iterable[float], default: float) -> float:
    found = list(values)
    return float(np.median(found)) if found else default


def radar_mounts(site: SiteConfig, lines_of: dict[str, Line]) -> dict[str, Mount]:
    """The place of every radar of a site."""
    found = {}
    for name, radar in site.radars.items():
        line = lines_of[radar.approach]
        x_m, y_m = radar_place(line, radar.to_conflict_m)
        half_deg = OPS243_HALF_ANGLE_DEG if radar.driver == "ops243" else RADAR_HALF_ANGLE_DEG
        sees_m = max(radar.reach_m, float(radar.options().get("sees_m") or 0.0))
        found[name] = _looking(x_m, y_m, RADAR_HEIGHT_M, line, half_deg, radar.reach_m, sees_m)
    return found


def radar_place(line: Line, to_conflict_m: float) -> tuple[float, float]:
    """Where the radar of an approach hangs, east and north of the junction's centre."""
    return line.at(to_conflict_m, line.right_edge_m - VERGE_M)


def lane_keepers(scene: Scene, approach: str) -> Iterator[list[Sample]]:
    """The way in on an approach of each of those who drive in the middle of a lane."""
    for user in scene.users:
        if user.kind in KEEPS_LANE and (samples := _inbound(user).get(approach)):
            yield samples


def camera_mounts(site: SiteConfig, lines_of: dict[str, Line]) -> dict[tuple[str, str], Mount]:
    """The place of every camera of a site, by (camera, approach)."""
    return {
        (name, approach): camera_mount(lines_of[approach])
        for name, camera in site.cameras.items()
        for approach in camera.zones
    }


def camera_mount(line: Line) -> Mount:
    """The place of the camera that looks up this approach."""
    x_m, y_m = line.at(-CAMERA_BACK_M, line.right_edge_m - VERGE_M)
    return _looking(x_m, y_m, CAMERA_HEIGHT_M, line, CAMERA_HALF_ANGLE_DEG, CAMERA_REACH_M, CAMERA_REACH_M)


def _looking(
    x_m: float, y_m: float, height_m: float, line: Line, half_angle_deg: float, reach_m: float, sees_m: float
) -> Mount:
    dx, dy = line.aim_x_m - x_m, line.aim_y_m - y_m
    length_m = math.hypot(dx, dy)
    return Mount(x_m, y_m, height_m, dx / length_m, dy / length_m, half_angle_deg, reach_m, sees_m)
