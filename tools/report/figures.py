"""The figures of one day, from its events. Pure.

Invariants: every event is counted in one hour, that of its wall time (a duty event: of its middle); an event body that
is not as the node writes it costs itself and is counted; means and percentiles of nothing are None, never 0.
"""

import collections
import dataclasses
import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from device.journal_reader import Row

HOURS = 24
UNKNOWN = "unknown"
DUTY_HALF = datetime.timedelta(minutes=5)


@dataclasses.dataclass(slots=True)
class Duty:
    """What one face did: seconds watched, lit and in fault; road users of its own, and those it was lit for."""

    activations: int = 0
    alerts: int = 0
    watched_s: float = 0.0
    lit_s: float = 0.0
    fault_s: float = 0.0
    arrivals: int = 0
    met_lit: int = 0
    needless: int = 0

    def add(self, other: "Duty") -> None:
        """Adds another span."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @property
    def lit_pct(self) -> float | None:
        """Share of the watched time that it was lit."""
        return None if self.watched_s <= 0 else 100 * self.lit_s / self.watched_s

    @property
    def needless_pct(self) -> float | None:
        """Share of its own road users that met it lit with nobody coming."""
        return None if self.arrivals == 0 else 100 * self.needless / self.arrivals


@dataclasses.dataclass(slots=True)
class Speeds:
    """Speeds when warned and at the line of the same road users, m/s."""

    count: int = 0
    warned_mps: float = 0.0
    line_mps: float = 0.0

    def take(self, warned_mps: float, line_mps: float) -> None:
        """One road user."""
        self.count += 1
        self.warned_mps += warned_mps
        self.line_mps += line_mps

    def add(self, other: "Speeds") -> None:
        """Adds others."""
        self.count += other.count
        self.warned_mps += other.warned_mps
        self.line_mps += other.line_mps

    def warned_kmh(self) -> float | None:
        """Mean speed when warned."""
        return None if self.count == 0 else 3.6 * self.warned_mps / self.count

    def line_kmh(self) -> float | None:
        """Mean speed at the line."""
        return None if self.count == 0 else 3.6 * self.line_mps / self.count

    def change_kmh(self) -> float | None:
        """Mean change on the way, negative = slowed."""
        return None if self.count == 0 else 3.6 * (self.line_mps - self.warned_mps) / self.count


@dataclasses.dataclass(slots=True)
class Span:
    """One hour, or the whole day."""

    faces: dict[str, Duty] = dataclasses.field(default_factory=dict)
    passed: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    left: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    leads_s: list[float] = dataclasses.field(default_factory=list)
    warned: Speeds = dataclasses.field(default_factory=Speeds)
    """Of those that met their own face lit and did not stop: who must give way slows down without a lamp."""
    unwarned: Speeds = dataclasses.field(default_factory=Speeds)
    """Of those that did not: what the road does by itself."""
    hard_braking: int = 0
    near_misses: int = 0

    def face(self, name: str) -> Duty:
        """The duty of a face."""
        return self.faces.setdefault(name, Duty())

    def add(self, other: "Span") -> None:
        """Adds another span."""
        for name, duty in other.faces.items():
            self.face(name).add(duty)
        self.passed += other.passed
        self.left += other.left
        self.leads_s += other.leads_s
        self.warned.add(other.warned)
        self.unwarned.add(other.unwarned)
        self.hard_braking += other.hard_braking
        self.near_misses += other.near_misses

    def all_faces(self) -> Duty:
        """All faces together; shares of time are those of the mean face."""
        total = Duty()
        for duty in self.faces.values():
            total.add(duty)
        return total


@dataclasses.dataclass(frozen=True, slots=True)
class NearMiss:
    """Two road users that nearly met, as the journal has it."""

    when: datetime.datetime
    face: str
    body: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Day:
    """One day. ``watched_until`` is the end of the last span whose lit time is known."""

    hours: tuple[Span, ...]
    total: Span
    near_misses: tuple[NearMiss, ...]
    clock: Mapping[str, int]
    odd: int
    watched_until: datetime.datetime | None
    events: int


HARD_BRAKING_MPS2 = 3.4
"""Above the deceleration that most drivers find comfortable (AASHTO's for stopping sight distance)."""


def figures(rows: Iterable[Row], since: datetime.datetime, until: datetime.datetime) -> Day:
    """Counts the events with wall times in [since, until), two ends of one local day."""
    hours = tuple(Span() for _ in range(HOURS))
    clock: collections.Counter[str] = collections.Counter()
    near: list[NearMiss] = []
    odd = events = 0
    watched_until = None
    for row in rows:
        try:
            when = datetime.datetime.fromisoformat(row.t).astimezone(since.tzinfo)
            duty = row.kind == "duty"
            middle = when - DUTY_HALF if duty else when
            if not since <= middle < until:
                continue
            events += 1
            clock[row.t_quality] += 1
            span = hours[middle.hour]
            if duty:
                _duty(span, row.body)
                watched_until = max(watched_until or when, when)
            elif row.kind in ("caution", "alert"):
                _change(span, row)
            elif row.kind == "passage":
                _passage(span, row)
            elif row.kind == "near_miss":
                near.append(NearMiss(when, row.face or "", _checked(row.body)))
                span.near_misses += 1
        except (KeyError, TypeError, ValueError, AttributeError):
            odd += 1
    total = Span()
    for span in hours:
        total.add(span)
    near.sort(key=lambda miss: miss.when)
    return Day(hours, total, tuple(near), dict(clock), odd, watched_until, events)


def percentile(values: Sequence[float], pct: float) -> float | None:
    """Nearest rank: a value that occurred, so that the worst 5 % are really at or below it."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(pct / 100 * len(ordered)) - 1)]


def _duty(span: Span, body: Mapping[str, Any]) -> None:
    watched_s = float(body["watched_s"])
    parts = {
        name: Duty(
            watched_s=watched_s,
            lit_s=float(face["lit_s"]),
            fault_s=float(face["fault_s"]),
            arrivals=int(face["arrivals"]),
            met_lit=int(face["met_lit"]),
            needless=int(face["needless"]),
        )
        for name, face in body["faces"].items()
    }
    for name, duty in parts.items():
        span.face(name).add(duty)


def _change(span: Span, row: Row) -> None:
    duty = span.face(str(row.face))
    before, after = row.body["from"], row.body["to"]
    duty.activations += before == "clear"
    duty.alerts += after == "alert"


def _passage(span: Span, row: Row) -> None:
    body = row.body
    user = str(body["class"] or UNKNOWN)
    if body["how"] != "arrived":
        span.left[user] += 1
        return
    lead_s, warned_mps, line_mps = body["lead_s"], body["warned_mps"], body["line_mps"]
    braking_mps2 = body["braking_mps2"]
    numbers = [float(value) for value in (lead_s, warned_mps, line_mps, braking_mps2) if value is not None]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("not a number")
    span.passed[user] += 1
    if lead_s is not None:
        span.leads_s.append(float(lead_s))
    if warned_mps is not None and line_mps is not None and not body["stopped"]:
        (span.warned if body["met_lit"] else span.unwarned).take(float(warned_mps), float(line_mps))
    span.hard_braking += braking_mps2 is not None and braking_mps2 > HARD_BRAKING_MPS2


def _checked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    for side in ("first", "second"):
        body[side]["approach"], body[side]["class"], body[side]["speed_mps"]
    body["pet_s"], body["ttc_s"], body["alert_s"].items()
    return body
