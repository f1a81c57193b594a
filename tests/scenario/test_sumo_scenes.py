"""Scenes that SUMO drives: what the truth file says of them must agree with itself and with the ground."""

import collections
import dataclasses
import itertools
import math
import pathlib

import pytest
from click.testing import CliRunner

from tests.support.sumo import needs_sumo, scene
from tools.sim import network, sumo
from tools.sim.__main__ import main
from tools.sim.demand import LEVELS, draw
from tools.sim.layouts import LAYOUTS
from tools.sim.scene import Kind, Sample, User, read_scene
from tools.sim.simulate import WARM_UP_S, arrivals, simulate

pytestmark = needs_sumo

BUSY = ("curve60", "busy", 3, 200.0)
SHAPES = [BUSY, ("crossing80", "busy", 3, 200.0), ("skew40x2", "busy", 3, 200.0), ("t100", "busy", 3, 200.0)]
WILD = ("t60", "conflicts", 5, 480.0)


def legs(user: User) -> list[list[Sample]]:
    """A user's samples in unbroken runs on one approach in one direction."""
    runs: list[list[Sample]] = []
    for sample in user.samples:
        last = runs[-1][-1] if runs else None
        same = last and (last.approach, last.outbound) == (sample.approach, sample.outbound)
        if same and sample.t_s - last.t_s < 0.11:
            runs[-1].append(sample)
        else:
            runs.append([sample])
    return runs


def steps(of: list[list[Sample]]) -> list[tuple[Sample, Sample]]:
    return [pair for leg in of for pair in itertools.pairwise(leg)]


def test_the_same_seed_gives_the_same_scene_and_another_seed_another() -> None:
    again = simulate(LAYOUTS["t40"], LEVELS["normal"], 7, 60.0)
    assert again == simulate(LAYOUTS["t40"], LEVELS["normal"], 7, 60.0)
    assert again.users != simulate(LAYOUTS["t40"], LEVELS["normal"], 8, 60.0).users


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_builds_with_a_way_through_every_approach(name: str, tmp_path: pathlib.Path) -> None:
    built = network.build(LAYOUTS[name], tmp_path)
    for approach, road in LAYOUTS[name].roads.items():
        assert road.length_m - 25.0 < built.length_m[approach] < road.length_m
        inbound = [place for place in built.lanes.values() if place.approach == approach and place.inbound]
        assert len(inbound) == 3 * road.lanes, "before the yard's entrance, across it and after it"


@pytest.mark.parametrize("made", SHAPES, ids=lambda made: made[0])
def test_every_kind_of_road_user_drives(made: tuple[str, str, int, float]) -> None:
    users = scene(*made).users
    assert {user.kind for user in users} == set(Kind)
    assert all(user.samples == tuple(sorted(user.samples, key=lambda s: s.t_s)) for user in users)
    assert all(0.0 <= s.t_s <= made[3] for user in users for s in (user.samples[0], user.samples[-1]))


@pytest.mark.parametrize("made", SHAPES, ids=lambda made: made[0])
def test_speed_is_the_rate_at_which_the_distance_shrinks(made: tuple[str, str, int, float]) -> None:
    """0.25 m/s: two positions to the centimetre, a tenth of a second apart, and one step of strong braking."""
    pairs = [pair for user in scene(*made).users for pair in steps(legs(user))]
    assert len(pairs) > 10_000
    for before, after in pairs:
        rate_mps = (before.distance_m - after.distance_m) / (after.t_s - before.t_s)
        rate_mps = -rate_mps if after.outbound else rate_mps
        assert rate_mps == pytest.approx(after.speed_mps, abs=0.25), (before, after)


