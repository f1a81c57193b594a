"""``sentinel report``: what happened on one day, measured on the spot.

Exit 0 (also on a day without events), 1 when the journal was cut short, 2 on a bad day or an unreadable journal.
"""

import datetime
import pathlib
from typing import Any

import click

from configs.errors import ConfigError
from configs.files import write_atomically
from configs.loader import load_site
from device.cli.common import BAD_INPUT, FAULT, Verb, emit, fail, settings
from device.cli.language import _
from device.journal_reader import JOURNAL_FILE, JournalError
from hal.clock import SYSTEM_CLOCK, local_time
from tools.report.answer import answer
from tools.report.figures import figures
from tools.report.page import page
from tools.report.reading import read
from tools.report.sentences import cautions, highlights
from tools.report.tables import PAGE_ONLY, Table, tables
from tools.report.words import say

NARROW = 8
"""More columns than this do not fit a terminal of 80."""

_FILE = click.Path(dir_okay=False, path_type=pathlib.Path)


@click.command("report", cls=Verb, help=_("Report a day: who passed, how they were warned, near misses, speeds."))
@click.option("--day", metavar="YYYY-MM-DD", help=_("The day in local time; today unless told."))
@click.option("--journal", type=_FILE, help=_("A journal, or a copy of one, in place of the node's."))
@click.option("--html", type=_FILE, help=_("Write one page with charts to this file."))
def command(day: str | None, journal: pathlib.Path | None, html: pathlib.Path | None) -> None:
    """Reads, counts and prints."""
    since, until = local_day(day)
    path = journal or settings().state_dir / JOURNAL_FILE
    try:
        found = read(path, since, until)
    except JournalError as error:
        fail(BAD_INPUT, say("no_journal", reason=error))
    counted = figures(found.rows, since, until)
    now = local_time(SYSTEM_CLOCK.wall_ns())
    said, mind = highlights(counted), cautions(counted, found, min(now, until))
    heading, sub = _site_name(), say("for_day", day=since.date().isoformat())
    if not counted.events:
        said, mind = [say("nothing", day=since.date().isoformat())], mind[:-1]
    drawn = tables(counted, found)
    data = answer(counted, found, since.date())
    if html is not None:
        foot = say("stream", path=path.name, stream=found.stream)
        text = page(counted, heading, sub, said, mind, drawn, foot)
        try:
            write_atomically(html, text.encode(), mode=0o644)
        except OSError as error:
            fail(BAD_INPUT, say("cannot_write", path=html, reason=error.strerror))
        data["html"] = str(html)
    emit(data, _text(f"{heading} · {sub}", said, mind, drawn, html))
    if found.cut_short is not None:
        raise SystemExit(FAULT)


def local_day(day: str | None) -> tuple[datetime.datetime, datetime.datetime]:
    """The two ends of a local day, aware of their zone; ends the verb on nonsense."""
    if day is None:
        date = local_time(SYSTEM_CLOCK.wall_ns()).date()
    else:
        try:
            date = datetime.date.fromisoformat(day)
        except ValueError:
            fail(BAD_INPUT, say("bad_day", day=day))
    start = datetime.datetime.combine(date, datetime.time())
    return start.astimezone(), (start + datetime.timedelta(days=1)).astimezone()


def _site_name() -> str:
    """The report's heading, with the junction's name where a site file can be read."""
    try:
        site = load_site(settings().config_path).site
    except (ConfigError, OSError):
        return say("title")
    return f"{say('title')} · {site.name} {site.id}"


def _text(heading: str, said: list[str], mind: list[str], drawn: list[Table], html: pathlib.Path | None) -> Any:
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    parts: list[Any] = [Text(heading, style="bold")]
    parts += [Text(f"! {line}", style="yellow") for line in mind]
    parts += [Text(f"· {line}") for line in said]
    page_only = frozenset(map(say, PAGE_ONLY))
    for table in (table.narrow(page_only) if len(table.columns) > NARROW else table for table in drawn):
        grid = RichTable(
            title=table.title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0)
        )
        for index, column in enumerate(table.columns):
            grid.add_column(column, justify="left" if index in table.text_columns else "right", overflow="fold")
        for row in table.rows:
            grid.add_row(*[Text(cell) for cell in row])
        parts += [Text(""), grid]
    if html is not None:
        parts.append(Text(say("written", path=html)))
    return Group(*parts)
