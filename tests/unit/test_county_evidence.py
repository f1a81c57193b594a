"""The figures of the county office: nothing claimed that was not measured, no other section touched."""

import json
import pathlib

import pytest

from tools.bench.figures import Figure, Reading
from tools.bench.marked import put, taken
from tools.county import counted, evidence

CHANGE = Figure("fleet_change_s", "s", 60, 1000, "改", "a change")
RATE = Figure("outbox_drain_rate", "events/s", 1000, 1, "每秒", "a second", at_least=True)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> dict[str, Reading]:
        raise RuntimeError("no Mosquitto here")

    measured = {"fleet_change_s": Reading(33.4, 1000)}
    monkeypatch.setattr(evidence, "PARTS", (((CHANGE,), lambda: measured), ((RATE,), breaks)))


def test_every_figure_of_the_office_has_a_name_of_its_own() -> None:
    names = [figure.name for figures, _part in evidence.PARTS for figure in figures]
    assert len(names) == len(set(names)) > 30


def test_what_could_not_be_measured_has_no_value_and_is_not_ok(parts: None, capsys: pytest.CaptureFixture[str]) -> None:
    lines = evidence.measure()
    assert [(line["name"], line["value"], line["ok"]) for line in lines] == [
        ("fleet_change_s", 33.4, True),
        ("outbox_drain_rate", None, False),
    ]
    printed = capsys.readouterr()
    assert [json.loads(line)["name"] for line in printed.out.splitlines()] == ["fleet_change_s", "outbox_drain_rate"]
    assert "no Mosquitto here" in printed.err


def test_only_what_was_asked_for_is_measured(parts: None) -> None:
    assert [line["name"] for line in evidence.measure("fleet_")] == ["fleet_change_s"]


def test_the_section_says_which_way_a_bar_counts_and_leaves_the_others_alone(parts: None) -> None:
    section = evidence.section(evidence.measure(), load=0.5, minutes=12)
    assert "| `fleet_change_s` | 33.4 | s | ≤ 60 | ✓ | 改 / a change |" in section
    assert "| `outbox_drain_rate` | — | events/s | ≥ 1000 | ✗ | 每秒 / a second |" in section
    page = put(put("# page\n", "evaluate", "theirs"), evidence.SECTION, section)
    assert taken(page, "evaluate") == "theirs"
    assert taken(put(page, evidence.SECTION, "new"), evidence.SECTION) == "new"


def test_a_case_that_failed_or_was_skipped_proved_nothing(tmp_path: pathlib.Path) -> None:
    (tmp_path / "test_cases.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.attack\n@pytest.mark.parametrize('n', range(4))\n"
        "def test_attack(n):\n"
        "    if n == 1:\n        pytest.skip('no Mosquitto')\n"
        "    assert n != 2\n\n"
        "def test_of_another_kind():\n    assert False\n"
    )
    assert counted.counted("attack", tmp_path) == (4, 2)
