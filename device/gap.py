"""How many seconds the crossing road user needs, and by how much night, a wet road and fog widen them. Pure.

Invariants: nobody seen, or somebody without a class, counts as the site's design user, so a sensor that cannot name
who is there never shortens the gap; a longer gap is believed at once, a shorter one must be earned by
``policy.class_agreed_s`` in which every picture agreed, and a car's by a speed that no tractor has; conditions that are
not known widen, they never narrow.
"""

import dataclasses
from collections.abc import Sequence

from configs.gaps import VISIBILITY_STEPS_M, gap_table
from configs.schema import Policy, RoadUser, SiteConfig
from device.day import DayState
from device.tracks import Track
from hal.clock import NS_PER_S

KMH = 3.6


@dataclasses.dataclass(frozen=True, slots=True)
class Widening:
    """What the conditions add: ``extra_s`` to every horizon, ``deceleration_factor`` to how hard a driver can brake."""

    extra_s: float
    deceleration_factor: float


def widening(policy: Policy, day: DayState) -> Widening:
    """The widening for a day state."""
    widen = policy.widen
    extra_s = widen.night_s if day.night else 0.0
    factor = 1.0
    if day.wet:
        extra_s += widen.wet_s
        factor = widen.wet_deceleration_factor
    visibility_m = day.visibility_m
    if visibility_m is not None:
        extra_s += widen.low_visibility_s * sum(visibility_m < step_m for step_m in VISIBILITY_STEPS_M)
    return Widening(extra_s, factor)


@dataclasses.dataclass(slots=True)
class _Named:
    """What one track has been called: since when without a break, and each class's last time; and how fast it was."""

    since_ns: int
    last_ns: dict[RoadUser, int]
    fastest_mps: float = 0.0


class GapKeeper:
    """The gap of whoever crosses from one approach, over time."""

    def __init__(self, config: SiteConfig) -> None:
        self._named: dict[int, _Named] = {}
        self.configure(config)

    def configure(self, config: SiteConfig) -> None:
        """Takes new policy values between two steps; what was earned stays earned."""
        self._table_s = gap_table(config)
        self._design_s = config.policy.gap_s.of(config.site.design_user)
        self._car_proven_mps = config.policy.car_proven_kmh / KMH
        self._agreed_ns = round(config.policy.class_agreed_s * NS_PER_S)

    def needed_s(self, now_ns: int, own: Sequence[Track]) -> float:
        """The gap that the slowest of ``own`` needs; the design user's where nobody is seen."""
        if not own:
            return self.nobody_s()
        if len(self._named) > len(own):
            here = {track.id for track in own}
            self._named = {number: named for number, named in self._named.items() if number in here}
        return max([self._of(now_ns, track) for track in own])

    def nobody_s(self) -> float:
        """The gap where nobody is seen; what was known of who was there is forgotten."""
        self._named.clear()
        return self._design_s

    def _of(self, now_ns: int, track: Track) -> float:
        user = track.user
        if user is None:
            self._named.pop(track.id, None)
            return self._design_s
        named = self._named.get(track.id)
        if named is None:
            named = self._named[track.id] = _Named(now_ns, {})
        named.last_ns[user] = now_ns
        named.fastest_mps = max(named.fastest_mps, track.speed_mps or 0.0)
        since_ns = now_ns - self._agreed_ns
        words = [word for word, last_ns in named.last_ns.items() if last_ns >= since_ns]
        needed_s = max([self._table_s[word] for word in words])
        believed = named.since_ns <= since_ns
        if RoadUser.CAR in words and named.fastest_mps < self._car_proven_mps:
            believed = False
        return needed_s if believed else max(needed_s, self._design_s)
