"""What makes an incident, how long it goes on and how often: in the words of a junction, without a disk."""

import dataclasses
import itertools
import json
import tracemalloc
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema import Recording as RecordingSettings
from device.day import DAYLIGHT, DayState
from device.events import Event, EventKind
from device.incidents import (
    MAX_S,
    Begin,
    DayChange,
    Days,
    End,
    IncidentKind,
    Incidents,
    Kept,
    Order,
    Ring,
    weight_bytes,
)
from hal.clock import NS_PER_S

FACE = "branch_south"


def alert(at_s: float, to: str = "alert", face: str = FACE) -> Event:
    return Event(EventKind.ALERT, round(at_s * NS_PER_S), face, {"from": "caution", "to": to})


def health(at_s: float, to: str = "fault", face: str = FACE) -> Event:
    return Event(EventKind.HEALTH, round(at_s * NS_PER_S), face, {"from": "ok", "to": to})


def near_miss(at_s: float, face: str = FACE) -> Event:
    return Event(EventKind.NEAR_MISS, round(at_s * NS_PER_S), face, {"pet_s": 0.8})


class Junction:
    """A radar at 10 Hz and events at given times."""

    def __init__(self, *events: Event, settings: RecordingSettings | None = None) -> None:
        self.incidents = Incidents(settings or RecordingSettings())
        self.orders: list[tuple[float, Order]] = []
        self._events = list(events)

    def run(self, until_s: float) -> "Junction":
        for tick in range(round(until_s * 10)):
            now_ns = tick * NS_PER_S // 10
            due = [event for event in self._events if event.at_ns == now_ns]
            kept = [Kept("r_east", now_ns, now_ns, b"\xf4\xf3\xf2\xf1")]
            self.orders += [(tick / 10, order) for order in self.incidents.step(now_ns, kept, due)]
        return self

    def spans_s(self) -> list[tuple[float, float]]:
        """From the earliest to the latest message of each finished incident."""
        spans = []
        times: list[float] = []
        for _at_s, order in self.orders:
            if isinstance(order, Begin):
                times = [kept.at_ns / NS_PER_S for kept in order.before]
            elif isinstance(order, Kept):
                times.append(order.at_ns / NS_PER_S)
            else:
                spans.append((min(times), max(times)))
        return spans

    def ends(self) -> list[End]:
        return [order for _at_s, order in self.orders if isinstance(order, End)]


def test_an_alert_keeps_30_s_before_and_30_s_after() -> None:
    assert Junction(alert(100)).run(200).spans_s() == [(70.0, 130.0)]


def test_a_near_miss_that_is_told_late_is_kept_from_when_it_was() -> None:
    junction = Junction()
    junction.run(106)
    told = Event(EventKind.NEAR_MISS, 100 * NS_PER_S, FACE, {})
    orders = junction.incidents.step(106 * NS_PER_S, [], [told])
    assert isinstance(orders[0], Begin) and orders[0].before[0].at_ns == 70 * NS_PER_S
    kept = Kept("r_east", 130 * NS_PER_S, 0, b"")
    assert [type(order) for order in junction.incidents.step(130 * NS_PER_S, [kept], [])] == [Kept, End]


def day(number: int) -> DayState:
    """Day states that can be told apart."""
    return dataclasses.replace(DAYLIGHT, brightness_pct=number)


