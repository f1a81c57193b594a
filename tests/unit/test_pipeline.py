"""The pipeline around the rule: whom it believes, what it does not act on and counts, what it tells, when it idles."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from configs.schema import RoadUser, SiteConfig
from device.camera_tracks import CameraTracker
from device.day import DAYLIGHT, DayState
from device.decision import FaceDecider, FaceDecision
from device.events import EventKind
from device.health import Health
from device.observation import CameraObservation, Observation, SeenUser, SensorProblem, Zone, ZoneCount
from device.pipeline import Output, Pipeline, cause_body
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget, Shows
from tests.support.road import START_NS, site
from tests.support.tracks import BRANCH, EAST, WEST
from tests.support.tracks import seen as track


def changed(**devices: dict[str, Any]) -> SiteConfig:
    """The T junction with some devices added or changed: ``radars={"r_east": {"to_conflict_m": 25}}``."""
    raw = site().model_dump(mode="json", exclude_none=True)
    for kind, entries in devices.items():
        for name, values in entries.items():
            raw[kind][name] = raw[kind].get(name, {}) | values
    return SiteConfig.model_validate(raw)


R_BRANCH = {"r_branch": {"driver": "ld2451", "url": "/dev/null", "approach": BRANCH, "reach_m": 100, "beside_m": 0}}


def ns(t_s: float) -> int:
    return START_NS + round(t_s * NS_PER_S)


def at(distance_m: float | None, speed_mps: float = 10.0, flag: Flag = Flag.APPROACHING) -> RadarTarget:
    return RadarTarget(speed_mps=speed_mps, distance_m=distance_m, flag=flag)


class Node:
    """A pipeline with its sensors at 10 Hz: an empty road, where nothing else is said."""

    def __init__(self, config: SiteConfig | None = None, *, booted: bool = True, **options: Any) -> None:
        self.config = config or site()
        self.pipeline = Pipeline(self.config, start_ns=START_NS, booted=booted, **options)
        self.tenth = 0
        self.silent: set[str] = set()
        self.last: Output = self.step(0.0)

    def step(self, t_s: float, *observations: Observation, day: DayState = DAYLIGHT) -> Output:
        self.last = self.pipeline.step(ns(t_s), day, observations)
        return self.last

    def see(self, *, day: DayState = DAYLIGHT, **seen: Any) -> Output:
        """The next tenth of a second: a radar's targets, a camera's counts and users."""
        self.tenth += 1
        said: list[Observation] = []
        for radar in self.config.radars:
            if radar not in self.silent:
                said.append(RadarFrame(radar, self.now_ns, tuple(seen.get(radar, ()))))
        for camera in self.config.cameras:
            if camera not in self.silent:
                found = seen.get(camera, ())
                counts = tuple(one for one in found if isinstance(one, ZoneCount))
                users = tuple(one for one in found if isinstance(one, SeenUser))
                said.append(CameraObservation(camera, self.now_ns, counts, users))
        return self.step(self.tenth / 10, *said, day=day)

    @property
    def now_ns(self) -> int:
        return ns(self.tenth / 10)

    def during(self, seconds: float, **seen: Callable[[float], Any]) -> Output:
        """Sees what each sensor's function of the time in seconds from now says."""
        for step in range(1, round(seconds * 10) + 1):
            self.see(**{name: says(step / 10) for name, says in seen.items()})
        return self.last

    def comes(self, seconds: float = 0.5, radar: str = "r_east", from_m: float = 60.0) -> Output:
        """A car at 10 m/s."""
        return self.during(seconds, **{radar: lambda t_s: [at(from_m - 10 * t_s)]})


WAITS = (ZoneCount(BRANCH, Zone.WAIT, RoadUser.CAR, 1),)


# --- boot, and which sensors there are --------------------------------------------------------------------------------


