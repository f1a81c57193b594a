"""The rule of DESIGN.md §3 in the road's words: who is warned, when, and when the lamp goes dark again."""

import pytest

from configs.schema import RoadUser
from device.observation import Zone
from hal.interfaces import Flag, Shows
from tests.support.road import REACH_M, Drive, Leaving, Vehicle, levels, lit_spans, site

BRANCH, EAST, WEST = "branch_south", "main_east", "main_west"


def car_waits(_t_s: float) -> dict[RoadUser, int]:
    return {RoadUser.CAR: 1}


def truck_waits(_t_s: float) -> dict[RoadUser, int]:
    return {RoadUser.TRUCK: 1}


@pytest.mark.parametrize("speed_kmh", [15, 30, 40, 50, 60, 80, 100, 120])
def test_a_vehicle_on_the_main_road_is_warned_of_in_time(speed_kmh: float) -> None:
    arrival_s = 30.0
    moments = Drive(Vehicle(speed_kmh, arrival_s)).run(40)
    (span,) = lit_spans(moments, BRANCH)
    due_s = min(9.5, REACH_M / (speed_kmh / 3.6))
    assert arrival_s - span[0] >= due_s - 0.5
    assert arrival_s - span[0] <= 9.5 + 0.3, "lit before it came inside the horizon"


@pytest.mark.parametrize("speed_kmh", [20, 50, 100])
def test_the_lamp_goes_dark_three_seconds_after_the_vehicle_has_passed(speed_kmh: float) -> None:
    (span,) = lit_spans(Drive(Vehicle(speed_kmh, 20.0)).run(30), BRANCH)
    assert 22.5 <= span[1] <= 23.2


@pytest.mark.parametrize("speed_kmh", [20, 30, 50, 80, 100])
def test_a_vehicle_that_drives_away_lights_nothing(speed_kmh: float) -> None:
    moments = Drive(Leaving(speed_kmh, 5.0)).run(30)
    assert lit_spans(moments, BRANCH) == []


def test_a_radar_that_claims_receding_for_one_that_comes_is_not_believed() -> None:
    """The vendor contradicts itself on the flag: distance decides."""
    moments = Drive(Vehicle(50, 20.0, flag=Flag.RECEDING)).run(26)
    (span,) = lit_spans(moments, BRANCH)
    assert 20.0 - span[0] >= 100 / (50 / 3.6) - 0.5


def test_both_directions_are_watched() -> None:
    moments = Drive(Vehicle(60, 20.0, radar="r_west")).run(20)
    assert moments[-1][BRANCH].level == "caution"
    cause = moments[-1][BRANCH].cause
    assert cause is not None and cause.approach == WEST


def test_the_gap_belongs_to_who_crosses_a_car_needs_less_than_the_design_truck() -> None:
    slow = Vehicle(30, 30.0)
    (unseen,) = lit_spans(Drive(slow).run(40), BRANCH)
    (car,) = lit_spans(Drive(slow, branch=car_waits).run(40), BRANCH)
    (truck,) = lit_spans(Drive(slow, branch=truck_waits, config=site(gap_s={"truck": 11.5})).run(40), BRANCH)
    assert 30.0 - unseen[0] == pytest.approx(9.5, abs=0.3)
    assert 30.0 - car[0] == pytest.approx(7.5, abs=0.3)
    assert 30.0 - truck[0] == pytest.approx(11.5, abs=0.3)


def test_alert_needs_someone_on_the_own_approach() -> None:
    alone = Drive(Vehicle(50, 20.0)).run(26)
    met = Drive(Vehicle(50, 20.0), branch=car_waits).run(26)
    assert levels(alone, BRANCH) == ["clear", "caution", "clear"]
    assert levels(met, BRANCH) == ["clear", "alert", "clear"]


def test_the_main_road_is_warned_of_a_branch_that_is_occupied_and_of_nothing_else() -> None:
    car = Vehicle(60, 20.0)
    assert lit_spans(Drive(car).run(26), EAST) == []
    moments = Drive(car, branch=car_waits).run(26)
    (span,) = lit_spans(moments, EAST)
    # 2.5 s + 16.7 / 6.8 + 2 s = 6.95 s, but the radar sees 100 m = 6.0 s.
    assert 20.0 - span[0] == pytest.approx(5.9, abs=0.3)
    assert "alert" in levels(moments, EAST)
    assert lit_spans(moments, WEST) == [], "nobody comes from the west"


