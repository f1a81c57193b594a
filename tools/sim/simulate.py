"""One scene from a layout, a level of traffic and a seed: network, riders, SUMO's run and what became of it.

Invariant: the same layout, level, seed and length give the same Scene to the last digit; SUMO gets its dice from the
seed and runs on one thread.
"""

import pathlib
import tempfile

from tools.sim import demand, encounters, network, routes, sumo, trajectories
from tools.sim.layouts import Layout
from tools.sim.scene import SAMPLE_S, ApproachTruth, Scene

WARM_UP_S = 120.0
"""Runs before the scene begins, so that it begins with traffic on the road."""
LATERAL_M = 0.8
"""Resolution of SUMO's sublane model: bicycles keep to the edge, and others pass them in the lane."""
AT_THE_LINE_M = 2.0
"""One that waits at the line has arrived: SUMO's drivers stop up to this far before it."""
_FCD, _SSM = "fcd.csv", "ssm.xml"


def simulate(layout: Layout, level: demand.Level, seed: int, seconds: float) -> Scene:
    """Simulates ``seconds`` of a junction. Raises SumoError."""
    with tempfile.TemporaryDirectory(prefix="sentinel-sumo-") as name:
        folder = pathlib.Path(name)
        net = network.build(layout, folder)
        riders = demand.draw(layout, level, seed, WARM_UP_S + seconds)
        routes.write(riders, layout, net, folder)
        sumo.run("sumo", _options(seed, seconds), folder)
        users = trajectories.read_users(folder / _FCD, net, layout, riders, WARM_UP_S)
        seen = {user.id for user in users}
        met = encounters.read_encounters(folder / _SSM, WARM_UP_S) if (folder / _SSM).exists() else []
    return Scene(
        junction=layout.name,
        seed=seed,
        duration_s=seconds,
        weather="",
        approaches={
            name: ApproachTruth(
                main=road.main,
                limit_kmh=road.limit_kmh,
                bearing_deg=road.bearing_deg,
                lanes=road.lanes,
                length_m=round(net.length_m[name], 2),
                conflicts=layout.conflicts(name),
            )
            for name, road in layout.roads.items()
        },
        users=tuple(users),
        encounters=tuple(meeting for meeting in met if meeting.first in seen and meeting.second in seen),
    )


def arrivals(scene: Scene) -> int:
    """How many road users came to the end of an approach: their front was last seen within a step of it."""
    return sum(
        any(not s.outbound and s.distance_m <= SAMPLE_S * s.speed_mps + AT_THE_LINE_M for s in user.samples)
        for user in scene.users
    )


def _options(seed: int, seconds: float) -> list[str]:
    return [
        *("--net-file", network.NET, "--route-files", routes.ROUTES, "--additional-files", routes.PLACES),
        *("--seed", str(seed), "--step-length", str(SAMPLE_S), "--end", str(WARM_UP_S + seconds)),
        *("--lateral-resolution", str(LATERAL_M)),
        # A crash is a meeting for the judge; nobody is lifted off the road for it, nor for waiting long.
        *("--collision.action", "none", "--time-to-teleport", "-1"),
        *("--fcd-output", _FCD, "--fcd-output.attributes", ",".join(trajectories.ATTRIBUTES)),
        *("--device.fcd.begin", str(WARM_UP_S)),
        *encounters.options(_SSM),
        *("--xml-validation", "never", "--no-step-log", "true", "--no-warnings", "true"),
        *("--duration-log.disable", "true"),
    ]
