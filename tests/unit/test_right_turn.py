"""A lorry that turns right, seen by a calibrated camera with its errors, through pipeline and chronicle: one that
stood at its line is never accused, one that rolled through it is told."""

from typing import Any

import pytest

from configs.schema import RoadUser
from device.events import Event
from tests.support.lorries import Lorry, Sight, right_turn_site, right_turns, told

SEEDS = range(6)
SIGHT = Sight(0.3)


@pytest.mark.parametrize("sight", [Sight(0.1), SIGHT, Sight(0.5), Sight(0.3, stays=0.7), Sight(0.3, misses=0.2)])
@pytest.mark.parametrize(
    "stops",
    [
        Lorry(0.3, 0.5),
        Lorry(0.3, 3.0, brakes_mps2=3.5),
        Lorry(1.0, 0.5, starts_mps2=2.0),
        Lorry(4.9, 0.5),
        Lorry(8.0, 0.5),
    ],
)
def test_a_lorry_that_stood_half_a_second_before_its_line_did_right(stops: Lorry, sight: Sight) -> None:
    assert right_turns(stops, sight, SEEDS) == []


@pytest.mark.parametrize("sight", [SIGHT, Sight(0.5)])
@pytest.mark.parametrize("kmh", [10, 15, 25])
def test_a_lorry_that_rolls_through_is_told_once_with_its_slowest_speed(kmh: float, sight: Sight) -> None:
    found = right_turns(Lorry(0.5, 0.2, kmh / 3.6), sight, SEEDS)
    assert len(found) == len(SEEDS)
    for event in found:
        assert event.body["slowest_mps"] == pytest.approx(kmh / 3.6, abs=1.2)
        assert event.body["class"] == "truck" and event.body["approach"] == "branch_south"


def test_a_lorry_that_brakes_so_hard_that_the_camera_loses_it_for_another_did_right() -> None:
    assert right_turns(Lorry(0.3, 0.5, brakes_mps2=5.0), Sight(0.5), (12, 18, 56, 66)) == []


def test_a_short_stop_is_one_where_only_a_standstill_counts() -> None:
    """The filter's own speed never falls below 0.7 m/s in some of these."""
    strict = right_turn_site()
    strict = strict.model_copy(update={"road_events": strict.road_events.model_copy(update={"stop_below_mps": 0.3})})
    assert right_turns(Lorry(0.3, 0.5, starts_mps2=2.0), Sight(0.3, stays=0.7), range(15), strict) == []


def test_a_stop_behind_somebody_else_is_no_stop_at_the_line() -> None:
    assert len(right_turns(Lorry(14.0, 3.0, starts_mps2=1.5), SIGHT, SEEDS)) == len(SEEDS)


def test_who_gives_way_only_when_well_past_the_line_rolled_through_it() -> None:
    assert len(right_turns(Lorry(-4.0, 3.0), SIGHT, SEEDS)) == len(SEEDS)


def test_who_stops_just_past_the_line_is_in_doubt() -> None:
    assert right_turns(Lorry(-0.5, 1.0), SIGHT, SEEDS) == []


def test_a_lorry_that_was_hidden_for_a_second_may_have_stopped_meanwhile() -> None:
    rolls = Lorry(0.5, 0.2, 4.0)
    assert right_turns(rolls, Sight(0.1, hidden=lambda distance_m: 5.0 < distance_m < 9.5), SEEDS) == []
    assert len(right_turns(rolls, Sight(0.1, hidden=lambda distance_m: 7.0 < distance_m < 9.0), SEEDS)) == len(SEEDS)


def test_a_lorry_that_the_camera_loses_before_it_is_past_may_have_stopped_there() -> None:
    assert right_turns(Lorry(0.5, 0.2, 4.0), Sight(0.1, hidden=lambda distance_m: distance_m < 4.0), SEEDS) == []


@pytest.mark.parametrize("user", [{"user": RoadUser.CAR}, {"user": RoadUser.BUS}, {"lateral_m": 1.0}])
def test_who_is_no_lorry_or_in_another_lane_need_not_stop(user: dict[str, Any]) -> None:
    assert _events(told(Lorry(0.5, 0.2, 4.0), SIGHT, 1, **user)) == []
    assert len(_events(told(Lorry(0.5, 0.2, 4.0), SIGHT, 1))) == 1


def test_a_line_farther_up_the_road_is_judged_there() -> None:
    """It stopped 0.5 m before 4 m, 4.5 m beyond a line at 9 m."""
    assert len(right_turns(Lorry(0.5, 2.0), SIGHT, SEEDS, right_turn_site(line_m=9.0))) == len(SEEDS)


def _events(events: list[Event]) -> list[str]:
    return [event.kind.value for event in events if event.kind.value == "right_turn"]
