"""The day's tables as rows of text, drawn by the terminal and by the page alike."""

import dataclasses

from tools.report.figures import Day, NearMiss, Span, percentile
from tools.report.reading import Read, incident_of
from tools.report.sentences import class_word
from tools.report.words import number, say


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; ``text_columns`` are left-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: frozenset[int] = frozenset({0})

    def narrow(self, names: frozenset[str]) -> "Table":
        """The same without the columns of these titles, for a terminal of 80 columns."""
        kept = [index for index, column in enumerate(self.columns) if column not in names]
        return Table(
            self.title,
            tuple(self.columns[index] for index in kept),
            tuple(tuple(row[index] for index in kept) for row in self.rows),
            frozenset(new for new, old in enumerate(kept) if old in self.text_columns),
        )


PAGE_ONLY = ("alerts", "left_n", "lead_median", "warned_kmh", "line_kmh", "hard_n", "met_lit_n")
"""Columns that the terminal leaves to the page and to ``--json``."""


def tables(day: Day, read: Read) -> list[Table]:
    """All tables of the day, those without rows left out."""
    found = [_hours(day), _faces(day), _classes(day), _near_misses(day, read)]
    return [table for table in found if table.rows]


def _hours(day: Day) -> Table:
    columns = (
        "hour",
        "activations",
        "alerts",
        "lit_mean_pct",
        "passed_n",
        "left_n",
        "lead_median",
        "lead_p5",
        "near_n",
        "warned_kmh",
        "line_kmh",
        "change_kmh",
        "hard_n",
        "own_n",
        "needless_n",
    )
    rows = [_hour(f"{hour:02d}", span) for hour, span in enumerate(day.hours) if not empty(span)]
    if rows:
        rows.append(_hour(say("day_total"), day.total))
    return Table(say("hours"), tuple(map(say, columns)), tuple(rows))


def _hour(label: str, span: Span) -> tuple[str, ...]:
    duty = span.all_faces()
    return (
        label,
        str(duty.activations),
        str(duty.alerts),
        number(duty.lit_pct),
        str(span.passed.total()),
        str(span.left.total()),
        number(percentile(span.leads_s, 50)),
        number(percentile(span.leads_s, 5)),
        str(span.near_misses),
        number(span.warned.warned_kmh()),
        number(span.warned.line_kmh()),
        number(span.warned.change_kmh()),
        str(span.hard_braking),
        str(duty.arrivals),
        str(duty.needless),
    )


def _faces(day: Day) -> Table:
    columns = (
        "face",
        "activations",
        "alerts",
        "lit_pct",
        "fault_min",
        "own_n",
        "met_lit_n",
        "needless_n",
        "needless_pct",
    )
    rows = [
        (
            name,
            str(duty.activations),
            str(duty.alerts),
            number(duty.lit_pct),
            number(duty.fault_s / 60) if duty.watched_s else number(None),
            str(duty.arrivals),
            str(duty.met_lit),
            str(duty.needless),
            number(duty.needless_pct),
        )
        for name, duty in sorted(day.total.faces.items())
    ]
    return Table(say("faces"), tuple(map(say, columns)), tuple(rows))


def _classes(day: Day) -> Table:
    names = sorted(day.total.passed | day.total.left, key=lambda name: (-day.total.passed[name], name))
    rows = [(class_word(name), str(day.total.passed[name]), str(day.total.left[name])) for name in names]
    return Table(say("classes"), (say("class"), say("passed_n"), say("left_n")), tuple(rows))


def _near_misses(day: Day, read: Read) -> Table:
    columns = ("when", "first", "second", "pet", "ttc", "alert_before", "recording")
    rows = [_near_miss(miss, read) for miss in day.near_misses]
    return Table(say("near_misses"), tuple(map(say, columns)), tuple(rows), frozenset({0, 1, 2, 5, 6}))


def _near_miss(miss: NearMiss, read: Read) -> tuple[str, ...]:
    body = miss.body
    alerts = ", ".join(f"{face} {number(since_s)}" for face, since_s in sorted(body["alert_s"].items()))
    return (
        miss.when.strftime("%H:%M:%S"),
        _who(body["first"]),
        _who(body["second"]),
        number(body["pet_s"]),
        number(body["ttc_s"]),
        alerts,
        incident_of(read, miss.when) or number(None),
    )


def _who(user: dict[str, object]) -> str:
    speed_mps = user["speed_mps"]
    speed = f" {3.6 * float(str(speed_mps)):.0f} km/h" if speed_mps is not None else ""
    return f"{user['approach']} {class_word(user['class'])}{speed}"


def empty(span: Span) -> bool:
    """Whether nothing at all is known of an hour."""
    watched = any(duty.watched_s > 0 or duty.activations for duty in span.faces.values())
    return not (watched or span.passed or span.left or span.near_misses)
