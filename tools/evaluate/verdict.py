"""Compares what a face showed with its duty: who met a dark face, what was lit for nothing, who was warned when.

Invariants: fault time counts apart and is neither dark nor needless; a road user is one passage however many faces
watch it, and a dark one if any of them was dark; every finding carries the time at which it can be looked at.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from tools.evaluate.duty import GRACE_S, TOLERANCE_S, Cause, Duty
from tools.evaluate.lamp import FaceLamp
from tools.evaluate.road import Run
from tools.evaluate.spans import Spans

LEAST_S = 1e-3
"""The lines of the node have three decimals: less is rounding."""

MEETS_M = 20.0
"""A road user meets a face when it is this far from the lamp: it can still stop from 40 km/h at 3.4 m/s²."""


@dataclasses.dataclass(frozen=True, slots=True)
class Dark:
    """One road user that met a dark face while it was inside reach and horizon."""

    face: str
    run: Run
    dark: Spans

    @property
    def dark_s(self) -> float:
        """How long it was dark."""
        return self.dark.total_s


@dataclasses.dataclass(frozen=True, slots=True)
class Lead:
    """How a face warned of one road user: ``offered_s`` is the least of horizon and reach over speed when it entered,
    ``given_s`` its time to arrival when the face was lit (None: never); ``late_s`` how long that took."""

    face: str
    run: Run
    entered_s: float
    offered_s: float
    given_s: float | None
    late_s: float | None

    @property
    def in_time(self) -> bool:
        """Whether it had all that could be had, less the grace."""
        if self.given_s is None or self.late_s is None:
            return False
        return self.late_s <= GRACE_S + LEAST_S or self.given_s >= self.offered_s - GRACE_S - LEAST_S


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """One road user that came to its own face: whether that was lit, and for somebody."""

    face: str
    main: bool
    run: Run
    at_s: float
    lit: bool
    excused: bool
    coming: bool


@dataclasses.dataclass(frozen=True, slots=True)
class FaceVerdict:
    """One face over one recording. ``needless`` and ``idle_s`` leave fault time out; ``idle_s`` is the time in which
    the face should have been dark."""

    duty: Duty
    dark: tuple[Dark, ...]
    leads: tuple[Lead, ...]
    arrivals: tuple[Arrival, ...]
    needless: Spans
    idle_s: float
    lit_s: float
    fault_s: float
    let_go: tuple[tuple[Cause, float], ...]
    """Causes after which the hold was cut short, and by how much in seconds."""


def judge_face(duty: Duty, lamp: FaceLamp, duration_s: float, hold_s: float) -> FaceVerdict:
    """The verdict on one face."""
    whole = Spans([(0.0, duration_s)])
    shown = lamp.lit | lamp.fault
    may = duty.may | (duty.may_degraded & lamp.degraded.widened(after_s=hold_s))
    idle = (whole - may) - lamp.fault
    needless = idle & lamp.lit
    dark = [Dark(duty.face, cause.run, gap) for cause in duty.causes if (gap := cause.counted & whole - shown)]
    return FaceVerdict(
        duty=duty,
        dark=tuple(found for found in dark if found.dark_s > LEAST_S),
        leads=tuple(_leads(duty, shown)),
        arrivals=tuple(_arrivals(duty, lamp, may)),
        needless=Spans(span for span in needless if span[1] - span[0] > LEAST_S),
        idle_s=idle.total_s,
        lit_s=lamp.lit.total_s,
        fault_s=lamp.fault.total_s,
        let_go=tuple(_let_go(duty, shown, whole, hold_s)),
    )


def _leads(duty: Duty, shown: Spans) -> Iterable[Lead]:
    """The first entry of each cause that lasted longer than the grace."""
    for cause in duty.causes:
        entry = next((span for span in cause.inside if span[1] - span[0] > GRACE_S), None)
        if entry is None:
            continue
        lamp_m = max((m for m in duty.lamps_m if cause.run.state_at(entry[0])[0] >= m), default=0.0)
        offered_s = cause.run.time_to_arrival_s(entry[0], lamp_m) or 0.0
        lit_s = shown.first_from(entry[0])
        if lit_s is None or lit_s >= cause.run.ends_s:
            yield Lead(duty.face, cause.run, entry[0], offered_s, None, None)
        else:
            given_s = cause.run.time_to_arrival_s(lit_s, lamp_m)
            yield Lead(duty.face, cause.run, entry[0], offered_s, given_s or 0.0, lit_s - entry[0])


def _arrivals(duty: Duty, lamp: FaceLamp, may: Spans) -> Iterable[Arrival]:
    for run in duty.own:
        lamp_m = max(duty.lamps_m, default=0.0)
        near = run.nearer_than(lamp_m + MEETS_M)
        at_s = near.first_from(run.starts_s)
        if at_s is not None and at_s not in lamp.fault:
            yield Arrival(duty.face, duty.main, run, at_s, at_s in lamp.lit, at_s in may, at_s in duty.coming)


def _let_go(duty: Duty, shown: Spans, whole: Spans, hold_s: float) -> Iterable[tuple[Cause, float]]:
    for cause in duty.causes:
        for span in cause.inside & whole:
            lit = shown.span_at(span[1] - LEAST_S)
            if span[1] - span[0] > GRACE_S and lit is not None:
                short_s = min(span[1] + hold_s - TOLERANCE_S, whole.last_s) - lit[1]
                if short_s > LEAST_S:
                    yield cause, short_s


def passages(verdicts: Sequence[FaceVerdict]) -> set[tuple[str, float]]:
    """Road users that some face had to show, one for each way in: (id, since when)."""
    return {key(cause.run) for verdict in verdicts for cause in verdict.duty.causes if cause.counted}


def dark_passages(verdicts: Sequence[FaceVerdict]) -> set[tuple[str, float]]:
    """Those of them that met a dark face."""
    return {key(found.run) for verdict in verdicts for found in verdict.dark}


def key(run: Run) -> tuple[str, float]:
    """Names one way in."""
    return run.user.id, run.starts_s


def of_recording(
    duties: Mapping[str, Duty], lamps: Mapping[str, FaceLamp], duration_s: float, hold_s: float
) -> list[FaceVerdict]:
    """The verdict on every face that has a duty; a face of which the node said nothing was dark."""
    silent = FaceLamp((), Spans(), Spans(), Spans(), Spans())
    return [judge_face(duty, lamps.get(face, silent), duration_s, hold_s) for face, duty in duties.items()]