@pytest.mark.parametrize("made", SHAPES, ids=lambda made: made[0])
def test_one_who_drives_through_comes_ever_nearer_until_the_conflict_point(made: tuple[str, str, int, float]) -> None:
    through = 0
    for user in scene(*made).users:
        inbound = [leg for leg in legs(user) if not leg[0].outbound]
        for before, after in steps(inbound):
            assert after.distance_m <= before.distance_m + 0.011
        if inbound and user.leaves_before_m is None and len({s.approach for s in user.samples}) == 2:
            last = inbound[-1][-1]
            through += 1
            # Within one step of the end of the approach's last lane.
            assert 0.0 <= last.distance_m <= 0.1 * max(last.speed_mps, 1.0) + 1.0, user.id
    assert through > 20


def test_in_a_bend_distance_runs_along_the_road_and_not_along_the_chord() -> None:
    made = scene(*BUSY)
    road, length_m = LAYOUTS["curve60"].roads["main_east"], made.approaches["main_east"].length_m
    far = [s for user in made.users for s in user.samples if s.approach == "main_east" and s.distance_m > 280.0]
    assert far
    for sample in far:
        chord_m = math.hypot(sample.x_m, sample.y_m)
        assert sample.distance_m > chord_m + 5.0
        (x_m, y_m), _ = road.at(sample.distance_m + road.length_m - length_m)
        # The point on the middle line at that distance is beside the user, as far as its lateral position says.
        beside_m = math.dist((x_m, y_m), (sample.x_m, sample.y_m))
        assert beside_m == pytest.approx(abs(sample.lateral_m), abs=1.0)


@pytest.mark.parametrize("made", SHAPES, ids=lambda made: made[0])
def test_the_lateral_position_agrees_with_the_ground(made: tuple[str, str, int, float]) -> None:
    roads = LAYOUTS[made[0]].roads
    for user in scene(*made).users:
        for sample in user.samples[::20]:
            on_ground_m = roads[sample.approach].lateral_m((sample.x_m, sample.y_m))
            assert sample.lateral_m == pytest.approx(on_ground_m, abs=0.1), (user.id, sample)


def test_traffic_keeps_right_and_overtakers_use_the_other_side() -> None:
    pairs = [(user, s) for made in SHAPES for user in scene(*made).users for s in user.samples]
    right = sum((s.lateral_m < 0.0) != s.outbound for _, s in pairs)
    assert right / len(pairs) > 0.97
    assert any(not s.outbound and s.lateral_m > 0.5 and s.speed_mps > 5.0 for _, s in pairs), "nobody overtook"
    walkers = [s.lateral_m for user, s in pairs if user.kind is Kind.WALKER and s.approach == "main_east"]
    assert max(abs(lateral_m) for lateral_m in walkers) > 2.5, "walkers keep to the edge"


def test_one_who_turns_off_has_the_place_where_it_left_and_is_seen_no_nearer() -> None:
    plan = {rider.id: rider for rider in draw(LAYOUTS["t60"], LEVELS["conflicts"], 5, WILD[3] + WARM_UP_S)}
    left = [user for user in scene(*WILD).users if user.leaves_before_m is not None]
    assert len(left) >= 4
    for user in left:
        route, inbound = plan[user.id].route, [s for s in user.samples if not s.outbound]
        assert route[1].endswith(("_yard_in", "_out0")), route
        assert user.leaves_before_m == inbound[-1].distance_m == min(s.distance_m for s in inbound)
        yard_m = LAYOUTS["t60"].roads[inbound[-1].approach].yard_m
        assert yard_m - 15.0 < user.leaves_before_m < yard_m + 10.0
    turned_round = [user for user in left if any(s.outbound for s in user.samples)]
    assert turned_round, "a U-turn comes back on the same road"
    staying = [user for user in scene(*WILD).users if plan[user.id].route[-2:][0].endswith("_out1")]
    assert all(user.leaves_before_m is None for user in staying)


