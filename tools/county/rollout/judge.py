"""What a node's words mean for a rollout, and the next step of it. Pure.

Invariants: what a node confirmed for another issue counts for nothing; a node that took it back, or refused it, has
failed for good; one that does not answer has failed when its time is over, and is taken back into favour when it
answers after all; no wave begins before each node of the one before was settled and the soak is over; too many failures
send the rollout back, in whatever phase, paused or not, and nothing but a person begins it again.
"""

import dataclasses
from collections.abc import Mapping

from cloud_bridge.topics import ConfigReportedBody
from device.chosen import Runs
from device.provisioning.outcome import What
from tools.county.rollout.plan import members
from tools.county.rollout.state import FAILED, Became, Order, Phase, Rollout, Settled

_TOOK_BACK = frozenset({What.REVERTED, What.REVERTED_BEFORE})
_HAS_IT = frozenset({What.CONFIRMED, What.NOTHING_NEW})
_FOR_GOOD = frozenset({Became.REVERTED, Became.REFUSED})


def settled_by(said: ConfigReportedBody | None, rollout: Rollout) -> Settled | None:
    """What a node's report settles, None while it settles nothing."""
    if said is None or said.layers is None:
        return None
    return _went_back(said, rollout) if rollout.back_version is not None else _took(said, rollout)


def _took(said: ConfigReportedBody, rollout: Rollout) -> Settled | None:
    layers, outcome = said.layers, said.outcome
    assert layers is not None
    back = layers.reverted
    if back is not None and back.version is not None and back.version > rollout.base:
        return Settled(became=Became.REVERTED, why=back.why)
    runs_it = layers.runs is Runs.GOOD
    if outcome is not None and (
        (outcome.version or 0) > rollout.base or (outcome.version is None and outcome.bundle in rollout.bundles)
    ):
        if outcome.what is What.REFUSED:
            return Settled(became=Became.REFUSED, why=f"{outcome.code}: {outcome.why}")
        if outcome.what in _TOOK_BACK:
            return Settled(became=Became.REVERTED, why=outcome.why)
        if outcome.what in _HAS_IT and runs_it:
            return Settled(became=Became.CONFIRMED)
    if runs_it and (layers.version or 0) > rollout.base:
        return Settled(became=Became.CONFIRMED)
    return None


def _went_back(said: ConfigReportedBody, rollout: Rollout) -> Settled | None:
    """Of the order to go back. A node that never had it says so as well: each looked at the same bundle."""
    layers, outcome = said.layers, said.outcome
    assert layers is not None and rollout.back_version is not None
    heard = outcome is not None and (outcome.version or 0) >= rollout.back_version
    if layers.runs is Runs.TRIAL:
        return None
    if (layers.version or 0) >= rollout.back_version:
        return Settled(became=Became.BACK)
    if not heard or outcome is None:
        return None
    if outcome.what is What.REFUSED:
        return Settled(became=Became.REFUSED, why=f"{outcome.code}: {outcome.why}")
    if (layers.version or 0) > rollout.base and layers.runs is Runs.GOOD:
        return Settled(became=Became.REVERTED, why=outcome.why) if outcome.what in _TOOK_BACK else None
    return Settled(became=Became.BACK)


def step(rollout: Rollout, said: Mapping[str, ConfigReportedBody], listened_s: float) -> Rollout:
    """The rollout after ``listened_s`` more seconds in which the office heard its nodes; ``said`` by node."""
    if rollout.order is Order.BACK and rollout.phase not in (Phase.BACK, Phase.WENT_BACK, Phase.STOPPED):
        return _back(rollout, "ordered")
    if rollout.is_over:
        return rollout
    watched_s = rollout.watched_s + listened_s
    wanted = members(rollout.steps[rollout.wave], rollout.salt, rollout.group_of.keys())
    settled = {node: found for node in wanted if (found := _settled(node, rollout, said, watched_s)) is not None}
    rollout = rollout.model_copy(update={"settled": settled, "watched_s": watched_s})
    waits = len(settled) < len(wanted)
    if rollout.phase is Phase.BACK:
        return rollout if waits or rollout.back_version is None else _to(rollout, Phase.WENT_BACK)
    failed = [found for found in settled.values() if found.became in FAILED]
    if len(failed) * 100 > rollout.abort_over_pct * len(wanted):
        whys = sorted({found.why or found.became.value for found in failed})
        return _back(rollout, f"{len(failed)} of {len(wanted)} nodes failed: {'; '.join(whys[:3])}")
    if rollout.phase is Phase.WAVE:
        return rollout if waits else _to(rollout, Phase.SOAK)
    if waits:  # somebody who was silent, or confirmed, says something else now
        return rollout
    if watched_s < rollout.soak_s or rollout.order is Order.PAUSE:
        return rollout
    if rollout.wave + 1 < len(rollout.steps):
        return _to(rollout, Phase.WAVE).model_copy(update={"wave": rollout.wave + 1})
    return _to(rollout, Phase.DONE)


def _settled(node: str, rollout: Rollout, said: Mapping[str, ConfigReportedBody], watched_s: float) -> Settled | None:
    known = rollout.settled.get(node)
    if known is not None and known.became in _FOR_GOOD:
        return known
    found = settled_by(said.get(node), rollout)
    if found is not None:
        return found
    if known is not None:
        return known  # its report is not here any more: the broker lost it, or this is a new start of the office
    is_late = rollout.phase is not Phase.SOAK and watched_s > rollout.answer_s
    return Settled(became=Became.SILENT) if is_late else None


def _to(rollout: Rollout, phase: Phase) -> Rollout:
    return rollout.model_copy(update={"phase": phase, "watched_s": 0.0})


def _back(rollout: Rollout, why: str) -> Rollout:
    """What was settled about the change says nothing of the way back."""
    update = {"order": Order.BACK, "why": why, "settled": {}}
    return _to(rollout, Phase.BACK).model_copy(update=update)


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """A rollout in numbers, for whoever looks on."""

    wave: str
    phase: Phase
    members: int
    confirmed: int
    failed: int
    silent: int
    waiting: int


def progress(rollout: Rollout) -> Progress:
    """Of the wave that is out."""
    current = rollout.steps[rollout.wave]
    wanted = len(members(current, rollout.salt, rollout.group_of.keys()))
    good = Became.BACK if rollout.back_version is not None else Became.CONFIRMED
    silent, failed = rollout.count(Became.SILENT), len(rollout.failed)
    return Progress(
        wave=current.label,
        phase=rollout.phase,
        members=wanted,
        confirmed=rollout.count(good),
        failed=failed - silent,
        silent=silent,
        waiting=wanted - len(rollout.settled),
    )