def test_a_node_that_has_just_started_is_in_fault_until_it_was_well_for_ten_seconds() -> None:
    node = Node(booted=False)
    assert node.pipeline.booting
    for _ in range(100):
        output = node.see()
        assert all(decision.shows is Shows.FAULT for decision in output.decisions.values())
    output = node.see()
    assert not node.pipeline.booting and node.pipeline.counters.faulty == 0
    assert all(decision.shows is Shows.CLEAR for decision in output.decisions.values())


def test_a_node_is_not_booted_unless_it_is_said() -> None:
    assert Pipeline(site(), start_ns=START_NS).booting


def test_with_boot_counted_as_done_every_sensor_counts_as_heard_at_the_start_and_has_half_a_second() -> None:
    node = Node()
    assert not node.pipeline.booting
    assert {decision.health for decision in node.last.decisions.values()} == {Health.OK}
    assert {decision.health for decision in node.step(0.5).decisions.values()} == {Health.OK}
    assert {decision.health for decision in node.step(0.6).decisions.values()} == {Health.FAULT}


def test_a_sensor_that_is_not_fitted_is_not_missed_and_its_frames_are_counted() -> None:
    node = Node(not_fitted=frozenset({"r_west", "c_branch"}))
    node.silent = {"r_west", "c_branch"}
    node.during(1.0)
    assert node.last.decisions[EAST].health is Health.OK
    node.step(1.1, RadarFrame("r_west", ns(1.1), (at(50),)), CameraObservation("c_branch", ns(1.1), WAITS))
    assert node.pipeline.counters.unknown_sensor == 2 and node.last.tracks == ()
    assert node.pipeline.counters.faulty == 0


def test_a_radar_that_is_polled_on_a_silent_road_may_be_silent_for_longer() -> None:
    node = Node(stale_after_s={"r_east": 2.6})
    node.during(0.5)
    node.silent = {"r_east"}
    node.during(2.5)
    assert node.last.decisions[EAST].health is Health.OK
    node.during(0.2)
    assert node.last.decisions[EAST].health is Health.FAULT and node.last.decisions[WEST].health is Health.OK
    other = Node(stale_after_s={"r_west": 2.6})
    other.during(0.5)
    other.silent = {"r_east"}
    assert other.during(0.7).decisions[EAST].health is Health.FAULT


def test_a_track_says_which_sensor_sees_it_on_which_approach_and_no_two_have_one_number() -> None:
    node = Node()
    for step in range(3):
        node.see(r_east=[at(60 - step)], r_west=[at(80 - step)], c_branch=WAITS)
    found = {(one.sensor, one.approach): one for one in node.last.tracks}
    assert set(found) == {("r_east", EAST), ("r_west", WEST), ("c_branch", BRANCH)}
    assert len({one.id for one in node.last.tracks}) == 3
    assert all(one.state in (TrackState.CONFIRMED, TrackState.WAITING) for one in node.last.tracks)
    assert node.pipeline.counters.faulty == 0


def test_a_radars_place_on_the_approach_and_beside_the_lane_counts() -> None:
    """25 m before the conflict point and 5 m beside the lane: 13 m of line are 12 m of road, and 25 m on."""
    node = Node(changed(radars={"r_east": {"to_conflict_m": 25, "beside_m": 5}}))
    node.see(r_east=[at(14)])
    (one,) = node.see(r_east=[at(13)]).tracks
    assert one.distance_m == pytest.approx(37.0, abs=0.5)


def test_who_is_new_to_a_calibrated_camera_is_taken_to_come_by_the_limit_of_its_road() -> None:
    comes = SeenUser(BRANCH, Zone.APPROACH, RoadUser.CAR, 40.0, 0.0)
    told = CameraTracker("c", 120.0, iter([1]), limits_mps={BRANCH: 30 / 3.6})
    told.update(CameraObservation("c", START_NS, (), (comes,)))
    (expected,) = told.tracks(START_NS)
    (found,) = Node().see(c_branch=[comes]).tracks
    assert found.speed_mps == pytest.approx(expected.speed_mps) and found.approach == BRANCH


