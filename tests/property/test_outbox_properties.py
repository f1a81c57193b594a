"""Whatever order of events, outages, confirmations and crashes: the county ends up with every event, and says once."""

import pathlib
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_bridge.outbox import Item, Lane, Outbox
from device.journal import JournalWriter
from device.journal_reader import JournalReader
from hal.clock import NS_PER_S, SYSTEM_CLOCK, VirtualClock
from tests.support.journals import alert

STEP = st.one_of(
    st.tuples(st.just("journal"), st.integers(1, 6)),
    st.tuples(st.just("send"), st.integers(1, 10)),
    st.tuples(st.just("confirm"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    st.tuples(st.just("outage"), st.just(0)),
    st.tuples(st.just("connect"), st.just(0)),
    st.tuples(st.just("save"), st.just(0)),
    st.tuples(st.just("crash"), st.just(0)),
)


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(STEP, max_size=50))
def test_every_event_arrives_and_what_is_called_delivered_has_arrived(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        clock = VirtualClock()
        writer = JournalWriter(folder / "journal.db", SYSTEM_CLOCK)
        assert writer.flush(10)
        journalled = 0
        arrived: set[int] = set()  # what the broker has confirmed
        flying: list[Item] = []

        def opened() -> Outbox:
            reader = JournalReader(folder / "journal.db")
            return Outbox(reader, folder / "outbox.json", clock, backlog_per_s=7, max_in_flight=6)

        outbox = opened()
        online = False
        for step, count in [("connect", 0), *steps]:
            if step == "journal":
                for _ in range(count):
                    journalled += 1
                    writer.append(alert(journalled))
                assert writer.flush(10)
            elif step == "send":
                for _ in range(count):
                    item = outbox.next()
                    if item is None:
                        break
                    assert online
                    flying.append(item)
                assert outbox.in_flight() <= 6
            elif step == "confirm" and flying:
                item = flying.pop(count % len(flying))
                arrived.add(item.row.seq)
                outbox.confirm(item)
            elif step == "wait":
                clock.advance_ns(count * NS_PER_S)
            elif step == "outage":
                outbox.disconnected()
                online = False
                if len(flying) > 1:  # some confirmations come too late to be believed
                    outbox.confirm(flying[0])
                flying.clear()
            elif step == "connect" and not online:
                outbox.connected()
                online = True
            elif step == "save":
                outbox.save(now=True)
            elif step == "crash":
                outbox, online = opened(), False
                flying.clear()
            if journalled:
                assert outbox.lag() >= journalled - len(arrived), "something not arrived counts as delivered"

        # Calm returns: everything arrives, each lane in order.
        outbox.disconnected()
        outbox.connected()
        lanes: dict[Lane, list[int]] = {Lane.LIVE: [], Lane.BACKLOG: []}
        for _ in range(10 * journalled + 10):
            while (item := outbox.next()) is not None:
                lanes[item.lane].append(item.row.seq)
                arrived.add(item.row.seq)
                outbox.confirm(item)
            clock.advance_ns(NS_PER_S)
        writer.close()
        assert arrived == set(range(1, journalled + 1))
        assert outbox.lag() == 0 and outbox.in_flight() == 0
        assert all(seqs == sorted(set(seqs)) for seqs in lanes.values())
