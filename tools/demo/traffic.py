"""The demonstration's main road: who drives when, how fast, and what an LD2451 on either side says of it.

Vehicles come from both sides in small groups, one behind the other, keep a following distance, pass the junction and
leave through the other radar's view. The whole truth is computed before the first second, so that the judge knows when
every vehicle arrives without asking the node. It does not model turning, overtaking, lanes, noise, or a vehicle that
hides another one; an empty road has frames without targets. Same seed, same road.
"""

import bisect
import dataclasses
import random
from collections.abc import Iterator, Sequence

from configs.schema import RoadUser
from hal.radar.ld2451_wire import WireTarget

STEP_S = 0.05
BORN_M = 112.0
"""Just outside the radar's reach, so that a vehicle is seen entering it."""

GONE_M = -112.0
REACH_M = 100.0
"""What an LD2451 sees of a car (data sheet)."""

KMH = 3.6
HEADWAY_S = 1.6
"""Following distance in time; the two-second rule as people keep it."""

STANDSTILL_M = 7.0
"""A vehicle's length and the gap left when standing."""

BIRTH_ROOM_M = 20.0
"""Nobody enters closer than this behind the one before."""

SLOWEST_MPS = 5.0
FAR_M = 1e6
BRAKE_MPS2 = 3.0
ACCELERATE_MPS2 = 1.0
GROUPS_EVERY_S = 16.0
"""Mean time between groups on one side: the lamp is dark about a quarter of the time, and groups meet."""

FASTEST_KMH: dict[RoadUser, tuple[float, float]] = {
    RoadUser.CAR: (40.0, 60.0),
    RoadUser.TRUCK: (32.0, 48.0),
    RoadUser.TWO_WHEELER: (30.0, 40.0),
}
MIX = {RoadUser.CAR: 0.7, RoadUser.TRUCK: 0.2, RoadUser.TWO_WHEELER: 0.1}


@dataclasses.dataclass(frozen=True, slots=True)
class Vehicle:
    """One vehicle and its whole way: metres to the conflict point (negative once past) and m/s, every ``STEP_S``."""

    id: int
    user: RoadUser
    comes_from: str
    leaves_to: str
    born_s: float
    metres: tuple[float, ...]
    mps: tuple[float, ...]

    def at(self, t_s: float) -> tuple[float, float] | None:
        """Metres to the conflict point and speed at ``t_s``, or None before it is born and after it has gone."""
        index, part = divmod((t_s - self.born_s) / STEP_S, 1.0)
        if not 0 <= index < len(self.metres) - 1:
            return None
        now, then = int(index), int(index) + 1
        return (
            self.metres[now] + part * (self.metres[then] - self.metres[now]),
            self.mps[now] + part * (self.mps[then] - self.mps[now]),
        )

    def reaches_s(self, metres: float) -> float:
        """When it is ``metres`` from the conflict point. Raises ValueError where it never is."""
        then = bisect.bisect_left(self.metres, -metres, key=lambda at: -at)
        if then == 0 or then == len(self.metres):
            raise ValueError(f"vehicle {self.id} never is {metres} m from the conflict point")
        before, after = self.metres[then - 1], self.metres[then]
        return self.born_s + STEP_S * (then - 1 + (before - metres) / (before - after))

    @property
    def arrives_s(self) -> float:
        """When it is at the conflict point."""
        return self.reaches_s(0.0)


@dataclasses.dataclass(slots=True)
class _Driving:
    """A vehicle while the road is being computed."""

    id: int
    user: RoadUser
    born_s: float
    fastest_mps: float
    metres: list[float]
    mps: list[float]