def test_a_parked_one_stands_beside_its_lane_and_has_not_turned_off() -> None:
    parked = [user for made in SHAPES for user in scene(*made).users if user.id.startswith("parked")]
    assert len(parked) >= 8
    for user in parked:
        stands = list(itertools.takewhile(lambda s: s.speed_mps == 0.0, user.samples))
        assert user.leaves_before_m is None
        assert stands
        assert {(s.distance_m, s.lateral_m, s.outbound) for s in stands} == {
            (stands[0].distance_m, stands[0].lateral_m, False)
        }
    layout = LAYOUTS["crossing80"]
    for user in (user for user in parked if user in scene(*SHAPES[1]).users):
        first, road = user.samples[0], layout.roads[user.samples[0].approach]
        over_m = road.lane_m - (-first.lateral_m - user.width_m / 2.0)
        assert -0.65 <= over_m <= 0.55, "off the road, or a little on it"


def test_one_who_pulls_over_stands_beside_its_lane_and_goes_on() -> None:
    went_on = 0
    for name, level, seed, seconds in (*SHAPES, WILD):
        plan = draw(LAYOUTS[name], LEVELS[level], seed, seconds + WARM_UP_S)
        pulls_over = {rider.id for rider in plan if rider.parks_m is not None and not rider.starts_parked}
        users = scene(name, level, seed, seconds).users
        for user in (user for user in users if user.id in pulls_over):
            lane_m = LAYOUTS[name].roads[user.samples[0].approach].lane_m
            stands = [s for s in user.samples if s.speed_mps == 0.0 and s.lateral_m < -lane_m]
            went_on += bool(stands) and user.samples[-1].t_s > stands[-1].t_s and user.samples[-1].speed_mps > 1.0
    assert went_on >= 1


def test_conflicts_are_crossing_or_merging_and_one_a_pair() -> None:
    made = scene(*WILD)
    assert len(made.encounters) >= 8
    pairs = collections.Counter(frozenset((met.first, met.second)) for met in made.encounters)
    assert set(pairs.values()) == {1}
    users = {user.id: user for user in made.users}
    for met in made.encounters:
        assert (met.ttc_s is not None and met.ttc_s < 1.5) or (met.pet_s is not None and met.pet_s < 3.0)
        first, second = users[met.first], users[met.second]
        came = {next(s.approach for s in user.samples if s.t_s <= met.begins_s + 30.0) for user in (first, second)}
        assert len(came) == 2, f"{met}: two from one approach follow, they do not cross"
        assert 0.0 <= met.begins_s <= made.duration_s


def test_a_conflict_begins_before_the_second_of_the_two_is_through() -> None:
    made = scene(*WILD)
    users = {user.id: user for user in made.users}
    for met in made.encounters:
        through = [
            next((s.t_s for s in users[name].samples if s.outbound and s.t_s > met.begins_s - 10.0), made.duration_s)
            for name in (met.first, met.second)
        ]
        assert met.begins_s <= max(through)


def test_arrivals_are_those_who_came_to_the_line() -> None:
    made = scene(*WILD)
    assert 0.6 * len(made.users) < arrivals(made) < len(made.users)
    nobody = dataclasses.replace(made, users=tuple(user for user in made.users if user.leaves_before_m is not None))
    assert arrivals(nobody) == 0


def test_the_command_writes_a_truth_file_that_reads_back(tmp_path: pathlib.Path) -> None:
    options = [
        "scene",
        "--layout",
        "t40",
        "--demand",
        "quiet",
        "--seed",
        "2",
        "--seconds",
        "60",
        "--out",
        str(tmp_path),
    ]
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 0, done.output
    (path,) = tmp_path.iterdir()
    assert str(path) in done.output
    assert "of processor time" in done.output
    made = read_scene(path)
    assert (made.junction, made.seed, made.duration_s) == ("t40", 2, 60.0)
    assert made.approaches["branch_south"].conflicts == ("main_east", "main_west")


def test_a_program_that_refuses_its_arguments_is_quoted(tmp_path: pathlib.Path) -> None:
    with pytest.raises(sumo.SumoError, match=r"netconvert ended with 1: .*--no-such-option"):
        sumo.run("netconvert", ["--no-such-option"], tmp_path)
