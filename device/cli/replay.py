"""``sentinel replay``: plays a recording through parsers, tracking and decision, as fast as it can."""

import pathlib
import sys

import click

from configs.errors import ConfigError
from device.cli.common import BAD_INPUT, FAULT, Verb, emit, fail, fail_config, settings
from device.cli.language import _
from device.replay import Replay, ReplayError, read
from device.site import check_site


@click.command("replay", cls=Verb, help=_("Replay RECORDING with the site file of --config; JSON lines out."))
@click.argument("recording", metavar="RECORDING", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--out", type=click.Path(path_type=pathlib.Path), help=_("Where the lines go; standard output unless told.")
)
@click.option("--tracks", is_flag=True, help=_("Also a line for every track at every step."))
@click.option("--cold", is_flag=True, help=_("Include boot and commissioning."))
@click.option("--strict", is_flag=True, help=_("Sensors absent from the recording are stale, not 'not fitted'."))
def command(recording: pathlib.Path, out: pathlib.Path | None, tracks: bool, cold: bool, strict: bool) -> None:
    """Replays."""
    try:
        config, _warnings = check_site(settings().config_path)
    except ConfigError as error:
        fail_config(error)
    try:
        recorded = read(recording)
        lines = Replay(recorded, config, cold=cold, strict=strict, with_tracks=tracks).lines()
    except ReplayError as error:
        fail(BAD_INPUT, str(error))
    count = 0
    try:
        with (
            out.open("w", encoding="utf-8")
            if out is not None
            else open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False) as sink
        ):
            for line in lines:
                sink.write(line + "\n")
                count += 1
    except OSError as error:
        fail(BAD_INPUT, f"{error.filename}: {error.strerror}")
    if recorded.cut_off is not None:
        fail(
            FAULT,
            _("{path}: the recording is cut off at {where}; played as far as it goes.").format(
                path=recording, where=recorded.cut_off
            ),
            {"cut_off": recorded.cut_off, "lines": count},
        )
    if out is not None:
        emit(
            {"ok": True, "out": str(out), "lines": count},
            _("{count} lines written to {out}.").format(count=count, out=out),
        )
