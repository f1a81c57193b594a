"""Who is in a wave: a pure rule that the office and the node work out alike, so that nobody has to be told.

A target's ``custom`` carries ``{"salt", "permille", "nodes"}``. Widening a wave is signing again with the same salt and
a larger ``permille``: whoever was in stays in. Another salt draws another order, so that it is not always the same
nodes that go first.
"""

import dataclasses
import hashlib
import re
from collections.abc import Collection
from typing import Any

WHOLE = 1000
"""``permille`` of everyone."""

_SALT = re.compile(r"[\x20-\x7e]{1,64}")
_NODE = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclasses.dataclass(frozen=True, slots=True)
class Wave:
    """Which nodes take a target: those named, and ``permille`` of all by hash. Raises ValueError out of bounds."""

    salt: str
    permille: int
    nodes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not _SALT.fullmatch(self.salt):
            raise ValueError(f"salt {self.salt!r}: 1 to 64 printable ASCII characters")
        if not 0 <= self.permille <= WHOLE:
            raise ValueError(f"permille {self.permille}: 0 to {WHOLE}")
        for node in self.nodes:
            if not _NODE.fullmatch(node):
                raise ValueError(f"node {node!r}: a node's id without its county, like n0001")

    def includes(self, node: str) -> bool:
        """Whether the node (its id without the county) takes what this wave is on."""
        if node in self.nodes:
            return True
        digest = hashlib.sha256((self.salt + node).encode("utf-8")).digest()
        return int.from_bytes(digest, "big") % WHOLE < self.permille

    def as_custom(self) -> dict[str, Any]:
        """The wave as it stands in a target's ``custom``."""
        return {"salt": self.salt, "permille": self.permille, "nodes": sorted(self.nodes)}


def everyone(salt: str = "all") -> Wave:
    """The wave that has reached the whole group."""
    return Wave(salt, WHOLE)


def wave_of(custom: Any) -> Wave:
    """The wave in a target's ``custom``. Raises ValueError: a target without a wave is for nobody."""
    if not isinstance(custom, dict) or custom.keys() != {"salt", "permille", "nodes"}:
        raise ValueError("salt, permille and nodes are needed, and nothing else")
    salt, permille, nodes = custom["salt"], custom["permille"], custom["nodes"]
    if not isinstance(salt, str) or type(permille) is not int:
        raise ValueError("salt is text, permille a whole number")
    if not isinstance(nodes, Collection) or not all(isinstance(node, str) for node in nodes):
        raise ValueError("nodes is a list of ids")
    return Wave(salt, permille, frozenset(nodes))
