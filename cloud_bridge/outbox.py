"""Which journalled event is sent next, and which the county has: a cursor over the journal that a crash cannot lose.

Invariants
- An event counts as confirmed only when the broker has confirmed it and every event before it in its lane; what is not
  is sent again after a crash or a lost connection, with the same (stream, seq).
- A broker confirms what it has in memory and not yet handed on; when it dies that is gone. So a confirmed event stays
  in doubt for a while, and what is in doubt when the connection is lost is sent again too. The cursor holds what is
  settled.
- Two lanes: *live* is what is journalled while connected, *backlog* the ranges that earlier outages left, oldest
  first. Live goes first; the backlog is held to a rate and to half of what may be in flight.
- The cursor file says, for the journal's stream, up to where the live lane is settled, and which ranges before that are
  still backlog. A missing or damaged cursor means "nothing delivered": duplicates, never a loss.
- One thread uses an Outbox; nothing here knows MQTT.
"""

import collections
import dataclasses
import enum
import logging
import pathlib
from collections.abc import Callable
from typing import Final

from configs.files import write_atomically
from device import outbox_cursor
from device.journal_reader import JournalReader, Row
from hal.clock import NS_PER_MS, NS_PER_S, Clock

log = logging.getLogger(__name__)

READ_ROWS: Final = 64
"""Rows read from the journal at a time: some 20 kB."""

SAVE_EVERY_NS: Final = NS_PER_S
"""The cursor is written at most once a second (an SD card's sake); a crash costs one second of duplicates."""

MAX_RANGES: Final = 32
"""Outages remembered apart; beyond it the two oldest are joined, and what lies between them is sent twice."""

BURST_S: Final = 0.25
"""The backlog may catch up this much of its rate in one go, so that a coarse poll does not lower the rate."""


LOOK_EVERY_NS: Final = 5 * NS_PER_MS
"""While a backlog drains the journal is asked for live events this often: at a thousand a second, asking before each
would be half of the bridge's work."""

DOUBT_NS: Final = 10 * NS_PER_S
"""A broker hands an event on within milliseconds, to a platform that is behind within seconds."""

DOUBT_EVENTS: Final = 4096
"""And no more than this: at a few events a minute the time counts, in a backlog at full speed this does. A platform is
seldom that far behind: Mosquitto queues 1,000 for it unless told otherwise, and drops what is above."""


class Lane(enum.StrEnum):
    """Where a message goes."""

    LIVE = "live"
    BACKLOG = "backlog"


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """A row to be sent. ``session`` tells the confirmations of a lost connection from those of this one."""

    lane: Lane
    row: Row
    session: int


@dataclasses.dataclass(slots=True)
class _Lane:
    """Rows above ``settled`` (and up to ``upto``) in order: read ahead, sent, confirmed, and settled when they have
    been confirmed for long enough."""

    settled: int
    upto: int | None = None
    confirmed: int = 0
    sent: int = 0
    doubted: collections.deque[tuple[int, int]] = dataclasses.field(default_factory=collections.deque)
    ahead: collections.deque[Row] = dataclasses.field(default_factory=collections.deque)
    waiting: collections.OrderedDict[int, bool] = dataclasses.field(default_factory=collections.OrderedDict)

    def __post_init__(self) -> None:
        self.confirmed = self.sent = self.settled

    def rewind(self) -> None:
        """Everything not settled is to be sent again."""
        self.confirmed = self.sent = self.settled
        self.ahead.clear()
        self.waiting.clear()
        self.doubted.clear()

    def next(self, reader: JournalReader) -> Row | None:
        if not self.ahead:
            self.ahead.extend(reader.after(self.sent, READ_ROWS, upto=self.upto))
        if not self.ahead:
            return None
        row = self.ahead.popleft()
        self.sent = row.seq
        self.waiting[row.seq] = False
        return row

    def confirm(self, seq: int, now_ns: int) -> None:
        if seq in self.waiting:
            self.waiting[seq] = True
        while self.waiting:
            first, done = next(iter(self.waiting.items()))
            if not done:
                break
            del self.waiting[first]
            self.confirmed = first
            self.doubted.append((now_ns, first))

    def settle(self, now_ns: int) -> bool:
        """Takes out of doubt what was confirmed long enough ago; whether that was anything."""
        before = self.settled
        while self.doubted and (self.doubted[0][0] <= now_ns - DOUBT_NS or len(self.doubted) > DOUBT_EVENTS):
            self.settled = self.doubted.popleft()[1]
        return self.settled > before

    def exhausted(self, now_ns: int) -> None:
        """There is nothing more to read in the range, and nothing waits: what it lacks was pruned from the journal."""
        if self.upto is not None and self.confirmed < self.upto:
            self.confirmed = self.upto
            self.doubted.append((now_ns, self.upto))


