"""Lorries that turn right at their stop line, as a calibrated camera sees them, through the real pipeline.

``python -m tests.support.lorries [--seeds N]`` prints how many that stopped were accused and how many that rolled
through were not told, over a grid of where, how long, how fast and how well they are seen.

What it does not model: other road users, occlusion, and a box that grows as a lorry turns its side to the camera.
"""

import argparse
import dataclasses
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from configs.schema import RoadUser, SiteConfig
from device.events import Event
from device.observation import CameraObservation, Observation, SeenUser, Zone
from tests.support.road import Drive, site

BRANCH, CAMERA = "branch_south", "c_branch"
LINE_M = 4.0
STARTS_M = 32.0
COMES_MPS = 8.0
TICKS_A_S = 100
LATENCY_NS = 150_000_000
"""From the picture to its observation in core: exposure, transfer, one inference."""

SEES_FROM_M = -2.0
WAIT_TO_M = 10.0
LANE = {"lateral_from_m": -6.0, "lateral_to_m": -1.0, "line_m": LINE_M}
GROUND = [
    {"image": [0.231, 0.734], "distance_m": 4, "lateral_m": -2},
    {"image": [0.494, 0.768], "distance_m": 4, "lateral_m": 2},
    {"image": [0.380, 0.447], "distance_m": 12, "lateral_m": -2},
    {"image": [0.543, 0.461], "distance_m": 12, "lateral_m": 2},
]


def right_turn_site(**lane: float) -> SiteConfig:
    """The tests' junction with a calibrated camera over a right-turn lane on the branch."""
    raw: dict[str, Any] = site().model_dump(mode="json", exclude_none=True)
    raw["approaches"][BRANCH]["truck_right_turn"] = LANE | lane
    raw["cameras"][CAMERA]["ground"] = {BRANCH: GROUND}
    return SiteConfig.model_validate(raw)


@dataclasses.dataclass(frozen=True)
class Lorry:
    """Comes at ``COMES_MPS``, brakes to ``slowest_mps`` at ``before_line_m`` before its line, goes on like that for
    ``for_s`` and drives off again."""

    before_line_m: float
    for_s: float
    slowest_mps: float = 0.0
    brakes_mps2: float = 2.0
    starts_mps2: float = 1.0

    def distances_m(self) -> list[float]:
        """Where its front is, every hundredth of a second, until it is 8 m past the conflict point."""
        slow_from_m = LINE_M + self.before_line_m
        speed_mps, found = max(COMES_MPS, self.slowest_mps), [STARTS_M]
        slowed = False
        left_s = self.for_s
        while found[-1] > -8.0:
            way_m = (speed_mps**2 - self.slowest_mps**2) / (2 * self.brakes_mps2)
            if not slowed and found[-1] - slow_from_m <= way_m:
                speed_mps = max(self.slowest_mps, speed_mps - self.brakes_mps2 / TICKS_A_S)
                slowed = speed_mps <= self.slowest_mps
            elif slowed and left_s > 0:
                left_s -= 1 / TICKS_A_S
            elif slowed:
                speed_mps = min(max(COMES_MPS, self.slowest_mps), speed_mps + self.starts_mps2 / TICKS_A_S)
            found.append(found[-1] - speed_mps / TICKS_A_S)
        return found


@dataclasses.dataclass(frozen=True)
class Sight:
    """How well the camera sees: sigma of a distance, the share of that error that stays from picture to picture, and
    the share of pictures without a box."""

    noise_m: float = 0.3
    stays: float = 0.0
    misses: float = 0.0
    hidden: Callable[[float], bool] = lambda _distance_m: False


def told(lorry: Lorry, sight: Sight, seed: int, config: SiteConfig | None = None, **user: Any) -> list[Event]:
    """What the node told of this lorry."""
    distances_m = lorry.distances_m()
    pictures = _pictures(distances_m, sight, random.Random(seed), user)

    def seen(now_ns: int, _t_s: float) -> list[Observation]:
        return [CameraObservation(CAMERA, now_ns - LATENCY_NS, (), next(pictures, ()))]

    drive = Drive(config=config or right_turn_site(), silent_from={CAMERA: 0.0}, extra=seen)
    moments = drive.run(len(distances_m) / TICKS_A_S + 2.0, steps_a_frame=1)
    return [event for moment in moments for event in moment.told]


def _pictures(
    distances_m: list[float], sight: Sight, rng: random.Random, user: dict[str, Any]
) -> Iterator[tuple[SeenUser, ...]]:
    """Ten pictures a second."""
    off_m = rng.gauss(0, sight.noise_m)
    for true_m in distances_m[rng.randrange(10) :: 10]:
        off_m = sight.stays * off_m + (1 - sight.stays**2) ** 0.5 * rng.gauss(0, sight.noise_m)
        distance_m = true_m + off_m
        missed = rng.random() < sight.misses or sight.hidden(true_m)
        if missed or distance_m < SEES_FROM_M:
            yield ()
            continue
        zone = Zone.WAIT if distance_m < WAIT_TO_M else Zone.APPROACH
        values = {"user": RoadUser.TRUCK, "lateral_m": -3 + rng.gauss(0, 0.2), **user}
        yield (SeenUser(approach=BRANCH, zone=zone, distance_m=distance_m, **values),)


def right_turns(lorry: Lorry, sight: Sight, seeds: Iterable[int], config: SiteConfig | None = None) -> list[Event]:
    """The right-turn events of as many such lorries."""
    return [event for seed in seeds for event in told(lorry, sight, seed, config) if event.kind.value == "right_turn"]


SIGHTS = {
    "0.1 m": Sight(0.1),
    "0.3 m": Sight(0.3),
    "0.5 m": Sight(0.5),
    "0.3 m, 0.7 stays": Sight(0.3, stays=0.7),
    "0.3 m, 20 % missed": Sight(0.3, misses=0.2),
}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.lorries", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = range(parser.parse_args().seeds)
    stands_s, stops_m, kmh = (0.5, 1.0, 2.0, 5.0), (0.3, 0.6, 1.0, 2.0, 4.0), (8, 10, 12, 15, 20, 25)
    for brakes_mps2 in (2.0, 3.5):
        for name, sight in SIGHTS.items():
            print(f"brakes by {brakes_mps2} m/s², boxes off by {name}; of {len(seeds)} each")  # noqa: T201
            for stop_m in stops_m:
                lorries = [Lorry(stop_m, stand_s, 0.0, brakes_mps2) for stand_s in stands_s]
                counts = [
                    f"{stand_s} s: {len(right_turns(x, sight, seeds))}"
                    for stand_s, x in zip(stands_s, lorries, strict=True)
                ]
                print(f"  stood {stop_m} m before the line, accused: {', '.join(counts)}")  # noqa: T201
            rolling = [Lorry(0.5, 0.2, slow / 3.6, brakes_mps2) for slow in kmh]
            counts = [
                f"{slow} km/h: {len(seeds) - len(right_turns(x, sight, seeds))}"
                for slow, x in zip(kmh, rolling, strict=True)
            ]
            print(f"  rolled through, not told: {', '.join(counts)}")  # noqa: T201


if __name__ == "__main__":
    main()
