"""Figures that were measured, as every measuring command ends: a JSON line each, and the exit code."""

from collections.abc import Mapping, Sequence

from tools.bench.figures import Figure, Reading, as_json, judged


def printed(figures: Sequence[Figure], found: Mapping[str, Reading]) -> int:
    """Prints the line of each figure, in order; 1 where a bar is missed, else 0."""
    lines = [judged(figure, found.get(figure.name)) for figure in figures]
    for line in lines:
        print(as_json(line))
    return 1 if any(line["ok"] is False for line in lines) else 0
