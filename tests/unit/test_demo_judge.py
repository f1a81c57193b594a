"""The demonstration's judge on roads and taps made by hand: what it must let pass and what it must not."""

import dataclasses

import pytest

from configs.schema import Policy, RoadUser
from tools.demo.judge import Evidence, Seen, TapLine, judge, lit_stretches, stopping_s
from tools.demo.traffic import STEP_S, Vehicle

NS_PER_S = 1_000_000_000
START_NS = 5_000 * NS_PER_S
KMH = 3.6
BRANCH, EAST = "l_branch", "l_east"
TRUCK_GAP_S = 9.5


def vehicle(arrives_s: float, kmh: float = 50.0, number: int = 1) -> Vehicle:
    """At constant speed from 112 m to 112 m beyond; at the conflict point at ``arrives_s``."""
    mps = kmh / KMH
    born_s = arrives_s - 112.0 / mps
    steps = int(224.0 / mps / STEP_S)
    metres = tuple(112.0 - mps * STEP_S * step for step in range(steps + 1))
    return Vehicle(number, RoadUser.CAR, "main_east", "main_west", born_s, metres, (mps,) * (steps + 1))


def lit(lamp: str, from_s: float, to_s: float, shows: str = "caution") -> list[TapLine]:
    """A lamp dark, lit over a stretch, dark again."""

    def at(at_s: float, what: str) -> TapLine:
        return TapLine(START_NS + round(at_s * NS_PER_S), lamp, what, None)

    return [at(-10.0, "clear"), at(from_s, shows), at(to_s, "clear")]


def somebody(from_s: float, to_s: float, user: RoadUser = RoadUser.WALKER) -> list[Seen]:
    """Pictures at 10 a second over 60 s, with somebody on the branch over a stretch."""
    times = [step / 10 for step in range(600)]
    return [Seen(at_s, frozenset({user}) if from_s <= at_s <= to_s else frozenset()) for at_s in times]


def evidence(
    vehicles: list[Vehicle], taps: list[TapLine], seen: list[Seen] | None = None, seconds: float = 60.0
) -> Evidence:
    return Evidence(
        start_ns=START_NS,
        seconds=seconds,
        reach_m=100.0,
        policy=Policy(),
        design_user=RoadUser.TRUCK,
        vehicles=vehicles,
        seen=somebody(-1, -1) if seen is None else seen,
        taps=taps,
        branch_lamp=BRANCH,
        main_lamps={"main_east": EAST, "main_west": "l_west"},
    )


def test_a_fast_vehicle_is_owed_what_the_radar_can_give() -> None:
    # 60 km/h: 100 m are 6.0 s, less than the truck's gap; half a second late is still in time.
    arrival = judge(evidence([vehicle(20, 60)], lit(BRANCH, 14.4, 23.0))).arrivals[0]
    assert arrival.owed_s == pytest.approx(6.0, abs=0.05)
    assert arrival.lead_s == pytest.approx(5.6, abs=0.01)
    assert arrival.warned
    assert arrival.noticed_ms == pytest.approx(400, abs=50)


def test_a_slow_vehicle_is_owed_the_whole_gap() -> None:
    # 30 km/h: 100 m are 12 s, so the gap of 9.5 s rules.
    arrival = judge(evidence([vehicle(20, 30)], lit(BRANCH, 10.6, 23.0))).arrivals[0]
    assert arrival.owed_s == pytest.approx(TRUCK_GAP_S, abs=0.05)
    assert arrival.warned


@pytest.mark.parametrize(("kmh", "late_from_s"), [(60, 14.6), (30, 11.1)])
def test_a_warning_more_than_half_a_second_late_fails(kmh: float, late_from_s: float) -> None:
    assert not judge(evidence([vehicle(20, kmh)], lit(BRANCH, late_from_s, 23.0))).arrivals[0].warned


def test_no_warning_at_all_fails() -> None:
    dark = [TapLine(START_NS, BRANCH, "clear", None)]
    arrival = judge(evidence([vehicle(20)], dark)).arrivals[0]
    assert arrival.lead_s is None
    assert not arrival.warned


def test_a_lamp_that_goes_dark_before_the_vehicle_arrives_did_not_warn_of_it() -> None:
    assert not judge(evidence([vehicle(20, 60)], lit(BRANCH, 14.0, 19.5))).arrivals[0].warned


def test_a_lamp_lit_for_somebody_before_warned_of_this_one_no_earlier_than_it_was_in_reach() -> None:
    first, second = vehicle(15, 60, 1), vehicle(20, 60, 2)
    leads = [arrival.lead_s for arrival in judge(evidence([first, second], lit(BRANCH, 9.2, 23.0))).arrivals]
    assert leads == pytest.approx([5.8, 6.0], abs=0.01)


def test_a_two_wheeler_on_the_branch_shortens_what_is_owed_only_when_it_is_surely_there() -> None:
    taps = lit(BRANCH, 13.2, 23.0)  # 6.8 s before the arrival
    slow = vehicle(20, 30)
    assert judge(evidence([slow], taps, somebody(5, 20, RoadUser.TWO_WHEELER))).arrivals[0].warned
    assert not judge(evidence([slow], taps, somebody(5, 20, RoadUser.WALKER))).arrivals[0].warned
    # Gone for longer than a track may go unseen: the design user's gap rules again.
    assert not judge(evidence([slow], taps, somebody(2, 7, RoadUser.TWO_WHEELER))).arrivals[0].warned


