"""The outcome of `make mutants`: a survivor is known by what it changes, and none goes without a reason."""

import json
import pathlib

import pytest

from tools.mutation import page, results
from tools.mutation.results import Change, Fate, Mutant

SOURCE = '''
class Face:
    """It shows."""

    def xǁFaceǁlit__mutmut_orig(self, arrival_s: float) -> bool:
        """Whether it is lit."""
        return arrival_s <= self.gap_s

    def xǁFaceǁlit__mutmut_1(self, arrival_s: float) -> bool:
        """Whether it is lit."""
        return arrival_s < self.gap_s


def x__soonest__mutmut_orig(tracks, within_s=1.0):
    return min(
        tracks,
        default=None,
    )


def x__soonest__mutmut_1(tracks, within_s=1.0):
    return min(
        tracks,
    )


def x__soonest__mutmut_2(tracks, within_s=2.0):
    return min(
        tracks,
        default=None,
    )
'''
LIT = Change("device.face", "Face.lit", "return arrival_s <= self.gap_s", "return arrival_s < self.gap_s")
LEFT_OUT = Change("device.face", "_soonest", "default=None,", "")
DEFAULT = Change("device.face", "_soonest", "def (tracks, within_s=1.0):", "def (tracks, within_s=2.0):")


def worked(folder: pathlib.Path, *codes: int | None) -> pathlib.Path:
    names = ("xǁFaceǁlit__mutmut_1", "x__soonest__mutmut_1", "x__soonest__mutmut_2")
    (folder / "device").mkdir()
    (folder / "device" / "face.py").write_text(SOURCE, encoding="utf-8")
    meta = {
        "exit_code_by_key": {f"device.face.{name}": code for name, code in zip(names, codes, strict=True)},
        "durations_by_key": {f"device.face.{name}": 30.0 for name in names},
    }
    (folder / "device" / "face.py.meta").write_text(json.dumps(meta), encoding="utf-8")
    return folder


def test_a_mutant_is_named_by_its_function_and_its_change(tmp_path: pathlib.Path) -> None:
    found = results.read(worked(tmp_path, 0, 1, 36))
    assert [mutant.change for mutant in found] == [LIT, LEFT_OUT, DEFAULT]
    assert [mutant.fate for mutant in found] == [Fate.SURVIVED, Fate.KILLED, Fate.TIMEOUT]


@pytest.mark.parametrize("code", [5, 33, 34, -9, 2])
def test_what_no_test_reached_and_what_ended_otherwise_survived(tmp_path: pathlib.Path, code: int) -> None:
    assert results.read(worked(tmp_path, 1, 1, code))[2].fate is Fate.SURVIVED


def test_a_run_that_was_cut_short_gives_no_figures(tmp_path: pathlib.Path) -> None:
    with pytest.raises(results.UnfinishedError, match="was not tried"):
        results.read(worked(tmp_path, 1, None, 1))
    with pytest.raises(results.UnfinishedError, match="make mutants"):
        results.read(tmp_path / "nowhere")


def mutants(survived: int, killed: int) -> list[Mutant]:
    return [Mutant("a", LIT, Fate.SURVIVED, 3.0)] * survived + [Mutant("b", DEFAULT, Fate.KILLED, 0.5)] * killed


def figures(found: list[Mutant], unjustified: int = 0) -> dict[object, tuple[object, object]]:
    return {line["name"]: (line["value"], line["ok"]) for line in page.lines(found, unjustified)}


def test_three_in_a_hundred_may_survive_and_none_without_a_reason() -> None:
    assert figures(mutants(3, 97))["mutants_survived_pct"] == (3.0, True)
    assert figures(mutants(4, 96))["mutants_survived_pct"] == (4.0, False)
    assert figures(mutants(3, 97))["mutants_unjustified"] == (0, True)
    assert figures(mutants(3, 97), unjustified=1)["mutants_unjustified"] == (1, False)
    assert figures(mutants(3, 97))["mutants_survived_pct_face"] == (3.0, None)


def test_the_table_gives_the_reason_of_each_survivor_and_says_where_there_is_none() -> None:
    rows = page.body([*mutants(2, 3), Mutant("c", LEFT_OUT, Fate.SURVIVED, 1.0)], {LIT: ("无妨。", "Harmless.")})
    assert "| `face` | 6 | 3 | 0 | 3 | 50.0 |" in rows
    lit = (
        "| `face` Face.lit ×2 | `return arrival_s <= self.gap_s` → `return arrival_s < self.gap_s` | 无妨。 Harmless. |"
    )
    assert lit in rows
    assert "| `face` _soonest | `default=None,` → — | **未说明** **not justified** |" in rows


def test_an_entry_to_fill_in_is_read_back_and_a_reason_may_be_shared() -> None:
    text = page.entry(LIT).replace("zh = ''", "zh = '无妨。'").replace("en = ''", "en = 'Harmless.'")
    assert page.reasons(text) == {LIT: ("无妨。", "Harmless.")}
    shared = page.entry(LEFT_OUT).replace("zh = ''\nen = ''", "reason = 'same'")
    shared += "[reason.same]\nzh = '一样。'\nen = 'The same.'\n"
    assert page.reasons(shared) == {LEFT_OUT: ("一样。", "The same.")}


def test_every_justification_in_the_repository_can_be_read() -> None:
    for zh, en in page.reasons((pathlib.Path(page.__file__).parent / "justified.toml").read_text("utf-8")).values():
        assert zh and en
