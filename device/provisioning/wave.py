"""Who is in a wave: a pure rule that the office and the node work out alike, so that nobody has to be told.

A target's ``custom`` carries ``{"salt", "permille", "nodes", "trial_s"}``. Widening a wave is signing again with the
same salt and a larger ``permille``: whoever was in stays in. Another salt draws another order, so that it is not always
the same nodes that go first. ``trial_s``, signed like the rest: for how long a node has to be well with what it took.

Each target has a wave of its own, and a node takes a bundle when *every* target for it includes it, the longest trial
counting: what runs on a node is always one combination that the office checked, never half of it.
"""

import dataclasses
import hashlib
import re
from collections.abc import Collection
from typing import Any

WHOLE = 1000
"""``permille`` of everyone."""

TRIAL_S = 60
"""Seconds on trial unless the office says otherwise: several health reports, and a lorry or two on a village road."""

TRIAL_MOST_S = 3600
"""A longer trial would let a node start twice for other reasons and take back what is right."""

_SALT = re.compile(r"[\x20-\x7e]{1,64}")
_NODE = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclasses.dataclass(frozen=True, slots=True)
class Wave:
    """Which nodes take a target: those named, and ``permille`` of all by hash. Raises ValueError out of bounds."""

    salt: str
    permille: int
    nodes: frozenset[str] = frozenset()
    trial_s: int = TRIAL_S

    def __post_init__(self) -> None:
        if not _SALT.fullmatch(self.salt):
            raise ValueError(f"salt {self.salt!r}: 1 to 64 printable ASCII characters")
        if not 0 <= self.permille <= WHOLE:
            raise ValueError(f"permille {self.permille}: 0 to {WHOLE}")
        if not 0 <= self.trial_s <= TRIAL_MOST_S:
            raise ValueError(f"trial_s {self.trial_s}: 0 to {TRIAL_MOST_S}")
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
        return {
            "salt": self.salt,
            "permille": self.permille,
            "nodes": sorted(self.nodes),
            "trial_s": self.trial_s,
        }


def everyone(salt: str = "all", *, trial_s: int = TRIAL_S) -> Wave:
    """The wave that has reached the whole group."""
    return Wave(salt, WHOLE, trial_s=trial_s)


def wave_of(custom: Any) -> Wave:
    """The wave in a target's ``custom``. Raises ValueError: a target without a wave is for nobody."""
    if not isinstance(custom, dict) or custom.keys() != {"salt", "permille", "nodes", "trial_s"}:
        raise ValueError("salt, permille, nodes and trial_s are needed, and nothing else")
    salt, permille, nodes, trial_s = (custom[name] for name in ("salt", "permille", "nodes", "trial_s"))
    if not isinstance(salt, str) or type(permille) is not int or type(trial_s) is not int:
        raise ValueError("salt is text, permille and trial_s are whole numbers")
    if not isinstance(nodes, Collection) or not all(isinstance(node, str) for node in nodes):
        raise ValueError("nodes is a list of ids")
    return Wave(salt, permille, frozenset(nodes), trial_s)