@pytest.mark.parametrize(("reach_m", "lit"), [(40, False), (50, True), (None, True)])
def test_a_car_that_a_camera_alone_sees_beyond_its_reach_lights_no_main_face(reach_m: float | None, lit: bool) -> None:
    """45 m up the branch at 36 km/h: 4.5 s, by a box that is a metre and a half off."""
    zones = site().cameras["c_branch"].zones[BRANCH].model_dump(mode="json", exclude_none=True)
    node = Node(changed(cameras={"c_branch": {"zones": {BRANCH: zones | {"reach_m": reach_m}}}}))
    output = node.during(
        2.0,
        c_branch=lambda t_s: [SeenUser(BRANCH, Zone.APPROACH, RoadUser.CAR, 65 - 10 * t_s, 0.0)],
        r_east=lambda t_s: [at(60 - 10 * t_s)],
    )
    assert (output.decisions[EAST].level != "clear") is lit


def test_a_radar_and_a_camera_that_see_one_car_give_one_track() -> None:
    node = Node(changed(radars=R_BRANCH))
    for step in range(10):
        here_m = 40 - 0.8 * step
        node.see(
            r_branch=[at(round(here_m), 8.0)], c_branch=[SeenUser(BRANCH, Zone.APPROACH, RoadUser.BUS, here_m, 0.0)]
        )
    (one,) = node.last.tracks
    assert (one.sensor, one.user) == ("r_branch", RoadUser.BUS)


# --- a stale sensor is never acted on ------------------------------------------------------------------------------


def test_what_a_radar_saw_before_it_fell_silent_is_forgotten_also_when_it_is_heard_again() -> None:
    node = Node()
    assert [one.sensor for one in node.comes().tracks] == ["r_east"]
    node.silent = {"r_east"}
    node.during(0.6)
    assert node.last.tracks == () and node.last.decisions[BRANCH].shows is Shows.FAULT
    node.silent = set()
    assert [one.state for one in node.see(r_east=[at(43)]).tracks] == [TrackState.TENTATIVE]


def test_what_a_camera_saw_before_it_fell_silent_is_forgotten_also_when_it_is_heard_again() -> None:
    node = Node()
    assert [one.state for one in node.during(0.5, c_branch=lambda _t: WAITS).tracks] == [TrackState.WAITING]
    node.silent = {"c_branch"}
    assert node.during(0.6).tracks == ()
    node.silent = set()
    assert [one.state for one in node.see(c_branch=WAITS).tracks] == [TrackState.TENTATIVE]


def remembered(camera: dict[str, Any] | None = None) -> Node:
    """Somebody walked up to the line of the branch and is unseen by its radar since a second and a half."""
    node = Node(changed(radars=R_BRANCH, cameras={"c_branch": camera or {}}))
    node.silent = {"c_branch"}
    node.during(5.0, r_branch=lambda t_s: [at(12 - 1.4 * t_s, 1.4)])
    node.during(1.6)
    assert [one.state for one in node.last.tracks] == [TrackState.WAITING]
    return node


def test_whom_a_radar_remembers_to_wait_is_gone_when_the_camera_has_looked_and_seen_nobody() -> None:
    node = remembered()
    node.silent = set()
    assert len(node.during(1.4).tracks) == 1, "it has not looked for long enough"
    assert node.during(0.3).tracks == ()


def test_whom_a_radar_remembers_to_wait_stays_while_no_camera_that_is_heard_looks_there() -> None:
    blind = remembered()
    assert len(blind.during(10.0).tracks) == 1
    elsewhere = remembered({"zones": {BRANCH: {"approach": [[0, 0], [1, 0], [1, 0.5]]}}})
    elsewhere.silent = set()
    assert len(elsewhere.during(3.0).tracks) == 1, "it does not see the wait zone"
    lost = remembered()
    lost.silent = set()
    lost.during(1.2)
    for _ in range(10):
        lost.tenth += 1
        lost.step(
            lost.tenth / 10,
            *(RadarFrame(radar, lost.now_ns, ()) for radar in lost.config.radars),
            CameraObservation("c_branch", lost.now_ns, ()),
            SensorProblem("c_branch", lost.now_ns, "picture frozen"),
        )
    assert len(lost.last.tracks) == 1, "a picture that is not believed shows no empty zone"