def test_a_recording_begins_with_the_day_state_in_force_then_and_has_the_changes_since() -> None:
    junction = Junction(alert(200))
    told = {0: day(1), 50: day(2), 165: day(3), 190: day(4), 220: day(5)}
    for tick in range(3000):
        now_ns = tick * NS_PER_S // 10
        kept = [Kept("r_east", now_ns, now_ns, b"")]
        due = [alert(200)] if tick == 2000 else []
        junction.orders += [(tick / 10, order) for order in junction.incidents.step(now_ns, kept, due)]
        if tick % 10 == 0 and tick // 10 in told:
            orders = junction.incidents.day(now_ns, told[tick // 10])
            junction.orders += [(tick / 10, order) for order in orders]
    (begin,) = [order for _at_s, order in junction.orders if isinstance(order, Begin)]
    assert [(change.at_ns // NS_PER_S, change.day) for change in begin.days] == [(165, day(3)), (190, day(4))]
    assert [order for _at_s, order in junction.orders if isinstance(order, DayChange)] == [
        DayChange(220 * NS_PER_S, day(5))
    ]


@given(st.lists(st.integers(0, 1000), min_size=1, unique=True).map(sorted), st.integers(1, 100), st.integers(0, 100))
def test_whatever_is_still_kept_the_day_state_of_its_first_moment_is_known(
    times_s: list[int], keep_s: int, ago_s: int
) -> None:
    days = Days(keep_s)
    for at_s in times_s:
        days.append(DayChange(at_s * NS_PER_S, day(at_s)))
    since_s = max(0, times_s[-1] - min(ago_s, keep_s))
    found = [change.day.brightness_pct for change in days.since(since_s * NS_PER_S)]
    before = [at_s for at_s in times_s if at_s <= since_s]
    assert found == before[-1:] + [at_s for at_s in times_s if at_s > since_s]


def test_a_longer_ring_keeps_more_day_states() -> None:
    junction = Junction(settings=RecordingSettings(before_s=5))
    junction.incidents.configure(RecordingSettings(before_s=60))
    for at_s in (100, 130, 160):
        junction.incidents.day(at_s * NS_PER_S, day(at_s))
    junction.incidents.step(120 * NS_PER_S, [Kept("r_east", 120 * NS_PER_S, 0, b"")], [])
    (begin,) = junction.incidents.step(165 * NS_PER_S, [], [alert(165)])
    assert isinstance(begin, Begin)
    assert [change.day for change in begin.days] == [day(100), day(130), day(160)]


def test_day_states_that_were_over_before_are_let_go() -> None:
    days = Days(40)
    for minute in range(1000):
        days.append(DayChange(minute * 60 * NS_PER_S, day(minute)))
    assert len(days.since(0)) == 2


def test_soon_after_the_start_there_is_less_before() -> None:
    assert Junction(alert(12)).run(60).spans_s() == [(0.0, 42.0)]


def test_the_lengths_are_settings() -> None:
    settings = RecordingSettings(before_s=10, after_s=20)
    assert Junction(alert(100), settings=settings).run(200).spans_s() == [(90.0, 120.0)]


@pytest.mark.parametrize("event", [alert(10, to="caution"), health(10, to="ok"), health(10, to="degraded")])
def test_leaving_alert_and_getting_better_make_none(event: Event) -> None:
    assert Junction(event).run(60).orders == []


def test_caution_voice_and_parts_make_none() -> None:
    for kind in (EventKind.CAUTION, EventKind.VOICE, EventKind.PART, EventKind.CONFIG, EventKind.NODE):
        assert Junction(Event(kind, 10 * NS_PER_S, None, {"to": "alert", "state": "ERROR"})).run(20).orders == []


def test_events_that_overlap_are_one_incident_named_by_the_most_telling() -> None:
    junction = Junction(alert(100), health(110), near_miss(120), alert(125)).run(300)
    assert junction.spans_s() == [(70.0, 155.0)]
    (end,) = junction.ends()
    assert (end.named.kind, end.count, len(end.triggers)) == (IncidentKind.NEAR_MISS, 4, 4)
    assert end.triggers[0].kind is IncidentKind.ALERT


def test_a_busy_junction_gives_files_of_five_minutes_that_lap_over() -> None:
    junction = Junction(*(alert(t) for t in range(60, 7200, 15))).run(7300)
    spans = junction.spans_s()
    assert all(end - begin <= MAX_S + 30.2 for begin, end in spans)
    assert all(30 <= before[1] - after[0] <= 61 for before, after in itertools.pairwise(spans))
    assert 22 <= len(spans) <= 30, "two hours"
    assert junction.ends()[0].count == 19, "one every 15 s, up to 30 s before the end"


def test_a_second_alert_and_a_second_fault_are_kept_however_soon() -> None:
    for event in (alert, health):
        assert Junction(event(100), event(460)).run(600).spans_s() == [(70.0, 130.0), (430.0, 490.0)]
        assert len(Junction(event(100), event(690)).run(800).spans_s()) == 2


@pytest.mark.parametrize("at_s", [362, 370, 374, 386, 398, 400, 402, 414, 420])
@pytest.mark.parametrize("event", [near_miss, health, alert])
def test_an_event_where_the_cap_ends_a_part_has_its_30_s_in_the_next_one(
    at_s: int, event: Callable[[float], Event]
) -> None:
    junction = Junction(*[alert(t) for t in range(100, 399, 15)], event(at_s)).run(520)
    holds = [
        end
        for (from_s, until_s), end in zip(junction.spans_s(), junction.ends(), strict=True)
        if from_s <= at_s - 30 and at_s + 30 <= until_s
    ]
    assert any(trigger.at_ns == at_s * NS_PER_S for end in holds for trigger in end.triggers)


@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.sampled_from([near_miss, health, alert]), st.integers(0, 8)), max_size=40
    )
)
@settings(max_examples=40, deadline=None)
def test_every_event_has_its_time_before_and_after_in_a_file_that_names_it(
    events: list[tuple[int, Callable[[float], Event], int]],
) -> None:
    """Near misses are told up to eight seconds late; everything else at once."""
    told: dict[int, list[Event]] = {}
    for at_s, event, late_s in events:
        told.setdefault(at_s + (late_s if event is near_miss else 0), []).append(event(at_s))
    junction = Junction(settings=RecordingSettings(day_mb=8192))
    for second in range(1000):
        now_ns = second * NS_PER_S
        kept = [Kept("r_east", now_ns, now_ns, b"")]
        junction.orders += [(second, one) for one in junction.incidents.step(now_ns, kept, told.get(second, ()))]
    files = list(zip(junction.spans_s(), junction.ends(), strict=True))
    assert not junction.incidents.open
    for at_s, event, _late_s in events:
        assert any(
            from_s <= max(0, at_s - 30) and at_s + 30 <= until_s
            for (from_s, until_s), end in files
            if any(trigger.at_ns == at_s * NS_PER_S for trigger in end.triggers)
        ), (at_s, event, files)


def test_a_near_miss_told_late_lengthens_an_alerts_file_to_the_front() -> None:
    junction = Junction(alert(100))
    junction.run(103)
    told = Event(EventKind.NEAR_MISS, 98 * NS_PER_S, FACE, {})
    orders = junction.incidents.step(103 * NS_PER_S, [], [told])
    times_s = [order.at_ns / NS_PER_S for order in orders if isinstance(order, Kept)]
    assert (times_s[0], times_s[-1]) == (68.0, 69.9), "the file began at 70"


def test_every_near_miss_is_kept_however_often() -> None:
    times = range(100, 3000, 100)
    assert len(Junction(*(near_miss(t) for t in times)).run(3100).ends()) == len(times)


def test_a_sensor_that_flaps_is_kept_each_time() -> None:
    assert len(Junction(*(health(t) for t in range(60, 1800, 70))).run(1900).ends()) == 25


def test_one_face_that_flaps_does_not_hide_another() -> None:
    events = [health(t) for t in range(60, 600, 70)] + [health(500, face="main_east")]
    ends = Junction(*events).run(700).ends()
    assert any(trigger.face == "main_east" for end in ends for trigger in end.triggers)


def test_a_near_miss_after_fifty_alerts_still_names_the_file() -> None:
    junction = Junction(*[alert(100) for _ in range(60)], near_miss(101)).run(200)
    (end,) = junction.ends()
    assert (end.named.kind, end.count, len(end.triggers)) == (IncidentKind.NEAR_MISS, 61, 50)


def test_keep_count_0_records_none() -> None:
    assert Junction(near_miss(50), settings=RecordingSettings(keep_count=0)).run(100).orders == []


def test_new_lengths_apply_between_two_steps() -> None:
    junction = Junction(alert(100))
    junction.incidents.configure(RecordingSettings(before_s=5, after_s=5))
    assert junction.run(200).spans_s() == [(95.0, 105.0)]


class Card:
    """A junction on whose card each file takes a megabyte, of ``day_mb`` a day."""

    def __init__(self, *events: Event, day_mb: int = 24) -> None:
        self.incidents = Incidents(RecordingSettings(day_mb=day_mb))
        self.kept: list[tuple[int, IncidentKind]] = []
        written_bytes = 0
        for second in range(max(event.at_ns for event in events) // NS_PER_S + 60):
            due = [event for event in events if event.at_ns == second * NS_PER_S]
            for order in self.incidents.step(second * NS_PER_S, [], due, written_bytes):
                if isinstance(order, End):
                    written_bytes += 1_000_000
                    self.kept.append((order.named.at_ns // NS_PER_S, order.named.kind))


def test_alerts_are_left_out_and_counted_when_the_days_bytes_are_spent_and_kept_again_over_the_day() -> None:
    card = Card(*(alert(t) for t in range(600, 36_000, 600)))
    assert [at_s for at_s, _kind in card.kept[:24]] == list(range(600, 15_000, 600)), "a day's worth at once"
    late = [at_s for at_s, _kind in card.kept if at_s > 18_000]
    assert 4 <= len(late) <= 6, "then one an hour, in five hours, by an hour's worth at least"
    assert len(card.kept) + card.incidents.alerts_left_out == 59
    assert f"{card.incidents.alerts_left_out} alerts not kept" in str(card.incidents.warning())


def test_near_misses_and_faults_are_kept_when_the_days_bytes_are_spent() -> None:
    card = Card(*(alert(t) for t in range(60, 6000, 150)), near_miss(7000), health(8000), alert(9000))
    assert [kind for _at_s, kind in card.kept[-2:]] == [IncidentKind.NEAR_MISS, IncidentKind.FAULT]
    assert card.incidents.alerts_left_out > 0


def test_alerts_do_not_lengthen_a_near_miss_when_the_days_bytes_are_spent() -> None:
    busy = [alert(t) for t in range(7005, 7900, 15)]
    card = Card(*(alert(t) for t in range(60, 6000, 150)), near_miss(7000), *busy, near_miss(7400))
    assert card.kept[-2:] == [(7000, IncidentKind.NEAR_MISS), (7400, IncidentKind.NEAR_MISS)]
    assert card.incidents.alerts_left_out > 50


def test_a_day_with_room_leaves_nothing_out_and_says_nothing() -> None:
    card = Card(*(alert(t) for t in range(600, 36_000, 600)), day_mb=400)
    assert (len(card.kept), card.incidents.alerts_left_out, card.incidents.warning()) == (59, 0, None)


def test_a_larger_day_is_had_at_once() -> None:
    card = Card(*(alert(t) for t in range(60, 6000, 150)))
    card.incidents.configure(RecordingSettings(day_mb=100))
    card.incidents.step(7000 * NS_PER_S, [], [alert(7000)], 39_000_000)
    assert card.incidents.open and card.incidents.warning() is None


def test_a_node_that_stops_names_what_was_waiting_for_the_next_part() -> None:
    junction = Junction(*[alert(t) for t in range(100, 399, 15)], near_miss(396)).run(399)
    assert junction.incidents.end().named.kind is IncidentKind.NEAR_MISS


def test_an_open_incident_can_be_ended_and_only_then() -> None:
    junction = Junction(alert(10)).run(15)
    assert junction.incidents.open and junction.incidents.end().count == 1
    assert not junction.incidents.open
    with pytest.raises(RuntimeError):
        junction.incidents.end()


def test_the_ring_holds_what_waits_for_the_next_part_within_its_bytes() -> None:
    ring = Ring(30.0, max_bytes=20_000)
    ring.held_ns = 950 * NS_PER_S // 10
    for tick in range(1000):
        ring.append(Kept("r", tick * NS_PER_S // 10, 0, bytes(100)))
    assert [kept.at_ns for kept in ring.items(0)] == [tick * NS_PER_S // 10 for tick in range(950, 1000)]


def test_the_ring_holds_its_time_and_its_bytes() -> None:
    ring = Ring(30.0, max_bytes=10_000)
    for tick in range(1000):
        ring.append(Kept("r", tick * NS_PER_S // 10, 0, bytes(100)))
        assert ring.bytes <= 10_000
    assert [kept.at_ns for kept in ring.items(0)] == [tick * NS_PER_S // 10 for tick in range(975, 1000)]
    wide = Ring(30.0)
    for tick in range(1000):
        wide.append(Kept("r", tick * NS_PER_S // 10, 0, b""))
    assert len(wide.items(0)) == 301 and wide.bytes == 301 * weight_bytes(Kept("r", 0, 0, b""))


def camera_message(boxes: int, users: int) -> bytes:
    box = ["two_wheeler", 0.873, 101.25, 202.5, 303.75, 404.125]
    user = {"approach": FACE, "zone": "wait", "class": "two_wheeler", "distance_m": 12.5, "lateral_m": -1.25}
    message = {
        "kind": "observation",
        "camera": "c_branch",
        "captured_ns": 123_456_789_012,
        "zones": {FACE: {"wait": {"two_wheeler": boxes}, "approach": {}}},
        "boxes": [box] * boxes,
        "users": [user] * users,
    }
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    "payload",
    [
        lambda: bytes(bytearray(40)),
        lambda: json.loads(camera_message(0, 0)),
        lambda: json.loads(camera_message(6, 0)),
        lambda: json.loads(camera_message(12, 12)),
    ],
)
def test_the_ring_counts_at_least_what_a_message_takes(payload: Callable[[], bytes]) -> None:
    payload()
    tracemalloc.start()
    try:
        held: Sequence[Kept] = [Kept("r_east", n + 10**12, n + 10**18, payload()) for n in range(200)]
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken <= sum(weight_bytes(kept) for kept in held) <= 4 * taken
