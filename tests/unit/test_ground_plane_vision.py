"""From a box in a picture to what core receives: each road user once, with a distance where the camera can tell one."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from configs.schema import GroundPoint, RoadUser, Zones
from device.calibration import calibrate
from device.ground_plane import GroundPlane
from device.observation import CameraObservation, SeenUser, Zone, ZoneCount, camera_observation
from device.vision.link import CoreLink
from device.vision.loop import VisionLoop, observation
from device.vision.slot import CameraSlot
from device.zones import areas_of, road_users
from hal.clock import SYSTEM_CLOCK, VirtualClock
from hal.interfaces import CameraFrame
from models.detector import Detection
from tests.support.poses import Pose
from tests.support.vision_core import StubCore

POSE = Pose(height_m=6, pitch_deg=20, yaw_deg=8, focal=0.8, at_m=-6, aside_m=3.5)
WIDTH, HEIGHT = 1280, 720
ZONES = {
    "branch_south": Zones(
        wait=[(0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)], approach=[(0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)]
    )
}


def plane() -> GroundPlane:
    """The camera taught with six chalk marks up to 25 m away."""
    marks = []
    for distance_m, lateral_m in [(4, -2), (4, 2), (12, -2), (12, 2), (25, -2), (25, 2)]:
        place = POSE.image_of(distance_m, lateral_m)
        assert place is not None
        marks.append(GroundPoint(image=place, distance_m=distance_m, lateral_m=lateral_m))
    return calibrate("c_branch", "branch_south", marks).plane


PLANES = {"branch_south": plane()}


def box_of(cls: str, distance_m: float, lateral_m: float) -> Detection:
    """Somebody who stands at a place on the road, as the detector frames them: 1.7 m high, 0.6 m wide."""
    foot = POSE.image_of(distance_m, lateral_m)
    assert foot is not None
    x, y = foot[0] * WIDTH, foot[1] * HEIGHT
    metre_px = POSE.focal * WIDTH / np.hypot(distance_m - POSE.at_m, POSE.height_m)
    return Detection(cls, 0.8, x - 0.3 * metre_px, y - 1.7 * metre_px, x + 0.3 * metre_px, y)


def seen(*boxes: Detection, planes: dict[str, GroundPlane] = PLANES) -> CameraObservation:
    """What core reads of one picture with these boxes."""
    clock = VirtualClock()
    slot = CameraSlot("c_branch", areas_of(ZONES), clock, max_fps=10, planes=planes)
    frame = CameraFrame("c_branch", 7, np.zeros((HEIGHT, WIDTH, 3), np.uint8), 1)
    return camera_observation(json.loads(json.dumps(observation(slot, frame, boxes))))


@pytest.mark.parametrize(
    ("cls", "user", "distance_m", "lateral_m", "zone"),
    [
        ("person", RoadUser.WALKER, 5.0, -1.5, Zone.WAIT),
        ("two_wheeler", RoadUser.TWO_WHEELER, 14.0, 1.0, Zone.APPROACH),
        ("truck", RoadUser.TRUCK, 24.0, -0.5, Zone.APPROACH),
        ("car", RoadUser.CAR, 33.0, 0.0, Zone.APPROACH),
    ],
)
def test_who_stands_at_a_place_is_told_there(
    cls: str, user: RoadUser, distance_m: float, lateral_m: float, zone: Zone
) -> None:
    found = seen(box_of(cls, distance_m, lateral_m))
    assert found.occupancy == ()
    [one] = found.users
    assert (one.approach, one.zone, one.user) == ("branch_south", zone, user)
    assert one.distance_m == pytest.approx(distance_m, abs=0.05)
    assert one.lateral_m == pytest.approx(lateral_m, abs=0.05)


def test_a_box_is_told_once_whether_placed_or_counted() -> None:
    found = seen(box_of("car", 8, 0), box_of("car", 20, 0), box_of("person", 60, 0))
    assert len(found.users) == 2
    assert found.occupancy == (ZoneCount("branch_south", Zone.APPROACH, RoadUser.WALKER, 1),)


def test_beyond_half_as_far_again_as_the_farthest_mark_there_is_no_distance() -> None:
    assert [user.distance_m for user in seen(box_of("car", 37.4, 0)).users] == [pytest.approx(37.4, abs=0.05)]
    found = seen(box_of("car", 37.6, 0))
    assert found.users == ()
    assert found.occupancy == (ZoneCount("branch_south", Zone.APPROACH, RoadUser.CAR, 1),)


def test_far_nearer_than_the_nearest_mark_there_is_no_distance_either() -> None:
    marks = []
    for distance_m, lateral_m in [(22, -2), (22, 2), (30, -2), (30, 2)]:
        place = POSE.image_of(distance_m, lateral_m)
        assert place is not None
        marks.append(GroundPoint(image=place, distance_m=distance_m, lateral_m=lateral_m))
    planes = {"branch_south": calibrate("c_branch", "branch_south", marks).plane}  # believed from 22 - 15 = 7 m on
    assert len(seen(box_of("car", 7.2, 0), planes=planes).users) == 1
    assert seen(box_of("car", 6.8, 0), planes=planes).users == ()


def test_a_foot_above_the_horizon_is_counted_and_not_placed() -> None:
    flat = Pose(height_m=6, pitch_deg=8, focal=0.8, at_m=-6, aside_m=0)  # its horizon is at 30 % of the picture
    marks = []
    for distance_m, lateral_m in [(12, -2), (12, 2), (25, -2), (25, 2)]:
        place = flat.image_of(distance_m, lateral_m)
        assert place is not None
        marks.append(GroundPoint(image=place, distance_m=distance_m, lateral_m=lateral_m))
    planes = {"branch_south": calibrate("c_branch", "branch_south", marks).plane}
    bird = Detection("person", 0.5, 600, 100, 640, 0.25 * HEIGHT)
    assert planes["branch_south"].above_horizon(0.5, 0.25)
    found = seen(bird, planes=planes)
    assert found.users == ()
    assert sum(count.count for count in found.occupancy) == 1


def test_a_box_cut_off_by_the_lower_edge_has_no_place_where_it_meets_the_ground() -> None:
    whole = dataclasses.replace(box_of("car", 5, 0), y1=HEIGHT - 40.0)
    cut = dataclasses.replace(whole, y1=float(HEIGHT))
    assert len(seen(whole).users) == 1
    found = seen(cut)
    assert found.users == ()
    assert found.occupancy == (ZoneCount("branch_south", Zone.WAIT, RoadUser.CAR, 1),)


def test_in_both_zones_one_waits_and_is_placed_once() -> None:
    whole = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    areas = areas_of({"branch_south": Zones(approach=whole, wait=whole)})
    for either_order in (areas, areas[::-1]):
        counts, [one] = road_users([box_of("car", 8, 0)], either_order, PLANES, WIDTH, HEIGHT)
        assert (counts, one.zone) == ({}, Zone.WAIT)


def test_a_calibrated_approach_does_not_place_the_users_of_another() -> None:
    areas = areas_of({"branch_north": ZONES["branch_south"]})
    counts, placed = road_users([box_of("car", 8, 0)], areas, PLANES, WIDTH, HEIGHT)
    assert (counts, placed) == ({"branch_north": {"wait": {"car": 1}}}, [])


def test_an_uncalibrated_camera_says_nothing_of_places() -> None:
    found = seen(box_of("car", 8, 0), planes={})
    assert found.users == ()
    assert found.occupancy == (ZoneCount("branch_south", Zone.WAIT, RoadUser.CAR, 1),)


class Films:
    """A camera that shows one empty picture after another."""

    def read(self, timeout_s: float) -> CameraFrame:
        return CameraFrame("c_branch", SYSTEM_CLOCK.monotonic_ns(), np.full((HEIGHT, WIDTH, 3), 90, np.uint8), 1)

    def close(self) -> None:
        """Holds nothing."""


class Sees:
    """A detector that sees a tricycle rider 12 m away in every picture."""

    classes = ("two_wheeler",)
    threshold = 0.3

    def detect(self, image: object, threshold: float | None = None) -> list[Detection]:
        return [box_of("two_wheeler", 12.0, 1.2)]


def test_core_receives_the_distance_over_its_socket(tmp_path: pathlib.Path) -> None:
    core = StubCore(tmp_path)
    link = CoreLink(core.path, SYSTEM_CLOCK)
    assert link.connect()
    slot = CameraSlot("c_branch", areas_of(ZONES), SYSTEM_CLOCK, max_fps=10, planes=PLANES, camera=Films())
    loop = VisionLoop([slot], Sees(), link.send, SYSTEM_CLOCK)
    assert loop.step()
    told = camera_observation(core.until(lambda message: message["kind"] == "observation"))
    [one] = told.users
    assert one == SeenUser("branch_south", Zone.APPROACH, RoadUser.TWO_WHEELER, one.distance_m, one.lateral_m)
    assert (one.distance_m, one.lateral_m) == (pytest.approx(12.0, abs=0.05), pytest.approx(1.2, abs=0.05))
    loop.close()
    link.close()
    core.close()
