"""Riders as SUMO's files: one vehicle type each, and a roadside place for each that parks."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import quoteattr

from tools.sim.demand import BUILDS, IGNORE_FOE_MPS, KEEPS_RIGHT, TAKES_GAP_S, Rider
from tools.sim.layouts import Layout
from tools.sim.network import Network

ROUTES, PLACES = "riders.rou.xml", "places.add.xml"


def write(riders: Sequence[Rider], layout: Layout, network: Network, folder: pathlib.Path) -> None:
    """Writes ``ROUTES`` and ``PLACES`` into ``folder``."""
    rows = [row for rider in riders for row in (_type(rider), _vehicle(rider, network))]
    (folder / ROUTES).write_text("<routes>\n" + "\n".join(rows) + "\n</routes>\n", encoding="utf-8")
    places = [_place(rider, layout, network) for rider in riders if rider.parks_m is not None]
    (folder / PLACES).write_text("<additional>\n" + "\n".join(places) + "\n</additional>\n", encoding="utf-8")


def _type(rider: Rider) -> str:
    build = BUILDS[rider.kind]
    values = {
        "id": rider.id,
        "vClass": build.vehicle_class,
        "length": rider.length_m,
        "width": rider.width_m,
        "accel": build.accel_mps2,
        "decel": build.decel_mps2,
        "emergencyDecel": max(9.0, build.decel_mps2),
        "minGap": build.gap_m,
        "minGapLat": 0.25,
        "maxSpeed": rider.top_mps,
        "speedFactor": rider.pace,
        "latAlignment": "right" if rider.kind in KEEPS_RIGHT else "center",
    }
    if rider.reckless:
        values |= {
            "jmIgnoreFoeProb": rider.ignores,
            "jmIgnoreFoeSpeed": IGNORE_FOE_MPS,
            "jmIgnoreJunctionFoeProb": rider.ignores,
            "jmTimegapMinor": TAKES_GAP_S,
            "impatience": 1,
        }
    return f"<vType {_attributes(values)}/>"


def _vehicle(rider: Rider, network: Network) -> str:
    values: dict[str, object] = {
        "id": rider.id,
        "type": rider.id,
        "depart": rider.departs_s,
        "departLane": "best",
        "departSpeed": "max",
        "departPos": "base",
    }
    stop = ""
    first = rider.route[0]
    if rider.parks_m is not None:
        _, end_m = _roadside(rider, network)
        if rider.starts_parked:
            values |= {"departLane": 0, "departPos": round(end_m - 0.5, 2), "departSpeed": 0}
        stop = f"<stop {_attributes({'parkingArea': f'place_{rider.id}', 'duration': rider.stop_s})}/>"
    elif rider.stop_m is not None:
        end_m = network.lane_m[f"{first}_0"] - rider.stop_m
        where = {"lane": f"{first}_0", "startPos": round(end_m - 5.0, 2), "endPos": round(end_m, 2)}
        stop = f"<stop {_attributes({**where, 'duration': rider.stop_s, 'parking': 'false'})}/>"
    # SSM on branch users alone: every meeting that this bench judges has one of them in it.
    judged = "" if first.startswith("main") else '<param key="has.ssm.device" value="true"/>'
    return f'<vehicle {_attributes(values)}><route edges="{" ".join(rider.route)}"/>{stop}{judged}</vehicle>'


def _place(rider: Rider, layout: Layout, network: Network) -> str:
    """A parking area of one space whose body reaches ``overhang_m`` into the lane."""
    start_m, end_m = _roadside(rider, network)
    road = layout.roads[rider.approach]
    lane = f"{rider.route[0]}_0"
    # The space's place is its front; along the road from the centre, the junction's own half comes on top.
    beyond_m = road.length_m - network.length_m[rider.approach]
    (x, y), outward_deg = road.at(network.lanes[lane].distance_m - end_m + beyond_m)
    off_m = road.lanes * road.lane_m - rider.overhang_m + rider.width_m / 2.0
    # Looking outwards, the side on which a driver comes in is the left one.
    angle = math.radians(outward_deg - 90.0)
    area = {
        "id": f"place_{rider.id}",
        "lane": lane,
        "startPos": round(start_m, 2),
        "endPos": round(end_m, 2),
        "roadsideCapacity": 0,
    }
    space = {
        "x": round(x + off_m * math.sin(angle), 3),
        "y": round(y + off_m * math.cos(angle), 3),
        "angle": round((outward_deg + 180.0) % 360.0, 3),
        "width": rider.width_m,
        "length": rider.length_m,
    }
    return f"<parkingArea {_attributes(area)}><space {_attributes(space)}/></parkingArea>"


def _roadside(rider: Rider, network: Network) -> tuple[float, float]:
    """Where on the first edge the parked body stands: rear and front."""
    assert rider.parks_m is not None
    end_m = network.lane_m[f"{rider.route[0]}_0"] - rider.parks_m
    return end_m - rider.length_m - 1.0, end_m


def _attributes(values: Mapping[str, object]) -> str:
    return " ".join(f"{name}={quoteattr(str(value))}" for name, value in values.items())
