"""A rollout as people see it: where it is, how many have it, who failed and why."""

import io

import pytest
from rich.console import Console

from device.cli.language import set_language
from tests.unit.test_rollout_judge import ANSWER_S, FIRST, HAS_IT, NODES, TOOK_BACK, a_rollout
from tools.county.rollout.judge import step
from tools.county.rollout.state import Order, Phase
from tools.county.rollout.view import as_json, headline, lines, table


@pytest.fixture(autouse=True)
def chinese() -> None:
    set_language("zh")


def test_a_wave_under_way_says_which_and_how_many() -> None:
    rollout = step(a_rollout(), dict.fromkeys(FIRST[:3], HAS_IT), 10)
    assert headline(rollout) == "第 1/3 波 5nodes:节点正在更换; 已确认 3/5"


def test_a_soak_says_how_long_it_still_takes_unless_it_is_asked_not_to() -> None:
    rollout = step(a_rollout(), dict.fromkeys(FIRST, HAS_IT), 10)
    rollout = step(rollout, dict.fromkeys(FIRST, HAS_IT), 100)
    assert headline(rollout) == "第 1/3 波 5nodes:站稳期,还要 500 秒; 已确认 5/5"
    assert headline(rollout, with_time=False) == "第 1/3 波 5nodes:站稳期; 已确认 5/5"


def test_a_pause_is_said_before_everything_else() -> None:
    assert "已暂停,节点正在更换" in headline(a_rollout(order=Order.PAUSE))


def test_what_failed_is_said_by_its_reason_with_the_nodes_that_have_it() -> None:
    said = dict.fromkeys(NODES, HAS_IT) | dict.fromkeys(NODES[20:23], TOOK_BACK)
    del said[NODES[50]]
    told = lines(step(a_rollout(wave=2), said, ANSWER_S + 1))
    assert told[0].endswith("已确认 96/100, 失败 3, 没有回音 1")
    assert told[1:] == ["  n0021–n0023: stuck target", "  n0051: 没有回音"]


def test_the_way_back_says_why_and_counts_who_is_back() -> None:
    rollout = step(a_rollout(), {FIRST[0]: TOOK_BACK}, 1).model_copy(update={"back_version": 15})
    told = lines(rollout)
    assert told[0] == "第 1/3 波 5nodes:正在退回; 已退回 0/5"
    assert told[1].startswith("原因:1 of 5 nodes failed")
    assert as_json(rollout)["ok"] is False


def test_programs_get_every_failed_node_and_nothing_that_was_signed() -> None:
    said = dict.fromkeys(NODES, HAS_IT) | {NODES[20]: TOOK_BACK}
    found = as_json(step(a_rollout(wave=2), said, 1))
    assert found["failed_nodes"] == {NODES[20]: {"became": "reverted", "why": "stuck target"}}
    assert found["phase"] is Phase.SOAK and found["ok"] is True
    assert not {"presigned", "texts"} & found.keys()


def test_the_table_has_a_line_for_each_wave() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(table(step(a_rollout(wave=1), dict.fromkeys(FIRST, HAS_IT), 1)))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(label in shown for label in ("5nodes", "10%", "100%"))
    assert "5/5" in shown and shown.count("100") >= 2
