"""What every verb shares: the global options (before or after the verb), exit codes, and how answers are printed.

Invariants: ``--json`` prints exactly one JSON value on standard output, errors included; exit codes are those of the
contract: 0 ok, 1 fault found or cut short, 2 bad input or config, 3 node not running.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import IO, Any, NoReturn

import click

from configs.errors import ConfigError, Problem
from device import control
from device.cli.language import LANGUAGES, _, language, set_language

OK, FAULT, BAD_INPUT, NOT_RUNNING = 0, 1, 2, 3

DEFAULT_CONFIG = "/etc/sentinel/site.yaml"
DEFAULT_RUN_DIR = "/run/sentinel"
DEFAULT_STATE_DIR = "/var/lib/sentinel"


def _from_environment(name: str, default: str) -> pathlib.Path:
    return pathlib.Path(os.environ.get(name) or default)


@dataclasses.dataclass(slots=True)
class Settings:
    """The global options of one invocation."""

    json: bool = False
    config_option: pathlib.Path | None = None
    run_dir: pathlib.Path = dataclasses.field(
        default_factory=lambda: _from_environment("SENTINEL_RUN_DIR", DEFAULT_RUN_DIR)
    )
    state_dir: pathlib.Path = dataclasses.field(
        default_factory=lambda: _from_environment("SENTINEL_STATE_DIR", DEFAULT_STATE_DIR)
    )

    @property
    def lang(self) -> str:
        """``zh`` or ``en``."""
        return language()

    @property
    def config_given(self) -> pathlib.Path | None:
        """The site file the technician named, by option or environment."""
        if self.config_option is not None:
            return self.config_option
        named = os.environ.get("SENTINEL_CONFIG")
        return pathlib.Path(named) if named else None

    @property
    def config_path(self) -> pathlib.Path:
        """The site file to use."""
        return self.config_given or pathlib.Path(DEFAULT_CONFIG)


pass_settings = click.make_pass_decorator(Settings, ensure=True)


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    settings = ctx.ensure_object(Settings)
    if value is None or value is False:  # not given here; perhaps given before the verb
        return
    if param.name == "lang":
        set_language(value)
    elif param.name is not None:
        setattr(settings, param.name, value)


def _common_options() -> list[click.Parameter]:
    def path(flag: str, name: str, help_text: str) -> click.Option:
        kind = click.Path(path_type=pathlib.Path)
        return click.Option([flag, name], type=kind, expose_value=False, callback=_store, help=help_text)

    return [
        click.Option(
            ["--lang"],
            type=click.Choice(LANGUAGES),
            expose_value=False,
            is_eager=True,
            callback=_store,
            help=_("Language (or SENTINEL_LANG); zh unless told."),
        ),
        click.Option(
            ["--json"], is_flag=True, expose_value=False, is_eager=True, callback=_store, help=_("Print JSON.")
        ),
        path("--config", "config_option", _("Site file (or SENTINEL_CONFIG); /etc/sentinel/site.yaml unless told.")),
        path("--run-dir", "run_dir", _("Folder of the node's sockets (or SENTINEL_RUN_DIR).")),
        path("--state-dir", "state_dir", _("Folder of what the node keeps (or SENTINEL_STATE_DIR).")),
    ]


class Verb(click.Command):
    """A verb that takes the global options too. ``without`` leaves out those it defines with a meaning of its own."""

    def __init__(self, *args: Any, without: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [option for option in _common_options() if option.opts[0] not in without]


class VerbGroup(click.Group):
    """A group of verbs that takes the global options, but for those in ``without``."""

    command_class = Verb

    def __init__(self, *args: Any, without: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [option for option in _common_options() if option.opts[0] not in without]


class Failure(click.ClickException):
    """Ends the verb with a message and an exit code; under ``--json`` the message is JSON on standard output."""

    def __init__(self, exit_code: int, message: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # Click reads it from the instance
        self._data = dict(data or {})
        self._json = settings().json

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints it."""
        if self._json:
            click.echo(json.dumps({"ok": False, "error": self.message, **self._data}, ensure_ascii=False, default=str))
        else:
            click.echo(self.message, file=file, err=file is None)


def settings() -> Settings:
    """The settings of the running verb."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Settings) if context is not None else None
    return found if found is not None else Settings()


def fail(exit_code: int, message: str, data: Mapping[str, Any] | None = None) -> NoReturn:
    """Ends the verb; ``data`` is added to the JSON form."""
    raise Failure(exit_code, message, data)


def fail_config(error: ConfigError) -> NoReturn:
    """Ends the verb with exit 2 and every problem of a configuration."""
    lang = language()
    data = {"problems": [problem.as_json(lang) for problem in error.problems]}
    raise Failure(BAD_INPUT, problem_lines(error.problems), data) from error


def problem_lines(problems: Sequence[Problem]) -> str:
    """Problems as lines for people."""
    words = {True: _("warning"), False: _("error")}
    return "\n".join(f"{words[problem.is_warning]}: {problem.render(language())}" for problem in problems)


def emit(data: Any, text: Any) -> None:
    """Prints an answer: ``data`` as JSON under ``--json``, else ``text`` (a string or something Rich can draw)."""
    if settings().json:
        click.echo(json.dumps(data, ensure_ascii=False, default=str))
    elif isinstance(text, str):
        click.echo(text)
    else:
        from rich.console import Console  # drawing tables is worth 60 ms, help is not

        Console(highlight=False).print(text)


def call_node(verb: str, args: Mapping[str, Any] | None = None, *, timeout_s: float = 5.0) -> Any:
    """Asks the running node. Ends the verb with exit 3 when there is none, exit 2 when it refuses."""
    try:
        return control.call(settings().run_dir, verb, args, timeout_s=timeout_s)
    except control.NotRunningError as error:
        fail(NOT_RUNNING, _("The node is not running ({detail}).").format(detail=error))
    except control.ControlError as error:
        fail(BAD_INPUT, _("The node refuses: {detail}").format(detail=error))


def node_status() -> dict[str, Any] | None:
    """The running node's status, or None when no node runs."""
    try:
        status = control.call(settings().run_dir, "status")
    except control.NotRunningError:
        return None
    except control.ControlError as error:
        fail(BAD_INPUT, _("The node refuses: {detail}").format(detail=error))
    return dict(status)
