"""What the county sees of a node's health and configuration, and how soon."""

import json
import pathlib
import time
from collections.abc import Iterator

import pytest

from cloud_bridge.topics import ConfigReportedBody, HealthBody
from device.journal import JournalWriter
from hal.clock import SYSTEM_CLOCK
from tests.support.county import FakeCore, Node, site
from tests.support.journals import alert, wait_for
from tests.support.mosquitto import Mosquitto, Subscriber


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
    return Node(tmp_path / "node", site(broker.port))


@pytest.fixture
def core(node: Node) -> Iterator[FakeCore]:
    core = FakeCore(node.run_dir, node.config)
    yield core
    core.close()


def healths(county: Subscriber) -> list[HealthBody]:
    return [HealthBody.model_validate(heard.envelope.body) for heard in county.on("health")]


def test_health_and_configuration_are_there_for_whoever_comes_later(
    broker: Mosquitto, node: Node, core: FakeCore
) -> None:
    journal = JournalWriter(node.journal, SYSTEM_CLOCK)
    journal.append(alert(1))
    with node.bridge():
        wait_for(lambda: core.asked >= 2, "the bridge asking core")
        late = Subscriber(broker.port)
        late.wait(lambda: bool(late.on("health") and late.on("config/reported") and late.on("presence")), "retained")
        assert all(heard.retained for heard in late.on("health", "config/reported", "presence")[:3])
        late.wait(lambda: bool(late.on("backlog")), "the event")
        late.close()
    journal.close()
    body = healths(late)[0]
    assert body.core == "running" and body.version == "0.1.0" and body.clock_quality == "synced"
    assert body.faces["branch_south"].health == "ok"
    assert body.parts["guard"].state == "OK"
    assert body.parts["r_east"].counters == {"frames": 7, "bad": 0}
    assert body.latency_ms["radar"] == {"p50": 1.0, "p99": 2.0, "max": 3.0, "count": 10}
    reported = ConfigReportedBody.model_validate(late.on("config/reported")[0].envelope.body)
    assert reported.sha256 == body.config_sha256 and set(reported.sections) >= {"site", "bridge", "policy"}
    keys = [(heard.envelope.stream, heard.envelope.seq) for heard in late.heard]
    assert len(set(keys)) == len(keys), "no message of the bridge's own can be taken for another, or for an event"


def test_a_change_of_health_is_told_within_two_seconds_and_a_change_of_counters_is_not(
    county: Subscriber, node: Node, core: FakeCore
) -> None:
    with node.bridge():
        county.wait(lambda: len(healths(county)) >= 1, "the first health")
        asked = core.asked
        core.change("uptime_s", 99.0)
        core.change("sensors", {"r_east": {"kind": "radar", "state": "ok", "counters": {"frames": 5000}}})
        wait_for(lambda: core.asked >= asked + 3, "core being asked three times more")
        told = len(healths(county))
        changed_at = time.monotonic()
        core.change("faces", {"branch_south": {"health": "degraded", "reasons": ["r_east unheard for 0.6 s"]}})
        core.change("parts", {"r_east": {"state": "STALE", "problem": "unheard for 612 ms"}})
        county.wait(lambda: len(healths(county)) > told, "the change")
        # 2 s is the contract; the margin is for a machine that runs other tests as well.
        assert county.on("health")[told].at_s - changed_at < 2.0 + 1.0
        asked, told = core.asked, told + 1
        core.change("parts", {"r_east": {"state": "STALE", "problem": "unheard for 1612 ms"}})
        wait_for(lambda: core.asked >= asked + 3, "core being asked three times more")
        assert len(healths(county)) == told, "a number that counts up is no news"
    assert healths(county)[-1].faces["branch_south"].health == "degraded"
    assert healths(county)[-1].parts["r_east"].state == "STALE"


def test_a_core_that_does_not_answer_is_told(county: Subscriber, node: Node) -> None:
    with node.bridge():
        county.wait(lambda: len(healths(county)) >= 1, "the first health")
        assert healths(county)[0].core == "not_running" and "core.sock" in (healths(county)[0].problem or "")
        core = FakeCore(node.run_dir, node.config)
        county.wait(lambda: healths(county)[-1].core == "running", "core coming up")
        core.close()
        (node.run_dir / "core.sock").unlink()
        county.wait(lambda: healths(county)[-1].core == "not_running", "core going away")


def test_a_broker_that_forgot_everything_is_told_again(broker: Mosquitto, node: Node, core: FakeCore) -> None:
    with node.bridge():
        wait_for(lambda: core.asked >= 2, "the bridge asking core")
        broker.kill()
        broker.start()
        late = Subscriber(broker.port)
        leaves = ("presence", "health", "config/reported")
        late.wait(lambda: all(late.on(leaf) for leaf in leaves), "what is retained")
        late.close()


def test_a_status_in_another_shape_is_read_as_far_as_it_goes(county: Subscriber, node: Node, core: FakeCore) -> None:
    for section, value in {"config": None, "faces": [], "parts": {"x": None}, "clock": 3, "latency_ms": None}.items():
        core.change(section, value)
    with node.bridge():
        county.wait(lambda: len(healths(county)) >= 1, "a health")
    assert healths(county)[0].core == "running" and healths(county)[0].parts["x"].state == "unknown"
    assert county.on("config/reported") == []


def test_the_broker_gone_is_written_where_the_screen_reads_it(broker: Mosquitto, node: Node, core: FakeCore) -> None:
    file = node.run_dir / "bridge.json"
    with node.bridge():
        wait_for(lambda: file.exists() and json.loads(file.read_text())["connected"], "the connection")
        broker.kill()
        wait_for(lambda: not json.loads(file.read_text())["connected"], "its end")
    values = json.loads(file.read_text())
    assert {"connected", "sent", "confirmed", "backlog", "last_error", "mono_ns"} <= set(values)
    assert str(broker.port) in values["last_error"]


def test_a_journal_that_begins_to_lose_or_began_anew_is_told_at_once(
    county: Subscriber, node: Node, core: FakeCore
) -> None:
    with node.bridge():
        county.wait(lambda: len(healths(county)) >= 1, "the first health")
        told = len(healths(county))
        lost = {"telemetry": 2000, "event": 0, "alert": 0}
        core.change("journal", {"stream": "x", "problem": None, "losing": True, "lost": lost, "set_aside": 0})
        county.wait(lambda: len(healths(county)) > told, "the losing")
        body = healths(county)[-1].journal
        assert body.losing and body.lost.model_dump() == lost
        asked, told = core.asked, len(healths(county))
        core.change("journal", {"stream": "x", "losing": True, "lost": lost | {"telemetry": 4000}})
        wait_for(lambda: core.asked >= asked + 3, "core being asked three times more")
        assert len(healths(county)) == told, "that it goes on is no news"
        core.change("journal", {"stream": "y", "losing": False, "set_aside": 1})
        county.wait(lambda: len(healths(county)) > told, "the new stream")
    assert healths(county)[-1].journal.stream == "y" and healths(county)[-1].journal.set_aside == 1
