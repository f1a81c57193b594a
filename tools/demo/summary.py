"""What the demonstration found, for people and for programs, and whether it passes. Pure."""

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any

from tools.demo.judge import LATE_S, UNLIT_BAR_S, Verdict
from tools.demo.subscriber import Comparison
from tools.demo.words import Words

STALE_S = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """Everything that is told at the end. ``core_latency_ms`` is core's own ``latency_ms.radar``."""

    seconds: float
    seed: int
    verdict: Verdict
    events: Comparison
    core_latency_ms: dict[str, Any]
    said: int
    longest_pause_s: float
    problems: tuple[str, ...] = ()
    """What was wrong with a part of the node while it guarded, in core's words."""

    def checks(self) -> dict[str, bool]:
        """The four conditions of the demonstration."""
        arrivals = self.verdict.arrivals
        return {
            "every_vehicle_warned": bool(arrivals) and all(arrival.warned for arrival in arrivals),
            "lit_without_cause": self.verdict.without_cause_s <= UNLIT_BAR_S,
            "camera_drove_a_face": self.verdict.camera_driven >= 1,
            "events_received_equal_journal": self.events.equal,
        }

    @property
    def passed(self) -> bool:
        """Whether all hold."""
        return all(self.checks().values())

    def leads_s(self) -> list[float]:
        """Lead times of the vehicles that were warned, in seconds."""
        return [arrival.lead_s for arrival in self.verdict.arrivals if arrival.lead_s is not None]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``: seconds, milliseconds, counts."""
        leads = self.leads_s()
        noticed = [a.noticed_ms for a in self.verdict.arrivals if a.noticed_ms is not None]
        return {
            "ok": self.passed,
            "checks": self.checks(),
            "seconds": self.seconds,
            "seed": self.seed,
            "vehicles": len(self.verdict.arrivals),
            "warned": sum(arrival.warned for arrival in self.verdict.arrivals),
            "warnings": self.verdict.warnings,
            "lead_s": {"min": _r(min(leads, default=None)), "median": _r(statistics.median(leads) if leads else None)},
            "without_cause_s": _r(self.verdict.without_cause_s),
            "lit_s": {lamp: _r(lit_s) for lamp, lit_s in self.verdict.lit_s.items()},
            "camera_driven": self.verdict.camera_driven,
            "latency_ms": {
                "frame_to_lamp": quantiles(self.verdict.latency_ms),
                "frame_to_renewal": self.core_latency_ms,
                "horizon_to_lamp": quantiles(noticed),
            },
            "events": {
                "journalled": self.events.journalled,
                "received": self.events.received,
                "missing": len(self.events.missing),
                "unknown": len(self.events.unknown),
                "different": len(self.events.different),
                "duplicates": self.events.duplicates,
                "unreadable": self.events.unreadable,
            },
            "said": self.said,
            "problems": list(self.problems),
            "radar_longest_pause_s": _r(self.longest_pause_s, 3),
            "arrivals": [
                {
                    "vehicle": arrival.vehicle,
                    "approach": arrival.approach,
                    "arrived_s": _r(arrival.arrived_s),
                    "owed_s": _r(arrival.owed_s),
                    "lead_s": _r(arrival.lead_s),
                    "warned": arrival.warned,
                }
                for arrival in self.verdict.arrivals
            ],
            "lit_without_cause": [
                {"lamp": stretch.lamp, "from_s": _r(stretch.from_s), "to_s": _r(stretch.to_s)}
                for stretch in self.verdict.without_cause
            ],
        }

    def as_text(self, words: Words) -> str:
        """For people: one line a figure, then what is wrong."""
        values = self.as_json()
        checks = values["checks"]
        frame, noticed = values["latency_ms"]["frame_to_lamp"], values["latency_ms"]["horizon_to_lamp"]
        lead = values["lead_s"]
        rows: list[tuple[str, str, bool | None]] = [
            ("sum_vehicles", str(values["vehicles"]), None),
            ("sum_warned", f"{values['warned']}/{values['vehicles']}", checks["every_vehicle_warned"]),
            ("sum_lead", f"{_s(lead['min'])} / {_s(lead['median'])} s", None),
            ("sum_warnings", str(values["warnings"]), None),
            ("sum_without_cause", f"{values['without_cause_s']:.2f} s", checks["lit_without_cause"]),
            ("sum_camera", str(values["camera_driven"]), checks["camera_drove_a_face"]),
            (
                "sum_events",
                f"{values['events']['journalled']} / {values['events']['received']}",
                checks["events_received_equal_journal"],
            ),
            ("sum_latency", f"{_s(frame['p50'])} / {_s(frame['p99'])} ms", None),
            ("sum_noticed", f"{_s(noticed['p50'])} / {_s(noticed['p99'])} ms", None),
            ("sum_said", str(values["said"]), None),
        ]
        width = max(_columns(words(key)) for key, _value, _ok in rows)
        marks = {True: f"  {words('passed')}", False: f"  {words('failed')}", None: ""}
        lines = [
            f"{words('summary')}: {self.seconds:g} s, seed {self.seed}: {words('passed' if self.passed else 'failed')}",
            *(f"  {words(key)}{' ' * (width - _columns(words(key)))}  {value}{marks[ok]}" for key, value, ok in rows),
            *(f"  ! {line}" for line in self.faults(words)),
        ]
        return "\n".join(lines)

    def faults(self, words: Words) -> list[str]:
        """What is wrong, a line each."""
        lines = []
        if not self.verdict.arrivals:
            lines.append(words("no_arrival"))
        for arrival in self.verdict.arrivals:
            if not arrival.warned:
                lead = words("no_warning") if arrival.lead_s is None else f"{arrival.lead_s:.2f} s"
                lines.append(
                    words(
                        "late_warning",
                        id=arrival.vehicle,
                        approach=words(arrival.approach),
                        at=f"{arrival.arrived_s:.1f}",
                        owed=f"{arrival.owed_s - LATE_S:.2f}",
                        lead=lead,
                    )
                )
        lines += [
            words("unlit_stretch", lamp=stretch.lamp, a=f"{stretch.from_s:.2f}", b=f"{stretch.to_s:.2f}")
            for stretch in self.verdict.without_cause
        ]
        if not self.events.equal:
            lines.append(
                words(
                    "not_equal",
                    missing=len(self.events.missing),
                    unknown=len(self.events.unknown),
                    different=len(self.events.different),
                    unreadable=self.events.unreadable,
                )
            )
        lines += self.problems
        if self.longest_pause_s > STALE_S:
            lines.append(words("slow_machine", s=f"{self.longest_pause_s:.2f}"))
        return lines


def quantiles(values: Sequence[float]) -> dict[str, float | int | None]:
    """``p50``, ``p99``, ``max`` rounded to 0.01, and ``count``; None where there is no value."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p99": None, "max": None, "count": 0}
    last = len(ordered) - 1
    return {
        "p50": round(ordered[last // 2], 2),
        "p99": round(ordered[-(-last * 99 // 100)], 2),
        "max": round(ordered[-1], 2),
        "count": len(ordered),
    }


def _r(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)


def _s(value: float | int | None) -> str:
    return "–" if value is None else f"{value:g}"


def _columns(text: str) -> int:
    """Width on a terminal: a Chinese character takes two columns."""
    from rich.cells import cell_len

    return cell_len(text)
