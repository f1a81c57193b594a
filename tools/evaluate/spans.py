"""Stretches of time as a value: union, intersection, difference, and where a straight line is below zero.

Invariants: spans are half open, in order, apart from one another and never empty; every operation gives a new value.
"""

import bisect
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Span = tuple[float, float]


class Spans:
    """A set of moments on one time axis, in seconds."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        starts: list[float] = []
        ends: list[float] = []
        for start, end in sorted(spans):
            if end <= start:
                continue
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        self._starts = starts
        self._ends = ends

    def __iter__(self) -> Iterator[Span]:
        return iter(zip(self._starts, self._ends, strict=True))

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spans) and self._starts == other._starts and self._ends == other._ends

    def __hash__(self) -> int:
        return hash((tuple(self._starts), tuple(self._ends)))

    def __repr__(self) -> str:
        return "Spans(" + ", ".join(f"{start:.2f}..{end:.2f}" for start, end in self) + ")"

    def __contains__(self, t_s: float) -> bool:
        index = bisect.bisect_right(self._starts, t_s) - 1
        return index >= 0 and t_s < self._ends[index]

    def __or__(self, other: "Spans") -> "Spans":
        return Spans((*self, *other))

    def __and__(self, other: "Spans") -> "Spans":
        found: list[Span] = []
        i = j = 0
        while i < len(self._starts) and j < len(other._starts):
            start = max(self._starts[i], other._starts[j])
            end = min(self._ends[i], other._ends[j])
            if start < end:
                found.append((start, end))
            if self._ends[i] < other._ends[j]:
                i += 1
            else:
                j += 1
        return Spans(found)

    def __sub__(self, other: "Spans") -> "Spans":
        if not self._starts:
            return self
        whole_from, whole_to = self._starts[0], self._ends[-1]
        return self & other.outside(whole_from, whole_to)

    def outside(self, from_s: float, to_s: float) -> "Spans":
        """The moments of ``from_s..to_s`` that are not here."""
        found: list[Span] = []
        at_s = from_s
        for start, end in self:
            if start > at_s:
                found.append((at_s, min(start, to_s)))
            at_s = max(at_s, end)
        found.append((at_s, to_s))
        return Spans(found)

    def widened(self, before_s: float = 0.0, after_s: float = 0.0) -> "Spans":
        """Each span begun earlier and ended later by so much; negative values shorten it."""
        return Spans((start - before_s, end + after_s) for start, end in self)

    def closed(self, gap_s: float) -> "Spans":
        """Gaps up to ``gap_s`` filled."""
        found: list[Span] = []
        for start, end in self:
            if found and start - found[-1][1] <= gap_s:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
        return Spans(found)

    def span_at(self, t_s: float) -> Span | None:
        """The span that holds a moment."""
        index = bisect.bisect_right(self._starts, t_s) - 1
        return (self._starts[index], self._ends[index]) if index >= 0 and t_s < self._ends[index] else None

    def first_from(self, t_s: float) -> float | None:
        """The first moment at or after ``t_s``, None when there is none."""
        if t_s in self:
            return t_s
        index = bisect.bisect_left(self._starts, t_s)
        return self._starts[index] if index < len(self._starts) else None

    @property
    def last_s(self) -> float:
        """The end of the last one. Raises IndexError when there is none."""
        return self._ends[-1]

    @property
    def total_s(self) -> float:
        """How long they last together."""
        return sum(self._ends) - sum(self._starts)


NEVER = Spans()


def union(many: Iterable[Spans]) -> Spans:
    """All of them together."""
    return Spans(span for spans in many for span in spans)


def below_zero(times_s: Floats, values: Floats) -> Spans:
    """When a quantity known at ``times_s`` (rising, not empty) and straight between them is zero or below."""
    below = values <= 0
    turns = np.flatnonzero(below[1:] != below[:-1])
    shares = values[turns] / (values[turns] - values[turns + 1])
    edges = [float(edge) for edge in times_s[turns] + (times_s[turns + 1] - times_s[turns]) * shares]
    if below[0]:
        edges.insert(0, float(times_s[0]))
    if below[-1]:
        edges.append(float(times_s[-1]))
    return Spans(zip(edges[::2], edges[1::2], strict=True))


def while_true(times_s: Floats, flags: Bools, step_s: float) -> Spans:
    """When a flag sampled every ``step_s`` is set: each sample speaks for the step that follows it."""
    return Spans((float(t_s), float(t_s) + step_s) for t_s in times_s[flags]).closed(1e-6)
