"""Where each road user truly was and when it would arrive: the judge's own arithmetic over the truth.

Invariants: a run is one road user's stretch of inbound samples on one approach without a gap; between samples
distance and speed run straight; time to arrival is distance over speed, and who stands or rolls back has none.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from tools.evaluate.spans import NEVER, Bools, Floats, Spans, below_zero, while_true
from tools.sim.scene import SAMPLE_S, Sample, Scene, User
from tools.sim.sensing.reach import Visibility

GAP_S = 1.5 * SAMPLE_S
"""Samples farther apart are two runs."""

STANDING_MPS = 0.3
"""Below this nobody arrives: SUMO's queues creep by less than a radar's step of 1 km/h."""

COAST_S = 1.5
"""Who was seen this short a time ago still counts as seen (DESIGN.md §3)."""

GLIMPSE_S = 0.25
"""Seen no longer than this between two hidings nobody can be confirmed: two frames of three are wanted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One road user's way in on one approach; arrays of one length. ``by_radar`` and ``by_camera`` say who could see
    it, nobody where it was hidden or outshone; ``ends_s``: when it reached the line or left the approach."""

    user: User
    approach: str
    t_s: Floats
    distance_m: Floats
    speed_mps: Floats
    by_radar: Bools
    by_camera: Bools

    @property
    def starts_s(self) -> float:
        """The first sample."""
        return float(self.t_s[0])

    @property
    def ends_s(self) -> float:
        """Arrival at the line, or one step after the last sample of one that turned off."""
        speed_mps = float(self.speed_mps[-1])
        left_s = float(self.distance_m[-1]) / speed_mps if speed_mps > STANDING_MPS else SAMPLE_S
        return float(self.t_s[-1]) + min(max(left_s, 0.0), SAMPLE_S)

    def seen(self, *, radar: bool = True, camera: bool = True) -> Spans:
        """When a sensor could see it: glimpses too short to confirm left out, then gaps of a coast filled."""
        flags = (self.by_radar if radar else False) | (self.by_camera if camera else False)
        if not np.any(flags):
            return NEVER
        sights = while_true(self.t_s, np.asarray(flags, dtype=np.bool_), SAMPLE_S)
        lasting = Spans(span for span in sights if span[1] - span[0] > GLIMPSE_S)
        return lasting.closed(COAST_S) & self.here()

    def here(self) -> Spans:
        """The whole run."""
        return Spans([(self.starts_s, self.ends_s)])

    def arrives_within(self, seconds: Floats | float, to_conflict_m: float = 0.0, slowest_mps: float = 0.0) -> Spans:
        """When its time to the point ``to_conflict_m`` before the conflict point is at most ``seconds`` (one value,
        or one a sample) and it is not past it, standing, or slower than ``slowest_mps``."""
        left_m = self.distance_m - to_conflict_m
        late_m = left_m - self.speed_mps * seconds
        late_m = np.where(self.speed_mps < max(STANDING_MPS, slowest_mps), np.maximum(late_m, 1e-3), late_m)
        within = self._below(late_m)
        return within if to_conflict_m <= 0 else within & self._below(-left_m)

    def nearer_than(self, distance_m: float) -> Spans:
        """When it is within so much of the conflict point."""
        return self._below(self.distance_m - distance_m)

    def slow_near(self, distance_m: float, speed_mps: float) -> Spans:
        """When it is nearer and slower than told."""
        return self.nearer_than(distance_m) & self._below(self.speed_mps - speed_mps)

    def _below(self, values: Floats) -> Spans:
        """As ``below_zero``; the last sample speaks until the run ends."""
        return below_zero(np.append(self.t_s, self.ends_s), np.append(values, values[-1]))

    def state_at(self, t_s: float) -> tuple[float, float]:
        """Distance and speed at a moment, metres and m/s."""
        return float(np.interp(t_s, self.t_s, self.distance_m)), float(np.interp(t_s, self.t_s, self.speed_mps))

    def time_to_arrival_s(self, t_s: float, to_conflict_m: float = 0.0) -> float | None:
        """Seconds to a point at a moment, None for one that stands."""
        distance_m, speed_mps = self.state_at(t_s)
        return (distance_m - to_conflict_m) / speed_mps if speed_mps >= STANDING_MPS else None


def runs(scene: Scene, visibility: Mapping[str, Sequence[Visibility]]) -> dict[str, list[Run]]:
    """Every run of a scene by approach, in order of time."""
    found: dict[str, list[Run]] = {name: [] for name in scene.approaches}
    for user in scene.users:
        pairs = list(zip(user.samples, visibility[user.id], strict=True))
        for stretch in _stretches(pairs):
            found.setdefault(stretch[0][0].approach, []).append(_run(user, stretch))
    for many in found.values():
        many.sort(key=lambda run: (run.starts_s, run.user.id))
    return found


Pair = tuple[Sample, Visibility]


def _stretches(pairs: Sequence[Pair]) -> list[list[Pair]]:
    found: list[list[Pair]] = []
    for before, (sample, sight) in itertools.zip_longest([None, *pairs[:-1]], pairs):
        if sample.outbound:
            continue
        last = None if before is None else before[0]
        joined = (
            last is not None
            and not last.outbound
            and last.approach == sample.approach
            and sample.t_s - last.t_s <= GAP_S
        )
        if not joined:
            found.append([])
        found[-1].append((sample, sight))
    return found


def _run(user: User, stretch: Sequence[Pair]) -> Run:
    pairs = [(pair, not pair[1].occluded and not pair[1].outshone) for pair in stretch]
    return Run(
        user=user,
        approach=stretch[0][0].approach,
        t_s=np.array([sample.t_s for sample, _ in stretch]),
        distance_m=np.array([sample.distance_m for sample, _ in stretch]),
        speed_mps=np.array([sample.speed_mps for sample, _ in stretch]),
        by_radar=np.array([sight.by_radar and free for (_, sight), free in pairs], dtype=np.bool_),
        by_camera=np.array([sight.by_camera and free for (_, sight), free in pairs], dtype=np.bool_),
    )
