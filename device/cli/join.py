"""``sentinel join``: a recording and the pictures that vision kept beside it, as one MCAP file."""

import pathlib

import click

from device.cli.common import BAD_INPUT, Verb, emit, fail
from device.cli.language import _, language
from device.joining import join
from device.recorded import ReplayError

_FILE = click.Path(path_type=pathlib.Path)


@click.command("join", cls=Verb, help=_("Join RECORDING and PICTURES (recording.images: true) into one file."))
@click.argument("recording", metavar="RECORDING", type=_FILE)
@click.argument("pictures", metavar="PICTURES", type=_FILE)
@click.option("--out", required=True, type=_FILE, help=_("The new file."))
def command(recording: pathlib.Path, pictures: pathlib.Path, out: pathlib.Path) -> None:
    """Joins."""
    try:
        count = join(recording, pictures, out)
    except ReplayError as error:
        fail(BAD_INPUT, error.text.of(language()))
    except OSError as error:
        fail(BAD_INPUT, f"{out}: {error.strerror}")
    text = _("{out}: the recording with {count} pictures.").format(out=out, count=count)
    emit({"ok": True, "out": str(out), "pictures": count}, text)
