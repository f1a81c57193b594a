"""``sentinel-county command`` and the bridge, a real Mosquitto in between: asked, done, answered, or said why not."""

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cloud_bridge.topics import HealthBody
from device.control import ControlServer
from device.ipc import CORE_SOCKET
from device.provisioning import enrolment, trusted
from device.provisioning.enrolment import Enrolment
from device.provisioning.verify import verify
from tests.support.county import Node, site
from tests.support.journals import wait_for
from tests.support.mosquitto import Heard, Mosquitto, Subscriber
from tests.support.office import COUNTY, NODE
from tests.support.office_today import OfficeOfToday, answer

TOPICS = f"sentinel/v1/{COUNTY}/{NODE.node}"


class Desk(OfficeOfToday):
    """An office and one node of it whose core keeps what it was asked."""

    def __init__(self, folder: pathlib.Path, broker: Mosquitto) -> None:
        super().__init__(folder, broker)
        self.node = Node(folder / "node", site(broker.port, f"{COUNTY}/{NODE.node}"))
        enrolment.write(self.node.state_dir, Enrolment(county=COUNTY, group=NODE.group, node=NODE.node))
        county = self.node.state_dir / enrolment.FOLDER
        trusted.save(county, trusted.begin(self.repository.files["1.root.json"]))
        verify(self.bundle(), county, NODE)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.core = ControlServer(self.node.run_dir / CORE_SOCKET, self._answer)

    def _answer(self, verb: str, args: Mapping[str, Any]) -> Any:
        if verb != "status":
            self.asked.append((verb, args))
        return {"booting": False} if verb == "status" else dict(args)


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Iterator[Desk]:
    with Mosquitto(tmp_path / "broker") as broker:
        desk = Desk(tmp_path, broker)
        yield desk
        desk.core.close()


def listening(node: Node) -> bool:
    path = node.run_dir / "bridge.json"
    return path.exists() and json.loads(path.read_text())["connected"] is True


def problem(county: Subscriber) -> str | None:
    inbox = HealthBody.model_validate(county.on("health")[-1].envelope.body).inbox
    return None if inbox is None else inbox.problem


def test_a_lamp_test_is_asked_for_done_and_answered(desk: Desk) -> None:
    with desk.node.bridge():
        wait_for(lambda: listening(desk.node), "the bridge connected")
        result = desk.run("lamp_test", "lamp=l_branch", "shows=alert", "seconds=30")
    assert result.exit_code == 0, result.output
    assert answer(result)["outcome"] == "done"
    assert desk.asked == [("lamp", {"lamp": "l_branch", "shows": "alert", "seconds": 30.0})]
    assert not (desk.node.state_dir / "county" / "inbox").exists(), "a command is no bundle"


def test_what_core_refuses_comes_back_in_its_words(desk: Desk) -> None:
    desk.core.close()
    (desk.node.run_dir / CORE_SOCKET).unlink()
    with desk.node.bridge():
        wait_for(lambda: listening(desk.node), "the bridge connected")
        result = desk.run("say", "clip=right_vehicle")
    assert result.exit_code == 1 and "core.sock" in answer(result)["why"]


def test_a_node_that_is_away_is_said_to_be_and_never_hears_of_it(desk: Desk) -> None:
    result = desk.run("say", "clip=right_vehicle", "--wait", "20")
    assert result.exit_code == 3
    with desk.node.bridge():
        wait_for(lambda: listening(desk.node), "the bridge connected")
        assert desk.run("self_test").exit_code == 0
    assert desk.asked == []


def test_a_command_that_is_kept_or_comes_twice_is_done_once_at_most_and_says_why(desk: Desk) -> None:
    county = Subscriber(desk.broker.port)
    payload = desk.run("say", "clip=right_vehicle", send=False).output.strip().splitlines()[-1].encode()
    topic = f"{TOPICS}/command/say"

    def replies() -> list[tuple[str, str | None]]:
        heard: list[Heard] = county.on("reply")
        return [(each.envelope.body["outcome"], each.envelope.body["code"]) for each in heard]  # type: ignore[misc]

    county.publish(topic, payload, retain=True)
    with desk.node.bridge():
        county.wait(lambda: len(replies()) == 1, "the first answer")
        county.publish(topic, payload, retain=True)
        county.wait(lambda: len(replies()) == 2, "the answer to one that is kept from now on")
        county.publish(topic, b"", retain=True)  # taken back, which is no command
        county.publish(topic, payload)
        county.publish(topic, payload)
        county.wait(lambda: len(replies()) >= 4, "the other answers")
    county.close()
    assert replies() == [("refused", "retained"), ("refused", "retained"), ("done", None), ("refused", "replayed")]
    assert [verb for verb, _args in desk.asked] == ["say"]


def test_two_commands_in_one_second_are_two(desk: Desk) -> None:
    printed = [desk.run("self_test", send=False).output.strip().splitlines()[-1] for _ in range(3)]
    numbers = [json.loads(json.loads(line)["command"])["seq"] for line in printed]
    assert numbers == sorted(set(numbers)), "the node takes a number once, and no lower one"


def test_a_report_brings_the_health_anew(desk: Desk) -> None:
    county = Subscriber(desk.broker.port)
    with desk.node.bridge():
        county.wait(lambda: bool(county.on("health")), "the first health")
        before = len(county.on("health"))
        assert desk.run("report").exit_code == 0
        county.wait(lambda: len(county.on("health")) > before, "another health")
    county.close()
    assert HealthBody.model_validate(county.on("health")[-1].envelope.body).core == "running"


def test_a_flood_of_nonsense_is_counted_and_the_node_is_still_there(desk: Desk) -> None:
    county = Subscriber(desk.broker.port)
    with desk.node.bridge():
        county.wait(lambda: bool(county.on("health")), "the first health")
        for number in range(3000):
            county.publish(f"{TOPICS}/command/say", b"nonsense %d" % number)

        def told(now: int) -> bool:
            desk.run("report", "--wait", "2")
            inbox = HealthBody.model_validate(county.on("health")[-1].envelope.body).inbox
            return inbox is not None and inbox.commands_dropped > now

        wait_for(lambda: told(0), "the health to say so")
        wait_for(lambda: desk.run("self_test", "--wait", "5").exit_code == 0, "an answer to a command again")
    county.close()
    assert desk.asked == []


@pytest.mark.parametrize("words", [("say", "clip"), ("say", "clip=你好"), ("lamp_test", "shows=clear"), ("dance",)])
def test_what_is_no_command_is_not_sent(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.run(*words).exit_code == 2


def test_a_broker_that_takes_no_answers_is_named_and_costs_nothing_else(tmp_path: pathlib.Path) -> None:
    acl = tmp_path / "acl"
    own = "".join(f"topic write {TOPICS}/{leaf}\n" for leaf in ("presence", "health", "command/report"))
    acl.write_text(f"{own}topic read {TOPICS}/#\n")
    acl.chmod(0o644)
    with Mosquitto(tmp_path / "broker", [f"acl_file {acl}"]) as broker:
        desk = Desk(tmp_path, broker)
        county = Subscriber(broker.port, topic=f"{TOPICS}/health")
        with desk.node.bridge():
            county.wait(lambda: bool(county.on("health")), "the first health")
            assert desk.run("report", "--wait", "1").exit_code == 3
            county.wait(lambda: "refuses a message" in str(problem(county)), "the refusal in the health")
        county.close()
        desk.core.close()
