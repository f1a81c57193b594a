"""The page and the figures of `make mutants`. Pure.

Invariants: every figure comes from the run; a survivor is named with its reason or the run is not in order; what a
timeout means is said, because a mutant that loops for ever was noticed as well.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence

from tools.mutation.results import Change, Fate, Mutant

SURVIVED_PCT_BAR = 3.0

Line = dict[str, object]


def lines(mutants: Sequence[Mutant], unjustified: int) -> list[Line]:
    """The figures as JSON lines (DESIGN.md §5): all modules together with their bars, then each module's share."""
    fates = Counter(mutant.fate for mutant in mutants)
    survived_pct = _pct(fates[Fate.SURVIVED], len(mutants))
    found = [
        _line("mutants", len(mutants)),
        _line("mutants_killed", fates[Fate.KILLED]),
        _line("mutants_timeout", fates[Fate.TIMEOUT]),
        _line("mutants_survived", fates[Fate.SURVIVED]),
        _line("mutants_survived_pct", survived_pct, "%", SURVIVED_PCT_BAR),
        _line("mutants_unjustified", unjustified, "", 0),
        _line("mutants_minutes", round(sum(mutant.seconds for mutant in mutants) / 60, 1), "min"),
    ]
    for module, those in _by_module(mutants).items():
        survivors = sum(mutant.fate is Fate.SURVIVED for mutant in those)
        found.append(_line(f"mutants_survived_pct_{_short(module)}", _pct(survivors, len(those)), "%"))
    return found


def reasons(text: str) -> dict[Change, tuple[str, str]]:
    """The justifications, Chinese and English, from the TOML text. Raises KeyError or ValueError on another form."""
    table = tomllib.loads(text)
    found = {}
    for entry in table["survivor"]:
        change = Change(entry["module"], entry["function"], entry["was"].strip("\n"), entry["now"].strip("\n"))
        reason = table["reason"][entry["reason"]] if "reason" in entry else entry
        found[change] = (reason["zh"], reason["en"])
    return found


def survivors(mutants: Sequence[Mutant]) -> list[tuple[Change, int]]:
    """The changes that survived, in order, and how many mutants make each of them."""
    return sorted(Counter(mutant.change for mutant in mutants if mutant.fate is Fate.SURVIVED).items())


def body(mutants: Sequence[Mutant], why: Mapping[Change, tuple[str, str]]) -> str:
    """The figures and the table of survivors, for the page."""
    rows = [
        "| 模块 / module | 变异 / mutants | 杀死 / killed | 超时 / timeout | 存活 / survived | % |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for module, those in _by_module(mutants).items():
        rows.append(_row(f"`{_short(module)}`", those))
    rows.append(_row("合计 / all", mutants))
    rows += ["", "| 何处 / where | 改动 / change | 为何无妨 / why it is harmless |", "|---|---|---|"]
    for change, count in survivors(mutants):
        where = f"`{_short(change.module)}` {change.function}" + (f" ×{count}" if count > 1 else "")
        zh, en = why.get(change, ("**未说明**", "**not justified**"))
        rows.append(f"| {where} | {_code(change.was)} → {_code(change.now)} | {zh} {en} |")
    return "\n".join(rows)


def entry(change: Change) -> str:
    """An entry for the file of justifications, to be filled in by hand."""
    return (
        "[[survivor]]\n"
        f"module = '{change.module}'\nfunction = '{change.function}'\n"
        f"was = '''\n{change.was}'''\nnow = '''\n{change.now}'''\nzh = ''\nen = ''\n"
    )


def _line(name: str, value: float, unit: str = "", bar: float | None = None) -> Line:
    return {"name": name, "value": value, "unit": unit, "bar": bar, "ok": None if bar is None else value <= bar}


def _by_module(mutants: Sequence[Mutant]) -> dict[str, list[Mutant]]:
    found: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        found.setdefault(mutant.change.module, []).append(mutant)
    return dict(sorted(found.items()))


def _row(name: str, mutants: Sequence[Mutant]) -> str:
    fates = Counter(mutant.fate for mutant in mutants)
    counts = " | ".join(str(fates[fate]) for fate in (Fate.KILLED, Fate.TIMEOUT, Fate.SURVIVED))
    return f"| {name} | {len(mutants)} | {counts} | {_pct(fates[Fate.SURVIVED], len(mutants)):.1f} |"


def _pct(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


def _short(module: str) -> str:
    return module.rpartition(".")[2]


def _code(text: str) -> str:
    if not text:
        return "—"
    shown = " ".join(line.partition("  # ")[0] for line in text.splitlines()).replace("|", "\\|")
    return f"`{shown}`"
