"""The journal on a disk that works: what goes in comes out, in order, and the cap keeps the alerts."""

import pathlib
import sqlite3
import threading

import pytest

from device.events import Event, EventKind
from device.journal import JournalWriter
from device.journal_reader import JournalError, JournalReader
from hal.clock import NS_PER_S, SYSTEM_CLOCK, ClockQuality, VirtualClock, boot_id
from tests.support.journals import alert, event, numbers, rows_of, slow_connect


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "journal.db"


def test_an_event_is_journalled_with_its_time_face_and_body(path: pathlib.Path) -> None:
    clock = VirtualClock(start_ns=10 * NS_PER_S, wall_ns=1_800_000_000 * NS_PER_S)
    clock.set_quality(ClockQuality.RTC)
    writer = JournalWriter(path, clock)
    writer.append(Event(EventKind.ALERT, 7 * NS_PER_S + 250_000_000, "branch_south", {"来向": "main_east", "m": 62.4}))
    assert writer.flush(10)
    stream = writer.stream()
    writer.close()
    (row,) = rows_of(path)
    assert (row.stream, row.seq, row.boot_id, row.mono_ms) == (stream, 1, boot_id(), 7250)
    assert (row.t, row.t_quality) == ("2027-01-15T07:59:57.250Z", "rtc")
    assert (row.kind, row.face, row.body) == ("alert", "branch_south", {"来向": "main_east", "m": 62.4})


def test_events_keep_their_order_and_the_stream_outlives_a_restart(path: pathlib.Path) -> None:
    for start in (0, 500):
        writer = JournalWriter(path, SYSTEM_CLOCK)
        for n in range(start, start + 500):
            writer.append(event(list(EventKind)[n % len(EventKind)], n))
        assert writer.flush(10)
        assert writer.last_seq() == start + 500
        assert writer.problem() is None
        writer.close()
    assert numbers(path) == list(range(1000))
    assert [row.seq for row in rows_of(path)] == list(range(1, 1001))
    assert len({row.stream for row in rows_of(path)}) == 1


def test_closing_writes_what_is_waiting(path: pathlib.Path) -> None:
    writer = JournalWriter(path, SYSTEM_CLOCK)
    for n in range(300):
        writer.append(alert(n))
    writer.close(10)
    assert numbers(path) == list(range(300))


def test_a_card_that_does_not_answer_delays_nobody_and_costs_telemetry_before_alerts(path: pathlib.Path) -> None:
    release = threading.Event()
    writer = JournalWriter(path, SYSTEM_CLOCK, ring_events=100, connect=slow_connect(release))
    for n in range(60):
        writer.append(alert(n))
    for n in range(60, 160):
        writer.append(event(EventKind.VOICE, n))
    writer.append(alert(160))
    assert not writer.flush(0.01), "nothing can have reached a disk that does not answer"
    assert writer.counters() == {"waiting": 100, "dropped": 61, "pruned": 0, "quarantined": 0}
    release.set()
    assert writer.flush(10)
    writer.close()
    assert numbers(path) == [*range(60), *range(121, 160), 160]


def test_the_cap_on_rows_takes_the_oldest_below_alert_first(path: pathlib.Path) -> None:
    writer = JournalWriter(path, SYSTEM_CLOCK, max_rows=100)
    for n in range(50):
        writer.append(alert(n))
    for n in range(50, 200):
        writer.append(event(EventKind.PART, n))
        assert n % 20 or writer.flush(10)
    assert writer.flush(10)
    writer.close()
    pruned = writer.counters()["pruned"]
    kept = numbers(path)
    assert kept[:50] == list(range(50))
    assert kept[50:] == list(range(200 - len(kept[50:]), 200))
    assert 90 <= len(kept) <= 100
    assert pruned == 200 - len(kept)


