"""The voice: direction first, only in alert, never in quiet hours or with a clock that cannot be trusted."""

import dataclasses
import datetime
import itertools
from collections.abc import Iterable

import pytest

from configs.schema import Level, RoadUser, SiteConfig
from device.day import DAYLIGHT, DayState, day_state, hazier, within
from device.decision import FaceDecision
from device.health import Health
from device.tracks import Track
from device.voice import VoiceKeeper, side
from hal.clock import ClockQuality
from hal.interfaces import Shows
from hal.speaker import wav
from hal.speaker.clips import CLIPS, LONGEST_S, RENDERED
from tests.support.road import Drive, Vehicle, site
from tests.support.tracks import BRANCH, EAST, WEST, ns, seen, waits


def said(*vehicles: Vehicle, day: DayState = DAYLIGHT, until_s: float = 26.0) -> list[tuple[float, str, str]]:
    moments = Drive(*vehicles, branch=lambda _t: {RoadUser.CAR: 1}, day=day).run(until_s)
    return [(moment.t_s, face, clip) for moment in moments for face, clip in moment.output.says.items()]


def clips(face: str, heard: list[tuple[float, str, str]]) -> list[str]:
    return [clip for _t, spoken_to, clip in heard if spoken_to == face]


def test_who_comes_from_the_east_is_on_the_right_of_a_driver_from_the_south() -> None:
    assert side(180, 90) == "right" and side(180, 270) == "left"
    assert side(0, 90) == "left" and side(180, 0) is None and side(None, 90) is None


@pytest.mark.parametrize(
    ("other_deg", "word"),
    [
        (19.9, None),
        (20, "right"),
        (160, "right"),
        (160.1, None),
        (199.9, None),
        (200, "left"),
        (340, "left"),
        (341, None),
    ],
)
def test_within_twenty_degrees_of_ahead_or_behind_is_no_side(other_deg: float, word: str | None) -> None:
    assert side(180, other_deg) == word


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


@pytest.mark.parametrize(("hour", "night"), [(5, True), (6, False), (19, False), (20, True), (23, True)])
def test_night_comes_from_its_hours(hour: int, night: bool) -> None:
    assert day_state(site(), datetime.datetime(2026, 11, 22, hour), ClockQuality.RTC).night is night


def test_a_clock_that_cannot_be_trusted_counts_as_night_at_noon() -> None:
    assert day_state(site(), datetime.datetime(2026, 11, 22, 12), ClockQuality.FLOOR).night
    assert not day_state(site(), datetime.datetime(2026, 11, 22, 12), ClockQuality.RTC).night


@pytest.mark.parametrize("quality", list(ClockQuality))
def test_wet_road_and_fog_are_what_the_county_has_set_whatever_the_clock(quality: ClockQuality) -> None:
    raw = site().model_dump(mode="json", exclude_none=True) | {"conditions": {"wet": True, "visibility_m": 80}}
    foggy = type(site()).model_validate(raw)
    noon = datetime.datetime(2026, 11, 22, 12)
    state = day_state(foggy, noon, quality)
    assert (state.wet, state.visibility_m) == (True, 80.0)
    clear = day_state(site(), noon, quality)
    assert (clear.wet, clear.visibility_m) == (False, None)


@pytest.mark.parametrize(
    ("set_m", "seen_m", "counts_m"),
    [
        (None, [], None),
        (None, [None, None], None),
        (None, [300.0, None, 90.0], 90.0),
        (150.0, [400.0], 150.0),
        (150.0, [60.0], 60.0),
    ],
)
def test_of_all_that_is_told_of_the_fog_the_thickest_counts(
    set_m: float | None, seen_m: list[float | None], counts_m: float | None
) -> None:
    day = dataclasses.replace(DAYLIGHT, visibility_m=set_m)
    assert hazier(day, seen_m) == dataclasses.replace(DAYLIGHT, visibility_m=counts_m)


def test_replay_plays_by_daylight_on_a_dry_road_in_clear_air() -> None:
    assert (DAYLIGHT.night, DAYLIGHT.wet, DAYLIGHT.visibility_m, DAYLIGHT.quiet) == (False, False, None, False)


class Speaks:
    """The voice of a site over the decisions of its branch face."""

    def __init__(self, **voice: object) -> None:
        raw = site().model_dump(mode="json", exclude_none=True) | {"voice": voice}
        self.config = SiteConfig.model_validate(raw)
        self.voice = VoiceKeeper()

    def at(
        self,
        t_s: float,
        decision: FaceDecision | None = None,
        *,
        day: DayState = DAYLIGHT,
        trusted: Iterable[str] = ("r_east", "r_west", "c_branch"),
    ) -> str | None:
        decision = decision or alert(seen(EAST, 4.0))
        return self.voice.step(ns(t_s), self.config, day, {decision.face: decision}, frozenset(trusted)).get(
            decision.face
        )


WAITS = waits()


def alert(soonest: Track | None, *, level: Level = "alert", meets: Track | None = WAITS) -> FaceDecision:
    return FaceDecision(
        face=BRANCH,
        level=level,
        health=Health.FAULT,
        shows=Shows.ALERT,
        cause=seen(WEST, 9.0, number=9),
        conflict=meets,
        reasons=(),
        caused_by_ns=None,
        soonest=soonest,
        coming=frozenset({EAST}),
    )


