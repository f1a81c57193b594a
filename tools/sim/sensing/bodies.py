"""Road users as bodies that move: what a sensor needs to know of their size, their echo and their way. Pure.

Invariants: a leg is a stretch of a road user's samples without a gap, on one approach and in one direction; its
arrays have one value for each sample; headings are unit vectors, and one who stands keeps the heading it had.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from tools.sim.scene import Kind, Sample, Scene

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HEIGHT_M: Mapping[Kind, float] = {
    Kind.CAR: 1.5,
    Kind.TRUCK: 3.2,
    Kind.BUS: 3.0,
    Kind.TRACTOR: 2.6,
    Kind.E_BIKE: 1.6,
    Kind.TRICYCLE: 1.7,
    Kind.WALKER: 1.7,
}
"""Heights as built (GB 1589 allows 4.0 m; a light lorry with its box is near 3.2 m), riders sitting upright."""

ECHO_M2: Mapping[Kind, float] = {
    Kind.CAR: 10.0,
    Kind.TRUCK: 100.0,
    Kind.BUS: 100.0,
    Kind.TRACTOR: 30.0,
    Kind.E_BIKE: 1.3,
    Kind.TRICYCLE: 5.0,
    Kind.WALKER: 0.5,
}
"""Radar cross-sections at 24 GHz, rounded from common knowledge: a car about 10 dBsm, a lorry 20, a walker -3 to 0, a
two-wheeler with its rider a little above a walker. They set who is strongest and who is seen how far."""

WALKER_REACH_M = 25.0
"""A walker's echo would reach 47 m by the fourth root; its Doppler near the slowest reported speed and its swinging
limbs halve that. The one real log at hand never shows a walker beyond 13 m."""

GAP_S = 0.25
"""Samples farther apart than this are two legs: it was on no approach between them."""

HEADING_SAMPLES = 5
"""A heading is taken over this many samples to both sides: the simulator changes lanes in one jump."""

STANDING_M = 0.05
"""Less way than this over the span of a heading is no direction."""


@dataclasses.dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of one road user's way. ``user`` and ``first`` index the scene's users and that user's samples."""

    user: int
    first: int
    approach: str
    outbound: bool
    t_s: Floats
    x_m: Floats
    y_m: Floats
    distance_m: Floats
    lateral_m: Floats
    speed_mps: Floats
    heading_x: Floats
    heading_y: Floats


def reach_m(kind: Kind, car_reach_m: float) -> float:
    """How far a radar sees this kind that sees a car at ``car_reach_m``.

    The radar equation: range goes with the fourth root of the cross-section. Nothing is seen beyond a car's reach,
    because that is where the radar's own range setting ends.
    """
    if kind is Kind.WALKER:
        return min(WALKER_REACH_M, car_reach_m)
    return min(1.0, math.pow(ECHO_M2[kind] / ECHO_M2[Kind.CAR], 0.25)) * car_reach_m


def legs(scene: Scene) -> list[Leg]:
    """Every stretch of every road user, in the scene's order."""
    return [leg for index, user in enumerate(scene.users) for leg in _legs_of(scene, index, user.samples)]


def _legs_of(scene: Scene, user: int, samples: tuple[Sample, ...]) -> Iterator[Leg]:
    start = 0
    for index, (before, after) in enumerate(itertools.pairwise(samples), start=1):
        if after.t_s - before.t_s > GAP_S or after.approach != before.approach or after.outbound is not before.outbound:
            yield _leg(scene, user, start, samples[start:index])
            start = index
    if samples:
        yield _leg(scene, user, start, samples[start:])


def _leg(scene: Scene, user: int, first: int, samples: tuple[Sample, ...]) -> Leg:
    rows = np.array(
        [(s.t_s, s.x_m, s.y_m, s.distance_m, s.lateral_m, s.speed_mps) for s in samples], dtype=np.float64
    ).T
    approach = scene.approaches[samples[0].approach]
    outward = math.radians(approach.bearing_deg)
    sign = 1.0 if samples[0].outbound else -1.0
    heading_x, heading_y = _headings(rows[1], rows[2], sign * math.sin(outward), sign * math.cos(outward))
    t_s, x_m, y_m, distance_m, lateral_m, speed_mps = rows
    return Leg(
        user,
        first,
        samples[0].approach,
        samples[0].outbound,
        t_s,
        x_m,
        y_m,
        distance_m,
        lateral_m,
        speed_mps,
        heading_x,
        heading_y,
    )


def _headings(x_m: Floats, y_m: Floats, default_x: float, default_y: float) -> tuple[Floats, Floats]:
    """Unit vectors of travel; those who have not moved yet look along the road."""
    count = len(x_m)
    index = np.arange(count)
    ahead = np.minimum(index + HEADING_SAMPLES, count - 1)
    behind = np.maximum(index - HEADING_SAMPLES, 0)
    dx, dy = x_m[ahead] - x_m[behind], y_m[ahead] - y_m[behind]
    way_m = np.hypot(dx, dy)
    moving = way_m > STANDING_M
    last = np.maximum.accumulate(np.where(moving, index, -1))
    known = last >= 0
    way_m[~moving] = 1.0
    hx = np.where(known, (dx / way_m)[last], default_x)
    hy = np.where(known, (dy / way_m)[last], default_y)
    return hx, hy
