"""A camera's message: counts by zone, and places of road users where the approach is calibrated."""

from typing import Any

import pytest

from configs.schema import RoadUser
from device.observation import SeenUser, Zone, ZoneCount, camera_observation

SEEN = {"approach": "branch_south", "zone": "wait", "class": "two_wheeler", "distance_m": 3.5, "lateral_m": -1.0}


def message(**more: Any) -> dict[str, Any]:
    return {"camera": "c_branch", "captured_ns": 5, "zones": {"branch_south": {"approach": {"car": 1}}}, **more}


def test_an_uncalibrated_camera_counts_who_is_in_its_zones() -> None:
    seen = camera_observation(message())
    assert seen.occupancy == (ZoneCount("branch_south", Zone.APPROACH, RoadUser.CAR, 1),)
    assert seen.users == ()


def test_a_calibrated_camera_places_who_it_sees_on_the_road() -> None:
    seen = camera_observation(message(users=[SEEN, {**SEEN, "class": "bird"}]))
    assert seen.users == (SeenUser("branch_south", Zone.WAIT, RoadUser.TWO_WHEELER, 3.5, -1.0),)


@pytest.mark.parametrize("change", [{"distance_m": float("nan")}, {"lateral_m": "inf"}, {"zone": "yard"}])
def test_a_place_that_is_no_place_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        camera_observation(message(users=[{**SEEN, **change}]))
