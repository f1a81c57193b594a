"""The simulated cameras: messages that core reads, places that get worse with distance, misses that have a reason."""

import collections
import dataclasses
import json
from collections.abc import Sequence

import pytest

from device.calibration import planes
from device.observation import CameraObservation, SeenUser, Zone, camera_observation
from device.zones import contains
from tests.support.sensed import at, pictures, scene, user
from tools.sim.scene import Kind, Scene, User
from tools.sim.sensing.fittings import Fitting, site_config
from tools.sim.sensing.mounts import camera_mount, lines
from tools.sim.sensing.picture import image_point, zoning
from tools.sim.sensing.recorder import ANCHOR_MONO_NS, heard
from tools.sim.sensing.weather import CLEAN, FAULTS, NIGHT, Weather

CAMERA = "c_branch_south"


def seen(made: Scene, weather: Weather, seed: int = 1) -> list[CameraObservation]:
    site = site_config(made, Fitting.RADAR_CAMERA)
    return [camera_observation(json.loads(json.dumps(m))) for m in pictures(made, site, weather, CAMERA, seed)]


def on_branch(name: str, kind: Kind, **where: float) -> User:
    return user(name, kind, approach="branch_south", **where)


def share_seen(observations: Sequence[CameraObservation]) -> float:
    return sum(bool(one.users) for one in observations) / len(observations)


def test_ten_pictures_a_second_arrive_about_150_ms_later() -> None:
    made = scene(seconds=20)
    messages = [m for m in heard(made, site_config(made, Fitting.RADAR_CAMERA), CLEAN, 1) if m.camera is not None]
    late_s = [m.t_s - (m.camera["captured_ns"] - ANCHOR_MONO_NS) / 1e9 for m in messages if m.camera is not None]
    assert 195 <= len(messages) <= 200
    assert sum(late_s) / len(late_s) == pytest.approx(0.15, abs=0.01) and min(late_s) > 0.05
    assert [m.t_s for m in messages] == sorted(m.t_s for m in messages)


def test_a_standing_e_bike_waits_where_it_stands() -> None:
    rider = on_branch("b", Kind.E_BIKE, kmh=0, from_m=3)
    for observation in seen(scene(rider, seconds=10), CLEAN):
        assert [(one.approach, one.zone, one.user.value) for one in observation.users] == [
            ("branch_south", Zone.WAIT, "two_wheeler")
        ]
        assert observation.users[0].distance_m == pytest.approx(3, abs=0.3)
        assert observation.users[0].lateral_m == pytest.approx(-1.75, abs=0.1)
        assert observation.occupancy == ()


def test_a_car_is_followed_from_48_m_to_the_line_and_never_beyond() -> None:
    car = on_branch("c", Kind.CAR, kmh=30, from_m=90)
    places = [(o.captured_ns, o.users[0]) for o in seen(scene(car, seconds=14), CLEAN) if o.users]
    assert len(places) > 50
    for captured_ns, one in places:
        true_m = at(car, (captured_ns - ANCHOR_MONO_NS) / 1e9)[2]
        assert one.distance_m == pytest.approx(true_m, abs=2.0)
        assert true_m < 50
        assert (one.zone is Zone.WAIT) == (one.distance_m <= 10)


def test_whoever_drives_out_of_the_branch_is_not_reported() -> None:
    car = on_branch("c", Kind.CAR, kmh=30, from_m=0)
    out = dataclasses.replace(
        car, samples=user("c", Kind.CAR, approach="branch_south", from_m=1, outbound=True, lateral_m=1.75).samples
    )
    assert not any(o.users for o in seen(scene(out, seconds=10), CLEAN))


def test_place_errors_grow_with_the_square_of_distance() -> None:
    weather = dataclasses.replace(CLEAN, name="jitter", box_jitter_px=1.5)

    def spread_m(distance_m: float) -> float:
        made = scene(on_branch("c", Kind.CAR, kmh=0, from_m=distance_m, until_s=200.0), seconds=200)
        off = [one.distance_m - distance_m for o in seen(made, weather) for one in o.users]
        return (sum(value * value for value in off) / len(off)) ** 0.5

    # From the camera, 12 m behind the line: 20 m and 40 m.
    assert spread_m(28) / spread_m(8) == pytest.approx(4.0, rel=0.25)


