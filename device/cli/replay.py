"""``sentinel replay``: plays a recording through parsers, tracking and decision, as fast as it can."""

import pathlib
import sys

import click

from configs.errors import ConfigError
from configs.loader import Source, validate
from configs.schema import SiteConfig
from device.cli.common import BAD_INPUT, FAULT, Verb, emit, fail, fail_config, problem_lines, settings
from device.cli.language import _, language
from device.recorded import Recorded, ReplayError, read
from device.replay import Replay
from device.site import check_site


@click.command("replay", cls=Verb, help=_("Replay RECORDING with the site file of --config; JSON lines out."))
@click.argument("recording", metavar="RECORDING", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--out", type=click.Path(path_type=pathlib.Path), help=_("Where the lines go; standard output unless told.")
)
@click.option("--tracks", is_flag=True, help=_("Also a line for every track at every step."))
@click.option("--cold", is_flag=True, help=_("Include boot and commissioning."))
@click.option("--strict", is_flag=True, help=_("Sensors absent from the recording are stale, not 'not fitted'."))
@click.option("--as-recorded", is_flag=True, help=_("With the site file that is in the recording."))
def command(
    recording: pathlib.Path, out: pathlib.Path | None, tracks: bool, cold: bool, strict: bool, as_recorded: bool
) -> None:
    """Replays."""
    config = None if as_recorded else _named_site()
    try:
        recorded = read(recording)
        if config is None:
            config = _recorded_site(recording, recorded)
        if not recorded.tells_day:
            note = _("The recording does not say whether it was night, wet or foggy: it plays as by day.")
            click.echo(note, err=True)
        lines = Replay(recorded, config, cold=cold, strict=strict, with_tracks=tracks).lines()
    except ReplayError as error:
        fail(BAD_INPUT, error.text.of(language()))
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
            _("{path}: the recording is cut off at {where}; played as far as it goes, {seconds:.1f} s.").format(
                path=recording, where=recorded.cut_off, seconds=recorded.duration_s
            ),
            {"cut_off": recorded.cut_off, "seconds": recorded.duration_s, "lines": count},
        )
    if out is not None:
        emit(
            {"ok": True, "out": str(out), "lines": count},
            _("{count} lines written to {out}.").format(count=count, out=out),
        )


def _named_site() -> SiteConfig | None:
    """The site file that was named, or the node's own; None where nobody named one and this is no node."""
    if settings().config_given is None and not settings().config_path.exists():
        return None
    try:
        config, _warnings = check_site(settings().config_path)
    except ConfigError as error:
        fail_config(error)
    return config


def _recorded_site(path: pathlib.Path, recorded: Recorded) -> SiteConfig:
    """The site file in the recording; what cannot be used ends the verb and says what else could be read."""
    values = recorded.site_values()
    if values is None:
        fail(BAD_INPUT, _("{path}: there is no site file in it; give one with --config.").format(path=path))
    try:
        # Its devices need not be here: only what the replay uses of them is checked, when it begins.
        config = validate(Source(f"{path} /config", values, {}))
    except ConfigError as error:
        sensors = ", ".join(f"{name} {count}" for name, count in recorded.counts().items())
        text = _(
            "{path}: the site file in it is not one that this version can use; readable are {sensors} messages over "
            "{seconds:.1f} s. Give a site file with --config."
        ).format(path=path, sensors=sensors or "0", seconds=recorded.duration_s)
        problems = [problem.as_json(language()) for problem in error.problems]
        fail(BAD_INPUT, f"{problem_lines(error.problems)}\n{text}", {"problems": problems})
    click.echo(_("Playing with the site file that is in the recording."), err=True)
    return config
