"""What the fixed plan has reached where a bar is not met yet: so that a step back is seen before the bar is.

Invariant: this excuses nothing. A figure that misses its bar stays ``ok: false`` in every output; ``--no-worse`` alone
(``make ratchet``) ends with 0 while nothing is worse than here. The figures are those of the fixed seeds, which are
the same on any machine; times are not among them, because they belong to the machine.
"""

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from tools.evaluate.figures import FIGURES

PATH = pathlib.Path(__file__).with_name("reached.json")

ROOM = 0.2
"""Of a figure's distance from its bar: a change that lights one road user sooner may let another wait a tenth."""

LEAST_PCT = 0.05
LEAST_COUNT = {"evaluate_dark_clean": 2.0, "evaluate_conflicts": 20.0}
"""And never less than so much: another processor rounds another way, and one or two of six thousand road users more or
less are no step back."""

TIMED = frozenset({"evaluate_step_p99_ms", "evaluate_step_merged_p99_ms", "evaluate_replay_ratio"})


def reached() -> dict[str, float]:
    """Name -> value, of the figures that miss their bar."""
    found: dict[str, float] = json.loads(PATH.read_text(encoding="utf-8"))
    return found


def worse(lines: Iterable[Mapping[str, Any]], before: Mapping[str, float]) -> list[str]:
    """The figures that miss their bar by more than they did, or than nothing where they had met it, and than the room
    allows; and those without a value."""
    at_least = {figure.name: figure.at_least for figure in FIGURES}
    found = []
    for line in lines:
        name, value, bar = line["name"], line["value"], line["bar"]
        if line["ok"] is not False or name in TIMED:
            continue
        if value is None:
            found.append(name)
            continue
        reached_then = before.get(name, bar)
        room = max(ROOM * abs(reached_then - bar), LEAST_PCT if line["unit"] == "%" else LEAST_COUNT.get(name, 0.0))
        if value < reached_then - room if at_least[name] else value > reached_then + room:
            found.append(name)
    return found


def keep(lines: Iterable[Mapping[str, Any]], before: Mapping[str, float], path: pathlib.Path = PATH) -> None:
    """Writes what was reached now, where it is no worse than ``before``: a step back is never taken for the floor. To
    accept one (another plan, another judge) the figure is taken out of the file by hand first."""
    at_least = {figure.name: figure.at_least for figure in FIGURES}
    values = {}
    for line in lines:
        name, value = line["name"], line["value"]
        if line["ok"] is False and name not in TIMED and value is not None:
            best = max if at_least[name] else min
            values[name] = best(value, before.get(name, value))
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
