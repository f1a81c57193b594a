"""What calibration costs: a picture's road users placed on the road, and a camera's plane fitted once at start-up."""

from typing import Any

from configs.schema import GroundPoint, Zones
from device.calibration import calibrate
from device.zones import areas_of, road_users
from models.detector import Detection
from tests.support.poses import Pose

POSE = Pose(height_m=6, pitch_deg=20, yaw_deg=8, focal=0.8, at_m=-6, aside_m=3.5)
ROAD = [(4.0, -2.0), (4.0, 2.0), (12.0, -2.0), (12.0, 2.0), (25.0, -2.0), (25.0, 2.0)]
AREAS = areas_of(
    {
        "branch_south": Zones(
            wait=[(0.20, 0.55), (0.80, 0.55), (0.95, 1.0), (0.05, 1.0)],
            approach=[(0.35, 0.20), (0.65, 0.20), (0.80, 0.55), (0.20, 0.55)],
        )
    }
)


def marks() -> list[GroundPoint]:
    places = [(POSE.image_of(*place), place) for place in ROAD]
    return [GroundPoint(image=image, distance_m=d, lateral_m=lateral) for image, (d, lateral) in places if image]


def boxes() -> list[Detection]:
    """Ten road users, one every two metres along the lane, in a 1280 x 720 picture."""
    found = []
    for number in range(10):
        place = POSE.image_of(6.0 + 2 * number, 0.0)
        assert place is not None
        x, y = place[0] * 1280, place[1] * 720
        found.append(Detection("car", 0.9, x - 40, y - 60, x + 40, y))
    return found


def test_ten_boxes_placed_on_the_road(benchmark: Any) -> None:
    planes = {"branch_south": calibrate("c_branch", "branch_south", marks()).plane}
    _counts, placed = benchmark(road_users, boxes(), AREAS, planes, 1280, 720)
    assert len(placed) == 10


def test_ten_boxes_counted_without_calibration(benchmark: Any) -> None:
    counts, _placed = benchmark(road_users, boxes(), AREAS, {}, 1280, 720)
    assert sum(sum(classes.values()) for classes in counts["branch_south"].values()) == 10


def test_a_plane_of_six_points_fitted(benchmark: Any) -> None:
    found = benchmark(calibrate, "c_branch", "branch_south", marks())
    assert found.worst.residual_m < 0.01
