"""The ladder of a face: all sensors, radar alone, camera alone for a day at most, fault; and what earns dark back."""

from collections.abc import Iterable
from typing import Any

import pytest

from configs.schema import SiteConfig
from device.health import (
    HOLD_FACTOR,
    LADDER_WORDS,
    FaceHealth,
    FaceHealthKeeper,
    Health,
    Ladder,
    watches,
)
from device.sensor_board import SensorBoard, SensorState
from hal.interfaces import RadarFrame, RadarTarget
from tests.support.road import site
from tests.support.tracks import BRANCH, EAST, WEST, ns

HOUR_S = 3600.0


def full() -> SiteConfig:
    """Radars and a camera on the main road, a camera on the branch, a second radar to the east."""
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["radars"]["r_east2"] = raw["radars"]["r_east"] | {"url": "/dev/zero"}
    zone = [[0, 0], [1, 0], [1, 1]]
    raw["cameras"]["c_main"] = {
        "driver": "opencv",
        "source": "1",
        "zones": {EAST: {"approach": zone}, WEST: {"approach": zone}},
    }
    return SiteConfig.model_validate(raw)


class Junction:
    """A board and the health of every face. ``lost`` sensors are those that say they cannot be trusted."""

    def __init__(self, config: SiteConfig | None = None, *, booted: bool = True, **kwargs: Any) -> None:
        config = config or full()
        self.names = {*config.radars, *config.cameras}
        self.board = SensorBoard(frozenset(self.names), kwargs.get("stale_after_s", {}))
        self.keepers = {
            face: FaceHealthKeeper(
                watch, booted=booted, start_ns=ns(0), camera_alone_s=kwargs.get("camera_alone_s", 0.0)
            )
            for face, watch in watches(config, kwargs.get("not_fitted", frozenset())).items()
        }

    def at(self, t_s: float, *lost: str, face: str = BRANCH, stuck: str | None = None) -> FaceHealth:
        for name in self.names:
            self.board.heard(name, ns(t_s))
            self.board.problem(name, "broken" if name in lost else None)
        return self.judge(t_s, face, stuck)

    def judge(self, t_s: float, face: str = BRANCH, stuck: str | None = None) -> FaceHealth:
        return self.keepers[face].step(ns(t_s), self.board, self.board.healthy(ns(t_s)), stuck)


@pytest.mark.parametrize(
    ("lost", "health", "ladder", "reasons"),
    [
        ([], "ok", Ladder.ALL, []),
        (["c_branch"], "degraded", Ladder.RADAR_ALONE, ["c_branch"]),
        (["c_main"], "degraded", Ladder.RADAR_ALONE, ["c_main"]),
        (["r_east2"], "degraded", Ladder.FEWER, ["r_east2"]),
        (["r_west"], "degraded", Ladder.CAMERA_ALONE, ["r_west"]),
        (["r_east", "r_east2"], "degraded", Ladder.CAMERA_ALONE, ["r_east", "r_east2"]),
        (["r_east", "c_main"], "degraded", Ladder.RADAR_ALONE, ["c_main", "r_east"]),
        (["r_west", "c_branch"], "degraded", Ladder.CAMERA_ALONE, ["r_west", "c_branch"]),
        (["r_east2", "c_branch"], "degraded", Ladder.RADAR_ALONE, ["r_east2", "c_branch"]),
        (["r_west", "c_main"], "fault", Ladder.NONE, ["c_main", "r_west"]),
        (["r_east", "r_east2", "c_main"], "fault", Ladder.NONE, ["c_main", "r_east", "r_east2"]),
    ],
)
def test_the_rung_of_the_branch_face(lost: list[str], health: str, ladder: Ladder, reasons: list[str]) -> None:
    found = Junction().at(1, *lost)
    words = [] if ladder in (Ladder.ALL, Ladder.NONE) else [LADDER_WORDS[ladder]]
    assert (found.health.value, found.ladder) == (health, ladder)
    assert list(found.reasons) == [f"{name}: broken" for name in reasons] + words


