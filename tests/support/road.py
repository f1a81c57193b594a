"""A road for tests: vehicles that drive, seen by an LD2451's quantisation, through the real pipeline at 10 Hz.

What it does not model: occlusion, dropouts and ghosts, unless a test puts them in by hand.
"""

import dataclasses
from collections.abc import Callable, Sequence

from configs.schema import RoadUser, SiteConfig
from device.chronicle import Chronicle
from device.day import DAYLIGHT, DayState
from device.decision import FaceDecision
from device.events import Event
from device.observation import CameraObservation, Observation, Zone, ZoneCount
from device.pipeline import Output, Pipeline
from hal.clock import NS_PER_MS, NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget

REACH_M = 100.0
AHEAD = {"beside_m": 0, "width_m": 0}
"""These vehicles drive straight at their radar."""
START_NS = 1_000 * NS_PER_S


def site(**policy: object) -> SiteConfig:
    """A T junction: radars on both main approaches, a camera on the branch."""
    return SiteConfig.model_validate(
        {
            "site": {"id": "371500/n0001", "name": "测试路口"},
            "approaches": {
                "main_east": {"road": "main", "limit_kmh": 60, "conflicts": ["branch_south"], "bearing_deg": 90},
                "main_west": {"road": "main", "limit_kmh": 60, "conflicts": ["branch_south"], "bearing_deg": 270},
                "branch_south": {
                    "road": "branch",
                    "limit_kmh": 30,
                    "conflicts": ["main_east", "main_west"],
                    "bearing_deg": 180,
                },
            },
            "radars": {
                "r_east": {
                    "driver": "ld2451",
                    "url": "/dev/null",
                    "approach": "main_east",
                    "reach_m": REACH_M,
                    **AHEAD,
                },
                "r_west": {
                    "driver": "ld2451",
                    "url": "/dev/null",
                    "approach": "main_west",
                    "reach_m": REACH_M,
                    **AHEAD,
                },
            },
            "cameras": {
                "c_branch": {
                    "driver": "opencv",
                    "source": "0",
                    "zones": {
                        "branch_south": {"wait": [[0, 0.5], [1, 0.5], [1, 1]], "approach": [[0, 0], [1, 0], [1, 0.5]]}
                    },
                }
            },
            "lamps": {
                "l_branch": {"driver": "gpio", "pin": 17, "faces": ["branch_south"]},
                "l_main": {"driver": "gpio", "pin": 27, "faces": ["main_east", "main_west"]},
            },
            "policy": policy,
        }
    )


@dataclasses.dataclass(frozen=True)
class Vehicle:
    """Passes the conflict point at ``arrival_s`` at constant speed; seen by its radar inside reach."""

    speed_kmh: float
    arrival_s: float
    radar: str = "r_east"
    flag: Flag = Flag.APPROACHING
    until_s: float = float("inf")

    @property
    def speed_mps(self) -> float:
        return self.speed_kmh / 3.6

    def distance_m(self, t_s: float) -> float:
        return (self.arrival_s - t_s) * self.speed_mps

    def target(self, t_s: float) -> RadarTarget | None:
        """What an LD2451 says: whole metres, whole km/h."""
        distance_m = self.distance_m(t_s)
        if not 0.5 <= abs(distance_m) <= REACH_M or t_s > self.until_s:
            return None
        leaving = distance_m < 0
        flag = Flag.RECEDING if leaving else self.flag
        sign = -1 if flag is Flag.RECEDING else 1
        return RadarTarget(
            speed_mps=sign * round(self.speed_kmh) / 3.6, distance_m=float(round(abs(distance_m))), flag=flag
        )


@dataclasses.dataclass(frozen=True)
class Leaving(Vehicle):
    """Drives away from the junction since ``arrival_s``; never approaches."""

    def target(self, t_s: float) -> RadarTarget | None:
        return super().target(t_s) if t_s > self.arrival_s else None


@dataclasses.dataclass
class Moment:
    """One step of the road."""

    t_s: float
    output: Output
    told: tuple[Event, ...] = ()
    """Passages, near misses, duty and road events."""

    def __getitem__(self, face: str) -> FaceDecision:
        return self.output.decisions[face]


class Drive:
    """Runs the pipeline over a road. Sensors named in ``silent_from`` fall silent at that time; ``told`` says whether
    passages and the other words of the chronicle are wanted."""

    def __init__(
        self,
        *vehicles: Vehicle,
        config: SiteConfig | None = None,
        branch: Callable[[float], dict[RoadUser, int]] = lambda _t: {},
        zone: Zone = Zone.WAIT,
        silent_from: dict[str, float] | None = None,
        back_at: dict[str, float] | None = None,
        booted: bool = True,
        day: DayState = DAYLIGHT,
        extra: Callable[[int, float], list[Observation]] = lambda _ns, _t: [],
        told: bool = True,
    ) -> None:
        self.config = config or site()
        self.vehicles = vehicles
        self.pipeline = Pipeline(self.config, start_ns=START_NS, booted=booted)
        self.chronicle = Chronicle(self.config) if told else None
        self._branch = branch
        self._zone = zone
        self._silent_from = silent_from or {}
        self._back_at = back_at or {}
        self._day = day
        self._extra = extra

    def run(
        self,
        until_s: float,
        *,
        shuffle: Callable[[list[Observation]], list[Observation]] = list,
        steps_a_frame: int = 5,
    ) -> list[Moment]:
        """Sensors at 10 Hz, ``steps_a_frame`` steps from one frame to the next; returns every moment."""
        moments = []
        for tick in range(round(until_s * 10 * steps_a_frame) + 1):
            t_s = tick / (10 * steps_a_frame)
            now_ns = START_NS + tick * 100 * NS_PER_MS // steps_a_frame
            observations = self._sensors(now_ns, t_s) if tick % steps_a_frame == 0 else []
            observations += self._extra(now_ns, t_s)
            output = self.pipeline.step(now_ns, self._day, shuffle(observations))
            moments.append(Moment(t_s, output, self.chronicle.step(now_ns, output) if self.chronicle else ()))
        return moments

    def _heard(self, sensor: str, t_s: float) -> bool:
        return t_s < self._silent_from.get(sensor, float("inf")) or t_s >= self._back_at.get(sensor, float("inf"))

    def _sensors(self, now_ns: int, t_s: float) -> list[Observation]:
        observations: list[Observation] = []
        for radar in self.config.radars:
            if self._heard(radar, t_s):
                targets = [v.target(t_s) for v in self.vehicles if v.radar == radar]
                observations.append(RadarFrame(radar, now_ns, tuple(t for t in targets if t is not None)))
        for camera in self.config.cameras:
            if self._heard(camera, t_s):
                counts = tuple(
                    ZoneCount("branch_south", self._zone, user, count) for user, count in self._branch(t_s).items()
                )
                observations.append(CameraObservation(camera, now_ns, counts))
        return observations


def lit_spans(moments: Sequence[Moment], face: str) -> list[tuple[float, float]]:
    """Times in which a face was above clear."""
    spans: list[tuple[float, float]] = []
    for moment in moments:
        if moment[face].level == "clear":
            continue
        if spans and moment.t_s - spans[-1][1] < 0.101:
            spans[-1] = (spans[-1][0], moment.t_s)
        else:
            spans.append((moment.t_s, moment.t_s))
    return spans


def levels(moments: Sequence[Moment], face: str) -> list[str]:
    """The levels a face went through, repeats left out."""
    found: list[str] = []
    for moment in moments:
        if not found or found[-1] != moment[face].level:
            found.append(moment[face].level)
    return found
