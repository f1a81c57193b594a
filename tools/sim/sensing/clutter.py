"""Echoes of what is no road user: noise, other radars, rain, leaves, and second ways over a wet road.

Invariant: each kind has its own place in the random stream's order, and a parameter of zero draws nothing.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tools.sim.sensing.bodies import Bools, Floats, Ints
from tools.sim.sensing.mounts import Mount
from tools.sim.sensing.radar import NEAREST_M, Target
from tools.sim.sensing.weather import Weather

GHOST_MPS = (0.9, 25.0)
"""Any speed that roads have: noise knows none."""

GHOST_DB = (0.0, 10.0)
"""Noise that crosses the threshold is just above it."""

LEAVES_DB = 6.0
RAIN_DB = 3.0

MULTIPATH_DB = -10.0
"""A second way loses at two more reflections."""


@dataclasses.dataclass(frozen=True, slots=True)
class Clutter:
    """For each frame: echoes of nobody, and whether a foreign radar hides what is far."""

    targets: list[list[Target]]
    jammed: Bools


def clutter(times_s: Floats, mount: Mount, weather: Weather, rng: np.random.Generator) -> Clutter:
    """All that a radar at ``mount`` reports although nobody is there."""
    found: list[list[Target]] = [[] for _ in times_s]
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.1
    if weather.ghosts_per_s:
        _scatter(found, rng.poisson(weather.ghosts_per_s * step_s, len(times_s)), mount, rng)
    jammed = _bursts(times_s, weather, rng)
    if jammed.any():
        _scatter(found, jammed * rng.poisson(weather.interference_ghosts, len(times_s)), mount, rng)
    if weather.rain_per_s:
        _rain(found, step_s, mount, weather, rng)
    for _ in range(weather.vegetation_patches):
        _leaves(found, times_s, mount, weather, rng)
    return Clutter(found, jammed)


def multipath(real: Sequence[Sequence[Target]], weather: Weather, rng: np.random.Generator) -> list[list[Target]]:
    """Second rows behind real ones."""
    found: list[list[Target]] = [[] for _ in real]
    if weather.multipath_share:
        for frame, targets in enumerate(real):
            for target in targets:
                if rng.random() < weather.multipath_share:
                    found[frame].append(
                        dataclasses.replace(
                            target,
                            range_m=target.range_m + rng.uniform(*weather.multipath_m),
                            strength_db=target.strength_db + MULTIPATH_DB,
                        )
                    )
    return found


def _target(range_m: float, closing_mps: float, db: float, mount: Mount, rng: np.random.Generator) -> Target:
    return Target(range_m, closing_mps, rng.uniform(-mount.half_angle_deg, mount.half_angle_deg), db)


def _scatter(found: list[list[Target]], counts: Ints, mount: Mount, rng: np.random.Generator) -> None:
    """``counts`` targets a frame, anywhere, at any speed, in either direction."""
    for frame in np.flatnonzero(counts):
        for _ in range(int(counts[frame])):
            speed_mps = rng.uniform(*GHOST_MPS) * rng.choice((-1.0, 1.0))
            range_m = rng.uniform(NEAREST_M, mount.sees_m)
            found[frame].append(_target(range_m, speed_mps, rng.uniform(*GHOST_DB), mount, rng))


def _bursts(times_s: Floats, weather: Weather, rng: np.random.Generator) -> Bools:
    jammed = np.zeros(len(times_s), dtype=np.bool_)
    if weather.interference_per_h and len(times_s):
        count = rng.poisson(weather.interference_per_h * float(times_s[-1]) / 3600)
        for start_s in rng.uniform(0.0, float(times_s[-1]), count):
            end_s = start_s + rng.exponential(weather.interference_s)
            jammed |= (times_s >= start_s) & (times_s <= end_s)
    return jammed


def _rain(found: list[list[Target]], step_s: float, mount: Mount, weather: Weather, rng: np.random.Generator) -> None:
    counts = rng.poisson(weather.rain_per_s * step_s, len(found))
    for frame in np.flatnonzero(counts):
        for _ in range(int(counts[frame])):
            # More volume farther out, less echo: evenly spread over range is the balance of the two.
            range_m = rng.uniform(NEAREST_M, weather.rain_within_m)
            speed_mps = rng.uniform(*weather.rain_speed_mps) * rng.choice((-1.0, 1.0))
            found[frame].append(_target(range_m, speed_mps, RAIN_DB, mount, rng))


def _leaves(
    found: list[list[Target]], times_s: Floats, mount: Mount, weather: Weather, rng: np.random.Generator
) -> None:
    """One patch of branches: spells of wind, in them a swing whose sign alternates."""
    range_m = rng.uniform(*weather.vegetation_range_m)
    angle_deg = -rng.uniform(0.25, 1.0) * mount.half_angle_deg
    at_s = rng.uniform(-weather.gust_s[1], 0.0)
    end_s = float(times_s[-1]) if len(times_s) else 0.0
    while at_s < end_s:
        gust_s = rng.uniform(*weather.gust_s)
        first, last = np.searchsorted(times_s, (at_s, at_s + gust_s))
        phase = rng.uniform(0.0, weather.vegetation_sway_s)
        for frame in range(int(first), int(last)):
            if rng.random() < weather.vegetation_share:
                swing = np.sin(2 * np.pi * (times_s[frame] + phase) / weather.vegetation_sway_s)
                speed_mps = float(np.sign(swing)) * rng.uniform(*weather.vegetation_speed_mps)
                found[frame].append(Target(range_m + rng.normal(0.0, 0.5), speed_mps, angle_deg, LEAVES_DB))
        at_s += gust_s + rng.uniform(*weather.lull_s)
