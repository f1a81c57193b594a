"""What the office sees of a node: there or silent, well or not, what it runs, and where it departs from the folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from cloud_bridge.topics import (
    ConfigReportedBody,
    FaceHealth,
    HealthBody,
    OutboxHealth,
    PartHealth,
    PresenceBody,
)
from device.chosen import Chosen, LocalChange, Reverted, Runs
from device.cli.language import set_language
from device.provisioning.outcome import Outcome, What
from tools.county.line import NodeSaid
from tools.county.status import lines, state_of

ONLINE = PresenceBody(state="online", reason="connected")
OUTBOX = OutboxHealth(lag=0, backlog=0, sent=0, confirmed=0)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    set_language("en")
    yield
    set_language("zh")


def health(**changed: Any) -> HealthBody:
    return HealthBody(core="running", outbox=OUTBOX).model_copy(update=changed)


def reported(outcome: Outcome | None = None, **changed: Any) -> ConfigReportedBody:
    layers = Chosen(runs=Runs.GOOD, version=12, site_sha256="ab").model_copy(update=changed)
    return ConfigReportedBody(sha256="00", version="1", sections={}, layers=layers, outcome=outcome)


WELL = NodeSaid(ONLINE, health(), reported(Outcome(what=What.CONFIRMED, version=12)))


def test_a_node_that_is_well_has_no_troubles() -> None:
    found = state_of("n0001", "north", WELL, "ab")
    assert (found.online, found.runs, found.version, found.troubles) == (True, "good", 12, ())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "never heard of"),
        (NodeSaid(PresenceBody(state="offline", reason="lost"), health(), reported()), "silent"),
        (NodeSaid(PresenceBody(state="offline", reason="stopped")), "stopped"),
        (NodeSaid(ONLINE, health(core="not_running")), "core is not running"),
        (NodeSaid(ONLINE, health(faces={"branch_south": FaceHealth(health="fault")})), "fault: branch_south"),
        (NodeSaid(ONLINE, health(parts={"r_east": PartHealth(state="STALE")})), "fault: r_east"),
        (NodeSaid(ONLINE, health(), reported(reverted=Reverted(version=13, why="x"))), "took back version 13"),
        (
            NodeSaid(ONLINE, health(), reported(local=(LocalChange(path="policy.hold_s", hours_left=3),))),
            "changed by hand: policy.hold_s",
        ),
        (NodeSaid(ONLINE, health(), reported(site_sha256="cd")), "its site file is not the one in sites/"),
        (NodeSaid(ONLINE, health(), reported(problem="left out")), "left out"),
        (
            NodeSaid(ONLINE, health(), reported(Outcome(what=What.REFUSED, code="bomb", why="x"))),
            "refused its last bundle: bomb",
        ),
        (
            NodeSaid(ONLINE, health(), reported(Outcome(what=What.AWAITING, code="not_reached"))),
            "waits for larger files: not_reached",
        ),
        (NodeSaid(ONLINE, health(), reported(Outcome(what=What.AWAITING))), "waits for larger files: under way"),
    ],
)
def test_each_trouble_is_told_and_is_the_only_one(said: NodeSaid | None, words: str) -> None:
    found = state_of("n0001", "north", said, "ab")
    assert found.troubles == (words,)


def test_a_thousand_nodes_are_a_few_lines() -> None:
    found = [state_of(f"n{number:04}", "north", WELL, "ab") for number in range(1, 999)]
    found += [state_of(f"n{number:04}", "north", None, "ab") for number in (999, 1000)]
    told = lines(found)
    assert len(told) == 3
    assert "998" in told[0] and "1000" in told[0]
    assert told[1].endswith("good v12: 998") and told[2].endswith("n0999–n1000")
