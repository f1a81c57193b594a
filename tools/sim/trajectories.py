"""SUMO's floating-car data, line by line, as road users with a place on their approach.

Invariants: a sample exists only while the front is on an approach's lanes (the ways through the junction and into a
yard are no approach); ``outbound`` follows the movement, because an overtaker may use the lane of the other side.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

from tools.sim.demand import Rider
from tools.sim.layouts import Layout
from tools.sim.network import Network, Place, entrance_prefix
from tools.sim.scene import Sample, User
from tools.sim.sumo import SumoError

ATTRIBUTES = ("id", "x", "y", "speed", "pos", "lane", "posLat")
HEADER = "timestep_time;vehicle_id;vehicle_x;vehicle_y;vehicle_speed;vehicle_pos;vehicle_lane;vehicle_posLat"
STANDS_M = 0.005
"""Less than this in a step is no movement: SUMO writes centimetres."""


@dataclasses.dataclass(slots=True)
class _Journey:
    """What is known of one user while its lines come in."""

    samples: list[Sample] = dataclasses.field(default_factory=list)
    place: Place | None = None
    leaves_before_m: float | None = None


def read_users(
    path: pathlib.Path, network: Network, layout: Layout, riders: Sequence[Rider], from_s: float
) -> list[User]:
    """The road users of a run in order of first sight; time counts from ``from_s``. Raises SumoError."""
    with path.open(encoding="utf-8") as file:
        if next(file, "").strip() != HEADER:
            raise SumoError(f"{path}: not the columns asked for: {HEADER}")
        journeys = _journeys(file, network, layout, {r.id: r for r in riders}, from_s)
    by_id = {rider.id: rider for rider in riders}
    return [
        User(
            id=name,
            kind=by_id[name].kind,
            length_m=by_id[name].length_m,
            width_m=by_id[name].width_m,
            reckless=by_id[name].reckless,
            leaves_before_m=journey.leaves_before_m,
            samples=tuple(journey.samples),
        )
        for name, journey in journeys.items()
        if journey.samples
    ]


def _journeys(
    lines: Iterable[str], network: Network, layout: Layout, riders: dict[str, Rider], from_s: float
) -> dict[str, _Journey]:
    journeys: dict[str, _Journey] = {}
    lanes = network.lanes
    for line in lines:
        time, name, x, y, speed, pos, lane, off = line.split(";")
        journey = journeys.get(name)
        if journey is None:
            journey = journeys[name] = _Journey()
        place = lanes.get(lane)
        before, journey.place = journey.place, place
        if place is None:
            if (
                before is not None
                and lane.startswith(entrance_prefix(before.approach))
                and not journey.samples[-1].outbound
            ):
                journey.leaves_before_m = journey.samples[-1].distance_m
            continue
        x_m, y_m, along_m = float(x), float(y), float(pos)
        if place.inbound:
            distance_m, lateral_m = place.distance_m - along_m, place.lateral_m + float(off)
        else:
            distance_m, lateral_m = place.distance_m + along_m, place.lateral_m - float(off)
        if riders[name].parks_m is not None:
            # A parked body stands beside its lane, where SUMO's lateral position does not follow.
            lateral_m = layout.roads[place.approach].lateral_m((x_m, y_m))
        outbound = not place.inbound
        if before is not None and before.approach == place.approach:
            last = journey.samples[-1]
            moved_m = distance_m - last.distance_m
            outbound = last.outbound if abs(moved_m) < STANDS_M else moved_m > 0.0
        journey.samples.append(
            Sample(
                round(float(time) - from_s, 2),
                place.approach,
                round(distance_m, 3),
                round(lateral_m, 3),
                float(speed),
                x_m,
                y_m,
                outbound,
            )
        )
    return journeys
