"""Who could be seen, for the judge: what geometry says, and that a clean recording agrees with it."""

import pytest

from configs.loader import Source, validate
from tests.support.sensed import at, pictures, scene, targets, user
from tools.sim.scene import Kind, Sample, Scene, User
from tools.sim.sensing.fittings import Fitting, site_config, site_values
from tools.sim.sensing.reach import Visibility, visible
from tools.sim.sensing.recorder import ANCHOR_MONO_NS
from tools.sim.sensing.weather import CLEAN


def where(made: Scene, fitting: Fitting, who: User) -> list[tuple[Sample, Visibility]]:
    flags = visible(made, site_config(made, fitting))[who.id]
    assert len(flags) == len(who.samples)
    return list(zip(who.samples, flags, strict=True))


def test_a_car_is_in_reach_of_a_radar_of_90_m_from_there_to_beside_the_pole() -> None:
    car = user("car", Kind.CAR)
    inside = [sample.distance_m for sample, sight in where(scene(car), Fitting.RADAR_CAMERA, car) if sight.by_radar]
    assert max(inside) == pytest.approx(90, abs=1.5)
    # Pole 3.75 m beside the lane's middle, axis 4 degrees towards the lane: out of ±20 degrees at 8.2 m.
    assert min(inside) == pytest.approx(8.9, abs=1.5)
    assert not any(sight.by_camera for _, sight in where(scene(car), Fitting.RADAR_CAMERA, car))


def test_a_radar_of_180_m_sees_twice_as_far_and_a_radar_sees_nobody_who_stands() -> None:
    car = user("car", Kind.CAR, from_m=250)
    inside = [sample.distance_m for sample, sight in where(scene(car), Fitting.LONG_RADAR, car) if sight.by_radar]
    assert max(inside) == pytest.approx(180, abs=1.5)
    parked = user("parked", Kind.CAR, kmh=0, from_m=30)
    made = scene(car, parked)
    assert not any(sight.by_radar for _, sight in where(made, Fitting.RADAR_ONLY, parked))
    assert all(sight.by_camera for _, sight in where(made, Fitting.CAMERA_ONLY, parked))


def test_the_branch_camera_surely_sees_the_last_40_m_of_the_branch_and_looks_48_m_far() -> None:
    rider = user("b", Kind.E_BIKE, approach="branch_south", kmh=20, from_m=80)
    inside = [
        sample.distance_m for sample, sight in where(scene(rider), Fitting.RADAR_CAMERA, rider) if sight.by_camera
    ]
    assert max(inside) == pytest.approx(40, abs=0.6) and min(inside) < 0.6
    made = scene(rider)
    undeclared = site_values(made, Fitting.RADAR_CAMERA)
    del undeclared["cameras"]["c_branch_south"]["zones"]["branch_south"]["reach_m"]
    flags = visible(made, validate(Source("", undeclared, {})))["b"]
    seen = [one.distance_m for one, sight in zip(rider.samples, flags, strict=True) if sight.by_camera]
    assert max(seen) == pytest.approx(48, abs=1)


def test_behind_a_lorry_is_occluded_but_in_reach() -> None:
    lorry = user("lorry", Kind.TRUCK, from_m=60, kmh=40, until_s=3)
    car = user("car", Kind.CAR, from_m=75, kmh=40, until_s=3)
    made = scene(lorry, car)
    assert all(sight.by_radar and sight.occluded for _, sight in where(made, Fitting.RADAR_CAMERA, car))
    assert not any(sight.occluded for _, sight in where(made, Fitting.RADAR_CAMERA, lorry))
    outshone = [sight for _, sight in where(made, Fitting.LONG_RADAR, car)]
    assert all(sight.outshone for sight in outshone)


def test_one_echo_at_a_time_leaves_the_weaker_outshone() -> None:
    near = user("near", Kind.CAR, from_m=60, outbound=True, lateral_m=1.75, until_s=3)
    far = user("far", Kind.CAR, from_m=175, until_s=3)
    made = scene(near, far)
    assert all(sight.outshone and not sight.occluded for _, sight in where(made, Fitting.LONG_RADAR, far))
    assert not any(sight.outshone for _, sight in where(made, Fitting.LONG_RADAR, near))
    # A lorry between what is surely seen and what is seen at most sends its echo back all the same.
    lorry = user("lorry", Kind.TRUCK, from_m=195, kmh=20, outbound=True, lateral_m=1.75, until_s=1)
    car = user("car", Kind.CAR, from_m=165, until_s=1)
    made = scene(lorry, car)
    assert all(sight.outshone for _, sight in where(made, Fitting.LONG_RADAR, car))
    assert not any(sight.by_radar for _, sight in where(made, Fitting.LONG_RADAR, lorry))


def test_visibility_is_of_the_scene_alone_and_others_times_do_not_matter() -> None:
    car = user("car", Kind.CAR)
    shifted = tuple(
        Sample(s.t_s + 0.04, "main_west", s.distance_m, s.lateral_m, s.speed_mps, -s.x_m, -s.y_m, s.outbound)
        for s in car.samples
    )
    other = User("other", Kind.CAR, 4.5, 1.8, False, None, shifted)
    made = scene(car, other)
    flags = visible(made, site_config(made, Fitting.RADAR_ONLY))
    assert flags["car"] == visible(scene(car), site_config(scene(car), Fitting.RADAR_ONLY))["car"]
    assert flags["other"] == flags["car"]


def test_in_clean_weather_what_could_be_seen_is_in_the_recording() -> None:
    car = user("car", Kind.CAR)
    lorry = user("lorry", Kind.TRUCK, kmh=40, from_m=130, at_s=4)
    rider = user("b", Kind.E_BIKE, approach="branch_south", kmh=20, from_m=80)
    made = scene(car, lorry, rider, seconds=20)
    site = site_config(made, Fitting.RADAR_CAMERA)
    frames = targets(made, CLEAN)
    for who in (car, lorry):
        for sample, sight in where(made, Fitting.RADAR_CAMERA, who):
            if sight.by_radar and sample.distance_m > 12 and 0.2 < sample.t_s < 19.5:
                near = [rows for t_s, rows in frames if 0 <= t_s - sample.t_s - CLEAN.latency_s < 0.11]
                ranges = [row.distance_m for rows in near for row in rows if row.distance_m is not None]
                assert any(abs(value - sample.distance_m) < 4 for value in ranges), sample
    messages = pictures(made, site, CLEAN, "c_branch_south")
    for message in messages:
        assert isinstance(message["captured_ns"], int)
        distance_m = at(rider, (message["captured_ns"] - ANCHOR_MONO_NS) / 1e9)[2]
        if 1 < distance_m < 46:
            assert message["users"]
