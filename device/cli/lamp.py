"""``sentinel lamp``: lights a lamp of the running node to test it. It can ask for light only, never for dark."""

from typing import Any

import click

from device.cli.common import Verb, call_node, emit
from device.cli.language import _

MAX_SECONDS = 600


@click.command("lamp", cls=Verb, help=_("Light a lamp of the running node to test it; the rule of the road goes on."))
@click.argument("lamp_id", metavar="LAMP")
@click.option(
    "--shows", type=click.Choice(["caution", "alert", "fault"]), default="alert", help=_("What the lamp is to show.")
)
@click.option(
    "--seconds",
    type=click.IntRange(1, MAX_SECONDS),
    default=10,
    show_default=True,
    help=_("For how long."),
)
def command(lamp_id: str, shows: str, seconds: int) -> None:
    """Asks core for a lamp test."""
    result: Any = call_node("lamp", {"lamp": lamp_id, "shows": shows, "seconds": seconds})
    text = _("Lamp {lamp} shows {shows} for {seconds} s.").format(lamp=lamp_id, shows=shows, seconds=seconds)
    emit(result, text)
