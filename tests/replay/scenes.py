"""The golden recordings: what they show, and how they were made (``python -m tests.replay.accept --record NAME``).

Each is a hand-made road seen through the simulated sensors, with its site file inside. The files in ``golden/`` are
what is tested, not this module: they stay as they are when the simulation changes.
"""

import dataclasses
import pathlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from device.day import DAYLIGHT, DayState
from device.recording import RecordingFile
from hal.clock import NS_PER_S
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.sensed import place, scene, user
from tools.sim.scene import Kind, User
from tools.sim.sensing.fittings import Fitting, site_config, site_values
from tools.sim.sensing.recorder import ANCHOR_MONO_NS, ANCHOR_WALL_NS, Heard, heard
from tools.sim.sensing.weather import CLEAN, FAULTS, RAIN, Weather

FOLDER = pathlib.Path(__file__).parent / "golden"
OCCLUSION = dataclasses.replace(CLEAN, name="occlusion", occlusion=True)

NIGHT = dataclasses.replace(DAYLIGHT, night=True)
QUIET = dataclasses.replace(NIGHT, quiet=True)
WET_AND_FOGGY = dataclasses.replace(DAYLIGHT, wet=True, visibility_m=80.0)

Change = Callable[[Iterable[Heard]], Iterator[Heard]]


def silent(sensor: str, from_s: float, until_s: float = float("inf")) -> Change:
    """The sensor says nothing for a while."""

    def change(messages: Iterable[Heard]) -> Iterator[Heard]:
        return (m for m in messages if m.sensor != sensor or not from_s <= m.t_s < until_s)

    return change


def swinging(sensor: str, distance_m: int) -> Change:
    """The radar reports one target in every frame that comes and never gets nearer: a fence that swings in the wind."""
    rng = random.Random(1)

    def change(messages: Iterable[Heard]) -> Iterator[Heard]:
        for message in messages:
            if message.sensor == sensor:
                report = encode_report([WireTarget(0, distance_m + rng.randint(-1, 1), 1, rng.randint(20, 24))])
                message = dataclasses.replace(message, radar=report)
            yield message

    return change


def as_it_is(messages: Iterable[Heard]) -> Iterator[Heard]:
    """No change."""
    return iter(messages)


@dataclasses.dataclass(frozen=True)
class Golden:
    """One recording: who is on the road, what watches it and in which weather, what goes wrong, and the day state from
    which second on (none: a recording that tells none, as those from before there was one)."""

    users: Sequence[User]
    fitting: Fitting = Fitting.RADAR_CAMERA
    weather: Weather = CLEAN
    seconds: float = 20.0
    change: Change = as_it_is
    approaches: Mapping[str, Mapping[str, object]] = dataclasses.field(default_factory=dict)
    """What the site file says of an approach beyond how it was built."""
    days: Sequence[tuple[float, DayState]] = ()


def coming(name: str, kind: Kind = Kind.CAR, *, at_line_s: float, kmh: float = 50, approach: str = "main_east") -> User:
    """Drives steadily and is at the line at this time."""
    from_m = min(290.0, at_line_s * kmh / 3.6)
    return user(name, kind, approach=approach, kmh=kmh, from_m=from_m, at_s=at_line_s - from_m * 3.6 / kmh)


def rolls_on(who: User, slow_from_m: float, slow_kmh: float, for_s: float = 0.5) -> User:
    """The same, braking by 2 m/s² to this speed at this distance and after ``for_s`` starting again by 1 m/s²."""
    distance_m, speed_mps, slow_mps = who.samples[0].distance_m, who.samples[0].speed_mps, slow_kmh / 3.6
    samples, slow_since_s = [], float("inf")
    tick = round(who.samples[0].t_s * 100)
    while distance_m > 0:
        t_s = tick / 100
        if tick % 10 == 0:
            x_m, y_m = place(who.samples[0].approach, distance_m, who.samples[0].lateral_m)
            seen = dataclasses.replace(who.samples[0], t_s=t_s, distance_m=distance_m, speed_mps=speed_mps)
            samples.append(dataclasses.replace(seen, x_m=x_m, y_m=y_m))
        brakes = slow_since_s > t_s and distance_m - slow_from_m <= (speed_mps**2 - slow_mps**2) / 4.0
        if brakes:
            speed_mps = max(slow_mps, speed_mps - 0.02)
            slow_since_s = t_s if speed_mps == slow_mps else slow_since_s
        elif t_s > slow_since_s + for_s:
            speed_mps = min(who.samples[0].speed_mps, speed_mps + 0.01)
        distance_m, tick = distance_m - speed_mps / 100, tick + 1
    return dataclasses.replace(who, samples=tuple(samples))


