"""What each face must show and may show, from the truth alone (DESIGN.md §3), with the judge's own arithmetic.

Invariants: ``must`` needs someone who truly comes and whom a sensor could see; ``may`` needs only that he is there;
tolerances make ``must`` smaller and ``may`` larger, so that a moment is never both a miss and needless. Who stands on
a watched approach is no duty of a branch face (it arrives never) and no needless light either (it may start at once).
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from configs.schema import Policy, Road, SiteConfig
from device.observation import DETECTOR_CLASSES
from tools.evaluate.road import COAST_S, Run
from tools.evaluate.spans import NEVER, Floats, Spans, union
from tools.evaluate.zones import Standing, standing_zone
from tools.sim.scene import SAMPLE_S
from tools.sim.sensing.camera import WORDS

GRACE_S = 0.5
"""After entering the horizon or the reach a face may still be dark so long."""

TOLERANCE_S = 0.3
"""On the horizon and on the hold."""

WAITS_WITHIN_M = 8.0
WAITS_BELOW_MPS = 2.0
WAITS_S = 60.0
"""A radar track lost this near the line and this slow waits so long (DESIGN.md §3)."""

HOLD_DEGRADED = 2.0
"""FAULTS.md: the hold of a degraded face, at its longest."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """One road user that a face watches. ``inside``: in the horizon and in reach; ``counted``: the part of it in which
    a dark face is a fault, after grace and tolerance."""

    run: Run
    inside: Spans
    counted: Spans


@dataclasses.dataclass(frozen=True, slots=True)
class Duty:
    """One face over a whole scene. ``may`` holds everyone who may justify light, tolerance and hold included;
    ``coming`` when somebody truly is inside the horizon, without either. ``own``: who sees this face."""

    face: str
    main: bool
    lamps_m: tuple[float, ...]
    causes: tuple[Cause, ...]
    may: Spans
    may_degraded: Spans
    coming: Spans
    own: tuple[Run, ...]


def duties(
    site: SiteConfig,
    runs: Mapping[str, Sequence[Run]],
    *,
    radar: bool = True,
    camera: bool = True,
    as_named: bool = False,
) -> dict[str, Duty]:
    """The duty of every face that has a lamp. ``radar`` and ``camera`` say whose sight of a road user obliges.
    ``as_named``: who crosses needs the gap of the least class that the detector may call it, instead of its own."""
    shown = {face for lamp in site.lamps.values() for face in lamp.faces}
    found = {}
    for face, approach in site.approaches.items():
        if face in shown:
            if approach.road is Road.MAIN:
                found[face] = _main(site, face, runs, radar, camera)
            else:
                found[face] = _branch(site, face, runs, radar, camera, as_named)
    return found


def _branch(
    site: SiteConfig, face: str, runs: Mapping[str, Sequence[Run]], radar: bool, camera: bool, as_named: bool
) -> Duty:
    policy, own = site.policy, tuple(runs.get(face, ()))
    design_s = policy.gap_s.of(site.site.design_user)
    needed = _Gaps(policy, design_s, own, as_named)
    causes, may, coming = [], [], []
    for run in _watched(site, face, runs):
        must_s, may_s = needed.must(run.t_s), needed.may(run.t_s)
        seen = run.seen(radar=radar, camera=camera)
        inside = run.arrives_within(must_s) & seen
        causes.append(_cause(run, inside, run.arrives_within(must_s - TOLERANCE_S) & seen))
        coming.append(run.arrives_within(may_s))
        may.append(run.arrives_within(may_s + TOLERANCE_S))
        may.append(run.slow_near(WAITS_WITHIN_M, WAITS_BELOW_MPS))
        zone = standing_zone(site, run.approach)
        if zone is not None and zone.without_distance:
            may.append(run.nearer_than(zone.whole_m))
    return _duty(site, face, (0.0,), causes, may, coming, own)


def _main(site: SiteConfig, face: str, runs: Mapping[str, Sequence[Run]], radar: bool, camera: bool) -> Duty:
    policy = site.policy
    branches = [name for name in site.approaches[face].conflicts if site.approaches[name].road is Road.BRANCH]
    zones = [standing_zone(site, name) for name in branches]
    known = bool(branches) and all(zone is not None for zone in zones)
    must_there = may_there = truly_there = None
    if known:
        users = [(run, zone) for name, zone in zip(branches, zones, strict=True) for run in runs.get(name, ())]
        must_there = union(_must_occupy(run, zone, policy, radar, camera) for run, zone in users if zone)
        truly_there = union(_occupies(run, zone, policy, 0.0) for run, zone in users if zone)
        may_there = union(_occupies(run, zone, policy, TOLERANCE_S) for run, zone in users if zone)
        may_there |= union(_may_wait_on(site, run) for run, _ in users)
    lamps_m = tuple(sorted({lamp.to_conflict_m for lamp in site.lamps.values() if face in lamp.faces}))
    own = tuple(runs.get(face, ()))
    causes, may, coming = [], [], []
    for run in own:
        needed_s = policy.reaction_s + run.speed_mps / (2 * policy.deceleration_mps2) + policy.margin_s
        seen = run.seen(radar=radar, camera=camera)
        exact, tight, wide = (
            union(run.arrives_within(needed_s + extra_s, lamp_m) for lamp_m in lamps_m)
            for extra_s in (0.0, -TOLERANCE_S, TOLERANCE_S)
        )
        inside, counted = exact & seen, tight & seen
        if must_there is not None and may_there is not None and truly_there is not None:
            inside, counted = inside & must_there, counted & must_there
            exact, wide = exact & truly_there, wide & may_there
        causes.append(_cause(run, inside, counted))
        coming.append(exact)
        may.append(wide)
    return _duty(site, face, lamps_m, causes, may, coming, own)


def _duty(
    site: SiteConfig,
    face: str,
    lamps_m: tuple[float, ...],
    causes: list[Cause],
    may: list[Spans],
    coming: list[Spans],
    own: tuple[Run, ...],
) -> Duty:
    hold_s = site.policy.hold_s
    reason = union(may)
    return Duty(
        face=face,
        main=site.approaches[face].road is Road.MAIN,
        lamps_m=lamps_m,
        causes=tuple(causes),
        may=reason.widened(after_s=hold_s + TOLERANCE_S),
        may_degraded=reason.widened(after_s=hold_s * HOLD_DEGRADED + TOLERANCE_S),
        coming=union(coming),
        own=own,
    )


def _cause(run: Run, inside: Spans, tight: Spans) -> Cause:
    return Cause(run, inside, inside.widened(before_s=-GRACE_S) & tight)


def _watched(site: SiteConfig, face: str, runs: Mapping[str, Sequence[Run]]) -> list[Run]:
    return [run for name in site.approaches[face].conflicts for run in runs.get(name, ())]


def _must_occupy(run: Run, zone: Standing, policy: Policy, radar: bool, camera: bool) -> Spans:
    """When a branch user is there beyond doubt: in the wait zone before a camera, or moving and about to arrive."""
    standing = run.nearer_than(zone.surely_m) & run.seen(radar=False, camera=camera)
    return standing | (run.arrives_within(policy.branch_arrival_s - TOLERANCE_S) & run.seen(radar=radar, camera=camera))


def _occupies(run: Run, zone: Standing, policy: Policy, tolerance_s: float) -> Spans:
    """When a branch user is there at all."""
    in_zone_m = zone.at_most_m if tolerance_s else zone.surely_m
    there = run.nearer_than(in_zone_m) | run.arrives_within(policy.branch_arrival_s + tolerance_s)
    return there | run.nearer_than(zone.whole_m) if zone.without_distance else there


def _may_wait_on(site: SiteConfig, run: Run) -> Spans:
    """When a radar of its approach may still take a branch user to wait, although it has driven on."""
    if not any(radar.approach == run.approach for radar in site.radars.values()):
        return NEVER
    return run.slow_near(WAITS_WITHIN_M, WAITS_BELOW_MPS).widened(after_s=WAITS_S)


class _Gaps:
    """The gap of whoever crosses, over time: the slowest class on a face's own approach."""

    def __init__(self, policy: Policy, design_s: float, own: Sequence[Run], as_named: bool) -> None:
        self._design_s = design_s
        self._seen = [(_gap_s(policy, run, as_named), run.seen(radar=False)) for run in own]
        self._there = [(_gap_s(policy, run, False), run.here().widened(after_s=policy.hold_s)) for run in own]

    def must(self, t_s: Floats) -> Floats:
        """At least this: of those whom a camera sees, then of those whom it saw a coast ago, then the design user's."""
        now_s, lately_s = np.zeros(len(t_s)), np.zeros(len(t_s))
        for gap_s, seen in self._seen:
            for start, end in seen:
                _raise(now_s, t_s, start, end, gap_s)
                _raise(lately_s, t_s, start, end + COAST_S + SAMPLE_S, gap_s)
        found = np.where(now_s > 0, now_s, lately_s)
        return np.where(found > 0, found, self._design_s)

    def may(self, t_s: Floats) -> Floats:
        """At most this: of anyone truly there, and never less than the design user's."""
        found = np.full(len(t_s), self._design_s)
        for gap_s, there in self._there:
            for start, end in there:
                _raise(found, t_s, start, end, gap_s)
        return found


def _gap_s(policy: Policy, run: Run, as_named: bool) -> float:
    """The gap that a road user needs, or the least of those of what the detector may call it."""
    if not as_named:
        return policy.gap_s.of(run.user.road_user)
    return min(policy.gap_s.of(DETECTOR_CLASSES[word]) for word, _ in WORDS[run.user.kind])


def _raise(values: Floats, t_s: Floats, start_s: float, end_s: float, least: float) -> None:
    """Raises the values of ``start_s..end_s`` to ``least``."""
    first, last = np.searchsorted(t_s, (start_s, end_s))
    values[first:last] = np.maximum(values[first:last], least)
