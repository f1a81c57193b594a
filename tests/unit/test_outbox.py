"""What is sent next, and what counts as delivered: live first, the backlog in order and at its rate, nothing lost."""

import pathlib
from collections.abc import Iterator

import pytest

from cloud_bridge.outbox import DOUBT_EVENTS, DOUBT_NS, LOOK_EVERY_NS, MAX_RANGES, Item, Lane, Outbox
from device.journal import JournalWriter
from device.journal_reader import JournalError, JournalReader
from hal.clock import NS_PER_S, SYSTEM_CLOCK, VirtualClock
from tests.support.journals import alert, wait_for


class Office:
    """A journal, an outbox over it, and a county that confirms when told to."""

    def __init__(self, folder: pathlib.Path, *, backlog_per_s: float = 1000, max_in_flight: int = 16) -> None:
        self._folder = folder
        self._options = {"backlog_per_s": backlog_per_s, "max_in_flight": max_in_flight}
        self.clock = VirtualClock()
        self.writer = JournalWriter(folder / "journal.db", SYSTEM_CLOCK)
        assert self.writer.flush(10)
        self.n = 0
        self.open()

    def open(self) -> None:
        """As after a crash of the bridge: nothing is known but the files."""
        self.reader = JournalReader(self._folder / "journal.db")
        self.outbox = Outbox(self.reader, self._folder / "outbox.json", self.clock, **self._options)  # type: ignore[arg-type]

    def journal(self, count: int) -> None:
        for _ in range(count):
            self.n += 1
            self.writer.append(alert(self.n))
        assert self.writer.flush(10)

    def take(self) -> list[Item]:
        """All that the outbox would send now."""
        items = []
        while (item := self.outbox.next()) is not None:
            items.append(item)
        return items

    def deliver(self) -> list[tuple[str, int]]:
        """Sends and confirms until nothing is left, a second at a time."""
        done = []
        for _ in range(1000):
            items = self.take()
            for item in items:
                self.outbox.confirm(item)
            done += [(item.lane.value, item.row.seq) for item in items]
            if not items and self.outbox.lag() == 0:
                return done
            self.clock.advance_ns(NS_PER_S)
        raise AssertionError(f"never done: lag {self.outbox.lag()}")


