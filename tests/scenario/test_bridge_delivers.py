"""The bridge against a real Mosquitto: every journalled event arrives, whatever happens to the broker or the bridge."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cloud_bridge.topics import event_envelope
from device.events import EventKind
from device.ipc import EXIT_RESTART
from device.journal import JournalWriter
from hal.clock import SYSTEM_CLOCK
from tests.support.county import QUICK, FakeCore, Node, site
from tests.support.journals import alert, event, rows_of, wait_for
from tests.support.mosquitto import Heard, Mosquitto, Subscriber, program

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def broker(tmp_path: pathlib.Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def county(broker: Mosquitto) -> Iterator[Subscriber]:
    subscriber = Subscriber(broker.port)
    yield subscriber
    subscriber.close()


@pytest.fixture
def node(tmp_path: pathlib.Path, broker: Mosquitto) -> Node:
    return Node(tmp_path / "node", site(broker.port, backlog_per_s=200))


@pytest.fixture
def journal(node: Node) -> Iterator[JournalWriter]:
    writer = JournalWriter(node.journal, SYSTEM_CLOCK)
    assert writer.flush(10)
    yield writer
    writer.close()


def presence(county: Subscriber) -> list[object]:
    return [heard.envelope.body["state"] for heard in county.on("presence")]


def events(county: Subscriber) -> dict[int, Heard]:
    """Events by seq, as a county keeps them: the first of each (stream, seq)."""
    kept: dict[int, Heard] = {}
    for heard in county.on("event", "backlog"):
        kept.setdefault(heard.envelope.seq, heard)
    return kept


def status(node: Node) -> dict[str, object]:
    path = node.run_dir / "bridge.json"
    return json.loads(path.read_text()) if path.exists() else {}  # type: ignore[no-any-return]


def test_events_arrive_as_they_were_journalled_those_from_before_as_backlog(
    county: Subscriber, node: Node, journal: JournalWriter
) -> None:
    for n in range(30):
        journal.append(event(list(EventKind)[n % len(EventKind)], n))
    assert journal.flush(10)
    with node.bridge():
        county.wait(lambda: presence(county) == ["online"], "the node coming online")
        county.wait(lambda: len(events(county)) >= 30, "what was journalled before")
        for n in range(30, 60):
            journal.append(alert(n))
        county.wait(lambda: len(events(county)) >= 60, "what is journalled now")
        county.wait(lambda: status(node).get("confirmed") == 60, "the confirmations")
        assert status(node)["connected"] is True and status(node)["backlog"] == 0
    rows = rows_of(node.journal)
    assert [heard.envelope for _, heard in sorted(events(county).items())] == [event_envelope(row) for row in rows]
    assert [heard.envelope.seq for heard in county.on("backlog")] == list(range(1, 31))
    assert [heard.envelope.seq for heard in county.on("event")] == list(range(31, 61))
    assert events(county)[60].envelope.body == {"face": "branch_south", "n": 59, "level": "alert"}
    assert presence(county) == ["online", "offline"]
    assert county.on("presence")[-1].envelope.body["reason"] == "stopped"
    assert status(node)["connected"] is False
    assert node.exit_code == 0


def test_a_broker_that_dies_and_returns_costs_nothing_and_live_goes_first(
    broker: Mosquitto, county: Subscriber, tmp_path: pathlib.Path
) -> None:
    node = Node(tmp_path / "slow", site(broker.port, backlog_per_s=40))
    journal = JournalWriter(node.journal, SYSTEM_CLOCK)
    with node.bridge():
        county.wait(lambda: presence(county) == ["online"], "the node coming online")
        for n in range(20):
            journal.append(alert(n))
        county.wait(lambda: len(events(county)) == 20, "the first events")
        broker.kill()
        wait_for(lambda: status(node).get("connected") is False, "the bridge noticing")
        kept = set(range(21, 101))  # the first twenty may be backlog too, where the bridge looked after they were there
        for n in range(20, 100):
            journal.append(alert(n))
        assert journal.flush(10)
        broker.start()  # it has lost its sessions, so the county may come back later than the node
        # More than can be in flight at once: these were sent after the county was back to hear them. What is journalled
        # while nobody listens is backlog too.
        county.wait(lambda: len(set(events(county)) & kept) >= 12, "the first of the backlog")
        for n in range(100, 110):
            journal.append(alert(n))
        county.wait(lambda: len(events(county)) == 110, "everything")
    journal.close()
    assert set(events(county)) == set(range(1, 111))
    backlog = [heard.envelope.seq for heard in county.on("backlog")]
    last_heard = list(dict.fromkeys(reversed(backlog)))  # the first few may come twice, the county coming back midway
    assert last_heard == sorted(last_heard, reverse=True) and last_heard[0] == 100
    last_live = max(heard.at_s for heard in county.on("event"))
    assert last_live < county.on("backlog")[-1].at_s, "ten live events did not wait for eighty old ones"
    assert [heard.envelope.seq for heard in county.on("event")][-10:] == list(range(101, 111))


def test_a_broker_that_dies_again_and_again_is_come_back_to_soon_while_it_takes_events(
    broker: Mosquitto, county: Subscriber, node: Node, journal: JournalWriter, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody leaves a broker alone for longer and longer that has just taken twenty events."""
    backoff = dataclasses.replace(QUICK, steady_s=3600.0, worth_messages=20)
    with node.bridge(backoff):
        said = []
        for round_, events in enumerate((20, 20, 0)):
            for n in range(events):
                journal.append(alert(n))
            told = 20 * min(round_ + 1, 2)
            county.wait(lambda told=told: status(node).get("confirmed", 0) >= told, "the confirmations")  # type: ignore[misc]
            wait_for(lambda: status(node)["connected"] is True, "the connection")
            caplog.clear()
            broker.kill()
            wait_for(lambda: "failures=" in caplog.text, "the bridge noticing")
            said.append(caplog.text.partition("failures=")[2].split()[0])
            broker.start()
        assert said[:2] == ["1", "1"] and said[2] != "1"


