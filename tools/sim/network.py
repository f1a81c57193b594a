"""A layout as a SUMO network, and the way back: which place on which approach a lane is.

Each road becomes two edges a direction, split at the yard's entrance, and the short lanes that SUMO lays through the
split belong to the road too. Invariant: distances run along SUMO's own lanes, so that a bend counts by its length and
speeds agree with distances; 0 is the end of the approach's last lane, where the junction's area begins.
"""

import dataclasses
import itertools
import math
import pathlib
import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

from tools.sim import sumo
from tools.sim.layouts import Layout, Point, Road

CENTRE = "c"
YARD_M = 25.0
YARD_LIMIT_MPS = 5.0
NET = "net.net.xml"
_MAIN_PRIORITY, _BRANCH_PRIORITY, _YARD_PRIORITY = 9, 5, 1


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a lane lies. A front ``pos_m`` along an inbound lane is ``distance_m - pos_m`` from the conflict point, on
    an outbound one ``distance_m + pos_m``; ``lateral_m`` is the middle of the lane, seen by a driver who comes in."""

    approach: str
    inbound: bool
    distance_m: float
    lateral_m: float


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """A built network: places and lengths by SUMO's lane ids, ``length_m`` of each approach to the conflict point."""

    lanes: dict[str, Place]
    lane_m: dict[str, float]
    length_m: dict[str, float]


def edges(approach: str) -> tuple[list[str], list[str], str, str]:
    """The ids of an approach's edges: inbound in order, outbound in order, into the yard, out of the yard."""
    inbound, outbound = [f"{approach}_in0", f"{approach}_in1"], [f"{approach}_out1", f"{approach}_out0"]
    return inbound, outbound, f"{approach}_yard_in", f"{approach}_yard_out"


def entrance_prefix(approach: str) -> str:
    """How the ids of the lanes begin that SUMO lays across an approach's yard entrance."""
    return f":{approach}_entrance_"


def build(layout: Layout, folder: pathlib.Path) -> Network:
    """Writes the network into ``folder`` with netconvert and reads it back. Raises SumoError."""
    (folder / "plain.nod.xml").write_text(_nodes(layout), encoding="utf-8")
    (folder / "plain.edg.xml").write_text(_edges(layout), encoding="utf-8")
    sumo.run(
        "netconvert",
        [
            *("--node-files", "plain.nod.xml", "--edge-files", "plain.edg.xml", "--output-file", NET),
            # Coordinates stay those of the layout: the junction's centre is (0, 0).
            *("--offset.disable-normalization", "true"),
            # Overtaking on the other side of the road needs to know which lanes lie side by side.
            *("--opposites.guess", "true", "--opposites.guess.fix-lengths", "true"),
            *("--xml-validation", "never", "--no-warnings", "true"),
        ],
        folder,
    )
    return read(folder / NET, layout)


def read(path: pathlib.Path, layout: Layout) -> Network:
    """Finds the places of a network's lanes. Raises SumoError when a road does not run through its yard's entrance."""
    root = ET.parse(path).getroot()
    lengths = {lane.attrib["id"]: float(lane.attrib["length"]) for lane in root.iter("lane")}
    via = {
        (link.attrib["from"], link.attrib["to"], link.attrib["fromLane"]): link.attrib["via"]
        for link in root.iter("connection")
        if "via" in link.attrib
    }
    lanes: dict[str, Place] = {}
    length_m: dict[str, float] = {}
    for approach, road in layout.roads.items():
        (far_in, near_in), (near_out, far_out), _, _ = edges(approach)
        for lane in range(road.lanes):
            # Lane 0 is the outermost; a driver who comes in has his lanes on the right of the middle line.
            off_m = (road.lanes - lane - 0.5) * road.lane_m
            try:
                through_in = via[(far_in, near_in, str(lane))]
                through_out = via[(near_out, far_out, str(lane))]
            except KeyError as error:
                raise sumo.SumoError(f"{path}: {approach}: no way through at the yard for {error}") from error
            behind_m = 0.0
            for lane_id in (f"{near_in}_{lane}", through_in, f"{far_in}_{lane}"):
                behind_m += lengths[lane_id]
                lanes[lane_id] = Place(approach, True, behind_m, -off_m)
            length_m[approach] = behind_m
            ahead_m = 0.0
            for lane_id in (f"{near_out}_{lane}", through_out, f"{far_out}_{lane}"):
                lanes[lane_id] = Place(approach, False, ahead_m, off_m)
                ahead_m += lengths[lane_id]
    return Network(lanes, lengths, length_m)


