"""Judges the demonstration from outside: the truth of the road against the lamp taps. Pure.

It asks neither the node's tracks nor its decisions. What it takes: where every vehicle really was (the traffic
model), what the camera saw on the branch (observations as recorded), the policy values of the site, and the taps.

What it models
- A lamp is *lit* while its tap shows anything but ``clear``; the flashing inside a pattern is not looked at.
- The gap of the branch face is that of the slowest class on the branch, the design user's while nobody is known there.
  The judge knows what the detector said, not when tracking believes it. So it keeps two bounds: *possible* is every
  class seen within the last 1.5 s that a track may go unseen (with 0.5 s around it), *sure* what at least two of three
  pictures in a row showed not longer than 1.2 s ago. The node owes the shorter gap and may use the longer one.
- A vehicle is *owed* a warning from when it is inside the reach and distance ÷ speed ≤ gap, until it arrives. A lapse
  shorter than the hold (it brakes, so its time to arrival grows again) does not end that. At constant speed the owed
  lead is min(horizon, reach ÷ speed). Half a second is allowed for two radar frames of three and for whole metres.
- *Lead* is the arrival minus the start of the lit stretch that holds the arrival, and never more than the time that the
  vehicle was in the reach: a lamp that was lit for somebody before did not warn of this one earlier.
- Light has *cause* while some vehicle is inside the longest gap the face may use (branch), or inside its stopping time
  while the branch may be occupied (main), half a second before that, and for the hold and half a second after it.

It does not model two lamps to a face, a lamp before the conflict point, or sensors that fail.
"""

import bisect
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from configs.schema import Policy, RoadUser
from tools.demo.traffic import Vehicle

NS_PER_S = 1_000_000_000
LATE_S = 0.5
"""What a warning may be late, and light early or long."""

UNLIT_BAR_S = 1.0
STEP_S = 0.02
SEEN_KEEP_S = 1.5
SURE_WITHIN_S = 1.2
SURE_AFTER_S = 0.3
FORGOTTEN_S = 2.0
"""So long after its arrival a vehicle is no cause any more: a track may go unseen for 1.5 s."""

CLEAR, ALERT = "clear", "alert"


@dataclasses.dataclass(frozen=True, slots=True)
class TapLine:
    """One line of a lamp tap."""

    mono_ns: int
    lamp: str
    shows: str
    caused_by_ns: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """Classes in the branch's zones on one picture, ``at_s`` after the start."""

    at_s: float
    users: frozenset[RoadUser]


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the judge looks at. Times are seconds after ``start_ns``, when the node began to guard.

    ``branch_lamp`` is the lamp of the branch face, ``main_lamps`` those of the main faces by approach.
    """

    start_ns: int
    seconds: float
    reach_m: float
    policy: Policy
    design_user: RoadUser
    vehicles: Sequence[Vehicle]
    seen: Sequence[Seen]
    taps: Sequence[TapLine]
    branch_lamp: str
    main_lamps: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """One vehicle that arrived: what it was owed and what it got, in seconds. ``lead_s`` is None without a warning."""

    vehicle: int
    approach: str
    arrived_s: float
    owed_s: float
    lead_s: float | None
    noticed_ms: float | None
    """From being owed a warning to the lamp; None where the lamp was lit for another before. Whole metres and km/h can
    make a vehicle seem nearer than it is: earlier than owed counts as 0."""

    @property
    def warned(self) -> bool:
        """Whether the lead reached what was owed less the half second."""
        return self.lead_s is not None and self.lead_s >= self.owed_s - LATE_S


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """A lamp lit without cause, seconds after the start."""

    lamp: str
    from_s: float
    to_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge found."""

    arrivals: tuple[Arrival, ...]
    without_cause: tuple[Stretch, ...]
    warnings: int
    """Times a lamp went from dark to lit."""

    camera_driven: int
    """Times a lamp changed to what it can only show because the camera saw somebody on the branch."""

    latency_ms: tuple[float, ...]
    """Last byte of a frame read -> guard shows what it caused, for every frame that kept a lit lamp lit while one
    vehicle alone came. (Dark -> lit edges often fall between two frames, when a predicted arrival comes inside the gap,
    and so do changes from one cause to another: they would measure the radar's pace.)"""

    lit_s: Mapping[str, float]

    @property
    def without_cause_s(self) -> float:
        """Seconds lit without cause, all lamps together."""
        return sum(stretch.to_s - stretch.from_s for stretch in self.without_cause)


