"""Who is in which wave. Pure, but for the salt, which is drawn.

Invariants: whoever is in a wave is in every later one; the last wave is everyone; office and node work out alike who is
in (``device.provisioning.wave``), so that a node is never told.
"""

import dataclasses
import re
import secrets
from collections.abc import Callable, Collection, Sequence

from device.provisioning.wave import WHOLE, Wave
from tools.county.rollout.errors import RolloutError

_NAMED = re.compile(r"([1-9][0-9]{0,3})nodes?")
_SHARE = re.compile(r"([0-9]{1,3})(?:\.([0-9]))?%")

DRAWS = 200
"""Salts among which the one is taken whose waves come nearest to the shares asked for: a hash is not exact, and 10 % of
twelve nodes may well be none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One wave: as it was written, ``permille`` of all nodes, and those that are in by name."""

    label: str
    permille: int
    nodes: frozenset[str]

    def wave(self, salt: str, trial_s: int) -> Wave:
        """As it is signed."""
        return Wave(salt, self.permille, self.nodes, trial_s)


def parse(text: str, first: Collection[str] = ()) -> tuple[Step, ...]:
    """The waves in ``5nodes,10%,50%,100%``; ``first``: the nodes of the first, by name. Raises RolloutError."""
    named = frozenset(first)
    steps: list[Step] = []
    for label in (word.strip() for word in text.split(",")):
        if (count := _NAMED.fullmatch(label)) is not None and not steps:
            if int(count[1]) != len(named):
                raise RolloutError("named", wanted=count[1], have=len(named))
            steps.append(Step(label, 0, named))
            continue
        share = _SHARE.fullmatch(label)
        permille = 0 if share is None else 10 * int(share[1]) + int(share[2] or 0)
        if not (steps[-1].permille if steps else 0) < permille <= WHOLE:
            raise RolloutError("bad_wave", value=label)
        steps.append(Step(label, permille, named))
    if steps[-1].permille != WHOLE:
        raise RolloutError("bad_wave", value=steps[-1].label)
    if named and steps[0].permille:
        raise RolloutError("named", wanted=0, have=len(named))
    return tuple(steps)


def members(step: Step, salt: str, nodes: Collection[str]) -> list[str]:
    """The nodes that are in a wave, in the order in which they were given."""
    wave = step.wave(salt, 0)
    return [node for node in nodes if wave.includes(node)]


def draw(
    steps: Sequence[Step], nodes: Collection[str], random: Callable[[], str] = lambda: secrets.token_hex(4)
) -> str:
    """A salt under which each wave has about the share of nodes that was asked for, and someone in it."""

    def off(salt: str) -> float:
        wrong = 0.0
        for step in steps:
            wanted = max(1.0, len(nodes) * step.permille / WHOLE) if step.permille else 0.0
            wrong += abs(len(members(Step("", step.permille, frozenset()), salt, nodes)) - wanted) / max(1.0, wanted)
        return wrong

    return min((random() for _ in range(DRAWS)), key=off)