def _nodes(layout: Layout) -> str:
    kind = "priority_stop" if layout.stop else "priority"
    rows = [f'<node id="{CENTRE}" x="0" y="0" type="{kind}"/>']
    for name, road in layout.roads.items():
        entrance, yard, end = _yard(road)
        rows += [
            f'<node id="{name}_entrance" x="{entrance[0]:.3f}" y="{entrance[1]:.3f}" type="priority"/>',
            f'<node id="{name}_yard" x="{yard[0]:.3f}" y="{yard[1]:.3f}"/>',
            f'<node id="{name}_end" x="{end[0]:.3f}" y="{end[1]:.3f}"/>',
        ]
    return "<nodes>" + "\n".join(rows) + "</nodes>\n"


def _edges(layout: Layout) -> str:
    rows: list[str] = []
    for name, road in layout.roads.items():
        (far_in, near_in), (near_out, far_out), into_yard, out_of_yard = edges(name)
        entrance, _, _ = _yard(road)
        near, far = _split(road, entrance)
        how = (
            f'priority="{_MAIN_PRIORITY if road.main else _BRANCH_PRIORITY}" numLanes="{road.lanes}" '
            f'speed="{road.limit_kmh / 3.6:.3f}" width="{road.lane_m}"'
        )
        yard_how = f'priority="{_YARD_PRIORITY}" numLanes="1" speed="{YARD_LIMIT_MPS}" width="3.0"'
        rows += [
            f'<edge id="{far_in}" from="{name}_end" to="{name}_entrance" {how} shape={_shape(far[::-1])}/>',
            f'<edge id="{near_in}" from="{name}_entrance" to="{CENTRE}" {how} shape={_shape(near[::-1])}/>',
            f'<edge id="{near_out}" from="{CENTRE}" to="{name}_entrance" {how} shape={_shape(near)}/>',
            f'<edge id="{far_out}" from="{name}_entrance" to="{name}_end" {how} shape={_shape(far)}/>',
            f'<edge id="{into_yard}" from="{name}_entrance" to="{name}_yard" {yard_how}/>',
            f'<edge id="{out_of_yard}" from="{name}_yard" to="{name}_entrance" {yard_how}/>',
        ]
    return "<edges>" + "\n".join(rows) + "</edges>\n"


def _yard(road: Road) -> tuple[Point, Point, Point]:
    """The yard's entrance on the road, the yard beside it and the far end of the road."""
    entrance, outward_deg = road.at(road.yard_m)
    # Looking outwards, the right of a driver who comes in is on the left.
    side_deg = outward_deg - 90.0 if road.yard_on_right else outward_deg + 90.0
    return entrance, _step(entrance, side_deg, YARD_M), road.points[-1]


def _split(road: Road, entrance: Point) -> tuple[list[Point], list[Point]]:
    """The road's points from the centre to the entrance, and from there to its end."""
    near, far, along_m = [road.points[0]], [entrance], 0.0
    for before, after in itertools.pairwise(road.points):
        along_m += math.dist(before, after)
        (near if along_m < road.yard_m else far).append(after)
    return [*near, entrance], far


def _step(start: Point, bearing_deg: float, length_m: float) -> Point:
    angle = math.radians(bearing_deg)
    return start[0] + length_m * math.sin(angle), start[1] + length_m * math.cos(angle)


def _shape(points: list[Point]) -> str:
    return quoteattr(" ".join(f"{x:.3f},{y:.3f}" for x, y in points))
