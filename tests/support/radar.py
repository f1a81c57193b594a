"""A radar's tracker fed at 10 Hz: what every test of tracks begins with."""

import itertools

from configs.bend import Straight
from device.tracking import RadarTracker
from device.tracks import Track
from hal.clock import NS_PER_S
from hal.interfaces import RadarFrame, RadarTarget

TENTH_NS = NS_PER_S // 10


class Radar:
    """A tracker fed at 10 Hz, beside a straight road. ``far_m``: how far beside it the middle of the farthest lane is,
    as far as the near one when it is left out."""

    def __init__(self, to_conflict_m: float = 0.0, beside_m: float = 0.0, far_m: float | None = None) -> None:
        far_way = Straight(beside_m if far_m is None else far_m)
        self.tracker = RadarTracker("r", "main_east", to_conflict_m, itertools.count(1), Straight(beside_m), far_way)
        self.now_ns = NS_PER_S

    def see(self, *targets: RadarTarget) -> list[Track]:
        """The tracks after one more frame."""
        self.now_ns += TENTH_NS
        self.tracker.update(RadarFrame("r", self.now_ns, targets))
        self.tracker.advance(self.now_ns)
        return self.tracker.tracks()

    def later(self, *targets: RadarTarget) -> list[Track]:
        """Half a second later: a way of half a metre at 1 m/s, so that what is predicted is exactly what comes."""
        self.now_ns += 4 * TENTH_NS
        return self.see(*targets)

    def wait(self, seconds: float) -> list[Track]:
        """The same after frames without anybody."""
        for _ in range(round(seconds * 10)):
            tracks = self.see()
        return tracks
