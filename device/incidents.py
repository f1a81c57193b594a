"""When what the sensors said is kept: 30 s before to 30 s after each alert, near miss and fault. Pure.

The control thread owns an ``Incidents`` and gives it what came in and what was decided; it answers with orders for the
thread that writes (device.incident_files). Images are not among what is kept: with ``recording.images: true`` vision
keeps its pictures in files of its own, and ``sentinel join INCIDENT PICTURES`` cuts out those of the incident's time.

Invariants: nothing here waits, and nothing grows without bound: the ring is bounded in time and in bytes; events that
come while an incident is open lengthen it, up to MAX_S, and what does not fit there whole begins the next part of it.
So each event has all of its time before and after in one file. Alerts alone are left out, and counted, while the day's
bytes are spent (device.incident_budget). A node that starts is in fault by itself (self-test) and says so with no
event, so no start writes an incident; a fault that lasts is one event, so it is one incident.
"""

import collections
import dataclasses
import enum
from collections.abc import Iterable, Mapping
from typing import Any, Final

from configs.schema import Recording as RecordingSettings
from device.day import DayState
from device.events import Event, EventKind
from device.incident_budget import Budget
from hal.clock import NS_PER_S

MAX_S: Final = 300.0
"""From its first event to its end: a junction that is never quiet gives files of five minutes, not one without end."""

RING_BYTES: Final = 12 * 1024 * 1024
"""Four radars and four cameras at a crossing full of traffic brought 10.4 MB in 70 s, the longest that is held by the
settings that come with the program; two radars without a camera 0.5 MB. What is older goes first."""

TOLD_LATE_S: Final = 10.0
"""A near miss is told once the second of the two has passed or stopped, seconds later: the ring goes back further."""

TRIGGERS_KEPT: Final = 50
"""Events named in one file; further ones are counted."""


class IncidentKind(enum.StrEnum):
    """Why an incident is kept, the most telling first: the file carries the first of those that met in it."""

    NEAR_MISS = "near_miss"
    FAULT = "fault"
    ALERT = "alert"


_RANK: Final = {kind: rank for rank, kind in enumerate(IncidentKind)}


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """One message that came in: ``payload`` is a radar's bytes as read, or a camera's observation."""

    sensor: str
    at_ns: int
    wall_ns: int
    payload: bytes | Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Trigger:
    """An event that makes an incident."""

    kind: IncidentKind
    face: str | None
    at_ns: int
    body: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class DayChange:
    """The day state that is in force from ``at_ns`` on."""

    at_ns: int
    day: DayState


@dataclasses.dataclass(frozen=True, slots=True)
class Begin:
    """Order: begin a recording with what is in the ring. ``days``: the day state in force at its first message, then
    each change since; empty where nobody told one."""

    trigger: Trigger
    before: tuple[Kept, ...]
    days: tuple[DayChange, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """Order: finish it. ``named`` gives the file its name; ``triggers`` are the first of ``count`` in all."""

    named: Trigger
    triggers: tuple[Trigger, ...]
    count: int


Order = Begin | Kept | DayChange | End


def trigger_of(event: Event) -> Trigger | None:
    """The trigger an event is: entering alert, a near miss, a face that falls into fault; None for every other."""
    kind = None
    if event.kind is EventKind.NEAR_MISS:
        kind = IncidentKind.NEAR_MISS
    elif event.kind is EventKind.ALERT and event.body.get("to") == "alert":
        kind = IncidentKind.ALERT
    elif event.kind is EventKind.HEALTH and event.body.get("to") == "fault":
        kind = IncidentKind.FAULT
    return None if kind is None else Trigger(kind, event.face, event.at_ns, event.body)


class Ring:
    """What came in during the last ``keep_s`` and since ``held_ns``, at most ``max_bytes`` of it."""

    def __init__(self, keep_s: float, max_bytes: int = RING_BYTES) -> None:
        self.keep_s = keep_s
        self.held_ns: int | None = None
        """What came in from then on is wanted still, however long ago it was; None: nothing is."""
        self._max_bytes = max_bytes
        self._items: collections.deque[tuple[Kept, int]] = collections.deque()
        self.bytes = 0

    def append(self, kept: Kept) -> None:
        """Keeps one, lets go of what is too old or too much."""
        weight = weight_bytes(kept)
        items = self._items
        items.append((kept, weight))
        self.bytes += weight
        oldest_ns = kept.at_ns - round(self.keep_s * NS_PER_S)
        if self.held_ns is not None:
            oldest_ns = min(oldest_ns, self.held_ns)
        while items and (self.bytes > self._max_bytes or items[0][0].at_ns < oldest_ns):
            self.bytes -= items.popleft()[1]

    def items(self, since_ns: int) -> tuple[Kept, ...]:
        """What is kept from ``since_ns`` on, in the order it came."""
        return tuple(kept for kept, _ in self._items if kept.at_ns >= since_ns)


class Days:
    """The day states of the last ``keep_s``, and always the one that was in force before them."""

    def __init__(self, keep_s: float) -> None:
        self.keep_s = keep_s
        self._changes: collections.deque[DayChange] = collections.deque()

    def append(self, change: DayChange) -> None:
        """Notes one, lets go of those that were over before what is kept began."""
        changes = self._changes
        changes.append(change)
        oldest_ns = change.at_ns - round(self.keep_s * NS_PER_S)
        while len(changes) > 1 and changes[1].at_ns <= oldest_ns:
            changes.popleft()

    def since(self, since_ns: int) -> tuple[DayChange, ...]:
        """The one in force at ``since_ns`` (the first one told, where that was later), then each change after it."""
        later = [change for change in self._changes if change.at_ns > since_ns]
        before = [change for change in self._changes if change.at_ns <= since_ns]
        return (*before[-1:], *later)


def weight_bytes(kept: Kept) -> int:
    """About what one message takes in memory (CPython on 64 bit): 300 B for the message itself; a camera's
    observation is 2 kB of dictionaries and 600 B for each road user or box."""
    payload = kept.payload
    if isinstance(payload, bytes):
        return 300 + len(payload)
    return 2000 + 600 * (_length(payload.get("boxes")) + _length(payload.get("users")))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple) else 0


