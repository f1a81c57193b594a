"""Which road users a node's sensors could see, and when: for whoever judges a warning. Geometry alone, never noise.

``visible`` answers for each sample of each road user. Invariants: it knows nothing of dropouts, weather or detectors;
only sensors of the sample's own approach count, because those are the ones that may report it there.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from configs.schema import SiteConfig
from tools.sim.scene import Scene
from tools.sim.sensing.bodies import ECHO_M2, Bools, Floats, Ints, Leg, legs, reach_m
from tools.sim.sensing.mounts import camera_mounts, lines, radar_mounts
from tools.sim.sensing.picture import PAST_LINE_M, zoning
from tools.sim.sensing.view import View, view

SLOWEST_MPS = 3 / 3.6
"""A Doppler radar reports nobody whose speed along its line of sight is below this (the LD2451 as we set it)."""

ONE_TARGET_DRIVER = "ops243"
"""The driver whose module reports one target at a time, the strongest (its default of one report)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Visibility:
    """Whether a sensor of its approach could see a road user at one sample.

    ``by_radar``: inside field of view and reach of its class, and fast enough along the line of sight (Doppler).
    ``by_camera``: inside field of view and range of a camera and inside one of its zones on the approach, coming in,
    and no farther out than the site file says that it surely sees.
    ``occluded``: every sensor for which one of these holds has it behind a nearer body.
    ``outshone``: every one of them has it behind a nearer body or is a radar that reports one target at a time, and
    another echo is stronger now. The last two are False where neither of the first two holds."""

    by_radar: bool
    by_camera: bool
    occluded: bool
    outshone: bool = False


NOT_AT_ALL = Visibility(by_radar=False, by_camera=False, occluded=False)


@dataclasses.dataclass(frozen=True, slots=True)
class _Marks:
    """One flag for each sample of the scene, users one after another: could a radar see it, could a camera, could one
    of them with nobody before it, and with no stronger echo either."""

    by_radar: Bools
    by_camera: Bools
    free: Bools
    reported: Bools


def visible(scene: Scene, site: SiteConfig) -> Mapping[str, Sequence[Visibility]]:
    """User id -> one Visibility for each of its samples, in their order."""
    ways = legs(scene)
    places = lines(scene)
    times_s = np.unique(np.round([sample.t_s for user in scene.users for sample in user.samples], 2))
    starts = np.concatenate(([0], np.cumsum([len(user.samples) for user in scene.users])))
    marks = _Marks(*(np.zeros(int(starts[-1]), dtype=np.bool_) for _ in dataclasses.fields(_Marks)))
    index = _Index(ways, times_s, starts)
    echo_m2 = np.array([ECHO_M2[user.kind] for user in scene.users])
    for name, mount in radar_mounts(site, places).items():
        # Whoever sends an echo back may outshine, also from between what is surely seen and what is seen at most.
        rows = view(scene, ways, dataclasses.replace(mount, reach_m=mount.sees_m), times_s, by_class=True)
        moving = rows.in_view & (np.abs(rows.closing_mps) >= SLOWEST_MPS)
        strongest = np.ones(len(moving), dtype=np.bool_)
        if site.radars[name].driver == ONE_TARGET_DRIVER:
            strongest = _strongest(rows, moving, echo_m2)
        mine = np.array([leg.approach == site.radars[name].approach for leg in ways], dtype=np.bool_)
        surely_m = np.array([reach_m(user.kind, mount.reach_m) for user in scene.users])
        seen = np.flatnonzero(moving & mine[rows.leg] & (rows.range_m <= surely_m[rows.user]))
        _mark(marks, marks.by_radar, index, rows, seen, strongest)
    for (camera, approach), mount in camera_mounts(site, places).items():
        rows = view(scene, ways, mount, times_s, by_class=False)
        drawn = zoning(places[approach])
        mine = np.array([leg.approach == approach and not leg.outbound for leg in ways], dtype=np.bool_)
        inside = (rows.lateral_m >= drawn.right_m) & (rows.lateral_m <= drawn.left_m)
        until_m = site.cameras[camera].zones[approach].reach_m or drawn.until_m
        inside &= (rows.distance_m >= PAST_LINE_M) & (rows.distance_m <= until_m)
        seen = np.flatnonzero(rows.in_view & inside & mine[rows.leg])
        _mark(marks, marks.by_camera, index, rows, seen, np.ones(len(rows.hidden), dtype=np.bool_))
    return _by_user(scene, marks, starts)


def _by_user(scene: Scene, marks: _Marks, starts: Ints) -> dict[str, list[Visibility]]:
    some = marks.by_radar | marks.by_camera
    columns = (marks.by_radar, marks.by_camera, some & ~marks.free, some & ~marks.reported)
    flags = list(zip(*(column.tolist() for column in columns), strict=True))
    return {
        user.id: [
            Visibility(*row) if row[0] or row[1] else NOT_AT_ALL
            for row in flags[int(starts[index]) : int(starts[index + 1])]
        ]
        for index, user in enumerate(scene.users)
    }


def _mark(marks: _Marks, sense: Bools, index: "_Index", rows: View, chosen: Ints, strongest: Bools) -> None:
    samples, chosen = index.of(rows, chosen)
    free = ~rows.hidden[chosen]
    sense[samples] = True
    marks.free[samples] |= free
    marks.reported[samples] |= free & strongest[chosen]


class _Index:
    """From a row of a view to the scene's sample it is; rows between a leg's samples are none."""

    def __init__(self, ways: Sequence[Leg], times_s: Floats, starts: Ints) -> None:
        self._times = len(times_s)
        keys = [number * self._times + _times_of(leg, times_s) for number, leg in enumerate(ways)]
        places = [int(starts[leg.user]) + leg.first + np.arange(len(leg.t_s)) for leg in ways]
        nothing = np.zeros(0, dtype=np.int64)
        self._keys: Ints = np.concatenate([nothing, *keys])
        self._places: Ints = np.concatenate([nothing, *places])

    def of(self, rows: View, chosen: Ints) -> tuple[Ints, Ints]:
        """The samples of the chosen rows, and which of the rows have one."""
        if len(chosen) == 0:
            return chosen, chosen
        wanted = rows.leg[chosen] * self._times + rows.time[chosen]
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        there = self._keys[at] == wanted
        return self._places[at[there]], chosen[there]


def _times_of(leg: Leg, times_s: Floats) -> Ints:
    return np.searchsorted(times_s, np.round(leg.t_s, 2)).astype(np.int64)


def _strongest(rows: View, moving: Bools, echo_m2: Floats) -> Bools:
    """Which rows are the strongest echo of their time; rows are in order of time."""
    power = np.where(moving, echo_m2[rows.user] / np.maximum(rows.range_m, 1.0) ** 4, 0.0)
    best = np.zeros(int(rows.time.max(initial=0)) + 1)
    np.maximum.at(best, rows.time, power)
    return np.asarray(power >= best[rows.time], dtype=np.bool_)
