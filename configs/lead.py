"""How many seconds of warning a site's sensors can give, beside what its policy wants. Pure arithmetic.

``lead = min(horizon, (reach + to_conflict) / v)`` at the limit, for what is wanted by day in good weather of a branch
face's design user, then of the crosser with the longest gap, then of the same at night, on a wet road and in fog at
once. Invariants: distances are to the point where the warning is needed (the conflict point for a branch face, the
lamp for a main face); of several sensors on an approach the one that sees farthest counts; a camera whose reach the
site file does not tell gives no figure.
"""

import dataclasses
import math

from configs import describe
from configs.bend import way_of
from configs.errors import Problem, Text, both
from configs.gaps import VISIBILITY_STEPS_M, longest
from configs.schema import Gaps, Road, RoadUser, SiteConfig

KMH = 3.6

FOG_STEPS = len(VISIBILITY_STEPS_M)
"""How often ``policy.widen.low_visibility_s`` adds in the thickest fog."""


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """What is wanted in one case, and what a reach gives of it."""

    limit_kmh: float
    reach_m: float
    horizon_s: float
    """What the policy wants at the limit."""
    covers_kmh: float
    """Up to this speed the reach gives all of it."""

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
            "horizon_s": round(self.horizon_s, 1),
            "lead_s": round(self.gives_s, 1),
            "short_s": round(self.short_s, 1),
            "covers_kmh": math.floor(self.covers_kmh),
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Adds:
    """Seconds that conditions add to a horizon at the limit."""

    night_s: float
    wet_s: float
    fog_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Lead:
    """One face and one approach that it watches."""

    face: str
    approach: str
    sensor: str
    path: str
    """The key of the site file that says how far that one sees."""
    design: Need
    """By day and in good weather; of a branch face for the design user."""
    user: RoadUser | None
    """The crosser with the longest gap where it is longer than the design user's."""
    longest: Need
    """The same for that one."""
    adds: Adds
    widest: Need
    """And at night, on a wet road and in the thickest fog."""

    @property
    def limit_kmh(self) -> float:
        """The speed at which it is."""
        return self.design.limit_kmh

    @property
    def reach_m(self) -> float:
        """From the edge of sight to where the warning is needed."""
        return self.design.reach_m

    def as_json(self) -> dict[str, object]:
        """For ``config check --json``."""
        return {
            "face": self.face,
            "approach": self.approach,
            "sensor": self.sensor,
            "limit_kmh": self.limit_kmh,
            "reach_m": round(self.reach_m, 1),
            **self.design.as_json(),
            "longest": {"user": None if self.user is None else self.user.value, **self.longest.as_json()},
            "widest": {
                **{name: round(value, 1) for name, value in dataclasses.asdict(self.adds).items()},
                **self.widest.as_json(),
            },
        }


def leads(config: SiteConfig) -> list[Lead]:
    """Every face with every approach it watches by a sensor of known reach, in the order of the site file."""
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
    reach_m, sensor, path = seen
    limit_kmh, widen = config.approaches[approach].limit_kmh, config.policy.widen
    adds = Adds(widen.night_s, widen.wet_s, FOG_STEPS * widen.low_visibility_s)
    design_user = config.site.design_user
    design_s = config.policy.gap_s.of(design_user)
    user, longest_s = longest(config)
    design, by_day, widest = [
        Need(limit_kmh, reach_m, gap_s, reach_m / gap_s * KMH)
        for gap_s in (design_s, longest_s, longest_s + adds.night_s + adds.wet_s + adds.fog_s)
    ]
    return [Lead(face, approach, sensor, path, design, user if longest_s > design_s else None, by_day, adds, widest)]


def _main(config: SiteConfig, face: str) -> list[Lead]:
    seen = _farthest(config, face)
    lamps = [lamp.to_conflict_m for lamp in config.lamps.values() if face in lamp.faces]
    if seen is None or not lamps:
        return []
    reach_m, sensor, path = seen
    to_lamp_m = max(0.0, reach_m - min(lamps))  # of several lamps the one nearest to the junction is met last
    limit_kmh, policy = config.approaches[face].limit_kmh, config.policy
    fixed_s = policy.reaction_s + policy.margin_s
    by_day = _stopping(limit_kmh, to_lamp_m, fixed_s, policy.deceleration_mps2)
    widen = policy.widen
    wide_s = widen.night_s + widen.wet_s + FOG_STEPS * widen.low_visibility_s
    widest = _stopping(limit_kmh, to_lamp_m, fixed_s + wide_s, policy.deceleration_mps2 * widen.wet_deceleration_factor)
    slippery_s = widest.horizon_s - by_day.horizon_s - wide_s
    adds = Adds(widen.night_s, widen.wet_s + slippery_s, FOG_STEPS * widen.low_visibility_s)
    return [Lead(face, face, sensor, path, by_day, None, by_day, adds, widest)]