GOLDEN: Mapping[str, Golden] = {
    "lone_car_50_kmh": Golden([coming("car", at_line_s=12)]),
    "walker_waits_while_a_car_comes": Golden(
        [
            user("walker", Kind.WALKER, approach="branch_south", kmh=4.5, from_m=12, at_s=2.0),
            coming("car", at_line_s=14),
        ],
    ),
    "car_turns_off_60_m_before": Golden([user("car", Kind.CAR, kmh=50, from_m=150, at_s=1.0, until_s=7.5)]),
    "platoon_behind_a_truck": Golden(
        [
            coming("truck", Kind.TRUCK, at_line_s=13),
            coming("car", at_line_s=14.6),
            coming("e_bike", Kind.E_BIKE, at_line_s=16.5),
            coming("bus", Kind.BUS, at_line_s=19),
        ],
        weather=OCCLUSION,
        seconds=26.0,
    ),
    "only_leaving": Golden(
        [
            user("car", Kind.CAR, kmh=60, from_m=0, at_s=3.0, outbound=True, lateral_m=1.75),
            user("truck", Kind.TRUCK, approach="main_west", kmh=45, from_m=0, at_s=6.0, outbound=True, lateral_m=1.75),
        ],
    ),
    "radar_falls_silent": Golden([coming("car", at_line_s=12)], change=silent("r_main_east", 8.0, 13.0), seconds=30.0),
    "camera_carries_on_alone": Golden(
        [coming("car", at_line_s=13, kmh=40), coming("second", at_line_s=22, kmh=40)],
        fitting=Fitting.FULL,
        change=silent("r_main_east", 6.0),
        seconds=26.0,
    ),
    "fence_swings_for_150_s": Golden([], Fitting.RADAR_ONLY, change=swinging("r_main_east", 30), seconds=150.0),
    "rain": Golden(
        [coming("car", at_line_s=12), coming("truck", Kind.TRUCK, at_line_s=20, approach="main_west")],
        weather=RAIN,
        seconds=26.0,
    ),
    "dropouts_and_ghosts": Golden(
        [coming("car", at_line_s=11, kmh=60), coming("e_bike", Kind.E_BIKE, at_line_s=20, kmh=25)],
        weather=FAULTS,
        seconds=26.0,
    ),
    "speeding": Golden([coming("car", at_line_s=12, kmh=80)]),
    "wrong_way": Golden(
        [coming("car", at_line_s=6, kmh=40), user("wrong", Kind.CAR, kmh=40, from_m=0, at_s=8.0, outbound=True)],
        approaches={"main_east": {"one_way": "in"}},
    ),
    "one_lorry_stops_before_it_turns_right_and_one_rolls_through": Golden(
        [
            rolls_on(coming("stops", Kind.TRUCK, at_line_s=9, kmh=29, approach="branch_south"), 5.5, 0.0, for_s=2.0),
            rolls_on(coming("rolls", Kind.TRUCK, at_line_s=22, kmh=29, approach="branch_south"), 5.5, 12.0),
        ],
        approaches={"branch_south": {"truck_right_turn": {"lateral_from_m": -3.5, "lateral_to_m": 0.0, "line_m": 5.0}}},
        seconds=32.0,
    ),
    "night_and_quiet_from_30_s_on": Golden(
        [
            user("walker", Kind.WALKER, approach="branch_south", kmh=4.5, from_m=12, at_s=6.0),
            coming("car", at_line_s=20, kmh=30),
            user("second_walker", Kind.WALKER, approach="branch_south", kmh=4.5, from_m=12, at_s=38.0, until_s=60),
            user("second", Kind.CAR, kmh=30, from_m=150, at_s=34.0, until_s=60),
        ],
        seconds=58.0,
        days=[(0.0, NIGHT), (30.0, QUIET)],
    ),
    "wet_road_in_fog": Golden(
        [
            user("walker", Kind.WALKER, approach="branch_south", kmh=4.5, from_m=12, at_s=2.0),
            coming("car", at_line_s=20, kmh=30),
        ],
        seconds=26.0,
        days=[(0.0, WET_AND_FOGGY)],
    ),
}


def record(name: str, path: pathlib.Path) -> None:
    """Writes one of them to a new file."""
    golden = GOLDEN[name]
    made = scene(*golden.users, seconds=golden.seconds)
    values = site_values(made, golden.fitting)
    for approach, more in golden.approaches.items():
        values["approaches"][approach] |= more
    file = RecordingFile(
        path,
        values,
        anchor_wall_ns=ANCHOR_WALL_NS,
        anchor_mono_ns=ANCHOR_MONO_NS,
        clock_quality="synced",
        compress=True,
        day=golden.days[0][1] if golden.days else None,
    )
    for at_s, day in golden.days[1:]:
        file.put_day(day, ANCHOR_MONO_NS + round(at_s * NS_PER_S))
    for message in golden.change(heard(made, site_config(made, golden.fitting), golden.weather, seed=1)):
        at_ns = ANCHOR_MONO_NS + round(message.t_s * NS_PER_S)
        if message.radar is not None:
            file.put_radar(message.sensor, message.radar, at_ns)
        elif message.camera is not None:
            file.put_camera(message.sensor, message.camera, at_ns)
    file.close()
