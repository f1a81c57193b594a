"""``sentinel config``: check, show, set, edit, apply and roll back the site file, on a running or a stopped node.

Invariants: nothing is written that did not pass every check; what the node refuses is taken back, file and all; the
last five files are kept; the running node is told only about the very file it runs.
"""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

import click

from configs import edit, loader, yaml_text
from configs.errors import LAYERS, ConfigError, Problem
from configs.files import write_atomically
from configs.layers import Layer, Part, leaves, refusals
from configs.lead import leads
from configs.local_layer import LIFE_S, LOCAL_FILE, Local, LocalLayer, with_change
from configs.schema import SiteConfig
from device import chosen, control
from device.chosen import Runs
from device.cli.common import (
    BAD_INPUT,
    NOT_RUNNING,
    Settings,
    Verb,
    VerbGroup,
    call_node,
    emit,
    fail,
    fail_config,
    node_status,
    pass_settings,
    problem_lines,
)
from device.cli.language import _
from device.cli.lead import lead_lines
from device.cli.places import place_of
from device.provisioning.place import Made, Place, local_changes
from device.provisioning.slots import Slot, SlotsError, State
from device.site import changed_sections, check_site, check_text, write_compiled

RELOAD_TIMEOUT_S = 10.0


@click.group("config", cls=VerbGroup, help=_("Check, show and change the site file."))
def command() -> None:
    """Only a group."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The site file to change, and whether a running node uses it."""

    path: pathlib.Path
    live: bool
    other: pathlib.Path | None = None  # what the running node uses instead


def target_of(settings: Settings) -> Target:
    """The site file the running node uses, or the one the technician named."""
    status = node_status()
    if status is None:
        return Target(settings.config_path, live=False)
    running = pathlib.Path(str(status["config"]["path"]))
    if settings.config_given is None:
        return Target(running, live=True)
    if settings.config_given.resolve() == running.resolve():
        return Target(settings.config_given, live=True)
    return Target(settings.config_given, live=False, other=running)


def checked(path: pathlib.Path) -> tuple[SiteConfig, list[Problem]]:
    """The file's configuration and its warnings; ends the verb with exit 2 when anything is wrong."""
    try:
        return check_site(path)
    except ConfigError as error:
        fail_config(error)


def read_text(path: pathlib.Path) -> str:
    """The text of a site file; ends the verb with exit 2 where there is none."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        fail_config(ConfigError([Problem("not_utf8", file=str(path))]))
    except OSError as error:
        fail_config(
            ConfigError([Problem("unreadable", file=str(path), params={"detail": error.strerror or str(error)})])
        )


@command.command("check", cls=Verb, help=_("Check the site file: every problem with line, value and what is allowed."))
@click.argument("file", required=False, metavar="[FILE]", type=click.Path(path_type=pathlib.Path))
@pass_settings
def check(settings: Settings, file: pathlib.Path | None) -> None:
    """Exit 2 when anything is wrong; warnings are told and pass."""
    path = file or target_of(settings).path
    config, warnings = checked(path)
    text = _("{file}: fine ({site} {name})").format(file=path, site=config.site.id, name=config.site.name)
    data = {
        "ok": True,
        "file": str(path),
        "site": config.site.id,
        "problems": [problem.as_json(settings.lang) for problem in warnings],
    }
    found = leads(config)
    if found:
        data["lead"] = [lead.as_json() for lead in found]
    ground = ""
    if any(camera.ground for camera in config.cameras.values()):
        from device.cli.calibrate import ground_of  # numpy and OpenCV, where a camera is calibrated

        data["ground"], ground = ground_of(config)
    emit(data, "\n".join(part for part in (problem_lines(warnings), lead_lines(found), ground, text) if part))


@command.command("show", cls=Verb, help=_("Print the running configuration, or one value of it (else the file's)."))
@click.argument("path", required=False, metavar="[PATH]")
@click.option("--origin", is_flag=True, help=_("Tell which layer each value comes from, and hours left."))
@pass_settings
def show(settings: Settings, path: str | None, origin: bool) -> None:
    """The running node's values; the file's with ``--config`` or when no node runs."""
    if origin:
        _show_origin(settings, path)
        return
    if settings.config_given is None and node_status() is not None:
        values = call_node("config")
        source = _("running node")
    else:
        values = checked(settings.config_path)[0].model_dump(mode="json")
        source = str(settings.config_path)
    value = _value(values, path) if path else values
    if not settings.json:
        click.echo(f"# {source}", err=True)
    emit(value, value if isinstance(value, str) else _as_yaml(value))


def _show_origin(settings: Settings, path: str | None) -> None:
    """Where the values of the node come from; those that no layer speaks of are the program's own."""
    place = place_of(settings, target_of(settings).path)
    try:
        _state, slot = _running_slot(place)
        made = place.make(slot, *place.local())
    except ConfigError as error:
        fail_config(error)
    left = {change.path: change.hours_left for change in local_changes(made.local, place.moment())}
    wanted = tuple(str(part) for part in edit.split_path(path)) if path else ()
    values, rows = made.config.model_dump(mode="json"), []
    for keys in leaves(values):
        if keys[: len(wanted)] != wanted[: len(keys)]:
            continue
        part = made.merged.origin(keys)
        by_hand = part is not None and part.layer is Layer.LOCAL
        name = ".".join(keys)
        hours = next((left[of] for of in left if by_hand and f"{name}.".startswith(f"{of}.")), None)
        row = {"path": name, "value": edit.get_value(values, name)}
        rows.append({**row, "layer": None if part is None else part.layer.value, "hours_left": hours})
    if not rows:
        fail_config(ConfigError([Problem("no_such_path", path=path or "")]))
    lines = []
    for row in rows:
        whence = _("default") if row["layer"] is None else LAYERS[str(row["layer"])].of(settings.lang)
        if row["hours_left"] is not None:
            whence += _(", {hours} hours left").format(hours=row["hours_left"])
        lines.append(f"{row['path']}: {_short(row['value'])}  # {whence}")
    emit(rows, "\n".join(lines))