def test_a_broker_that_is_down_at_the_start_is_waited_for(
    broker: Mosquitto, node: Node, journal: JournalWriter
) -> None:
    broker.stop()
    with node.bridge():
        for n in range(5):
            journal.append(alert(n))
        wait_for(lambda: "refused" in str(status(node).get("last_error")).lower(), "the reason in the status")
        wait_for(lambda: status(node).get("lag") == 5, "what waits in the status")
        broker.start()
        county = Subscriber(broker.port)
        county.wait(lambda: status(node).get("confirmed") == 5, "all five")
        wait_for(lambda: status(node).get("last_error") is None, "the error leaving the status")
        county.close()


def test_a_journal_that_comes_later_than_the_bridge(county: Subscriber, node: Node) -> None:
    with node.bridge():
        county.wait(lambda: presence(county) == ["online"], "the node coming online without a journal")
        writer = JournalWriter(node.journal, SYSTEM_CLOCK)
        writer.append(alert(1))
        county.wait(lambda: len(events(county)) == 1, "the first event")
        node.journal.unlink()  # a damaged journal is put aside: the next one begins a new stream
        writer.append(alert(2))
        county.wait(lambda: len({heard.envelope.stream for heard in county.on("event", "backlog")}) == 2, "the second")
        writer.close()


def start_bridge_process(node: Node) -> subprocess.Popen[bytes]:
    config = node.run_dir / "site.json"
    config.write_text(node.config.model_dump_json())
    command = [sys.executable, "-m", "cloud_bridge", "--config", str(config)]
    folders = ["--run-dir", str(node.run_dir), "--state-dir", str(node.state_dir)]
    return subprocess.Popen([*command, *folders], cwd=ROOT)


def test_a_bridge_that_is_killed_is_declared_lost_and_repeats_only_what_it_had_not_noted(
    county: Subscriber, node: Node, journal: JournalWriter
) -> None:
    with start_bridge_process(node) as process:
        county.wait(lambda: presence(county) == ["online"], "the node coming online")
        for n in range(50):
            journal.append(alert(n))
        county.wait(lambda: len(events(county)) >= 40, "most events")
        process.kill()
    county.wait(lambda: presence(county) == ["online", "offline"], "the Last Will")
    will = county.on("presence")[-1]
    assert will.envelope.body["reason"] == "lost"
    for n in range(50, 60):
        journal.append(alert(n))
    with start_bridge_process(node) as process:
        county.wait(lambda: len(events(county)) == 60, "the rest")
        county.wait(lambda: status(node).get("lag") == 0, "the last confirmation")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    envelopes = [heard.envelope for heard in county.on("event", "backlog")]
    by_seq = {envelope.seq: envelope for envelope in envelopes}
    assert set(by_seq) == set(range(1, 61))
    assert all(envelope == by_seq[envelope.seq] for envelope in envelopes), "duplicates are equal to the byte's meaning"
    assert presence(county)[-2:] == ["online", "offline"]


def test_a_restart_in_good_order_repeats_nothing(county: Subscriber, node: Node, journal: JournalWriter) -> None:
    for start in (0, 10):
        with node.bridge():
            for n in range(start, start + 10):
                journal.append(alert(n))
            county.wait(lambda start=start: len(events(county)) == start + 10, "the events")  # type: ignore[misc]
            wait_for(lambda: status(node).get("lag") == 0, "the last confirmation")
    assert sorted(heard.envelope.seq for heard in county.on("event", "backlog")) == list(range(1, 21))


