"""Which road users a node's sensors could see, and when: for whoever judges a warning. Geometry alone, never noise.

``visible`` answers for each sample of each road user. Invariants: it knows nothing of dropouts, weather or detectors;
only sensors of the sample's own approach count, because those are the ones that may report it there.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from configs.schema import SiteConfig
from tools.sim.scene import Scene
from tools.sim.sensing.bodies import Bools, Floats, Ints, Leg, legs
from tools.sim.sensing.mounts import Mount, camera_mounts, lines, radar_mounts
from tools.sim.sensing.picture import PAST_LINE_M, Zoning, zoning
from tools.sim.sensing.view import view

SLOWEST_MPS = 3 / 3.6
"""A Doppler radar reports nobody whose speed along its line of sight is below this (the LD2451 as we set it)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Visibility:
    """Whether a sensor of its approach could see a road user at one sample.

    ``by_radar``: inside field of view and reach of its class, and fast enough along the line of sight (Doppler).
    ``by_camera``: inside field of view and range of a camera and inside one of its zones on the approach, coming in.
    ``occluded``: every sensor for which one of these holds has it behind a nearer body. It says nothing when neither
    holds (False then)."""

    by_radar: bool
    by_camera: bool
    occluded: bool


NOT_AT_ALL = Visibility(by_radar=False, by_camera=False, occluded=False)


def visible(scene: Scene, site: SiteConfig) -> Mapping[str, Sequence[Visibility]]:
    """User id -> one Visibility for each of its samples, in their order."""
    ways = legs(scene)
    places = lines(scene)
    times_s = np.unique(np.round([sample.t_s for user in scene.users for sample in user.samples], 2))
    sizes = [len(user.samples) for user in scene.users]
    starts = np.concatenate(([0], np.cumsum(sizes)))
    marks = {
        word: np.zeros(starts[-1], dtype=np.bool_) for word in ("by_radar", "by_camera", "radar_free", "camera_free")
    }
    for name, mount in radar_mounts(site, places).items():
        mine = [leg for leg in ways if leg.approach == site.radars[name].approach]
        _mark(scene, ways, mine, mount, times_s, starts, marks["by_radar"], marks["radar_free"], None)
    for (_camera, approach), mount in camera_mounts(site, places).items():
        mine = [leg for leg in ways if leg.approach == approach and not leg.outbound]
        drawn = zoning(places[approach])
        _mark(scene, ways, mine, mount, times_s, starts, marks["by_camera"], marks["camera_free"], drawn)
    seen = marks["by_radar"] | marks["by_camera"]
    occluded = seen & ~marks["radar_free"] & ~marks["camera_free"]
    found: dict[str, list[Visibility]] = {}
    for index, user in enumerate(scene.users):
        span = slice(int(starts[index]), int(starts[index + 1]))
        found[user.id] = [
            Visibility(bool(radar), bool(camera), bool(behind)) if radar or camera else NOT_AT_ALL
            for radar, camera, behind in zip(
                marks["by_radar"][span], marks["by_camera"][span], occluded[span], strict=True
            )
        ]
    return found


def _mark(
    scene: Scene,
    ways: Sequence[Leg],
    mine: Sequence[Leg],
    mount: Mount,
    times_s: Floats,
    starts: Ints,
    seen: Bools,
    free: Bools,
    drawn: Zoning | None,
) -> None:
    """Notes for each sample of ``mine`` whether this sensor could see it, and whether nobody stood before it.
    ``drawn``: a camera's zones, None for a radar."""
    wanted = {id(leg) for leg in mine}
    rows = view(scene, ways, mount, times_s, by_class=drawn is None)
    could = rows.in_view & np.array([id(leg) in wanted for leg in ways], dtype=np.bool_)[rows.leg]
    if drawn is None:
        could &= np.abs(rows.closing_mps) >= SLOWEST_MPS
    else:
        could &= (rows.lateral_m >= drawn.right_m) & (rows.lateral_m <= drawn.left_m)
        could &= (rows.distance_m >= PAST_LINE_M) & (rows.distance_m <= drawn.until_m)
    for index in np.flatnonzero(could):
        leg = ways[rows.leg[index]]
        at = int(np.searchsorted(leg.t_s, times_s[rows.time[index]] - 0.005))
        if at < len(leg.t_s) and abs(leg.t_s[at] - times_s[rows.time[index]]) < 0.006:
            place = int(starts[leg.user]) + leg.first + at
            seen[place] = True
            free[place] |= not rows.hidden[index]
