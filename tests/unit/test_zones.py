"""Boxes in a picture become occupancy of zones, by where they stand."""

import dataclasses
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Zones
from device.observation import Zone, camera_observation
from device.zones import Occupancy, ZoneArea, areas_of, contains, foot, road_users

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
# A lane that bends: an L, so that its hull and itself differ.
BENT = ((0.0, 0.0), (0.4, 0.0), (0.4, 0.6), (1.0, 0.6), (1.0, 1.0), (0.0, 1.0))

fractions = st.floats(0, 1, allow_nan=False, width=32)
points = st.tuples(fractions, fractions)


@dataclasses.dataclass(frozen=True)
class Seen:
    cls: str
    x0: float
    y0: float
    x1: float
    y1: float


def occupancy(boxes: list[Seen], areas: Sequence[ZoneArea], width: int, height: int) -> Occupancy:
    """Counts where nothing is calibrated."""
    counts, placed = road_users(boxes, areas, {}, width, height)
    assert placed == []
    return counts


def standing_at(x: float, y: float, cls: str = "person") -> Seen:
    """A road user of 40 x 80 px whose foot is at a fraction of a 1000 x 1000 picture."""
    return Seen(cls, x * 1000 - 20, y * 1000 - 80, x * 1000 + 20, y * 1000)


def test_a_walker_is_where_the_feet_are_not_the_head() -> None:
    area = ZoneArea("branch_south", Zone.WAIT, SQUARE)
    head_inside = standing_at(0.5, 0.85)
    feet_inside = standing_at(0.5, 0.25)
    assert occupancy([head_inside], [area], 1000, 1000) == {}
    assert occupancy([feet_inside], [area], 1000, 1000) == {"branch_south": {"wait": {"person": 1}}}


def test_counts_are_kept_apart_by_approach_zone_and_class() -> None:
    areas = areas_of(
        {
            "branch_south": Zones(
                wait=[(0, 0.5), (0.5, 0.5), (0.5, 1), (0, 1)], approach=[(0, 0), (0.5, 0), (0.5, 0.5)]
            ),
            "branch_north": Zones(wait=[(0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1)]),
        }
    )
    seen = [standing_at(0.2, 0.8), standing_at(0.3, 0.9), standing_at(0.3, 0.7, "car"), standing_at(0.4, 0.2)]
    seen.append(standing_at(0.9, 0.9, "truck"))
    assert occupancy(seen, areas, 1000, 1000) == {
        "branch_south": {"wait": {"person": 2, "car": 1}, "approach": {"person": 1}},
        "branch_north": {"wait": {"truck": 1}},
    }


def test_core_reads_the_occupancy_that_vision_writes() -> None:
    zones = occupancy([standing_at(0.5, 0.5, "bus")], [ZoneArea("branch_south", Zone.APPROACH, SQUARE)], 1000, 1000)
    told = camera_observation({"camera": "c_branch", "captured_ns": 5, "zones": zones})
    assert [(count.approach, count.zone, count.user, count.count) for count in told.occupancy] == [
        ("branch_south", Zone.APPROACH, "bus", 1)
    ]


def test_a_user_cut_off_by_the_pictures_edge_stands_on_it() -> None:
    to_the_edge = ZoneArea("branch_south", Zone.WAIT, ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))
    assert foot(Seen("car", -100, 900, 20, 1010), 1000, 1000) == (0.0, 1.0)
    assert occupancy([Seen("car", -100, 900, 20, 1010)], [to_the_edge], 1000, 1000)


@pytest.mark.parametrize(("point", "inside"), [((0.2, 0.3), True), ((0.7, 0.8), True), ((0.7, 0.3), False)])
def test_a_bent_lane_is_not_its_hull(point: tuple[float, float], inside: bool) -> None:
    assert contains(BENT, point) is inside
    assert contains(BENT[::-1], point) is inside


@given(points)
def test_the_whole_picture_holds_everybody(point: tuple[float, float]) -> None:
    assert contains(((0, 0), (1, 0), (1, 1), (0, 1)), point)


@given(points)
def test_a_square_agrees_with_its_definition(point: tuple[float, float]) -> None:
    x, y = point
    near_border = min(abs(x - 0.2), abs(x - 0.8), abs(y - 0.2), abs(y - 0.8)) < 1e-6
    if not near_border:
        assert contains(SQUARE, point) is (0.2 < x < 0.8 and 0.2 < y < 0.8)


@given(st.lists(points, min_size=3, max_size=8), points, st.integers(0, 7))
def test_where_a_polygon_starts_and_which_way_it_turns_does_not_matter(
    polygon: list[tuple[float, float]], point: tuple[float, float], start: int
) -> None:
    turned = polygon[start % len(polygon) :] + polygon[: start % len(polygon)]
    assert contains(polygon, point) is contains(turned, point) is contains(turned[::-1], point)


@given(st.lists(points, min_size=3, max_size=8))
def test_every_corner_is_inside(polygon: list[tuple[float, float]]) -> None:
    assert all(contains(polygon, corner) for corner in polygon)


@given(st.lists(st.tuples(fractions, fractions, st.sampled_from(["person", "car"])), max_size=12), st.randoms())
def test_order_of_boxes_does_not_matter_and_each_counts_once(
    seen: list[tuple[float, float, str]], shuffler: random.Random
) -> None:
    boxes = [standing_at(*one) for one in seen]
    areas = [ZoneArea("branch_south", Zone.WAIT, SQUARE), ZoneArea("branch_south", Zone.APPROACH, BENT)]
    counted = occupancy(boxes, areas, 1000, 1000)
    shuffled = list(boxes)
    shuffler.shuffle(shuffled)
    assert occupancy(shuffled, areas, 1000, 1000) == counted
    for zone in counted.get("branch_south", {}).values():
        assert 0 < sum(zone.values()) <= len(boxes)