@dataclasses.dataclass(slots=True)
class _Open:
    """A part that is being recorded: what it holds from and until, and until when it may be lengthened."""

    from_ns: int
    until_ns: int
    latest_ns: int
    named: Trigger
    triggers: list[Trigger]
    count: int = 1

    def add(self, trigger: Trigger) -> None:
        self.count += 1
        if len(self.triggers) < TRIGGERS_KEPT:
            self.triggers.append(trigger)
        if _RANK[trigger.kind] < _RANK[self.named.kind]:
            self.named = trigger


def _days_kept_s(settings: RecordingSettings) -> float:
    """As far back as the ring may reach: it is held for an event that waits for the open part to end."""
    return settings.before_s + settings.after_s + TOLD_LATE_S


class Incidents:
    """Decides when an incident begins, how long it goes on, and what belongs to it."""

    def __init__(self, settings: RecordingSettings) -> None:
        self.alerts_left_out = 0
        """Alerts whose time before and after was not kept, because the day's bytes were spent."""
        self._settings = settings
        self._ring = Ring(settings.before_s + TOLD_LATE_S)
        self._budget = Budget(settings.day_mb)
        self._days = Days(_days_kept_s(settings))
        self._open: _Open | None = None
        self._next: list[Trigger] = []

    @property
    def open(self) -> bool:
        """Whether an incident is being recorded."""
        return self._open is not None

    def warning(self) -> str | None:
        """Why alerts are not kept at present, or None."""
        if not self._budget.spent:
            return None
        return f"incident recordings: the day's bytes are spent, {self.alerts_left_out} alerts not kept"

    def configure(self, settings: RecordingSettings) -> None:
        """Takes new lengths; an open incident keeps what it has and ends by the new ones."""
        self._settings = settings
        self._ring.keep_s = settings.before_s + TOLD_LATE_S
        self._budget.configure(settings.day_mb)
        self._days.keep_s = _days_kept_s(settings)

    def day(self, now_ns: int, day: DayState) -> list[Order]:
        """Told at the start and at each change: the day state by which the steps after ``now_ns`` decide."""
        change = DayChange(now_ns, day)
        self._days.append(change)
        return [] if self._open is None else [change]

    def step(self, now_ns: int, kept: Iterable[Kept], events: Iterable[Event], written_bytes: int = 0) -> list[Order]:
        """What came in and what was decided at ``now_ns``; the orders for the writer, in order. ``written_bytes``: all
        that the writer has put on the disk so far."""
        self._budget.step(now_ns, written_bytes)
        orders: list[Order] = []
        for item in kept:
            self._ring.append(item)
            if self._open is not None:
                orders.append(item)
        for event in events:
            trigger = trigger_of(event)
            if trigger is not None:
                self._take(trigger, orders)
        if self._open is not None and now_ns >= self._open.until_ns:
            orders.append(self._ended(self._open))
            waiting, self._next = self._next, []
            for trigger in waiting:
                self._take(trigger, orders)
        self._ring.held_ns = min([self._from_ns(trigger) for trigger in self._next], default=None)
        return orders

    def end(self) -> End:
        """Ends the open incident now, with the events that were to have a part of their own. Raises RuntimeError when
        there is none."""
        if self._open is None:
            raise RuntimeError("no incident is open")
        for trigger in self._next:
            self._open.add(trigger)
        self._next = []
        return self._ended(self._open)

    def _ended(self, part: _Open) -> End:
        self._open = None
        return End(part.named, tuple(part.triggers), part.count)

    def _take(self, trigger: Trigger, orders: list[Order]) -> None:
        """Begins a recording with this event, or lengthens the open one, or has it wait for the next part."""
        part = self._open
        from_ns = self._from_ns(trigger)
        until_ns = trigger.at_ns + round(self._settings.after_s * NS_PER_S)
        unwanted = trigger.kind is IncidentKind.ALERT and self._budget.spent
        if part is not None:
            if until_ns <= (part.until_ns if unwanted else part.latest_ns):
                part.add(trigger)
                # Told late, it may be older than what began the part: what came before goes to the end of the file,
                # and who reads it takes it by its time.
                orders += [kept for kept in self._ring.items(from_ns) if kept.at_ns < part.from_ns]
                part.from_ns = min(from_ns, part.from_ns)
                part.until_ns = max(until_ns, part.until_ns)
            elif unwanted:
                self.alerts_left_out += 1
            else:
                self._next.append(trigger)
        elif self._settings.keep_count == 0:
            return
        elif unwanted:
            self.alerts_left_out += 1
        else:
            latest_ns = trigger.at_ns + round(MAX_S * NS_PER_S)
            self._open = _Open(from_ns, until_ns, latest_ns, trigger, [trigger])
            before = self._ring.items(from_ns)
            first_ns = min([kept.at_ns for kept in before], default=trigger.at_ns)
            orders.append(Begin(trigger, before, self._days.since(first_ns)))

    def _from_ns(self, trigger: Trigger) -> int:
        return trigger.at_ns - round(self._settings.before_s * NS_PER_S)
