"""A place in a camera's picture -> a place on the road, by a plane that ``device.calibration`` has fitted. Pure.

Invariants: places in the picture are 0..1 with the origin top left; ``distance_m`` runs along the approach to the
conflict point, ``lateral_m`` is positive to the left seen by a driver who comes in; what is at or above the horizon, or
far outside what was calibrated, is no place on the road (None) and is never bent into one. No numpy: one place costs
a dozen multiplications.
"""

import dataclasses

DETECTOR_PX = (544, 306)
"""Width and height of a 16:9 picture as the coarser bundled detector gets it (544 x 320 for ``tiny``, letterboxed): the
lower edge of a box is no finer than one of these pixels."""

EXTRAPOLATED = 0.5
"""Of the farthest point's distance: so far beyond the farthest and before the nearest point the plane is believed.
A road is seldom flat for longer than it was measured."""

HORIZON = 1e-3
"""The denominator is 1 in the middle of the calibrated points and 0 at the horizon; below this the road is a thousand
times farther away than those points."""

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A place on the road."""

    distance_m: float
    lateral_m: float


@dataclasses.dataclass(frozen=True, slots=True)
class GroundPlane:
    """``to_road`` takes (x, y, 1) of the picture to (distance, lateral, 1) times a denominator; ``to_image`` is its
    inverse, with a denominator that is positive in front of the camera. Nearest, farthest: of the calibrated points."""

    to_road: Matrix
    to_image: Matrix
    nearest_m: float
    farthest_m: float
    middle_lateral_m: float

    @property
    def begins_m(self) -> float:
        """The nearest distance that counts as a place."""
        return self.nearest_m - EXTRAPOLATED * abs(self.farthest_m)

    @property
    def reach_m(self) -> float:
        """The farthest distance that counts as a place."""
        return self.farthest_m + EXTRAPOLATED * abs(self.farthest_m)

    def above_horizon(self, x: float, y: float) -> bool:
        """Whether a place in the picture shows no road."""
        return _row(self.to_road[2], x, y) <= HORIZON

    def on_plane(self, x: float, y: float) -> Place | None:
        """The place on the endless plane, or None at the horizon and above."""
        scale = _row(self.to_road[2], x, y)
        if scale <= HORIZON:
            return None
        return Place(_row(self.to_road[0], x, y) / scale, _row(self.to_road[1], x, y) / scale)

    def locate(self, x: float, y: float) -> Place | None:
        """The place on the road, or None where there is none: above the horizon, or beyond what was calibrated."""
        place = self.on_plane(x, y)
        if place is None or not self.begins_m <= place.distance_m <= self.reach_m:
            return None
        return place

    def image_of(self, distance_m: float, lateral_m: float) -> tuple[float, float] | None:
        """Where a place on the road is in the picture (maybe beyond its edges), or None behind the camera."""
        scale = _row(self.to_image[2], distance_m, lateral_m)
        if scale <= 0.0:
            return None
        return (
            _row(self.to_image[0], distance_m, lateral_m) / scale,
            _row(self.to_image[1], distance_m, lateral_m) / scale,
        )


def _row(row: tuple[float, float, float], one: float, other: float) -> float:
    return row[0] * one + row[1] * other + row[2]
