"""What the county loses when there is no room: least worth first, counted by class, told once when it begins and once
when it is over; what the county has already goes before anything that it has not."""

import contextlib
import json
import pathlib
import sqlite3
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.events import EventClass, EventKind
from device.journal import JournalWriter
from device.journal_store import CLASS_OF, Store
from device.outbox_cursor import CURSOR_FILE, Cursor, read
from hal.clock import SYSTEM_CLOCK
from tests.support.journals import FlakyDisk, event, numbers, rows_of, wait_for

KINDS = (EventKind.PASSAGE, EventKind.CAUTION, EventKind.ALERT)
"""Telemetry, an event, an alert: three rows of a busy minute."""

ROWS = 100


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "journal.db"


@pytest.fixture
def writer(path: pathlib.Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(path, SYSTEM_CLOCK, max_rows=ROWS)
    assert writer.flush(10)
    yield writer
    writer.close()


def journal(writer: JournalWriter, numbers: range) -> None:
    for n in numbers:
        writer.append(event(KINDS[n % 3], n))
        assert writer.flush(10)


def county_has(path: pathlib.Path, writer: JournalWriter, live: int, *backlog: tuple[int, int]) -> None:
    path.with_name(CURSOR_FILE).write_bytes(Cursor(writer.stream(), live, backlog).encoded())


def told(path: pathlib.Path) -> list[dict[str, Any]]:
    return [dict(row.body) for row in rows_of(path) if row.kind == EventKind.JOURNAL]


def kept_of(path: pathlib.Path, name: EventClass) -> list[int]:
    return [row.body["n"] for row in rows_of(path) if CLASS_OF[EventKind(row.kind)] is name and "n" in row.body]


def test_without_a_county_telemetry_goes_first_then_events_then_alerts(
    path: pathlib.Path, writer: JournalWriter
) -> None:
    journal(writer, range(130))
    lost = writer.lost()
    assert lost["telemetry"] > 20 and lost["event"] == lost["alert"] == 0
    journal(writer, range(130, 190))
    writer.close()
    assert kept_of(path, EventClass.ALERT) == list(range(2, 190, 3)), "not one alert has gone"
    assert kept_of(path, EventClass.EVENT) == [n for n in range(1, 190, 3) if n > 3 * writer.lost()["event"]]
    assert writer.lost()["event"] > 0
    assert sum(writer.lost().values()) == 190 - len(numbers(path)) == writer.counters()["pruned"]


def test_the_losing_is_told_once_however_much_is_lost(path: pathlib.Path, writer: JournalWriter) -> None:
    journal(writer, range(150))
    assert [body["state"] for body in told(path)] == ["losing"]
    first = told(path)[0]["lost"]
    assert first["telemetry"] > 0 and sum(first.values()) < sum(writer.lost().values())
    assert writer.losing()


def test_what_the_county_has_goes_first_even_an_alert_and_is_no_loss(path: pathlib.Path, writer: JournalWriter) -> None:
    journal(writer, range(60))
    county_has(path, writer, 60)
    journal(writer, range(60, 150))
    kept = numbers(path)
    assert kept[-90:] == list(range(60, 150)), "telemetry that the county has not stays before alerts that it has"
    assert [n for n in kept if n < 60] == list(range(59 - 3 * (len(kept) - 91), 60, 3)), (
        "of those the alerts stay longest"
    )
    assert sum(writer.lost().values()) == 0 and not writer.losing() and told(path) == []


def test_what_an_earlier_outage_left_unsent_counts_as_not_had(path: pathlib.Path, writer: JournalWriter) -> None:
    journal(writer, range(60))
    county_has(path, writer, 60, (10, 20))
    journal(writer, range(60, 140))
    assert [n for n in numbers(path) if n < 60][:10] == list(range(10, 20))
    assert sum(writer.lost().values()) == 0


def test_a_cursor_of_another_journal_or_a_damaged_one_makes_nothing_delivered(
    path: pathlib.Path, writer: JournalWriter
) -> None:
    path.with_name(CURSOR_FILE).write_bytes(Cursor("another", 1000).encoded())
    journal(writer, range(110))
    path.with_name(CURSOR_FILE).write_bytes(b'{"stream": 1')
    journal(writer, range(110, 130))
    writer.close()
    assert writer.counters()["pruned"] >= 30
    assert sum(writer.lost().values()) == writer.counters()["pruned"]


def test_when_the_county_has_caught_up_the_end_is_told_with_what_was_lost(
    path: pathlib.Path, writer: JournalWriter
) -> None:
    journal(writer, range(110))
    journal(writer, range(110, 112))
    assert [body["state"] for body in told(path)] == ["losing"], "the county has nothing yet"
    county_has(path, writer, writer.last_seq())
    journal(writer, range(112, 113))
    wait_for(lambda: not writer.losing(), "the end of the losing")
    assert writer.flush(10)
    assert [body["state"] for body in told(path)] == ["losing", "kept"]
    assert told(path)[1]["lost"] == writer.lost()
    journal(writer, range(113, 120))
    assert len(told(path)) == 2, "and once"


def test_the_count_outlives_the_process_and_what_memory_gave_up_is_in_it(path: pathlib.Path) -> None:
    disk = FlakyDisk(dict.fromkeys(range(12, 60), sqlite3.SQLITE_IOERR))
    writer = JournalWriter(path, SYSTEM_CLOCK, ring_events=20, retry_s=0.01, connect=disk.connect)
    for n in range(90):
        writer.append(event(KINDS[n % 3], n))
    dropped = writer.counters()["dropped"]
    assert dropped > 0 and sum(writer.lost().values()) >= dropped
    assert writer.lost()["alert"] < writer.lost()["telemetry"]
    wait_for(lambda: writer.problem() is None and writer.flush(1) is not None, "the disk working again")
    wait_for(lambda: writer.counters()["waiting"] == 0, "all that was kept on the disk")
    lost = writer.lost()
    writer.close()
    again = JournalWriter(path, SYSTEM_CLOCK)
    assert again.flush(10)
    assert again.lost() == lost
    again.close()
    assert [body["state"] for body in told(path)] == ["losing"]


def test_a_journal_that_is_gone_is_told_with_the_stream_it_had(path: pathlib.Path, writer: JournalWriter) -> None:
    journal(writer, range(3))
    before = writer.stream()
    path.unlink()
    journal(writer, range(3, 4))
    wait_for(lambda: bool(told(path)), "the new journal telling of the old one")
    assert told(path) == [{"state": "new_stream", "before": before, "aside": None}]


def test_a_journal_that_went_while_nothing_ran_is_told_by_the_cursor(path: pathlib.Path) -> None:
    path.with_name(CURSOR_FILE).write_bytes(Cursor("the-old-one", 7).encoded())
    writer = JournalWriter(path, SYSTEM_CLOCK)
    assert writer.flush(10)
    writer.close()
    assert told(path) == [{"state": "new_stream", "before": "the-old-one", "aside": None}]


def test_a_first_journal_has_nothing_to_tell(path: pathlib.Path, writer: JournalWriter) -> None:
    journal(writer, range(2))
    assert told(path) == []


def test_a_bridge_that_sees_the_first_journal_before_its_writer_looks_makes_it_no_second(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = Store.hold_reserve

    def bridge_is_quicker(store: Store) -> bool:
        path.with_name(CURSOR_FILE).write_bytes(Cursor(store.stream).encoded())
        return reserve(store)

    monkeypatch.setattr(Store, "hold_reserve", bridge_is_quicker)
    writer = JournalWriter(path, SYSTEM_CLOCK)
    assert writer.flush(10)
    writer.close()
    assert told(path) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"stream": "s"}', '{"stream": "s", "live": "x", "backlog": []}']
)
def test_a_damaged_cursor_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / CURSOR_FILE).write_text(text)
    with pytest.raises(ValueError):
        read(tmp_path / CURSOR_FILE)


