"""The ``sentinel`` group: finds verbs in the table and in the entry-point group, and imports the one that is asked."""

import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any

import click

from device.cli.common import VerbGroup
from device.cli.language import _, language
from device.cli.verbs import OWN

GROUP = "sentinel.commands"


class LazyGroup(VerbGroup):
    """A group whose verbs are imported only when invoked; listing them imports only verbs of other packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        others = {point.name for point in importlib.metadata.entry_points(group=GROUP)} - set(OWN)
        return [*OWN, *sorted(others)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = OWN.get(cmd_name)
        if row is not None:
            return _load(row.target)
        for point in importlib.metadata.entry_points(group=GROUP, name=cmd_name):
            found = point.load()
            if isinstance(found, click.Command):
                return found
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _(OWN[name].help) if name in OWN else self._help(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section(_("Commands")):
            formatter.write_dl(rows)

    def _help(self, ctx: click.Context, name: str) -> str:
        """One line on a verb of another package: SHORT_HELP of the package its module is in, else the command's own,
        which costs importing it."""
        try:
            for point in importlib.metadata.entry_points(group=GROUP, name=name):
                package = importlib.import_module(point.module.rpartition(".")[0] or point.module)
                words = getattr(package, "SHORT_HELP", None)
                if isinstance(words, Mapping) and name in words:
                    return str(words[name][language()])
            command = self.get_command(ctx, name)
        except ImportError:  # a verb whose extra is not installed says so when invoked, not in the list
            return _("(not installed)")
        return "" if command is None else command.get_short_help_str(limit=70)


def _load(target: str) -> click.Command:
    module, _separator, attribute = target.partition(":")
    found: Any = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, click.Command):
        raise TypeError(f"{target} is {type(found).__name__}, not a click.Command")
    return found


cli = LazyGroup(
    name="sentinel",
    help=_("Branch Sentinel: an intersection warning node."),
    no_args_is_help=True,
)