def test_a_user_in_the_approach_zone_of_the_branch_occupies_it() -> None:
    moments = Drive(Vehicle(60, 20.0), branch=car_waits, zone=Zone.APPROACH).run(20)
    assert moments[-1][EAST].level == "alert"


def test_the_sign_ahead_of_the_junction_warns_earlier() -> None:
    ahead = site().model_dump(mode="json", exclude_none=True)
    ahead["lamps"]["l_main"]["to_conflict_m"] = 40
    config = type(site()).model_validate(ahead)
    slow = Vehicle(30, 30.0)
    (at_junction,) = lit_spans(Drive(slow, branch=car_waits).run(40), EAST)
    (at_sign,) = lit_spans(Drive(slow, branch=car_waits, config=config).run(40), EAST)
    # 40 m earlier is 4.8 s at 30 km/h, and the driver is past the sign when 40 m are left.
    assert at_junction[0] - at_sign[0] == pytest.approx(4.8, abs=0.3)


def test_presence_unknown_counts_as_present_and_the_voice_stays_off() -> None:
    drive = Drive(Vehicle(60, 20.0), silent_from={"c_branch": 5.0})
    moments = drive.run(20)
    assert moments[-1][EAST].level == "caution", "assumed presence is caution, never alert"
    assert not any(moment.output.says for moment in moments)


def test_a_parked_car_turns_alert_into_caution_never_into_clear() -> None:
    config = site(parked_after_s=30)
    first, later = Vehicle(50, 20.0), Vehicle(50, 60.0)
    moments = Drive(first, later, branch=car_waits, config=config).run(61)
    at = {round(moment.t_s, 2): moment for moment in moments}
    assert at[19.0][BRANCH].level == "alert" and at[19.0][EAST].level == "alert"
    assert at[59.0][BRANCH].level == "caution" and at[59.0][EAST].level == "caution"


def test_a_slow_road_user_lost_near_the_line_waits_there_for_a_minute() -> None:
    """A Doppler radar on the branch cannot see who stands; it is remembered."""
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["radars"]["r_branch"] = {"driver": "ld2451", "url": "/dev/zero", "approach": BRANCH, "reach_m": 60}
    raw["cameras"] = {}
    config = type(site()).model_validate(raw)
    walks_up = Vehicle(5, 24.0, radar="r_branch", until_s=20.0)  # 5.5 m before the line at 5 km/h, then stands
    moments = Drive(walks_up, config=config).run(100)
    states = {round(m.t_s, 2): [t.state.value for t in m.output.tracks if t.approach == BRANCH] for m in moments}
    assert states[19.0] == ["confirmed"]
    assert states[25.0] == ["waiting"]
    assert states[80.0] == ["waiting"]
    assert states[90.0] == []


def test_one_stuck_target_becomes_a_fault_not_a_busy_road() -> None:
    class Ghost(Vehicle):
        def distance_m(self, t_s: float) -> float:
            return 40.0 + round(t_s * 10) % 2  # an echo wanders by a range step; what never changes is a frozen radar

    moments = Drive(Ghost(20, 0.0)).run(135)
    at = {round(moment.t_s, 2): moment for moment in moments}
    assert at[100.0][BRANCH].shows is Shows.CAUTION and at[100.0][BRANCH].health.value == "ok"
    assert at[130.0][BRANCH].shows is Shows.FAULT
    assert "only cause" in at[130.0][BRANCH].reasons[0]


def test_a_dropout_of_a_second_does_not_release() -> None:
    class Hidden(Vehicle):
        def target(self, t_s: float):  # type: ignore[no-untyped-def]
            return None if 15.0 <= t_s < 16.0 else super().target(t_s)

    assert len(lit_spans(Drive(Hidden(50, 20.0)).run(26), BRANCH)) == 1


def test_a_further_road_user_never_gives_less_warning() -> None:
    alone = Drive(Vehicle(50, 20.0)).run(26)
    both = Drive(Vehicle(50, 20.0), Vehicle(30, 22.0), Vehicle(70, 19.0, radar="r_west"), branch=car_waits).run(26)
    order = ["clear", "caution", "alert"]
    # A car that waits needs 7.5 s, the unseen design truck 9.5 s: only inside the shorter gap can both be compared.
    for one, many in zip(alone, both, strict=True):
        if 13.0 <= one.t_s <= 22.0:
            assert order.index(many[BRANCH].level) >= order.index(one[BRANCH].level)
