"""From what was fed in and what the lamps did to latencies: frames at 100 Hz, and road users who come and go."""

import itertools
import json
import math
import pathlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bench.taps import Tap, TapLine, Visit, frame_latencies_ms, visit_latencies_ms
from tools.bench.world import REACH_M, Arrivals, Column, present, visits

MS = 1_000_000
S = 1_000_000_000


def line(at_ms: float, shows: str = "caution", *, on: bool = True, caused_ms: float | None = None) -> TapLine:
    caused_ns = None if caused_ms is None else round(caused_ms * MS)
    return TapLine(round(at_ms * MS), "l", on, shows, caused_ns)


def test_a_frame_is_answered_by_the_first_renewal_that_it_caused() -> None:
    lines = [line(3, caused_ms=1), line(4, on=False, caused_ms=1), line(12.5, caused_ms=11)]
    assert frame_latencies_ms([0, 10 * MS], lines, "l") == [3.0, 2.5]


def test_two_frames_read_at_once_share_the_renewal() -> None:
    assert frame_latencies_ms([0, 10 * MS], [line(14, caused_ms=12)], "l") == [14.0, 4.0]


def test_a_frame_is_not_answered_by_an_older_cause_or_by_another_lamp() -> None:
    lines = [line(12, caused_ms=9), TapLine(13 * MS, "other", True, "caution", 11 * MS)]
    assert frame_latencies_ms([10 * MS], lines, "l") == [math.inf]


@given(st.lists(st.integers(0, 9_000_000), min_size=1, max_size=50))
def test_what_guard_took_for_every_frame_is_what_is_found(delays_ns: list[int]) -> None:
    written = [number * 10 * MS for number in range(len(delays_ns))]
    lines = [
        line((at + delay) / MS, caused_ms=(at + delay / 2) / MS) for at, delay in zip(written, delays_ns, strict=True)
    ]
    found = frame_latencies_ms(written, lines, "l")
    assert found == pytest.approx([delay / MS for delay in delays_ns], abs=1e-5)


def test_a_vehicle_lights_a_dark_lamp_and_the_time_runs_from_its_entering() -> None:
    lines = [line(0, "clear", on=False), line(1180, "caution"), line(2500, "clear", on=False)]
    assert visit_latencies_ms([Visit(1 * S, 2 * S)], lines, "l") == ([180.0], 0)


def test_a_vehicle_that_comes_while_the_lamp_is_lit_or_flashing_dark_tells_nothing() -> None:
    lines = [line(0, "caution"), line(500, "caution", on=False)]
    assert visit_latencies_ms([Visit(1 * S, 2 * S)], lines, "l") == ([], 1)
    assert visit_latencies_ms([Visit(1 * S, 2 * S)], [], "l") == ([], 1)


def test_a_vehicle_that_never_lit_the_lamp_counts_as_never() -> None:
    lines = [line(0, "clear", on=False), line(3100, "caution")]
    missed_then_seen = [Visit(1 * S, 2 * S), Visit(3 * S, 4 * S)]
    assert visit_latencies_ms(missed_then_seen, lines, "l") == ([math.inf, 100.0], 0)


def test_the_tap_is_read_while_it_grows_and_half_a_line_waits(tmp_path: pathlib.Path) -> None:
    tap = Tap(tmp_path / "tap.jsonl")
    assert tap.news() == []
    whole = json.dumps({"mono_ns": 5, "lamp": "l", "on": True, "shows": "fault", "caused_by_ns": None}).encode()
    (tmp_path / "tap.jsonl").write_bytes(whole + b"\n" + whole[:20])
    assert tap.news() == [TapLine(5, "l", True, "fault", None)]
    with (tmp_path / "tap.jsonl").open("ab") as file:
        file.write(whole[20:] + b"\n")
    assert tap.until(lambda found: found.shows == "fault", 1) == TapLine(5, "l", True, "fault", None)
    assert len(tap.all()) == 2
    assert tap.until(lambda found: found.shows == "fault", 0.01) is None


def test_a_column_always_has_somebody_inside_the_horizon_and_never_one_alone() -> None:
    for tenth in range(600):
        seen = Column()(tenth * S // 10)
        assert len(seen) >= 2
        assert all(0 <= target.distance_m <= REACH_M for target in seen)


def test_vehicles_come_one_by_one_at_a_phase_of_their_own() -> None:
    plan = visits(10 * S, 50, every_s=2.2, stay_s=0.4, chance=random.Random(1))
    assert all(later.in_ns - earlier.out_ns > 1.5 * S for earlier, later in itertools.pairwise(plan))
    assert len({visit.in_ns % (S // 10) for visit in plan}) > 40
    road = Arrivals(plan)
    assert road(plan[3].in_ns - 1) == ()
    assert road(plan[3].in_ns)[0].distance_m == REACH_M
    assert road(plan[3].out_ns - 1)[0].distance_m == 93
    assert road(plan[3].out_ns) == ()
    assert present(plan, 0) is None
