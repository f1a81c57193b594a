"""Two road users that met, or nearly: post-encroachment time and time to collision, as the node can know them. Pure.

PET = (t2 + way(v2, LINE_TO_M)) - (t1 + way(v1, LINE_TO_M + LANE_M + length1)): from the first one's rear leaving the
lane that both need to the second one's front reaching it, with t their times on the line, v their speeds there, the
length of the first one's class, and way() the time for a distance at that speed (from rest or a crawl at START_MPS2).
Error: ranges come in 1 m, a class has a usual length, and the place where two ways cross depends on the junction and on
where they turn: a few metres, which a fast one covers in 0.2 s and a slow one in 1 s.

TTC counts for two that are on collision course at their present speeds and can no longer stop at the comfortable
deceleration of the policy: one that brakes in good order before the line is no near miss.

Invariants: one event a pair; only approaches that conflict are paired.
"""

import dataclasses
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from configs.schema import Road, RoadUser, SiteConfig
from device.decision import FaceDecision
from device.events import Event, EventKind
from device.passing import Passing
from hal.clock import NS_PER_S

PET_S = 3.0
TTC_S = 1.5
"""Below these an encounter is a near miss; the thresholds of surrogate safety measures at junctions."""

LANE_M = 3.5
LINE_TO_M = 4.0
"""From the line (the end of the approach) to where the ways cross: a corner and the edge of the other lane."""

START_MPS2 = 1.5
"""How a car starts from rest into a gap; a lorry is slower, which its length makes up for in part."""

LENGTH_M: Mapping[RoadUser, float] = {
    RoadUser.WALKER: 0.5,
    RoadUser.TWO_WHEELER: 1.8,
    RoadUser.TRICYCLE: 3.0,
    RoadUser.CAR: 4.8,
    RoadUser.BUS: 12.0,
    RoadUser.TRUCK: 9.0,
    RoadUser.LONG_TRUCK: 18.0,
}
"""Usual lengths; a road user of unknown class counts as a car, the most frequent."""

CRAWL_MPS = 5.0
WALK_MPS = 1.0

RESOLVED_NS = 6 * NS_PER_S
"""A pair on collision course of which one has not crossed after this long stopped in time: told without a PET."""

FORGET_NS = 20 * NS_PER_S
"""No road user takes longer to clear the junction: a long truck from rest needs 5 s."""


@dataclasses.dataclass(frozen=True, slots=True)
class Crossing:
    """A road user that was on its line at ``at_ns``, and between ``enter_ns`` and ``clear_ns`` in the other's way."""

    number: int
    approach: str
    user: RoadUser | None
    at_ns: int
    enter_ns: int
    clear_ns: int
    speed_mps: float | None

    def body(self) -> dict[str, object]:
        """As it stands in an event."""
        return {
            "approach": self.approach,
            "class": None if self.user is None else self.user.value,
            "speed_mps": rounded(self.speed_mps),
        }


def way_s(user: RoadUser | None, speed_mps: float | None, way_m: float) -> float:
    """Seconds for a way behind the line. Who crawls over the line speeds up, a walker does not."""
    speed = max(0.0, speed_mps or 0.0)
    if user is RoadUser.WALKER:
        return way_m / max(speed, WALK_MPS)
    if speed >= CRAWL_MPS:
        return way_m / speed
    return (math.sqrt(speed * speed + 2 * START_MPS2 * way_m) - speed) / START_MPS2


@dataclasses.dataclass(slots=True)
class _Course:
    """A pair on collision course: its shortest time to collision, who it was, and when that was last so."""

    ttc_s: float
    users: tuple["Crossing", "Crossing"]
    last_ns: int


