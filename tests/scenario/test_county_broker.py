"""The county's broker, as its office configures it: whom it lets in, and who may say and hear what."""

import contextlib
import datetime
import json
import pathlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud_bridge.topics import Leaf
from configs.loader import parse_yaml, validate
from device.journal import JournalWriter
from hal.clock import SYSTEM_CLOCK
from tests.support.county import Node
from tests.support.enrolment import CountyBroker, Desk, Pole
from tests.support.journals import alert, wait_for
from tests.support.mosquitto import Subscriber, program
from tools.county.ca import authority, broker, certificates
from tools.county.ca.certificates import PrivateKey

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
ROOT = "sentinel/v1/371500"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    program("mosquitto", "mosquitto")
    return Desk(tmp_path_factory.mktemp("office"))


@pytest.fixture(scope="module")
def pole(desk: Desk) -> Pole:
    return desk.enrols("n0001")


@pytest.fixture(scope="module")
def neighbour(desk: Desk) -> Pole:
    return desk.enrols("n0002", "south")


@pytest.fixture(scope="module")
def mosquitto(desk: Desk, pole: Pole, neighbour: Pole) -> Iterator[CountyBroker]:
    with desk.broker() as running:
        yield running


def context(ca: pathlib.Path, pair: pathlib.Path | None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(ca))
    if pair is not None:
        made.load_cert_chain(pair)
    return made


def office(desk: Desk, *, port: int | None = None) -> Subscriber:
    tls = context(desk.broker_folder / "ca.pem", desk.ca / "office.pem")
    return Subscriber(port or desk.port + 1, tls=tls)


class Client:
    """Somebody with a node's key and certificate, who says and hears what they like."""

    def __init__(self, desk: Desk, pair: pathlib.Path, *, port: int | None = None, client_id: str = "anything") -> None:
        self.heard: list[str] = []
        self.lost = threading.Event()
        self._said: dict[int, int] = {}
        self._subscribed = threading.Event()
        connected = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
        client.tls_set_context(context(desk.broker_folder / "ca.pem", pair))
        client.on_connect = lambda *_args: connected.set()
        client.on_disconnect = lambda *_args: self.lost.set()
        client.on_subscribe = lambda *_args: self._subscribed.set()
        client.on_message = lambda _c, _u, message: self.heard.append(message.topic)
        client.on_publish = lambda _c, _u, mid, reason, _p: self._said.update({mid: reason.value})
        client.connect("localhost", port or desk.port)
        client.loop_start()
        assert connected.wait(20)
        self._client = client

    def says(self, topic: str, *, retain: bool = False) -> bool:
        """Whether the broker took it."""
        sent = self._client.publish(topic, b"{}", qos=1, retain=retain)
        wait_for(lambda: sent.mid in self._said, "the broker's answer")
        return self._said[sent.mid] < 0x80

    def listens_to(self, *topics: str) -> None:
        self._subscribed.clear()
        self._client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        assert self._subscribed.wait(20)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def thief(desk: Desk, pole: Pole, mosquitto: CountyBroker) -> Iterator[Client]:
    """Whoever took n0001 from its pole."""
    client = Client(desk, pole.pair)
    yield client
    client.close()


def node_of(pole: Pole, folder: pathlib.Path) -> Node:
    return Node(folder, validate(parse_yaml(pole.site.read_text(encoding="utf-8"), "site.yaml")))


def last_error(node: Node) -> str:
    path = node.run_dir / "bridge.json"
    return str(json.loads(path.read_text())["last_error"]) if path.exists() else ""


# Rights.


def test_an_enrolled_node_is_let_in_and_its_events_arrive(
    desk: Desk, pole: Pole, mosquitto: CountyBroker, tmp_path: pathlib.Path
) -> None:
    county, node = office(desk), node_of(pole, tmp_path)
    journal = JournalWriter(node.journal, SYSTEM_CLOCK)
    with node.bridge():
        journal.append(alert(1))
        county.wait(lambda: len(county.on("event", "backlog")) == 1, "the event")
    journal.close()
    county.close()
    assert {heard.topic.rpartition("/n0001/")[0] for heard in county.heard} == {ROOT}


@pytest.mark.parametrize("leaf", list(Leaf))
@pytest.mark.attack
def test_a_node_may_write_each_leaf_of_its_own_and_of_no_other(thief: Client, leaf: Leaf) -> None:
    assert thief.says(f"{ROOT}/n0001/{leaf.value}")
    assert not thief.says(f"{ROOT}/n0002/{leaf.value}")
    assert not thief.says(f"sentinel/v1/371600/n0001/{leaf.value}")


