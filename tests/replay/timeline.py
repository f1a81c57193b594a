"""Two outputs of a replay compared in the road's words: when which face showed what, and because of whom.

Invariant: two outputs that differ in any byte give at least one line.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_LINES = 40

NEAR_M = 1.0
"""The range step of the radars: what differs by less is told in one line."""

NEAR_S = 1.0
"""The same event a moment earlier or later."""

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
        near_m = [_apart_m(one, two) for _t, one, two in spans if one and two and _nearly(one, two)]
        groups = itertools.groupby(spans, key=lambda span: (_words(span[1]), _words(span[2]), _nearly(*span[1:])))
        starts = [(next(group)[0], *key) for key, group in groups]
        for (t_s, before, after, nearly), following in itertools.zip_longest(starts, starts[1:]):
            if before != after and not nearly:
                until = f"to {following[0]:.2f} s" if following else "to the end"
                yield f"from {t_s:.2f} s {until} {face}: was {before}; is {after}"
        if near_m:
            yield f"{face}: the same level and cause {len(near_m)} times, up to {max(near_m):.1f} m apart"


def _apart_m(before: State, after: State) -> float:
    return float(abs(before["cause"]["distance_m"] - after["cause"]["distance_m"]))


def _nearly(before: State | None, after: State | None) -> bool:
    """Whether two states differ in nothing but the last digits of where the cause is."""
    if before is None or after is None or before["cause"] is None or after["cause"] is None or before == after:
        return False
    keys, causes = ("level", "health"), (before["cause"], after["cause"])
    if any(before[key] != after[key] for key in keys) or any(cause["distance_m"] is None for cause in causes):
        return False
    same = all(causes[0][key] == causes[1][key] for key in ("approach", "class"))
    return same and _words(before) != _words(after) and _apart_m(before, after) <= NEAR_M


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
    one, two = ([line for line in lines if line["kind"] != "face"] for lines in (was, now))
    gone = [line for line in one if line not in two]
    came = [line for line in two if line not in one]
    for line in gone:
        same = [other for other in came if _name(other) == _name(line) and abs(other["t_s"] - line["t_s"]) <= NEAR_S]
        if same:
            other = min(same, key=lambda other: abs(other["t_s"] - line["t_s"]))
            came.remove(other)
            yield f"at {line['t_s']:.2f} s {_name(line)}: {', '.join(_changed(_flat(line), _flat(other)))}"
        else:
            yield f"at {line['t_s']:.2f} s no longer: {_name(line)}{_rest(line)}"
    for line in came:
        yield f"at {line['t_s']:.2f} s new: {_name(line)}{_rest(line)}"
    if not gone and not came and one != two:
        yield "the same events in another order or number"


def _name(line: State) -> str:
    """What makes two events the same one, told a little differently."""
    words = [line.get("event", line["kind"]), line.get("face"), line.get("from"), line.get("to"), line.get("clip")]
    return " ".join(str(word) for word in words if word is not None)


def _rest(line: State) -> str:
    told = ("t_s", "kind", "event", "face", "from", "to", "clip")
    return "".join(f" {key} {json.dumps(value)}" for key, value in _flat(line).items() if key not in told)


def _flat(line: State, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in line.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def _changed(was: State, now: State) -> Iterator[str]:
    for key in dict.fromkeys([*was, *now]):
        if was.get(key) != now.get(key):
            yield f"{key} {json.dumps(was.get(key))} -> {json.dumps(now.get(key))}"
