"""What one state of the office's folder changes against another, on which nodes. Pure.

Invariants: values are compared as the node would run them, defaults included, so that a key that only says the default
is no change and one that is removed is; every changed value of every node is in exactly one ``Change``.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from configs.layers import Layer, leaves
from configs.loader import dotted
from configs.schema import SiteConfig
from device.provisioning.files import hashes
from tools.county.checking import Checked
from tools.county.folder import FILES

ABSENT = object()
"""The value of a key that is not there (a sensor that came or went)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One value that changes in the same way, for the same reason, on these nodes. ``layer``, ``file`` and ``line`` are
    where the new value stands; None: the program's own default is back."""

    path: str
    before: Any
    after: Any
    layer: str | None
    file: str | None
    line: int | None
    nodes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """Nodes that change their group."""

    before: str
    after: str
    nodes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Diff:
    """Everything that differs."""

    nodes: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    moves: tuple[Move, ...]
    changes: tuple[Change, ...]

    @property
    def changed(self) -> set[str]:
        """The nodes of both states that run something else."""
        return {node for change in self.changes for node in change.nodes}


def diff(old: Checked, new: Checked) -> Diff:
    """``old`` and ``new`` passed their check."""
    stay = [node for node in new.configs if node in old.configs]
    changes: dict[str, list[str]] = {}
    first: dict[str, Change] = {}
    for node in stay:
        for change in _changes(node, old, new):
            key = repr((change.path, change.before, change.after, change.file, change.line))
            first.setdefault(key, change)
            changes.setdefault(key, []).append(node)
    moves: dict[tuple[str, str], list[str]] = {}
    for node in stay:
        groups = old.folder.group_of[node], new.folder.group_of[node]
        if groups[0] != groups[1]:
            moves.setdefault(groups, []).append(node)
    found = [dataclasses.replace(change, nodes=tuple(changes[key])) for key, change in first.items()]
    return Diff(
        nodes=len(new.configs),
        added=tuple(node for node in new.configs if node not in old.configs),
        removed=tuple(node for node in old.configs if node not in new.configs),
        moves=tuple(Move(*groups, nodes=tuple(nodes)) for groups, nodes in moves.items()),
        changes=tuple(sorted(found, key=lambda change: (-len(change.nodes), change.path, change.nodes))),
    )


def _changes(node: str, old: Checked, new: Checked) -> Iterator[Change]:
    yield from _changed_files(node, old, new)
    if old.configs[node] == new.configs[node]:
        return
    before, after = _flat(old.configs[node]), _flat(new.configs[node])
    for path in dict.fromkeys([*before, *after]):
        was, now = before.get(path, ABSENT), after.get(path, ABSENT)
        if was == now:
            continue
        part = new.merged[node].origin(path)
        yield Change(
            dotted(path),
            was,
            now,
            None if part is None else part.layer.value,
            None if part is None else part.source.file,
            None if part is None else part.source.line(path),
            (node,),
        )


def _changed_files(node: str, old: Checked, new: Checked) -> Iterator[Change]:
    """The larger files that are not the same any more, by their hashes."""
    before, after = (hashes(state.folder.files.get(state.folder.group_of[node], {})) for state in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            file = f"{FILES}/{new.folder.group_of[node]}.json"
            was, now = before.get(name, ABSENT), after.get(name, ABSENT)
            yield Change(f"{FILES}: {name}", was, now, Layer.GROUP.value, file, None, (node,))


def _flat(config: SiteConfig) -> Mapping[tuple[str, ...], Any]:
    values = config.model_dump(mode="json")
    found = {}
    for path in leaves(values):
        place: Any = values
        for part in path:
            place = place[part]
        found[path] = place
    return found