# --- what is not acted on is counted -------------------------------------------------------------------------------


def test_frames_of_one_step_are_taken_in_the_order_of_their_capture() -> None:
    node = Node()
    frames = [RadarFrame("r_east", ns(t_s), (at(60 - 10 * t_s),)) for t_s in (0.1, 0.2)]
    (one,) = node.step(0.2, *reversed(frames)).tracks
    assert one.state is TrackState.CONFIRMED and node.pipeline.counters.late == 0


def test_a_frame_that_is_older_than_one_already_taken_or_the_same_is_late() -> None:
    node = Node()
    frame = RadarFrame("r_east", ns(0.2), (at(58),))
    node.step(0.2, frame)
    node.step(0.3, frame)
    assert node.pipeline.counters.late == 1, "it comes twice"
    node.step(0.3, RadarFrame("r_east", ns(0.1), (at(80),)))
    assert node.pipeline.counters.late == 2 and len(node.last.tracks) == 1
    node.step(0.3, RadarFrame("r_east", ns(0.2), (at(58), at(80))))
    assert node.pipeline.counters.late == 2 and len(node.last.tracks) == 2, "another word of the same moment"


@pytest.mark.parametrize(
    ("age_ns", "taken"), [(0, True), (NS_PER_S // 2, True), (NS_PER_S // 2 + 1, False), (-1, False)]
)
def test_a_frame_of_more_than_half_a_second_ago_or_of_the_future_is_not_acted_on(age_ns: int, taken: bool) -> None:
    pipeline = Pipeline(site(), start_ns=START_NS, booted=True)
    now_ns = ns(0.4)
    output = pipeline.step(now_ns, DAYLIGHT, [RadarFrame("r_east", now_ns - age_ns, (at(50),))])
    assert (len(output.tracks), pipeline.counters.late) == ((1, 0) if taken else (0, 1))


def test_everything_that_was_not_acted_on_is_counted_each_time() -> None:
    node = Node()
    bad = RadarTarget("fast", 50.0)  # type: ignore[arg-type]
    for t_s in (1.0, 1.1, 1.2):
        node.step(t_s, RadarFrame("r_east", ns(t_s - 0.8), ()), RadarFrame("r_west", ns(t_s), (bad,)))
    assert (node.pipeline.counters.late, node.pipeline.counters.faulty) == (3, 3)


def test_late_frames_do_not_keep_a_radar_fresh() -> None:
    node = Node()
    node.step(0.1, RadarFrame("r_east", ns(0.1), ()))
    for t_s in (0.2, 0.4, 0.6, 0.7):
        node.step(t_s, RadarFrame("r_east", ns(0.1), ()), RadarFrame("r_west", ns(t_s), ()))
    assert node.last.decisions[EAST].health is Health.FAULT
    assert node.last.decisions[WEST].health is not Health.FAULT


def test_a_frame_by_the_name_of_a_sensor_of_another_kind_is_counted_and_makes_nobody_fresh() -> None:
    node = Node()
    for t_s in (0.2, 0.4, 0.6):
        node.step(t_s, RadarFrame("c_branch", ns(t_s), (at(50),)), CameraObservation("r_east", ns(t_s), WAITS))
    assert node.pipeline.counters.unknown_sensor == 6 and node.last.tracks == ()
    assert node.last.decisions[EAST].health is Health.FAULT


def test_a_sensors_own_word_is_taken_and_taken_back() -> None:
    node = Node()
    node.see()
    node.step(0.15, SensorProblem("r_east", ns(0.12), "settings lost"))
    assert node.last.decisions[EAST].health is Health.FAULT
    assert node.last.decisions[EAST].reasons == ("r_east: settings lost",)
    assert node.last.decisions[WEST].health is Health.OK and node.pipeline.counters.late == 0
    node.step(0.16, SensorProblem("r_east", ns(0.16), None))
    node.during(31.0)
    assert node.last.decisions[EAST].health is Health.OK


def test_of_two_words_of_one_step_the_later_counts() -> None:
    node = Node()
    words = [SensorProblem("r_east", ns(0.1), "settings lost"), SensorProblem("r_east", ns(0.2), None)]
    assert node.step(0.2, *reversed(words)).decisions[EAST].health is Health.OK


def test_one_bad_observation_costs_itself_and_the_log_names_its_kind(caplog: pytest.LogCaptureFixture) -> None:
    node = Node()
    bad = RadarFrame("r_west", ns(0.1), (RadarTarget("fast", 50.0),))  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        node.step(0.1, bad, RadarFrame("r_east", ns(0.1), (at(50),)))
    assert [one.sensor for one in node.last.tracks] == ["r_east"]
    assert node.pipeline.counters.faulty == 1
    assert [record.message for record in caplog.records] == ["event=observation_failed kind=RadarFrame"]


def test_one_face_that_fails_shows_fault_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = FaceDecider.step

    def broken(self: FaceDecider, *given: Any) -> FaceDecision:
        if self._face == EAST:
            raise ZeroDivisionError
        return whole(self, *given)

    monkeypatch.setattr(FaceDecider, "step", broken)
    node = Node()
    with caplog.at_level(logging.ERROR):
        node.comes()
    failed = node.last.decisions[EAST]
    assert failed == FaceDecision(
        EAST, "clear", Health.FAULT, Shows.FAULT, None, None, ("internal error: ZeroDivisionError",), None
    )
    assert node.last.decisions[BRANCH].level == "caution"
    assert node.pipeline.counters.faulty == 6
    assert {record.message for record in caplog.records} == {f"event=face_failed face={EAST}"}


# --- what it tells ---------------------------------------------------------------------------------------------------


def told(output: Output) -> list[tuple[EventKind, str | None, Any, Any]]:
    return [(event.kind, event.face, event.body["from"], event.body["to"]) for event in output.events]


def test_a_face_that_lights_turns_to_alert_and_goes_dark_tells_it_once_with_its_cause() -> None:
    node = Node()
    node.comes(0.1)
    assert node.last.events == (), "one echo is nobody yet"
    first = node.during(0.1, r_east=lambda _t: [at(58)])
    assert told(first) == [(EventKind.CAUTION, BRANCH, "clear", "caution")]
    (event,) = first.events
    (car,) = first.tracks
    assert event.at_ns == node.now_ns
    assert event.body["cause"] == {
        "approach": EAST,
        "class": None,
        "distance_m": round(car.distance_m or 0, 1),
        "speed_mps": 10.0,
        "time_to_arrival_s": round(car.time_to_arrival_s or 0, 1),
    }
    assert node.comes(0.5, from_m=58).events == ()
    node.during(0.2, r_east=lambda t_s: [at(53 - 10 * t_s)], c_branch=lambda _t: WAITS)
    assert told(node.last) == [
        (EventKind.ALERT, EAST, "clear", "alert"),
        (EventKind.ALERT, BRANCH, "caution", "alert"),
    ]
    found = []
    for _ in range(70):
        found += told(node.see())
    assert (EventKind.ALERT, EAST, "alert", "clear") in found
    assert (EventKind.ALERT, BRANCH, "alert", "clear") in found


def test_alert_that_falls_to_caution_is_told_as_the_end_of_an_alert() -> None:
    node = Node()
    node.during(0.5, r_east=lambda t_s: [at(60 - 10 * t_s)], c_branch=lambda _t: WAITS)
    found = []
    for step in range(60):
        found += told(node.see(r_east=[at(55 - step * 0.5, 5.0)]))
    assert (EventKind.ALERT, BRANCH, "alert", "caution") in found


def test_a_change_of_health_is_told_with_its_reasons_and_not_at_the_first_step() -> None:
    node = Node()
    assert node.last.events == ()
    assert Node(booted=False).last.events == ()
    output = node.step(0.1, SensorProblem("r_east", ns(0.1), "settings lost"))
    assert told(output) == [
        (EventKind.HEALTH, EAST, "ok", "fault"),
        (EventKind.HEALTH, BRANCH, "ok", "fault"),
    ]
    assert all(event.body["reasons"] == ["r_east: settings lost"] for event in output.events)
    assert {event.at_ns for event in output.events} == {ns(0.1)}
    assert node.step(0.2).events == (), "told once"


def test_a_cause_is_told_in_metres_and_mps_with_one_decimal_and_null_for_what_is_not_known() -> None:
    assert cause_body(None) is None
    car = track(EAST, 3.0, speed_mps=8.04)._replace(user=RoadUser.CAR)
    assert cause_body(car) == {
        "approach": EAST,
        "class": "car",
        "distance_m": 24.1,
        "speed_mps": 8.0,
        "time_to_arrival_s": 3.0,
    }
    zone = cause_body(track(EAST))
    assert zone == {"approach": EAST, "class": None, "distance_m": None, "speed_mps": None, "time_to_arrival_s": None}
    there = cause_body(track(EAST, 1.0)._replace(distance_m=-0.01))
    assert str((there or {})["distance_m"]) == "0.0", "the same road gives the same bytes"


def test_an_alert_speaks_once_of_whom_a_trusted_sensor_sees_and_not_in_quiet_hours() -> None:
    said, quiet = Node(), Node()
    words = []
    for step in range(30):
        seen = {"r_east": [at(45 - step)], "c_branch": WAITS}
        words += list(said.see(**seen).says.items())
        assert not quiet.see(day=DayState(True, 100, 0, True), **seen).says
    assert (BRANCH, "right_vehicle") in words and len(words) == len(set(words))
    flooded = Node()
    for step in range(30):
        noise = [at(5 + 20.0 * k + 10.0 * (step % 2), 20.0) for k in range(4)]
        output = flooded.see(r_east=[at(45 - step), *noise], c_branch=WAITS)
        if step > 15:
            assert not output.says, "a radar that is flooded is acted on and not spoken of"


def test_a_second_car_is_spoken_of_when_the_lockout_is_over_and_not_before() -> None:
    node = Node()
    spoken_at_s = []
    for tenth in range(160):
        # One car every four seconds, seen from 45 m on.
        rows = [at(45.0 - tenth % 40)]
        if BRANCH in node.see(r_east=rows, c_branch=WAITS).says:
            spoken_at_s.append(tenth / 10)
    assert len(spoken_at_s) == 2 and 8.0 <= spoken_at_s[1] - spoken_at_s[0] <= 13.0


def test_by_night_a_face_is_lit_half_a_second_earlier() -> None:
    night = DayState(quiet=True, brightness_pct=100, volume_pct=0, clock_trusted=True, night=True)
    lit_at_m = {}
    for day in (DAYLIGHT, night):
        node = Node()
        for step in range(20):
            here_m = 105.0 - step
            if node.see(r_east=[at(here_m)], day=day).decisions[BRANCH].level != "clear":
                lit_at_m[day.night] = here_m
                break
    assert lit_at_m[True] - lit_at_m[False] == pytest.approx(5.0, abs=1.0)


def test_one_target_that_is_the_only_cause_for_too_long_is_a_fault_of_the_faces_it_lights() -> None:
    """It says that it comes and stays where it is, and its numbers change, so the radar is not frozen."""
    node = Node(site(stuck_cause_s=30.0))
    node.during(29.0, r_east=lambda t_s: [at(40.0 + round(10 * t_s) % 2, 5.6)])
    assert node.last.decisions[BRANCH].health is Health.OK
    node.during(2.0, r_east=lambda t_s: [at(40.0 + round(10 * t_s) % 2, 5.6)])
    assert node.last.decisions[BRANCH].shows is Shows.FAULT
    assert "only cause" in node.last.decisions[BRANCH].reasons[0]


# --- new values, and an empty road ----------------------------------------------------------------------------------


def test_new_values_are_taken_between_two_steps_by_the_faces_the_cameras_and_the_voice() -> None:
    node = Node()
    node.during(31.0, c_branch=lambda _t: WAITS)
    assert [one.state for one in node.last.tracks] == [TrackState.WAITING]
    config = site(parked_after_s=30.0, hold_s=10.0)
    config = config.model_copy(update={"voice": config.voice.model_copy(update={"speak_within_s": 2.0})})
    node.pipeline.configure(config)
    assert [one.state for one in node.during(0.1, c_branch=lambda _t: WAITS).tracks] == [TrackState.PARKED]
    heard_at_m = []
    node.during(2.0)
    for step in range(40):
        here_m = 45.0 - step
        if node.see(r_east=[at(here_m)], c_branch=WAITS).says:
            heard_at_m.append(here_m)
    assert heard_at_m and heard_at_m[0] <= 21.0
    levels = {node.see().decisions[BRANCH].level for _ in range(80)}
    assert "clear" not in levels, "held for ten seconds now"


def idle_s(node: Node) -> float | None:
    until_ns = node.pipeline.idle_until_ns(node.last)
    return None if until_ns is None else (until_ns - START_NS) / NS_PER_S


def test_an_empty_road_is_idle_until_a_sensor_would_be_stale() -> None:
    node = Node()
    assert idle_s(node) == pytest.approx(0.5)
    node.during(1.0)
    assert idle_s(node) == pytest.approx(1.5)


@pytest.mark.parametrize("target", [at(50), at(50, -10, Flag.RECEDING)], ids=["one echo", "one that leaves"])
def test_somebody_on_the_road_is_not_idle(target: RadarTarget) -> None:
    node = Node()
    node.see(r_east=[target])
    assert idle_s(node) is None


def test_a_lamp_that_is_held_is_not_idle_and_a_dark_one_is_again() -> None:
    node = Node()
    node.comes(0.5, from_m=8.0)
    node.during(2.0)
    assert node.last.tracks == () and node.last.decisions[BRANCH].level == "caution" and idle_s(node) is None
    node.during(2.0)
    assert idle_s(node) is not None


def test_a_sensor_that_is_lost_and_one_that_recovers_are_not_idle() -> None:
    node = Node()
    node.silent = {"r_east"}
    node.during(1.0)
    assert idle_s(node) is None
    node.silent = set()
    node.during(1.0)
    assert idle_s(node) is None, "the time of recovery runs"


def test_a_radar_that_became_slow_is_not_idle() -> None:
    node = Node()
    node.during(12.0)
    assert idle_s(node) is not None
    node.silent = {"r_east"}
    for step in range(24):
        node.silent = set() if step % 4 == 0 else {"r_east"}
        node.see()
    assert node.last.decisions[EAST].health is Health.DEGRADED and idle_s(node) is None


def test_the_same_empty_road_without_any_camera() -> None:
    raw = site().model_dump(mode="json", exclude_none=True)
    del raw["cameras"]
    node = Node(SiteConfig.model_validate(raw))
    assert node.comes().decisions[BRANCH].level == "caution"
    assert isinstance(node.last.tracks[0], Track)


def test_what_a_face_had_spent_of_its_day_of_camera_alone_goes_on_where_it_was() -> None:
    spent = Node(camera_alone_s={EAST: 3600.0})
    spent.during(2.0)
    assert spent.pipeline.camera_alone_s(spent.now_ns) == {EAST: pytest.approx(3602.0, abs=0.2)}
    assert Node().pipeline.camera_alone_s(START_NS) == {}
    barely = Node(camera_alone_s={EAST: 0.5})
    assert barely.pipeline.camera_alone_s(START_NS) == {EAST: pytest.approx(0.5, abs=0.1)}, "half a second counts too"