def test_two_bridges_in_one_process_keep_apart(broker: Mosquitto, county: Subscriber, tmp_path: pathlib.Path) -> None:
    names = ["371500/n0001", "371500/n0002"]
    nodes = [Node(tmp_path / name, site(broker.port, name)) for name in names]
    writers = [JournalWriter(node.journal, SYSTEM_CLOCK) for node in nodes]
    with nodes[0].bridge(), nodes[1].bridge():
        county.wait(lambda: len(county.on("presence")) == 2, "both coming online")
        for n in range(20):
            for index, writer in enumerate(writers):
                writer.append(alert(1000 * index + n))
        county.wait(lambda: len(county.on("event", "backlog")) == 40, "the events of both")
    for index, (name, writer) in enumerate(zip(names, writers, strict=True)):
        mine = [heard.envelope for heard in county.on("event", "backlog") if f"/{name}/" in heard.topic]
        assert sorted(envelope.body["n"] for envelope in mine) == [1000 * index + n for n in range(20)]  # type: ignore[type-var]
        assert {envelope.stream for envelope in mine} == {writer.stream()}
        writer.close()


def test_a_broker_that_withholds_its_confirmations_is_not_flooded(
    broker: Mosquitto, county: Subscriber, node: Node, journal: JournalWriter
) -> None:
    with node.bridge():
        county.wait(lambda: presence(county) == ["online"], "the node coming online")
        broker.pause()
        for n in range(200):
            journal.append(alert(n))
        assert journal.flush(10)
        wait_for(lambda: int(str(status(node).get("sent", 0))) >= 16, "the allowed messages in flight")
        wait_for(lambda: status(node).get("lag") == 200, "the rest waiting on the disk")
        assert status(node)["sent"] == 16
        broker.resume()
        county.wait(lambda: len(events(county)) == 200, "everything")
    assert [heard.envelope.seq for heard in county.on("event")] == list(range(1, 201))


def test_a_broker_that_allows_little_in_flight_gets_no_more(tmp_path: pathlib.Path) -> None:
    with Mosquitto(tmp_path / "narrow", ["max_inflight_messages 3"]) as broker:
        county = Subscriber(broker.port)
        node = Node(tmp_path / "node", site(broker.port, backlog_per_s=200))
        writer = JournalWriter(node.journal, SYSTEM_CLOCK)
        with node.bridge():
            for n in range(100):
                writer.append(alert(n))
            county.wait(lambda: len(events(county)) == 100, "everything")
        writer.close()
        county.close()
        assert presence(county) == ["online", "offline"], "the broker never had to throw the node out"


def test_a_password_is_sent_and_a_wrong_one_is_named(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    passwords = folder / "passwords"
    subprocess.run([program("mosquitto_passwd", "mosquitto"), "-b", "-c", str(passwords), "node", "right"], check=True)
    os.chmod(passwords, 0o644)  # noqa: PTH101
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    with Mosquitto(folder, [f"password_file {passwords}"], anonymous=False) as broker:
        node = Node(tmp_path / "node", site(broker.port, username="node", password_file=str(secret)))
        with node.bridge():
            wait_for(lambda: "refuses" in str(status(node).get("last_error")), "the refusal in the status")
            secret.write_text("right\n")  # read anew at each attempt
            wait_for(lambda: status(node).get("connected") is True, "the connection")


def test_a_broker_that_refuses_events_loses_none_of_them(tmp_path: pathlib.Path) -> None:
    acl = tmp_path / "acl"
    topics = ["presence", "health", "config/reported"]
    acl.write_text("".join(f"pattern write sentinel/v1/371500/n0001/{topic}\n" for topic in topics))
    acl.chmod(0o644)
    with Mosquitto(tmp_path / "broker", [f"acl_file {acl}"]) as broker:
        node = Node(tmp_path / "node", site(broker.port))
        writer = JournalWriter(node.journal, SYSTEM_CLOCK)
        writer.append(alert(1))
        with node.bridge():
            wait_for(lambda: "refuses a message" in str(status(node).get("last_error")), "the refusal in the status")
            assert status(node)["connected"] is True
            wait_for(lambda: status(node).get("lag") == 1, "the event still waiting")
        assert status(node)["confirmed"] == 0
        writer.close()


def test_events_that_nobody_is_subscribed_to_are_kept_until_somebody_is(
    broker: Mosquitto, node: Node, journal: JournalWriter
) -> None:
    with node.bridge():
        for n in range(5):
            journal.append(alert(n))
        wait_for(lambda: "nobody is subscribed" in str(status(node).get("last_error")), "the reason in the status")
        assert status(node)["confirmed"] == 0
        county = Subscriber(broker.port)
        county.wait(lambda: len(events(county)) == 5, "all five")
        wait_for(lambda: status(node).get("lag") == 0 and status(node)["last_error"] is None, "the all-clear")
        county.close()


def test_a_changed_bridge_section_asks_for_a_restart(node: Node) -> None:
    core = FakeCore(node.run_dir, node.config)
    with node.bridge():
        wait_for(lambda: core.asked >= 1, "the bridge asking core")
        other = site(1, backlog_per_s=7)
        changed = FakeCore.sections_of(other)
        core.change("config", {"path": "site.yaml", "sha256": "new", "sections": changed})
        wait_for(lambda: node.exit_code is not None, "the bridge ending")
    core.close()
    assert node.exit_code == EXIT_RESTART
