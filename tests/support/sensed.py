"""Scenes made by hand for tests of the simulated sensors: straight roads of one lane each way, steady speeds."""

import math

import numpy as np

from configs.schema import SiteConfig
from device.sensors import radar_decoder
from hal.clock import NS_PER_S
from hal.interfaces import RadarTarget
from tools.sim.scene import ApproachTruth, Kind, Sample, Scene, User
from tools.sim.sensing.fittings import Fitting, site_config
from tools.sim.sensing.recorder import heard
from tools.sim.sensing.weather import Weather

EDGE_M = 7.0
"""From the junction's centre to each line."""

LANE_M = -1.75
"""The inbound lane's middle, right of the centre line."""

APPROACHES = {
    "main_east": ApproachTruth(True, 60, 90, 1, 300, ("branch_south",)),
    "main_west": ApproachTruth(True, 60, 270, 1, 300, ("branch_south",)),
    "branch_south": ApproachTruth(False, 30, 180, 1, 200, ("main_east", "main_west")),
}

SIZES = {
    Kind.CAR: (4.5, 1.8),
    Kind.TRUCK: (9.0, 2.5),
    Kind.BUS: (11.0, 2.5),
    Kind.TRACTOR: (6.0, 2.2),
    Kind.E_BIKE: (1.8, 0.7),
    Kind.TRICYCLE: (3.0, 1.2),
    Kind.WALKER: (0.4, 0.5),
}


def user(
    name: str,
    kind: Kind,
    *,
    approach: str = "main_east",
    kmh: float = 50.0,
    from_m: float = 150.0,
    at_s: float = 0.0,
    until_s: float = 30.0,
    lateral_m: float = LANE_M,
    outbound: bool = False,
) -> User:
    """One who is ``from_m`` from the line at ``at_s`` and drives steadily until it gets there, or until ``until_s``."""
    mps = kmh / 3.6
    samples = []
    for tick in range(round(at_s * 10), round(until_s * 10) + 1):
        way_m = (tick / 10 - at_s) * mps
        distance_m = from_m + way_m if outbound else from_m - way_m
        if distance_m < 0 or distance_m > 300:
            break
        x_m, y_m = place(approach, distance_m, lateral_m)
        samples.append(Sample(tick / 10, approach, distance_m, lateral_m, mps, x_m, y_m, outbound))
    return User(name, kind, *SIZES[kind], reckless=False, leaves_before_m=None, samples=tuple(samples))


def place(approach: str, distance_m: float, lateral_m: float) -> tuple[float, float]:
    """East and north of the junction's centre."""
    bearing = math.radians(APPROACHES[approach].bearing_deg)
    out_x, out_y = math.sin(bearing), math.cos(bearing)
    along_m = EDGE_M + distance_m
    return along_m * out_x + lateral_m * out_y, along_m * out_y - lateral_m * out_x


def scene(*users: User, seconds: float = 30.0) -> Scene:
    """A T junction with these road users and no encounters."""
    return Scene("hand", 1, seconds, "", APPROACHES, users, ())


def targets(
    made: Scene, weather: Weather, *, fitting: Fitting = Fitting.RADAR_CAMERA, radar: str = "r_main_east", seed: int = 1
) -> list[tuple[float, tuple[RadarTarget, ...]]]:
    """What the node's own decoder reads from a radar's bytes: (time, targets) of every frame."""
    site = site_config(made, fitting)
    decoder = radar_decoder(site, radar)
    found = []
    for message in heard(made, site, weather, seed):
        if message.sensor == radar and message.radar is not None:
            frames = decoder.feed(message.radar, round(message.t_s * NS_PER_S))
            assert len(frames) == 1, "one frame a message"
            found.append((message.t_s, frames[0].targets))
    assert decoder.counters.resyncs == 0 and decoder.counters.targets_rejected == 0
    return found


def pictures(made: Scene, site: SiteConfig, weather: Weather, camera: str, seed: int = 1) -> list[dict[str, object]]:
    """Every message of a camera."""
    return [
        message.camera
        for message in heard(made, site, weather, seed)
        if message.sensor == camera and message.camera is not None
    ]


def at(who: User, t_s: float) -> tuple[float, float, float]:
    """Its front's place and distance at a time, between samples by a straight line."""
    times_s = [sample.t_s for sample in who.samples]
    x, y, d = (
        float(np.interp(t_s, times_s, [getattr(sample, name) for sample in who.samples]))
        for name in ("x_m", "y_m", "distance_m")
    )
    return x, y, d