def _stopping(limit_kmh: float, reach_m: float, fixed_s: float, deceleration_mps2: float) -> Need:
    """The stopping time ``fixed_s + v / 2a`` at the limit; it is covered up to the speed v at which v times it is the
    reach: the root of a quadratic."""
    wants_s = fixed_s + limit_kmh / KMH / (2 * deceleration_mps2)
    speed_mps = deceleration_mps2 * (math.sqrt(fixed_s**2 + 2 * reach_m / deceleration_mps2) - fixed_s)
    return Need(limit_kmh, reach_m, wants_s, speed_mps * KMH)


def _farthest(config: SiteConfig, approach: str) -> tuple[float, str, str] | None:
    """(metres to the conflict point, sensor, key of the site file) of the one that sees farthest."""
    found = [
        (round(way_of(radar).along(radar.reach_m)[0], 1) + radar.to_conflict_m, name, f"radars.{name}.reach_m")
        for name, radar in config.radars.items()
        if radar.approach == approach
    ]
    found += [
        (zones.reach_m, name, f"cameras.{name}.zones.{approach}.reach_m")
        for name, camera in config.cameras.items()
        if (zones := camera.zones.get(approach)) is not None and zones.reach_m is not None
    ]
    if not found:
        return None
    reach_m, name, path = max(found)
    return max(0.0, reach_m), name, path


def problems(config: SiteConfig) -> list[Problem]:
    """``short_lead`` for each approach that declares more than its sensors give (an error); warnings for each sensor,
    of the face that misses most: ``short_horizon`` where it does not fill what is wanted by day for the design user,
    and ``short_widest`` where it does not fill the most that the policy may want."""
    every = leads(config)
    found = [
        problem
        for approach, settings in config.approaches.items()
        if settings.lead_min_s is not None
        and (problem := _short_lead(config, every, approach, settings.lead_min_s)) is not None
    ]
    for code in ("short_horizon", "short_widest"):
        worst: dict[str, tuple[Lead, Need]] = {}
        for lead in every:
            need = lead.design if code == "short_horizon" else lead.widest
            if need.is_short and (lead.path not in worst or need.short_s > worst[lead.path][1].short_s):
                worst[lead.path] = lead, need
        for lead, need in worst.values():
            # What no condition and no crosser adds to is told once.
            if code == "short_horizon" or need.horizon_s > lead.design.horizon_s:
                found.append(_short(code, lead, need, config.site.design_user))
    return found


def _short(code: str, lead: Lead, need: Need, design_user: RoadUser) -> Problem:
    params = {
        "face": lead.face,
        "reach_m": need.reach_m,
        "limit_kmh": need.limit_kmh,
        "gives_s": need.gives_s,
        "wants_s": need.horizon_s,
        "short_s": need.short_s,
        "covers_kmh": math.floor(need.covers_kmh),
        "case": case_words(lead, design_user),
    }
    return Problem(code, path=lead.path, params=params)


def case_words(lead: Lead, design_user: RoadUser) -> Text:
    """What the most that may be wanted is made of: "tricycle 20.0 s, night +0.5 s, fog up to +1.5 s"."""
    if lead.face == lead.approach:
        who = Text("白天停车", "stopping by day")
    else:
        who = describe.words(Gaps.model_fields[(lead.user or design_user).value])
    seconds = f" {lead.longest.horizon_s:.1f} s"
    parts = [Text(who.zh + seconds, who.en + seconds)]
    for add_s, zh, en in (
        (lead.adds.night_s, "夜间加", "night +"),
        (lead.adds.wet_s, "湿路加", "wet road +"),
        (lead.adds.fog_s, "雾天最多加", "fog up to +"),
    ):
        if add_s > 0:
            parts.append(Text(f"{zh} {add_s:.1f} s", f"{en}{add_s:.1f} s"))
    return Text("、".join(part.zh for part in parts), ", ".join(part.en for part in parts))


def _short_lead(config: SiteConfig, every: list[Lead], approach: str, least_s: float) -> Problem | None:
    """What is wrong with the lead that an approach declares. What others are warned of it counts, not what it is."""
    seen = _farthest(config, approach)
    limit_mps = config.approaches[approach].limit_kmh / KMH
    reach_m = 0.0 if seen is None else seen[0]
    horizons_s = [lead.design.horizon_s for lead in every if lead.approach == approach and lead.face != approach]
    gives_s = min([reach_m / limit_mps, *horizons_s])
    if gives_s >= least_s:
        return None
    params = {
        "sensor": "-" if seen is None else seen[1],
        "reach_m": reach_m,
        "limit_kmh": config.approaches[approach].limit_kmh,
        "gives_s": gives_s,
        "need_m": least_s * limit_mps,
        "horizon_s": min(horizons_s, default=0.0),
    }
    path = f"approaches.{approach}.lead_min_s"
    return Problem("short_lead", path=path, value=least_s, allowed=both(f"≤ {gives_s:.1f}"), params=params)
