"""``sentinel-county simulate``: a whole county on this machine, until Ctrl-C.

Exit 0 after Ctrl-C or the time asked for, 2 where something it needs is missing or an option cannot be meant.
"""

import json
import pathlib
import signal
import sys
import threading
from typing import Any

import click

from device.cli.common import Verb, emit, settings
from device.cli.language import _
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from tools.county import NODE_OPTIONS
from tools.county.desk import told

SHOW_EVERY_S = 1.0
MOST_NODES = 9999
"""What the four digits of a simulated id tell apart."""


@click.command(
    "simulate",
    cls=Verb,
    without=NODE_OPTIONS,
    help=_(
        "Run the bridge and the provision of every node of a made-up county, with one Mosquitto and mutual TLS. Ctrl-C "
        "ends it; SIGUSR1 switches on the nodes that are offline."
    ),
)
@click.option("--nodes", type=click.IntRange(1, MOST_NODES), default=1000, show_default=True, help=_("How many nodes."))
@click.option("--groups", type=click.IntRange(1, 99), default=10, show_default=True, help=_("How many groups."))
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    required=True,
    help=_("Where the county is made, or was before."),
)
@click.option("--processes", type=click.IntRange(1, 64), help=_("Worker processes; one a CPU unless told."))
@click.option("--offline", default="", help=_("Nodes that never connect: 5%, or n0001,n0002."))
@click.option("--offline-for", type=click.FloatRange(0), help=_("Seconds after which those that are offline come."))
@click.option("--slow", default="", help=_("Nodes that are late, and slow to be well."))
@click.option("--failing", default="", help=_("Nodes that fall ill with whatever is new."))
@click.option("--ill-by", help=_("A value with which every node falls ill: policy.hold_s=9."))
@click.option("--seconds", type=click.FloatRange(0), help=_("End after this long."))
def simulate(
    nodes: int,
    groups: int,
    folder: pathlib.Path,
    processes: int | None,
    offline: str,
    offline_for: float | None,
    slow: str,
    failing: str,
    ill_by: str | None,
    seconds: float | None,
) -> None:
    """A folder that holds a county already is used again, with all that its nodes have become."""
    from tools.county.simulate.behaviour import drawn
    from tools.county.simulate.county import SimulationError, existing, make
    from tools.county.simulate.fleet import Fleet

    with told():
        county = existing(folder.resolve())
        if county is not None and len(county.group_of) != nodes:
            raise SimulationError("other_size", folder=folder, value=len(county.group_of), wanted=nodes)
        if county is None:
            click.echo(_("Making a county of {nodes} nodes in {folder} …").format(nodes=nodes, folder=folder), err=True)
            county = make(folder, nodes, min(groups, nodes))
        behaviour = drawn(list(county.group_of), offline, slow, failing, ill_by)
        over = threading.Event()
        come = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_caught: over.set())
        signal.signal(signal.SIGUSR1, lambda *_caught: come.set())
        with Fleet(county, behaviour, processes=processes, offline_for_s=offline_for) as fleet:
            places = {
                "--folder": str(county.files),
                "--repository": str(county.repository),
                "--keys": str(county.keys),
                "--broker": county.office_url,
                "--ca": str(county.ca_file),
                "--cert": str(county.office_pair),
                "passphrase": str(county.passphrase),
            }
            emit({"places": places}, _for_the_office(places))
            end_ns = None if seconds is None else SYSTEM_CLOCK.monotonic_ns() + round(seconds * NS_PER_S)
            while not over.wait(SHOW_EVERY_S) and (end_ns is None or SYSTEM_CLOCK.monotonic_ns() < end_ns):
                if come.is_set():
                    come.clear()
                    fleet.switch(behaviour.offline, on=True)
                fleet.check()
                _show(fleet.desk.account(len(county.group_of)))


def _for_the_office(places: dict[str, str]) -> str:
    words = _("For commands of the office (the passphrase of every key is in {file}):").format(
        file=places["passphrase"]
    )
    return "\n".join([words, *(f"  {name} {value}" for name, value in places.items() if name.startswith("--"))])


def _show(account: dict[str, Any]) -> None:
    """A line of counts; on a terminal always the same line."""
    if settings().json:
        click.echo(json.dumps(account))
        return
    confirmed = ", ".join(f"v{version}: {count}" for version, count in account["confirmed"].items()) or "0"
    words = _("online {online} of {nodes} · confirmed {versions} · on trial {on_trial} · taken back {reverted}")
    text = words.format(versions=confirmed, **account)
    if sys.stdout.isatty():
        click.echo(f"\r{text}\033[K", nl=False)
    else:
        click.echo(text)
