"""The demonstration's road: nobody collides, nobody speeds up towards the junction, radars see whole metres."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.demo.traffic import REACH_M, STANDSTILL_M, STEP_S, Vehicle, make_traffic, radar_targets

SIDES = ("main_east", "main_west")


def roads(seed: int) -> list[Vehicle]:
    return make_traffic(seed, 60.0, SIDES)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_vehicles_keep_their_distance_and_never_speed_up_before_the_junction(seed: int) -> None:
    vehicles = roads(seed)
    for vehicle in vehicles:
        before = [mps for metres, mps in zip(vehicle.metres, vehicle.mps, strict=True) if metres > 0]
        assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(before))
        assert vehicle.at(vehicle.arrives_s)[0] == pytest.approx(0, abs=1e-6)  # type: ignore[index]
    for side in SIDES:
        line = [vehicle for vehicle in vehicles if vehicle.comes_from == side]
        for leader, follower in itertools.pairwise(line):
            for step in range(len(follower.metres)):
                at_s = follower.born_s + step * STEP_S
                ahead, behind = leader.at(at_s), follower.at(at_s)
                if ahead is not None and behind is not None:
                    assert behind[0] - ahead[0] > STANDSTILL_M / 2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_one_comes_from_each_side_soon_enough_for_a_short_demonstration(seed: int) -> None:
    for side in SIDES:
        assert min(vehicle.arrives_s for vehicle in roads(seed) if vehicle.comes_from == side) < 20


def test_the_same_seed_is_the_same_road_and_another_seed_another() -> None:
    assert roads(7) == roads(7)
    assert roads(7) != roads(8)


def test_a_radar_sees_a_vehicle_come_and_the_other_radar_sees_it_leave() -> None:
    vehicle = roads(1)[0]
    own, other = vehicle.comes_from, vehicle.leaves_to
    coming = radar_targets([vehicle], own, vehicle.reaches_s(50.2))
    assert [(t.distance_m, t.direction) for t in coming] == [(50, 1)]
    assert coming[0].speed_kmh == round(vehicle.at(vehicle.reaches_s(50.2))[1] * 3.6)  # type: ignore[index]
    assert radar_targets([vehicle], other, vehicle.reaches_s(50.2)) == []
    leaving = radar_targets([vehicle], other, vehicle.reaches_s(-30.4))
    assert [(t.distance_m, t.direction) for t in leaving] == [(30, 0)]
    assert radar_targets([vehicle], own, vehicle.reaches_s(-30.4)) == []
    assert radar_targets([vehicle], own, vehicle.reaches_s(REACH_M + 5)) == []
    assert radar_targets([vehicle], own, vehicle.born_s - 1) == []


def test_where_a_vehicle_never_is_has_no_time() -> None:
    with pytest.raises(ValueError, match="never is"):
        roads(1)[0].reaches_s(500)
