"""What a radar's straight line is along the road: beside a straight one, and on a bend that a technician measured."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.bend import BEAM_EDGE, Bend, Straight, way_of
from configs.lead import leads
from configs.schema import Radar
from tests.support.road import site

PAIRS = [(20.0, 20.0), (60.0, 64.0), (90.0, 110.0)]


def test_a_radar_on_the_lane_measures_the_road_itself() -> None:
    assert Straight(0.0).along(70.0) == (70.0, 1.0)


def test_a_radar_beside_a_straight_road_measures_the_long_side_of_a_triangle() -> None:
    along_m, slope = Straight(5.0).along(13.0)
    assert along_m == pytest.approx(12.0)
    assert slope == pytest.approx(13 / 12)


@given(beside_m=st.floats(0.1, 15), range_m=st.floats(0, 400))
def test_beside_a_straight_road_distance_rises_with_range_without_a_jump(beside_m: float, range_m: float) -> None:
    way = Straight(beside_m)
    here_m, slope = way.along(range_m)
    assert way.along(range_m + 0.01)[0] - here_m == pytest.approx(0.01 * slope, abs=1e-3)
    assert 1.0 <= slope <= BEAM_EDGE / math.sqrt(BEAM_EDGE**2 - 1) + 1e-9


@pytest.mark.parametrize(
    ("range_m", "along_m", "slope"),
    [(10, 9, 1.1), (20, 20, 1.1), (40, 42, 1.1), (60, 64, 46 / 30), (75, 87, 46 / 30), (105, 133, 46 / 30)],
)
def test_between_two_measured_places_the_road_is_straight(range_m: float, along_m: float, slope: float) -> None:
    found_m, found_slope = Bend(PAIRS).along(range_m)
    assert found_m == pytest.approx(along_m)
    assert found_slope == pytest.approx(slope, abs=1e-6)


def radar(**more: object) -> Radar:
    return Radar.model_validate({"driver": "sim", "approach": "main_east", **more})


def test_the_pairs_of_the_site_file_take_the_place_of_beside_m() -> None:
    bend = [{"range_m": range_m, "along_m": along_m} for range_m, along_m in PAIRS]
    assert way_of(radar(bend=bend, beside_m=5)).along(60.0)[0] == pytest.approx(64.0)
    assert way_of(radar(beside_m=5)).along(13.0)[0] == pytest.approx(12.0)


def test_lead_on_a_bend_is_that_of_the_road() -> None:
    """A radar that sees 90 m of line sees 110 m of road: 6.6 s at 60 km/h, not 5.4."""
    junction = site()
    bend = [{"range_m": range_m, "along_m": along_m} for range_m, along_m in PAIRS]
    radars = {**junction.radars, "r_east": radar(reach_m=90, bend=bend)}
    found = leads(junction.model_copy(update={"radars": radars}))
    east = next(lead for lead in found if lead.sensor == "r_east" and lead.face == "branch_south")
    assert east.design.gives_s == pytest.approx(6.6)


@pytest.mark.parametrize(
    "pairs",
    [
        [(20, 20)],
        [(20, 20), (20, 30)],
        [(20, 20), (30, 20)],
        [(20, 20), (60, 50)],
        [(20, 20), (30, 60)],
    ],
    ids=["one pair", "same range", "same place", "shorter than the line", "seen across"],
)
def test_pairs_that_are_no_road_are_refused(pairs: list[tuple[float, float]]) -> None:
    bend = [{"range_m": range_m, "along_m": along_m} for range_m, along_m in pairs]
    with pytest.raises(ValueError, match=r"bend|at least 2"):
        radar(bend=bend)
