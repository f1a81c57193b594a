"""The day as JSON: every figure with its unit in its name; null where it is not known."""

import datetime
from typing import Any

from tools.report.figures import Day, Duty, Span, Speeds, percentile
from tools.report.reading import Read, incident_of, stamp


def answer(day: Day, read: Read, date: datetime.date) -> dict[str, Any]:
    """One JSON object."""
    return {
        "ok": read.cut_short is None,
        "day": date.isoformat(),
        "stream": read.stream,
        "cut_short": read.cut_short,
        "events": day.events,
        "not_understood": day.odd,
        "clock": {**day.clock, "undated": read.undated},
        "watched_until": None if day.watched_until is None else stamp(day.watched_until),
        "total": _span(day.total),
        "hours": [{"hour": hour, **_span(span)} for hour, span in enumerate(day.hours)],
        "near_misses": [
            {"t": stamp(miss.when), "face": miss.face, **miss.body, "recording": incident_of(read, miss.when)}
            for miss in day.near_misses
        ],
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "passed": dict(sorted(span.passed.items())),
        "left_before": dict(sorted(span.left.items())),
        "lead_s": {
            "count": len(span.leads_s),
            "dark": sum(lead_s <= 0 for lead_s in span.leads_s),
            "median": percentile(span.leads_s, 50),
            "p5": percentile(span.leads_s, 5),
        },
        "near_misses": span.near_misses,
        "met_lit": _speeds(span.warned),
        "met_dark": _speeds(span.unwarned),
        "hard_braking": span.hard_braking,
        "faces": {name: _duty(duty) for name, duty in sorted(span.faces.items())},
    }


def _speeds(speeds: Speeds) -> dict[str, Any]:
    return {
        "count": speeds.count,
        "warned_kmh": _one(speeds.warned_kmh()),
        "line_kmh": _one(speeds.line_kmh()),
        "change_kmh": _one(speeds.change_kmh()),
    }


def _duty(duty: Duty) -> dict[str, Any]:
    return {
        "activations": duty.activations,
        "alerts": duty.alerts,
        "watched_s": _one(duty.watched_s),
        "lit_s": _one(duty.lit_s),
        "fault_s": _one(duty.fault_s),
        "lit_pct": _one(duty.lit_pct),
        "own_arrivals": duty.arrivals,
        "met_lit": duty.met_lit,
        "needless": duty.needless,
        "needless_pct": _one(duty.needless_pct),
    }


def _one(value: float | None) -> float | None:
    return None if value is None else round(value, 1) + 0.0
