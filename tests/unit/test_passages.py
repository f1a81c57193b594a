"""What is measured of each road user: speeds, braking, lead, waiting; and that nobody is counted twice."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from configs.schema import RoadUser, SiteConfig
from device.events import Event, EventKind
from device.observation import Zone
from hal.interfaces import Flag, RadarTarget
from tests.support.road import REACH_M, START_NS, Drive, Leaving, Moment, Vehicle, site

BRANCH, EAST, WEST = "branch_south", "main_east", "main_west"
SITE = site()


def branch_radar(config: SiteConfig = SITE) -> SiteConfig:
    """The junction with a radar on the branch in place of the camera."""
    raw = config.model_dump(mode="json", exclude_none=True)
    raw["radars"]["r_branch"] = {"driver": "ld2451", "url": "/dev/zero", "approach": BRANCH, "reach_m": 100}
    raw["cameras"] = {}
    return SiteConfig.model_validate(raw)


@dataclasses.dataclass(frozen=True)
class Planned(Vehicle):
    """Drives by a plan of (until this distance, km/h at its end): speed changes evenly over the way between."""

    plan: tuple[tuple[float, float], ...] = ()
    start_m: float = 130.0

    def state(self, t_s: float) -> tuple[float, float]:
        """Distance and speed at ``t_s``."""
        distance_m, speed_mps, left_s = self.start_m, self.speed_kmh / 3.6, t_s
        for to_m, kmh in self.plan:
            end_mps = kmh / 3.6
            way_m = distance_m - to_m
            took_s = 2 * way_m / (speed_mps + end_mps)
            if left_s < took_s:
                change = (end_mps - speed_mps) / took_s
                return distance_m - speed_mps * left_s - change * left_s**2 / 2, speed_mps + change * left_s
            distance_m, speed_mps, left_s = to_m, end_mps, left_s - took_s
        return distance_m - speed_mps * left_s, speed_mps

    def target(self, t_s: float) -> RadarTarget | None:
        distance_m, speed_mps = self.state(t_s)
        if not 0.5 <= distance_m <= REACH_M or t_s > self.until_s or speed_mps < 0.2:
            return None
        return RadarTarget(
            speed_mps=round(speed_mps * 3.6) / 3.6, distance_m=float(round(distance_m)), flag=Flag.APPROACHING
        )


def events(moments: Sequence[Moment], kind: EventKind) -> list[Event]:
    return [event for moment in moments for event in moment.told if event.kind is kind]


def passages(moments: Sequence[Moment]) -> list[Event]:
    return events(moments, EventKind.PASSAGE)


def only(moments: Sequence[Moment]) -> Mapping[str, Any]:
    (passage,) = passages(moments)
    return passage.body


def at_s(event: Event) -> float:
    return (event.at_ns - START_NS) / 1e9


def run(*vehicles: Vehicle, until_s: float, **options: Any) -> list[Moment]:
    return Drive(*vehicles, **options).run(until_s, steps_a_frame=1)


def test_a_car_at_60_that_brakes_to_30_before_the_line() -> None:
    brakes = Planned(60, 0, plan=((50, 60), (20, 30)))  # 3.5 m/s² on average
    passage = only(run(brakes, until_s=14))
    assert passage["warned_mps"] == pytest.approx(16.7, abs=0.15)
    assert passage["line_mps"] == pytest.approx(8.3, abs=0.5)
    assert 3.0 <= passage["braking_mps2"] <= 4.2
    assert passage["how"] == "arrived" and passage["lit"] == [BRANCH] and not passage["stopped"]


def test_a_car_at_even_speed_brakes_nothing_and_leads_by_its_sight() -> None:
    moments = run(Vehicle(50, 20), until_s=24)
    (passage,) = passages(moments)
    assert at_s(passage) == pytest.approx(20.0, abs=0.25)
    # 100 m of radar at 13.9 m/s, less the two frames that confirm.
    assert passage.body["lead_s"] == pytest.approx(7.1, abs=0.4)
    assert passage.body["braking_mps2"] == 0.0
    assert passage.body["warned_mps"] == pytest.approx(13.9, abs=0.15)
    assert passage.body["line_mps"] == pytest.approx(13.9, abs=0.5)
    assert passage.face == EAST and passage.body["class"] is None


def test_steps_of_1_kmh_are_no_braking() -> None:
    """50.5 km/h reads 50 and 51 in turn."""

    class Flickers(Vehicle):
        def target(self, t_s: float) -> RadarTarget | None:
            seen = super().target(t_s)
            return seen and dataclasses.replace(seen, speed_mps=(50 + round(t_s * 10) // 3 % 2) / 3.6)

    assert only(run(Flickers(50.5, 20), until_s=24))["braking_mps2"] <= 0.3


def test_a_second_car_is_led_from_its_own_sight_though_the_lamp_was_lit_before() -> None:
    first, second = passages(run(Vehicle(50, 20), Vehicle(50, 24, radar="r_west"), until_s=28))
    assert (first.face, second.face) == (EAST, WEST)
    assert second.body["lead_s"] == pytest.approx(7.1, abs=0.4)


def test_a_lamp_that_was_dark_for_a_moment_led_from_there() -> None:
    """A dropout longer than coast and hold: the lead begins with the second lighting."""

    class Hidden(Vehicle):
        def target(self, t_s: float) -> RadarTarget | None:
            return None if 11 < t_s < 16.6 else super().target(t_s)

    found = passages(run(Hidden(30, 20), until_s=24))
    arrived = [passage for passage in found if passage.body["how"] == "arrived"]
    assert len(arrived) == 1 and arrived[0].body["lead_s"] == pytest.approx(3.3, abs=0.6)


def test_a_car_lost_behind_a_lorry_and_found_again_is_one_passage_with_its_whole_history() -> None:
    class Hidden(Planned):
        def target(self, t_s: float) -> RadarTarget | None:
            return None if 3.0 < t_s < 4.9 else super().target(t_s)

    moments = run(Hidden(60, 0, plan=((50, 60), (45, 60))), until_s=14)
    assert len({track.id for moment in moments for track in moment.output.tracks}) == 2, "the track was lost"
    assert only(moments)["lead_s"] == pytest.approx(5.9, abs=0.4)


def test_a_branch_user_nobody_comes_for_needed_no_warning() -> None:
    passage = only(run(Vehicle(30, 15, radar="r_branch"), until_s=18, config=branch_radar()))
    assert passage["lit"] == [] and passage["lead_s"] is None and passage["met_lit"] is False


def test_a_branch_user_that_meets_a_lit_face_of_its_own_and_warns_the_main_road() -> None:
    both = run(Vehicle(50, 20), Vehicle(30, 19, radar="r_branch"), until_s=24, config=branch_radar())
    by_face = {passage.face: passage.body for passage in passages(both)}
    assert by_face[BRANCH]["met_lit"] and by_face[BRANCH]["lit"] == [EAST]
    assert by_face[BRANCH]["lead_s"] <= 19 and by_face[EAST]["met_lit"]


def test_a_car_that_stops_at_the_line_and_goes_on() -> None:
    """Two seconds at 6 m, then it moves off so fast that the radar takes it for another."""

    class Stops(Planned):
        def target(self, t_s: float) -> RadarTarget | None:
            distance_m, _ = self.state(t_s)
            if distance_m > 6.0:
                return super().target(t_s)
            if t_s < 7.5:
                return RadarTarget(0.0, 6.0, 0.0, Flag.APPROACHING)
            left_m = 6.0 - (t_s - 7.5) ** 2
            return RadarTarget(2 * (t_s - 7.5), round(left_m), 0.0, Flag.APPROACHING) if left_m > 0.5 else None

    stops = Stops(50, 0, radar="r_branch", start_m=60, plan=((40, 50), (6, 4)))
    moments = run(stops, until_s=15, config=branch_radar())
    (passage,) = passages(moments)
    assert passage.body["stopped"] and 1.5 <= passage.body["wait_s"] <= 3.0
    assert at_s(passage) == pytest.approx(9.9, abs=0.6)


def test_a_car_that_turns_off_before_the_line_is_told_apart_from_one_that_was_lost() -> None:
    off = Planned(60, 0, plan=((60, 60), (40, 15)), until_s=7.4)
    lost = Vehicle(60, 20, until_s=17.5)
    stood = Planned(60, 0, plan=((60, 60), (40, 1)), until_s=10)
    assert only(run(off, until_s=14))["how"] == "turned_off"
    assert only(run(lost, until_s=24))["how"] == "lost"
    assert only(run(stood, until_s=75))["how"] == "stopped"
    assert only(run(off, until_s=14))["lead_s"] is None and only(run(off, until_s=14))["line_mps"] is None


def test_one_that_drives_away_from_the_junction_is_no_passage() -> None:
    assert passages(run(Leaving(50, 5), until_s=20)) == []


def test_an_echo_of_two_frames_is_no_passage() -> None:
    class Echo(Vehicle):
        def target(self, t_s: float) -> RadarTarget | None:
            return RadarTarget(5.0, 9.0, 0.0, Flag.APPROACHING) if 5.0 <= t_s <= 5.15 else None

    moments = run(Echo(18, 0), until_s=12)
    assert any(track.state == "confirmed" for moment in moments for track in moment.output.tracks)
    assert passages(moments) == []


def test_a_walker_known_by_a_camera_zone_alone_gives_what_can_be_given() -> None:
    moments = run(until_s=20, branch=lambda t: {RoadUser.WALKER: 1} if 5 <= t < 12 else {})
    (passage,) = passages(moments)
    assert passage.face == BRANCH and passage.body["class"] == "walker" and passage.body["how"] == "arrived"
    assert passage.body["stopped"] and passage.body["wait_s"] == pytest.approx(6.9, abs=0.3)
    assert passage.body["warned_mps"] is passage.body["line_mps"] is passage.body["braking_mps2"] is None


def test_one_that_only_came_near_in_the_camera_did_not_cross() -> None:
    moments = run(until_s=20, zone=Zone.APPROACH, branch=lambda t: {RoadUser.CAR: 1} if 5 <= t < 8 else {})
    assert only(moments)["how"] == "turned_off"


def test_radar_and_camera_zone_on_one_approach_make_one_passage_with_the_class_of_the_camera() -> None:
    raw = branch_radar().model_dump(mode="json", exclude_none=True)
    raw["cameras"] = SITE.model_dump(mode="json", exclude_none=True)["cameras"]
    config = SiteConfig.model_validate(raw)
    bus = Vehicle(30, 15, radar="r_branch")
    moments = run(bus, until_s=22, config=config, branch=lambda t: {RoadUser.BUS: 1} if 13.5 < t < 15.4 else {})
    passage = only(moments)
    assert passage["class"] == "bus" and passage["line_mps"] == pytest.approx(8.3, abs=0.5)


def test_ten_minutes_give_one_duty_event_that_adds_up() -> None:
    column = [Vehicle(50, 20 + 60.0 * n) for n in range(9)]
    moments = run(*column, until_s=601)
    (duty,) = events(moments, EventKind.DUTY)
    assert duty.body["watched_s"] == pytest.approx(600, abs=0.2)
    lit_s = sum(0.1 for moment in moments if moment.t_s <= 600 and moment[BRANCH].level != "clear")
    assert duty.body["faces"][BRANCH]["lit_s"] == pytest.approx(lit_s, abs=0.3)
    assert duty.body["faces"][EAST] == {"lit_s": 0.0, "fault_s": 0.0, "arrivals": 9, "met_lit": 0, "needless": 0}


def test_an_own_arrival_at_a_face_lit_for_an_echo_is_needless_and_one_lit_for_a_car_is_not() -> None:
    class Echo(Vehicle):
        """Stands at 40 m, slowly nearing and jumping back: lights the face for nobody."""

        def target(self, t_s: float) -> RadarTarget | None:
            if not 95 <= t_s <= 101:
                return None
            return RadarTarget(8.0, 40.0 + round(t_s * 10) % 2, 0.0, Flag.APPROACHING)

    own = [Vehicle(30, 50, radar="r_branch"), Vehicle(30, 100, radar="r_branch")]
    moments = run(Vehicle(50, 52), Echo(20, 0), *own, until_s=601, config=branch_radar())
    (duty,) = events(moments, EventKind.DUTY)
    branch = duty.body["faces"][BRANCH]
    assert (branch["arrivals"], branch["met_lit"], branch["needless"]) == (2, 2, 1)


def test_a_fault_is_counted_apart_from_lit() -> None:
    moments = run(until_s=601, silent_from={"r_east": 0.0}, back_at={"r_east": 100.0})
    (duty,) = events(moments, EventKind.DUTY)
    assert duty.body["faces"][BRANCH]["fault_s"] > 90 and duty.body["faces"][BRANCH]["lit_s"] == 0.0


def test_a_passage_fits_in_a_quarter_of_a_kilobyte() -> None:
    both = run(Vehicle(50, 20), Vehicle(30, 19, radar="r_branch"), until_s=24, config=branch_radar())
    sizes = [len(json.dumps(passage.body, separators=(",", ":"))) for passage in passages(both)]
    assert len(sizes) == 2 and max(sizes) <= 220


def test_numbers_of_passages_do_not_depend_on_how_often_the_pipeline_steps() -> None:
    cars = [Vehicle(50, 20), Vehicle(60, 26, radar="r_west"), Vehicle(30, 23, radar="r_branch")]
    seldom, often = (
        [
            (passage.face, passage.body["how"], round(passage.body["line_mps"]))
            for passage in passages(Drive(*cars, config=branch_radar()).run(30, steps_a_frame=steps))
        ]
        for steps in (1, 5)
    )
    assert sorted(seldom) == sorted(often) and len(seldom) == 3