@pytest.mark.parametrize(
    "topic",
    [
        f"{ROOT}/n0001/command/self_test",
        f"{ROOT}/n0002/command/self_test",
        f"{ROOT}/_group/north/bundle",
        f"{ROOT}/_group/south/bundle",
        f"{ROOT}/n0001/presence/n0002",
        f"{ROOT}/n0001/config",
        f"{ROOT}/n0001",
        "sentinel/v1/n0001/event",
        "anything",
    ],
)
@pytest.mark.attack
def test_a_node_gives_no_commands_and_signs_nothing(thief: Client, topic: str) -> None:
    assert not thief.says(topic)


@pytest.mark.attack
def test_a_node_hears_its_own_commands_and_its_own_groups_bundle_and_nothing_else(desk: Desk, thief: Client) -> None:
    county = Client(desk, desk.ca / "office.pem", port=desk.port + 1)
    told = [f"{ROOT}/_group/south/bundle", f"{ROOT}/n0002/command/say", f"{ROOT}/_group/north/bundle"]
    thief.listens_to("#", *told, f"{ROOT}/n0002/health", f"{ROOT}/+/command/#", "$SYS/broker/clients/total")
    assert thief.says(f"{ROOT}/n0001/event")
    for topic in (*told, f"{ROOT}/n0001/command/say"):
        assert county.says(topic)
    wait_for(lambda: any(topic.endswith("n0001/command/say") for topic in thief.heard), "the last of them")
    county.close()
    assert set(thief.heard) == {f"{ROOT}/_group/north/bundle", f"{ROOT}/n0001/command/say"}


def test_a_node_that_came_later_hears_its_group_once_the_broker_was_told(desk: Desk, mosquitto: CountyBroker) -> None:
    pole, bundle = desk.enrols("n0006"), f"{ROOT}/_group/north/bundle"
    county, node = Client(desk, desk.ca / "office.pem", port=desk.port + 1), Client(desk, pole.pair)
    node.listens_to(bundle)
    assert county.says(bundle)
    assert node.says(f"{ROOT}/n0006/event")
    assert node.heard == []
    desk.does("broker", "config", str(desk.broker_folder), county=True, answers=0)
    mosquitto.reload()
    wait_for(lambda: county.says(bundle) and bundle in node.heard, "the bundle of its group")
    node.close()
    county.close()


@pytest.mark.attack
def test_a_node_cannot_throw_another_out_by_its_name(
    desk: Desk, pole: Pole, neighbour: Pole, mosquitto: CountyBroker
) -> None:
    victim = Client(desk, neighbour.pair, client_id="371500/n0002")
    rival = Client(desk, pole.pair, client_id="371500/n0002")
    assert rival.says(f"{ROOT}/n0001/event")
    assert victim.says(f"{ROOT}/n0002/event")
    assert not victim.lost.is_set()
    rival.close()
    victim.close()


def test_several_programs_of_the_office_are_connected_at_once(desk: Desk, mosquitto: CountyBroker) -> None:
    one, other = (Client(desk, desk.ca / "office.pem", port=desk.port + 1, client_id=name) for name in ("a", "b"))
    assert other.says(f"{ROOT}/n0001/command/say")
    assert one.says(f"{ROOT}/n0001/command/say")
    assert not one.lost.is_set()
    one.close()
    other.close()


def test_the_offices_listener_is_for_this_machine_alone(desk: Desk, mosquitto: CountyBroker) -> None:
    socket.create_connection(("127.0.0.2", desk.port), timeout=20).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", desk.port + 1), timeout=20)


# Who is let in.


def knock(port: int, tls: ssl.SSLContext | None, name: str = "localhost") -> str:
    """``let in``, or why not, as the client has it."""
    hello = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x01x"  # CONNECT of MQTT 5, client id "x"
    try:
        with contextlib.ExitStack() as stack:
            sock: socket.socket = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            if tls is not None:
                sock = stack.enter_context(tls.wrap_socket(sock, server_hostname=name))
            sock.sendall(hello)
            answer = sock.recv(4)
    except ssl.SSLError as error:
        return str(error).lower().replace("_", " ")
    except ConnectionError:
        return "closed"
    return "let in" if answer[:1] == b"\x20" and answer[3:] == b"\0" else "closed"


def refused(port: int, tls: ssl.SSLContext) -> str:
    """Why nobody is let in, by TLS 1.2, where the broker says so before anything else is sent; by 1.3 neither."""
    assert knock(port, tls) != "let in"
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    return knock(port, tls)


@pytest.fixture(scope="module")
def key(desk: Desk) -> PrivateKey:
    return authority.open_key(desk.ca, lambda _name, _new: b"four words of the office")


