"""What is known of a trained candidate: a JSON file beside its weights, and a row for the table of candidates.

A row goes into the section ``candidates`` of ``models/README.md`` (``python -m tools.build.candidates``). AP50 and time
come from the evaluation (``python -m tools.detector --json``), JSON lines ``{"name", "value", "unit", "bar", "ok"}``.

Invariant: nothing stands in a row that is not in the report or among the figures; what was not measured is a dash.
"""

import dataclasses
import json
import pathlib
from typing import Any

from models.manifest import BUNDLED_MODELS
from models.training import files

FILE = "report.json"

HEADER = (
    "候选 candidate",
    "起点 from",
    "步数 steps",
    "分钟 min",
    "参数 params M",
    "GMAC",
    "MB",
    "杆上 pole AP50",
    "近景 close AP50",
    "时间比 time ÷ teacher",
    "结论 verdict",
)

FIGURES = ("pole_clear_any_vehicle_ap50", "close_clear_mean_of_5_classes_ap50", "time_ratio")
"""The evaluation's figures that a row shows, in its order; each name begins with that of the manifest."""


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """One finished training. ``recipe`` is a ``Recipe`` as a dict; digests are SHA-256."""

    candidate: str
    recipe: dict[str, Any]
    start: str
    """File name of the graph that it began as."""
    start_sha256: str
    teacher: str | None
    """File name of the graph that gave soft targets."""
    labels: dict[str, int]
    """Images, boxes with what the teacher of labels added, regions without a loss."""
    labels_key: str
    corruptions: str
    """Name of the training set of corruptions."""
    machine: str
    """Device, threads and versions: they decide how numbers round."""
    minutes: float
    losses: list[float]
    """Mean of each 100 steps."""
    parameters: int
    gmac: dict[str, float]
    """At each input of the recipe, ``height×width``."""
    files: dict[str, dict[str, Any]]
    """By file name: ``bytes``, ``sha256``."""
    ships: str
    """Which of the files the recipe is for."""


def write(folder: pathlib.Path, report: Report) -> None:
    """Writes it beside the weights."""
    text = json.dumps(dataclasses.asdict(report), ensure_ascii=False, indent=2) + "\n"
    files.write(folder / FILE, text.encode("utf-8"))


def read(folder: pathlib.Path) -> Report:
    """Reads what ``write`` wrote. Raises FileNotFoundError where no training has finished."""
    path = folder / FILE
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no report; the training in this folder has not finished: run it with --resume"
        )
    return Report(**json.loads(path.read_text(encoding="utf-8")))


def figures(lines: str) -> dict[str, float]:
    """Values by name from the evaluation's JSON lines."""
    rows = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return {row["name"]: row["value"] for row in rows if row["value"] is not None}


def row(report: Report, measured: dict[str, float], verdict: str) -> str:
    """One line of Markdown for the candidate, its cells those of HEADER."""
    widest = max(report.gmac, key=lambda size: report.gmac[size])
    cells = [
        f"`{report.candidate}`",
        report.start,
        f"{report.recipe['steps']}",
        f"{report.minutes:.0f}",
        f"{report.parameters / 1e6:.2f}",
        f"{report.gmac[widest]:.2f} ({widest})",
        f"{report.files[report.ships]['bytes'] / 1e6:.2f}",
        *(_cell(f"{BUNDLED_MODELS[report.recipe['model']].stem}_{name}", measured) for name in FIGURES),
        verdict or "–",
    ]
    return _line(cells)


def table(rows: list[str]) -> str:
    """The table of candidates with these rows."""
    return "\n".join([_line(list(HEADER)), "|" + "---|" * len(HEADER), *rows])


def with_row(section: str, new: str) -> str:
    """A text with a table of candidates in it, one row renewed: in the place of the candidate's old one, or at the end.

    A text without a table gets one. Raises ValueError when the table there has other columns.
    """
    lines = section.splitlines()
    rows = [i for i, line in enumerate(lines) if line.startswith("|")]
    if not rows:
        return "\n".join([*lines, *([""] if lines else []), table([new])])
    if lines[rows[0]] != _line(list(HEADER)):
        raise ValueError(f"table of candidates: columns {lines[rows[0]]} found, expected {_line(list(HEADER))}")
    old = [i for i in rows[2:] if _name(lines[i]) == _name(new)]
    if old:
        lines[old[0]] = new
    else:
        lines.insert(rows[-1] + 1, new)
    return "\n".join(lines)


def _cell(name: str, measured: dict[str, float]) -> str:
    """A figure with its interval, where it has one; a dash when it was not measured."""
    if name not in measured:
        return "–"
    ends = [measured[f"{name}_{end}"] for end in ("low", "high") if f"{name}_{end}" in measured]
    return f"{measured[name]:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if len(ends) == 2 else "")


def _name(line: str) -> str:
    return line.split("|")[1].strip()


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