def test_the_words_name_what_is_left() -> None:
    assert [LADDER_WORDS[rung] for rung in (Ladder.FEWER, Ladder.RADAR_ALONE, Ladder.CAMERA_ALONE)] == [
        "fewer sensors, held longer",
        "radar alone, held longer",
        "camera alone, held longer",
    ]


def test_each_rung_holds_as_long_as_the_one_above_or_longer() -> None:
    factors = [HOLD_FACTOR[rung] for rung in Ladder]
    assert factors == sorted(factors) == [1.0, 1.5, 1.5, 2.0, 2.0]
    assert Junction().at(1, "r_west").hold_factor == 2.0


@pytest.mark.parametrize(
    ("lost", "ladder"), [(["r_west"], Ladder.ALL), (["c_branch"], Ladder.RADAR_ALONE), (["r_east2"], Ladder.FEWER)]
)
def test_a_main_face_needs_its_own_approach_and_who_stands_on_the_branch(lost: list[str], ladder: Ladder) -> None:
    assert Junction().at(1, *lost, face=EAST).ladder is ladder


def test_two_cameras_that_see_who_stands_one_of_them_lost() -> None:
    raw = full().model_dump(mode="json", exclude_none=True)
    raw["cameras"]["c_branch2"] = raw["cameras"]["c_branch"]
    found = Junction(SiteConfig.model_validate(raw)).at(1, "c_branch2")
    assert (found.ladder, found.presence_known) == (Ladder.FEWER, True)


def test_what_was_never_fitted_is_not_missing() -> None:
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["cameras"] = {}
    radar_only = Junction(SiteConfig.model_validate(raw))
    assert radar_only.at(1) == FaceHealth(Health.OK, (), presence_known=False)
    not_there = Junction(site(), not_fitted=frozenset({"c_branch"}))
    assert not_there.at(1).health is Health.OK and not not_there.at(1).presence_known


def test_presence_is_known_only_while_the_camera_that_sees_it_is_healthy() -> None:
    junction = Junction()
    assert junction.at(1).presence_known
    assert not junction.at(2, "c_branch").presence_known
    assert not junction.at(3, "c_branch", face=EAST).presence_known
    assert junction.at(4, "r_west").presence_known, "whatever the radars do"
    assert not junction.at(5, "r_west", "c_main", "c_branch").presence_known


def test_a_face_with_nothing_to_watch_is_in_fault() -> None:
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["radars"] = {}
    found = Junction(SiteConfig.model_validate(raw)).at(1)
    assert found.health is Health.FAULT
    assert found.reasons == ("no sensor is fitted for what this face must watch",)


# --- camera alone for a day ------------------------------------------------------------------------------------------


def hourly(junction: Junction, hours: Iterable[float], *lost: str) -> list[Health]:
    return [junction.at(hour * HOUR_S, *lost).health for hour in hours]


def test_a_camera_stands_alone_for_a_day_and_not_longer() -> None:
    junction = Junction()
    assert set(hourly(junction, range(25), "r_west")) == {Health.DEGRADED}
    late = junction.at(24 * HOUR_S + 1, "r_west")
    assert late.health is Health.FAULT
    assert late.reasons == ("r_west: broken", "camera alone for more than 24 h")


@pytest.mark.parametrize(("back_s", "after"), [(3599.9, Health.FAULT), (3600.0, Health.DEGRADED)])
def test_a_radar_that_comes_back_for_less_than_an_hour_begins_no_new_day(back_s: float, after: Health) -> None:
    junction = Junction()
    hourly(junction, range(20), "r_west")
    last_s = 19 * HOUR_S
    assert junction.at(last_s + 1).health is Health.OK
    assert junction.at(last_s + 1 + back_s).health is Health.OK
    junction.at(last_s + 1 + back_s + 0.1, "r_west")
    assert junction.at(25 * HOUR_S, "r_west").health is after


