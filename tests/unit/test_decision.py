"""The rule of one face, at every boundary: horizon, hold, shortest time on, who meets whom, which is the cause."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from configs.schema import CautionRequires, RoadUser, SiteConfig
from device.day import DAYLIGHT
from device.decision import SHOW_ORDER, FaceDecider, Stopping, first_shown, shows, usable
from device.gap import Widening
from device.health import Health, Ladder
from device.tracks import TrackState
from hal.interfaces import Shows
from tests.support.road import site
from tests.support.tracks import BRANCH, EAST, UNKNOWN, WELL, WEST, Face, degraded, fault, ns, seen, waits

NIGHT = replace(DAYLIGHT, night=True)
TINY = 0.001


# --- the branch face ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arrival_s", "level"), [(9.5, "caution"), (9.5 + TINY, "clear"), (0.0, "caution")])
def test_lit_within_the_design_users_gap_and_not_before(arrival_s: float, level: str) -> None:
    assert Face().at(0, seen(EAST, arrival_s)).level == level


@pytest.mark.parametrize(("arrival_s", "lit"), [(10.0, True), (10.0 + TINY, False)])
def test_by_night_half_a_second_earlier(arrival_s: float, lit: bool) -> None:
    assert (Face().at(0, seen(EAST, arrival_s), day=NIGHT).level == "caution") is lit


def test_night_that_falls_and_ends_changes_the_horizon_of_the_next_step() -> None:
    face = Face()
    assert not face.at(0, seen(EAST, 9.8)).coming
    assert face.at(1, seen(EAST, 9.8), day=NIGHT).coming
    assert not face.at(2, seen(EAST, 9.8, number=2)).coming


def test_each_approach_that_conflicts_is_watched_and_the_causes_are_named_by_approach() -> None:
    decision = Face().at(0, seen(EAST, 5.0), seen(WEST, 6.0, number=2))
    assert decision.coming == {EAST, WEST}
    assert Face().at(0, seen(WEST, 6.0)).coming == {WEST}


def test_who_comes_on_the_own_approach_alone_lights_nothing() -> None:
    assert Face().at(0, seen(BRANCH, 1.0)).level == "clear"


def test_who_stands_on_the_main_road_or_has_passed_does_not_arrive() -> None:
    assert Face().at(0, seen(EAST, 1.0, speed_mps=0.2)).level == "clear"
    assert Face().at(0, seen(EAST, 1.0, speed_mps=0.3)).level == "caution"
    assert Face().at(0, seen(EAST, 1.0)._replace(distance_m=-0.1)).level == "clear"


def test_who_stands_or_is_parked_hides_nobody_who_comes_behind() -> None:
    stands = seen(EAST, 1.0, speed_mps=0.0)._replace(distance_m=40.0)
    parked = seen(EAST, state=TrackState.PARKED)
    for first in (stands, parked, seen(EAST, 30.0)):
        assert Face().at(0, first, seen(EAST, 5.0, number=2)).level == "caution"
        assert Face(EAST).at(0, first, seen(EAST, 4.0, number=2), waits()).level == "alert"


def test_known_by_a_zone_alone_it_comes_now_unless_it_is_parked() -> None:
    assert Face().at(0, seen(EAST)).level == "caution"
    assert Face().at(0, seen(EAST, state=TrackState.WAITING)).level == "caution"
    assert Face().at(0, seen(EAST, state=TrackState.PARKED)).level == "clear"


def test_a_car_that_has_earned_its_gap_shortens_the_horizon() -> None:
    face = Face()
    for n in range(20):
        face.at(n / 10, waits())
    assert not face.at(2.0, waits(), seen(EAST, 7.6)).coming
    assert face.at(2.1, waits(), seen(EAST, 7.5)).coming


def test_own_present_needs_somebody_there_or_nobody_who_could_tell() -> None:
    config = site()
    own_present = {"caution_requires": CautionRequires.OWN_PRESENT}
    config = config.model_copy(update={"policy": config.policy.model_copy(update=own_present)})
    assert Face(config=config).at(0, seen(EAST, 5.0)).level == "clear"
    assert Face(config=config).at(0, seen(EAST, 5.0), waits(state=TrackState.PARKED)).level == "caution"
    assert Face(config=config).at(0, seen(EAST, 5.0), health=UNKNOWN).level == "caution"


# --- hovering around the horizon -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("back_to_s", "still"), [(9.7, True), (9.7 + TINY, False)])
def test_a_cause_stays_one_until_it_is_a_fifth_of_a_second_outside(back_to_s: float, still: bool) -> None:
    face = Face()
    face.at(0, seen(EAST, 9.5))
    assert bool(face.at(0.1, seen(EAST, back_to_s)).coming) is still


def test_another_road_user_just_outside_is_no_cause_and_one_that_was_lost_must_come_inside_again() -> None:
    face = Face()
    face.at(0, seen(EAST, 9.5))
    assert not face.at(0.1, seen(EAST, 9.6, number=2)).coming
    assert not face.at(0.2, seen(EAST, 9.6)).coming


def test_noise_around_the_horizon_lights_once() -> None:
    face = Face(hold_s=1, min_on_s=0.5)
    levels = [face.at(n / 10, seen(EAST, 9.5 + (0.15 if n % 15 else -0.15))).level for n in range(60)]
    assert levels.index("caution") == 0 and set(levels) == {"caution"}


# --- hold and release ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_s", "level"), [(3.0, "caution"), (3.0 + TINY, "clear")])
def test_three_seconds_after_the_cause_has_gone(after_s: float, level: str) -> None:
    face = Face()
    face.at(0, seen(EAST, 2.0))
    held = face.at(after_s)
    assert held.level == level
    assert (held.cause is None) is (level == "clear") and held.soonest is None and held.coming == frozenset()


@pytest.mark.parametrize(
    ("health", "hold_s"),
    [
        (degraded(Ladder.FEWER), 4.5),
        (degraded(Ladder.RADAR_ALONE), 4.5),
        (degraded(Ladder.CAMERA_ALONE), 6.0),
        (fault(), 6.0),
    ],
)
def test_fewer_sensors_hold_longer(health: object, hold_s: float) -> None:
    face = Face()
    face.at(0, seen(EAST, 2.0), health=health)  # type: ignore[arg-type]
    assert face.at(hold_s, health=health).level == "caution"  # type: ignore[arg-type]
    assert face.at(hold_s + TINY, health=health).level == "clear"  # type: ignore[arg-type]


def test_the_coast_counts_inside_the_hold() -> None:
    face = Face()
    face.at(0, seen(EAST, 3.0))
    for n in range(1, 16):
        face.at(n / 10, seen(EAST, 3.0 - n / 10, state=TrackState.COASTING, at_s=0.0))
    assert face.at(3.0).level == "caution"
    assert face.at(3.0 + TINY).level == "clear"


def test_one_that_is_really_seen_beside_one_that_coasts_holds_from_now() -> None:
    face = Face()
    face.at(0, seen(EAST, 3.0))
    coasting = seen(EAST, 2.0, state=TrackState.COASTING, at_s=0.0)
    decision = face.at(1.0, coasting, seen(WEST, 5.0, number=2, at_s=0.5))
    assert decision.cause is not None and decision.cause.id == 1
    assert face.at(4.0).level == "caution"
    assert face.at(4.0 + TINY).level == "clear"


@pytest.mark.parametrize(
    ("last_seen_s", "until_s"),
    [(1.0, 4.0), (0.6 - TINY, 3.6 - TINY), (0.6, 4.0), (-0.5, 2.5), (-0.5 - TINY, 4.0)],
    ids=["a picture now", "just gone", "the newest picture is on its way", "gone for a coast", "remembered to wait"],
)
def test_a_main_face_is_held_from_when_somebody_was_last_seen_on_the_branch(last_seen_s: float, until_s: float) -> None:
    """Who has just driven off is not there for a coast and a hold on top; whom a radar remembers is there now."""
    face = Face(EAST, min_on_s=1)
    face.at(1.0, seen(EAST, 4.0, at_s=1.0), waits(at_s=last_seen_s))
    assert face.at(until_s, seen(EAST, 4.0, at_s=until_s)).level == "alert"
    assert face.at(until_s + 2 * TINY, seen(EAST, 4.0, at_s=until_s)).level == "clear"


def test_where_nothing_sees_who_stands_the_main_faces_hold_runs_from_the_main_road_alone() -> None:
    face = Face(EAST)
    face.at(1.0, seen(EAST, 4.0, at_s=1.0), waits(at_s=0.0), health=UNKNOWN)
    assert face.at(4.0, health=UNKNOWN).level == "alert"


def test_an_old_coasting_sight_never_shortens_a_hold() -> None:
    face = Face()
    face.at(1.0, seen(EAST, 3.0, at_s=1.0))
    face.at(1.1, seen(WEST, 3.0, number=2, state=TrackState.COASTING, at_s=0.0))
    assert face.at(4.0).level == "caution"


@pytest.mark.parametrize(("at_s", "level"), [(2.0, "caution"), (2.0 + TINY, "clear")])
def test_a_lamp_that_lights_stays_on_for_two_seconds_however_short_the_hold(at_s: float, level: str) -> None:
    face = Face(hold_s=1)
    face.at(0, seen(EAST, 2.0))
    assert face.at(at_s).level == level


def test_the_shortest_time_on_adds_nothing_to_a_hold_that_ends_later_and_counts_anew_each_time() -> None:
    face = Face(hold_s=1)
    for n in range(30):
        face.at(n / 10, seen(EAST, 2.0))
    assert face.at(3.9).level == "caution" and face.at(3.9 + TINY + 0.001).level == "clear"
    face.at(10, seen(EAST, 2.0, number=2))
    assert face.at(12.0).level == "caution" and face.at(12.01).level == "clear"


def test_alert_falls_to_caution_when_its_own_hold_ends() -> None:
    face = Face()
    assert face.at(0, seen(EAST, 5.0), waits()).level == "alert"
    assert face.at(2.0, seen(EAST, 3.0)).level == "alert"
    decision = face.at(3.0 + TINY, seen(EAST, 2.0))
    assert decision.level == "caution" and decision.conflict is None


def test_a_decision_says_when_its_cause_was_last_really_seen() -> None:
    face = Face()
    assert face.at(0.1, seen(EAST, 5.0, at_s=0.0)).caused_by_ns == ns(0.0)
    assert face.at(1.0).caused_by_ns == ns(0.0)
    assert face.at(9.0).caused_by_ns is None


# --- who meets whom ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("own_s", "level"), [(0.0, "alert"), (9.0, "alert"), (9.0 + TINY, "caution")])
def test_alert_for_who_would_pass_within_three_seconds_and_one_of_doubt(own_s: float, level: str) -> None:
    assert Face().at(0, seen(EAST, 5.0), seen(BRANCH, own_s, number=2)).level == level


def test_an_alert_is_shown_as_alert_and_a_caution_as_caution() -> None:
    assert Face().at(0, seen(EAST, 5.0), waits()).shows is Shows.ALERT
    assert Face().at(0, seen(EAST, 5.0)).shows is Shows.CAUTION
    assert Face().at(0, seen(EAST, 5.0), waits(), health=fault()).shows is Shows.ALERT


def test_one_of_several_causes_that_can_be_met_is_enough() -> None:
    own = seen(BRANCH, 12.0, number=3)
    assert Face().at(0, seen(EAST, 2.0), seen(WEST, 9.0, number=2), own).level == "alert"
    assert Face().at(0, seen(EAST, 2.0), seen(WEST, 7.9, number=2), own).level == "caution"


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"state": TrackState.WAITING}, "alert"),
        ({"state": TrackState.PARKED}, "caution"),
        ({"distance_m": 8.0, "speed_mps": 0.0}, "alert"),
        ({"distance_m": 8.1, "speed_mps": 0.0}, "caution"),
        ({"distance_m": 30.0, "speed_mps": 0.0, "state": TrackState.WAITING}, "alert"),
        ({}, "alert"),
    ],
)
def test_who_stands_may_start_at_any_moment_but_not_from_far_back_and_not_when_parked(
    fields: Mapping[str, object], level: str
) -> None:
    assert Face().at(0, seen(EAST, 5.0), seen(BRANCH, number=2, **fields)).level == level


def test_a_cause_that_only_a_zone_knows_meets_everybody() -> None:
    assert Face().at(0, seen(EAST), seen(BRANCH, 20.0, number=2)).level == "alert"


def test_of_several_who_could_be_met_the_one_nearest_in_time_is_named() -> None:
    own = [seen(BRANCH, 6.0, number=7), seen(BRANCH, 4.0, number=8), waits(number=9)]
    for users in (own, own[::-1]):
        conflict = Face().at(0, seen(EAST, 5.0), *users).conflict
        assert conflict is not None and conflict.id == 9, "who stands is there already"
    conflict = Face().at(0, seen(EAST, 5.0), *own[:2]).conflict
    assert conflict is not None and conflict.id == 8


# --- which track is the cause ----------------------------------------------------------------------------------------


def test_the_first_to_arrive_is_the_cause_and_of_two_at_once_the_older_track() -> None:
    for order in (1, -1):
        tracks = [seen(EAST, 5.0, number=4), seen(WEST, 4.0, number=5), seen(WEST, 4.0, number=3)][::order]
        decision = Face().at(0, *tracks)
        assert decision.cause is not None and decision.cause.id == 3
        assert decision.soonest is decision.cause


def test_a_zones_road_user_comes_first() -> None:
    decision = Face().at(0, seen(EAST, 0.0), seen(WEST, number=2))
    assert decision.cause is not None and decision.cause.id == 2


def test_the_cause_stays_while_it_is_one_and_the_soonest_is_told_beside_it() -> None:
    face = Face()
    face.at(0, seen(EAST, 5.0))
    decision = face.at(0.1, seen(EAST, 4.9), seen(WEST, 3.0, number=2))
    assert decision.cause is not None and decision.cause.id == 1
    assert decision.soonest is not None and decision.soonest.id == 2


def test_a_cause_that_comes_back_after_it_was_none_does_not_take_over() -> None:
    face = Face()
    face.at(0, seen(EAST, 5.0))
    face.at(0.1, seen(WEST, 3.0, number=2))
    decision = face.at(0.2, seen(EAST, 4.8), seen(WEST, 2.9, number=2))
    assert decision.cause is not None and decision.cause.id == 2
    face.at(0.3)
    decision = face.at(0.4, seen(EAST, 2.0), seen(WEST, 2.7, number=2))
    assert decision.cause is not None and decision.cause.id == 1, "nobody lit it a moment ago: the first to arrive"


# --- the main face -------------------------------------------------------------------------------------------------


def stops_s(speed_mps: float, **wide: float) -> float:
    by = Stopping.of(site().policy, Widening(wide.get("extra_s", 0.0), wide.get("factor", 1.0)))
    return by.fixed_s + speed_mps / by.twice_mps2


def test_stopping_is_reaction_braking_and_a_margin() -> None:
    assert stops_s(16.66) == pytest.approx(2.5 + 16.66 / 6.8 + 2.0)
    assert stops_s(16.66, extra_s=0.5) == pytest.approx(3.0 + 16.66 / 6.8 + 2.0)
    assert stops_s(16.66, factor=0.7) == pytest.approx(2.5 + 16.66 / (6.8 * 0.7) + 2.0)


@pytest.mark.parametrize(("more_s", "lit"), [(-TINY, True), (TINY, False)])
@pytest.mark.parametrize("day", [DAYLIGHT, replace(DAYLIGHT, wet=True, visibility_m=60.0)])
def test_the_main_face_lights_inside_the_stopping_time_while_somebody_waits(
    more_s: float, lit: bool, day: object
) -> None:
    due_s = stops_s(10.0) if day is DAYLIGHT else stops_s(10.0, extra_s=1.5, factor=0.7)
    decision = Face(EAST).at(0, seen(EAST, due_s + more_s), waits(), day=day)  # type: ignore[arg-type]
    assert (decision.level == "alert") is lit


def test_one_that_may_come_by_its_speeds_error_alone_needs_no_time_to_brake() -> None:
    """It stands as far as a camera can tell, and may come by 1 m/s."""
    for left_m, lit in ((stops_s(0.0) - 0.05, True), (stops_s(0.0) + 0.05, False)):
        stands = seen(EAST, 1.0)._replace(distance_m=left_m, speed_mps=0.0, speed_error_mps=1.0)
        assert (Face(EAST).at(0, stands, waits()).level == "alert") is lit


def test_exactly_the_stopping_time_is_inside_it() -> None:
    assert stops_s(3.4) == 5.0
    assert Face(EAST).at(0, seen(EAST, 5.0, speed_mps=3.4), waits()).level == "alert"


def test_its_cause_too_stays_until_it_is_a_fifth_of_a_second_outside() -> None:
    for more_s, still in ((0.2 - TINY, True), (0.2 + TINY, False)):
        face = Face(EAST)
        face.at(0, seen(EAST, 5.0), waits())
        assert bool(face.at(0.1, seen(EAST, stops_s(10.0) + more_s), waits()).coming) is still


@pytest.mark.parametrize(
    ("branch_user", "level"),
    [
        (seen(BRANCH, 5.0, number=2), "alert"),
        (seen(BRANCH, 5.0 + TINY, number=2), "clear"),
        (seen(BRANCH, number=2), "alert"),
        (seen(BRANCH, number=2, distance_m=8.0, speed_mps=0.0), "alert"),
        (seen(BRANCH, number=2, distance_m=8.1, speed_mps=0.0), "clear"),
        (waits(None), "alert"),
        (waits(None, distance_m=20.0, speed_mps=0.0), "alert"),
        (seen(BRANCH, 6.5, number=2, speed_mps=1.4, in_wait_zone=True), "alert"),
        (seen(BRANCH, 6.5, number=2, speed_mps=1.4), "clear"),
        (waits(state=TrackState.PARKED), "caution"),
    ],
)
def test_the_branch_is_occupied_by_who_waits_stands_at_the_line_or_is_there_within_five_seconds(
    branch_user: object, level: str
) -> None:
    assert Face(EAST).at(0, seen(EAST, 4.0), branch_user).level == level  # type: ignore[arg-type]


def test_an_empty_branch_that_a_camera_sees_leaves_the_main_face_dark_and_one_that_nothing_sees_does_not() -> None:
    assert Face(EAST).at(0, seen(EAST, 4.0)).level == "clear"
    assumed = Face(EAST).at(0, seen(EAST, 4.0), health=UNKNOWN)
    assert (assumed.level, assumed.conflict) == ("caution", None)
    assert Face(EAST).at(0, seen(EAST, 6.5), health=UNKNOWN).level == "clear"


def test_somebody_on_the_branch_lights_no_main_face_on_which_nobody_comes() -> None:
    assert Face(EAST).at(0, waits(), seen(WEST, 3.0)).level == "clear"
    assert Face(EAST).at(0, waits(), health=UNKNOWN).level == "clear"


def test_on_the_main_road_a_zone_alone_is_an_arrival_unless_it_is_parked() -> None:
    assert Face(EAST).at(0, seen(EAST), waits()).level == "alert"
    assert Face(EAST).at(0, seen(EAST, state=TrackState.PARKED), waits()).level == "clear"


def test_of_several_on_the_branch_the_one_who_is_there_is_met() -> None:
    users = [seen(BRANCH, 3.0, number=6), waits(number=8), seen(BRANCH, 1.0, number=7)]
    for order in (1, -1):
        conflict = Face(EAST).at(0, seen(EAST, 4.0), *users[::order]).conflict
        assert conflict is not None and conflict.id == 8


def test_of_two_who_are_there_at_once_the_one_known_longer_is_met() -> None:
    users = [waits(number=8), waits(number=9), seen(BRANCH, 2.0, number=4), seen(BRANCH, 2.0, number=5)]
    for order in (1, -1):
        for face, arrival_s in ((EAST, 4.0), (BRANCH, 5.0)):
            conflict = Face(face).at(0, seen(EAST, arrival_s), *users[::order]).conflict
            assert conflict is not None and conflict.id == 8
            conflict = Face(face).at(0, seen(EAST, arrival_s), *users[2:][::order]).conflict
            assert conflict is not None and conflict.id == 4


def with_lamps(*to_conflict_m: float) -> SiteConfig:
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["lamps"] = {
        f"l_{n}": {"driver": "gpio", "pin": n, "faces": [EAST, BRANCH], "to_conflict_m": metres}
        for n, metres in enumerate(to_conflict_m)
    }
    return SiteConfig.model_validate(raw)


@pytest.mark.parametrize(
    ("lamps_m", "distance_m", "lit"),
    [
        ((), 59.7, True),
        ((), 59.8, False),
        ((0.0,), 59.7, True),
        ((40.0,), 99.7, True),
        ((40.0,), 99.8, False),
        ((40.0,), 39.9, False),
        ((40.0, 0.0), 39.9, True),
        ((40.0, 0.0), 99.7, True),
    ],
)
def test_the_arrival_that_counts_is_at_the_lamp_and_who_has_passed_it_cannot_read_it(
    lamps_m: tuple[float, ...], distance_m: float, lit: bool
) -> None:
    config = with_lamps(*lamps_m) if lamps_m else site().model_copy(update={"lamps": {}})
    decision = Face(EAST, config).at(0, seen(EAST, 1.0)._replace(distance_m=distance_m), waits())
    assert (decision.level == "alert") is lit


def test_another_main_approach_in_conflict_is_not_the_branch() -> None:
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["approaches"][EAST]["conflicts"] = [WEST, BRANCH]
    config = SiteConfig.model_validate(raw)
    assert Face(EAST, config).at(0, seen(EAST, 4.0), seen(WEST, 3.0, number=2)).level == "clear"


# --- health and what is shown --------------------------------------------------------------------------------------


def test_the_first_true_of_alert_fault_caution_clear_is_shown() -> None:
    assert shows("alert", Health.FAULT) is Shows.ALERT
    assert shows("caution", Health.FAULT) is Shows.FAULT
    assert shows("clear", Health.FAULT) is Shows.FAULT
    assert shows("caution", Health.DEGRADED) is Shows.CAUTION
    assert shows("clear", Health.DEGRADED) is Shows.CLEAR
    assert [first_shown(SHOW_ORDER[n:]) for n in range(4)] == [Shows.ALERT, Shows.FAULT, Shows.CAUTION, Shows.CLEAR]
    assert first_shown([]) is Shows.FAULT, "a lamp of no face is a lamp nobody guards"


def test_a_face_in_fault_says_so_also_with_an_empty_road_and_also_when_its_reasons_change() -> None:
    face = Face()
    assert (face.at(0).shows, face.at(0).reasons) == (Shows.CLEAR, ())
    assert (face.at(1, health=fault("a")).shows, face.at(1, health=fault("a")).reasons) == (Shows.FAULT, ("a",))
    assert face.at(2, health=fault("b")).reasons == ("b",)
    again = face.at(3, health=degraded(Ladder.RADAR_ALONE))
    assert (again.shows, again.health, again.reasons) == (Shows.CLEAR, Health.DEGRADED, ("why",))
    assert face.at(4).health is Health.OK


def test_an_empty_road_is_one_answer_as_long_as_nothing_changes() -> None:
    face = Face()
    assert face.at(0) is face.at(1) and face.at(0).face == BRANCH
    assert (face.at(0).coming, face.at(0).soonest) == (frozenset(), None)


def test_a_lit_face_carries_its_health_and_reasons() -> None:
    decision = Face().at(0, seen(EAST, 5.0), health=fault("r_west: silent for 2 s"))
    assert (decision.face, decision.level, decision.health) == (BRANCH, "caution", Health.FAULT)
    assert (decision.shows, decision.reasons) == (Shows.FAULT, ("r_west: silent for 2 s",))


# --- one cause for ever --------------------------------------------------------------------------------------------


def test_one_target_alone_for_two_minutes_is_stuck_and_named() -> None:
    face = Face()
    for second in range(120):
        face.at(second, seen(EAST, 4.0, at_s=second))
        assert face.decider.stuck(ns(second)) is None
    assert face.decider.stuck(ns(120)) == "r_east: one target at 40 m is the only cause for 120 s"


def test_dark_for_a_moment_or_a_second_cause_begins_the_count_anew() -> None:
    dark = Face(stuck_cause_s=30)
    for second in range(60):
        dark.at(second, *([] if 10 <= second <= 14 else [seen(EAST, 4.0)]))
        assert (dark.decider.stuck(ns(second)) is not None) is (second >= 45)
    second_one = Face(stuck_cause_s=30)
    for second in range(60):
        second_one.at(second, seen(EAST, 4.0), *([seen(WEST, 4.0, number=2)] if second == 10 else []))
        assert (second_one.decider.stuck(ns(second)) is not None) is (second >= 41)


def test_new_policy_is_taken_between_two_steps_and_what_is_lit_stays_lit() -> None:
    face = Face()
    face.at(0, seen(EAST, 5.0))
    face.decider.configure(site(hold_s=10, gap_s={"truck": 11.0}))
    assert face.at(9.9).level == "caution"
    assert face.at(10.0, seen(EAST, 10.9, number=2), day=NIGHT).coming
    face.decider.configure(site())
    assert not face.at(10.1, seen(EAST, 10.3, number=3), day=DAYLIGHT).coming


def test_tracks_that_may_be_acted_on() -> None:
    every = [seen(EAST, 5.0, number=n, state=state) for n, state in enumerate(TrackState)]
    leaves = seen(WEST, 5.0, number=20, receding=True)
    found = usable([*every, leaves, waits()])
    assert {approach: [track.state for track in tracks] for approach, tracks in found.items()} == {
        EAST: [TrackState.CONFIRMED, TrackState.COASTING, TrackState.WAITING, TrackState.PARKED],
        BRANCH: [TrackState.WAITING],
    }


def test_a_face_is_asked_without_a_day_state_as_by_daylight() -> None:
    decider = FaceDecider(BRANCH, site())
    assert decider.step(ns(0), {EAST: [seen(EAST, 9.6)]}, WELL).level == "clear"


def test_who_has_no_name_beside_a_car_keeps_the_design_users_gap() -> None:
    face = Face()
    car, radar = waits(RoadUser.CAR), seen(BRANCH, 3.0, number=51, sensor="r_branch")
    for n in range(20):
        face.at(n / 10, car, radar)
    assert face.at(2.0, car, radar, seen(EAST, 9.5)).coming
