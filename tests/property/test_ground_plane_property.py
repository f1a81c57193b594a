"""A camera somewhere above a road, calibrated by points that it sees, tells where a road user stands."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.ground import problems
from configs.schema import GroundPoint
from device.calibration import Calibration, calibrate
from device.calibration_limits import allowed_residual_m
from device.ground_plane import DETECTOR_PX
from tests.support.poses import Pose

few = settings(max_examples=50, deadline=None)
"""A calibration is a few dozen fits."""

poses = st.builds(
    Pose,
    height_m=st.floats(4, 8),
    pitch_deg=st.floats(5, 35),
    yaw_deg=st.floats(-20, 20),
    focal=st.floats(0.5, 1.4),
    at_m=st.floats(-15, 2),
    aside_m=st.floats(-5, 5),
)
grids = st.tuples(st.floats(6, 12), st.floats(10, 30), st.floats(1.2, 3.0), st.integers(4, 8))
"""Nearest point, how far the farthest is behind it, half the width, how many."""


def road_points(grid: tuple[float, float, float, int]) -> list[tuple[float, float]]:
    """Pairs left and right, near to far; seven or eight points add a third row."""
    near_m, length_m, half_m, count = grid
    rows = [(near_m + length_m * share) for share in (0.0, 1.0, 0.4, 0.7)]
    return [(row_m, side * half_m) for row_m in rows for side in (-1.0, 1.0)][:count]


def marked(
    pose: Pose, road: list[tuple[float, float]], noise: list[tuple[float, float]] | None = None
) -> list[GroundPoint]:
    """The points as a technician marks them, ``noise`` in pixels of the detector's picture."""
    points = []
    for index, (distance_m, lateral_m) in enumerate(road):
        place = pose.image_of(distance_m, lateral_m)
        assume(place is not None)
        assert place is not None
        dx, dy = noise[index] if noise is not None else (0.0, 0.0)
        x, y = place[0] + dx / DETECTOR_PX[0], place[1] + dy / DETECTOR_PX[1]
        assume(0 <= x <= 1 and 0 <= y <= 1)
        points.append(GroundPoint(image=(x, y), distance_m=distance_m, lateral_m=lateral_m))
    return points


def calibrated(points: list[GroundPoint]) -> Calibration:
    assume(not problems(points, ""))
    return calibrate("c_branch", "branch_south", points)


@few
@given(poses, grids, st.floats(0, 1), st.floats(-1, 1))
def test_exact_points_give_every_distance_within_rounding(
    pose: Pose, grid: tuple[float, float, float, int], along: float, across: float
) -> None:
    found = calibrated(marked(pose, road_points(grid)))
    assert found.worst.residual_m < 0.01
    distance_m, lateral_m = grid[0] + along * grid[1], across * grid[2]
    place = pose.image_of(distance_m, lateral_m)
    assert place is not None
    seen = found.plane.locate(*place)
    assert seen is not None
    assert seen.distance_m == pytest.approx(distance_m, abs=0.02)
    assert seen.lateral_m == pytest.approx(lateral_m, abs=0.02)
    back = found.plane.image_of(distance_m, lateral_m)
    assert back == pytest.approx(place, abs=1e-4)


pixels = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=8, max_size=8)


@few
@given(poses, grids, pixels)
def test_marks_one_pixel_off_are_no_further_off_on_the_road_than_the_calibration_says(
    pose: Pose, grid: tuple[float, float, float, int], noise: list[tuple[float, float]]
) -> None:
    road = road_points(grid)
    exact = calibrated(marked(pose, road))
    points = marked(pose, road, noise)
    assume(not problems(points, ""))
    try:
        found = calibrate("c_branch", "branch_south", points)
    except ConfigError as error:  # a distance at which one pixel is more than the limit
        assert "does not agree" in str(error)
        assume(False)
        return
    assert found.worst.residual_m <= allowed_residual_m(found.worst.distance_m)
    assert found.worst.residual_m >= exact.worst.residual_m - 0.01
    for distance_m in (grid[0], grid[0] + grid[1]):
        said_m = exact.error_m(distance_m)
        place = pose.image_of(distance_m, exact.plane.middle_lateral_m)
        assert said_m is not None and place is not None
        assume(said_m < 1.0)  # the derivative holds for small errors
        seen = found.plane.on_plane(*place)
        assert seen is not None
        # ``error_m`` adds independent pixels in quadrature; all at their worst together are at most √(2n) as much.
        assert abs(seen.distance_m - distance_m) <= 4.5 * said_m + 0.02


@few
@given(poses, grids, st.integers(0, 7), st.floats(0.04, 0.1))
def test_a_point_marked_far_off_is_refused_or_shows_in_its_residual(
    pose: Pose, grid: tuple[float, float, float, int], which: int, off: float
) -> None:
    """With more than four points no error of 4 % of the picture goes unseen: some point is at least a metre or a pixel
    off."""
    road = road_points((*grid[:3], max(6, grid[3])))
    points = marked(pose, road)
    assume(not problems(points, ""))
    index = which % len(points)
    x, y = points[index].image
    assume(y + off <= 1)
    points[index] = GroundPoint(image=(x, y + off), distance_m=road[index][0], lateral_m=road[index][1])
    try:
        found = calibrate("c_branch", "branch_south", points)
    except ConfigError as error:
        assert error.problems[0].path.startswith("cameras.c_branch.ground.branch_south")
    else:
        assert max(point.residual_pct for point in found.points) > 100 / DETECTOR_PX[1] / 2


@few
@given(poses, st.floats(0, 1), st.floats(0, 1))
def test_what_has_a_place_is_on_the_road_side_of_the_horizon(pose: Pose, x: float, y: float) -> None:
    found = calibrated(marked(pose, road_points((8.0, 20.0, 2.0, 6))))
    seen = found.plane.locate(x, y)
    if seen is None:
        return
    assert not found.plane.above_horizon(x, y)
    assert found.plane.begins_m <= seen.distance_m <= found.plane.reach_m
    assert found.plane.image_of(seen.distance_m, seen.lateral_m) == pytest.approx((x, y), abs=1e-6)
