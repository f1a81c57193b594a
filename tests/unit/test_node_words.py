"""What the node says in English reaches a technician in Chinese; what is not in the table is shown as it is."""

from collections.abc import Iterator

import pytest

from device.cli.language import set_language
from device.cli.node_words import node_words
from device.cli.status import faults
from tools.build.catalogue import compile_catalogue


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    compile_catalogue()
    set_language("zh")
    yield
    set_language("zh")


def test_the_nodes_sentences_are_chinese() -> None:
    assert node_words("r_east: silent for 7 s") == "r_east:已 7 秒没有声音"
    assert node_words("lamps in the safe pattern: boot") == "灯在安全闪烁:正在启动"
    assert node_words("branch_south: self-test") == "branch_south: 自检"
    spent = "incident recordings: the day's bytes are spent, 12 alerts not kept"
    assert node_words(spent) == "事件录制:一天的写入量用完了,12 次警报没有录"


def test_an_unknown_sentence_is_shown_as_it_is() -> None:
    for text in ("something {odd} happened", "r_east: cannot open /dev/ttyAMA0: No such file", ""):
        assert node_words(text) == text


def test_english_stays_english() -> None:
    set_language("en")
    for text in ("r_east: silent for 7 s", "lamps in the safe pattern: core has gone", "branch_south: self-test"):
        assert node_words(text) == text


def test_a_node_that_is_starting_is_not_in_fault_and_one_that_has_started_is() -> None:
    face = {"b": {"health": "fault", "reasons": ["self-test"]}}
    assert faults({"faces": face, "booting": True}) == []
    assert faults({"faces": face, "booting": False}) == ["b: self-test"]


def test_one_fault_is_told_once() -> None:
    why = "r_east: silent for 7 s"
    status = {"sensors": {"r_east": {"state": "stale", "problem": why}},
              "parts": {"r_east": {"state": "STALE", "problem": why}}}  # fmt: skip
    assert faults(status) == [why]
