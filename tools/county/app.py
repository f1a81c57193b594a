"""The ``sentinel-county`` group: a verb is imported only when it is asked for."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from device.cli.common import VerbGroup
from device.cli.language import N_, _
from tools.county import NODE_OPTIONS

VERBS: Mapping[str, tuple[str, str]] = {
    "command": ("tools.county.command:command", N_("Ask one node to do something and wait for its answer")),
    "config": ("tools.county.config:command", N_("Check the county's folder, show what it changes on which nodes")),
    "files": ("tools.county.files:command", N_("Name the larger files of a group: voice clips, a model")),
    "rollout": ("tools.county.rollout.cli:rollout", N_("Change the whole county, in waves")),
    "status": ("tools.county.status:status", N_("Show which nodes are there, well, and what they run")),
    "serve": ("tools.county.serve:serve", N_("Keep the bundles at the broker and drive the rollout")),
    "ca": ("tools.county.ca.cli:ca", N_("The county's certificate authority")),
    "enroll": ("tools.county.ca.cli:enroll", N_("Make the one-time package with which a node joins")),
    "sign": ("tools.county.ca.cli:sign", N_("Answer a node's request with its certificate")),
    "replace": ("tools.county.ca.cli:replace", N_("Make a package for a node that is to get another certificate")),
    "revoke": ("tools.county.ca.cli:revoke", N_("End a node's certificate, and its packages")),
    "broker": ("tools.county.ca.cli:broker", N_("Write the configuration of the county's Mosquitto")),
    "simulate": ("tools.county.simulate.cli:simulate", N_("Run a whole county on this machine")),
    "trust": ("tools.county.trust.cli:trust", N_("Keys, signatures and bundles of the county")),
}
"""Verb -> where the command is, its one-line help."""


class LazyGroup(VerbGroup):
    """A group whose listing imports none of its verbs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _separator, attribute = VERBS[cmd_name][0].partition(":")
        found: Any = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, click.Command):
            raise TypeError(f"{module}:{attribute} is {type(found).__name__}, not a click.Command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _(words)) for name, (_target, words) in VERBS.items()])


cli = LazyGroup(
    name="sentinel-county",
    help=_("Branch Sentinel, the county office: one folder for all nodes."),
    no_args_is_help=True,
    without=NODE_OPTIONS,
)
