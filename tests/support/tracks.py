"""Tracks for tests of the decision, and one face with its memory, stepped at 10 Hz."""

from collections.abc import Sequence
from typing import Any

from configs.schema import RoadUser, SiteConfig
from device.day import DAYLIGHT, DayState
from device.decision import FaceDecider, FaceDecision
from device.health import FaceHealth, Health, Ladder
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S
from tests.support.road import site

BRANCH, EAST, WEST = "branch_south", "main_east", "main_west"
SENSORS = {EAST: "r_east", WEST: "r_west", BRANCH: "c_branch"}
START_S = 1000.0
WELL = FaceHealth(Health.OK, (), presence_known=True)
UNKNOWN = FaceHealth(Health.OK, (), presence_known=False)


def fault(*reasons: str) -> FaceHealth:
    return FaceHealth(Health.FAULT, reasons or ("r_east: silent for 1 s",), True, Ladder.NONE)


def degraded(ladder: Ladder) -> FaceHealth:
    return FaceHealth(Health.DEGRADED, ("why",), True, ladder)


def ns(t_s: float) -> int:
    return round((START_S + t_s) * NS_PER_S)


def seen(
    approach: str,
    arrival_s: float | None = None,
    *,
    number: int = 1,
    speed_mps: float = 10.0,
    at_s: float = 0.0,
    **fields: Any,
) -> Track:
    """A confirmed track that arrives in so many seconds; without ``arrival_s`` one that only a zone knows of."""
    values: dict[str, Any] = {
        "id": number,
        "approach": approach,
        "sensor": SENSORS[approach],
        "state": TrackState.CONFIRMED,
        "user": None,
        "distance_m": None if arrival_s is None else arrival_s * speed_mps,
        "speed_mps": None if arrival_s is None else speed_mps,
        "receding": False,
        "updated_ns": ns(at_s),
    }
    return Track(**(values | fields))


def waits(user: RoadUser | None = RoadUser.CAR, *, number: int = 50, **fields: Any) -> Track:
    """Somebody in the branch's wait zone."""
    return seen(BRANCH, number=number, **({"state": TrackState.WAITING, "user": user} | fields))


class Face:
    """One face, with time."""

    def __init__(self, face: str = BRANCH, config: SiteConfig | None = None, **policy: Any) -> None:
        self.decider = FaceDecider(face, config or site(**policy))

    def at(self, t_s: float, *tracks: Track, health: FaceHealth = WELL, day: DayState = DAYLIGHT) -> FaceDecision:
        """One step. The tracks are taken as they are: they may be acted on."""
        return self.decider.step(ns(t_s), by_approach(tracks), health, day)


def by_approach(tracks: Sequence[Track]) -> dict[str, list[Track]]:
    found: dict[str, list[Track]] = {}
    for track in tracks:
        found.setdefault(track.approach, []).append(track)
    return found
