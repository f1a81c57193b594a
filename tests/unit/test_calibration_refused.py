"""Bad input: a calibration that makes no ground plane is refused, with the point, its value and what is allowed."""

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from configs.errors import ConfigError, Problem
from configs.loader import load_site, parse_yaml, validate
from configs.schema import GroundPoint
from device.calibration import calibrate
from device.site import check_text, write_compiled
from tests.support.poses import Pose
from tests.support.site_files import EXAMPLES

ROOT = pathlib.Path(__file__).resolve().parents[2]
POSE = Pose(height_m=6, pitch_deg=20, yaw_deg=8, focal=0.8, at_m=-6, aside_m=3.5)
ROAD = [(4.0, -2.0), (4.0, 2.0), (12.0, -2.0), (12.0, 2.0), (25.0, -2.0), (25.0, 2.0)]
Points = list[dict[str, Any]]


def points(road: list[tuple[float, float]] = ROAD) -> Points:
    """What a technician marks who makes no error."""
    found: Points = []
    for distance_m, lateral_m in road:
        place = POSE.image_of(distance_m, lateral_m)
        assert place is not None
        x, y = place
        found.append({"image": [round(x, 4), round(y, 4)], "distance_m": distance_m, "lateral_m": lateral_m})
    return found


def site(ground: Points, zones: str = "{wait: [[0.05, 0.5], [0.95, 0.5], [1, 1], [0, 1]]}") -> str:
    return f"""
site: {{id: 371500/n0001, name: 示例路口}}
approaches:
  main_east: {{road: main, limit_kmh: 40, conflicts: [branch_south]}}
  branch_south: {{road: branch, limit_kmh: 30, conflicts: [main_east]}}
cameras:
  c_branch:
    driver: sim
    zones: {{branch_south: {zones}}}
    ground:
      branch_south: {json.dumps(ground)}
lamps: {{l_branch: {{driver: gpio, pin: 17, pin_factory: mock, faces: [branch_south]}}}}
"""


