"""Who comes to a simulated junction, before SUMO starts: the shapes on the ground and the users drawn from a seed."""

import itertools
import math
import sys

import pytest

from tools.sim.demand import LEVELS, draw
from tools.sim.layouts import LAYOUTS, LIMITS_KMH, SKEW_DEG
from tools.sim.scene import Kind
from tools.sim.sumo import SumoError, home


def test_every_shape_has_every_limit_and_lane_count() -> None:
    names = {f"{s}{v}{x}" for s, v, x in itertools.product(("t", "crossing", "skew", "curve"), LIMITS_KMH, ("", "x2"))}
    assert set(LAYOUTS) == names
    for name, layout in LAYOUTS.items():
        assert layout.name == name
        assert layout.roads["main_east"].lanes == (2 if name.endswith("x2") else 1)
        assert ("branch_north" in layout.roads) == name.startswith("crossing")


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_main_approach_is_as_long_as_the_longest_gap_of_the_rule(name: str) -> None:
    road = LAYOUTS[name].roads["main_east"]
    assert road.length_m == pytest.approx(LAYOUTS[name].roads["main_west"].length_m, abs=1.0)
    assert road.length_m >= 11.5 * road.limit_kmh / 3.6
    assert 30.0 <= road.yard_m <= 80.0


def test_a_skew_branch_meets_the_main_road_at_its_angle_and_a_curve_hides_the_road_behind_it() -> None:
    skew = LAYOUTS["skew60"].roads
    assert skew["branch_south"].bearing_deg - skew["main_east"].bearing_deg == pytest.approx(SKEW_DEG)
    bend = LAYOUTS["curve60"].roads["main_east"]
    assert math.dist(bend.at(0.0)[0], bend.at(300.0)[0]) < 290.0, "the chord cuts the bend"
    assert bend.at(300.0)[1] < bend.at(0.0)[1] - 45.0, "the road has turned away"


def test_left_of_a_driver_who_comes_in_is_positive() -> None:
    roads = LAYOUTS["t60"].roads
    assert roads["main_east"].lateral_m((100.0, -2.0)) == pytest.approx(2.0), "coming from the east, south is left"
    assert roads["main_west"].lateral_m((-100.0, -2.0)) == pytest.approx(-2.0)
    assert roads["branch_south"].lateral_m((1.5, -40.0)) == pytest.approx(-1.5), "coming from the south, east is right"


def test_the_conflicting_approaches_are_those_of_the_other_road() -> None:
    crossing = LAYOUTS["crossing40"]
    assert set(crossing.conflicts("main_east")) == {"branch_south", "branch_north"}
    assert set(crossing.conflicts("branch_north")) == {"main_east", "main_west"}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_kind_of_road_user_comes_to_every_layout(name: str) -> None:
    riders = draw(LAYOUTS[name], LEVELS["normal"], seed=1, seconds=2 * 3600.0)
    main = {rider.kind for rider in riders if rider.approach.startswith("main")}
    branch = {rider.kind for rider in riders if rider.approach.startswith("branch")}
    assert main == set(Kind)
    assert branch == set(Kind)


def test_the_same_seed_draws_the_same_users_and_another_seed_others() -> None:
    layout, level = LAYOUTS["crossing80x2"], LEVELS["busy"]
    assert draw(layout, level, 4, 600.0) == draw(layout, level, 4, 600.0)
    assert draw(layout, level, 4, 600.0) != draw(layout, level, 5, 600.0)


@pytest.mark.parametrize("level", LEVELS)
def test_the_flow_is_the_one_asked_for(level: str) -> None:
    wanted = LEVELS[level]
    riders = draw(LAYOUTS["crossing60"], wanted, seed=2, seconds=40 * 3600.0)
    for road, per_h in (("main", 2 * wanted.main_per_h), ("branch", wanted.branch_per_h)):
        came = sum(rider.approach.startswith(road) and not rider.starts_parked for rider in riders)
        assert came == pytest.approx(40 * per_h, rel=0.06)


def test_only_branch_users_are_reckless_and_under_conflicts_all_of_them() -> None:
    riders = draw(LAYOUTS["t60"], LEVELS["conflicts"], seed=1, seconds=3600.0)
    moving = [rider for rider in riders if not rider.starts_parked]
    assert all(rider.reckless == rider.approach.startswith("branch") for rider in moving)
    assert all(0.3 <= rider.ignores <= 0.5 for rider in moving if rider.reckless)
    calm = draw(LAYOUTS["t60"], LEVELS["normal"], seed=1, seconds=20 * 3600.0)
    branch = [rider for rider in calm if rider.approach == "branch_south"]
    assert sum(rider.reckless for rider in branch) == pytest.approx(0.08 * len(branch), rel=0.35)


def test_speeders_slow_ones_and_platoons_are_on_the_road() -> None:
    riders = [r for r in draw(LAYOUTS["t80"], LEVELS["normal"], 1, 10 * 3600.0) if r.approach == "main_east"]
    cars = [rider.pace for rider in riders if rider.kind is Kind.CAR and not rider.starts_parked]
    assert 0.02 < sum(pace >= 1.2 for pace in cars) / len(cars) < 0.15
    assert 0.005 < sum(pace <= 0.45 for pace in cars) / len(cars) < 0.05
    assert all(4.0 <= rider.top_mps <= 7.0 for rider in riders if rider.kind is Kind.TRACTOR)
    departs_s = [rider.departs_s for rider in riders if not rider.starts_parked]
    close = sum(after - before < 2.7 for before, after in itertools.pairwise(departs_s))
    assert close / len(departs_s) > 0.35, "more close followers than chance alone would give"


def test_without_sumo_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sumo", None)
    with pytest.raises(SumoError, match=r"make sim"):
        home()
