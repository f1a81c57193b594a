"""What went wrong in one recording, in words that lead back to the moment: plain values that cross processes.

Invariant: a finding names the recording, the face, the time and who was truly where, so that it can be played again.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tools.evaluate.encounters import Met
from tools.evaluate.lamp import FaceLamp
from tools.evaluate.road import Run
from tools.evaluate.verdict import Dark, FaceVerdict, Lead

NEAR_S = 20.0
NEAR_M = 150.0
"""Who is told of beside a needless light: whoever arrives or is within these."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that went wrong. ``what``: dark, late, needless, missed_alert. ``size_s``: how long, or how late."""

    what: str
    recording: str
    face: str
    from_s: float
    to_s: float
    size_s: float
    who: str
    where: str
    node: str

    def text(self) -> str:
        """One line for people."""
        span = f"{self.from_s:8.2f}–{self.to_s:.2f} s"
        return f"{self.what:<12} {span}  {self.size_s:5.2f} s  {self.face}  {self.who}  {self.where}  | {self.node}"


def of_face(
    recording: str, verdict: FaceVerdict, lamp: FaceLamp | None, runs: Mapping[str, Sequence[Run]]
) -> list[Finding]:
    """Everything wrong with one face."""
    found = [_dark(recording, dark, lamp, runs) for dark in verdict.dark]
    found += [_late(recording, lead, lamp, runs) for lead in verdict.leads if not lead.in_time]
    face = verdict.duty.face
    for start, end in verdict.needless:
        found.append(
            Finding("needless", recording, face, start, end, end - start, "", people(runs, start), _node(lamp, start))
        )
    return found


def people(runs: Mapping[str, Sequence[Run]], t_s: float) -> str:
    """Who was truly coming at a moment, nearest in time first; with who had just arrived or turned off."""
    told = []
    for many in runs.values():
        for run in many:
            if run.starts_s <= t_s <= run.ends_s + 4.0:
                distance_m, speed_mps = run.state_at(min(t_s, run.ends_s))
                arrival_s = run.time_to_arrival_s(min(t_s, run.ends_s))
                if t_s <= run.ends_s and distance_m <= NEAR_M and (arrival_s is None or arrival_s <= NEAR_S):
                    told.append((arrival_s or 99.0, whereabouts(run, t_s)))
                elif t_s > run.ends_s:
                    gone = "turned off" if run.user.leaves_before_m is not None and distance_m > 2 else "arrived"
                    told.append(
                        (
                            t_s - run.ends_s,
                            f"{who(run)} {gone} {t_s - run.ends_s:.1f} s ago ({speed_mps * 3.6:.0f} km/h)",
                        )
                    )
    return "; ".join(text for _, text in sorted(told)[:6]) or "nobody"


def whereabouts(run: Run, t_s: float) -> str:
    """Distance, speed and time to arrival of one road user, and who could see it."""
    distance_m, speed_mps = run.state_at(t_s)
    arrival_s = run.time_to_arrival_s(t_s)
    index = max(0, int(run.t_s.searchsorted(t_s + 1e-6)) - 1)
    seen = "".join(word for word, flags in (("R", run.by_radar), ("C", run.by_camera)) if flags[index]) or "unseen"
    when = "standing" if arrival_s is None else f"TTA {arrival_s:.1f} s"
    return f"{who(run)} {distance_m:.1f} m {speed_mps * 3.6:.0f} km/h {when} [{seen}]"


def who(run: Run) -> str:
    """Its name, kind and approach."""
    return f"{run.user.id}({run.user.kind.value})@{run.approach}"


def _dark(recording: str, dark: Dark, lamp: FaceLamp | None, runs: Mapping[str, Sequence[Run]]) -> Finding:
    start, end = next(iter(dark.dark))[0], dark.dark.last_s
    own = _own(runs, dark.face, dark.run, start)
    where = f"{whereabouts(dark.run, start)} own: {own}"
    return Finding("dark", recording, dark.face, start, end, dark.dark_s, who(dark.run), where, _node(lamp, start))


def _late(recording: str, lead: Lead, lamp: FaceLamp | None, runs: Mapping[str, Sequence[Run]]) -> Finding:
    given = "never" if lead.given_s is None else f"given {lead.given_s:.1f} s"
    where = f"offered {lead.offered_s:.1f} s, {given}: {whereabouts(lead.run, lead.entered_s)}"
    where += f" own: {_own(runs, lead.face, lead.run, lead.entered_s)}"
    late_s = lead.late_s or 0.0
    end_s = lead.entered_s + late_s
    node = _node(lamp, lead.entered_s)
    return Finding("late", recording, lead.face, lead.entered_s, end_s, late_s, who(lead.run), where, node)


def _own(runs: Mapping[str, Sequence[Run]], face: str, but: Run, t_s: float) -> str:
    if but.approach == face:
        return "itself"
    there = [run for run in runs.get(face, ()) if run.starts_s <= t_s < run.ends_s and run.state_at(t_s)[0] <= NEAR_M]
    return ", ".join(whereabouts(run, t_s) for run in there) or "nobody"


def _node(lamp: FaceLamp | None, t_s: float) -> str:
    shown = lamp.at(t_s) if lamp is not None else None
    if shown is None:
        return "node said nothing"
    return f"node {shown.shows} since {shown.from_s:.2f} {cause_text(shown.cause)}"


def cause_text(cause: Mapping[str, Any] | None) -> str:
    """A cause as the node named it."""
    if cause is None:
        return ""
    words = [str(cause["approach"]), str(cause["class"] or "?")]
    for key, unit in (("distance_m", "m"), ("speed_mps", "m/s"), ("time_to_arrival_s", "s")):
        words.append("–" if cause[key] is None else f"{cause[key]} {unit}")
    return "for " + " ".join(words)


def missed_alert(recording: str, met: Met, lamps: Mapping[str, FaceLamp], runs: Mapping[str, Sequence[Run]]) -> Finding:
    """An encounter whose crossing road user was not alerted before it began."""
    begins_s = met.encounter.begins_s
    late_s = math.inf if met.late_s is None else met.late_s
    both = " and ".join(
        f"{whereabouts(run, min(begins_s, run.ends_s))}"
        + (f" left the line {begins_s - run.ends_s:.1f} s before" if run.ends_s < begins_s else "")
        for run in (met.first, met.second)
    )
    measures = f"PET {met.encounter.pet_s} TTC {met.encounter.ttc_s}"
    node = "; ".join(f"{face} {_node(lamps.get(face), begins_s)}" for face in met.missed)
    names = f"{who(met.first)} and {who(met.second)}"
    where = f"{measures}: {both}"
    return Finding("missed_alert", recording, ",".join(met.missed), begins_s, begins_s, late_s, names, where, node)
