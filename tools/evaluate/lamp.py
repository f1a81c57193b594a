"""What the node's faces showed, read from the JSON lines of a replay (DESIGN.md §5) and from nothing else.

Invariants: a face shows what its last line said until the next one; before its first line it is dark; lit means
anything but ``clear``, because fault and caution look alike to drivers.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tools.evaluate.spans import Spans


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """One line of one face, and until when it held."""

    from_s: float
    to_s: float
    level: str
    health: str
    shows: str
    cause: Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True, slots=True)
class FaceLamp:
    """One face over a whole recording."""

    lines: tuple[Shown, ...]
    lit: Spans
    alert: Spans
    fault: Spans
    degraded: Spans

    def at(self, t_s: float) -> Shown | None:
        """What it showed at a moment."""
        return next((line for line in reversed(self.lines) if line.from_s <= t_s), None)


class LampError(ValueError):
    """The node's output is not what the contract says."""


def faces(lines: Iterable[str], end_s: float) -> dict[str, FaceLamp]:
    """Every face of a replay's output, until ``end_s``. Raises LampError."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
            if value["kind"] == "face":
                found.setdefault(str(value["face"]), []).append(value)
                _ = value["t_s"], value["level"], value["health"], value["shows"], value["cause"]
        except (ValueError, KeyError, TypeError) as error:
            raise LampError(
                f"line {number} of the node's output is not of the contract: {error!r}: {line!r}"
            ) from error
    return {face: _face(values, end_s) for face, values in found.items()}


def showing(spans: Mapping[str, Iterable[tuple[float, float]]], end_s: float) -> FaceLamp:
    """A lamp lit as told, for whoever has no node: ``spans`` maps what it shows (caution, alert) to when."""
    marks = sorted((start, end, shows) for shows, many in spans.items() for start, end in many)
    lines = tuple(Shown(start, min(end, end_s), shows, "ok", shows, None) for start, end, shows in marks)
    return _lamp(lines)


def _face(values: list[Mapping[str, Any]], end_s: float) -> FaceLamp:
    ends = [float(value["t_s"]) for value in values[1:]] + [end_s]
    return _lamp(
        tuple(
            Shown(float(value["t_s"]), min(end, end_s), value["level"], value["health"], value["shows"], value["cause"])
            for value, end in zip(values, ends, strict=True)
            if float(value["t_s"]) < end_s
        )
    )


def _lamp(lines: tuple[Shown, ...]) -> FaceLamp:
    return FaceLamp(
        lines=lines,
        lit=Spans((line.from_s, line.to_s) for line in lines if line.shows != "clear"),
        alert=Spans((line.from_s, line.to_s) for line in lines if line.shows == "alert"),
        fault=Spans((line.from_s, line.to_s) for line in lines if line.health == "fault" or line.shows == "fault"),
        degraded=Spans((line.from_s, line.to_s) for line in lines if line.health == "degraded"),
    )