def judge(evidence: Evidence) -> Verdict:
    """The verdict over ``[0, evidence.seconds]``."""
    presence = _Presence(evidence)
    lit = {
        lamp: lit_stretches(evidence.taps, lamp, evidence.start_ns, evidence.seconds)
        for lamp in (evidence.branch_lamp, *evidence.main_lamps.values())
    }
    return Verdict(
        arrivals=tuple(_arrivals(evidence, presence, lit[evidence.branch_lamp])),
        without_cause=tuple(_without_cause(evidence, presence, lit)),
        warnings=sum(len([start for start, _ in stretches if start > 0]) for stretches in lit.values()),
        camera_driven=_camera_driven(evidence, presence),
        latency_ms=tuple(_latency_ms(evidence)),
        lit_s={lamp: sum(end - start for start, end in stretches) for lamp, stretches in lit.items()},
    )


def lit_stretches(taps: Iterable[TapLine], lamp: str, start_ns: int, seconds: float) -> list[tuple[float, float]]:
    """When a lamp showed anything but clear, in seconds after ``start_ns``, cut to ``[0, seconds]``."""
    found: list[tuple[float, float]] = []
    since: float | None = None
    for line in sorted((line for line in taps if line.lamp == lamp), key=lambda line: line.mono_ns):
        at_s = (line.mono_ns - start_ns) / NS_PER_S
        if line.shows != CLEAR:
            since = at_s if since is None else since
        elif since is not None:
            found.append((since, at_s))
            since = None
    if since is not None:
        found.append((since, seconds))
    return [(max(0.0, a), min(seconds, b)) for a, b in found if b > 0 and a < seconds]


class _Presence:
    """Who is on the branch, as two bounds; see the module."""

    def __init__(self, evidence: Evidence) -> None:
        self._gaps = evidence.policy.gap_s
        self._design_s = evidence.policy.gap_s.of(evidence.design_user)
        self._seen = sorted(evidence.seen, key=lambda seen: seen.at_s)
        self._times = [seen.at_s for seen in self._seen]

    def possible(self, at_s: float) -> frozenset[RoadUser]:
        """Everyone who may count as present."""
        pictures = self._between(at_s - SEEN_KEEP_S - LATE_S, at_s + LATE_S)
        return frozenset().union(*(picture.users for picture in pictures))

    def sure(self, at_s: float) -> frozenset[RoadUser]:
        """Everyone who must count as present."""
        pictures = self._between(at_s - SURE_WITHIN_S, at_s - SURE_AFTER_S)
        found: set[RoadUser] = set()
        for three in zip(pictures, pictures[1:], pictures[2:], strict=False):
            for user in frozenset().union(*(picture.users for picture in three)):
                if sum(user in picture.users for picture in three) >= 2:
                    found.add(user)
        return frozenset(found)

    def least_gap_s(self, at_s: float) -> float:
        """The gap the branch face must use at least."""
        sure = self.sure(at_s)
        if sure:
            return max(self._gaps.of(user) for user in sure)
        return min([self._design_s, *(self._gaps.of(user) for user in self.possible(at_s))])

    def most_gap_s(self, at_s: float) -> float:
        """The gap the branch face may use at most."""
        return max([self._design_s, *(self._gaps.of(user) for user in self.possible(at_s))])

    def _between(self, from_s: float, to_s: float) -> Sequence[Seen]:
        return self._seen[bisect.bisect_left(self._times, from_s) : bisect.bisect_right(self._times, to_s)]


def _arrivals(evidence: Evidence, presence: _Presence, lit: Sequence[tuple[float, float]]) -> Iterable[Arrival]:
    for vehicle in evidence.vehicles:
        arrived_s = vehicle.arrives_s
        entered_s = vehicle.reaches_s(evidence.reach_m)
        if entered_s < 0 or arrived_s > evidence.seconds:
            continue
        owed_from_s = _owed_from_s(vehicle, entered_s, arrived_s, presence.least_gap_s, evidence.policy.hold_s)
        lit_from_s = next((start for start, end in lit if start <= arrived_s <= end), None)
        lead_s = None if lit_from_s is None else arrived_s - max(lit_from_s, entered_s)
        noticed_ms = None
        if lit_from_s is not None and lit_from_s > owed_from_s - LATE_S:
            noticed_ms = max(0.0, lit_from_s - owed_from_s) * 1000
        yield Arrival(
            vehicle=vehicle.id,
            approach=vehicle.comes_from,
            arrived_s=arrived_s,
            owed_s=arrived_s - owed_from_s,
            lead_s=lead_s,
            noticed_ms=noticed_ms,
        )


