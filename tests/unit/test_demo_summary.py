"""What the demonstration tells at the end, and what it shows meanwhile."""

import dataclasses
import json

import pytest
from rich.console import Console

from device.journal_reader import Row
from tools.demo.judge import Arrival, Stretch, Verdict
from tools.demo.node import View
from tools.demo.screen import draw, line
from tools.demo.subscriber import Comparison, Received, compare
from tools.demo.summary import Summary, quantiles
from tools.demo.words import WORDS, Words

WARNED = Arrival(1, "main_east", 20.0, owed_s=6.0, lead_s=5.9, noticed_ms=100.0)
LATE = Arrival(2, "main_west", 30.0, owed_s=7.0, lead_s=3.0, noticed_ms=4000.0)
UNWARNED = Arrival(3, "main_west", 40.0, owed_s=7.0, lead_s=None, noticed_ms=None)
EQUAL = Comparison(5, 5, (), (), (), 0, 0)
GOOD = Summary(
    seconds=60,
    seed=1,
    verdict=Verdict((WARNED,), (), 3, 2, (1.0, 2.0, 3.0), {"l_branch": 30.0}),
    events=EQUAL,
    core_latency_ms={"p50": 0.4, "p99": 2.0},
    said=2,
    longest_pause_s=0.11,
)


def but(**changes: object) -> Summary:
    return dataclasses.replace(GOOD, verdict=dataclasses.replace(GOOD.verdict, **changes))  # type: ignore[arg-type]


def test_a_good_minute_passes() -> None:
    assert GOOD.passed
    assert GOOD.faults(Words("en")) == []
    assert GOOD.as_json()["ok"] is True


@pytest.mark.parametrize(
    ("summary", "failed"),
    [
        (but(arrivals=()), "every_vehicle_warned"),
        (but(arrivals=(WARNED, LATE)), "every_vehicle_warned"),
        (but(arrivals=(WARNED, UNWARNED)), "every_vehicle_warned"),
        (but(without_cause=(Stretch("l_branch", 3.0, 4.01),)), "lit_without_cause"),
        (but(camera_driven=0), "camera_drove_a_face"),
        (
            dataclasses.replace(GOOD, events=dataclasses.replace(EQUAL, missing=(("s", 3),))),
            "events_received_equal_journal",
        ),
        (dataclasses.replace(GOOD, events=Comparison(0, 0, (), (), (), 0, 0)), "events_received_equal_journal"),
    ],
)
def test_one_condition_that_does_not_hold_fails_the_demonstration_and_is_named(summary: Summary, failed: str) -> None:
    assert not summary.passed
    assert [name for name, ok in summary.checks().items() if not ok] == [failed]
    json.dumps(summary.as_json(), allow_nan=False)
    for lang in ("zh", "en"):
        assert Words(lang)("failed") in summary.as_text(Words(lang))


def test_light_without_cause_of_a_second_is_still_let_pass() -> None:
    assert but(without_cause=(Stretch("l_branch", 3.0, 3.5), Stretch("l_east", 8.0, 8.5))).passed


def test_a_machine_that_was_too_busy_is_said_to_have_been() -> None:
    slow = dataclasses.replace(GOOD, longest_pause_s=0.8)
    assert any("0.80" in fault for fault in slow.faults(Words("en")))


def test_what_was_wrong_with_a_part_is_told() -> None:
    broken = dataclasses.replace(GOOD, problems=("guard: lamps in the safe pattern: lease ran out",))
    assert "lease ran out" in broken.as_text(Words("en"))
    assert broken.as_json()["problems"] == ["guard: lamps in the safe pattern: lease ran out"]


def test_every_word_has_both_languages_with_the_same_gaps() -> None:
    for key, (zh, en) in WORDS.items():
        assert zh and en, key
        assert zh.count("{") == en.count("{"), key
    assert Words("zh")("caution") != Words("en")("caution")


def test_quantiles_of_nothing_are_nothing() -> None:
    assert quantiles([])["p50"] is None
    assert quantiles([1.0, 2.0, 3.0]) == {"p50": 2.0, "p99": 3.0, "max": 3.0, "count": 3}


