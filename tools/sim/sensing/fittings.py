"""Which sensors hang at a scene's junction, as a site file. Pure.

Invariants: every site file here passes ``sentinel config check``; bearings are filled in; each approach has a lamp of
its own, so that each face can be judged by itself.
"""

import enum
from typing import Any

from configs.loader import Source, validate
from configs.schema import SiteConfig
from tools.sim.scene import ApproachTruth, Scene
from tools.sim.sensing.mounts import Line, camera_mount, lines
from tools.sim.sensing.picture import GROUND_M, PAST_LINE_M, WAIT_TO_M, image_point, zoning

LONG_REACH_M = 200.0
SHORT_REACH_M = 100.0


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
        radars = {f"r_{name}": _ops243(name) for name in main}
    elif fitting is not Fitting.CAMERA_ONLY:
        radars = {f"r_{name}": _ld2451(name) for name in [*main, *(branches if fitting is Fitting.FULL else ())]}
    if fitting in (Fitting.FULL, Fitting.CAMERA_ONLY):
        cameras = {f"c_{name}": _camera(name, places[name]) for name in [*main, *branches]}
    elif fitting is not Fitting.RADAR_ONLY:
        cameras = {f"c_{name}": _camera(name, places[name]) for name in branches}
    return {
        "site": {"id": "371500/sim", "name": f"{scene.junction} {fitting.value}", "design_user": "truck"},
        "approaches": {name: _approach(approach) for name, approach in scene.approaches.items()},
        "radars": radars,
        "cameras": cameras,
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


def _ld2451(approach: str) -> dict[str, Any]:
    return {
        "driver": "ld2451",
        "url": f"/dev/serial/by-id/{approach}",
        "approach": approach,
        "to_conflict_m": 0,
        "reach_m": SHORT_REACH_M,
        "direction_flag": "approach_is_1",
    }


def _ops243(approach: str) -> dict[str, Any]:
    return {
        "driver": "ops243",
        "url": f"/dev/serial/by-id/{approach}",
        "approach": approach,
        "to_conflict_m": 0,
        "reach_m": LONG_REACH_M,
    }


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
        "zones": {approach: {"wait": polygon(PAST_LINE_M, WAIT_TO_M), "approach": polygon(WAIT_TO_M, drawn.until_m)}},
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