def pair(folder: pathlib.Path, own: PrivateKey, certificate: x509.Certificate) -> pathlib.Path:
    path = folder / "pair.pem"
    path.write_bytes(broker._pair(own, certificate))
    return path


def client_pair(folder: pathlib.Path, desk: Desk, key: PrivateKey, made: datetime.datetime) -> pathlib.Path:
    own, ca = certificates.new_key(), desk.authority().certificate
    return pair(folder, own, certificates.for_client("371500/n0001", own.public_key(), ca, key, made))


def test_the_county_lets_its_own_node_in(desk: Desk, pole: Pole, mosquitto: CountyBroker) -> None:
    tls = context(pole.county / "ca.pem", pole.pair)
    assert knock(desk.port, tls) == "let in"
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    assert knock(desk.port, tls) == "let in"


@pytest.mark.parametrize("behind", [0, 1])
@pytest.mark.tls_negative
def test_without_tls_nobody_is_let_in(desk: Desk, mosquitto: CountyBroker, behind: int) -> None:
    assert knock(desk.port + behind, None) == "closed"


@pytest.mark.parametrize("behind", [0, 1])
@pytest.mark.tls_negative
def test_without_a_certificate_nobody_is_let_in(desk: Desk, mosquitto: CountyBroker, behind: int) -> None:
    assert "handshake failure" in refused(desk.port + behind, context(desk.broker_folder / "ca.pem", None))


@pytest.mark.tls_negative
def test_old_tls_is_refused(desk: Desk, pole: Pole, mosquitto: CountyBroker) -> None:
    tls = context(pole.county / "ca.pem", pole.pair)
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = ssl.TLSVersion.TLSv1
    tls.maximum_version = ssl.TLSVersion.TLSv1_1
    assert "protocol version" in knock(desk.port, tls)


@pytest.mark.tls_negative
def test_a_node_of_another_county_is_refused(desk: Desk, mosquitto: CountyBroker, tmp_path: pathlib.Path) -> None:
    stranger = Desk(tmp_path / "stranger").enrols("n0001")
    assert "unknown ca" in refused(desk.port, context(desk.broker_folder / "ca.pem", stranger.pair))


@pytest.mark.tls_negative
def test_a_certificate_that_is_over_is_refused(
    desk: Desk, key: PrivateKey, mosquitto: CountyBroker, tmp_path: pathlib.Path
) -> None:
    over = client_pair(tmp_path, desk, key, NOW - certificates.CLIENT_TERM - DAY)
    assert "certificate expired" in refused(desk.port, context(desk.broker_folder / "ca.pem", over))


@pytest.mark.tls_negative
def test_a_certificate_that_has_not_begun_is_refused(
    desk: Desk, key: PrivateKey, mosquitto: CountyBroker, tmp_path: pathlib.Path
) -> None:
    early = client_pair(tmp_path, desk, key, NOW + 3 * DAY)
    assert "bad certificate" in refused(desk.port, context(desk.broker_folder / "ca.pem", early))


@pytest.mark.tls_negative
def test_the_certificate_of_a_broker_lets_nobody_in(desk: Desk, pole: Pole, mosquitto: CountyBroker) -> None:
    tls = context(pole.county / "ca.pem", desk.broker_folder / "broker.pem")
    assert "unsupported certificate" in refused(desk.port, tls)


@pytest.mark.tls_negative
def test_a_node_that_was_revoked_is_out_and_the_others_are_not(desk: Desk, mosquitto: CountyBroker) -> None:
    gone, stays = desk.enrols("n0003"), desk.enrols("n0004")
    assert [knock(desk.port, context(one.county / "ca.pem", one.pair)) for one in (gone, stays)] == ["let in"] * 2
    desk.does("revoke", "n0003")
    desk.does("broker", "config", str(desk.broker_folder), county=True, answers=0)
    mosquitto.restart()
    assert "certificate revoked" in refused(desk.port, context(gone.county / "ca.pem", gone.pair))
    assert knock(desk.port, context(stays.county / "ca.pem", stays.pair)) == "let in"


@pytest.mark.tls_negative
def test_after_a_replacement_the_new_certificate_counts_and_the_old_one_no_longer(
    desk: Desk, mosquitto: CountyBroker, tmp_path: pathlib.Path
) -> None:
    pole = desk.enrols("n0005")
    old = tmp_path / "old.pem"
    old.write_bytes(pole.pair.read_bytes())
    package = desk.another_package("n0005")
    assert knock(desk.port, context(pole.county / "ca.pem", old)) == "let in"
    pole.joins(desk, package)
    desk.does("broker", "config", str(desk.broker_folder), county=True, answers=0)
    mosquitto.restart()
    assert "certificate revoked" in refused(desk.port, context(pole.county / "ca.pem", old))
    assert knock(desk.port, context(pole.county / "ca.pem", pole.pair)) == "let in"


