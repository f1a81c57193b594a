"""What makes an incident, how long it goes on and how often: in the words of a junction, without a disk."""

import json
import tracemalloc
from collections.abc import Callable, Sequence

import pytest

from configs.schema import Recording as RecordingSettings
from device.events import Event, EventKind
from device.incidents import MAX_S, Begin, End, IncidentKind, Incidents, Kept, Order, Ring, weight_bytes
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
        """From the first to the last message of each finished incident."""
        spans = []
        times: list[float] = []
        for _at_s, order in self.orders:
            if isinstance(order, Begin):
                times = [kept.at_ns / NS_PER_S for kept in order.before]
            elif isinstance(order, Kept):
                times.append(order.at_ns / NS_PER_S)
            else:
                spans.append((times[0], times[-1]))
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


def test_a_busy_junction_gives_files_of_five_minutes_six_an_hour_at_most() -> None:
    junction = Junction(*(alert(t) for t in range(60, 7200, 15))).run(7200)
    spans = junction.spans_s()
    assert all(end - begin <= MAX_S + 30.2 for begin, end in spans)
    assert 4 <= len(spans) <= 12
    assert junction.ends()[0].count == 21, "one every 15 s for five minutes"


def test_every_near_miss_is_kept_however_often() -> None:
    times = range(100, 3000, 100)
    assert len(Junction(*(near_miss(t) for t in times)).run(3100).ends()) == len(times)


def test_a_sensor_that_flaps_by_the_minute_gives_one_in_ten_minutes() -> None:
    assert len(Junction(*(health(t) for t in range(60, 1800, 70))).run(1900).ends()) <= 3


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


def test_an_open_incident_can_be_ended_and_only_then() -> None:
    junction = Junction(alert(10)).run(15)
    assert junction.incidents.open and junction.incidents.end().count == 1
    assert not junction.incidents.open
    with pytest.raises(RuntimeError):
        junction.incidents.end()


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
