"""What the journal costs its caller, what one durable event costs, and how fast the bridge can read it back."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from cloud_bridge.topics import encode, event_envelope
from device.events import Event, EventKind
from device.journal import JournalWriter
from device.journal_reader import JournalReader
from hal.clock import SYSTEM_CLOCK

EVENT = Event(
    EventKind.ALERT,
    1_000_000_000,
    "branch_south",
    {
        "level": "alert",
        "was": "caution",
        "cause": {"approach": "main_east", "class": "car", "distance_m": 62.4, "speed_mps": 14.2},
    },
)


@pytest.fixture
def writer(tmp_path: pathlib.Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(tmp_path / "journal.db", SYSTEM_CLOCK)
    assert writer.flush(10)
    yield writer
    writer.close(30)


def test_bench_append(benchmark: Any, writer: JournalWriter) -> None:
    """The control thread's share: under its 20 ms step many times over."""
    benchmark.pedantic(writer.append, args=(EVENT,), rounds=2000, iterations=1)


def test_bench_one_durable_event(benchmark: Any, writer: JournalWriter) -> None:
    def append_and_flush() -> None:
        writer.append(EVENT)
        assert writer.flush(10)

    benchmark.pedantic(append_and_flush, rounds=200, iterations=1)


def test_bench_a_thousand_durable_events(benchmark: Any, writer: JournalWriter) -> None:
    def append_and_flush() -> None:
        for _ in range(1000):
            writer.append(EVENT)
        assert writer.flush(10)

    benchmark.pedantic(append_and_flush, rounds=5, iterations=1)


def test_bench_drain_a_thousand_events(benchmark: Any, writer: JournalWriter, tmp_path: pathlib.Path) -> None:
    for _ in range(1000):
        writer.append(EVENT)
    assert writer.flush(10)
    reader = JournalReader(tmp_path / "journal.db")

    def drain() -> int:
        return sum(len(encode(event_envelope(row))) for row in reader.after(0, 1000))

    assert benchmark(drain) > 1000 * 200
    reader.close()