class Outbox:
    """The events of one journal on their way to one county. Methods that read raise JournalError."""

    def __init__(
        self,
        reader: JournalReader,
        path: pathlib.Path,
        clock: Clock,
        *,
        backlog_per_s: float,
        max_in_flight: int = 16,
        write: Callable[[pathlib.Path, bytes], None] = write_atomically,
    ) -> None:
        """``write`` replaces the cursor file in one step, or has that done."""
        self._reader = reader
        self._path = path
        self._write = write
        self._clock = clock
        self._rate = backlog_per_s
        self._burst = max(1.0, backlog_per_s * BURST_S)
        self._tokens = 1.0
        self._tokens_ns = clock.monotonic_ns()
        self.max_in_flight = max_in_flight
        self._looked_ns = clock.monotonic_ns() - LOOK_EVERY_NS
        self._session = 0
        self._connected = False
        self._outage_noted = False
        self._dirty = False
        self._saved_ns = clock.monotonic_ns() - SAVE_EVERY_NS
        self.sent_total = 0
        self.confirmed_total = 0
        self._stream, self._live, self._backlog = self._load()

    def connected(self) -> None:
        """A new connection: what is journalled and not delivered becomes backlog, what follows is live."""
        self._session += 1
        self._connected = True
        self._outage_noted = False
        self._rewind()

    def disconnected(self) -> None:
        """Confirmations still on their way will not come."""
        self._session += 1
        self._connected = False
        self._rewind()

    def next(self) -> Item | None:
        """The event to send now: live first, then the backlog at its rate; None when there is nothing or no room."""
        if not self._connected or self.in_flight() >= self.max_in_flight:
            return None
        now_ns = self._clock.monotonic_ns()
        lane, row = Lane.BACKLOG, None
        if (
            now_ns - self._looked_ns < LOOK_EVERY_NS
            and not self._live.ahead
            and any(kept.ahead for kept in self._backlog)
        ):
            row = self._next_backlog()
        if row is None:
            self._looked_ns = now_ns
            self._follow_journal()
            lane, row = Lane.LIVE, self._live.next(self._reader)
        if row is None:
            lane, row = Lane.BACKLOG, self._next_backlog()
        if row is None:
            return None
        self.sent_total += 1
        return Item(lane, row, self._session)

    def confirm(self, item: Item) -> None:
        """The broker has ``item`` for good."""
        if item.session != self._session:
            return
        lanes = [self._live] if item.lane is Lane.LIVE else self._backlog
        lane = next((lane for lane in lanes if item.row.seq in lane.waiting), None)
        if lane is not None and item.row.stream == self._stream:
            lane.confirm(item.row.seq, self._clock.monotonic_ns())
            self.confirmed_total += 1
            self._settle(self._clock.monotonic_ns())

    def settle_all(self) -> None:
        """The connection ends in good order: the broker lives and will hand on what it has confirmed."""
        self._settle(self._clock.monotonic_ns() + DOUBT_NS)

    def in_flight(self) -> int:
        """Sent, and not yet in the unbroken run of confirmations."""
        return sum(len(lane.waiting) for lane in (self._live, *self._backlog))

    def backlog(self) -> int:
        """Events that an outage kept and that are not delivered (an upper bound where the journal was pruned)."""
        return sum(max(0, (lane.upto or 0) - lane.confirmed) for lane in self._backlog)

    def lag(self) -> int:
        """Events journalled and not delivered, backlog included (an upper bound likewise)."""
        self._follow_journal()
        return max(0, self._reader.last_seq() - self._live.confirmed) + self.backlog()

    def save(self, *, now: bool = False) -> None:
        """Writes the cursor when it has moved and a second has gone by, or at once. Raises what ``write`` does."""
        now_ns = self._clock.monotonic_ns()
        self._settle(now_ns)
        if not self._dirty or not (now or now_ns - self._saved_ns >= SAVE_EVERY_NS):
            return
        self._saved_ns = now_ns
        backlog = tuple((lane.settled, lane.upto or 0) for lane in self._backlog)
        self._write(self._path, outbox_cursor.Cursor(self._stream, self._live.settled, backlog).encoded())
        self._dirty = False

    def _load(self) -> tuple[str | None, _Lane, list[_Lane]]:
        try:
            cursor = outbox_cursor.read(self._path)
        except (OSError, ValueError) as error:
            log.error(
                "event=outbox_cursor_unreadable path=%s error=%r effect=everything_is_sent_again", self._path, error
            )
            cursor = outbox_cursor.NOTHING
        return cursor.stream, _Lane(cursor.live), [_Lane(after, upto) for after, upto in cursor.backlog]

    def _settle(self, now_ns: int) -> None:
        for lane in (self._live, *self._backlog):
            self._dirty |= lane.settle(now_ns)
        while self._backlog and self._backlog[0].settled == self._backlog[0].upto:
            self._backlog.pop(0)
            self._dirty = True

    def _rewind(self) -> None:
        self._live.rewind()
        for lane in self._backlog:
            lane.rewind()

    def _follow_journal(self) -> None:
        """Starts over on a new journal, and once a connection turns what was kept before it into backlog."""
        stream = self._reader.stream()
        if stream != self._stream:
            if self._stream is not None:
                log.error("event=outbox_new_journal old=%s new=%s", self._stream, stream)
            self._stream, self._live, self._backlog = stream, _Lane(0), []
            self._session += 1
            self._dirty = True
        if not self._connected or self._outage_noted:
            return
        last = self._reader.last_seq()
        if last < self._live.confirmed:
            log.error("event=outbox_journal_went_back confirmed=%d last_seq=%d", self._live.confirmed, last)
            self._live = _Lane(last)
        if last > self._live.confirmed:
            self._keep(self._live.confirmed, last)
            self._live = _Lane(last)
            self._dirty = True
        self._outage_noted = True

    def _keep(self, after: int, upto: int) -> None:
        if self._backlog and self._backlog[-1].upto == after:
            after = self._backlog.pop().settled
        self._backlog.append(_Lane(after, upto))
        if len(self._backlog) > MAX_RANGES:
            first, second, *rest = self._backlog
            self._backlog = [_Lane(first.settled, second.upto), *rest]

    def _next_backlog(self) -> Row | None:
        for lane in self._backlog:
            if lane.confirmed == lane.upto:
                continue  # all sent and confirmed, and in doubt for a while yet
            if len(lane.waiting) >= max(1, self.max_in_flight // 2) or not self._token_ready():
                return None
            row = lane.next(self._reader)
            if row is not None:
                self._tokens -= 1.0
                return row
            if lane.waiting:
                return None
            lane.exhausted(self._clock.monotonic_ns())
        return None

    def _token_ready(self) -> bool:
        now_ns = self._clock.monotonic_ns()
        self._tokens = min(self._burst, self._tokens + (now_ns - self._tokens_ns) / NS_PER_S * self._rate)
        self._tokens_ns = now_ns
        return self._tokens >= 1.0