@pytest.fixture
def office(tmp_path: pathlib.Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.writer.close()


def seqs(items: list[Item]) -> list[tuple[str, int]]:
    return [(item.lane.value, item.row.seq) for item in items]


def test_what_is_journalled_while_connected_goes_out_live_and_in_order(office: Office) -> None:
    office.outbox.connected()
    assert office.take() == []
    office.journal(40)
    assert office.deliver() == [("live", seq) for seq in range(1, 41)]


def test_without_a_connection_nothing_is_handed_out(office: Office) -> None:
    office.journal(3)
    assert office.take() == []
    assert office.outbox.lag() == 3


def test_after_an_outage_live_goes_first_and_what_was_kept_follows_in_order(office: Office) -> None:
    office.journal(3)
    office.outbox.connected()
    office.clock.advance_ns(NS_PER_S)
    assert seqs([item for item in [office.outbox.next()] if item]) == [("backlog", 1)]
    office.journal(2)
    office.clock.advance_ns(LOOK_EVERY_NS)
    assert seqs(office.take()) == [("live", 4), ("live", 5), ("backlog", 2), ("backlog", 3)]


def test_no_more_is_in_flight_than_allowed_and_the_backlog_leaves_room_for_live(tmp_path: pathlib.Path) -> None:
    office = Office(tmp_path, max_in_flight=8)
    office.journal(20)
    office.outbox.connected()
    office.clock.advance_ns(NS_PER_S)
    assert seqs(office.take()) == [("backlog", seq) for seq in range(1, 5)]
    office.journal(20)
    live = office.take()
    assert seqs(live) == [("live", seq) for seq in range(21, 25)]
    assert office.outbox.in_flight() == 8
    office.outbox.confirm(live[0])
    assert seqs(office.take()) == [("live", 25)]
    office.writer.close()


def test_the_backlog_keeps_to_its_rate(tmp_path: pathlib.Path) -> None:
    office = Office(tmp_path, backlog_per_s=20)
    office.journal(200)
    office.outbox.connected()
    sent = 0
    for _ in range(100):  # 5 s in steps of a poll
        office.clock.advance_ns(NS_PER_S // 20)
        for item in office.take():
            office.outbox.confirm(item)
            sent += 1
    assert 99 <= sent <= 101 + 5
    office.writer.close()


def test_only_an_unbroken_run_of_confirmations_counts_as_delivered(office: Office) -> None:
    office.outbox.connected()
    office.take()
    office.journal(5)
    items = office.take()
    for index in (1, 2, 4):
        office.outbox.confirm(items[index])
    office.outbox.save(now=True)
    office.open()
    office.outbox.connected()
    assert office.outbox.lag() == 5, "the first is not confirmed, so all five may have to go again"
    assert office.deliver() == [("backlog", seq) for seq in range(1, 6)]


def test_a_crash_sends_again_only_what_the_cursor_did_not_cover(office: Office) -> None:
    office.outbox.connected()
    office.take()
    office.journal(10)
    for item in office.take()[:4]:
        office.outbox.confirm(item)
    office.clock.advance_ns(DOUBT_NS)
    office.outbox.save(now=True)
    office.open()
    office.outbox.connected()
    assert office.deliver() == [("backlog", seq) for seq in range(5, 11)]
    office.clock.advance_ns(DOUBT_NS)
    office.outbox.save(now=True)
    office.open()
    office.outbox.connected()
    assert office.deliver() == []


def test_what_a_broker_confirmed_just_before_it_died_goes_again(office: Office) -> None:
    office.outbox.connected()
    office.take()
    office.journal(6)
    items = office.take()
    for item in items[:3]:
        office.outbox.confirm(item)
    office.clock.advance_ns(DOUBT_NS // 2)
    for item in items[3:]:
        office.outbox.confirm(item)
    assert office.outbox.lag() == 0
    office.clock.advance_ns(DOUBT_NS // 2)  # the first three are old enough: whoever listens has them
    office.outbox.save()
    office.outbox.disconnected()
    office.outbox.connected()
    assert office.deliver() == [("backlog", seq) for seq in (4, 5, 6)]


def test_in_a_fast_backlog_the_doubt_has_a_limit(tmp_path: pathlib.Path) -> None:
    office = Office(tmp_path, backlog_per_s=100_000)
    office.journal(DOUBT_EVENTS + 300)
    office.outbox.connected()
    office.clock.advance_ns(NS_PER_S)
    for _ in range(DOUBT_EVENTS + 200):
        item = office.outbox.next()
        assert item is not None
        office.outbox.confirm(item)
    office.outbox.disconnected()
    office.outbox.connected()
    delivered = [seq for _lane, seq in office.deliver()]
    assert delivered == list(range(201, DOUBT_EVENTS + 301))
    office.writer.close()


def test_a_range_that_is_all_sent_and_in_doubt_does_not_hold_up_the_next(office: Office) -> None:
    office.journal(2)
    office.outbox.connected()
    office.clock.advance_ns(NS_PER_S)
    assert len(office.take()) == 2  # sent, and the connection goes before they are confirmed
    office.journal(1)
    (live,) = office.take()
    assert live.lane is Lane.LIVE
    office.outbox.confirm(live)
    office.clock.advance_ns(DOUBT_NS)
    office.outbox.save()
    office.outbox.disconnected()
    office.journal(2)
    office.outbox.connected()
    assert [seq for _lane, seq in office.deliver()] == [1, 2, 4, 5]
    assert office.outbox.backlog() == 0 and office.outbox.in_flight() == 0


def test_a_connection_that_ends_in_good_order_leaves_nothing_in_doubt(office: Office) -> None:
    office.outbox.connected()
    office.take()
    office.journal(3)
    for item in office.take():
        office.outbox.confirm(item)
    office.outbox.settle_all()
    office.outbox.save(now=True)
    office.open()
    office.outbox.connected()
    assert office.deliver() == []


def test_confirmations_of_a_lost_connection_are_not_believed(office: Office) -> None:
    office.outbox.connected()
    office.take()
    office.journal(2)
    first, second = office.take()
    office.outbox.confirm(first)
    office.outbox.settle_all()
    office.outbox.disconnected()
    office.outbox.confirm(second)
    assert office.outbox.lag() == 1
    office.outbox.connected()
    (again,) = office.take()
    office.outbox.confirm(second)
    assert office.outbox.lag() == 1, "that was for the first sending"
    office.outbox.confirm(again)
    assert office.outbox.lag() == 0


def test_outages_during_a_backlog_keep_its_order(office: Office) -> None:
    expected = []
    for _ in range(MAX_RANGES + 8):
        office.journal(2)
        office.outbox.connected()
        office.take()
        office.journal(1)
        live = [item for item in office.take() if item.lane is Lane.LIVE]
        office.outbox.confirm(live[0])
        expected += [live[0].row.seq - 2, live[0].row.seq - 1]
        office.outbox.disconnected()
    office.outbox.connected()
    delivered = [seq for lane, seq in office.deliver()]
    assert [seq for seq in delivered if seq in expected] == expected
    assert delivered == sorted(set(delivered)), "in order, none twice"


def test_a_damaged_cursor_means_everything_goes_again(tmp_path: pathlib.Path) -> None:
    for damage in (b"", b"{", b"[]", b'{"stream": 1}', b'{"stream": "s", "live": "x", "backlog": []}', b"\xff\xfe"):
        folder = tmp_path / str(hash(damage))
        folder.mkdir()
        (folder / "outbox.json").write_bytes(damage)
        office = Office(folder)
        office.journal(3)
        office.outbox.connected()
        assert office.deliver() == [("backlog", 1), ("backlog", 2), ("backlog", 3)]
        office.writer.close()


def test_a_new_journal_is_sent_from_its_beginning(office: Office, tmp_path: pathlib.Path) -> None:
    office.outbox.connected()
    office.take()
    office.journal(5)
    office.deliver()
    stream = office.writer.stream()
    (tmp_path / "journal.db").unlink()
    office.journal(2)
    assert office.writer.stream() != stream
    wait_for(lambda: office.writer.last_seq() == 3, "the two, and that the journal began anew")
    assert office.deliver() == [("live", 1), ("live", 2), ("live", 3)]


def test_events_pruned_at_the_journals_cap_do_not_hold_up_the_rest(office: Office, tmp_path: pathlib.Path) -> None:
    office.journal(10)
    office.writer.close()
    office.writer = JournalWriter(tmp_path / "journal.db", SYSTEM_CLOCK, max_rows=4)
    office.journal(1)
    office.writer.close()
    office.outbox.connected()
    kept = [row.seq for row in office.reader.after(0, 100)]
    assert len(kept) < 11
    assert office.deliver() == [("backlog", seq) for seq in kept]


def test_a_journal_that_is_not_there_is_said_and_nothing_is_lost_by_it(tmp_path: pathlib.Path) -> None:
    reader = JournalReader(tmp_path / "journal.db")
    outbox = Outbox(reader, tmp_path / "outbox.json", VirtualClock(), backlog_per_s=10)
    outbox.connected()
    with pytest.raises(JournalError):
        outbox.next()
    writer = JournalWriter(tmp_path / "journal.db", SYSTEM_CLOCK)
    writer.append(alert(1))
    assert writer.flush(10)
    item = outbox.next()
    assert item is not None and item.row.seq == 1
    writer.close()


def test_the_cursor_is_written_once_a_second_at_most(office: Office, tmp_path: pathlib.Path) -> None:
    office.outbox.connected()
    office.take()
    office.outbox.save()
    written = []
    for _ in range(30):
        office.journal(1)
        for item in office.take():
            office.outbox.confirm(item)
        office.outbox.save()
        text = (tmp_path / "outbox.json").read_text() if (tmp_path / "outbox.json").exists() else ""
        if not written or written[-1] != text:
            written.append(text)
        office.outbox.settle_all()
        office.clock.advance_ns(NS_PER_S // 10)
    assert 3 <= len(written) <= 5
