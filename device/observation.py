"""What sensors tell the pipeline, as values. Pure: no clock, no file, no thread.

Invariants: times are CLOCK_MONOTONIC nanoseconds at capture; an observation is a fact about one sensor at one
moment, never a judgement; a problem report is also an observation, so that health has one way in.
"""

import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import Any

from configs.schema import RoadUser
from hal.interfaces import RadarFrame

DETECTOR_CLASSES: Mapping[str, RoadUser] = {
    "person": RoadUser.WALKER,
    "two_wheeler": RoadUser.TWO_WHEELER,
    "car": RoadUser.CAR,
    "bus": RoadUser.BUS,
    "truck": RoadUser.TRUCK,
}
"""The detector's words -> ours. A detector class that is not here is not a road user."""


class Zone(enum.StrEnum):
    """A camera's zone on an approach."""

    WAIT = "wait"
    APPROACH = "approach"


@dataclasses.dataclass(frozen=True, slots=True)
class ZoneCount:
    """How many road users of one class stand or move in one zone of one approach."""

    approach: str
    zone: Zone
    user: RoadUser
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class SeenUser:
    """One road user with a place on the road, by the camera's ground-plane calibration. ``distance_m`` runs along the
    approach to the conflict point, ``lateral_m`` is positive to the left seen by a driver who comes in."""

    approach: str
    zone: Zone
    user: RoadUser
    distance_m: float
    lateral_m: float


@dataclasses.dataclass(frozen=True, slots=True)
class CameraObservation:
    """Who is where on one picture; two empty tuples are a healthy camera that sees nobody. Each road user appears
    once: in ``users`` where its approach is calibrated, else in ``occupancy``."""

    camera: str
    captured_ns: int
    occupancy: tuple[ZoneCount, ...]
    users: tuple[SeenUser, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class SensorProblem:
    """A sensor's own word that it cannot be trusted (would not open, frozen picture), or ``None``: it can again."""

    sensor: str
    reported_ns: int
    problem: str | None


Observation = RadarFrame | CameraObservation | SensorProblem


def camera_observation(message: Mapping[str, Any]) -> CameraObservation:
    """A camera observation from its JSON form ``{"camera", "captured_ns", "zones": {approach: {zone: {class: n}}},
    "users": [{"approach", "zone", "class", "distance_m", "lateral_m"}, …]}`` (``users`` only from a calibrated camera).

    Classes are the detector's words. Raises KeyError, TypeError or ValueError on a message of another form.
    """
    counts = [
        ZoneCount(approach, Zone(zone), DETECTOR_CLASSES[word], int(count))
        for approach, zones in message["zones"].items()
        for zone, classes in zones.items()
        for word, count in classes.items()
        if word in DETECTOR_CLASSES and count > 0
    ]
    users = [
        SeenUser(
            str(seen["approach"]),
            Zone(seen["zone"]),
            DETECTOR_CLASSES[seen["class"]],
            _finite_m(seen["distance_m"]),
            _finite_m(seen["lateral_m"]),
        )
        for seen in message.get("users", ())
        if seen["class"] in DETECTOR_CLASSES
    ]
    return CameraObservation(str(message["camera"]), int(message["captured_ns"]), tuple(counts), tuple(users))


def camera_visibility(message: Mapping[str, Any]) -> float | None:
    """How far a camera says one can see, from its JSON form ``{"camera", "view": {"visibility_m"}}``; None: far, or it
    does not know, or it says no length: what else it says must be heard all the same."""
    view = message.get("view")
    far_m = view.get("visibility_m") if isinstance(view, Mapping) else None
    return float(far_m) if isinstance(far_m, int | float) and 0 <= far_m < math.inf else None


def _finite_m(value: Any) -> float:
    """A length from a message. Raises ValueError on NaN and infinity, which JSON lets through."""
    length_m = float(value)
    if not math.isfinite(length_m):
        raise ValueError(f"length {value!r} m: allowed: a finite number")
    return length_m
