"""What the node's vision would have said of an approach: observations of a calibrated camera, picture by picture.

Invariants: a message is exactly what ``device.observation.camera_observation`` reads; ``captured_ns`` is the picture's
time, the message's time is when core had it; the same seed gives the same messages. Tricycles and tractors have no
class of their own in the detector: each is taken for something else, mostly the same thing.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tools.sim.scene import Kind, Scene
from tools.sim.sensing.bodies import HEIGHT_M, Floats, Leg
from tools.sim.sensing.misses import runs
from tools.sim.sensing.mounts import Mount
from tools.sim.sensing.picture import FOCAL_PX, PAST_LINE_M, Zoning, foot_error_m
from tools.sim.sensing.view import View, view
from tools.sim.sensing.weather import Weather

PICTURE_S = 0.1
"""Ten pictures a second, the site file's default."""

RECALL_PX: tuple[tuple[float, float], ...] = (
    (6.0, 0.04),
    (8.0, 0.16),
    (10.0, 0.40),
    (14.0, 0.61),
    (32.0, 0.68),
    (64.0, 0.87),
    (math.inf, 0.95),
)
"""Recall by the height of a box in the detector's input: pole views of the model card; above 64 px an estimate, since
the card's close views give none by size."""

RECALL_OF: Mapping[Kind, float] = {Kind.BUS: 0.9, Kind.E_BIKE: 0.6, Kind.WALKER: 0.8}
"""The same card finds two-wheelers and buses less well on pole views and has no figure for walkers: estimates."""

WORDS: Mapping[Kind, tuple[tuple[str, float], ...]] = {
    Kind.CAR: (("car", 1.0),),
    Kind.TRUCK: (("truck", 1.0),),
    Kind.BUS: (("bus", 1.0),),
    Kind.TRACTOR: (("truck", 0.6), ("car", 0.4)),
    Kind.E_BIKE: (("two_wheeler", 1.0),),
    Kind.TRICYCLE: (("two_wheeler", 0.5), ("car", 0.3), ("truck", 0.2)),
    Kind.WALKER: (("person", 1.0),),
}
"""What the detector calls each kind: the card names the tricycle's two-wheeler and car; the shares are estimates."""

POLE_WORDS: Mapping[Kind, tuple[tuple[str, float], ...]] = {
    **WORDS,
    Kind.TRUCK: (("truck", 0.7), ("car", 0.3)),
    Kind.BUS: (("truck", 0.5), ("bus", 0.3), ("car", 0.2)),
}
"""The same from a pole (the card's AP50 there: car 0.541, truck 0.195, bus 0.019, while most buses are found as some
vehicle): what is found is named as something smaller or commoner. Shares are estimates from those figures."""

NEIGHBOURS: Mapping[str, tuple[str, ...]] = {
    "car": ("truck", "truck", "bus"),
    "truck": ("car", "car", "bus"),
    "bus": ("truck", "truck", "car"),
    "two_wheeler": ("person", "person", "car"),
    "person": ("two_wheeler",),
}
"""What a box is taken for when its class is wrong."""

PEDAL_M = 0.3
"""A rider's box ends at the pedals: on the ground that is a point behind."""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One observation: the picture's time, when core had it, and its road users as JSON."""

    captured_s: float
    received_s: float
    users: tuple[dict[str, Any], ...]