def refused(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        check_text(text, "site.yaml")
    return caught.value.problems


def moved(index: int, **change: Any) -> Points:
    found = points()
    found[index] = {**found[index], **change}
    return found


def swapped(one: int, other: int) -> Points:
    """Two points of the picture with each other's place on the road."""
    found = points()
    found[one]["image"], found[other]["image"] = found[other]["image"], found[one]["image"]
    return found


def mirrored() -> Points:
    return [{**point, "lateral_m": -point["lateral_m"]} for point in points()]


def in_a_row(count: int) -> Points:
    """Points along the middle of the lane."""
    return points([(4.0 + 4 * number, 0.0) for number in range(count)])


GROUND = "cameras.c_branch.ground.branch_south"
BAD = {
    # who wrote it -> the points, where the problem is told, words of it in English
    "only three": (points()[:3], GROUND, "list of 4 … 16 items"),
    "four on one line": (in_a_row(4), f"{GROUND}.2", "points 1, 2, 3 lie on one line"),
    "three of four on a line": (in_a_row(3) + points()[:1], f"{GROUND}.2", "points 1, 2, 3 lie on one line"),
    "five on one line and one beside": (in_a_row(5) + points()[5:], f"{GROUND}.2", "lie on one line"),
    "nearly on one line": (
        points([(4, 0.0), (10, 0.1), (16, -0.05), (22, 0.1)]),
        f"{GROUND}.3",
        "≥ 0.01 of the picture, ≥ 0.3 m on the road",
    ),
    "one mark for two places": (
        moved(1, image=points()[0]["image"]),
        f"{GROUND}.1",
        "points 1 and 2 are the same point",
    ),
    "one place for two marks": (
        moved(3, distance_m=12.0, lateral_m=-2.0),
        f"{GROUND}.3",
        "points 3 and 4 are the same point on the road",
    ),
    "left and right swapped": (mirrored(), GROUND, "left and right are swapped"),
    "two points mixed up": (swapped(0, 3), GROUND, "contradicts the order of the others"),
    "a mark in the sky": (moved(4, image=[0.47, 0.9]), f"{GROUND}.4", "point 5"),
    "a distance mistyped": (moved(4, distance_m=52.0), GROUND, "does not agree with the others"),
    "yards for metres on one side": (moved(2, lateral_m=-6.0), f"{GROUND}.2", "point 3 does not agree"),
    "a corner point that bends the plane to itself": (
        moved(0, image=[round(points()[0]["image"][0] + 0.06, 3), round(points()[0]["image"][1] - 0.1, 3)]),
        f"{GROUND}.0",
        "2.02 m (≤ 1.64 m) by the other points alone",
    ),
    "four points that hardly span a plane": (
        points([(24.5, 0.3), (10.8, -1.6), (5.4, -2.9), (21.8, 2.2)]),
        GROUND,
        "condition number ≤ 100",
    ),
    "a place a mile away": (moved(4, distance_m=1600.0), f"{GROUND}.4.distance_m", "-20 … 200"),
    "pixels for shares": (moved(4, image=[902, 291]), f"{GROUND}.4.image.0", "0 … 1"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_calibration_is_refused_with_the_point_its_value_and_what_is_allowed(kind: str) -> None:
    ground, path, words = BAD[kind]
    found = refused(site(ground))
    told = [problem.render("en") for problem in found]
    assert any(words in line for line in told), told
    problem = next(problem for problem, line in zip(found, told, strict=True) if words in line)
    assert problem.path.startswith(path)
    assert problem.line == parse_yaml(site(ground)).line(("cameras", "c_branch", "ground", "branch_south"))
    assert problem.file == "site.yaml"
    assert problem.allowed is not None
    assert "允许:" in problem.render("zh") and "现在的值:" in problem.render("zh")


@pytest.mark.parametrize(
    "kind",
    ["only three", "four on one line", "one mark for two places", "left and right swapped", "two points mixed up"],
)
def test_what_geometry_alone_can_tell_is_refused_in_every_process(kind: str) -> None:
    """Core reads the file without numpy; what makes no plane at all must not pass there either."""
    with pytest.raises(ConfigError):
        validate(parse_yaml(site(BAD[kind][0])))


def test_points_of_a_real_lane_pass_and_tell_where_one_stands() -> None:
    config, _warnings = check_text(site(points()), "site.yaml")
    found = calibrate("c_branch", "branch_south", config.cameras["c_branch"].ground["branch_south"])
    assert found.worst.residual_m < 0.05
    at_18_m = POSE.image_of(18.0, -1.0)
    assert at_18_m is not None
    place = found.plane.locate(*at_18_m)
    assert place is not None
    assert (place.distance_m, place.lateral_m) == (pytest.approx(18.0, abs=0.1), pytest.approx(-1.0, abs=0.05))


def test_a_zone_that_reaches_into_the_sky_is_refused_at_its_corner() -> None:
    flat = Pose(height_m=5, pitch_deg=5, focal=0.9, at_m=-6, aside_m=2)  # its horizon is at 36 % of the picture
    marks = []
    for distance_m, lateral_m in ROAD[2:]:
        place = flat.image_of(distance_m, lateral_m)
        assert place is not None
        marks.append({"image": list(place), "distance_m": distance_m, "lateral_m": lateral_m})
    low = "{approach: [[0.2, 0.5], [0.8, 0.5], [1, 1], [0, 1]]}"
    high = "{approach: [[0.2, 0.5], [0.8, 0.3], [1, 1], [0, 1]]}"
    assert check_text(site(marks, low), "site.yaml")
    [problem] = refused(site(marks, high))
    assert problem.path == "cameras.c_branch.zones.branch_south.approach.1"
    assert problem.value == [0.8, 0.3]
    assert "horizon" in problem.render("en")


def test_an_approach_without_a_zone_cannot_be_calibrated() -> None:
    text = site(points()).replace("      branch_south: [", "      main_east: [")
    [problem] = refused(text)
    assert (problem.path, problem.value) == ("cameras.c_branch.ground.main_east", "main_east")
    assert problem.allowed is not None and problem.allowed.en == "branch_south"


@pytest.mark.parametrize("wrong", [2, 3, 4, 5, 6, 7])
def test_one_bad_mark_among_eight_is_named_and_not_the_neighbours_it_pulls_along(wrong: int) -> None:
    marks = points([*ROAD, (18.0, -2.0), (18.0, 2.0)])
    x, y = marks[wrong]["image"]
    marks[wrong]["image"] = [x - 0.05, y + 0.03]
    [problem] = refused(site(marks))
    assert problem.path == f"{GROUND}.{wrong}"
    assert f"point {wrong + 1} does not agree" in problem.render("en")


def test_four_points_always_fit_and_a_fifth_shows_the_error() -> None:
    wrong = moved(5, distance_m=19.0)
    four = [wrong[index] for index in (0, 1, 4, 5)]
    found = calibrate("c", "a", [GroundPoint.model_validate(point) for point in four])
    assert found.worst.residual_m < 0.001
    assert all(point.left_out_m is None for point in found.points)
    with_more = [GroundPoint.model_validate(point) for point in points()]
    left_out = calibrate("c", "a", with_more)
    assert all(point.left_out_m is not None and point.left_out_m < 0.2 for point in left_out.points)
    with pytest.raises(ConfigError, match="does not agree"):
        calibrate("c", "a", [GroundPoint.model_validate(point) for point in wrong])


def test_core_reads_a_calibrated_site_and_refuses_a_bad_one_without_numpy(tmp_path: pathlib.Path) -> None:
    config, _warnings = check_text(site(points()), "site.yaml")
    write_compiled(config, tmp_path)
    compiled = json.loads((tmp_path / "site.json").read_text(encoding="utf-8"))
    compiled["cameras"]["c_branch"]["ground"]["branch_south"] = in_a_row(4)
    (tmp_path / "bad.json").write_text(json.dumps(compiled), encoding="utf-8")
    program = f"""
import sys
import device.core
from configs.errors import ConfigError
from configs.loader import load_site
assert len(load_site({str(tmp_path / "site.json")!r}).cameras["c_branch"].ground["branch_south"]) == 6
try:
    load_site({str(tmp_path / "bad.json")!r})
except ConfigError as error:
    assert "lie on one line" in str(error)
else:
    raise SystemExit("four points on one line were taken")
assert not {{"numpy", "cv2"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_the_shipped_example_measures_to_25_m_and_beyond() -> None:
    path = next(path for path in EXAMPLES if path.stem == "t_junction")
    found = calibrate("c_branch", "branch_south", load_site(path).cameras["c_branch"].ground["branch_south"])
    assert found.worst.residual_m < 0.1
    assert found.reliable_to_m is not None and found.reliable_to_m > 25


def test_the_error_of_a_pixel_grows_with_the_square_of_the_distance() -> None:
    """Geometry: a camera h above the road moves a foot at distance d by d²/(h·f) for each step of the picture."""
    found = calibrate("c", "a", [GroundPoint.model_validate(point) for point in points()])
    for distance_m in (15.0, 30.0):
        error_m = found.error_m(distance_m)
        away_m = distance_m - POSE.at_m
        one_pixel_m = away_m**2 / POSE.height_m / (POSE.focal * POSE.aspect) / 306
        assert error_m is not None
        assert 0.8 * one_pixel_m < error_m < 2.0 * one_pixel_m  # the marks' own pixels come on top
    assert found.error_m(-30.0) is None  # behind the camera


def test_reliable_ends_where_a_pixel_is_a_tenth_of_the_distance() -> None:
    low = Pose(height_m=1.2, pitch_deg=8, focal=0.5, at_m=-6, aside_m=1)
    marks = []
    for distance_m, lateral_m in ROAD:
        place = low.image_of(distance_m, lateral_m)
        assert place is not None
        marks.append(GroundPoint(image=place, distance_m=distance_m, lateral_m=lateral_m))
    found = calibrate("c", "a", marks)
    reliable_m = found.reliable_to_m
    assert reliable_m is not None and reliable_m < found.plane.reach_m
    within, beyond = found.error_m(reliable_m), found.error_m(reliable_m + 0.5)
    assert within is not None and beyond is not None
    assert within <= min(3.0, max(0.5, 0.1 * reliable_m))
    assert beyond > min(3.0, 0.1 * (reliable_m + 0.5))
