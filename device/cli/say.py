"""``sentinel say``: plays a clip on the running node. A clip id, never text."""

from typing import Any

import click

from device.cli.common import FAULT, Verb, call_node, emit
from device.cli.language import _
from hal.speaker.clips import CLIPS


@click.command("say", cls=Verb, help=_("Play a voice clip on the running node."))
@click.argument("clip", type=click.Choice(list(CLIPS)), metavar="CLIP")
@click.option("--speaker", help=_("Which speaker; all of them unless told."))
def command(clip: str, speaker: str | None) -> None:
    """Asks core to play a clip."""
    args: dict[str, Any] = {"clip": clip} if speaker is None else {"clip": clip, "speaker": speaker}
    result: Any = call_node("say", args)
    speakers = result.get("speakers") if isinstance(result, dict) else None
    problems = {name: problem for name, problem in (speakers or {}).items() if problem}
    lines = [f"{name}: {problem}" for name, problem in problems.items()]
    played = _("{clip} ({text}) is played.").format(clip=clip, text=CLIPS[clip].text)
    emit(result, "\n".join(lines) if lines else played)
    if problems:
        raise SystemExit(FAULT)