def messages(
    scene: Scene,
    legs: Sequence[Leg],
    approach: str,
    mount: Mount,
    zone: Zoning,
    weather: Weather,
    rng: np.random.Generator,
) -> Iterator[Message]:
    """Every observation of one camera on one approach, in order."""
    mean_s, sigma_s = weather.camera_latency_s
    count = max(0, math.floor((scene.duration_s - 3 * PICTURE_S) / PICTURE_S))
    times_s: Floats = rng.uniform(0.0, PICTURE_S) + PICTURE_S * np.arange(count, dtype=np.float64)
    late_s = np.clip(rng.normal(mean_s, sigma_s, count), mean_s / 2, mean_s * 2)
    received_s = np.maximum.accumulate(times_s + late_s)
    pictures: list[list[dict[str, Any]]] = [[] for _ in times_s]
    rows = view(scene, legs, mount, times_s, by_class=False)
    coming = np.array([leg.approach == approach and not leg.outbound for leg in legs], dtype=np.bool_)
    seen = rows.in_view & coming[rows.leg] if len(rows.leg) else rows.in_view
    if weather.occlusion:
        seen &= ~rows.hidden
    if weather.recall:
        seen &= ~runs(rows.user, 1.0 - _recall(scene, rows, mount, weather), weather.miss_frames, rng)
    words = _words(scene, rows, weather, rng)
    errors = _errors(rows, weather, rng)
    for index in np.flatnonzero(seen):
        picture = pictures[rows.time[index]]
        range_m = float(rows.range_m[index])
        kind = scene.users[rows.user[index]].kind
        along_m, across_m = (
            float(error) * scale for error, scale in zip(errors[index], foot_error_m(mount, range_m, 1.0), strict=True)
        )
        distance_m, lateral_m = rows.distance_m[index] + along_m, rows.lateral_m[index] + across_m
        word = words[index]
        if weather.confusion_share and rng.random() < weather.confusion_share * (1 + range_m / mount.reach_m):
            word = str(rng.choice(NEIGHBOURS[word]))
        _add(picture, approach, zone, word, distance_m, lateral_m)
        if kind is Kind.E_BIKE and weather.rider_share and rng.random() < weather.rider_share:
            behind_m = range_m * PEDAL_M / (mount.height_m - PEDAL_M)
            _add(picture, approach, zone, "person", distance_m + behind_m, lateral_m)
    if weather.false_boxes_per_s:
        for frame in np.flatnonzero(rng.random(count) < weather.false_boxes_per_s * PICTURE_S):
            word = str(rng.choice(tuple(NEIGHBOURS)))
            distance_m = rng.uniform(PAST_LINE_M, zone.until_m)
            _add(pictures[frame], approach, zone, word, distance_m, rng.uniform(zone.right_m, zone.left_m))
    for captured, received, users in zip(times_s.tolist(), received_s.tolist(), pictures, strict=True):
        yield Message(captured, received, tuple(users))


def _add(
    picture: list[dict[str, Any]], approach: str, zone: Zoning, word: str, distance_m: float, lateral_m: float
) -> None:
    inside = zone.of(distance_m, lateral_m)
    if inside is not None:
        picture.append(
            {
                "approach": approach,
                "zone": inside.value,
                "class": word,
                "distance_m": round(float(distance_m), 2),
                "lateral_m": round(float(lateral_m), 2),
            }
        )


def _recall(scene: Scene, rows: View, mount: Mount, weather: Weather) -> Floats:
    """The chance of a box in each row, by its height in the detector's input, its kind and the light."""
    heights = np.array([HEIGHT_M[user.kind] for user in scene.users])
    kinds = np.array([RECALL_OF.get(user.kind, 1.0) for user in scene.users])
    if len(rows.user) == 0:
        return np.zeros(0)
    high_px = FOCAL_PX * heights[rows.user] / np.hypot(rows.range_m, mount.height_m)
    sizes, recalls = zip(*RECALL_PX, strict=True)
    found = np.array(recalls)[np.searchsorted(np.array(sizes), high_px)]
    return np.asarray(found * kinds[rows.user] * weather.recall_share, dtype=np.float64)


def _errors(rows: View, weather: Weather, rng: np.random.Generator) -> Floats:
    """Foot-point errors in pixels, (along, across) for each row, partly the same from picture to picture."""
    fresh = rng.normal(0.0, 1.0, (len(rows.user), 2))
    stays = weather.box_jitter_stays
    last: dict[int, Floats] = {}
    for index, user in enumerate(rows.user.tolist()):
        before = last.get(user)
        if before is not None:
            fresh[index] = stays * before + math.sqrt(1 - stays * stays) * fresh[index]
        last[user] = fresh[index]
    return np.asarray(weather.box_jitter_px * fresh, dtype=np.float64)


def _words(scene: Scene, rows: View, weather: Weather, rng: np.random.Generator) -> list[str]:
    """What the detector would call each row: a road user keeps its word for a while."""
    mixes = POLE_WORDS if weather.recall else WORDS
    last: dict[int, str] = {}
    found = []
    fresh = (rng.random(len(rows.user)) >= weather.word_stays).tolist()
    for user, again in zip(rows.user.tolist(), fresh, strict=True):
        mix = mixes[scene.users[user].kind]
        if user not in last or (again and len(mix) > 1):
            words, shares = zip(*mix, strict=True)
            last[user] = str(rng.choice(words, p=shares))
        found.append(last[user])
    return found