def _owed_from_s(
    vehicle: Vehicle, entered_s: float, arrived_s: float, gap_s: Callable[[float], float], hold_s: float
) -> float:
    """Since when the vehicle is owed a warning, looking back from its arrival."""
    owed_s = arrived_s
    steps = int((arrived_s - entered_s) / STEP_S)
    for step in range(steps + 1):
        at_s = arrived_s - step * STEP_S
        if owed_s - at_s > hold_s - LATE_S:
            break
        if _arrives_within(vehicle, at_s, gap_s(at_s)):
            owed_s = at_s
    return owed_s


def _arrives_within(vehicle: Vehicle, at_s: float, gap_s: float) -> bool:
    now = vehicle.at(at_s)
    return now is not None and now[0] >= 0 and now[0] <= gap_s * now[1]


def _without_cause(
    evidence: Evidence, presence: _Presence, lit: Mapping[str, Sequence[tuple[float, float]]]
) -> Iterable[Stretch]:
    grid = [step * STEP_S for step in range(round(evidence.seconds / STEP_S) + 1)]
    # Causes before the start and behind the end matter through hold and grace.
    around_s = evidence.policy.hold_s + LATE_S
    wide = [step * STEP_S for step in range(-round(around_s / STEP_S), len(grid) + round(LATE_S / STEP_S) + 1)]
    causes: dict[str, list[float]] = {lamp: [] for lamp in lit}
    for at_s in wide:
        near = [(v, now) for v in evidence.vehicles if (now := v.at(at_s)) is not None]
        coming = [(v, now) for v, now in near if 0 <= now[0] <= evidence.reach_m]
        gap_s = presence.most_gap_s(at_s)
        if any(metres <= gap_s * mps for _v, (metres, mps) in coming):
            causes[evidence.branch_lamp].append(at_s)
        if not presence.possible(at_s):
            continue
        for vehicle, (metres, mps) in coming:
            lamp = evidence.main_lamps[vehicle.comes_from]
            if metres <= stopping_s(evidence.policy, mps) * mps:
                causes[lamp].append(at_s)
    for lamp, stretches in lit.items():
        yield from _uncovered(lamp, stretches, causes[lamp], around_s)


def stopping_s(policy: Policy, mps: float) -> float:
    """Reaction, stopping at the policy's deceleration, margin: the main face's horizon at this speed."""
    return policy.reaction_s + mps / (2 * policy.deceleration_mps2) + policy.margin_s


def _uncovered(
    lamp: str, lit: Sequence[tuple[float, float]], causes: Sequence[float], after_s: float
) -> Iterable[Stretch]:
    """The parts of ``lit`` that no cause covers; a cause at t covers [t - LATE_S, t + after_s]."""
    for start_s, end_s in lit:
        at_s = start_s
        for cause_s in causes:
            if cause_s + after_s <= at_s:
                continue
            if cause_s - LATE_S >= end_s:
                break
            if cause_s - LATE_S > at_s:
                yield Stretch(lamp, at_s, cause_s - LATE_S)
            at_s = max(at_s, cause_s + after_s)
            if at_s >= end_s:
                break
        if at_s < end_s:
            yield Stretch(lamp, at_s, end_s)


def _camera_driven(evidence: Evidence, presence: _Presence) -> int:
    """Main lamps going from dark to lit, and the branch lamp going to alert, while the camera saw somebody there.

    Both need somebody on the branch, which nothing but the camera can see; with a blind camera the main lamps would be
    lit for every arrival (presence unknown), but then no picture shows anybody either.
    """
    found = 0
    before: dict[str, str] = {}
    for line in sorted(evidence.taps, key=lambda line: line.mono_ns):
        shown, before[line.lamp] = before.get(line.lamp), line.shows
        at_s = (line.mono_ns - evidence.start_ns) / NS_PER_S
        if shown is None or shown == line.shows or not 0 <= at_s <= evidence.seconds:
            continue
        lit_main = line.lamp in evidence.main_lamps.values() and shown == CLEAR
        if (lit_main or line.shows == ALERT) and presence.possible(at_s):
            found += 1
    return found


def _latency_ms(evidence: Evidence) -> Iterable[float]:
    before: dict[str, TapLine] = {}
    coming = [(v.reaches_s(evidence.reach_m), v.arrives_s + FORGOTTEN_S) for v in evidence.vehicles]
    for line in sorted(evidence.taps, key=lambda line: line.mono_ns):
        last, before[line.lamp] = before.get(line.lamp), line
        if last is None or CLEAR in (last.shows, line.shows) or line.caused_by_ns in (None, last.caused_by_ns):
            continue
        assert line.caused_by_ns is not None
        at_s = (line.mono_ns - evidence.start_ns) / NS_PER_S
        if 0 <= at_s <= evidence.seconds and sum(start <= at_s <= end for start, end in coming) == 1:
            yield (line.mono_ns - line.caused_by_ns) / 1e6
