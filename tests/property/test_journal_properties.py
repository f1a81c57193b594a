"""Whatever the disk does, the journal keeps order, loses nothing it need not and repeats nothing."""

import pathlib
import sqlite3
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.events import EventKind
from device.journal import JournalWriter
from device.journal_store import SHED_ORDER, Ring
from hal.clock import SYSTEM_CLOCK
from tests.support.journals import FlakyDisk, event, numbers, wait_for

KINDS = st.lists(st.sampled_from(list(EventKind)), max_size=60)
FAULTS = st.sampled_from(
    [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN]
)


def test_every_kind_of_event_has_its_place_in_the_order_of_shedding() -> None:
    assert sorted(SHED_ORDER) == sorted(EventKind)
    assert SHED_ORDER[-1] is EventKind.ALERT


@given(kinds=KINDS, capacity=st.integers(1, 20), take=st.integers(0, 20))
def test_the_ring_keeps_the_most_important_and_the_newest_of_them(
    kinds: list[EventKind], capacity: int, take: int
) -> None:
    ring = Ring(capacity)
    for n, kind in enumerate(kinds):
        ring.push(event(kind, n))
        if n == take:
            ring.restore(ring.take(take))  # a failed write in the middle changes nothing
    assert ring.size == min(len(kinds), capacity)
    assert ring.size + ring.shed.total() == len(kinds)
    kept = [(entry.body["n"], entry.kind) for _, entry in ring.take(1000)]
    assert kept == sorted(kept), "order of arrival"
    kept_numbers = {n for n, _ in kept}
    lost = [(n, kind) for n, kind in enumerate(kinds) if n not in kept_numbers]
    for n, kind in lost:
        for other, other_kind in kept:
            rank, other_rank = SHED_ORDER.index(kind), SHED_ORDER.index(other_kind)
            # Lost is lesser than kept, or older among equals, or the kept lesser one came after the loss.
            assert rank < other_rank or (rank == other_rank and n < other) or other > n


@settings(deadline=None, max_examples=60)
@given(faults=st.dictionaries(st.integers(1, 120), FAULTS, max_size=25), batches=st.integers(1, 6))
def test_a_disk_that_refuses_now_and_then_costs_no_event_and_repeats_none(faults: dict[int, int], batches: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "journal.db"
        disk = FlakyDisk(faults)
        # Pruning after a full disk is another test's matter: here only alerts, which it never touches.
        writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.0, connect=disk.connect)
        for batch in range(batches):
            for n in range(batch * 5, batch * 5 + 5):
                writer.append(event(EventKind.ALERT, n))
            assert writer.flush(20)
        wait_for(lambda: writer.problem() is None, "the end of the alarm")
        writer.close()
        assert numbers(path) == list(range(batches * 5))


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL])
def test_failing_each_statement_in_turn_costs_no_event(tmp_path: pathlib.Path, code: int) -> None:
    statement, reached = 0, True
    while reached:
        statement += 1
        path = tmp_path / f"{statement}.db"
        disk = FlakyDisk({statement: code})
        writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.0, connect=disk.connect)
        for n in range(3):
            writer.append(event(EventKind.ALERT, n))
            assert writer.flush(20)
        reached = disk.raised > 0
        writer.close()
        assert numbers(path) == [0, 1, 2], f"statement {statement} failed"
    assert statement > 25, "the journal ran at least the statements of opening and three transactions"
