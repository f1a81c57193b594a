"""The bridge as postman: its group's retained bundle reaches the inbox through a real Mosquitto; nothing else does."""

import json
import pathlib
import socket
import threading
from collections.abc import Iterator

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cloud_bridge.mqtt import MAX_PACKET_BYTES, Disconnected, Link, Message, Received, Subscription
from cloud_bridge.topics import ConfigReportedBody, HealthBody
from configs.bundle import MAX_PACKED_BYTES
from device.journal import JournalWriter
from device.provisioning import enrolment, outcome
from device.provisioning.enrolment import Enrolment
from device.provisioning.outcome import Outcome, What
from hal.clock import SYSTEM_CLOCK
from tests.support.county import FakeCore, Node, site
from tests.support.journals import wait_for
from tests.support.mosquitto import Mosquitto, Subscriber

TOPIC = "sentinel/v1/371500/_group/north/bundle"


@pytest.fixture
def broker(tmp_path: pathlib.Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


def enrolled(folder: pathlib.Path, port: int) -> Node:
    node = Node(folder / "node", site(port))
    enrolment.write(node.state_dir, Enrolment(county="371500", group="north", node="n0001"))
    return node


@pytest.fixture
def node(tmp_path: pathlib.Path, broker: Mosquitto) -> Node:
    return enrolled(tmp_path, broker.port)


def say(broker: Mosquitto, payload: bytes, topic: str = TOPIC, *, retain: bool = True) -> None:
    """The office publishes."""
    office = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    office.connect("127.0.0.1", broker.port)
    office.loop_start()
    office.publish(topic, payload, qos=1, retain=retain).wait_for_publish(60)
    office.disconnect()
    office.loop_stop()


def bundles(node: Node) -> list[bytes]:
    """What lies in the inbox, oldest first."""
    folder = node.state_dir / "county" / "inbox"
    found = sorted(folder.glob("*.bundle"), key=lambda path: path.stat().st_mtime_ns) if folder.exists() else []
    return [path.read_bytes() for path in found]


def status(node: Node) -> dict[str, object]:
    path = node.run_dir / "bridge.json"
    return json.loads(path.read_text()) if path.exists() else {}


def connected(node: Node) -> bool:
    return status(node).get("connected") is True


def healths(county: Subscriber) -> list[HealthBody]:
    return [HealthBody.model_validate(heard.envelope.body) for heard in county.on("health")]


def test_the_retained_bundle_is_there_after_connecting_and_a_new_one_as_it_comes(broker: Mosquitto, node: Node) -> None:
    say(broker, b"yesterday's")
    with node.bridge():
        wait_for(lambda: bundles(node) == [b"yesterday's"], "the retained bundle")
        say(broker, b"today's")
        wait_for(lambda: bundles(node) == [b"yesterday's", b"today's"], "the new one")


def test_after_a_reconnect_the_same_bundle_writes_nothing_and_one_that_came_meanwhile_is_there(
    broker: Mosquitto, node: Node
) -> None:
    say(broker, b"first")
    with node.bridge():
        wait_for(lambda: bundles(node) == [b"first"], "the first")
        [path] = (node.state_dir / "county" / "inbox").iterdir()
        path.unlink()  # taken, as the provisioning takes it
        broker.kill()
        wait_for(lambda: not connected(node), "the end of the connection")
        broker.start()
        say(broker, b"first")
        wait_for(lambda: connected(node), "the new connection")
        broker.kill()
        wait_for(lambda: not connected(node), "the end of the connection")
        broker.start()
        say(broker, b"second")
        wait_for(lambda: bundles(node) != [], "the second")
    assert bundles(node) == [b"second"]


def test_a_hundred_megabytes_never_reach_the_node_and_a_good_bundle_after_them_does(
    broker: Mosquitto, node: Node
) -> None:
    with node.bridge():
        wait_for(lambda: connected(node), "the connection")
        say(broker, bytes(100_000_000))
        say(broker, b"good")
        wait_for(lambda: bundles(node) == [b"good"], "the good bundle")
        say(broker, bytes(100_000_000))
    with node.bridge():  # meets it as a retained message
        wait_for(lambda: connected(node), "the connection")
        say(broker, b"good again")
        wait_for(lambda: bundles(node)[-1] == b"good again", "the good bundle")
    assert bundles(node) == [b"good", b"good again"]


def test_one_a_little_too_big_is_named_in_the_health(broker: Mosquitto, node: Node) -> None:
    county = Subscriber(broker.port)
    with node.bridge():
        county.wait(lambda: bool(healths(county)), "the first health")
        inbox = healths(county)[0].inbox
        assert inbox is not None and inbox.problem is None
        say(broker, bytes(MAX_PACKED_BYTES + 1))
        county.wait(lambda: "more than" in str(getattr(healths(county)[-1].inbox, "problem", "")), "the problem")
    county.close()
    assert bundles(node) == []


def test_what_is_not_the_groups_bundle_is_nothing_to_the_node(broker: Mosquitto, node: Node) -> None:
    with node.bridge():
        wait_for(lambda: connected(node), "the connection")
        say(broker, b"another group's", "sentinel/v1/371500/_group/south/bundle")
        say(broker, b"another county's", "sentinel/v1/371501/_group/north/bundle")
        say(broker, b"", TOPIC)  # the retained message is cleared
        say(broker, b"ours")
        wait_for(lambda: bundles(node) != [], "our own")
    assert bundles(node) == [b"ours"]


def test_a_node_that_was_never_enrolled_asks_for_no_bundle(broker: Mosquitto, tmp_path: pathlib.Path) -> None:
    node = Node(tmp_path / "alone", site(broker.port))
    county = Subscriber(broker.port)
    say(broker, b"bundle")
    with node.bridge():
        county.wait(lambda: bool(healths(county)), "a health")
    county.close()
    assert healths(county)[0].inbox is None and not (node.state_dir / "county").exists()


def test_an_enrolment_that_cannot_be_read_is_named_and_the_node_speaks_on(broker: Mosquitto, node: Node) -> None:
    (node.state_dir / "county" / "enrolment.json").write_text("{")
    county = Subscriber(broker.port)
    with node.bridge():
        county.wait(lambda: bool(healths(county) and healths(county)[-1].inbox), "a health")
    county.close()
    assert "sentinel enroll" in (healths(county)[-1].inbox.problem or "")  # type: ignore[union-attr]


def packets(peer: socket.socket) -> Iterator[tuple[int, bytes]]:
    """(first byte, the rest after the length) of each MQTT packet that a node sends."""
    with peer.makefile("rb") as stream:
        while first := stream.read(1):
            length, shift = 0, 0
            while True:
                byte = stream.read(1)[0]
                length |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
            yield first[0], stream.read(length)


CONNACK = bytes([0x20, 3, 0, 0, 0])
BROKEN = {
    "a message without a topic": bytes([0x30, 0]),
    "a topic that is not UTF-8": bytes([0x30, 5, 0, 2, 0xFF, 0xFE, 0]),
    "a confirmation of nothing": bytes([0x40, 0]),
    "an answer to no subscription": bytes([0x90, 4, 0, 9, 0, 0x99]),
    "a length without end": bytes([0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
}


@pytest.mark.parametrize("packet", BROKEN.values(), ids=BROKEN.keys())
def test_bytes_that_are_no_mqtt_cost_a_connection_at_most(tmp_path: pathlib.Path, packet: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        node = enrolled(tmp_path, server.getsockname()[1])
        with node.bridge():
            for _ in range(2):
                peer, _address = server.accept()
                with peer:
                    peer.settimeout(20)
                    assert peer.recv(4096)[0] == 0x10, "CONNECT"
                    peer.sendall(CONNACK)
                    wait_for(lambda: connected(node), "the connection")
                    peer.sendall(packet)
                    if packet == BROKEN["a topic that is not UTF-8"]:
                        continue  # legal in length: dropped, and the connection may go on
                    while peer.recv(65_536):  # what the node still says, until it hangs up
                        pass
                wait_for(lambda: not connected(node), "the end of the connection")


def test_a_broker_that_does_not_let_the_node_hear_its_group_is_named(tmp_path: pathlib.Path) -> None:
    not_authorized = 0x87
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        node = enrolled(tmp_path, server.getsockname()[1])
        JournalWriter(node.journal, SYSTEM_CLOCK).close()
        with node.bridge():
            peer, _address = server.accept()
            with peer:
                peer.settimeout(20)
                for first, rest in packets(peer):
                    if first == 0x10:
                        assert b"\x27" + MAX_PACKET_BYTES.to_bytes(4, "big") in rest, "Maximum Packet Size"
                        peer.sendall(CONNACK)
                    elif first == 0x82:
                        assert TOPIC.encode() in rest
                        peer.sendall(bytes([0x90, 4, *rest[:2], 0, not_authorized]))
                        break
                wait_for(lambda: TOPIC in str(status(node).get("last_error")), "the refusal in the status")


def test_a_message_that_its_reader_fails_on_is_a_lost_connection_and_not_a_silent_one(broker: Mosquitto) -> None:
    """paho's own thread ends there, and says nothing."""

    def fails(_message: Received) -> None:
        raise LookupError("a reader with a fault")

    news = threading.Event()
    settings = site(broker.port).bridge
    assert settings is not None
    will = Message("sentinel/v1/371500/n0001/presence", b"{}")
    wanted = [Subscription(TOPIC, fails, lambda _problem: None)]
    link = Link(settings, "reader", lambda: will, SYSTEM_CLOCK, news.set, subscriptions=lambda: wanted)
    say(broker, b"bundle")
    link.start()
    heard: list[object] = []

    def lost() -> bool:
        heard.extend(link.signals())
        return any(isinstance(signal, Disconnected) and "a reader with a fault" in signal.error for signal in heard)

    wait_for(lost, "the end of the connection and its reason")
    link.close()


def test_what_became_of_a_bundle_is_told_as_soon_as_provision_wrote_it_down(broker: Mosquitto, node: Node) -> None:
    core = FakeCore(node.run_dir, node.config)
    county = Subscriber(broker.port)
    try:
        with node.bridge():
            county.wait(lambda: bool(county.on("config/reported")), "the configuration")
            assert reported(county)[-1].outcome is None, "nothing came yet"
            refused = Outcome(what=What.REFUSED, bundle="ab" * 32, code="bomb", why="too big when unpacked")
            outcome.write(node.state_dir / "county", refused)
            county.wait(lambda: reported(county)[-1].outcome == refused, "the refusal")
    finally:
        county.close()
        core.close()


def reported(county: Subscriber) -> list[ConfigReportedBody]:
    return [ConfigReportedBody.model_validate(heard.envelope.body) for heard in county.on("config/reported")]