def test_the_far_are_missed_more_than_the_near_and_by_night_more_than_by_day() -> None:
    def share(distance_m: float, weather: Weather) -> float:
        made = scene(on_branch("c", Kind.CAR, kmh=0, from_m=distance_m, until_s=300.0), seconds=300)
        return share_seen(seen(made, dataclasses.replace(weather, false_boxes_per_s=0.0)))

    assert share(2, FAULTS) == pytest.approx(0.87, abs=0.06)
    assert share(30, FAULTS) == pytest.approx(0.68, abs=0.08)
    assert share(2, NIGHT) == pytest.approx(0.6 * 0.87, abs=0.08)
    assert share(30, CLEAN) == 1.0


def test_misses_come_in_runs() -> None:
    made = scene(on_branch("c", Kind.CAR, kmh=0, from_m=30, until_s=300.0), seconds=300)
    missing = [not o.users for o in seen(made, FAULTS)]
    starts = sum(now and not before for before, now in zip([False, *missing], missing, strict=False))
    assert sum(missing) / starts > 2


def test_a_tricycle_is_taken_for_what_the_detector_knows() -> None:
    words: collections.Counter[str] = collections.Counter()
    for seed in range(60):
        made = scene(on_branch("t", Kind.TRICYCLE, kmh=0, from_m=5, until_s=1.0), seconds=1)
        found: set[str] = {one.user.value for o in seen(made, CLEAN, seed) for one in o.users}
        assert len(found) == 1, "one tricycle looks like one thing"
        words.update(found)
    assert set(words) == {"two_wheeler", "car", "truck"}
    assert words["two_wheeler"] == max(words.values())


def test_a_lorry_is_called_a_car_now_and_then_when_the_detector_is_the_real_one() -> None:
    made = scene(on_branch("l", Kind.TRUCK, kmh=0, from_m=5, until_s=60.0), seconds=60)
    words = [one.user.value for o in seen(made, FAULTS) for one in o.users if abs(one.distance_m - 5) < 2]
    assert 0.5 < words.count("truck") / len(words) < 0.8
    # For moments, not for good: within three seconds it has been a lorry at least once.
    assert all("truck" in words[at : at + 25] for at in range(0, len(words) - 25, 25))
    assert {one.user.value for o in seen(made, CLEAN) for one in o.users} == {"truck"}


def test_a_lorry_hides_the_car_behind_it() -> None:
    cars = (on_branch("l", Kind.TRUCK, kmh=0, from_m=3), on_branch("c", Kind.CAR, kmh=0, from_m=14))
    made = scene(*cars, seconds=5)
    far = [one for o in seen(made, CLEAN) for one in o.users if one.distance_m > 10]
    hidden = [
        one
        for o in seen(made, dataclasses.replace(CLEAN, name="occlusion", occlusion=True))
        for one in o.users
        if one.distance_m > 10
    ]
    assert far and not hidden


def test_the_site_files_zones_and_calibration_are_those_of_the_picture() -> None:
    """The node's own ground plane and zones, given where a foot is in the picture, find the place it has."""
    made = scene(on_branch("c", Kind.CAR), seconds=1)
    site = site_config(made, Fitting.RADAR_CAMERA)
    line = lines(made)["branch_south"]
    plane = planes(CAMERA, site)["branch_south"]
    drawn = zoning(line)
    for distance_m in (0.0, 5.0, 9.0, 11.0, 25.0, 45.0):
        for lateral_m in (-3.0, -1.75, -0.3):
            x, y = image_point(camera_mount(line), line, distance_m, lateral_m)
            place = plane.locate(x, y)
            assert place is not None
            assert place.distance_m == pytest.approx(distance_m, abs=0.15)
            assert place.lateral_m == pytest.approx(lateral_m, abs=0.05)
            zones = site.cameras[CAMERA].zones["branch_south"]
            polygon = {Zone.WAIT: zones.wait, Zone.APPROACH: zones.approach}[
                drawn.of(distance_m, lateral_m) or Zone.WAIT
            ]
            assert polygon is not None and contains(polygon, (x, y))


def test_riders_and_shadows_are_boxes_too() -> None:
    weather = dataclasses.replace(CLEAN, name="boxes", rider_share=0.5)
    made = scene(on_branch("b", Kind.E_BIKE, kmh=0, from_m=20, until_s=60.0), seconds=60)
    words = collections.Counter(one.user.value for o in seen(made, weather) for one in o.users)
    assert words["walker"] / words["two_wheeler"] == pytest.approx(0.5, abs=0.1)
    shadows: list[SeenUser] = [
        one
        for o in seen(scene(seconds=600), dataclasses.replace(CLEAN, name="shadows", false_boxes_per_s=0.1))
        for one in o.users
    ]
    assert len(shadows) == pytest.approx(60, abs=25)
