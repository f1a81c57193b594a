"""What truly happened on a simulated junction: the truth file beside a recording, and nothing of what sensors saw.

A truth file is JSON lines, one object a line: first ``{"kind": "scene", ...}``, then one ``{"kind": "user", ...}`` for
each road user and one ``{"kind": "encounter", ...}`` for each meeting that the simulator's own judge (SUMO's SSM
device) reports. Invariants: ``t_s`` counts from the recording's first message; ``distance_m`` runs along the approach
from the front of the road user to the conflict point (the end of the approach's last lane), 0 when it gets there;
a sample exists only while the road user is on an approach, inbound or outbound.
"""

import dataclasses
import enum
import json
import pathlib
from collections.abc import Iterable
from typing import Any

from configs.schema import RoadUser

SAMPLE_S = 0.1
"""Truth is sampled at the pace of the sensors (10 Hz)."""


class SceneError(ValueError):
    """A truth file that cannot be read; the message names the file and the line."""


class Kind(enum.StrEnum):
    """What drives, rides or walks, in the simulator's eyes: finer than the classes a sensor can name."""

    CAR = "car"
    TRUCK = "truck"
    BUS = "bus"
    TRACTOR = "tractor"
    E_BIKE = "e_bike"
    TRICYCLE = "tricycle"
    WALKER = "walker"


CLASS_OF: dict[Kind, RoadUser] = {
    Kind.CAR: RoadUser.CAR,
    Kind.TRUCK: RoadUser.TRUCK,
    Kind.BUS: RoadUser.BUS,
    Kind.TRACTOR: RoadUser.TRUCK,
    Kind.E_BIKE: RoadUser.TWO_WHEELER,
    Kind.TRICYCLE: RoadUser.TRICYCLE,
    Kind.WALKER: RoadUser.WALKER,
}
"""A tractor needs a lorry's gap: it starts as slowly and often draws a trailer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One road user at one moment. ``lateral_m`` is the offset from the approach's centre line, positive to the left
    seen by a driver who comes in; ``outbound`` means it drives away from the junction on this approach's road.
    ``x_m`` and ``y_m`` are the middle of its front, east and north of the junction's centre."""

    t_s: float
    approach: str
    distance_m: float
    lateral_m: float
    speed_mps: float
    x_m: float
    y_m: float
    outbound: bool


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """One road user through the whole scene. ``samples`` are in order of time, with gaps while it is on no approach.

    ``leaves_before_m`` is the distance to the conflict point at which it turned off the approach (into a yard, a
    U-turn), None for one that reached the junction or is still on its way."""

    id: str
    kind: Kind
    length_m: float
    width_m: float
    reckless: bool
    leaves_before_m: float | None
    samples: tuple[Sample, ...]

    @property
    def road_user(self) -> RoadUser:
        """Its class in the node's words."""
        return CLASS_OF[self.kind]


@dataclasses.dataclass(frozen=True, slots=True)
class Encounter:
    """A crossing or merging meeting of two road users, one per unordered pair.

    ``begins_s``: when it became a conflict (TTC under its threshold, or the first of the two reaching the shared
    area, whichever is earlier). ``ttc_s``, ``pet_s`` and ``drac_mps2`` are the worst values, None where undefined."""

    first: str
    second: str
    merging: bool
    begins_s: float
    ttc_s: float | None
    pet_s: float | None
    drac_mps2: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class ApproachTruth:
    """An approach as it was built. ``bearing_deg``: compass bearing seen from the conflict point; ``lanes`` inbound."""

    main: bool
    limit_kmh: float
    bearing_deg: float
    lanes: int
    length_m: float
    conflicts: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """One simulated stretch of time at one junction. ``junction`` names its layout, ``weather`` what the sensors
    suffered ("" before sensors are added)."""

    junction: str
    seed: int
    duration_s: float
    weather: str
    approaches: dict[str, ApproachTruth]
    users: tuple[User, ...]
    encounters: tuple[Encounter, ...]


def write_scene(scene: Scene, path: pathlib.Path) -> None:
    """Writes a truth file."""
    head = {
        "kind": "scene",
        "junction": scene.junction,
        "seed": scene.seed,
        "duration_s": scene.duration_s,
        "weather": scene.weather,
        "approaches": {name: dataclasses.asdict(approach) for name, approach in scene.approaches.items()},
    }
    with path.open("w", encoding="utf-8") as file:
        for line in (head, *map(_user_line, scene.users), *map(_encounter_line, scene.encounters)):
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def read_scene(path: pathlib.Path) -> Scene:
    """Reads a truth file. Raises SceneError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SceneError(f"{path}: {error.strerror}") from error
    objects: list[dict[str, Any]] = []
    try:
        objects.extend(map(json.loads, lines))
        return _scene(objects)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise SceneError(f"{path}: after line {len(objects)}: not a truth file: {error!r}") from error


def _scene(objects: list[dict[str, Any]]) -> Scene:
    head = objects[0]
    return Scene(
        junction=head["junction"],
        seed=head["seed"],
        duration_s=head["duration_s"],
        weather=head["weather"],
        approaches={
            name: ApproachTruth(**{**values, "conflicts": tuple(values["conflicts"])})
            for name, values in head["approaches"].items()
        },
        users=tuple(_user(line) for line in objects if line["kind"] == "user"),
        encounters=tuple(
            Encounter(**{key: value for key, value in line.items() if key != "kind"})
            for line in objects
            if line["kind"] == "encounter"
        ),
    )


def _user_line(user: User) -> dict[str, Any]:
    """Samples as rows, numbers rounded to 1 cm and 1 cm/s, finer than any sensor here."""
    rows: Iterable[list[Any]] = (
        [
            round(sample.t_s, 2),
            sample.approach,
            round(sample.distance_m, 2),
            round(sample.lateral_m, 2),
            round(sample.speed_mps, 2),
            round(sample.x_m, 2),
            round(sample.y_m, 2),
            int(sample.outbound),
        ]
        for sample in user.samples
    )
    return {
        "kind": "user",
        "id": user.id,
        "is": user.kind.value,
        "length_m": user.length_m,
        "width_m": user.width_m,
        "reckless": user.reckless,
        "leaves_before_m": user.leaves_before_m,
        "samples": list(rows),
    }


def _user(line: dict[str, Any]) -> User:
    return User(
        id=line["id"],
        kind=Kind(line["is"]),
        length_m=line["length_m"],
        width_m=line["width_m"],
        reckless=line["reckless"],
        leaves_before_m=line["leaves_before_m"],
        samples=tuple(
            Sample(t_s, approach, distance_m, lateral_m, speed_mps, x_m, y_m, bool(outbound))
            for t_s, approach, distance_m, lateral_m, speed_mps, x_m, y_m, outbound in line["samples"]
        ),
    )


def _encounter_line(encounter: Encounter) -> dict[str, Any]:
    return {"kind": "encounter", **dataclasses.asdict(encounter)}
