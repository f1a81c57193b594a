"""Alert is for two road users who can meet: arrival windows, parked users, echoes, two vehicles in one range cell."""

from dataclasses import replace
from itertools import pairwise

import pytest

from configs.schema import RoadUser, SiteConfig
from device.events import EventKind
from device.observation import CameraObservation, Zone
from device.pipeline import Pipeline
from device.voice import side
from hal.interfaces import Shows
from tests.support.road import START_NS, Drive, Leaving, Vehicle, levels, lit_spans, site

BRANCH, EAST = "branch_south", "main_east"


def with_branch_radar() -> SiteConfig:
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["radars"]["r_branch"] = {"driver": "ld2451", "url": "/dev/zero", "approach": BRANCH, "reach_m": 100}
    raw["cameras"] = {}
    return SiteConfig.model_validate(raw)


def test_two_who_arrive_together_make_alert_and_two_who_do_not_make_caution() -> None:
    car = Vehicle(50, 20.0)
    together = Drive(car, Vehicle(30, 21.0, radar="r_branch"), config=with_branch_radar()).run(20)
    long_after = Drive(Vehicle(50, 20.0), Vehicle(30, 29.0, radar="r_branch"), config=with_branch_radar()).run(20)
    assert "alert" in levels(together, BRANCH)
    # The branch user comes 9 s after the car has gone: lit for whoever else there may be, but nobody meets.
    assert levels(long_after, BRANCH) == ["clear", "caution"]


def test_a_branch_user_who_crosses_long_before_the_car_does_not_meet_it() -> None:
    config = with_branch_radar().model_copy(update={"policy": site(gap_s={"truck": 4.0}).policy})
    first = Drive(Vehicle(50, 30.0), Vehicle(40, 21.0, radar="r_branch"), config=config).run(30)
    assert "alert" not in levels(first, BRANCH)


def test_a_branch_user_within_five_seconds_occupies_the_branch() -> None:
    config = with_branch_radar()
    moments = Drive(Vehicle(50, 20.0), Vehicle(30, 22.0, radar="r_branch"), config=config).run(20)
    assert moments[-1][EAST].level == "alert"
    assert moments[-1][EAST].conflict is not None and moments[-1][EAST].conflict.approach == BRANCH


def test_a_standing_echo_that_is_lost_and_found_again_is_still_one_target() -> None:
    class Echo(Vehicle):
        """At 40 m ± 1 m, gone for two seconds out of every six: a new track each time, in the same range cell."""

        def distance_m(self, t_s: float) -> float:
            return 40.0 + (t_s * 10 % 3 - 1)

        def target(self, t_s: float):  # type: ignore[no-untyped-def]
            return super().target(t_s) if t_s % 6 < 4 else None

    moments = Drive(Echo(20, 0.0), config=site(stuck_cause_s=30)).run(40)
    assert len({t.id for moment in moments for t in moment.output.tracks}) > 3
    assert moments[-1][BRANCH].shows is Shows.FAULT
    assert "only cause" in moments[-1][BRANCH].reasons[0]


@pytest.mark.parametrize("every_s", [3.0, 6.0, 9.0])
def test_a_column_of_vehicles_is_not_a_stuck_target(every_s: float) -> None:
    """At nine seconds each comes alone, in sight before the hold of the last one has ended."""
    column = [Vehicle(50, 12.0 + every_s * n) for n in range(round(60 / every_s))]
    moments = Drive(*column, config=site(stuck_cause_s=30)).run(60)
    assert all(moment[BRANCH].shows is not Shows.FAULT for moment in moments)
    assert moments[-1][BRANCH].level == "caution"


def test_the_causing_track_stays_the_same_while_it_is_a_cause() -> None:
    """So that a line of the replay is a change of the road: a faster car behind does not take the cause over."""
    slow, fast = Vehicle(30, 21.0), Vehicle(100, 20.0, radar="r_west")
    moments = Drive(slow, fast).run(22)
    causes = [moment[BRANCH].cause for moment in moments]
    ids = [cause.id for cause in causes if cause is not None]
    changes = [after for before, after in pairwise(ids) if before != after]
    assert changes == [], "first the slow one, to its arrival and through its hold"


def test_a_car_that_leaves_does_not_take_over_the_one_that_comes() -> None:
    """They meet in one range cell of the east radar."""
    comes, leaves = Vehicle(50, 20.0), Leaving(50, 15.0)
    moments = Drive(comes, leaves).run(26)
    (span,) = lit_spans(moments, BRANCH)
    assert 20.0 - span[0] >= 100 / (50 / 3.6) - 0.5
    assert 22.5 <= span[1] <= 23.3


def test_a_parked_car_in_the_wait_zone_of_the_main_road_is_no_arrival() -> None:
    """A camera on the main road has no distance: who comes, comes now; who is parked does not come."""
    raw = site(parked_after_s=30).model_dump(mode="json", exclude_none=True)
    raw["cameras"]["c_branch"]["zones"] = {EAST: {"wait": [[0, 0], [1, 0], [1, 1]]}}
    config = SiteConfig.model_validate(raw)

    class OnMain(Drive):
        def _sensors(self, now_ns: int, t_s: float):  # type: ignore[no-untyped-def]
            return [
                replace(o, occupancy=tuple(replace(c, approach=EAST) for c in o.occupancy))
                if isinstance(o, CameraObservation)
                else o
                for o in super()._sensors(now_ns, t_s)
            ]

    moments = OnMain(config=config, branch=lambda _t: {RoadUser.CAR: 1}, zone=Zone.WAIT).run(40)
    at = {round(moment.t_s, 2): moment[BRANCH].level for moment in moments}
    assert at[10.0] == "caution" and at[39.0] == "clear"


def test_every_change_is_one_event_and_nothing_else_is() -> None:
    moments = Drive(Vehicle(50, 20.0), branch=lambda t: {RoadUser.CAR: 1} if t > 16 else {}).run(26)
    events = [event for moment in moments for event in moment.output.events if event.face == BRANCH]
    assert [(e.kind, e.body["from"], e.body["to"]) for e in events] == [
        (EventKind.CAUTION, "clear", "caution"),
        (EventKind.ALERT, "caution", "alert"),
        (EventKind.ALERT, "alert", "clear"),
    ]
    assert events[0].body["cause"]["approach"] == EAST


def test_a_camera_that_is_not_fitted_degrades_nothing_and_presence_is_unknown() -> None:
    drive = Drive(Vehicle(60, 20.0), silent_from={"c_branch": 0.0})
    drive.pipeline = Pipeline(drive.config, start_ns=START_NS, booted=True, not_fitted=frozenset({"c_branch"}))
    moments = drive.run(20)
    assert moments[-1][EAST].level == "caution" and moments[-1][EAST].health.value == "ok"


@pytest.mark.parametrize(
    ("own", "other", "word"),
    [(90, 0, "right"), (90, 180, "left"), (270, 0, "left"), (45, 315, "right"), (10, 355, None)],
)
def test_sides_for_every_compass(own: float, other: float, word: str | None) -> None:
    assert side(own, other) == word
