"""A backlog drains while broker and bridge are killed: every event has its effect, once. Real processes, real kills;
the whole figure is ``python -m tools.county.drain``."""

import dataclasses
import pathlib

import pytest

from tests.support.mosquitto import program
from tools.bench.figures import judged
from tools.county.drain import FIGURES, Took, drain, readings
from tools.demo.subscriber import Comparison

pytestmark = pytest.mark.timeout(300)


def lines(found: Comparison, took: Took, *, full: bool) -> dict[str, dict[str, object]]:
    read = readings(found, took, full)
    return {figure.name: judged(figure, read[figure.name]) for figure in FIGURES}


def test_a_backlog_drained_under_kills_arrives_once_in_effect(tmp_path: pathlib.Path) -> None:
    program("mosquitto", "mosquitto")
    found, took = drain(tmp_path, 2_500, broker_kills=3, bridge_kills=1)
    assert found.journalled == found.received == 2_500
    assert found.missing == () and found.equal, f"{len(found.missing)} lost, {len(found.different)} changed"
    by_name = lines(found, took, full=False)
    assert by_name["outbox_drain_lost"]["value"] == 0
    assert 0 < took.quiet_s < took.total_s, "the bridge has to start before anything comes"
    assert {line["ok"] for line in by_name.values()} == {None}, "a run this small claims nothing"


def test_a_loss_and_a_slow_drain_miss_their_bars(tmp_path: pathlib.Path) -> None:
    program("mosquitto", "mosquitto")
    found, _took = drain(tmp_path, 50, broker_kills=0, bridge_kills=0)
    by_name = {name: line["ok"] for name, line in lines(found, Took(1e-9, 0.0), full=True).items()}
    assert by_name["outbox_drain_rate"] and by_name["outbox_drain_lost"] and by_name["outbox_drain_doubled_in_effect"]
    worse = dataclasses.replace(found, missing=(("s", 1),), different=(("s", 2),))
    by_name = {name: line["ok"] for name, line in lines(worse, Took(3600.0, 0.0), full=True).items()}
    assert [by_name[f"outbox_drain_{name}"] for name in ("lost", "doubled_in_effect", "rate")] == [False] * 3
