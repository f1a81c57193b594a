"""Explores a state machine to the end: every state that can be reached, with every input, each once.

A state is the memory of the objects under test, with its times as ages in whole seconds. Whoever explores names what is
left out of it: configuration, caches, and what makes no difference; anything else of a type that is not known here is
refused, so that no memory is overlooked.
"""

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

from device.tracks import Track
from hal.clock import NS_PER_S
from tests.support.road import START_NS

State = TypeVar("State")
Given = TypeVar("Given")
Told = TypeVar("Told")

OLDEST_S = 1_000
"""An integer that is at most this long before the start is a time."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """Which objects have a memory of their own, what of it is left out, and from when on an age is just old. ``only``
    names what counts of an object where that is not all of it."""

    mutable: tuple[type, ...]
    forget: frozenset[str]
    age_s: int
    only: Callable[[Any], tuple[str, ...] | None] = lambda _value: None
    _inner: dict[type, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    _counts: dict[type, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def copied(self, value: Any) -> Any:
        """A copy that shares nothing that changes."""
        kind = type(value)
        if kind not in self._inner:
            self._inner[kind] = tuple(name for name, one in vars(value).items() if type(one) in self.mutable)
        other = object.__new__(kind)
        vars(other).update(vars(value))
        for name in self._inner[kind]:
            setattr(other, name, self.copied(getattr(value, name)))
        return other

    def state(self, value: Any, now_ns: int) -> Hashable:
        """What of it makes a difference from now on."""
        kind = type(value)
        if value is None or kind is bool or kind is frozenset:
            return value  # type: ignore[no-any-return]
        if kind is int:
            if value < START_NS - OLDEST_S * NS_PER_S:
                return value
            return min(self.age_s, round((now_ns - value) / NS_PER_S))
        if kind in self.mutable:
            if kind not in self._counts:
                self._counts[kind] = tuple(name for name in vars(value) if name not in self.forget)
            return tuple([self.state(getattr(value, name), now_ns) for name in self.only(value) or self._counts[kind]])
        if kind is Track:
            return value.id, value.state, value.sensor
        if kind is tuple:
            return tuple([self.state(one, now_ns) for one in value])
        raise TypeError(f"{value!r} is neither left out nor told apart")


@dataclasses.dataclass
class Count:
    """How far an exploration went."""

    states: int = 0
    transitions: int = 0


def explored(
    starts: Iterable[State],
    inputs: Iterable[Given],
    step: Callable[[State, Given], tuple[State, Told]],
    key: Callable[[State], Hashable],
    count: Count,
) -> Iterator[tuple[State, Given, State, Told]]:
    """Every transition: state before, input, state after, and what was told. ``step`` must leave the state it is given
    as it was."""
    todo = list(starts)
    known = {key(state) for state in todo}
    every = tuple(inputs)
    while todo:
        before = todo.pop()
        for given in every:
            after, told = step(before, given)
            count.transitions += 1
            yield before, given, after, told
            found = key(after)
            if found not in known:
                known.add(found)
                todo.append(after)
    count.states = len(known)
