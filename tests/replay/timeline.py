"""Two outputs of a replay compared in the road's words: when which face showed what, and because of whom.

Invariant: two outputs that differ in any byte give at least one line.
"""

import collections
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_LINES = 40

State = Mapping[str, Any]


def differences(was: Sequence[str], now: Sequence[str]) -> list[str]:
    """What differs, a line each, faces first; empty when the outputs are the same."""
    if list(was) == list(now):
        return []
    if not was:
        return [f"nothing was accepted yet; {len(now)} lines now"]
    before, after = [json.loads(line) for line in was], [json.loads(line) for line in now]
    found = [*_faces(before, after), *_others(before, after)]
    if not found:
        number = next(n for n, (a, b) in enumerate(itertools.zip_longest(was, now), 1) if a != b)
        found = [
            f"the same road, written otherwise: line {number}: was {was[number - 1 :][:1]}, is {now[number - 1 :][:1]}"
        ]
    left = len(found) - MOST_LINES
    return found if left <= 0 else [*found[:MOST_LINES], f"… and {left} more"]


def _faces(was: Sequence[State], now: Sequence[State]) -> Iterator[str]:
    names = dict.fromkeys(line["face"] for line in (*was, *now) if line["kind"] == "face")
    for face in names:
        one, two = _changes(was, face), _changes(now, face)
        times = sorted({line["t_s"] for line in (*one, *two)})
        spans = [(t, _at(one, t), _at(two, t)) for t in times]
        groups = itertools.groupby(spans, key=lambda span: (_words(span[1]), _words(span[2])))
        starts = [(next(group)[0], before, after) for (before, after), group in groups]
        for (t_s, before, after), following in itertools.zip_longest(starts, starts[1:]):
            if before != after:
                until = f"to {following[0]:.2f} s" if following else "to the end"
                yield f"from {t_s:.2f} s {until} {face}: was {before}; is {after}"


def _changes(lines: Sequence[State], face: str) -> list[State]:
    return [line for line in lines if line["kind"] == "face" and line["face"] == face]


def _at(changes: Sequence[State], t_s: float) -> State | None:
    """The last change at or before a time."""
    return next((line for line in reversed(changes) if line["t_s"] <= t_s), None)


def _words(state: State | None) -> str:
    if state is None:
        return "not there"
    shown = state["level"] if state["health"] == "ok" else f"{state['level']} ({state['health']})"
    cause = state["cause"]
    return shown if cause is None else f"{shown} because of {_who(cause)}"


def _who(cause: State) -> str:
    words = f"{cause['class'] or 'someone'} on {cause['approach']}"
    if cause["distance_m"] is not None:
        words += f" at {cause['distance_m']:.1f} m"
    if cause["speed_mps"] is not None:
        words += f", {cause['speed_mps']:.1f} m/s"
    return words


def _others(was: Sequence[State], now: Sequence[State]) -> Iterator[str]:
    one, two = (collections.Counter(_event(line) for line in lines if line["kind"] != "face") for lines in (was, now))
    for t_s, words in sorted((one - two).elements()):
        yield f"at {t_s:.2f} s no longer: {words}"
    for t_s, words in sorted((two - one).elements()):
        yield f"at {t_s:.2f} s new: {words}"


def _event(line: State) -> tuple[float, str]:
    rest = {key: value for key, value in line.items() if key not in ("t_s", "kind", "event", "face")}
    words = " ".join(f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in rest.items())
    return line["t_s"], f"{line.get('event', line['kind'])} {line.get('face') or ''} {words}".strip()
