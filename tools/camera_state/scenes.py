"""The clips of ../shared/footage as cameras on a junction, and pole views of ../shared/road_users.

The geometry of ``side_road_day.mp4`` is judged by eye: its lane lines meet at (157, 48) of 640 x 352, and its cars are
1.8 m wide at a focal length of 1,000 px and a height of 3.8 m. Fog is drawn by that geometry; the node gets marks of it
that are up to two pixels off.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping

import cv2
import numpy as np

from configs.schema import Zones
from device.calibration import calibrate
from device.ground_plane import DETECTOR_PX, GroundPlane
from device.zones import ZoneArea, areas_of
from tools.camera_state.degraded import Floats, Image

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"
STEP_S = 0.5
"""Pictures of a clip so far apart are kept: more than its cars need to leave a place."""

_POLE = pathlib.Path(__file__).with_name("pole.json")
_WIDTH, _HEIGHT = 640, 352
_MEET = (157.0, 48.0)
_FOCAL_PX, _ABOVE_ROAD_M = 1000.0, 3.8
_TO_CONFLICT_M = 8.0
"""The camera is so far behind the conflict point."""

_FARTHEST_M = 400.0
_MARKS = tuple((distance_m, lateral_m) for distance_m in (14.0, 24.0, 45.0) for lateral_m in (2.0, 6.0))
_APPROACH = "branch_south"


class NoFootageError(Exception):
    """The footage is not beside the project."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A camera: its pictures half a second apart, again and again, its zones, and where it is calibrated its plane and
    the true distance of each pixel."""

    name: str
    pictures: tuple[Image, ...]
    areas: tuple[ZoneArea, ...]
    planes: Mapping[str, GroundPlane]
    depth_m: Floats | None = None

    def at(self, t_s: float) -> Image:
        """The picture at a time."""
        return self.pictures[int(t_s / STEP_S) % len(self.pictures)]

    def small(self) -> "Scene":
        """Every second pixel of it each way, all that the node looks at: hours are drawn four times as fast."""
        pictures = tuple(np.ascontiguousarray(picture[::2, ::2]) for picture in self.pictures)
        return dataclasses.replace(
            self, pictures=pictures, depth_m=None if self.depth_m is None else self.depth_m[::2, ::2]
        )


def side_road(shared: pathlib.Path = SHARED) -> Scene:
    """From a pole down a side road, calibrated. Raises NoFootageError."""
    road = _polygon([(190, 135), (400, 135), (640, 250), (640, 340), (300, 345), (215, 180)])
    zones = {_APPROACH: Zones(approach=road, wait=_polygon([(230, 210), (520, 210), (640, 345), (300, 345)]))}
    pictures = _pictures(shared / "footage" / "side_road_day.mp4")
    return Scene("side_road", pictures, areas_of(zones), {_APPROACH: plane()}, depth_m())


def street(shared: pathlib.Path = SHARED) -> Scene:
    """A street from the side, with parked cars. Raises NoFootageError."""
    middle = [(0.0, 0.4), (1.0, 0.2), (1.0, 0.7), (0.0, 0.75)]
    pictures = _pictures(shared / "footage" / "street_side_view.mp4")
    return Scene("street", pictures, areas_of({_APPROACH: Zones(approach=middle)}), {})


def pole(shared: pathlib.Path = SHARED) -> Scene:
    """A pole camera over a fork, 68 pictures of it at other moments, with other traffic. Raises NoFootageError."""
    listed = json.loads(_POLE.read_text(encoding="utf-8"))["pictures"]
    pictures = []
    for name, mirrored in listed:
        found = next((shared / "road_users").glob(f"*/images/atl_{name}.jpg"), None)
        image = None if found is None else cv2.imread(str(found))
        if image is None:
            raise NoFootageError(f"{shared / 'road_users'}: no atl_{name}.jpg there; it is not part of the project")
        pictures.append(np.ascontiguousarray(image[:, ::-1] if mirrored else image, np.uint8))
    road = [(0.0, 0.4), (1.0, 0.3), (1.0, 1.0), (0.0, 1.0)]
    return Scene("pole", tuple(pictures), areas_of({_APPROACH: Zones(approach=road)}), {})


def depth_m() -> Floats:
    """The distance of each pixel of the side road: of the road where there is one, far away above it."""
    rows = np.arange(_HEIGHT, dtype=np.float32)[:, None] - _MEET[1]
    road = _FOCAL_PX * _ABOVE_ROAD_M / np.maximum(rows, 1.0)
    return np.repeat(np.minimum(road, _FARTHEST_M), _WIDTH, axis=1).astype(np.float32)


def plane(seed: int = 0) -> GroundPlane:
    """What a technician's six marks make of the side road; ``seed`` draws by how much they are off, 0 not at all."""
    random = np.random.default_rng(seed)
    points = []
    for distance_m, lateral_m in _MARKS:
        off = random.uniform(-2, 2, 2) / DETECTOR_PX if seed else np.zeros(2)
        x = _MEET[0] + _FOCAL_PX * lateral_m / distance_m
        y = _MEET[1] + _FOCAL_PX * _ABOVE_ROAD_M / distance_m
        image = (float(x / _WIDTH + off[0]), float(y / _HEIGHT + off[1]))
        points.append(_Mark(image, distance_m - _TO_CONFLICT_M, lateral_m))
    return calibrate("c_branch", _APPROACH, points).plane


def night_views(shared: pathlib.Path = SHARED) -> list[Image]:
    """Dark pole views (median below 50) with traffic, 640 x 360. Raises NoFootageError."""
    folder = shared / "road_users"
    found = []
    for path in sorted(folder.glob("*/images/atl_*.jpg")):
        image = cv2.imread(str(path))
        if image is not None and np.median(image[::4, ::4, 1]) < 50:
            found.append(np.asarray(cv2.resize(image, (640, 360)), np.uint8))
    if not found:
        raise NoFootageError(f"{folder}: no pole views (atl_*.jpg) there")
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Mark:
    image: tuple[float, float]
    distance_m: float
    lateral_m: float


def _pictures(path: pathlib.Path) -> tuple[Image, ...]:
    video = cv2.VideoCapture(str(path))
    step = max(1, round(STEP_S * video.get(cv2.CAP_PROP_FPS)))
    found = []
    number = 0
    while video.grab():
        if number % step == 0:
            ok, image = video.retrieve()
            if ok:
                found.append(np.asarray(image, np.uint8))
        number += 1
    video.release()
    if not found:
        raise NoFootageError(f"{path}: no video to read; it is not part of the project")
    return tuple(found)


def _polygon(pixels: list[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(x / _WIDTH, y / _HEIGHT) for x, y in pixels]
