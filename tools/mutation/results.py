"""What mutmut found, read from the folder it works in. Pure but for reading files; mutmut itself is not needed.

Invariant: a mutant is named by module, function and the changed text, never by mutmut's number, which shifts whenever a
line is added above it.
"""

import ast
import dataclasses
import difflib
import enum
import json
import pathlib
import re
from collections.abc import Iterator

NAME = re.compile(r"x(?:ǁ(?P<owner>\w+?)ǁ|_)(?P<function>\w+)__mutmut_(?P<number>\d+)")
"""``xǁFaceDeciderǁ_main__mutmut_12`` or ``x_usable__mutmut_3``."""


class Fate(enum.StrEnum):
    """What became of a mutant. One that no test reaches, and one whose end says nothing, survived."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    SURVIVED = "survived"


KILLED_BY = {1: Fate.KILLED, 3: Fate.KILLED, 24: Fate.TIMEOUT, -24: Fate.TIMEOUT, 36: Fate.TIMEOUT, 152: Fate.TIMEOUT}
"""pytest's exit codes for a failed test and an internal error; mutmut's and the kernel's for too much CPU time."""


class UnfinishedError(ValueError):
    """The run was cut short, or there was none."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Change:
    """Where a mutant is and what it changes: ``was`` and ``now`` are the lines that differ, without indentation."""

    module: str
    function: str
    was: str
    now: str


@dataclasses.dataclass(frozen=True, slots=True)
class Mutant:
    """One mutant and what became of it; ``name`` is mutmut's, ``seconds`` the time that its tests took."""

    name: str
    change: Change
    fate: Fate
    seconds: float


def read(folder: pathlib.Path) -> list[Mutant]:
    """Every mutant of the last run. Raises UnfinishedError when there was none or it was cut short."""
    found = [mutant for path in sorted(folder.rglob("*.py.meta")) for mutant in _of_module(folder, path)]
    if not found:
        raise UnfinishedError(f"{folder}: no mutants here; run `make mutants`")
    return found


def _of_module(folder: pathlib.Path, meta_path: pathlib.Path) -> Iterator[Mutant]:
    meta = json.loads(meta_path.read_text(encoding="utf-8"))
    source_path = meta_path.with_suffix("")
    functions = _functions(source_path.read_text(encoding="utf-8"))
    module = ".".join(source_path.relative_to(folder).with_suffix("").parts)
    for key, code in meta["exit_code_by_key"].items():
        if code is None:
            raise UnfinishedError(f"{folder}: {key} was not tried, the run was cut short; run `make mutants` again")
        name = key.rpartition(".")[2]
        yield Mutant(
            key,
            change_of(module, name, functions),
            KILLED_BY.get(code, Fate.SURVIVED),
            float(meta["durations_by_key"].get(key, 0.0)),
        )


def change_of(module: str, name: str, functions: dict[str, str]) -> Change:
    """The change of the mutant called ``name``; ``functions`` holds the text of each function that mutmut made."""
    parts = NAME.fullmatch(name)
    if parts is None:
        raise ValueError(f"{name}: not the name of a mutant")
    original = functions[f"{name.rpartition('__mutmut_')[0]}__mutmut_orig"]
    was, now = [], []
    # The first line is the name, which differs in every mutant, unless a default value was changed in it.
    for line in difflib.ndiff(_lines(original), _lines(functions[name])):
        if line[0] == "-":
            was.append(line[2:].strip())
        if line[0] == "+":
            now.append(line[2:].strip())
    owner = parts["owner"]
    function = f"{owner}.{parts['function']}" if owner else parts["function"]
    return Change(module, function, "\n".join(was), "\n".join(now))


def _lines(function: str) -> list[str]:
    return re.sub(r"\bx\w+__mutmut_\w+\(", "(", function, count=1).splitlines()


def _functions(source: str) -> dict[str, str]:
    lines = source.splitlines()
    return {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name
    }
