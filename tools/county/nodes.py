"""Many nodes as people write them."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from device.cli.language import _

FEW: Final = 6
"""Runs of nodes that are written out; more of them are counted."""

_NUMBERED = re.compile(r"(.*?)([0-9]+)")


def node_list(nodes: Sequence[str]) -> str:
    """Nodes as people write them: ``n0001–n0400, n0412``; a long list ends with how many more."""
    runs = list(_runs(sorted(nodes, key=_by_number)))
    text = ", ".join(first if first == last else f"{first}–{last}" for first, last, _count in runs[:FEW])
    left = sum(count for _first, _last, count in runs[FEW:])
    return text + (_(" and {count} more").format(count=left) if left else "")


def _runs(nodes: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """(first, last, how many) of each run of nodes that count up by one."""
    start, previous, count = "", "", 0
    for node in nodes:
        if count and _next(previous) == node:
            previous, count = node, count + 1
            continue
        if count:
            yield start, previous, count
        start, previous, count = node, node, 1
    if count:
        yield start, previous, count


def _by_number(node: str) -> tuple[str, int]:
    found = _NUMBERED.fullmatch(node)
    return (node, 0) if found is None else (found[1], int(found[2]))


def _next(node: str) -> str | None:
    found = _NUMBERED.fullmatch(node)
    return None if found is None else f"{found[1]}{int(found[2]) + 1:0{len(found[2])}d}"
