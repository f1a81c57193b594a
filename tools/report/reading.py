"""The events of one local day, read from a journal that a node may be writing to, or from a copy of one.

Invariants: nothing is written; what was read before a journal failed is kept and said to be cut short; an event counts
for the day that its wall time says, and how far that clock could be trusted travels with it.
"""

import dataclasses
import datetime
import pathlib
import re

from device.incident_folder import FOLDER as INCIDENTS
from device.incident_folder import SUFFIX
from device.journal_reader import JournalError, JournalReader, Row

PAGE_ROWS = 2000
"""Rows in one read transaction: short, so that the writer can checkpoint between two."""

DUTY_REACHES = datetime.timedelta(minutes=10)
"""The last duty event of a day is written up to this long after it ended."""

INCIDENT_WITHIN = datetime.timedelta(seconds=90)
"""An incident recording begins 30 s before its event and is named after it; a later one may lie in the same file."""

_STAMP = re.compile(r"^(\d{8}T\d{6}Z)-")


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """What was read. ``cut_short`` says why the rest could not be, None when all was."""

    rows: tuple[Row, ...]
    stream: str
    undated: int
    cut_short: str | None
    incidents: tuple[tuple[datetime.datetime, str], ...]
    """Time of the event and file name of each incident recording beside the journal, in order."""


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
    return Read(tuple(rows), stream, undated, cut_short, _incidents(journal.parent / INCIDENTS))


def stamp(when: datetime.datetime) -> str:
    """A time as the journal writes it, so that texts compare as times do."""
    return when.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def incident_of(read_: Read, when: datetime.datetime) -> str | None:
    """The incident recording that has the event at ``when``, or None."""
    near = [(abs(when - at), name) for at, name in read_.incidents if abs(when - at) <= INCIDENT_WITHIN]
    return min(near)[1] if near else None


def _incidents(folder: pathlib.Path) -> tuple[tuple[datetime.datetime, str], ...]:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.name.endswith(SUFFIX))
    except OSError:
        return ()
    found = []
    for name in names:
        match = _STAMP.match(name)
        if match:
            at = datetime.datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
            found.append((at, name))
    return tuple(found)