def _value(values: Any, path: str) -> Any:
    try:
        return edit.get_value(values, path)
    except ConfigError as error:
        fail_config(error)


def _as_yaml(value: Any) -> str:
    if not isinstance(value, dict | list):
        return json.dumps(value)
    from ruamel.yaml import YAML

    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.allow_unicode = True
    yaml.width = 120
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(value, stream)
    return stream.getvalue().rstrip("\n")


@command.command("set", cls=Verb, help=_("Change one value: checked, kept in the history, applied to a running node."))
@click.argument("path", metavar="PATH")
@click.argument("value", metavar="VALUE")
@pass_settings
def set_command(settings: Settings, path: str, value: str) -> None:
    """``config set policy.hold_s 4``."""
    change = change_value(settings, path, value)
    emit(change.data, "\n".join(line for line in (problem_lines(change.warnings), *change.lines) if line))


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What became of a change: the new configuration, its warnings, and how it is told."""

    new: SiteConfig
    warnings: list[Problem]
    data: dict[str, Any]
    lines: list[str]


def change_value(settings: Settings, path: str, value: str, *, only_try: bool = False, told: bool = True) -> Change:
    """Changes one value of the site file, or with ``only_try`` checks the change and leaves everything as it is;
    ``told``: whether the lines show the value. Ends the verb when it is refused."""
    target = target_of(settings)
    if target.other is None and place_of(settings, target.path).is_enrolled:
        by_hand = _change_by_hand(settings, target, path, value, only_try=only_try, told=told)
        if by_hand is not None:
            return by_hand
    with _locked(settings):
        old_text = read_text(target.path)
        old = _running_or_none(target, old_text)
        try:
            new_text = edit.set_value(old_text, path, value, file=str(target.path))
            new, warnings = check_text(new_text, str(target.path))
        except ConfigError as error:
            fail_config(error)
        applied = None
        if not only_try:
            _install(settings, target, old_text, old, new_text, new)
            applied = _apply(settings, target, old_text, old, new, forget=True)
    before, after = _old_value(old, path), _old_value(new, path)
    lines = [_("Nothing was written.")] if only_try else told_how(target, applied)
    if told:
        lines.insert(0, f"{path}: {_short(before)} → {_short(after)}")
    report = _report(settings, target, applied, warnings)
    return Change(new, warnings, {"ok": True, "path": path, "old": before, "new": after, **report}, lines)


def _change_by_hand(
    settings: Settings, target: Target, path: str, value: str, *, only_try: bool, told: bool
) -> Change | None:
    """The same on an enrolled node for what the county may set too: a change that wins for 72 hours, then the county's
    value is back. None where the path is the site file's alone."""
    place = place_of(settings, target.path)
    layer = LocalLayer(settings.state_dir)
    with _locked(settings):
        kept = _kept_bytes(layer.path)
        try:
            site = loader.read(target.path)
            state, slot = _running_slot(place)
            local, _damaged = place.local()
            old = place.make(slot, local)
            moment = place.moment()
            changed = with_change(local, old.merged.values, path, yaml_text.parse_value(value, path), moment)
            patch = Part(Layer.LOCAL, loader.Source(LOCAL_FILE, changed.changes[-1].patch, {}))
            if any(problem.code == "site_only" for problem in refusals(patch, site.values)):
                return None
            new, warnings = place.checked_by_hand(slot, changed)
        except ConfigError as error:
            fail_config(error)
        applied = None
        if not only_try:
            try:
                layer.keep(changed)
                if target.live:
                    place.install(new)
                    place.tell(state, new, slot)
                applied = _reload_or_restore(settings, target, layer, kept, old)
            except OSError as error:
                fail(BAD_INPUT, f"{layer.path}: {error.strerror or error}")
    before, after = _old_value(old.config, path), _old_value(new.config, path)
    lines = [_("Nothing was written.")] if only_try else told_how(target, applied)
    if not only_try:
        lines.append(_("Wins for {hours} hours, then the county's value is back.").format(hours=round(LIFE_S / 3600)))
    if told:
        lines.insert(0, f"{path}: {_short(before)} → {_short(after)}")
    data = {"ok": True, "path": path, "old": before, "new": after, "layer": Layer.LOCAL.value}
    return Change(new.config, warnings, {**data, **_report(settings, target, applied, warnings)}, lines)


