"""How the nodes of a fleet behave: which are offline, slow or ill, chosen alike each time. Pure.

Invariants: a share is drawn by the hash of the id, so that the same county has the same troubled nodes in every run;
offline, slow and failing nodes are different ones.
"""

import dataclasses
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from configs import yaml_text
from configs.errors import ConfigError
from tools.county.simulate.county import SimulationError

SHARE: Final = "5% · n0001,n0002"
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?)%")
_PATH = re.compile(r"[a-z_]+(\.[a-z0-9_]+)*")


@dataclasses.dataclass(frozen=True, slots=True)
class Ailment:
    """The value of a configuration with which a node falls ill, whatever its schema says."""

    path: tuple[str, ...]
    value: Any

    def value_in(self, values: Mapping[str, Any]) -> Any:
        """What a configuration says there, None where it says nothing."""
        found: Any = values
        for part in self.path:
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class Behaviour:
    """``offline``: never connect until they are told; ``slow``: late, and slow to be well; ``failing``: ill with
    whatever is new; ``ill_by``: makes every node ill. All others are well."""

    offline: frozenset[str] = frozenset()
    slow: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    ill_by: Ailment | None = None


def drawn(nodes: Sequence[str], offline: str, slow: str, failing: str, ill_by: str | None) -> Behaviour:
    """The behaviour of a fleet of these nodes. Each word is ``5%`` or ``n0001,n0002``; ``ill_by`` is ``KEY=VALUE``.
    Raises SimulationError."""
    words = {"--offline": offline, "--slow": slow, "--failing": failing}
    named = {name: _named(name, word, nodes) for name, word in words.items()}
    taken = frozenset[str]().union(*named.values())
    free = sorted((node for node in nodes if node not in taken), key=_rank)
    for name, word in words.items():
        if (found := _PERCENT.fullmatch(word)) is not None:
            count = math.ceil(Fraction(found[1]) * len(nodes) / 100)
            if count > len(free):
                raise SimulationError("option", name=name, value=word, allowed="≤ 100%")
            named[name], free = frozenset(free[:count]), free[count:]
    return Behaviour(
        named["--offline"], named["--slow"], named["--failing"], None if ill_by is None else ailment(ill_by)
    )


def ailment(text: str) -> Ailment:
    """``policy.hold_s=9``. Raises SimulationError."""
    path, separator, value = text.partition("=")
    try:
        if separator and _PATH.fullmatch(path):
            return Ailment(tuple(path.split(".")), yaml_text.parse_value(value))
    except ConfigError:
        pass
    raise SimulationError("option", name="--ill-by", value=text, allowed="KEY=VALUE, policy.hold_s=9")


def _named(name: str, word: str, nodes: Sequence[str]) -> frozenset[str]:
    """The nodes that a word names; none where it is a share."""
    if not word or _PERCENT.fullmatch(word):
        return frozenset()
    found = frozenset(word.split(","))
    if not found <= set(nodes):
        raise SimulationError("option", name=name, value=word, allowed=SHARE)
    return found


def _rank(node: str) -> bytes:
    return hashlib.sha256(node.encode()).digest()