def make_traffic(seed: int, seconds: float, approaches: tuple[str, str]) -> list[Vehicle]:
    """Everyone who comes within ``seconds``, by time of birth. One comes from each side in the first seconds."""
    rng = random.Random(seed)
    vehicles: list[Vehicle] = []
    for side, (approach, other) in enumerate((approaches, approaches[::-1])):
        wishes = list(_wishes(rng, seconds, first_s=(0.5, 2.0) if side == 0 else (3.0, 8.0)))
        drive = _drive(wishes, first_id=1 + side * 1000)
        vehicles += [Vehicle(v.id, v.user, approach, other, v.born_s, tuple(v.metres), tuple(v.mps)) for v in drive]
    ordered = sorted(vehicles, key=lambda v: (v.born_s, v.id))
    return [dataclasses.replace(vehicle, id=number) for number, vehicle in enumerate(ordered, 1)]


def _wishes(
    rng: random.Random, seconds: float, first_s: tuple[float, float]
) -> Iterator[tuple[float, RoadUser, float]]:
    """(earliest birth, kind, fastest speed in m/s), group by group."""
    at_s = rng.uniform(*first_s)
    first = True
    while at_s < seconds:
        for _ in range(rng.choice((1, 1, 2, 3))):
            user = RoadUser.CAR if first else rng.choices(list(MIX), list(MIX.values()))[0]
            first = False
            yield at_s, user, rng.uniform(*FASTEST_KMH[user]) / KMH
            at_s += rng.uniform(1.5, 3.0)
        at_s += rng.expovariate(1 / GROUPS_EVERY_S)


def _drive(wishes: Sequence[tuple[float, RoadUser, float]], first_id: int) -> list[_Driving]:
    """Follows the leader, one after the other: nobody overtakes, so a vehicle depends only on the one before it."""
    road: list[_Driving] = []
    for number, (wish_s, user, fastest_mps) in enumerate(wishes):
        leader = road[-1] if road else None
        # On the grid of steps, so that follower and leader are looked up at the same moments.
        born = round(wish_s / STEP_S)
        while leader is not None and BORN_M - _leader_m(leader, born) < BIRTH_ROOM_M:
            born += 1
        driving = _Driving(first_id + number, user, born * STEP_S, fastest_mps, [], [])
        room_mps = fastest_mps if leader is None else _following_mps(BORN_M - _leader_m(leader, born))
        metres, mps, step = BORN_M, min(fastest_mps, room_mps), born
        while metres > GONE_M:
            driving.metres.append(metres)
            driving.mps.append(mps)
            metres -= mps * STEP_S
            step += 1
            wish_mps = fastest_mps
            if leader is not None:
                wish_mps = min(wish_mps, _following_mps(metres - _leader_m(leader, step)))
            # Nobody speeds up towards a junction: the warning that a speed promises is then owed in full.
            faster_mps = 0.0 if metres > 0 else ACCELERATE_MPS2 * STEP_S
            mps += min(faster_mps, max(-BRAKE_MPS2 * STEP_S, wish_mps - mps))
        road.append(driving)
    return road


def _following_mps(room_m: float) -> float:
    return max(SLOWEST_MPS, (room_m - STANDSTILL_M) / HEADWAY_S)


def _leader_m(leader: _Driving, step: int) -> float:
    """Metres of the leader to the conflict point; far away once it has gone."""
    index = step - round(leader.born_s / STEP_S)
    if index < 0:
        return BORN_M
    return leader.metres[index] if index < len(leader.metres) else -FAR_M


def radar_targets(vehicles: Sequence[Vehicle], approach: str, t_s: float) -> list[WireTarget]:
    """What the radar on ``approach`` reports at ``t_s``, in its steps of 1 m and 1 km/h, nearest first."""
    found = []
    for vehicle in vehicles:
        now = vehicle.at(t_s)
        if now is None:
            continue
        metres, mps = now
        coming = vehicle.comes_from == approach and metres > 0
        leaving = vehicle.leaves_to == approach and metres < 0
        distance_m = round(abs(metres))
        if (coming or leaving) and 1 <= distance_m <= REACH_M:
            direction, speed_kmh = int(coming), round(mps * KMH)
            found.append(WireTarget(angle_deg=0, distance_m=distance_m, direction=direction, speed_kmh=speed_kmh))
    return sorted(found, key=lambda target: target.distance_m)