@settings(deadline=None, max_examples=40)
@given(
    stream=st.none() | st.text(),
    live=st.integers(0, 2**53),
    backlog=st.lists(st.tuples(st.integers(0, 2**53), st.integers(0, 2**53)), max_size=5),
)
def test_a_cursor_is_read_as_it_was_written(stream: str | None, live: int, backlog: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cursor = Cursor(stream, live, tuple(backlog))
        (pathlib.Path(folder) / CURSOR_FILE).write_bytes(cursor.encoded())
        assert read(pathlib.Path(folder) / CURSOR_FILE) == cursor


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None, max_examples=40)
@given(
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"stream": JSON, "live": JSON, "backlog": JSON}).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_whatever_a_card_made_of_the_cursor_it_is_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / CURSOR_FILE).write_bytes(data)
        with contextlib.suppress(ValueError):
            assert isinstance(read(pathlib.Path(folder) / CURSOR_FILE), Cursor)


def test_a_cursor_says_up_to_where_the_county_has_everything(tmp_path: pathlib.Path) -> None:
    cursor = Cursor("s", 90, ((10, 20), (40, 50)))
    (tmp_path / CURSOR_FILE).write_bytes(cursor.encoded())
    assert read(tmp_path / CURSOR_FILE) == cursor
    assert cursor.delivered_upto() == 10
    assert Cursor("s", 90).delivered_upto() == 90
