"""Speeding, the wrong way round, a lorry that turns right without stopping: told once, and only when it is sure."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from configs.schema import RoadUser, SiteConfig
from device.events import Event, EventKind
from device.road_events import RoadEventKeeper
from device.tracks import Track, TrackState
from tests.support.road import Drive, Leaving, Vehicle, site

EAST = "main_east"
TENTH_NS = 100_000_000


def changed(**approach: Any) -> SiteConfig:
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["approaches"][EAST] |= approach
    return SiteConfig.model_validate(raw)


def track(number: int, distance_m: float | None, speed_mps: float | None, **fields: Any) -> Track:
    values = {
        "id": 1,
        "approach": EAST,
        "sensor": "r_east",
        "state": TrackState.CONFIRMED,
        "user": RoadUser.CAR,
        "receding": False,
        "updated_ns": (number + 1) * TENTH_NS,
    }
    return Track(distance_m=distance_m, speed_mps=speed_mps, **(values | fields))


def told(tracks: Iterable[Track], config: SiteConfig | None = None) -> list[Event]:
    """What is told of one track, and when it is gone."""
    keeper = RoadEventKeeper(config or site())
    steps = [*((seen.updated_ns, [seen]) for seen in tracks), (900 * TENTH_NS, [])]
    return [event for now_ns, seen in steps for event in keeper.step(now_ns, seen)]


def drives(speed_mps: float, **fields: Any) -> list[Track]:
    """From 60 m to 1 m at 10 Hz."""
    return [track(n, 60 - speed_mps * n / 10, speed_mps, **fields) for n in range(int(590 / speed_mps))]


@pytest.mark.parametrize(
    ("limit_kmh", "speed_kmh", "speeding"),
    [(60, 66, False), (60, 67, True), (20, 25, False), (20, 26, True), (100, 110, False), (100, 111, True)],
)
def test_speeding_is_a_tenth_over_the_limit_and_five_kmh_at_least(
    limit_kmh: float, speed_kmh: float, speeding: bool
) -> None:
    found = told(drives(speed_kmh / 3.6), changed(limit_kmh=limit_kmh))
    assert [event.kind for event in found] == ([EventKind.SPEEDING] if speeding else [])


def test_speeding_says_who_where_how_fast_and_what_is_allowed() -> None:
    (event,) = told(drives(25.0))
    assert event.face is None and event.at_ns == 3 * TENTH_NS, "at the third frame"
    assert event.body == {
        "approach": EAST,
        "class": "car",
        "distance_m": 55.0,
        "speed_mps": 25.0,
        "limit_kmh": 60.0,
    }


def test_the_lowest_of_three_frames_is_what_is_reported() -> None:
    (event,) = told(track(n, 60.0 - 2 * n, speed) for n, speed in enumerate([30.0, 24.0, 27.0]))
    assert event.body["speed_mps"] == 24.0


@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("two fast frames", [25.0, 25.0, 18.0, 25.0, 25.0]),
        ("at the limit", [18.33] * 9),
    ],
)
def test_one_fast_frame_or_two_accuse_nobody(what: str, seen: list[float]) -> None:
    assert told(track(n, 60.0 - 2 * n, speed) for n, speed in enumerate(seen)) == [], what


def test_beside_the_lane_a_radar_sees_too_little_of_the_speed_to_judge_it() -> None:
    assert told(track(n, 14.9, 25.0) for n in range(9)) == []
    assert len(told(track(n, 15.0, 25.0) for n in range(9))) == 1


def test_a_radar_that_measures_speed_alone_may_judge_it_and_a_camera_may_not() -> None:
    assert len(told(track(n, None, 25.0, user=None) for n in range(9))) == 1
    assert told(drives(25.0, sensor="c_branch")) == []


def test_a_frame_that_is_looked_at_five_times_is_one_frame_and_a_coasting_track_proves_nothing() -> None:
    assert told([track(0, 60.0, 25.0)] * 9) == []
    assert told(drives(25.0, state=TrackState.COASTING)) == []
    assert told(drives(25.0, state=TrackState.TENTATIVE)) == []


def test_a_track_that_goes_on_is_told_of_once_and_the_next_one_again() -> None:
    keeper = RoadEventKeeper(site())
    found = [keeper.step(0, [track(n, 80.0 - 2 * n, 25.0, id=number) for number in (1, 2)]) for n in range(30)]
    assert [len(events) for events in found if events] == [2]


def test_who_drives_away_is_not_speeding() -> None:
    assert told(_leaves(25.0)) == []


def _leaves(speed_mps: float, **fields: Any) -> list[Track]:
    return [track(n, 5 + speed_mps * n / 10, -speed_mps, receding=True, **fields) for n in range(40)]


def _comes(speed_mps: float = 8.0, **fields: Any) -> list[Track]:
    return drives(speed_mps, **fields)


@pytest.mark.parametrize(
    ("one_way", "way", "wrong"),
    [("in", _leaves, True), ("in", _comes, False), ("out", _comes, True), ("out", _leaves, False)],
)
def test_against_a_one_way_road(one_way: str, way: Callable[[float], list[Track]], wrong: bool) -> None:
    found = told(way(8.0), changed(one_way=one_way))
    assert [event.kind for event in found] == ([EventKind.WRONG_WAY] if wrong else [])


def test_both_ways_is_no_wrong_way() -> None:
    assert told(_comes(8.0)) == [] and told(_leaves(8.0)) == []


def test_who_comes_in_on_the_left_of_the_road_for_two_seconds_goes_the_wrong_way() -> None:
    (event,) = told(_comes(8.0, lateral_m=1.5))
    assert event.kind is EventKind.WRONG_WAY
    assert event.at_ns == 21 * TENTH_NS, "two seconds after it was first seen there"
    assert told(_comes(8.0, lateral_m=1.0)) == [], "cutting the centre line"
    assert told(_comes(8.0, lateral_m=-1.5)) == [], "its own side"


def test_a_short_swerve_is_no_wrong_way_and_its_time_does_not_add_up() -> None:
    there_and_back = [track(n, 60.0 - n, 10.0, lateral_m=1.5 if n % 20 else -1.0) for n in range(55)]
    assert told(there_and_back) == []


def test_two_seconds_on_the_wrong_side_without_getting_anywhere_are_an_echo() -> None:
    assert told(track(n, 30.0 - n * 0.2, 2.0, lateral_m=2.0) for n in range(50)) == []
    assert len(told(track(n, 30.0 - n * 0.2, 2.0, lateral_m=2.0) for n in range(52))) == 1, "ten metres"


def test_walkers_go_where_they_like() -> None:
    assert told(_comes(1.5, lateral_m=3.0, user=RoadUser.WALKER)) == []
    assert len(told(_comes(5.0, lateral_m=3.0, user=RoadUser.TWO_WHEELER))) == 1


LANE = {"truck_right_turn": {"lateral_from_m": -6.0, "lateral_to_m": -3.0, "line_m": 5.0}}


def lorry(*speeds_mps: float, **fields: Any) -> list[Track]:
    """Rolls from 30 m to the conflict point at these speeds, a stretch of 6 m each."""
    found, distance_m, n = [], 30.0, 0
    for speed_mps in speeds_mps:
        end_m = distance_m - 6.0
        while distance_m > end_m:
            found.append(track(n, distance_m, speed_mps, **({"user": RoadUser.TRUCK, "lateral_m": -4.0} | fields)))
            distance_m, n = distance_m - max(speed_mps, 0.5) / 10, n + 1
    return found


def test_a_lorry_that_rolls_through_its_right_turn_is_told_with_its_slowest_speed() -> None:
    (event,) = told(lorry(8, 6, 4, 3, 5), changed(**LANE))
    assert event.kind is EventKind.RIGHT_TURN
    assert event.body["slowest_mps"] == pytest.approx(3, abs=0.1) and event.body["class"] == "truck"
    assert event.body["distance_m"] <= 3.0, "where it was surely past its line"


def test_a_lorry_that_stops_before_its_line_did_right() -> None:
    assert told(lorry(8, 6, 4, 0.9, 5), changed(**LANE)) == []
    assert len(told(lorry(8, 6, 4, 1.1, 5), changed(**LANE))) == 1, "slower than 1 m/s has stopped"


def _with(tracks: list[Track], distance_m: Callable[[float], bool], **fields: Any) -> list[Track]:
    return [seen._replace(**fields) if distance_m(seen.distance_m or 0.0) else seen for seen in tracks]


def test_a_standstill_that_any_state_shows_counts_for_the_lorry() -> None:
    """A radar's track that waits is not seen; who stands outside a wait zone is tentative."""
    rolls = lorry(8, 6, 4, 3, 5)
    unseen = [seen for seen in rolls if (seen.distance_m or 0) > 6.0]
    waits = [unseen[-1]._replace(state=TrackState.WAITING, speed_mps=0.0)] * 3
    assert told([*unseen, *waits, *rolls[len(unseen) :]], changed(**LANE)) == []
    assert told(_with(rolls, lambda d: 5.0 < d < 7.0, state=TrackState.TENTATIVE, speed_mps=0.0), changed(**LANE)) == []