def test_an_hour_of_the_radar_is_an_unbroken_one() -> None:
    junction = Junction()
    hourly(junction, range(20), "r_west")
    for minutes in range(0, 240, 30):
        junction.at(19.5 * HOUR_S + minutes * 60, *(["r_west"] if minutes % 60 else []))
    assert junction.at(25 * HOUR_S, "r_west").health is Health.FAULT


@pytest.mark.parametrize("also", [("c_main",), ("c_main", "c_branch"), ("c_branch",), ("r_east", "r_east2")])
def test_whatever_else_is_lost_and_comes_back_the_dead_radar_begins_no_new_day(also: tuple[str, ...]) -> None:
    junction = Junction()
    for hour in range(24):
        assert junction.at(hour * HOUR_S, "r_west").health is Health.DEGRADED
        for second in range(1, 14):
            junction.at(hour * HOUR_S + second, "r_west", *also)
        for second in range(14, 60, 5):
            junction.at(hour * HOUR_S + second, "r_west")
    late = junction.at(24 * HOUR_S + 1, "r_west")
    assert late.health is Health.FAULT and late.reasons[-1] == "camera alone for more than 24 h"


def test_a_radar_that_comes_back_flooded_by_clutter_is_not_back() -> None:
    junction = Junction()
    hourly(junction, range(20), "r_west")
    feed(junction, "r_west", flood(11), from_s=19.1 * HOUR_S)
    hourly(junction, (19.2, 20.3))
    assert junction.at(25 * HOUR_S, "r_west").health is Health.FAULT


def test_a_second_radar_of_the_same_approach_is_enough() -> None:
    junction = Junction()
    hourly(junction, range(20), "r_east", "r_east2")
    hourly(junction, (19.1, 20.2), "r_east2")
    assert junction.at(25 * HOUR_S, "r_east", "r_east2").health is Health.DEGRADED


def test_the_radar_of_one_approach_does_not_make_up_for_that_of_another() -> None:
    junction = Junction()
    hourly(junction, range(20), "r_west")
    hourly(junction, (19.5, 20.6), "r_east", "r_east2")
    hourly(junction, (20.7, 21.8), "r_west")
    assert junction.at(25 * HOUR_S, "r_west").health is Health.FAULT


def test_after_the_day_a_radar_that_works_is_enough_and_the_day_comes_with_the_hour() -> None:
    junction = Junction()
    hourly(junction, range(26), "r_west")
    since_s = 26 * HOUR_S
    assert junction.at(since_s).health is Health.FAULT
    assert junction.at(since_s + 10).health is Health.OK, "nobody waits an hour for what the radar sees"
    assert junction.at(since_s + 20, "r_west").health is Health.FAULT, "it was not mended"
    hourly(junction, (27, 28.1))
    assert junction.at(28.2 * HOUR_S, "r_west").health is Health.DEGRADED


def test_what_was_spent_of_the_day_before_a_restart_counts() -> None:
    junction = Junction()
    hourly(junction, range(19), "r_west")
    spent_s = junction.keepers[BRANCH].camera_alone_s(ns(18 * HOUR_S))
    assert spent_s == 18 * HOUR_S
    again = Junction(booted=False, camera_alone_s=spent_s)
    again.at(0, "r_west")
    assert again.at(10, "r_west").health is Health.DEGRADED, "boot is earned on what is left of the day"
    assert again.at(6 * HOUR_S, "r_west").health is Health.DEGRADED
    assert again.at(6 * HOUR_S + 1, "r_west").health is Health.FAULT


def test_after_a_restart_an_hour_of_the_radar_gives_the_day_back_too() -> None:
    junction = Junction(camera_alone_s=20 * HOUR_S)
    assert junction.at(1) == FaceHealth(Health.OK, (), presence_known=True)
    assert not junction.keepers[BRANCH].settled, "time alone changes something: the day comes back"
    junction.at(1 + HOUR_S)
    assert junction.keepers[BRANCH].settled and junction.keepers[BRANCH].camera_alone_s(ns(2 * HOUR_S)) == 0.0


