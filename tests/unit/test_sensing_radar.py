"""The simulated radars: their bytes tell of the road what the real ones could, and nothing else."""

import dataclasses
import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.interfaces import Flag
from tests.support.sensed import APPROACHES, at, place, scene, targets, user
from tools.sim.scene import Kind, Sample, User
from tools.sim.sensing.fittings import Fitting
from tools.sim.sensing.mounts import VERGE_M
from tools.sim.sensing.weather import CLEAN, FAULTS, Weather

POLE = place("main_east", 0.0, -3.5 - VERGE_M)
OCCLUSION = dataclasses.replace(CLEAN, name="occlusion", occlusion=True)


def seen_by_geometry(who: User, t_s: float) -> tuple[float, float]:
    """Range and speed along the line of sight of one who comes in from the east, worked out anew."""
    x_m, y_m, _ = at(who, t_s)
    dx, dy = x_m - POLE[0], y_m - POLE[1]
    range_m = math.hypot(dx, dy)
    return range_m, who.samples[0].speed_mps * dx / range_m


def test_a_car_at_50_is_reported_in_whole_metres_and_kmh_along_the_line_of_sight() -> None:
    car = user("car", Kind.CAR)
    reports = [(t_s, row) for t_s, rows in targets(scene(car, seconds=10.8), CLEAN) for row in rows]
    assert len(reports) > 60
    for t_s, row in reports:
        range_m, closing_mps = seen_by_geometry(car, t_s - CLEAN.latency_s)
        assert row.distance_m is not None
        assert row.distance_m == pytest.approx(range_m, abs=0.51)
        assert row.distance_m == round(row.distance_m)
        assert row.speed_mps == pytest.approx(closing_mps, abs=0.5 / 3.6 + 0.01)
        assert row.flag is Flag.APPROACHING
    # Cosine error is real: beside the pole it looks slower than on the road.
    assert min(row.speed_mps for _, row in reports) < 0.97 * car.samples[0].speed_mps


def test_every_frame_of_the_way_through_reach_has_the_car() -> None:
    car = user("car", Kind.CAR)
    frames = targets(scene(car, seconds=10.8), CLEAN)
    inside = [rows for t_s, rows in frames if 12 <= at(car, t_s - CLEAN.latency_s)[2] <= 98]
    assert len(inside) > 55 and all(len(rows) == 1 for rows in inside)


@pytest.mark.parametrize(
    ("kind", "reach_m"), [(Kind.CAR, 100), (Kind.TRUCK, 100), (Kind.TRICYCLE, 84), (Kind.E_BIKE, 60), (Kind.WALKER, 25)]
)
def test_small_road_users_are_seen_less_far(kind: Kind, reach_m: float) -> None:
    kmh = 5 if kind is Kind.WALKER else 20
    who = user("one", kind, kmh=kmh, from_m=40 if kind is Kind.WALKER else 110, until_s=40)
    ranges = [row.distance_m for _, rows in targets(scene(who, seconds=40), CLEAN) for row in rows]
    assert max(r for r in ranges if r is not None) == pytest.approx(reach_m, abs=1.1)


def test_whoever_drives_away_is_receding_and_measured_at_the_back() -> None:
    car = user("car", Kind.CAR, from_m=20, outbound=True, lateral_m=1.75, until_s=5)
    reports = [(t_s, row) for t_s, rows in targets(scene(car, seconds=5), CLEAN) for row in rows]
    assert len(reports) > 30
    assert all(row.flag is Flag.RECEDING and row.speed_mps < 0 for _, row in reports)
    t_s, row = reports[-1]
    _, _, front_m = at(car, t_s - CLEAN.latency_s)
    assert row.distance_m == pytest.approx(front_m - car.length_m, abs=1.0)


def test_doppler_does_not_see_who_stands() -> None:
    standing = user("car", Kind.CAR, kmh=0, from_m=30)
    creeping = user("slow", Kind.CAR, kmh=2, from_m=60)
    assert not any(rows for _, rows in targets(scene(standing, creeping), CLEAN))


@settings(max_examples=25, deadline=None)
@given(
    x_m=st.floats(-120, 120),
    y_m=st.floats(-120, 120),
    heading=st.floats(0, 2 * math.pi),
    mps=st.floats(1.0, 30.0),
)
def test_nobody_outside_field_of_view_or_reach_is_ever_reported(
    x_m: float, y_m: float, heading: float, mps: float
) -> None:
    samples = tuple(
        Sample(
            tick / 10,
            "main_east",
            200.0,
            0.0,
            mps,
            x_m + tick / 10 * mps * math.sin(heading),
            y_m + tick / 10 * mps * math.cos(heading),
            False,
        )
        for tick in range(31)
    )
    # A dot, so that its middle is all there is of it; another car marks the road out.
    dot = User("dot", Kind.TRUCK, 0.01, 0.01, False, None, samples)
    marks = user("marks", Kind.CAR, at_s=5, until_s=16)
    for t_s, rows in targets(scene(dot, marks, seconds=3), CLEAN):
        for row in rows:
            dx, dy = (v - pole for v, pole in zip(at(dot, t_s - CLEAN.latency_s)[:2], POLE, strict=True))
            # The radar is aimed at the lane 50 m out.
            aim = math.atan2(place("main_east", 50, -1.75)[1] - POLE[1], 50)
            off = (math.atan2(dy, dx) - aim + math.pi) % (2 * math.pi) - math.pi
            assert abs(math.degrees(off)) <= 21.0
            assert math.hypot(dx, dy) <= 100.6
            assert row.distance_m == pytest.approx(math.hypot(dx, dy), abs=0.6)


