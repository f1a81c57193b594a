"""Which sensors hang at a scene's junction, as a site file. Pure.

Invariants: every site file here passes ``sentinel config check``; bearings are filled in; each approach has a lamp of
its own, so that each face can be judged by itself.
"""

import enum
import math
from typing import Any

import numpy as np

from configs.loader import Source, validate
from configs.schema import SiteConfig
from tools.sim.scene import ApproachTruth, Scene
from tools.sim.sensing.mounts import LANE_M, Line, camera_mount, lane_keepers, lines, radar_place
from tools.sim.sensing.picture import GROUND_M, PAST_LINE_M, WAIT_TO_M, image_point, zoning

LONG_REACH_M, LONG_SEES_M = 180.0, 200.0
SHORT_REACH_M, SHORT_SEES_M = 90.0, 100.0
"""What the site file promises, and how far the radar looks: with a tenth of margin, as `technician.md` advises, whoever
comes in reach is known by then."""

BENT_SHARE = 0.01
"""A road this much longer than the line of sight is measured as a bend: at 60 km/h it moves an arrival by 0.1 s."""

BEND_EVERY_M = 10.0
MOST_PAIRS = 16


class Fitting(enum.StrEnum):
    """What is mounted. ``radar_camera`` is the product's usual one."""

    RADAR_CAMERA = "radar_camera"
    LONG_RADAR = "long_radar"
    FULL = "full"
    RADAR_ONLY = "radar_only"
    CAMERA_ONLY = "camera_only"


def site_values(scene: Scene, fitting: Fitting) -> dict[str, Any]:
    """The site file of this fitting as plain values."""
    main = [name for name, approach in scene.approaches.items() if approach.main]
    branches = [name for name, approach in scene.approaches.items() if not approach.main]
    places = lines(scene)
    radars: dict[str, Any] = {}
    cameras: dict[str, Any] = {}
    if fitting is Fitting.LONG_RADAR:
        radars = {f"r_{name}": _ops243(scene, name, places[name]) for name in main}
    elif fitting is not Fitting.CAMERA_ONLY:
        radars = {
            f"r_{name}": _ld2451(scene, name, places[name])
            for name in [*main, *(branches if fitting is Fitting.FULL else ())]
        }
    if fitting in (Fitting.FULL, Fitting.CAMERA_ONLY):
        cameras = {f"c_{name}": _camera(name, places[name]) for name in [*main, *branches]}
    elif fitting is not Fitting.RADAR_ONLY:
        cameras = {f"c_{name}": _camera(name, places[name]) for name in branches}
    return {
        "site": {"id": "371500/sim", "name": f"{scene.junction} {fitting.value}", "design_user": "truck"},
        "approaches": {name: _approach(approach) for name, approach in scene.approaches.items()},
        "radars": radars,
        "cameras": cameras,
        # There are tractors and farm tricycles here, which the detector calls cars.
        "policy": {"car_proven_kmh": 40},
        "lamps": {f"l_{name}": {"driver": "sim", "faces": [name]} for name in scene.approaches},
    }


def site_config(scene: Scene, fitting: Fitting) -> SiteConfig:
    """The same, checked by the node's own loader."""
    return validate(Source("", site_values(scene, fitting), {}))


def _approach(approach: ApproachTruth) -> dict[str, Any]:
    return {
        "road": "main" if approach.main else "branch",
        "limit_kmh": approach.limit_kmh,
        "conflicts": list(approach.conflicts),
        "bearing_deg": round(approach.bearing_deg % 360, 1) % 360,
    }


def _ld2451(scene: Scene, approach: str, line: Line) -> dict[str, Any]:
    return {
        "driver": "ld2451",
        "url": f"/dev/serial/by-id/{approach}",
        "approach": approach,
        "to_conflict_m": 0,
        "reach_m": SHORT_REACH_M,
        "sees_m": SHORT_SEES_M,
        "width_m": LANE_M * scene.approaches[approach].lanes,
        "direction_flag": "approach_is_1",
        **_bend(scene, approach, line, SHORT_SEES_M),
    }


def _ops243(scene: Scene, approach: str, line: Line) -> dict[str, Any]:
    return {
        "driver": "ops243",
        "url": f"/dev/serial/by-id/{approach}",
        "approach": approach,
        "to_conflict_m": 0,
        "reach_m": LONG_REACH_M,
        "sees_m": LONG_SEES_M,
        "width_m": LANE_M * scene.approaches[approach].lanes,
        **_bend(scene, approach, line, LONG_SEES_M),
    }


def _bend(scene: Scene, approach: str, line: Line, sees_m: float) -> dict[str, Any]:
    """The pairs that a technician would measure on a bend, from where traffic truly was; nothing on a straight road."""
    x_m, y_m = radar_place(line, 0.0)
    inbound = [sample for samples in lane_keepers(scene, approach) for sample in samples]
    along_m = np.array([sample.distance_m for sample in inbound])
    line_m = np.array([math.hypot(sample.x_m - x_m, sample.y_m - y_m) for sample in inbound])
    pairs: list[dict[str, float]] = []
    for at_m in np.arange(BEND_EVERY_M, 2 * sees_m, BEND_EVERY_M):
        near = np.abs(along_m - at_m) <= 1.0
        if not near.any():
            continue
        range_m = round(float(np.median((line_m - along_m)[near] + at_m)), 1)
        if range_m > sees_m:
            break
        if not pairs or range_m > pairs[-1]["range_m"]:
            pairs.append({"range_m": range_m, "along_m": float(at_m)})
    if len(pairs) < 2 or pairs[-1]["along_m"] < (1 + BENT_SHARE) * pairs[-1]["range_m"]:
        return {}
    step = -(-len(pairs) // MOST_PAIRS)  # no more than the site file takes
    return {"bend": pairs[::step]}


def _camera(approach: str, line: Line) -> dict[str, Any]:
    mount, drawn = camera_mount(line), zoning(line)

    def polygon(near_m: float, far_m: float) -> list[list[float]]:
        corners = (
            (near_m, drawn.right_m),
            (near_m, drawn.left_m),
            (far_m, drawn.left_m),
            (far_m, drawn.right_m),
        )
        return [_in_picture(image_point(mount, line, *corner)) for corner in corners]

    return {
        "driver": "opencv",
        "source": f"rtsp://192.0.2.1/{approach}",
        "zones": {
            approach: {
                "wait": polygon(PAST_LINE_M, WAIT_TO_M),
                "approach": polygon(WAIT_TO_M, drawn.until_m),
                "reach_m": GROUND_M[-1],
            }
        },
        "ground": {
            approach: [
                {
                    "image": _in_picture(image_point(mount, line, distance_m, lateral_m)),
                    "distance_m": distance_m,
                    "lateral_m": lateral_m,
                }
                for distance_m in GROUND_M
                for lateral_m in (line.right_edge_m, line.left_edge_m)
            ]
        },
    }


def _in_picture(point: tuple[float, float]) -> list[float]:
    return [round(min(max(value, 0.0), 1.0), 4) for value in point]
