"""What differs between two replays is told in the road's words, and nothing that differs is silent."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from configs.loader import Source, validate
from device.recorded import read
from device.replay import play
from tests.replay.scenes import FOLDER
from tests.replay.timeline import differences

CAR = {"approach": "main_east", "class": "car", "distance_m": 62.0, "speed_mps": 13.9, "time_to_arrival_s": 4.5}


def face(t_s: float, level: str, health: str = "ok", cause: dict[str, object] | None = None) -> str:
    shows = "fault" if health == "fault" else level
    line = {"t_s": t_s, "kind": "face", "face": "branch_south", "level": level, "health": health, "shows": shows}
    return json.dumps({**line, "cause": cause})


def event(t_s: float, **body: object) -> str:
    return json.dumps({"t_s": t_s, "kind": "event", "event": "alert", "face": "branch_south", **body})


def test_the_same_is_no_difference() -> None:
    assert differences([face(0, "clear")], [face(0, "clear")]) == []


def test_a_face_that_lit_later_is_told_with_its_cause() -> None:
    was = [face(0, "clear"), face(12.4, "caution", cause=CAR), face(20, "clear")]
    now = [face(0, "clear"), face(13.4, "caution", cause=CAR), face(20, "clear")]
    assert differences(was, now) == [
        "from 12.40 s to 13.40 s branch_south: was caution because of car on main_east at 62.0 m, 13.9 m/s; is clear"
    ]


def test_a_face_that_never_lights_again_and_one_in_another_health() -> None:
    assert differences([face(0, "clear"), face(5, "caution", "fault")], [face(0, "clear")]) == [
        "from 5.00 s to the end branch_south: was caution (fault); is clear"
    ]


def test_another_cause_is_told_though_the_lamp_is_the_same() -> None:
    other = {**CAR, "class": None, "distance_m": None, "speed_mps": None}
    was, now = [face(3, "caution", cause=CAR)], [face(3, "caution", cause=other)]
    assert differences(was, now) == [
        "from 3.00 s to the end branch_south: was caution because of car on main_east at 62.0 m, 13.9 m/s; "
        "is caution because of someone on main_east"
    ]


def test_events_that_went_and_came() -> None:
    assert differences([event(1.0, to="alert")], [event(3.5, to="caution", by="truck")]) == [
        "at 1.00 s no longer: alert branch_south alert",
        'at 3.50 s new: alert branch_south caution by "truck"',
    ]


def test_an_event_a_little_later_and_with_another_cause_is_one_line() -> None:
    was, now = event(1.0, to="alert", cause=CAR), event(1.1, to="alert", cause={**CAR, "class": None})
    assert differences([was], [now]) == [
        'at 1.00 s alert branch_south alert: t_s 1.0 -> 1.1, cause.class "car" -> null'
    ]


def test_a_cause_measured_a_little_differently_is_one_line_for_the_whole_road() -> None:
    near = {**CAR, "distance_m": 62.4}
    was = [face(t, level, cause=CAR) for t, level in ((1, "caution"), (2, "alert"), (3, "caution"))]
    now = [face(t, level, cause=near) for t, level in ((1, "caution"), (2, "alert"), (3, "caution"))]
    told = "branch_south: the same level and cause 3 times, up to 0.4 m apart"
    assert differences(was, now) == [told]


def test_a_longer_hold_is_seen_in_a_real_replay() -> None:
    recorded = read(FOLDER / "lone_car_50_kmh.mcap")
    values: dict[str, Any] = dict(recorded.site_values() or {})
    outputs = []
    for hold_s in (3, 6):
        lines: list[str] = []
        config = validate(Source("", {**values, "policy": {"hold_s": hold_s}}, {}))
        play(recorded, config, lambda line, lines=lines: lines.append(line.rstrip()))  # type: ignore[misc]
        outputs.append(lines)
    told = differences(*outputs)
    assert any("branch_south: was clear; is caution because of someone on main_east" in line for line in told)


LINES = st.lists(
    st.one_of(
        st.builds(face, st.integers(0, 5), st.sampled_from(["clear", "caution"]), cause=st.sampled_from([None, CAR])),
        st.builds(event, st.integers(0, 5), to=st.sampled_from(["alert", "caution"])),
    ),
    max_size=8,
)


@given(LINES, LINES)
def test_no_difference_is_silent(was: list[str], now: list[str]) -> None:
    assert bool(differences(was, now)) is (was != now)


def test_many_are_cut_and_counted() -> None:
    told = differences([event(0)], [event(t) for t in range(1, 100)])
    assert len(told) == 41 and told[-1] == "… and 59 more"