def test_when_only_alerts_are_left_the_oldest_go_and_no_seq_comes_twice(path: pathlib.Path) -> None:
    for start in (0, 30):
        writer = JournalWriter(path, SYSTEM_CLOCK, max_rows=20)
        for n in range(start, start + 30):
            writer.append(alert(n))
        assert writer.flush(10)
        writer.close()
    kept = numbers(path)
    assert kept == list(range(60 - len(kept), 60))
    told = [row.body["state"] for row in rows_of(path) if row.kind == EventKind.JOURNAL]
    assert len(kept) + len(told) <= 20
    assert [row.seq for row in rows_of(path)][-1] == 60 + 2, "each of two starts has told of its losses, once"


def test_the_cap_on_bytes_holds(path: pathlib.Path) -> None:
    writer = JournalWriter(path, SYSTEM_CLOCK, max_bytes=256 * 1024)
    for n in range(40):
        for _ in range(25):
            writer.append(Event(EventKind.HEALTH, n, None, {"reasons": ["x" * 900]}))
        assert writer.flush(10)
    writer.close()
    assert path.stat().st_size < 2 * 256 * 1024
    assert len(rows_of(path)) > 100


def test_a_body_that_json_has_no_words_for_is_still_journalled(path: pathlib.Path) -> None:
    writer = JournalWriter(path, SYSTEM_CLOCK)
    writer.append(Event(EventKind.PART, 0, None, {"path": pathlib.PurePosixPath("/dev/null")}))
    writer.append(Event(EventKind.PART, 0, None, {"distance_m": float("nan")}))
    assert writer.flush(10)
    writer.close()
    assert [row.body.keys() for row in rows_of(path)] == [{"path"}, {"unwritable"}]


def test_reading_in_steps_sees_every_row_once(path: pathlib.Path) -> None:
    writer = JournalWriter(path, SYSTEM_CLOCK)
    for n in range(25):
        writer.append(alert(n))
    assert writer.flush(10)
    reader = JournalReader(path)
    seen: list[int] = []
    while rows := reader.after(seen[-1] if seen else 0, 7):
        seen += [row.seq for row in rows]
    assert seen == list(range(1, 26)) and reader.last_seq() == 25
    assert [row.seq for row in reader.after(3, 100, upto=6)] == [4, 5, 6]
    writer.append(alert(25))
    assert writer.flush(10)
    assert [row.seq for row in reader.after(25, 7)] == [26], "an open reader sees what is written later"
    reader.close()
    writer.close()


def test_the_reader_says_so_while_there_is_no_journal(path: pathlib.Path) -> None:
    reader = JournalReader(path)
    with pytest.raises(JournalError, match="journal"):
        reader.stream()
    path.touch()
    with pytest.raises(JournalError):
        reader.after(0, 1)
    path.unlink()
    writer = JournalWriter(path, SYSTEM_CLOCK)
    writer.append(alert(0))
    assert writer.flush(10)
    assert reader.stream() == writer.stream()
    reader.close()
    writer.close()


def test_the_reader_does_not_write(path: pathlib.Path) -> None:
    writer = JournalWriter(path, SYSTEM_CLOCK)
    writer.append(alert(0))
    writer.close()
    before = path.read_bytes()
    assert numbers(path) == [0]
    assert path.read_bytes() == before


def test_every_commit_waits_for_the_disk(path: pathlib.Path) -> None:
    """NORMAL would be ten times faster and lose acknowledged events at a power cut (ADR 0004)."""
    opened: list[sqlite3.Connection] = []

    def connect(target: pathlib.Path) -> sqlite3.Connection:
        opened.append(sqlite3.connect(target, isolation_level=None, check_same_thread=False))
        return opened[-1]

    writer = JournalWriter(path, SYSTEM_CLOCK, connect=connect)
    assert writer.flush(10)
    full = 2
    assert opened[0].execute("PRAGMA synchronous").fetchone() == (full,)
    assert opened[0].execute("PRAGMA journal_mode").fetchone() == ("wal",)
    writer.close()