def test_a_lorry_hides_the_car_behind_it_but_a_car_does_not_hide_a_lorry() -> None:
    def ranges(weather: Weather, first: Kind, second: Kind) -> set[float]:
        made = scene(user("a", first, from_m=60, kmh=40, until_s=3), user("b", second, from_m=75, kmh=40, until_s=3))
        gaps = set()
        for t_s, rows in targets(made, weather):
            gaps |= {round(at(made.users[0], t_s - weather.latency_s)[2] - (row.distance_m or 0)) for row in rows}
        return gaps

    behind = {-14, -15, -16}
    assert ranges(CLEAN, Kind.TRUCK, Kind.CAR) & behind
    assert not ranges(OCCLUSION, Kind.TRUCK, Kind.CAR) & behind
    assert ranges(OCCLUSION, Kind.CAR, Kind.TRUCK) & behind


def test_one_frame_in_ten_is_missing_when_that_is_asked() -> None:
    weather = dataclasses.replace(CLEAN, name="dropouts", dropout_share=0.10)
    cars = [user(f"car{n}", Kind.CAR, kmh=20, from_m=95, at_s=20 * n, until_s=20 * n + 15) for n in range(12)]
    frames = targets(scene(*cars, seconds=240), weather)
    # Each is on the road for 15 s and seen for at least 14 of them.
    inside = [rows for t_s, rows in frames if 0.3 <= t_s % 20 <= 14.3]
    missing = [not rows for rows in inside]
    assert sum(missing) / len(missing) == pytest.approx(0.10, abs=0.025)
    runs = sum(now and not before for before, now in zip([False, *missing], missing, strict=False))
    assert sum(missing) / runs == pytest.approx(weather.dropout_frames, abs=0.4)


def test_ghosts_are_single_frames_at_the_rate_asked() -> None:
    weather = dataclasses.replace(CLEAN, name="ghosts", ghosts_per_s=0.2)
    frames = targets(scene(seconds=1200), weather)
    assert sum(len(rows) for _, rows in frames) == pytest.approx(240, rel=0.2)
    pairs = sum(bool(a) and bool(b) for (_, a), (_, b) in itertools.pairwise(frames))
    assert pairs < 15


def test_leaves_sway_at_one_range_with_both_signs_for_minutes() -> None:
    weather = dataclasses.replace(CLEAN, name="wind", vegetation_patches=1)
    rows = [(t_s, row) for t_s, found in targets(scene(seconds=900), weather) for row in found]
    ranges = sorted(row.distance_m or 0 for _, row in rows)
    assert ranges[-1] - ranges[0] <= 6
    flags = [row.flag for _, row in rows]
    assert 0.3 < flags.count(Flag.APPROACHING) / len(flags) < 0.7
    assert rows[-1][0] - rows[0][0] > 60


def test_rain_is_near_and_incoherent() -> None:
    weather = dataclasses.replace(CLEAN, name="rain", rain_per_s=6.0)
    rows = [row for _, found in targets(scene(seconds=120), weather) for row in found]
    assert len(rows) > 300
    assert max(row.distance_m or 0 for row in rows) <= weather.rain_within_m + 1
    assert {row.flag for row in rows} == {Flag.APPROACHING, Flag.RECEDING}


def test_a_foreign_radar_hides_what_is_far_and_adds_what_is_not_there() -> None:
    weather = dataclasses.replace(CLEAN, name="jam", interference_per_h=3600.0, interference_s=2.0)
    far = [user(f"c{n}", Kind.CAR, kmh=20, from_m=95, at_s=10 * n, until_s=10 * n + 4) for n in range(6)]
    reports = [row for _, rows in targets(scene(*far, seconds=60), weather) for row in rows]
    wanted = [row for row in reports if abs(row.speed_mps - 20 / 3.6) < 0.3 and (row.distance_m or 0) > 70]
    assert 0 < len(wanted) < 120, "of 240 frames most are jammed"
    assert len(reports) > 2 * len(wanted), "and full of ghosts"


def test_an_ops243_tells_range_and_speed_of_the_strongest_alone() -> None:
    lorry = user("lorry", Kind.TRUCK, from_m=90, until_s=4)
    car = user("car", Kind.CAR, from_m=170, until_s=4)
    frames = targets(scene(lorry, car, seconds=4), CLEAN, fitting=Fitting.LONG_RADAR)
    assert all(len(rows) == 1 for _, rows in frames[2:])
    t_s, (row,) = frames[20]
    assert row.distance_m == pytest.approx(seen_by_geometry(lorry, t_s - CLEAN.latency_s)[0], abs=0.1)
    assert row.speed_mps == pytest.approx(seen_by_geometry(lorry, t_s - CLEAN.latency_s)[1], abs=0.02)
    alone = targets(scene(car, seconds=4), CLEAN, fitting=Fitting.LONG_RADAR)
    assert max(row.distance_m or 0 for _, rows in alone for row in rows) > 165


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    made = scene(user("car", Kind.CAR), seconds=12)
    assert targets(made, FAULTS, seed=4) == targets(made, FAULTS, seed=4)
    assert targets(made, FAULTS, seed=4) != targets(made, FAULTS, seed=5)


def test_the_three_approaches_are_those_of_the_scene() -> None:
    made = scene(user("b", Kind.E_BIKE, approach="branch_south", kmh=18, from_m=70), seconds=14)
    assert set(made.approaches) == set(APPROACHES)
    branch = targets(made, CLEAN, fitting=Fitting.FULL, radar="r_branch_south")
    assert any(rows for _, rows in branch)
    assert not any(rows for _, rows in targets(made, CLEAN, fitting=Fitting.FULL, radar="r_main_west"))