def test_a_track_that_ran_on_over_the_line_and_comes_back_had_not_passed_it() -> None:
    """A filter that lags, or a radar that coasts on beside a camera that sees the lorry stand."""
    rolls = lorry(8, 6, 4, 3)
    ran_on = [track(len(rolls) + n, 5.0 - 0.3 * n, 3.0, user=RoadUser.TRUCK, lateral_m=-4.0) for n in range(15)]
    stands = [
        ran_on[-1]._replace(distance_m=5.4, speed_mps=0.0, state=TrackState.WAITING, updated_ns=seen.updated_ns)
        for seen in (track(len(rolls) + 15 + n, 5.4, 0.0) for n in range(20))
    ]
    starts = [track(len(rolls) + 35 + n, 5.4 - 0.2 * n, 2.0, user=RoadUser.TRUCK, lateral_m=-4.0) for n in range(25)]
    assert len(told([*rolls, *ran_on], changed(**LANE))) == 1
    assert told([*rolls, *ran_on, *stands, *starts], changed(**LANE)) == []


def test_it_is_told_while_the_lorry_is_still_seen_beyond_its_line() -> None:
    keeper = RoadEventKeeper(changed(**LANE))
    gives_way = track(0, 0.0, 0.0, state=TrackState.WAITING, user=RoadUser.TRUCK, lateral_m=-4.0)
    rolls = lorry(8, 6, 4, 3, 5)
    seen = [*rolls, *(gives_way._replace(updated_ns=rolls[-1].updated_ns + n * TENTH_NS) for n in range(1, 60))]
    events = [event for one in seen for event in keeper.step(one.updated_ns, [one])]
    assert [event.kind for event in events] == [EventKind.RIGHT_TURN], "once"
    assert keeper.step(seen[-1].updated_ns + TENTH_NS, []) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"user": RoadUser.CAR},
        {"user": None},
        {"user": RoadUser.BUS},
        {"lateral_m": -2.9},
        {"lateral_m": -6.1},
        {"lateral_m": None},
        {"receding": True},
        {"state": TrackState.COASTING},
    ],
)
def test_only_a_lorry_in_the_lane_that_the_camera_really_sees(fields: dict[str, Any]) -> None:
    assert told(lorry(8, 6, 4, 3, 5, **fields), changed(**LANE)) == []


