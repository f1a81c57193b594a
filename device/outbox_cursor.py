"""Which events of a journal the county has: the file that the bridge writes and the journal's writer reads.

Invariants: an event is undelivered when it lies above ``live`` or in one of the ranges of ``backlog``; a file that is
missing, damaged or of another journal means that nothing is delivered: what is kept too long costs nothing but room.
"""

import dataclasses
import json
import pathlib
from typing import Final

CURSOR_FILE: Final = "outbox.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Cursor:
    """Up to where the live lane is delivered, and the ranges ``after < seq <= upto`` that earlier outages left."""

    stream: str | None = None
    live: int = 0
    backlog: tuple[tuple[int, int], ...] = ()

    def delivered_upto(self) -> int:
        """The last ``seq`` up to which the county has every event."""
        return min([self.live, *(after for after, _upto in self.backlog)])

    def encoded(self) -> bytes:
        """As it stands in the file."""
        return json.dumps({"stream": self.stream, "live": self.live, "backlog": self.backlog}).encode()


NOTHING: Final = Cursor()
"""Nothing is delivered."""


def read(path: pathlib.Path) -> Cursor:
    """The cursor in a file, NOTHING where there is none. Raises OSError and ValueError."""
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError:
        return NOTHING
    try:
        backlog = tuple((int(after), int(upto)) for after, upto in values["backlog"])
        stream = values["stream"]
        return Cursor(None if stream is None else str(stream), int(values["live"]), backlog)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: not a cursor: {error!r}") from error