def test_a_two_wheeler_beside_a_walker_shortens_nothing() -> None:
    both = [
        dataclasses.replace(seen, users=seen.users | {RoadUser.TWO_WHEELER}) for seen in somebody(0, 60) if seen.users
    ]
    assert not judge(evidence([vehicle(20, 30)], lit(BRANCH, 13.2, 23.0), both)).arrivals[0].warned


def test_vehicles_that_arrive_after_the_end_or_were_near_before_the_start_are_not_judged() -> None:
    vehicles = [vehicle(3, 50, 1), vehicle(30, 50, 2), vehicle(61, 50, 3)]
    assert [arrival.vehicle for arrival in judge(evidence(vehicles, lit(BRANCH, 20, 33))).arrivals] == [2]


def test_light_with_a_cause_and_its_hold_is_not_blamed() -> None:
    # Lit half a second early, and for the hold and half a second after the arrival.
    verdict = judge(evidence([vehicle(20, 60)], lit(BRANCH, 13.55, 23.45)))
    assert verdict.without_cause_s == 0
    assert verdict.warnings == 1


def test_light_without_cause_is_counted_by_the_second() -> None:
    verdict = judge(evidence([vehicle(20, 60)], lit(BRANCH, 12.0, 25.0)))
    assert verdict.without_cause_s == pytest.approx((13.5 - 12.0) + (25.0 - 23.5), abs=0.1)
    assert [stretch.lamp for stretch in verdict.without_cause] == [BRANCH, BRANCH]


def test_a_vehicle_that_leaves_is_no_cause() -> None:
    verdict = judge(evidence([vehicle(2, 60)], lit(BRANCH, 6.0, 8.0)))
    assert verdict.without_cause_s == pytest.approx(2.0, abs=0.05)


def test_a_lamp_in_fault_counts_as_lit() -> None:
    verdict = judge(evidence([], lit(BRANCH, 10, 40, "fault")))
    assert verdict.without_cause_s == pytest.approx(30, abs=0.05)


def test_the_main_lamp_needs_somebody_on_the_branch() -> None:
    # 50 km/h: 2.5 + 13.9 / 6.8 + 2 = 6.5 s before the lamp.
    assert stopping_s(Policy(), 50 / KMH) == pytest.approx(6.54, abs=0.01)
    taps = [*lit(BRANCH, 13.0, 23.0), *lit(EAST, 13.5, 23.0)]
    assert judge(evidence([vehicle(20)], taps, somebody(10, 25))).without_cause_s == 0
    assert judge(evidence([vehicle(20)], taps, somebody(30, 40))).without_cause_s == pytest.approx(9.5, abs=0.05)


def test_the_camera_drove_a_face_when_a_lamp_shows_what_only_it_can_cause() -> None:
    main, alert = lit(EAST, 14, 23), lit(BRANCH, 14, 23, "alert")
    caution = lit(BRANCH, 14, 23)
    assert judge(evidence([vehicle(20)], main, somebody(10, 25))).camera_driven == 1
    assert judge(evidence([vehicle(20)], alert, somebody(10, 25))).camera_driven == 1
    assert judge(evidence([vehicle(20)], caution, somebody(10, 25))).camera_driven == 0
    # Nobody was seen, so it was not the camera (presence unknown lights the main lamps too).
    assert judge(evidence([vehicle(20)], main)).camera_driven == 0


def test_latency_is_measured_where_a_new_frame_keeps_a_lit_lamp_lit() -> None:
    began_ns = START_NS + 16 * NS_PER_S

    def line(ms: int, shows: str, caused_ms: int | None) -> TapLine:
        caused_by_ns = None if caused_ms is None else began_ns + caused_ms * 1_000_000
        return TapLine(began_ns + ms * 1_000_000, BRANCH, shows, caused_by_ns)

    taps = [
        line(0, "clear", None),
        line(70, "caution", 10),  # between two frames, by prediction
        line(112, "caution", 110),
        line(300, "caution", 110),  # a flash, no new frame
        line(313, "caution", 310),
        line(400, "clear", None),
    ]
    assert judge(evidence([vehicle(20)], taps)).latency_ms == pytest.approx((2.0, 3.0))
    # With two of them the lamp may turn from one cause to the other, at any moment.
    assert judge(evidence([vehicle(20, 50, 1), vehicle(21, 50, 2)], taps)).latency_ms == ()
    assert judge(evidence([vehicle(15, 50, 1), vehicle(20, 50, 2)], taps)).latency_ms == ()


def test_lit_stretches_in_any_order_of_lines_and_cut_to_the_time() -> None:
    taps = [*lit(BRANCH, 50, 70), *lit(BRANCH, -5, 2)]
    assert lit_stretches(reversed(taps), BRANCH, START_NS, 60) == [(0.0, 2.0), (50.0, 60.0)]
    still_lit = [TapLine(START_NS + 58 * NS_PER_S, BRANCH, "caution", None)]
    assert lit_stretches(still_lit, BRANCH, START_NS, 60) == [(58.0, 60.0)]