# Which broker a node talks to.


def refusal(desk: Desk, pole: Pole, own: pathlib.Path, folder: pathlib.Path) -> str:
    """What a node's bridge says of the broker with another certificate."""
    kept = desk.broker_folder / "broker.pem"
    before = kept.read_bytes()
    kept.write_bytes(own.read_bytes())
    try:
        running = CountyBroker(desk)
        with running, node_of(pole, folder).bridge():
            node = node_of(pole, folder)
            wait_for(lambda: "certificate" in last_error(node), "the reason in the status")
            return last_error(node)
    finally:
        kept.write_bytes(before)


@pytest.fixture
def quiet(desk: Desk, mosquitto: CountyBroker) -> Iterator[None]:
    """The county's own broker stands still meanwhile."""
    mosquitto.stop()
    yield
    mosquitto.start()


def broker_pair(folder: pathlib.Path, ca: x509.Certificate, key: PrivateKey, **how: Any) -> pathlib.Path:
    own = certificates.new_key()
    host, made = how.get("host", "localhost"), how.get("made", NOW)
    return pair(folder, own, certificates.for_broker(host, own.public_key(), ca, key, made))


@pytest.mark.usefixtures("quiet")
@pytest.mark.tls_negative
def test_a_broker_of_another_authority_is_not_talked_to(desk: Desk, pole: Pole, tmp_path: pathlib.Path) -> None:
    key = certificates.new_key()
    ca = certificates.authority("371500", key, NOW)
    assert "does not verify" in refusal(desk, pole, broker_pair(tmp_path, ca, key), tmp_path)


@pytest.mark.usefixtures("quiet")
@pytest.mark.tls_negative
def test_a_broker_of_another_name_is_not_talked_to(
    desk: Desk, pole: Pole, key: PrivateKey, tmp_path: pathlib.Path
) -> None:
    own = broker_pair(tmp_path, desk.authority().certificate, key, host="mqtt.example.net")
    assert "Hostname mismatch" in refusal(desk, pole, own, tmp_path)


@pytest.mark.usefixtures("quiet")
@pytest.mark.tls_negative
def test_a_broker_whose_certificate_is_over_is_not_talked_to(
    desk: Desk, pole: Pole, key: PrivateKey, tmp_path: pathlib.Path
) -> None:
    made = NOW - certificates.BROKER_TERM - DAY
    own = broker_pair(tmp_path, desk.authority().certificate, key, made=made)
    assert "certificate has expired" in refusal(desk, pole, own, tmp_path)


@pytest.mark.usefixtures("quiet")
@pytest.mark.tls_negative
def test_a_broker_whose_certificate_has_not_begun_is_not_talked_to(
    desk: Desk, pole: Pole, key: PrivateKey, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "EPOCH", NOW + DAY)
    own = broker_pair(tmp_path, desk.authority().certificate, key)
    assert "not yet valid" in refusal(desk, pole, own, tmp_path)


@pytest.mark.usefixtures("quiet")
@pytest.mark.tls_negative
def test_a_stolen_pole_cannot_play_the_broker(desk: Desk, pole: Pole, neighbour: Pole, tmp_path: pathlib.Path) -> None:
    assert "unsuitable certificate purpose" in refusal(desk, pole, neighbour.pair, tmp_path)


def test_a_node_whose_clock_stands_at_1970_still_knows_its_broker(
    desk: Desk, pole: Pole, mosquitto: CountyBroker
) -> None:
    words = ["verify", "-attime", "1", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost"]
    files = ["-CAfile", str(pole.county / "ca.pem"), str(desk.broker_folder / "broker.pem")]
    done = subprocess.run([program("openssl", "openssl"), *words, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# The broker's folder.


def test_the_offices_key_is_asked_for_only_when_the_broker_needs_another_certificate(
    desk: Desk, mosquitto: CountyBroker
) -> None:
    before = (desk.broker_folder / "broker.pem").read_bytes()
    desk.does("broker", "config", str(desk.broker_folder), county=True, answers=0)
    assert (desk.broker_folder / "broker.pem").read_bytes() == before
    assert (desk.broker_folder / "broker.pem").stat().st_mode & 0o777 == 0o600
    found = desk.authority()
    soon = x509.load_pem_x509_certificate(before).not_valid_after_utc - broker.EARLY + DAY
    assert broker.serves(desk.broker_folder, found, NOW)
    assert not broker.serves(desk.broker_folder, found, soon)
    assert not broker.serves(desk.broker_folder, found.model_copy(update={"broker": "mqtts://else:8883"}), NOW)
    assert not broker.serves(desk.files, found, NOW)