# --- the county's subscriber ---------------------------------------------------------------------------------------


def row(seq: int, face: str | None = "branch_south") -> Row:
    return Row("stream", seq, "boot", 1, "2026-01-01T00:00:00.000Z", "rtc", "caution", face, {"to": "clear", "n": seq})


def message(seq: int, **changes: object) -> bytes:
    body = {"face": "branch_south", "to": "clear", "n": seq}
    return json.dumps({"stream": "stream", "seq": seq, "kind": "caution", "body": body, **changes}).encode()


def received(*messages: bytes) -> Received:
    found = Received()
    for payload in messages:
        found.take(payload)
    return found


def test_what_was_journalled_and_arrived_is_equal_in_any_order_and_even_twice() -> None:
    comparison = compare([row(1), row(2)], received(message(2), message(1), message(2)))
    assert comparison.equal
    assert comparison.duplicates == 1


@pytest.mark.parametrize(
    "messages",
    [
        [message(1)],
        [message(1), message(2), message(3)],
        [message(1), message(2, kind="alert")],
        [message(1), message(2, body={"to": "clear", "n": 2})],
        [message(1), message(2), message(2, kind="alert")],
        [message(1), message(2), b"\xff no JSON"],
        [message(1), message(2), b"[1]"],
        [message(1), message(2), b'{"stream": "s"}'],
    ],
    ids=["missing", "unknown", "kind", "body", "conflict", "garbage", "list", "short"],
)
def test_anything_lost_added_or_changed_is_not_equal(messages: list[bytes]) -> None:
    assert not compare([row(1), row(2)], received(*messages)).equal


# --- the screen ------------------------------------------------------------------------------------------------------

CAUSE = {
    "approach": "main_east",
    "class": None,
    "distance_m": 62.4,
    "speed_mps": 13.9,
    "time_to_arrival_s": 4.5,
}
STATUS = {
    "faces": {
        "main_east": {"level": "clear", "health": "ok", "shows": "clear", "cause": None, "reasons": []},
        "branch_south": {"level": "alert", "health": "ok", "shows": "alert", "cause": CAUSE, "reasons": []},
    },
    "tracks": [
        {"id": 1, "sensor": "r_east", "state": "confirmed", "receding": False, **CAUSE},
        {
            "id": 2,
            "sensor": "c_branch",
            "state": "waiting",
            "receding": False,
            "approach": "branch_south",
            "class": "walker",
            "distance_m": None,
            "speed_mps": None,
            "time_to_arrival_s": None,
        },
    ],
    "lamps": {"l_branch": {"shows": "alert", "on": True}, "l_east": {"shows": "clear", "on": False}},
    "speakers": {"s_branch": {"last_clip": "left_vehicle", "last_ago_s": 3.2, "problem": None, "muted": False}},
    "latency_ms": {"radar": {"p50": 0.61, "p99": 2.04, "max": 3.0, "count": 99}},
    "journal": {"last_seq": 17},
}


def screen(view: View, lang: str) -> str:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(draw(view, Words(lang)))
    return console.export_text()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_screen_shows_users_faces_lamps_voice_and_messages(lang: str) -> None:
    text = screen(View("guarding", 20, 60, STATUS, received=15, confirmed=16), lang)
    words = Words(lang)
    for shown in ("62", "50", "4.5", words("walker"), words("waiting"), words("alert"), words("left_vehicle")):
        assert shown in text
    for shown in ("l_branch", "l_east", "17", "16", "15", words("main_east"), "20/60"):
        assert shown in text


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_screen_can_be_drawn_before_the_node_answers(lang: str) -> None:
    assert Words(lang)("booting") in screen(View("booting", 1, 60, None, 0, 0), lang)
    assert Words(lang)("booting") in line(View("booting", 1, 60, None, 0, 0), Words(lang))


def test_the_line_for_a_log_says_the_lamps_and_the_messages() -> None:
    text = line(View("guarding", 20, 60, STATUS, received=15, confirmed=16), Words("en"))
    assert "20/60 s" in text and "l_branch=alert" in text and "journalled 17" in text
