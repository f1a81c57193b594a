"""The office's line to a real Mosquitto: what it hears, what it has the broker keep, and what it never says twice."""

import contextlib
import pathlib
import threading
from collections.abc import Iterator

import pytest

from cloud_bridge.topics import Leaf, NodeTopics
from hal.clock import SYSTEM_CLOCK
from tests.support.journals import wait_for
from tests.support.mosquitto import Mosquitto, Subscriber
from tools.county.line import Line

GROUP = NodeTopics("371500/office").group_bundle("north")


@pytest.fixture
def broker(tmp_path: pathlib.Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@contextlib.contextmanager
def connected(port: int) -> Iterator[Line]:
    line = Line("371500", f"mqtt://127.0.0.1:{port}", None, None, "office-test", SYSTEM_CLOCK)
    line.start()
    try:
        yield line
    finally:
        line.close()


def settled(line: Line) -> bool:
    line.take()
    return line.is_settled


def kept(line: Line, bundles: dict[str, bytes]) -> bool:
    line.take()
    return line.keep(bundles) == 0


def test_a_bundle_that_the_broker_has_is_not_sent_again_and_another_one_is(broker: Mosquitto) -> None:
    """Each publication goes over the air to every node of the group."""
    with contextlib.closing(Subscriber(broker.port, topic=GROUP)) as node:
        node.publish(GROUP, b"yesterday's", retain=True)
        node.wait(lambda: len(node.heard) == 1, "its own")
        with connected(broker.port) as line:
            wait_for(lambda: settled(line), "what the broker keeps")
            assert line.keep({"north": b"yesterday's"}) == 0
            wait_for(lambda: kept(line, {"north": b"today's"}), "the new one")
            assert kept(line, {"north": b"today's"})
        node.wait(lambda: len(node.heard) == 2, "the new one")
        assert [heard.payload for heard in node.heard] == [b"yesterday's", b"today's"]


def test_nothing_is_sent_before_it_is_known_what_the_broker_keeps(broker: Mosquitto) -> None:
    with connected(broker.port) as line:
        assert line.keep({"north": b"x"}) == 1, "not connected yet"
        assert not line.is_settled


def test_a_county_that_is_never_quiet_gets_its_bundle_all_the_same(broker: Mosquitto) -> None:
    """A thousand nodes say something every few hundredths of a second."""
    over = threading.Event()
    presence = NodeTopics("371500/n0001").of(Leaf.PRESENCE)
    with contextlib.closing(Subscriber(broker.port, topic=GROUP)) as node, connected(broker.port) as line:

        def chatter() -> None:
            while not over.wait(0.05):
                node.publish(presence, b"{}")

        talking = threading.Thread(target=chatter)
        talking.start()
        try:
            wait_for(lambda: kept(line, {"north": b"x"}), "the bundle")
            assert line.strange > 0
        finally:
            over.set()
            talking.join()


def test_a_broker_that_lost_its_store_is_given_the_bundle_again(broker: Mosquitto) -> None:
    with connected(broker.port) as line:
        wait_for(lambda: kept(line, {"north": b"x"}), "the first time")
        broker.kill()
        broker.start()  # it keeps nothing on disk
        with contextlib.closing(Subscriber(broker.port, topic=GROUP)) as node:
            wait_for(lambda: kept(line, {"north": b"x"}) and bool(node.heard), "the second time", 60)
            assert node.heard[0].payload == b"x"


def test_what_is_not_of_the_contract_is_counted_and_the_rest_is_heard(broker: Mosquitto) -> None:
    with contextlib.closing(Subscriber(broker.port)) as node, connected(broker.port) as line:
        wait_for(lambda: settled(line), "the connection")
        for payload in (b"\xff", b"{}", b'{"v":1}'):
            node.publish("sentinel/v1/371500/n0001/presence", payload)
        node.publish("sentinel/v1/371500/n0002/config/reported/x", b"{}")
        good = (
            b'{"v":1,"stream":"s","seq":1,"boot_id":"b","mono_ms":1,"t":"2027-03-01T08:00:00Z","t_quality":"synced",'
            b'"kind":"presence","body":{"state":"offline","reason":"lost"}}'
        )
        node.publish("sentinel/v1/371500/n0001/presence", good)

        def heard() -> bool:
            line.take()
            return "n0001" in line.nodes

        wait_for(heard, "the good one")
        presence = line.nodes["n0001"].presence
        assert presence is not None and presence.reason == "lost"
        assert line.strange == 3


def test_an_office_that_was_refused_is_heard_once_it_is_let_in(broker: Mosquitto) -> None:
    with connected(broker.port) as line:
        wait_for(lambda: settled(line), "the connection")
        line._told("the broker refuses it: not authorized")
        assert not settled(line)
        broker.restart()
        wait_for(lambda: settled(line), "the next connection", 30)