@pytest.mark.parametrize(("arrival_s", "speaks"), [(5.0, True), (5.001, False), (0.0, True)])
def test_it_speaks_when_the_first_to_arrive_is_five_seconds_away(arrival_s: float, speaks: bool) -> None:
    assert (Speaks().at(0, alert(seen(EAST, arrival_s))) is not None) is speaks
    assert Speaks().at(0, alert(seen(EAST))) == "right_vehicle", "known by a zone alone: it is here"


def test_it_speaks_of_who_arrives_first_though_another_lit_the_lamp() -> None:
    """Who lit it is 9 s away in the west; a faster one from the east is 4 s away."""
    assert Speaks().at(0, alert(seen(EAST, 4.0))) == "right_vehicle"


@pytest.mark.parametrize("level", ["clear", "caution"])
def test_only_in_alert(level: Level) -> None:
    assert Speaks().at(0, alert(seen(EAST, 4.0), level=level)) is None


def test_a_lamp_that_is_only_held_says_nothing() -> None:
    assert Speaks().at(0, alert(None)) is None
    assert Speaks().at(0, alert(seen(EAST, 4.0), meets=None)) is None


@pytest.mark.parametrize(
    ("trusted", "speaks"),
    [
        (["r_east", "c_branch"], True),
        (["r_west", "c_branch"], False),
        (["r_east", "r_west"], False),
        ([], False),
    ],
)
def test_in_fault_it_speaks_only_of_and_to_whom_a_trusted_sensor_sees(trusted: list[str], speaks: bool) -> None:
    assert (Speaks().at(0, trusted=trusted) is not None) is speaks


def test_once_for_one_road_user_and_after_the_lockout_for_the_next() -> None:
    speaks = Speaks()
    assert speaks.at(0) and not speaks.at(9)
    following = alert(seen(EAST, 4.0, number=2))
    assert not speaks.at(7.9, following) and speaks.at(8.0, following)
    longer = Speaks(lockout_s=20)
    assert longer.at(0) and not longer.at(19.9, following) and longer.at(20, following)


def test_the_same_road_user_is_spoken_of_again_when_the_alert_had_ended_between() -> None:
    speaks = Speaks()
    assert speaks.at(0)
    speaks.at(1, alert(None, level="clear"))
    assert not speaks.at(7.9) and speaks.at(8.0)


def test_what_quiet_hours_or_a_far_arrival_kept_unsaid_locks_nothing() -> None:
    speaks = Speaks()
    assert not speaks.at(0, day=DayState(True, 100, 80, True))
    assert not speaks.at(1, alert(seen(EAST, 6.0)))
    assert speaks.at(2)


def test_each_face_has_its_own_lockout() -> None:
    speaks = Speaks()
    assert speaks.at(0)
    assert speaks.at(1, alert(seen(EAST, 4.0))._replace(face=EAST)) == "junction_ahead"


@pytest.mark.parametrize(
    ("coming", "clip"),
    [
        ({EAST}, "right_vehicle"),
        ({WEST}, "left_vehicle"),
        ({EAST, WEST}, "both_vehicles"),
        (set(), "vehicle_ahead"),
    ],
)
def test_the_side_is_that_of_who_lights_the_face_now(coming: set[str], clip: str) -> None:
    decision = alert(seen(EAST, 4.0))._replace(coming=frozenset(coming))
    assert Speaks().at(0, decision) == clip


def test_without_a_bearing_no_side_is_named() -> None:
    speaks = Speaks()
    raw = site().model_dump(mode="json", exclude_none=True)
    del raw["approaches"][EAST]["bearing_deg"]
    speaks.config = SiteConfig.model_validate(raw)
    assert speaks.at(0) == "vehicle_ahead"


def test_a_car_far_away_on_the_other_side_is_not_both_sides() -> None:
    """100 m away at 15 km/h it takes 24 s: nobody who turns out now has to mind it."""
    heard = said(Vehicle(50, 20.0), Vehicle(15, 40.0, radar="r_west"), until_s=20)
    assert clips("branch_south", heard) == ["right_vehicle"]


def test_the_direction_comes_first_and_a_clip_takes_two_seconds_at_most() -> None:
    """A message must be shorter than the time to react to it; clips are measured where they have been rendered."""
    for clip, first in (
        ("left_vehicle", "左"),
        ("right_vehicle", "右"),
        ("both_vehicles", "左右"),
        ("vehicle_ahead", "前"),
    ):
        assert CLIPS[clip].text.startswith(first)
    spoken = {clip: text.text.replace(",", "") for clip, text in CLIPS.items()}
    assert all(len(text) <= 8 for text in spoken.values()), spoken
    rendered = sorted(RENDERED.glob("*.wav"))
    if not rendered:
        pytest.skip("no clips are rendered here: make build (needs espeak-ng)")
    assert {path.stem for path in rendered} == set(CLIPS)
    assert max(wav.read(path).duration_s for path in rendered) <= LONGEST_S == 2.0


def test_periods_over_midnight() -> None:
    assert within("23:00", "21:00", "07:00") and within("06:59", "21:00", "07:00")
    assert not within("07:00", "21:00", "07:00") and within("12:00", "08:00", "18:00")


def test_the_lamp_is_dimmed_at_night_only_as_configured() -> None:
    raw = site().model_dump(mode="json", exclude_none=True) | {"night": {"brightness_pct": 40}}
    config = type(site()).model_validate(raw)
    night = day_state(config, datetime.datetime(2026, 11, 22, 23), ClockQuality.RTC)
    noon = day_state(config, datetime.datetime(2026, 11, 22, 12), ClockQuality.RTC)
    assert (night.brightness_pct, noon.brightness_pct) == (40, 100)
