"""``sentinel-county config``: is the folder right for every node, and what would it change.

Exit 0 when it is (warnings pass), 2 when anything is wrong: nothing of such a folder may be signed.
"""

import json
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from configs.errors import LAYERS, ConfigError
from device.cli.common import BAD_INPUT, Verb, VerbGroup, emit, fail, fail_config, problem_lines
from device.cli.language import _, language
from tools.county import NODE_OPTIONS
from tools.county.checking import Checked, SharedCheck, Told, check
from tools.county.diff import ABSENT, Change, Diff, diff
from tools.county.folder import Reader, read
from tools.county.nodes import node_list

FEW = 6
"""Different new values of one key that are written out; more of them are counted."""

_FOLDER = click.Path(exists=True, file_okay=False, path_type=pathlib.Path)


@click.group("config", cls=VerbGroup, without=NODE_OPTIONS, help=_("Check the folder; show what it changes."))
def command() -> None:
    """Only a group."""


@command.command(
    "check", cls=Verb, without=NODE_OPTIONS, help=_("Check the folder: the result for every node, by its own schema.")
)
@click.argument("folder", required=False, default=".", metavar="[FOLDER]", type=_FOLDER)
def check_command(folder: pathlib.Path) -> None:
    """Exit 2 when anything is wrong for any node."""
    checked = _checked(folder, Reader(), SharedCheck())
    count = _("{nodes} nodes in {groups} groups").format(
        nodes=len(checked.folder.group_of), groups=len(checked.folder.groups)
    )
    warned = _warning_lines(checked.warnings)
    data = {
        "ok": checked.is_right,
        "folder": str(folder),
        "nodes": len(checked.folder.group_of),
        "groups": len(checked.folder.groups),
        "problems": [_told_json(told) for told in checked.problems + checked.warnings],
    }
    if not checked.is_right:
        bad = len(checked.folder.group_of) - len(checked.configs)
        last = _("{folder}: not to be sent: {count}, {bad} of them with errors").format(
            folder=folder, count=count, bad=bad
        )
        fail(BAD_INPUT, "\n".join([*warned, *_told_lines(checked.problems), last]), data)
    emit(data, "\n".join([*warned, _("{folder}: fine: {count}").format(folder=folder, count=count)]))


@command.command(
    "diff", cls=Verb, without=NODE_OPTIONS, help=_("Show what FOLDER changes against OLD, and on which nodes.")
)
@click.argument("old", metavar="OLD", type=_FOLDER)
@click.argument("folder", required=False, default=".", metavar="[FOLDER]", type=_FOLDER)
def diff_command(old: pathlib.Path, folder: pathlib.Path) -> None:
    """Both must pass their check: what a wrong folder would do is not known."""
    reader, shared = Reader(), SharedCheck()
    found = diff(*(checked_folder(path, reader, shared) for path in (old, folder)))
    emit(_diff_json(found), "\n".join(_diff_lines(found)))


def checked_folder(path: pathlib.Path, reader: Reader | None = None, shared: SharedCheck | None = None) -> Checked:
    """The folder at ``path``, right for every node; ends the verb where it is not."""
    checked = _checked(path, reader or Reader(), shared or SharedCheck())
    if not checked.is_right:
        data = {"folder": str(path), "problems": [_told_json(told) for told in checked.problems]}
        last = _("{folder} is wrong; see sentinel-county config check.").format(folder=path)
        fail(BAD_INPUT, "\n".join([*_told_lines(checked.problems), last]), data)
    return checked


def _checked(path: pathlib.Path, reader: Reader, shared: SharedCheck) -> Checked:
    try:
        return check(*read(path, reader, _watched), shared)
    except ConfigError as error:
        fail_config(error)


def _watched(nodes: Sequence[str]) -> Iterator[str]:
    """The nodes, with a bar where somebody looks on: a thousand site files take a while to read."""
    if not sys.stderr.isatty():
        yield from nodes
        return
    with click.progressbar(nodes, label=_("reading"), file=sys.stderr, show_pos=True) as bar:
        yield from bar


def _on(nodes: Sequence[str]) -> str:
    return _("{count} nodes: {nodes}").format(count=len(nodes), nodes=node_list(nodes))


def _told_lines(found: Sequence[Told]) -> list[str]:
    return [problem_lines([told.problem]) + (f" ({_on(told.nodes)})" if len(told.nodes) > 1 else "") for told in found]


def _warning_lines(found: Sequence[Told]) -> list[str]:
    """A line for every kind of warning: a thousand junctions have thousands."""
    kinds: dict[str, list[Told]] = {}
    for told in found:
        kinds.setdefault(told.problem.code, []).append(told)
    lines = []
    for group in kinds.values():
        nodes = {node for told in group for node in told.nodes}
        first = problem_lines([group[0].problem])
        more = _(" (and {count} more like it, on {nodes}; --json lists them)").format(
            count=len(group) - 1, nodes=_on(sorted(nodes))
        )
        lines.append(first + (more if len(group) > 1 else ""))
    return lines


def _told_json(told: Told) -> dict[str, Any]:
    return {**told.problem.as_json(language()), "nodes": list(told.nodes)}


def _diff_lines(found: Diff) -> list[str]:
    if not (found.changes or found.added or found.removed or found.moves):
        return [_("Nothing changes on any of {count} nodes.").format(count=found.nodes)]
    lines = [_("{changed} of {count} nodes change.").format(changed=len(found.changed), count=found.nodes)]
    if found.added:
        lines.append(_("new: {nodes}").format(nodes=_on(found.added)))
    if found.removed:
        lines.append(_("gone: {nodes}").format(nodes=_on(found.removed)))
    lines += [
        _("group {before} → {after}: {nodes}").format(before=move.before, after=move.after, nodes=_on(move.nodes))
        for move in found.moves
    ]
    by_path: dict[str, list[Change]] = {}
    for change in found.changes:
        by_path.setdefault(change.path, []).append(change)
    for path, changes in by_path.items():
        lines += [_change_line(change) for change in changes[:FEW]]
        if len(changes) > FEW:
            nodes = sorted({node for change in changes[FEW:] for node in change.nodes})
            lines.append(
                _("{path}: {count} more different changes, on {nodes}; --json lists them").format(
                    path=path, count=len(changes) - FEW, nodes=_on(nodes)
                )
            )
    return lines


def _change_line(change: Change) -> str:
    place = change.file if change.line is None else f"{change.file}:{change.line}"
    whence = _("default") if change.layer is None else f"{LAYERS[change.layer].of(language())} {place}"
    return f"{change.path}: {_short(change.before)} → {_short(change.after)} [{whence}] {_on(change.nodes)}"


def _short(value: Any) -> str:
    if value is ABSENT:
        return "—"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"


def _diff_json(found: Diff) -> dict[str, Any]:
    return {
        "ok": True,
        "nodes": found.nodes,
        "changed": sorted(found.changed),
        "added": list(found.added),
        "removed": list(found.removed),
        "moves": [{"before": move.before, "after": move.after, "nodes": list(move.nodes)} for move in found.moves],
        "changes": [_change_json(change) for change in found.changes],
    }


def _change_json(change: Change) -> dict[str, Any]:
    values = {key: value for key, value in (("before", change.before), ("after", change.after)) if value is not ABSENT}
    place = {"layer": change.layer, "file": change.file, "line": change.line}
    return {"path": change.path, **values, **place, "nodes": list(change.nodes)}
