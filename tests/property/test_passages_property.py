"""What must hold of what is measured, whatever drives: nobody twice, no negative lead, sums that agree."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.events import EventKind
from tests.support.road import REACH_M, START_NS, Drive, Vehicle

FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])

vehicles = st.builds(
    Vehicle,
    speed_kmh=st.floats(20, 120),
    arrival_s=st.floats(19, 30),
    radar=st.sampled_from(["r_east", "r_west"]),
)


@FEW
@given(road=st.lists(vehicles, min_size=1, max_size=4), lost_s=st.none() | st.floats(15, 25))
def test_passages_of_any_road(road: list[Vehicle], lost_s: float | None) -> None:
    silent = {} if lost_s is None else {"r_east": lost_s}
    moments = Drive(*road, silent_from=silent).run(36, steps_a_frame=1)
    passages = [event for moment in moments for event in moment.told if event.kind is EventKind.PASSAGE]
    for face, radar in (("main_east", "r_east"), ("main_west", "r_west")):
        mine = [event for event in passages if event.face == face]
        drove = [vehicle for vehicle in road if vehicle.radar == radar]
        assert len(mine) <= len(drove), "somebody was counted twice"
        if len(drove) == 1 and lost_s is None:
            (event,) = mine
            assert event.body["how"] == "arrived"
            assert abs((event.at_ns - START_NS) / 1e9 - drove[0].arrival_s) < 0.4
            lead_s = min(9.5, REACH_M / drove[0].speed_mps) - 0.6
            assert event.body["lead_s"] >= lead_s
    for event in passages:
        body = event.body
        assert event.at_ns >= START_NS
        assert body["lead_s"] is None or 0.0 <= body["lead_s"] <= 36.0
        assert (body["line_mps"] is None) is (body["how"] != "arrived")
        assert body["braking_mps2"] is None or body["braking_mps2"] >= 0.0
        assert body["wait_s"] is None or 0.0 <= body["wait_s"] <= 36.0
        assert not (body["lit"] and body["lead_s"] is None)
