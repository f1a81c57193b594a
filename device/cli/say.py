"""``sentinel say``: plays a clip on the running node. A clip id, never text."""

from typing import Any

import click

from device.cli.common import Verb, call_node, emit
from device.cli.language import _


@click.command("say", cls=Verb, help=_("Play a voice clip on the running node."))
@click.argument("clip", metavar="CLIP")
@click.option("--speaker", help=_("Which speaker; all of them unless told."))
def command(clip: str, speaker: str | None) -> None:
    """Asks core to play a clip."""
    args: dict[str, Any] = {"clip": clip} if speaker is None else {"clip": clip, "speaker": speaker}
    emit(call_node("say", args), _("Asked the node to play {clip}.").format(clip=clip))
