"""What a radar reports of a road: the bytes an LD2451 or an OPS243-C would have sent, frame by frame.

Echoes are values before they become bytes; ``clutter`` adds those of nobody. Invariants: nobody outside field of
view and reach of its class is reported, nobody whose speed along the line of sight is below the radar's least; the
same seed gives the same bytes.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence

import numpy as np

from hal.radar.ld2451_wire import WireTarget, encode_report
from tools.sim.scene import Scene
from tools.sim.sensing.bodies import ECHO_M2, Bools, Floats, Leg, reach_m
from tools.sim.sensing.misses import runs
from tools.sim.sensing.mounts import Mount
from tools.sim.sensing.view import view
from tools.sim.sensing.weather import Weather

FRAME_S = 0.1
"""Ten frames a second (vendor; the real log has the same pace)."""

SLOWEST_KMH = 3
"""The least speed the node asks an LD2451 to report."""

MOST_TARGETS = 8
"""Targets in one LD2451 frame, strongest first. The vendor gives no number; more than a handful of rows has not been
seen in any example."""

NEAREST_M = 1.0
"""Nearer than this there is no echo to measure: the chirp is still going out."""

FASTEST_KMH = 250


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """One echo as the radar measures it, before rounding; ``strength_db`` is over the threshold of a car at reach."""

    range_m: float
    closing_mps: float
    angle_deg: float
    strength_db: float


def frame_times(duration_s: float, weather: Weather, rng: np.random.Generator) -> Floats:
    """When a radar's frames end, in order; every radar has its own phase."""
    count = max(0, math.floor((duration_s - FRAME_S) / FRAME_S))
    wander = np.clip(rng.normal(0.0, weather.frame_jitter_s, count), -FRAME_S / 4, FRAME_S / 4)
    return np.sort(rng.uniform(0.0, FRAME_S) + FRAME_S * np.arange(count) + np.abs(wander))


def strength_db(echo_m2: float, range_m: Floats, car_reach_m: float) -> Floats:
    """How far an echo is over the threshold, by the radar equation: a car at full reach has 0 dB."""
    range_db = 40 * np.log10(car_reach_m / np.maximum(range_m, NEAREST_M))
    return np.asarray(10 * math.log10(echo_m2 / 10.0) + range_db, dtype=np.float64)


def echoes(
    scene: Scene,
    legs: Sequence[Leg],
    mount: Mount,
    times_s: Floats,
    jammed: Bools,
    weather: Weather,
    rng: np.random.Generator,
) -> list[list[Target]]:
    """For each frame what real road users send back, dropouts, occlusion and jitter applied. ``jammed``: frames in
    which a foreign radar hides what is far."""
    mount = dataclasses.replace(mount, reach_m=mount.sees_m)
    rows = view(scene, legs, mount, times_s - weather.latency_s, by_class=True)
    seen = rows.in_view & (rows.range_m >= NEAREST_M)
    if weather.occlusion:
        seen &= ~rows.hidden
    if len(rows.user) and (weather.reach_share < 1 or jammed.any()):
        limits_m = np.array([reach_m(user.kind, mount.reach_m) for user in scene.users])[rows.user]
        left = np.where(jammed, weather.interference_blinds_beyond, 1.0)[rows.time] * weather.reach_share
        seen &= rows.range_m <= left * limits_m
    if weather.dropout_share > 0:
        seen &= ~runs(rows.user, np.full(len(rows.user), weather.dropout_share), weather.dropout_frames, rng)
    keep = np.flatnonzero(seen)
    range_m, closing_mps = rows.range_m[keep], rows.closing_mps[keep]
    echo_m2 = np.array([ECHO_M2[user.kind] for user in scene.users])[rows.user[keep]] if len(keep) else np.zeros(0)
    strength = 10 * np.log10(echo_m2 / 10.0) + strength_db(10.0, range_m, mount.reach_m)
    if weather.range_jitter_m:
        range_m = np.maximum(range_m + rng.normal(0.0, weather.range_jitter_m, len(keep)), NEAREST_M)
    if weather.speed_jitter_mps:
        closing_mps = closing_mps + rng.normal(0.0, weather.speed_jitter_mps, len(keep))
    found: list[list[Target]] = [[] for _ in times_s]
    for frame, *values in zip(
        rows.time[keep].tolist(),
        range_m.tolist(),
        closing_mps.tolist(),
        rows.angle_deg[keep].tolist(),
        strength.tolist(),
        strict=True,
    ):
        found[frame].append(Target(*values))
    return found


def ld2451_bytes(targets: Iterable[Target], reach: float) -> bytes:
    """A report frame of these echoes: whole metres, km/h and degrees; echoes in one cell are one row."""
    cells: dict[tuple[int, int, int], WireTarget] = {}
    for target in sorted(targets, key=lambda one: -one.strength_db):
        distance_m, kmh = round(target.range_m), round(abs(target.closing_mps) * 3.6)
        if not (0 < distance_m <= min(reach, 255) and SLOWEST_KMH <= kmh <= FASTEST_KMH):
            continue
        cell = (distance_m, kmh, int(target.closing_mps > 0))
        angle = max(-90, min(90, round(target.angle_deg)))
        snr = max(4, min(255, round(4 * 10 ** (target.strength_db / 20))))
        cells.setdefault(cell, WireTarget(angle, distance_m, cell[2], kmh, snr))
        if len(cells) == MOST_TARGETS:
            break
    return encode_report(cells.values())


def ops243_bytes(targets: Iterable[Target], reach: float) -> bytes:
    """Lines of an OPS243-C with its default of one report: the strongest echo's range and speed, zero for nobody."""
    moving = [t for t in targets if abs(t.closing_mps) * 3.6 >= SLOWEST_KMH and t.range_m <= reach]
    strongest = max(moving, key=lambda one: one.strength_db, default=None)
    if strongest is None:
        return _line({"unit": "mps", "speed": "0.0"})
    # + = inbound; two decimals of a metre and of m/s are more than its resolution, as the module sends them.
    return _line({"unit": "m", "range": f"{strongest.range_m:.1f}"}) + _line(
        {"unit": "mps", "speed": f"{strongest.closing_mps:.2f}"}
    )


def _line(fields: dict[str, str]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\r\n"
