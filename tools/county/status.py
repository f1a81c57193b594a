"""``sentinel-county status``: which nodes are there, which are well, what they run; silence is told as such.

What the broker keeps of each node: its presence (the Last Will of a node that fell silent comes after one and a half
keepalives, MQTT 5, 3.1.2.10), its health, its configuration. Exit 0 all well, 1 somebody is not, 2 bad input, 3 the
broker is not reached.
"""

import dataclasses
import hashlib
import pathlib
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click

from device.cli.common import FAULT, NOT_RUNNING, Verb, emit, fail
from device.cli.language import _
from device.provisioning.outcome import What
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from tools.county import NODE_OPTIONS
from tools.county.desk import broker_options, told
from tools.county.nodes import node_list

if TYPE_CHECKING:
    from tools.county.line import Line, NodeSaid

_REACH_S: Final = 20.0
_FOLDER = click.Path(exists=True, file_okay=False, path_type=pathlib.Path)


@dataclasses.dataclass(frozen=True, slots=True)
class NodeState:
    """One node: ``troubles`` in words, none where it is well; ``runs`` and ``version``: its configuration."""

    node: str
    group: str
    online: bool
    runs: str | None
    version: int | None
    troubles: tuple[str, ...]


def state_of(node: str, group: str, said: "NodeSaid | None", site_sha256: str | None) -> NodeState:
    """What is known of a node; ``site_sha256``: of the office's copy of its site file."""
    if said is None or said.presence is None:
        return NodeState(node, group, False, None, None, (_("never heard of"),))
    online = said.presence.state == "online"
    troubles = [] if online else [_("silent") if said.presence.reason == "lost" else _("stopped")]
    if said.health is not None:
        if said.health.core != "running":
            troubles.append(_("core is not running"))
        faults = sorted(name for name, face in said.health.faces.items() if face.health == "fault")
        ill = sorted(name for name, part in said.health.parts.items() if part.state in ("ERROR", "STALE"))
        if faults or ill:
            troubles.append(_("fault: {names}").format(names=", ".join([*faults, *ill])))
    outcome = None if said.reported is None else said.reported.outcome
    if outcome is not None and outcome.what is What.REFUSED:
        troubles.append(_("refused its last bundle: {code}").format(code=outcome.code))
    if outcome is not None and outcome.what is What.AWAITING:
        troubles.append(_("waits for larger files: {why}").format(why=outcome.code or _("under way")))
    layers = None if said.reported is None else said.reported.layers
    if layers is not None:
        if layers.problem:
            troubles.append(layers.problem)
        if layers.reverted is not None:
            troubles.append(_("took back version {version}").format(version=layers.reverted.version))
        if layers.local:
            paths = ", ".join(change.path for change in layers.local)
            troubles.append(_("changed by hand: {paths}").format(paths=paths))
        if site_sha256 is not None and layers.site_sha256 not in (None, site_sha256):
            troubles.append(_("its site file is not the one in sites/"))
    return NodeState(
        node,
        group,
        online,
        None if layers is None else layers.runs.value,
        None if layers is None else layers.version,
        tuple(troubles),
    )


@click.command(
    "status", cls=Verb, without=NODE_OPTIONS, help=_("Show which nodes are there, which are well, what they run.")
)
@click.argument("folder", required=False, default=".", metavar="[FOLDER]", type=_FOLDER)
@broker_options(required=True)
@click.option("--watch", is_flag=True, help=_("Go on looking, until Ctrl-C."))
def status(folder: pathlib.Path, broker: str, ca: pathlib.Path | None, cert: pathlib.Path | None, watch: bool) -> None:
    """Asks the broker, wakes no node."""
    from tools.county import folder as folders
    from tools.county.line import Line

    with told():
        county, group_of = folders.register(folder)
        sites = {node: _sha256(folder / folders.SITES / f"{node}.yaml") for node in group_of}
        line = Line(county, broker, ca, cert, f"status-{secrets.token_hex(4)}", SYSTEM_CLOCK)
        line.start()
        try:
            found = _looked(line, group_of, sites)
            while watch:
                click.echo("\n".join(lines(found)))
                before = found
                while found == before:
                    line.news.wait(1.0)
                    line.take()
                    found = _states(line, group_of, sites)
        finally:
            line.close()
    text = "\n".join(lines(found))
    if any(each.troubles for each in found):
        fail(FAULT, text, {"nodes": [dataclasses.asdict(each) for each in found]})
    emit({"ok": True, "nodes": [dataclasses.asdict(each) for each in found]}, text)


def lines(found: Sequence[NodeState]) -> list[str]:
    """A line of counts, then a line for each trouble and who has it."""
    here = sum(each.online for each in found)
    told_so = [_("{here} of {count} nodes are there").format(here=here, count=len(found))]
    versions: dict[str, list[str]] = {}
    troubles: dict[str, list[str]] = {}
    for each in found:
        if each.runs is not None:
            runs = each.runs if each.version is None else f"{each.runs} v{each.version}"
            versions.setdefault(runs, []).append(each.node)
        for trouble in each.troubles:
            troubles.setdefault(trouble, []).append(each.node)
    told_so += [f"  {runs}: {len(nodes)}" for runs, nodes in sorted(versions.items())]
    told_so += [f"{trouble}: {node_list(nodes)}" for trouble, nodes in troubles.items()]
    return told_so


def _looked(line: "Line", group_of: Mapping[str, str], sites: Mapping[str, str | None]) -> list[NodeState]:
    until_ns = SYSTEM_CLOCK.monotonic_ns() + round(_REACH_S * NS_PER_S)
    while not line.is_settled:
        line.news.wait(0.2)
        line.take()
        if SYSTEM_CLOCK.monotonic_ns() > until_ns or line.refused is not None:
            fail(NOT_RUNNING, _("the broker is not reached: {error}").format(error=line.error))
    return _states(line, group_of, sites)


def _states(line: "Line", group_of: Mapping[str, str], sites: Mapping[str, str | None]) -> list[NodeState]:
    return [state_of(node, group, line.nodes.get(node), sites[node]) for node, group in group_of.items()]


def _sha256(path: pathlib.Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