@pytest.mark.parametrize("lateral_m", [-6.0, -3.0])
def test_both_edges_of_the_lane_belong_to_it(lateral_m: float) -> None:
    assert len(told(lorry(8, 6, 4, 3, 5, lateral_m=lateral_m), changed(**LANE))) == 1


def test_a_road_train_is_a_lorry() -> None:
    assert len(told(lorry(8, 6, 4, 3, 5, user=RoadUser.LONG_TRUCK), changed(**LANE))) == 1


def test_a_lorry_first_seen_near_its_line_may_have_stopped_before() -> None:
    near = [seen for seen in lorry(8, 6, 4, 3, 5) if (seen.distance_m or 0) < 20.0]
    assert told(near, changed(**LANE)) == []
    assert len(told([track(0, 20.0, 5.0, user=RoadUser.TRUCK, lateral_m=-4.0), *near], changed(**LANE))) == 1


def test_an_approach_that_declares_no_lane_has_no_such_event() -> None:
    assert told(lorry(8, 6, 4, 3, 5)) == []


def test_through_the_pipeline_a_fast_car_is_an_event_of_its_own_and_one_that_leaves_is_none() -> None:
    moments = Drive(Vehicle(80, 15.0), Leaving(90, 2.0, radar="r_west")).run(20)
    events = [event for moment in moments for event in moment.told if event.kind is EventKind.SPEEDING]
    assert [(event.body["approach"], event.body["class"]) for event in events] == [(EAST, None)]
    assert events[0].body["speed_mps"] == pytest.approx(80 / 3.6, abs=0.2)


def test_new_thresholds_are_taken_between_two_steps() -> None:
    keeper = RoadEventKeeper(site())
    keeper.configure(changed(limit_kmh=120))
    assert [event for seen in drives(25.0) for event in keeper.step(seen.updated_ns, [seen])] == []