def test_more_than_a_day_is_never_told_or_believed() -> None:
    junction = Junction(camera_alone_s=1e300)
    assert junction.keepers[BRANCH].camera_alone_s(ns(5)) == 24 * HOUR_S
    assert junction.at(1, "r_west").health is Health.FAULT


# --- fault is left slowly --------------------------------------------------------------------------------------------


def test_fault_lasts_thirty_seconds_and_ten_of_them_healthy() -> None:
    junction = Junction()
    assert junction.at(0, "r_west", "c_main").health is Health.FAULT
    assert junction.at(5).reasons == ("recovering",)
    assert junction.at(29.9).health is Health.FAULT
    assert junction.at(30.0).health is Health.OK


def test_ten_healthy_seconds_are_unbroken_ones() -> None:
    junction = Junction()
    junction.at(0, "r_west", "c_main")
    junction.at(25)
    junction.at(34.9, "r_west", "c_main")
    junction.at(35)
    assert junction.at(44.9).health is Health.FAULT
    assert junction.at(45.0).health is Health.OK


def test_a_second_fault_takes_its_own_thirty_seconds() -> None:
    junction = Junction()
    junction.at(0, "r_west", "c_main")
    junction.at(5)
    assert junction.at(30.0).health is Health.OK
    junction.at(40, "r_west", "c_main")
    junction.at(41)
    assert junction.at(69.9).health is Health.FAULT
    assert junction.at(70.0).health is Health.OK


def test_boot_is_a_self_test_of_ten_healthy_seconds() -> None:
    junction = Junction(booted=False)
    assert junction.at(0).reasons == ("self-test",) and junction.keepers[BRANCH].booting
    assert junction.at(9.9).health is Health.FAULT
    assert junction.at(10.0).health is Health.OK and not junction.keepers[BRANCH].booting
    assert junction.at(11.0, "r_west", "c_main").health is Health.FAULT
    junction.at(12.0)
    assert junction.at(22.0).reasons == ("recovering",), "after boot a fault takes its thirty seconds"


def test_a_face_that_recovers_into_fewer_sensors_is_degraded() -> None:
    junction = Junction()
    junction.at(0, "r_west", "c_main")
    junction.at(5, "c_main")
    assert junction.at(30.0, "c_main").health is Health.DEGRADED


def test_a_stuck_target_is_a_fault_with_its_name() -> None:
    found = Junction().at(1, stuck="r_east: one target")
    assert (found.health, found.reasons) == (Health.FAULT, ("r_east: one target",))


# --- the board -------------------------------------------------------------------------------------------------------


def test_stale_is_more_than_half_a_second_and_a_polled_radar_has_its_own_number() -> None:
    junction = Junction(stale_after_s={"r_west": 3.5})
    junction.at(0)
    assert junction.judge(0.5).health is Health.OK
    after = junction.judge(0.5 + 1e-6)
    assert after.health is Health.FAULT
    assert after.reasons == ("c_main: silent for 1 s", "r_east: silent for 1 s", "r_east2: silent for 1 s")
    assert junction.board.healthy(ns(3.5)) == {"r_west"}
    assert junction.board.healthy(ns(3.5) + 1) == frozenset()


def test_why_in_words() -> None:
    board = SensorBoard(frozenset({"r"}), {})
    assert board.why("r", ns(0)) == "r: not heard yet" and board.state("r", ns(0)) is SensorState.STALE
    assert board.age_ms("r", ns(0)) is None
    board.heard("r", ns(0))
    board.heard("r", ns(-5))
    assert board.age_ms("r", ns(0.25)) == 250.0, "an older time never makes it older"
    assert board.why("r", ns(2.6)) == "r: silent for 3 s"
    board.problem("r", "settings lost")
    assert board.why("r", ns(2.6)) == "r: settings lost" and board.state("r", ns(0)) is SensorState.FAULT
    board.problem("r", None)
    assert board.state("r", ns(0.5)) is SensorState.OK
    assert board.names() == ["r"]


