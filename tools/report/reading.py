"""The events of one local day, read from a journal that a node may be writing to, or from a copy of one.

Invariants: nothing is written; what was read before a journal failed is kept and said to be cut short; an event counts
for the day that its wall time says, and how far that clock could be trusted travels with it.
"""

import dataclasses
import datetime
import pathlib
import re

from device.incident_folder import FOLDER as INCIDENTS
from device.incident_folder import SUFFIX, span_ns
from device.journal_reader import JournalError, JournalReader, Row
from hal.clock import NS_PER_S

PAGE_ROWS = 2000
"""Rows in one read transaction: short, so that the writer can checkpoint between two."""

DUTY_REACHES = datetime.timedelta(minutes=10)
"""The last duty event of a day is written up to this long after it ended."""

INCIDENT_LONGEST = datetime.timedelta(minutes=8)
"""A file is named after an event in it: five minutes of events, and the longest settings before and after."""

CUT_BEFORE, CUT_AFTER = datetime.timedelta(seconds=30), datetime.timedelta(seconds=90)
"""What a recording that was cut off probably holds, around the event it is named after."""

_STAMP = re.compile(r"^(\d{8}T\d{6}Z)-")


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """What was read. ``cut_short`` says why the rest could not be, None when all was."""

    rows: tuple[Row, ...]
    stream: str
    undated: int
    cut_short: str | None
    incidents: tuple[tuple[datetime.datetime, datetime.datetime, str], ...]
    """From when, until when and file name of each incident recording beside the journal that may be of that day."""


def read(journal: pathlib.Path, since: datetime.datetime, until: datetime.datetime) -> Read:
    """The rows with wall times from ``since`` up to the duty event that ends after ``until``. Raises JournalError when
    nothing can be read."""
    reader = JournalReader(journal)
    rows: list[Row] = []
    cut_short = None
    undated = 0
    try:
        stream = reader.stream()
        try:
            while page := reader.between(
                stamp(since), stamp(until + DUTY_REACHES), rows[-1].seq if rows else 0, PAGE_ROWS
            ):
                rows += page
            undated = reader.undated()
        except JournalError as error:
            if not rows:
                raise
            cut_short = str(error)
    finally:
        reader.close()
    return Read(tuple(rows), stream, undated, cut_short, _incidents(journal.parent / INCIDENTS, since, until))


def stamp(when: datetime.datetime) -> str:
    """A time as the journal writes it, so that texts compare as times do."""
    return when.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def incident_of(read_: Read, when: datetime.datetime) -> str | None:
    """The incident recording that holds ``when``, of several the one that holds most before and after; or None."""
    holding = [(min(when - since, until - when), name) for since, until, name in read_.incidents]
    room, name = max(holding, default=(datetime.timedelta(-1), ""))
    return name if room >= datetime.timedelta(0) else None


def _incidents(
    folder: pathlib.Path, since: datetime.datetime, until: datetime.datetime
) -> tuple[tuple[datetime.datetime, datetime.datetime, str], ...]:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.name.endswith(SUFFIX))
    except OSError:
        return ()
    found = []
    for name in names:
        match = _STAMP.match(name)
        if match is None:
            continue
        at = datetime.datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        if since - INCIDENT_LONGEST <= at <= until + INCIDENT_LONGEST:
            span = span_ns(folder / name)
            if span is None:
                found.append((at - CUT_BEFORE, at + CUT_AFTER, name))
            else:
                found.append((_moment(span[0]), _moment(span[1]), name))
    return tuple(found)


def _moment(wall_ns: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(wall_ns / NS_PER_S, datetime.UTC)
