"""Hand-made truth for the judge: road users that drive as told, seen as told, and a lamp that showed what is told."""

import json
from collections.abc import Callable, Iterable, Sequence

from tools.sim.scene import ApproachTruth, Encounter, Kind, Sample, Scene, User
from tools.sim.sensing.reach import Visibility

DURATION_S = 60.0
LINE_M = 7.0
"""From the junction's centre to the conflict point of each approach."""

LANE_M = 1.75
AXES = {"main_east": (1.0, 0.0), "main_west": (-1.0, 0.0), "branch_south": (0.0, -1.0)}
"""Unit vector up the road of each approach."""


def drives(
    name: str = "car",
    *,
    kmh: float = 50.0,
    arrives_s: float = 30.0,
    approach: str = "main_east",
    kind: Kind = Kind.CAR,
    from_m: float = 200.0,
    turns_off_m: float = 0.0,
) -> User:
    """Somebody who comes in at constant speed and is at the conflict point at ``arrives_s``."""
    mps = kmh / 3.6
    samples = []
    for tick in range(round(DURATION_S * 10)):
        t_s = tick / 10
        distance_m = (arrives_s - t_s) * mps
        if turns_off_m <= distance_m <= from_m and distance_m >= 0:
            samples.append(_sample(t_s, approach, distance_m, mps))
    return User(name, kind, 4.5, 1.8, False, turns_off_m or None, tuple(samples))


def stands(
    name: str = "waiting",
    *,
    from_s: float = 0.0,
    to_s: float = DURATION_S,
    at_m: float = 1.0,
    approach: str = "branch_south",
    kind: Kind = Kind.CAR,
) -> User:
    """Somebody who stands there."""
    ticks = range(round(from_s * 10), round(to_s * 10))
    samples = tuple(_sample(tick / 10, approach, at_m, 0.0) for tick in ticks)
    return User(name, kind, 4.5, 1.8, False, None, samples)


def _sample(t_s: float, approach: str, distance_m: float, mps: float) -> Sample:
    """On its own side of the road: traffic keeps right, so one who comes in is to the left of who looks out."""
    out_x, out_y = AXES[approach]
    x_m = (distance_m + LINE_M) * out_x - LANE_M * out_y
    y_m = (distance_m + LINE_M) * out_y + LANE_M * out_x
    return Sample(round(t_s, 2), approach, distance_m, 0.0, mps, x_m, y_m, False)


def road(*users: User, encounters: Sequence[Encounter] = (), duration_s: float = DURATION_S) -> Scene:
    """A T junction with these road users."""
    main = ApproachTruth(True, 60, 90, 1, 300, ("branch_south",))
    return Scene(
        junction="t60",
        seed=1,
        duration_s=duration_s,
        weather="clean",
        approaches={
            "main_east": main,
            "main_west": ApproachTruth(True, 60, 270, 1, 300, ("branch_south",)),
            "branch_south": ApproachTruth(False, 30, 180, 1, 200, ("main_east", "main_west")),
        },
        users=users,
        encounters=tuple(encounters),
    )


def sight(
    scene: Scene, reach_m: float = 100.0, camera_m: float = 60.0, hidden: Callable[[Sample], bool] = lambda _: False
) -> dict[str, list[Visibility]]:
    """Radars on the main approaches, a camera on the branch."""
    return {
        user.id: [
            Visibility(
                by_radar=sample.approach.startswith("main") and sample.distance_m <= reach_m and sample.speed_mps > 0.8,
                by_camera=sample.approach.startswith("branch") and sample.distance_m <= camera_m,
                occluded=hidden(sample),
            )
            for sample in user.samples
        ]
        for user in scene.users
    }


def said(face: str, *changes: tuple[float, str] | tuple[float, str, str]) -> list[str]:
    """The node's lines of one face: (when, level) or (when, level, health)."""
    lines = []
    for change in ((0.0, "clear"), *changes):
        t_s, level, health = (*change, "ok")[:3]
        shows = "fault" if health == "fault" and level != "alert" else level
        line = {
            "t_s": t_s,
            "kind": "face",
            "face": face,
            "level": level,
            "health": health,
            "shows": shows,
            "cause": None,
        }
        lines.append(json.dumps(line))
    return lines


def everything(lines: Iterable[Iterable[str]]) -> list[str]:
    """The lines of several faces as one output."""
    return [line for many in lines for line in many]