def test_sensors_nobody_knows_are_ignored() -> None:
    board = SensorBoard(frozenset({"r"}), {})
    board.heard("x", ns(0))
    board.problem("x", "broken")
    board.take(RadarFrame("x", ns(0), ()))
    assert board.names() == ["r"] and board.healthy(ns(0)) == frozenset()


def feed(junction: Junction, radar: str, frames: Iterable[tuple[RadarTarget, ...]], from_s: float = 0.0) -> float:
    """Frames of one radar at 10 Hz; the others are heard too. Returns when the last one came."""
    at_s = from_s
    for n, targets in enumerate(frames):
        at_s = from_s + n / 10
        junction.at(at_s)
        junction.board.take(RadarFrame(radar, ns(at_s), targets))
    return at_s


def test_a_frozen_radar_is_a_fault_within_two_seconds_or_leaves_the_camera_alone() -> None:
    car = RadarTarget(14.0, 40.0)
    alone = Junction(site())
    end_s = feed(alone, "r_west", [(car,)] * 20)
    assert end_s <= 2.0
    found = alone.judge(end_s)
    assert found.reasons == ("r_west: frozen, the same moving targets in every frame",)
    assert found.health is Health.FAULT and alone.board.healthy(ns(end_s)) == {"r_east", "c_branch"}
    with_camera = Junction()
    assert with_camera.judge(feed(with_camera, "r_west", [(car,)] * 20)).ladder is Ladder.CAMERA_ALONE


def flood(frames: int) -> list[tuple[RadarTarget, ...]]:
    return [tuple(RadarTarget(3.0, 5.0 + 20.0 * k + 10.0 * (n % 2)) for k in range(4)) for n in range(frames)]


def test_a_flooded_radar_is_a_fault_of_its_faces_whatever_else_sees_and_is_still_acted_on() -> None:
    junction = Junction()
    end_s = feed(junction, "r_west", flood(11))
    assert end_s <= 1.0
    found = junction.judge(end_s)
    assert (found.health, found.reasons) == (Health.FAULT, ("r_west: flooded by clutter",))
    healthy = junction.board.healthy(ns(end_s))
    assert "r_west" in healthy and junction.board.trusted(healthy) == healthy - {"r_west"}
    assert junction.judge(end_s, face=EAST).health is Health.OK, "the east is another radar's"
    junction.board.take(RadarFrame("r_west", ns(end_s + 0.1), ()))
    assert not junction.board.flooded("r_west") and junction.board.trusted(healthy) == healthy


def test_a_slow_radar_degrades_its_faces_and_may_be_spoken_of() -> None:
    junction = Junction()
    end_s = feed(junction, "r_west", [()] * 121)
    for n in range(1, 7):
        junction.at(end_s + n / 3)
        junction.board.take(RadarFrame("r_west", ns(end_s + n / 3), ()))
    found = junction.judge(end_s + 2)
    assert (found.health, found.ladder) == (Health.DEGRADED, Ladder.FEWER)
    assert found.reasons[0] == "r_west: 4 frames a second, 10 before"
    healthy = junction.board.healthy(ns(end_s + 2))
    assert junction.board.trusted(healthy) == healthy


def test_a_polled_radar_shows_no_pace_by_its_busy_frames_and_is_not_slow_when_the_road_empties() -> None:
    cars = [(RadarTarget(14.0, 60.0 - n % 50),) for n in range(121)]
    for polled, ladder in ((True, Ladder.ALL), (False, Ladder.FEWER)):
        junction = Junction(stale_after_s={"r_west": 3.5} if polled else {})
        end_s = feed(junction, "r_west", cars)
        for n in range(1, 5):
            junction.at(end_s + n * 0.45)
            junction.board.take(RadarFrame("r_west", ns(end_s + n * 0.45), ()))
        assert junction.judge(end_s + 1.8).ladder is ladder


def test_all_well_is_one_answer_and_one_set_of_sensors() -> None:
    junction = Junction()
    assert junction.at(1) is junction.at(2)
    assert junction.board.healthy(ns(2)) is junction.board.healthy(ns(2.1))
    assert junction.board.healthy(ns(2)) == frozenset(junction.names)
