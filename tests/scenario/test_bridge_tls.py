"""The bridge over TLS and mutual TLS; whom it does not trust it does not talk to, and it says why."""

import json
import pathlib
import ssl
from collections.abc import Iterator

import pytest

from device.journal import JournalWriter
from hal.clock import SYSTEM_CLOCK
from tests.support.county import Node, site
from tests.support.journals import alert, wait_for
from tests.support.mosquitto import Certificates, Mosquitto, Subscriber

NODE = "371500/n0001"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates") / "county")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates") / "stranger")


@pytest.fixture
def broker(tmp_path: pathlib.Path, authority: Certificates) -> Iterator[Mosquitto]:
    """Wants a certificate of the county; a node may write its own topics and no other's (the pattern of DESIGN §5)."""
    certificate, key = authority.of("localhost")
    acl = tmp_path / "acl"
    leaves = ["presence", "health", "event", "backlog", "config/reported", "reply"]
    patterns = "".join(f"pattern write sentinel/v1/%u/{leaf}\n" for leaf in leaves)
    acl.write_text(f"user county\ntopic read sentinel/v1/#\n{patterns}")
    acl.chmod(0o644)
    options = [f"cafile {authority.ca}", f"certfile {certificate}", f"keyfile {key}", f"acl_file {acl}"]
    options += ["require_certificate true", "use_identity_as_username true"]
    with Mosquitto(tmp_path / "broker", options, anonymous=False) as broker:
        yield broker


def county(broker: Mosquitto, authority: Certificates) -> Subscriber:
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.load_cert_chain(*authority.of("county"))
    return Subscriber(broker.port, tls=context)


def node_with(
    folder: pathlib.Path,
    broker: Mosquitto,
    ca: Certificates,
    own: tuple[pathlib.Path, pathlib.Path] | None,
    node: str = NODE,
) -> Node:
    bridge = {"ca_file": str(ca.ca)}
    if own is not None:
        bridge |= {"cert_file": str(own[0]), "key_file": str(own[1])}
    return Node(folder / "node", site(broker.port, node, scheme="mqtts", **bridge))


def last_error(node: Node) -> str:
    path = node.run_dir / "bridge.json"
    return str(json.loads(path.read_text())["last_error"]) if path.exists() else ""


def test_events_arrive_over_mutual_tls(tmp_path: pathlib.Path, broker: Mosquitto, authority: Certificates) -> None:
    subscriber = county(broker, authority)
    node = node_with(tmp_path, broker, authority, authority.of(NODE))
    journal = JournalWriter(node.journal, SYSTEM_CLOCK)
    with node.bridge():
        for n in range(10):
            journal.append(alert(n))
        subscriber.wait(lambda: len(subscriber.on("event", "backlog")) == 10, "the events")
    journal.close()
    subscriber.close()
    assert all(heard.topic.startswith(f"sentinel/v1/{NODE}/") for heard in subscriber.heard)
    assert [heard.envelope.body["state"] for heard in subscriber.on("presence")] == ["online", "offline"]


def test_a_broker_of_another_authority_is_not_talked_to(
    tmp_path: pathlib.Path, broker: Mosquitto, authority: Certificates, stranger: Certificates
) -> None:
    subscriber = county(broker, authority)
    node = node_with(tmp_path, broker, stranger, authority.of(NODE))
    with node.bridge():
        wait_for(lambda: "certificate does not verify" in last_error(node), "the reason in the status")
    subscriber.close()
    assert subscriber.heard == []


def test_without_a_certificate_of_its_own_a_node_is_not_let_in(
    tmp_path: pathlib.Path, broker: Mosquitto, authority: Certificates
) -> None:
    subscriber = county(broker, authority)
    node = node_with(tmp_path, broker, authority, None)
    with node.bridge():
        wait_for(lambda: "localhost" in last_error(node), "the reason in the status")
    subscriber.close()
    assert subscriber.heard == []


def test_a_certificate_of_another_authority_does_not_let_a_node_in(
    tmp_path: pathlib.Path, broker: Mosquitto, authority: Certificates, stranger: Certificates
) -> None:
    subscriber = county(broker, authority)
    node = node_with(tmp_path, broker, authority, stranger.of(NODE))
    with node.bridge():
        wait_for(lambda: "localhost" in last_error(node), "the reason in the status")
    subscriber.close()
    assert subscriber.heard == []


def test_a_node_cannot_speak_in_the_name_of_another(
    tmp_path: pathlib.Path, broker: Mosquitto, authority: Certificates
) -> None:
    subscriber = county(broker, authority)
    node = node_with(tmp_path, broker, authority, authority.of("371500/n0002"), NODE)
    with node.bridge():
        wait_for(lambda: "refuses a message" in last_error(node), "the refusal in the status")
    subscriber.close()
    assert subscriber.heard == []


def test_a_certificate_file_that_comes_late_is_found_without_a_restart(
    tmp_path: pathlib.Path, broker: Mosquitto, authority: Certificates
) -> None:
    missing = tmp_path / "ca.pem"
    bridge = {"ca_file": str(missing)}
    certificate, key = authority.of(NODE)
    node = Node(
        tmp_path / "node", site(broker.port, scheme="mqtts", cert_file=str(certificate), key_file=str(key), **bridge)
    )
    with node.bridge():
        wait_for(lambda: "No such file" in last_error(node), "the reason in the status")
        missing.write_bytes(authority.ca.read_bytes())
        wait_for(lambda: json.loads((node.run_dir / "bridge.json").read_text())["connected"], "the connection")