class NearMisses:
    """Pairs of road users on conflicting approaches."""

    def __init__(self, config: SiteConfig) -> None:
        self._crossed: deque[Crossing] = deque(maxlen=64)
        self._courses: dict[tuple[int, int], _Course] = {}
        self._alerts: dict[str, deque[tuple[int, int | None]]] = {name: deque(maxlen=16) for name in config.approaches}
        self._told: deque[tuple[int, int]] = deque(maxlen=256)
        self.configure(config)

    def configure(self, config: SiteConfig) -> None:
        """Takes new policy values."""
        self._deceleration_mps2 = config.policy.deceleration_mps2
        self._branches = frozenset(name for name, its in config.approaches.items() if its.road is Road.BRANCH)
        self._meets = {
            name: frozenset(
                other
                for other, its in config.approaches.items()
                if (other in approach.conflicts or name in its.conflicts)
                and (name in self._branches or other in self._branches)
            )
            for name, approach in config.approaches.items()
        }

    @property
    def idle(self) -> bool:
        """Whether no two road users are on a collision course that time alone may end."""
        return not self._courses

    def alerts(self, now_ns: int, decisions: Mapping[str, FaceDecision]) -> None:
        """Keeps when each face was in alert: a meeting is told after it."""
        for face, decision in decisions.items():
            spans = self._alerts[face]
            in_alert = bool(spans) and spans[-1][1] is None
            if decision.level == "alert" and not in_alert:
                spans.append((now_ns, None))
            elif decision.level != "alert" and in_alert:
                spans[-1] = (spans[-1][0], now_ns)

    def step(self, now_ns: int, users: Iterable[Passing]) -> Iterator[Event]:
        """Keeps the shortest time to collision of each pair that cannot stop any more; yields the pairs of which one
        stopped after all."""
        soon = [(user, arrival_s) for user in users if (arrival_s := self._committed_s(user)) is not None]
        for index, (user, arrival_s) in enumerate(soon):
            meets = self._meets[user.track.approach]
            mine = _crossing(user, now_ns + round(arrival_s * NS_PER_S))
            for crossed in self._crossed:
                if crossed.approach in meets and crossed.at_ns <= now_ns and mine.enter_ns < crossed.clear_ns:
                    self._keep(now_ns, crossed, mine, arrival_s)
            for other, other_s in soon[index + 1 :]:
                if other.track.approach in meets:
                    its = _crossing(other, now_ns + round(other_s * NS_PER_S))
                    first, second = (mine, its) if mine.enter_ns <= its.enter_ns else (its, mine)
                    if second.enter_ns < first.clear_ns:
                        self._keep(now_ns, first, second, max(arrival_s, other_s))
        for pair in [pair for pair, course in self._courses.items() if now_ns - course.last_ns > RESOLVED_NS]:
            course = self._courses.pop(pair)
            yield from self._tell(course.last_ns, *course.users, None, course.ttc_s)

    def crossed(self, user: Passing, at_ns: int) -> Iterator[Event]:
        """A road user went over the line. Yields the near misses that makes."""
        mine = _crossing(user, at_ns)
        while self._crossed and at_ns - self._crossed[0].at_ns > FORGET_NS:
            self._crossed.popleft()
        for other in self._crossed:
            if other.approach not in self._meets[mine.approach]:
                continue
            first, second = (other, mine) if other.enter_ns <= mine.enter_ns else (mine, other)
            pet_s = max(0.0, (second.enter_ns - first.clear_ns) / NS_PER_S)
            course = self._courses.pop(_pair(first, second), None)
            if pet_s < PET_S or course is not None:
                ttc_s = None if course is None else course.ttc_s
                yield from self._tell(max(first.at_ns, second.at_ns), first, second, pet_s, ttc_s)
        self._crossed.append(mine)

    def _tell(
        self,
        at_ns: int,
        first: Crossing,
        second: Crossing,
        pet_s: float | None,
        ttc_s: float | None,
    ) -> Iterator[Event]:
        pair = _pair(first, second)
        if pair in self._told:
            return
        self._told.append(pair)
        faces = (first.approach, second.approach)
        body = {
            "first": first.body(),
            "second": second.body(),
            "pet_s": rounded(pet_s),
            "ttc_s": rounded(ttc_s),
            # How long before the meeting each of the two faces had been in alert; null: it was not.
            "alert_s": {face: rounded(self._alert_s(face, at_ns)) for face in faces},
        }
        yield Event(EventKind.NEAR_MISS, at_ns, next(face for face in faces if face in self._branches), body)

    def _alert_s(self, face: str, at_ns: int) -> float | None:
        for since_ns, until_ns in self._alerts[face]:
            if since_ns <= at_ns and (until_ns is None or at_ns <= until_ns):
                return (at_ns - since_ns) / NS_PER_S
        return None

    def _committed_s(self, user: Passing) -> float | None:
        """Time to arrival of one that arrives within TTC_S and cannot stop in good order any more."""
        distance_m, speed_mps = user.track.distance_m, user.track.speed_mps
        if distance_m is None or speed_mps is None or distance_m < 0 or speed_mps * TTC_S <= distance_m:
            return None
        return distance_m / speed_mps if speed_mps * speed_mps > 2 * self._deceleration_mps2 * distance_m else None

    def _keep(self, now_ns: int, first: Crossing, second: Crossing, ttc_s: float) -> None:
        pair = _pair(first, second)
        before = self._courses.get(pair)
        if before is None or ttc_s <= before.ttc_s:
            self._courses[pair] = _Course(ttc_s, (first, second), now_ns)
        else:
            before.last_ns = now_ns


def rounded(value: float | None) -> float | None:
    """One decimal, and no -0.0: the same road gives the same bytes."""
    return None if value is None else round(value, 1) + 0.0


def _crossing(user: Passing, at_ns: int) -> Crossing:
    speed_mps = user.at_line_mps
    enter_s = way_s(user.user, speed_mps, LINE_TO_M)
    clear_s = way_s(user.user, speed_mps, LINE_TO_M + LANE_M + LENGTH_M[user.user or RoadUser.CAR])
    return Crossing(
        user.number,
        user.track.approach,
        user.user,
        at_ns,
        at_ns + round(enter_s * NS_PER_S),
        at_ns + round(clear_s * NS_PER_S),
        speed_mps,
    )


def _pair(one: Crossing, other: Crossing) -> tuple[int, int]:
    return (one.number, other.number) if one.number < other.number else (other.number, one.number)
