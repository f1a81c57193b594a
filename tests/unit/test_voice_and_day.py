"""The voice: direction first, only in alert, never in quiet hours or with a clock that cannot be trusted."""

import datetime
import itertools

import pytest

from configs.schema import RoadUser
from device.day import DAYLIGHT, DayState, day_state, within
from device.voice import side
from hal.clock import ClockQuality
from tests.support.road import Drive, Vehicle, site


def said(*vehicles: Vehicle, day: DayState = DAYLIGHT, until_s: float = 26.0) -> list[tuple[float, str, str]]:
    moments = Drive(*vehicles, branch=lambda _t: {RoadUser.CAR: 1}, day=day).run(until_s)
    return [(moment.t_s, face, clip) for moment in moments for face, clip in moment.output.says.items()]


def clips(face: str, heard: list[tuple[float, str, str]]) -> list[str]:
    return [clip for _t, spoken_to, clip in heard if spoken_to == face]


def test_who_comes_from_the_east_is_on_the_right_of_a_driver_from_the_south() -> None:
    assert side(180, 90) == "right" and side(180, 270) == "left"
    assert side(0, 90) == "left" and side(180, 0) is None and side(None, 90) is None


@pytest.mark.parametrize(("radar", "clip"), [("r_east", "right_vehicle"), ("r_west", "left_vehicle")])
def test_the_branch_hears_the_side_and_the_main_road_hears_the_junction(radar: str, clip: str) -> None:
    heard = said(Vehicle(50, 20.0, radar=radar))
    assert clips("branch_south", heard) == [clip]
    assert clips("main_east" if radar == "r_east" else "main_west", heard) == ["junction_ahead"]


def test_vehicles_from_both_sides() -> None:
    heard = said(Vehicle(50, 20.0), Vehicle(50, 20.05, radar="r_west"))
    assert clips("branch_south", heard)[0] == "both_vehicles"


def test_the_next_vehicle_is_spoken_of_only_after_the_lockout() -> None:
    heard = said(Vehicle(60, 20.0), Vehicle(60, 23.0), Vehicle(60, 40.0), until_s=45)
    times = [t for t, face, _clip in heard if face == "branch_south"]
    assert len(times) >= 2
    assert all(later - earlier >= 8.0 for earlier, later in itertools.pairwise(times))


def test_quiet_hours_are_quiet() -> None:
    assert said(Vehicle(50, 20.0), day=DayState(True, 100, 80, True)) == []


@pytest.mark.parametrize(
    ("hour", "quiet", "volume_pct"),
    [(3, True, 60), (6, True, 60), (7, False, 80), (12, False, 80), (19, False, 60), (23, True, 60)],
)
def test_the_default_day(hour: int, quiet: bool, volume_pct: int) -> None:
    state = day_state(site(), datetime.datetime(2026, 11, 22, hour, 30), ClockQuality.SYNCED)
    assert (state.quiet, state.volume_pct) == (quiet, volume_pct)


def test_a_clock_that_cannot_be_trusted_is_quiet_and_bright() -> None:
    state = day_state(site(), datetime.datetime(1970, 1, 1, 12), ClockQuality.FLOOR)
    assert state.quiet and state.brightness_pct == 100 and not state.clock_trusted


def test_periods_over_midnight() -> None:
    assert within("23:00", "21:00", "07:00") and within("06:59", "21:00", "07:00")
    assert not within("07:00", "21:00", "07:00") and within("12:00", "08:00", "18:00")


def test_the_lamp_is_dimmed_at_night_only_as_configured() -> None:
    raw = site().model_dump(mode="json", exclude_none=True) | {"night": {"brightness_pct": 40}}
    config = type(site()).model_validate(raw)
    night = day_state(config, datetime.datetime(2026, 11, 22, 23), ClockQuality.RTC)
    noon = day_state(config, datetime.datetime(2026, 11, 22, 12), ClockQuality.RTC)
    assert (night.brightness_pct, noon.brightness_pct) == (40, 100)
