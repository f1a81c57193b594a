"""Whether the crossing road user was alerted before a conflict began: SUMO's encounters against the faces' alerts.

Invariants: an encounter counts when SUMO's own judge calls it close (PET or TTC under its bar), its two road users
came in on approaches that conflict by the site file, and a sensor could see both beforehand; each branch road user in
it must have had the alert on its own face, at the moment it left the line behind or at the latest when the conflict
began (0.3 s for the hold). Counted apart are those in which, when the crossing one left its line, no other was arriving
within its gap or had been seen to within the hold: one of the two had stood between the lines, or dawdled there until
somebody came from outside every horizon. The rule looks at who arrives, and no sensor of an approach sees who stands
inside the junction.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from configs.schema import Road, SiteConfig
from tools.evaluate.duty import GRACE_S, TOLERANCE_S
from tools.evaluate.lamp import FaceLamp
from tools.evaluate.road import Run
from tools.evaluate.spans import Spans
from tools.sim.scene import Encounter, Scene

PET_S = 3.0
TTC_S = 1.5
CROSSING_S = 15.0
"""Who left the line behind longer ago than this is not in the junction any more."""

Z_95 = 1.959964


@dataclasses.dataclass(frozen=True, slots=True)
class Met:
    """One encounter and how the faces met it.

    ``missed``: branch faces that were not alert in time; ``missed_anyway``: the same with those that were not bound to
    be; ``main_missed``: main faces, told apart because a main road user may have passed its lamp; ``late_s``: how long
    after the beginning the slowest alert came, None when it did not come while it lasted; ``inside``: no branch road
    user of it crossed the line while the other was arriving within its gap, so it is counted apart."""

    encounter: Encounter
    first: Run
    second: Run
    missed: tuple[str, ...]
    missed_anyway: tuple[str, ...]
    main_missed: tuple[str, ...]
    late_s: float | None
    inside: bool


def met(scene: Scene, site: SiteConfig, runs: Mapping[str, Sequence[Run]], lamps: Mapping[str, FaceLamp]) -> list[Met]:
    """Every encounter that counts, in order of time."""
    by_user: dict[str, list[Run]] = {}
    for many in runs.values():
        for run in many:
            by_user.setdefault(run.user.id, []).append(run)
    found = []
    for encounter in sorted(scene.encounters, key=lambda one: (one.begins_s, one.first, one.second)):
        first, second = (
            _came_by(by_user.get(user, ()), encounter.begins_s) for user in (encounter.first, encounter.second)
        )
        if first is None or second is None or not close(encounter) or not _conflict(site, first, second):
            continue
        if all(_seen_before(run, encounter.begins_s) for run in (first, second)):
            found.append(_meeting(encounter, first, second, site, lamps))
    return found


def close(encounter: Encounter) -> bool:
    """Whether SUMO's judge calls it a conflict."""
    return (encounter.pet_s is not None and encounter.pet_s < PET_S) or (
        encounter.ttc_s is not None and encounter.ttc_s < TTC_S
    )


def wilson_pct(good: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, in per cent (Wilson 1927); 0..100 when nothing was counted."""
    if not of:
        return 0.0, 100.0
    share = good / of
    middle = share + Z_95**2 / (2 * of)
    spread = Z_95 * math.sqrt(share * (1 - share) / of + Z_95**2 / (4 * of**2))
    scale = 100 / (1 + Z_95**2 / of)
    return max(0.0, (middle - spread) * scale), min(100.0, (middle + spread) * scale)


def _meeting(encounter: Encounter, first: Run, second: Run, site: SiteConfig, lamps: Mapping[str, FaceLamp]) -> Met:
    missed, anyway, main_missed, late_s, judged = [], [], [], 0.0, 0
    for run, other in ((first, second), (second, first)):
        face = run.approach
        from_s = min(run.ends_s, encounter.begins_s)
        lamp = lamps.get(face)
        came_s = (lamp.alert | lamp.fault).first_from(from_s - TOLERANCE_S) if lamp is not None else None
        in_time = came_s is not None and came_s <= encounter.begins_s
        counts = _meets_at_line(site, run, other, from_s)
        if site.approaches[face].road is Road.MAIN:
            main_missed += [face] if counts and not in_time else []
            continue
        judged += counts
        if in_time:
            continue
        anyway.append(face)
        if counts:
            missed.append(face)
            late_s = math.inf if came_s is None else max(late_s, came_s - encounter.begins_s)
    late = late_s if late_s < CROSSING_S else None
    return Met(encounter, first, second, tuple(missed), tuple(anyway), tuple(main_missed), late, inside=not judged)


def _meets_at_line(site: SiteConfig, run: Run, other: Run, from_s: float) -> bool:
    """Whether the other was arriving within the gap of who crosses, by what a sensor could see and the hold after it,
    when that one left its line. The coast counts inside the hold, so it runs from the last real sight."""
    known = bool(run.seen(radar=False))
    needed_s = site.policy.gap_s.of(run.user.road_user if known else site.site.design_user)
    arriving = other.arrives_within(needed_s - TOLERANCE_S) & other.seen()
    return from_s in arriving.widened(after_s=site.policy.hold_s - TOLERANCE_S)


def _came_by(runs: Sequence[Run], at_s: float) -> Run | None:
    """The way in on which a road user came to what began at ``at_s``."""
    fitting = [run for run in runs if run.starts_s <= at_s <= run.ends_s + CROSSING_S]
    return max(fitting, key=lambda run: run.starts_s, default=None)


def _conflict(site: SiteConfig, first: Run, second: Run) -> bool:
    if first.approach not in site.approaches or second.approach not in site.approaches:
        return False
    return (
        second.approach in site.approaches[first.approach].conflicts
        or first.approach in site.approaches[second.approach].conflicts
    )


def _seen_before(run: Run, at_s: float) -> bool:
    return (run.seen() & Spans([(0.0, max(at_s, 0.001))])).total_s >= GRACE_S
