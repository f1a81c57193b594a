"""A rollout as people see it: plain lines, a live table, values for programs."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from device.cli.language import _
from tools.county.nodes import node_list
from tools.county.rollout.judge import progress
from tools.county.rollout.plan import members
from tools.county.rollout.state import Became, Order, Phase, Rollout

if TYPE_CHECKING:
    from rich.table import Table


def as_json(rollout: Rollout) -> dict[str, Any]:
    """Everything but what was signed."""
    return {
        "ok": rollout.phase not in (Phase.WENT_BACK, Phase.STOPPED, Phase.BACK),
        "begun": rollout.begun,
        "groups": sorted(rollout.texts),
        "nodes": len(rollout.group_of),
        "order": rollout.order.value,
        "why": rollout.why,
        "watched_s": round(rollout.watched_s, 1),
        **dataclasses.asdict(progress(rollout)),
        "failed_nodes": {
            node: {"became": settled.became.value, "why": settled.why}
            for node, settled in rollout.settled.items()
            if node in rollout.failed
        },
    }


def headline(rollout: Rollout, *, with_time: bool = True) -> str:
    """Where it is, in one line; without the time it is the same as long as nothing happens."""
    at = progress(rollout)
    phase = _phases()[rollout.phase]
    if rollout.order is Order.PAUSE and not rollout.is_over:
        phase = _("paused, {phase}").format(phase=phase)
    words = _("wave {wave} ({number} of {count}): {phase}").format(
        wave=at.wave, number=rollout.wave + 1, count=len(rollout.steps), phase=phase
    )
    if rollout.phase is Phase.SOAK and with_time:
        left_s = max(0.0, rollout.soak_s - rollout.watched_s)
        words += _(", {seconds:.0f} s left").format(seconds=left_s)
    done = _("gone back") if rollout.back_version is not None else _("confirmed")
    counts = [
        f"{done} {at.confirmed}/{at.members}",
        *([_("failed {count}").format(count=at.failed)] if at.failed else []),
        *([_("silent {count}").format(count=at.silent)] if at.silent else []),
    ]
    return f"{words}; {', '.join(counts)}"


def lines(rollout: Rollout) -> list[str]:
    """The whole of it."""
    found = [headline(rollout)]
    if rollout.why is not None:
        found.append(_("why: {why}").format(why=rollout.why))
    by_words: dict[str, list[str]] = {}
    for node in rollout.failed:
        settled = rollout.settled[node]
        by_words.setdefault(settled.why or _became()[settled.became], []).append(node)
    found += [f"  {node_list(nodes)}: {words}" for words, nodes in by_words.items()]
    return found


def table(rollout: Rollout) -> "Table":
    """The waves with bars, for a terminal that is looked at."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    shown = Table(title="\n".join(lines(rollout)), title_justify="left", box=None, padding=(0, 1))
    for name in (_("wave"), _("nodes"), "", ""):
        shown.add_column(name)
    for number, step in enumerate(rollout.steps):
        wanted = members(step, rollout.salt, rollout.group_of.keys())
        done = sum(node in rollout.settled and node not in rollout.failed for node in wanted)
        reached = number <= rollout.wave
        bar = ProgressBar(total=max(1, len(wanted)), completed=done if reached else 0, width=30)
        shown.add_row(step.label, str(len(wanted)), bar, f"{done}/{len(wanted)}" if reached else "")
    return shown


def _phases() -> Mapping[Phase, str]:
    return {
        Phase.WAVE: _("nodes are taking it"),
        Phase.SOAK: _("it has to stand for a while"),
        Phase.BACK: _("going back"),
        Phase.DONE: _("done"),
        Phase.WENT_BACK: _("went back"),
        Phase.STOPPED: _("stopped"),
    }


def _became() -> Mapping[Became, str]:
    return {
        Became.REVERTED: _("taken back by the node"),
        Became.REFUSED: _("refused by the node"),
        Became.SILENT: _("no answer"),
    }
