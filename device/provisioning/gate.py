"""Whether a configuration on trial has proved itself: the node runs it and is no worse than before. Pure.

Invariants: only what is new counts against it (a radar that was dead before says nothing of a threshold); a node that
does not answer is not well; every trial ends, and one that never stays well for its time fails.
"""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from device.health import Health
from hal.clock import NS_PER_S

SETTLE_S = 90.0
"""A start may flash for 60 s until its self-tests have passed (FAULTS, boot); vision loads its network meanwhile, and
each face is healthy for ten more before it may be dark."""

LASTING_S = 10.0
"""A fault that is gone sooner is a cable in the wind. It delays the verdict and does not make it."""

PATIENCE = 3.0
"""Times the trial's own time, after settling, in which the node must have been well for as long without a break."""

SILENT = "core does not answer"


class Verdict(enum.StrEnum):
    """What the gate says of a trial."""

    WAIT = "wait"
    PASSED = "passed"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """A verdict and why."""

    verdict: Verdict
    why: str


def faults(status: Mapping[str, Any] | None) -> dict[str, str]:
    """Everything that is wrong with a node, by name, from its status (``device.snapshot``); None: no answer."""
    if status is None:
        return {"core": SILENT}
    found = {
        f"part {name}": str(part["problem"] or part["state"])
        for name, part in status["parts"].items()
        if part["state"] in ("ERROR", "STALE")
    }
    for name, face in status["faces"].items():
        if face["health"] == Health.FAULT:
            found[f"face {name}"] = "; ".join(face["reasons"]) or str(Health.FAULT)
    return found


class Gate:
    """Watches one trial. ``before``: the faults that the node had before; ``config_sha256``: what has to run;
    ``trial_s``: for how long the node has to be well without a break; ``settle_s``: for how long it may be ill first,
    nothing where no process starts anew."""

    def __init__(
        self,
        before: Mapping[str, str],
        config_sha256: str,
        trial_s: float,
        now_ns: int,
        *,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._before = frozenset(before)
        self._wanted = config_sha256
        self._trial_ns = round(trial_s * NS_PER_S)
        self._settled_ns = now_ns + round(settle_s * NS_PER_S)
        self._over_ns = self._settled_ns + round(max(PATIENCE * self._trial_ns, LASTING_S * NS_PER_S))
        self._well_since_ns: int | None = None
        self._ill_since_ns: int | None = None

    def look(self, status: Mapping[str, Any] | None, now_ns: int) -> Said:
        """Takes a status, or None where core does not answer."""
        why = self._ill(status)
        if why is None:
            self._ill_since_ns = None
            self._well_since_ns = now_ns if self._well_since_ns is None else self._well_since_ns
            if now_ns - self._well_since_ns >= self._trial_ns:
                return Said(Verdict.PASSED, f"well for {self._trial_ns / NS_PER_S:g} s")
            why = "well so far"
        else:
            self._well_since_ns = None
            self._ill_since_ns = now_ns if self._ill_since_ns is None else self._ill_since_ns
            lasting = now_ns - self._ill_since_ns >= round(LASTING_S * NS_PER_S)
            if now_ns >= self._settled_ns and lasting:
                return Said(Verdict.FAILED, why)
        if now_ns >= self._over_ns and self._well_since_ns is None:
            return Said(Verdict.FAILED, f"never well for {self._trial_ns / NS_PER_S:g} s without a break; last: {why}")
        return Said(Verdict.WAIT, why)

    def _ill(self, status: Mapping[str, Any] | None) -> str | None:
        """What is new and wrong, None when the node is well."""
        new = {name: why for name, why in faults(status).items() if name not in self._before}
        if new:
            return "; ".join(f"{name}: {why}" for name, why in sorted(new.items()))
        if status is None:
            return SILENT
        if status["config"]["sha256"] != self._wanted:
            return "core runs another configuration"
        return "core is starting" if status["booting"] else None
