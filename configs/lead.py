"""How many seconds of warning a site's sensors can give, beside what its policy wants. Pure arithmetic.

``lead = min(horizon, (reach + to_conflict) / v)`` at the limit. Invariants: distances are to the point where the
warning is needed (the conflict point for a branch face, the lamp for a main face); of several radars on an approach
the one that sees farthest counts; a sensor whose reach the site file does not know (a camera) gives no figure.
"""

import dataclasses
import math

from configs.bend import way_of
from configs.errors import Problem, both
from configs.schema import Policy, Road, SiteConfig

KMH = 3.6


@dataclasses.dataclass(frozen=True, slots=True)
class Lead:
    """One face and one approach that it watches."""

    face: str
    approach: str
    sensor: str
    limit_kmh: float
    reach_m: float
    """From the edge of sight to where the warning is needed."""
    horizon_s: float
    """What the policy wants at the limit, in good weather by day."""
    covers_kmh: float
    """Up to this speed the sensors give all of it."""

    @property
    def gives_s(self) -> float:
        """Seconds of warning at the limit."""
        return min(self.horizon_s, self.reach_m / (self.limit_kmh / KMH))

    @property
    def short_s(self) -> float:
        """Seconds that are missing."""
        return self.horizon_s - self.gives_s

    @property
    def is_short(self) -> bool:
        """Whether what is missing shows at all (a twentieth of a second is less than one radar frame)."""
        return self.short_s > 0.05

    def as_json(self) -> dict[str, object]:
        """For ``config check --json``."""
        return {
            "face": self.face,
            "approach": self.approach,
            "sensor": self.sensor,
            "limit_kmh": self.limit_kmh,
            "reach_m": round(self.reach_m, 1),
            "horizon_s": round(self.horizon_s, 1),
            "lead_s": round(self.gives_s, 1),
            "short_s": round(self.short_s, 1),
            "covers_kmh": math.floor(self.covers_kmh),
        }


def leads(config: SiteConfig) -> list[Lead]:
    """Every face with every approach it watches by a radar, in the order of the site file."""
    found = []
    for face, own in config.approaches.items():
        if own.road is Road.MAIN:
            found += _main(config, face)
        else:
            for approach in own.conflicts:
                found += _branch(config, face, approach)
    return found


def _branch(config: SiteConfig, face: str, approach: str) -> list[Lead]:
    seen = _farthest(config, approach)
    if seen is None:
        return []
    sensor, reach_m = seen
    gap_s = config.policy.gap_s.of(config.site.design_user)
    limit_kmh = config.approaches[approach].limit_kmh
    return [Lead(face, approach, sensor, limit_kmh, reach_m, gap_s, reach_m / gap_s * KMH)]


def _main(config: SiteConfig, face: str) -> list[Lead]:
    seen = _farthest(config, face)
    lamps = [lamp.to_conflict_m for lamp in config.lamps.values() if face in lamp.faces]
    if seen is None or not lamps:
        return []
    sensor, reach_m = seen
    to_lamp_m = max(0.0, reach_m - min(lamps))  # of several lamps the one nearest to the junction is met last
    limit_kmh = config.approaches[face].limit_kmh
    policy = config.policy
    wants_s = policy.reaction_s + limit_kmh / KMH / (2 * policy.deceleration_mps2) + policy.margin_s
    return [Lead(face, face, sensor, limit_kmh, to_lamp_m, wants_s, _stops_within_kmh(policy, to_lamp_m))]


def _farthest(config: SiteConfig, approach: str) -> tuple[str, float] | None:
    radars = [
        (round(way_of(radar).along(radar.reach_m)[0], 1) + radar.to_conflict_m, name)
        for name, radar in config.radars.items()
        if radar.approach == approach
    ]
    if not radars:
        return None
    reach_m, name = max(radars)
    return name, max(0.0, reach_m)


def _stops_within_kmh(policy: Policy, reach_m: float) -> float:
    """The speed v at which v · (reaction + v / 2a + margin) is the reach: the root of a quadratic."""
    before_s, deceleration_mps2 = policy.reaction_s + policy.margin_s, policy.deceleration_mps2
    speed_mps = deceleration_mps2 * (math.sqrt(before_s**2 + 2 * reach_m / deceleration_mps2) - before_s)
    return speed_mps * KMH


def problems(config: SiteConfig) -> list[Problem]:
    """``short_lead`` for each approach that declares more than its sensors give (an error), ``short_horizon`` for each
    radar that does not fill a horizon (a warning, of the horizon that it misses most)."""
    every = leads(config)
    found = [
        problem
        for approach, settings in config.approaches.items()
        if settings.lead_min_s is not None
        and (problem := _short_lead(config, every, approach, settings.lead_min_s)) is not None
    ]
    worst: dict[str, Lead] = {}
    for lead in every:
        if lead.is_short and (lead.sensor not in worst or lead.short_s > worst[lead.sensor].short_s):
            worst[lead.sensor] = lead
    for sensor, lead in worst.items():
        params = {
            "face": lead.face,
            "reach_m": lead.reach_m,
            "limit_kmh": lead.limit_kmh,
            "gives_s": lead.gives_s,
            "wants_s": lead.horizon_s,
            "short_s": lead.short_s,
            "covers_kmh": math.floor(lead.covers_kmh),
        }
        found.append(Problem("short_horizon", path=f"radars.{sensor}.reach_m", params=params))
    return found


def _short_lead(config: SiteConfig, every: list[Lead], approach: str, least_s: float) -> Problem | None:
    """What is wrong with the lead that an approach declares. What others are warned of it counts, not what it is."""
    seen = _farthest(config, approach)
    limit_mps = config.approaches[approach].limit_kmh / KMH
    reach_m = 0.0 if seen is None else seen[1]
    horizons_s = [lead.horizon_s for lead in every if lead.approach == approach and lead.face != approach]
    gives_s = min([reach_m / limit_mps, *horizons_s])
    if gives_s >= least_s:
        return None
    params = {
        "sensor": "-" if seen is None else seen[0],
        "reach_m": reach_m,
        "limit_kmh": config.approaches[approach].limit_kmh,
        "gives_s": gives_s,
        "need_m": least_s * limit_mps,
        "horizon_s": min(horizons_s, default=0.0),
    }
    path = f"approaches.{approach}.lead_min_s"
    return Problem("short_lead", path=path, value=least_s, allowed=both(f"≤ {gives_s:.1f}"), params=params)
