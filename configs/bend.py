"""Where a road user is along the road when a radar beside it measures a straight line to him. Pure arithmetic.

A radar measures the chord and the speed along it. On a straight road it hangs ``beside_m`` beside the lane, and the
distance along the lane is the other side of a triangle; on a bend the site file has measured pairs of both, straight
lines between them. Invariants: the distance grows with the range; the slope is what a metre of range, and so a m/s of
radial speed, is worth along the road, and it is never below one on a straight road.
"""

import bisect
import math
from collections.abc import Sequence

from configs.schema import Radar

BEAM_EDGE = 2.5
BEAM_EDGE_ALONG = math.sqrt(BEAM_EDGE * BEAM_EDGE - 1)
"""Range, and distance along the road, in units of how far the radar hangs beside it, where a road user leaves the beam:
24 degrees off the road, 20 of half beam and 4 of aim."""


class Straight:
    """A straight road, ``beside_m`` from the radar."""

    __slots__ = ("_beside2_m2", "_edge_along_m", "_edge_m", "beside_m")

    def __init__(self, beside_m: float) -> None:
        self.beside_m = beside_m
        self._beside2_m2 = beside_m * beside_m
        self._edge_m = BEAM_EDGE * beside_m
        self._edge_along_m = BEAM_EDGE_ALONG * beside_m

    def along(self, range_m: float) -> tuple[float, float]:
        """(distance along the road from the radar's foot, slope)."""
        if not self._beside2_m2:
            return range_m, 1.0
        if range_m > self._edge_m:
            along_m = math.sqrt(range_m * range_m - self._beside2_m2)
            return along_m, range_m / along_m
        # Outside the beam, predicted: as far off as at its edge.
        return range_m - self._edge_m + self._edge_along_m, BEAM_EDGE / BEAM_EDGE_ALONG


class Bend:
    """A bent road. ``pairs``: (range, distance along the road), at least two, both rising."""

    __slots__ = ("_along_m", "_range_m", "_slopes")

    def __init__(self, pairs: Sequence[tuple[float, float]]) -> None:
        self._range_m = [range_m for range_m, _ in pairs]
        self._along_m = [along_m for _, along_m in pairs]
        self._slopes = [
            (self._along_m[i + 1] - self._along_m[i]) / (self._range_m[i + 1] - self._range_m[i])
            for i in range(len(pairs) - 1)
        ]

    def along(self, range_m: float) -> tuple[float, float]:
        """(distance along the road from the radar's foot, slope); beyond the pairs the last line goes on."""
        index = min(max(bisect.bisect_right(self._range_m, range_m) - 1, 0), len(self._slopes) - 1)
        slope = self._slopes[index]
        return self._along_m[index] + slope * (range_m - self._range_m[index]), slope


SAME_SHARE = 0.02
"""Lanes whose arrivals differ by less than this are one: at 9 s it is 0.2 s."""

LANE_HALF_M = 1.75
"""From the edge of a lane to its middle, where vehicles drive (3.5 m: JTG D20-2017, 60 km/h)."""


def way_of(radar: Radar) -> Straight | Bend:
    """The road before a radar, as its site file describes it."""
    if radar.bend is None:
        return Straight(radar.beside_m)
    return Bend([(pair.range_m, pair.along_m) for pair in radar.bend])


def far_way_of(radar: Radar) -> Straight | Bend:
    """The same for whoever drives in the middle of the farthest lane; on a bend the measured pairs are all there is."""
    if radar.bend is None:
        return Straight(radar.beside_m + max(0.0, radar.width_m - LANE_HALF_M))
    return way_of(radar)


def lanes_differ_m(near: Straight | Bend, far: Straight | Bend) -> float:
    """The range within which it matters for an arrival in which lane somebody drives: the way left and the angle of the
    speed both differ by half the squares' difference over the square of the range. 0 on a bend."""
    if isinstance(near, Bend) or isinstance(far, Bend):
        return 0.0
    return math.sqrt(max(0.0, far.beside_m**2 - near.beside_m**2) / SAME_SHARE)