def _reload_or_restore(
    settings: Settings, target: Target, layer: LocalLayer, kept: bytes | None, old: Made
) -> dict[str, Any] | None:
    """Tells the running node; what it refuses is taken back."""
    if not target.live:
        return None
    try:
        return dict(control.call(settings.run_dir, "reload", timeout_s=RELOAD_TIMEOUT_S))
    except control.ControlError as error:
        if kept is None:
            layer.path.unlink(missing_ok=True)
        else:
            write_atomically(layer.path, kept)
        place_of(settings, target.path).install(old)
        not_there = isinstance(error, control.NotRunningError)
        text = (
            _("The node stopped answering ({detail}); the old configuration is back.")
            if not_there
            else _("The node refuses: {detail}; the old configuration is back.")
        )
        fail(NOT_RUNNING if not_there else BAD_INPUT, text.format(detail=error))


def _kept_bytes(path: pathlib.Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


@command.command("clear", cls=Verb, help=_("Take back every value that was changed by hand on an enrolled node."))
@pass_settings
def clear_command(settings: Settings) -> None:
    """The county's values are back at once."""
    target = target_of(settings)
    place = place_of(settings, target.path)
    layer = LocalLayer(settings.state_dir)
    with _locked(settings):
        kept = _kept_bytes(layer.path)
        try:
            state, slot = _running_slot(place)
            old = place.make(slot, *place.local())
            new = place.make(slot, Local())
            layer.path.unlink(missing_ok=True)
            if target.live and place.is_enrolled:
                place.install(new)
                place.tell(state, new, slot)
                _reload_or_restore(settings, target, layer, kept, old)
        except ConfigError as error:
            fail_config(error)
        except OSError as error:
            fail(BAD_INPUT, f"{layer.path}: {error.strerror or error}")
    paths = [change.path for change in local_changes(old.local, place.moment())]
    emit(
        {"ok": True, "cleared": paths},
        _("Taken back: {paths}.").format(paths=", ".join(paths)) if paths else _("Nothing was changed by hand."),
    )


def _old_value(config: SiteConfig | None, path: str) -> Any:
    if config is None:
        return None
    try:
        return edit.get_value(config.model_dump(mode="json"), path)
    except ConfigError:  # an option that was not there
        return None


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@command.command("apply", cls=Verb, help=_("Check FILE and put it in place of the site file."))
@click.argument("file", metavar="FILE", type=click.Path(path_type=pathlib.Path))
@pass_settings
def apply_command(settings: Settings, file: pathlib.Path) -> None:
    """Replaces the site file as a whole."""
    new, warnings = checked(file)
    _replace(settings, target_of(settings), read_text(file), new, warnings)


@command.command("edit", cls=Verb, help=_("Open the site file in $EDITOR and apply it when it is right."))
@pass_settings
def edit_command(settings: Settings) -> None:
    """Works on a copy; the site file is untouched until the copy passes."""
    target = target_of(settings)
    before = read_text(target.path)
    handle, name = tempfile.mkstemp(prefix="sentinel-", suffix=".yaml")
    draft = pathlib.Path(name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(before)
    while True:
        _open_editor(draft)
        text = read_text(draft)
        if text == before:
            draft.unlink()
            emit({"ok": True, "changed": []}, _("Nothing changed."))
            return
        try:
            new, warnings = check_text(text, str(draft))
        except ConfigError as error:
            click.echo(problem_lines(error.problems), err=True)
            if _again():
                continue
            click.echo(_("The site file is untouched; your draft is kept: {draft}").format(draft=draft), err=True)
            fail_config(error)
        break
    _replace(settings, target, text, new, warnings, expected=before)
    draft.unlink()


def _open_editor(path: pathlib.Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        code = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        fail(BAD_INPUT, _("The editor {editor} cannot be started: {detail}").format(editor=editor, detail=error))
    if code != 0:
        fail(BAD_INPUT, _("The editor {editor} ended with {code}; nothing changed.").format(editor=editor, code=code))


def _again() -> bool:
    try:
        return click.confirm(_("Edit again?"), default=True, err=True)
    except click.Abort:  # nobody at the keyboard
        return False


@command.command(
    "rollback", cls=Verb, help=_("Put the site file before the last change back (the last five are kept).")
)
@pass_settings
def rollback_command(settings: Settings) -> None:
    """Rolling back again goes one further."""
    target = target_of(settings)
    with _locked(settings):
        kept = edit.history(target.path, settings.state_dir)
        if not kept:
            fail(
                BAD_INPUT,
                _("No earlier configuration of {file} is kept in {folder}.").format(
                    file=target.path, folder=settings.state_dir
                ),
            )
        try:
            new, warnings = check_text(read_text(kept[0]), str(kept[0]))
        except ConfigError as error:
            fail_config(error)
        old_text = read_text(target.path)
        old = _running_or_none(target, old_text)
        try:
            edit.rollback(target.path, settings.state_dir)
            _compile(settings, target, new)
        except _LayersRefuseError as refused:
            _take_back(settings, target, old_text, old, forget=False)
            fail_config(refused.error)
        except OSError as error:
            fail(BAD_INPUT, f"{target.path}: {error.strerror or error}")
        applied = _apply(settings, target, old_text, old, new, forget=False)
    changed = changed_sections(old, new) if old is not None else list(type(new).model_fields)
    _tell_sections(settings, target, applied, warnings, changed)


def _running_or_none(target: Target, text: str) -> SiteConfig | None:
    """The configuration of a text, or None when somebody broke it by hand."""
    try:
        return loader.validate(loader.parse_yaml(text, str(target.path)))
    except ConfigError:
        return None


def _replace(
    settings: Settings,
    target: Target,
    text: str,
    new: SiteConfig,
    warnings: list[Problem],
    expected: str | None = None,
) -> None:
    """Installs a whole new file and says which sections changed. ``expected``: what the editor started from."""
    old, applied = put_in_place(settings, target, text, new, expected)
    changed = changed_sections(old, new) if old is not None else list(type(new).model_fields)
    _tell_sections(settings, target, applied, warnings, changed)


def put_in_place(
    settings: Settings, target: Target, text: str, new: SiteConfig, expected: str | None = None
) -> tuple[SiteConfig | None, dict[str, Any] | None]:
    """Installs a whole new file and has a running node take it: what was there, and the node's answer. Ends the verb
    when it is refused. ``expected``: what the new file was made from."""
    with _locked(settings):
        old_text = read_text(target.path) if target.path.exists() else None
        if expected is not None and old_text != expected:
            fail(BAD_INPUT, _("{file} was changed meanwhile; nothing was replaced.").format(file=target.path))
        old = None if old_text is None else _running_or_none(target, old_text)
        _install(settings, target, old_text, old, text, new)
        return old, _apply(settings, target, old_text, old, new, forget=True)


def _locked(settings: Settings) -> Any:
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        (settings.state_dir / edit.HISTORY_FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        fail(BAD_INPUT, f"{settings.state_dir}: {error.strerror or error}")
    return edit.locked(settings.state_dir)


def _install(
    settings: Settings, target: Target, old_text: str | None, old: SiteConfig | None, text: str, new: SiteConfig
) -> None:
    try:
        edit.install(target.path, text, settings.state_dir)
        _compile(settings, target, new)
    except _LayersRefuseError as refused:
        _take_back(settings, target, old_text, old, forget=True)
        fail_config(refused.error)
    except OSError as error:
        _take_back(settings, target, old_text, old, forget=True)
        fail(BAD_INPUT, f"{target.path}: {error.strerror or error}")


def _compile(settings: Settings, target: Target, config: SiteConfig) -> None:
    """Compiles a site file that is in its place; on an enrolled node with the layers over it."""
    if not target.live:
        return
    place = place_of(settings, target.path)
    if not place.is_enrolled:
        write_compiled(config, settings.run_dir)
        return
    try:
        state, slot = _running_slot(place)
        made = place.make(slot, *place.local())
    except ConfigError as error:
        raise _LayersRefuseError(error) from error
    place.install(made)
    place.tell(state, made, slot)


class _LayersRefuseError(Exception):
    """A site file that is right alone, and not under what the county sent."""

    def __init__(self, error: ConfigError) -> None:
        self.error = error


def _running_slot(place: Place) -> tuple[State, Slot | None]:
    """What of the county runs now: the slots, and the one over the site file. One that was left out because it does not
    fit must not stop whoever changes the site file."""
    said = chosen.read(place.run_dir)
    try:
        state = place.slots.state()
        left_out = said is not None and said.runs is Runs.SITE
        return state, None if state.running is None or left_out else place.slots.slot(state.running)
    except SlotsError:  # boot and provision left it out as well, and say so
        return State(), None


def _apply(
    settings: Settings,
    target: Target,
    old_text: str | None,
    old: SiteConfig | None,
    new: SiteConfig,
    *,
    forget: bool,
) -> dict[str, Any] | None:
    """Tells the running node; takes everything back when it refuses. None when no node uses this file."""
    if not target.live:
        return None
    try:
        answer = control.call(settings.run_dir, "reload", timeout_s=RELOAD_TIMEOUT_S)
    except control.NotRunningError as error:
        _take_back(settings, target, old_text, old, forget=forget)
        fail(
            NOT_RUNNING,
            _("The node stopped answering ({detail}); the old configuration is back.").format(detail=error),
        )
    except control.ControlError as error:
        _take_back(settings, target, old_text, old, forget=forget)
        fail(BAD_INPUT, _("The node refuses: {detail}; the old configuration is back.").format(detail=error))
    return dict(answer) if isinstance(answer, Mapping) else {}


def _take_back(
    settings: Settings, target: Target, old_text: str | None, old: SiteConfig | None, *, forget: bool
) -> None:
    if old_text is None:
        target.path.unlink(missing_ok=True)
        return
    if target.path.exists() and read_text(target.path) != old_text:
        edit.take_back(target.path, old_text, settings.state_dir, forget=forget)
    if old is not None:
        with contextlib.suppress(_LayersRefuseError):  # refused as well: what runs is what was compiled before
            _compile(settings, target, old)


def told_how(target: Target, applied: Mapping[str, Any] | None) -> list[str]:
    """How the change takes effect, in words."""
    if target.other is not None:
        return [_("The running node uses {file}; it goes on unchanged.").format(file=target.other)]
    if applied is None:
        return [_("No node runs: takes effect at the next start.")]
    lines = []
    restarts = [str(part) for part in applied.get("restarts") or []]
    between = [str(section) for section in applied.get("between_steps") or []]
    if between:
        lines.append(_("Applied between two steps: {sections}.").format(sections=", ".join(between)))
    if restarts:
        lines.append(_("Restarts: {parts}; lamps flash meanwhile.").format(parts=", ".join(restarts)))
    return lines or [_("Applied.")]


def _tell_sections(
    settings: Settings,
    target: Target,
    applied: Mapping[str, Any] | None,
    warnings: list[Problem],
    changed: list[str],
) -> None:
    changed_text = ", ".join(changed) if changed else _("nothing")
    lines = [_("{file} is in place; changed: {sections}.").format(file=target.path, sections=changed_text)]
    if warnings:
        lines.insert(0, problem_lines(warnings))
    data = {"ok": True, "changed": changed, **_report(settings, target, applied, warnings)}
    emit(data, "\n".join([*lines, *told_how(target, applied)]))


def _report(
    settings: Settings, target: Target, applied: Mapping[str, Any] | None, warnings: list[Problem]
) -> dict[str, Any]:
    return {
        "file": str(target.path),
        "live": target.live,
        "applied": applied,
        "problems": [problem.as_json(settings.lang) for problem in warnings],
    }
