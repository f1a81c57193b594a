"""Who comes to the junction, when, and how they drive: all of it drawn from one seed, before SUMO starts.

Every road user has a vehicle type of its own in SUMO, so that nothing of its nature is left to SUMO's dice. Walkers are
slow, narrow vehicles on the right edge of the road: the villages of these junctions have no pavements, and SUMO's own
judge of conflicts sees vehicles only. Invariant: the same layout, level, seed and length give the same users, and the
kinds come in shuffled decks, so that any long enough stretch of an approach holds every kind.
"""

import dataclasses
import random
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from tools.sim.layouts import Layout, Road
from tools.sim.network import edges
from tools.sim.scene import Kind


@dataclasses.dataclass(frozen=True, slots=True)
class Level:
    """How much traffic. Flows are road users an hour, ``main_per_h`` on each main approach,
    ``branch_per_h`` on all branches together; ``reckless`` is the share of branch users who do
    not care for priority, ``crosses`` of those who go left or straight on, across the main road; ``parked`` stand at
    the roadside from the first second."""

    main_per_h: float
    branch_per_h: float
    reckless: float
    crosses: float
    parked: int


LEVELS: Mapping[str, Level] = MappingProxyType(
    {
        "quiet": Level(main_per_h=60, branch_per_h=20, reckless=0.05, crosses=0.5, parked=1),
        "normal": Level(main_per_h=220, branch_per_h=80, reckless=0.08, crosses=0.5, parked=2),
        "busy": Level(main_per_h=400, branch_per_h=130, reckless=0.08, crosses=0.5, parked=3),
        "conflicts": Level(main_per_h=420, branch_per_h=260, reckless=1.0, crosses=0.9, parked=1),
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Build:
    """What a kind of road user is and can do. ``pace`` is a factor on the speed limit (mean, deviation), ``top_mps``
    the range of its own top speed; ``vehicle_class`` is SUMO's."""

    vehicle_class: str
    lengths_m: tuple[float, float]
    widths_m: tuple[float, float]
    accel_mps2: float
    decel_mps2: float
    gap_m: float
    pace: tuple[float, float]
    top_mps: tuple[float, float]
    main_cards: int
    branch_cards: int


BUILDS: Mapping[Kind, Build] = MappingProxyType(
    {
        Kind.CAR: Build("passenger", (3.8, 5.0), (1.65, 1.95), 2.6, 4.5, 2.0, (0.97, 0.12), (45, 55), 20, 13),
        Kind.TRUCK: Build("truck", (6.0, 12.0), (2.2, 2.55), 1.1, 3.8, 2.5, (0.88, 0.08), (25, 30), 4, 3),
        Kind.BUS: Build("bus", (7.0, 12.0), (2.3, 2.55), 1.2, 3.8, 2.5, (0.88, 0.06), (24, 28), 1, 1),
        Kind.TRACTOR: Build("truck", (4.0, 8.5), (1.7, 2.2), 0.8, 3.0, 2.0, (1.0, 0.0), (4.0, 7.0), 1, 3),
        Kind.E_BIKE: Build("moped", (1.6, 1.9), (0.65, 0.75), 1.8, 4.0, 0.8, (1.0, 0.0), (4.5, 9.0), 5, 8),
        Kind.TRICYCLE: Build("moped", (2.4, 3.2), (1.0, 1.3), 1.2, 3.5, 1.0, (1.0, 0.0), (4.0, 8.0), 2, 4),
        Kind.WALKER: Build("bicycle", (0.4, 0.5), (0.5, 0.6), 1.0, 2.0, 0.3, (1.0, 0.0), (0.9, 1.7), 1, 2),
    }
)
"""Sizes and tempers. Accelerations are SUMO's defaults for the class, lowered for loaded farm vehicles; e-bikes run
over their legal 25 km/h as they do on the road. ``cards``: how many of them a deck holds on each kind of road."""

KEEPS_RIGHT = frozenset({Kind.E_BIKE, Kind.TRICYCLE, Kind.WALKER})

PLATOON_SHARE, PLATOON_GAP_S = 0.35, (1.4, 2.6)
"""Bunched arrivals (Cowan's M3 with a third of the users close behind another)."""
SPEEDER_SHARE, SPEEDER_PACE = 0.05, (1.2, 1.5)
SLOW_SHARE, SLOW_PACE = 0.02, (0.25, 0.45)
YARD_SHARE, EMERGES_SHARE, U_TURN_SHARE = 0.06, 0.02, 0.02
TURN_SHARE = 0.15
"""Main-road users who turn into a branch."""
BUS_STOPS_SHARE, BUS_STOP_S, BUS_STOP_M = 0.5, (10.0, 30.0), 20.0
"""Half of the buses stand in their lane, ``BUS_STOP_M`` before the yard's entrance."""
PULLS_OVER_SHARE, PULLS_OVER_S = 0.02, (15.0, 90.0)
"""Cars that stop at the roadside for a while, off the lane, and then go on."""
IGNORE_FOE = (0.3, 0.5)
"""jmIgnoreFoeProb: without such drivers SUMO has almost no conflicts, its drivers see everything."""
TAKES_GAP_S = 0.1
"""jmTimegapMinor of a reckless driver, who also counts on others to brake (impatience 1)."""
IGNORE_FOE_MPS = 50.0
"""jmIgnoreFoeSpeed: faster vehicles are heeded after all; 180 km/h means that none is."""
PARKED_M = (25.0, 160.0)
PARKED_OVERHANG_M = (-0.6, 0.5)
"""How far a parked body reaches into the lane: below 0 it stands off the road."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rider:
    """One road user before it sets out. ``route`` are SUMO's edges; ``stop_m`` and ``stop_s`` a stop in its lane on the
    first edge, that far before the edge's end; ``parks_m`` stands at the roadside that far before it, ``overhang_m``
    into the lane, from the first second when ``starts_parked``."""

    id: str
    kind: Kind
    approach: str
    length_m: float
    width_m: float
    pace: float
    top_mps: float
    ignores: float
    departs_s: float
    route: tuple[str, ...]
    stop_m: float | None = None
    stop_s: float = 0.0
    parks_m: float | None = None
    overhang_m: float = 0.0
    starts_parked: bool = False

    @property
    def reckless(self) -> bool:
        """Whether it takes priority that it has not."""
        return self.ignores > 0.0


def draw(layout: Layout, level: Level, seed: int, seconds: float) -> list[Rider]:
    """Every road user that sets out within ``seconds``, in order of departure."""
    riders: list[Rider] = []
    for approach, road in layout.roads.items():
        # Each approach has its own dice: one approach's traffic does not shift another's.
        dice = random.Random(f"{layout.name}/{approach}/{seed}")
        deck = _deck(dice, road.main)
        branches = sum(not other.main for other in layout.roads.values())
        per_h = level.main_per_h if road.main else level.branch_per_h / branches
        for number, departs_s in enumerate(_arrivals(dice, per_h, seconds)):
            riders.append(_rider(dice, layout, approach, next(deck), f"{approach}.{number}", departs_s, level))
    dice = random.Random(f"{layout.name}/parked/{seed}")
    riders += [_parked(dice, layout, number, seconds) for number in range(level.parked)]
    return sorted(riders, key=lambda rider: (rider.departs_s, rider.id))


def _deck(dice: random.Random, main: bool) -> Iterator[Kind]:
    cards = [kind for kind, build in BUILDS.items() for _ in range(build.main_cards if main else build.branch_cards)]
    while True:
        dice.shuffle(cards)
        yield from cards


def _arrivals(dice: random.Random, per_h: float, seconds: float) -> Iterator[float]:
    """Bunches: some follow closely, the rest at exponential distances that keep the flow."""
    mean_s, close_s = 3600.0 / per_h, sum(PLATOON_GAP_S) / 2.0
    free_s = (mean_s - PLATOON_SHARE * close_s) / (1.0 - PLATOON_SHARE)
    now_s = dice.uniform(0.0, mean_s)
    while now_s < seconds:
        yield round(now_s, 1)
        close = dice.random() < PLATOON_SHARE
        now_s += dice.uniform(*PLATOON_GAP_S) if close else dice.expovariate(1.0 / free_s)


def _rider(
    dice: random.Random, layout: Layout, approach: str, kind: Kind, name: str, departs_s: float, level: Level
) -> Rider:
    build = BUILDS[kind]
    pace = min(max(dice.gauss(*build.pace), 0.6), 1.35)
    if kind in (Kind.CAR, Kind.TRUCK) and dice.random() < SPEEDER_SHARE:
        pace = dice.uniform(*SPEEDER_PACE)
    elif dice.random() < SLOW_SHARE:
        pace = dice.uniform(*SLOW_PACE)
    stop_m, stop_s = None, BUS_STOP_S
    if kind is Kind.BUS and layout.roads[approach].main and dice.random() < BUS_STOPS_SHARE:
        stop_m = BUS_STOP_M
    parks_m = None
    if kind is Kind.CAR and dice.random() < PULLS_OVER_SHARE:
        parks_m, stop_s = _beside_m(dice, layout.roads[approach]), PULLS_OVER_S
    stops = stop_m is not None or parks_m is not None
    reckless = not layout.roads[approach].main and dice.random() < level.reckless
    return Rider(
        id=name,
        kind=kind,
        approach=approach,
        length_m=round(dice.uniform(*build.lengths_m), 2),
        width_m=round(dice.uniform(*build.widths_m), 2),
        pace=round(pace, 3),
        top_mps=round(dice.uniform(*build.top_mps), 2),
        ignores=round(dice.uniform(*IGNORE_FOE), 2) if reckless else 0.0,
        departs_s=departs_s,
        route=_route(dice, layout, approach, level.crosses, stops),
        stop_m=stop_m,
        stop_s=round(dice.uniform(*stop_s), 1),
        parks_m=parks_m,
        overhang_m=min(PARKED_OVERHANG_M),
    )


def _route(dice: random.Random, layout: Layout, approach: str, crosses: float, through: bool) -> tuple[str, ...]:
    (far_in, near_in), (near_out, far_out), into_yard, out_of_yard = edges(approach)
    what = dice.random()
    if what < YARD_SHARE and not through:
        return far_in, into_yard
    if what < YARD_SHARE + U_TURN_SHARE and not through:
        # Main-road users turn round at a yard's entrance or in the junction; those of a branch only at the entrance,
        # because SUMO 1.28's judge crashes on a vehicle that carries it and turns round in the junction.
        in_junction = layout.roads[approach].main and dice.random() < 0.5
        return (far_in, near_in, near_out, far_out) if in_junction else (far_in, far_out)
    goal = _goal(dice, layout, approach, crosses)
    (goal_near, goal_far), goal_yard = edges(goal)[1], edges(goal)[2]
    ends = (goal_near, goal_yard) if dice.random() < YARD_SHARE else (goal_near, goal_far)
    if what > 1.0 - EMERGES_SHARE and not through:
        return (out_of_yard, near_in, *ends)
    return (far_in, near_in, *ends)


def _goal(dice: random.Random, layout: Layout, approach: str, crosses: float) -> str:
    road = layout.roads[approach]
    others = [name for name in layout.roads if name != approach]
    if not road.main:
        right = next(name for name in others if _turns_right(road, layout.roads[name]))
        return dice.choice([name for name in others if name != right]) if dice.random() < crosses else right
    branches = [name for name in others if not layout.roads[name].main]
    if dice.random() < TURN_SHARE:
        return dice.choice(branches)
    return next(name for name in others if layout.roads[name].main)


def _turns_right(road: Road, goal: Road) -> bool:
    ahead_deg = road.bearing_deg + 180.0
    return 20.0 < (goal.bearing_deg - ahead_deg) % 360.0 < 180.0


def _parked(dice: random.Random, layout: Layout, number: int, seconds: float) -> Rider:
    approach = dice.choice(list(layout.roads))
    kind = dice.choice([Kind.CAR, Kind.TRUCK, Kind.TRICYCLE])
    build = BUILDS[kind]
    (far_in, near_in), _, _, _ = edges(approach)
    near_out, far_out = edges(_goal(dice, layout, approach, 0.5))[1]
    # Most stand for the whole scene, some drive off in the middle of it.
    stays_s = 2.0 * seconds if dice.random() < 0.6 else dice.uniform(0.3, 0.8) * seconds
    return Rider(
        id=f"parked.{number}",
        kind=kind,
        approach=approach,
        length_m=round(dice.uniform(*build.lengths_m), 2),
        width_m=round(dice.uniform(*build.widths_m), 2),
        pace=1.0,
        top_mps=build.top_mps[0],
        ignores=0.0,
        departs_s=0.0,
        route=(far_in, near_in, near_out, far_out),
        stop_s=round(stays_s, 1),
        parks_m=_beside_m(dice, layout.roads[approach]),
        overhang_m=round(dice.uniform(*PARKED_OVERHANG_M), 2),
        starts_parked=True,
    )


def _beside_m(dice: random.Random, road: Road) -> float:
    """A place at the roadside, beyond the yard's entrance, so that nobody blocks it."""
    return round(dice.uniform(*PARKED_M) * min(1.0, road.length_m / 350.0), 1)
