"""A camera's picture of its approach: its zones, and which point of the road lies where in it. Pure: a pinhole and a
flat road.

Invariants: picture coordinates are 0..1 with the origin top left, as in a site file; the camera looks along its mount's
direction, tilted down; a 16:9 picture.
"""

import dataclasses
import math

from device.observation import Zone
from tools.sim.sensing.mounts import CAMERA_BACK_M, CAMERA_HALF_ANGLE_DEG, CAMERA_REACH_M, Line, Mount

ASPECT = 16 / 9
TILT_DEG = 14.0
"""Down so far that the ground is in the picture from 8 m on and the horizon just below its upper edge."""

INPUT_PX = 544
"""Width of the coarser bundled detector's input for a 16:9 picture (``tiny``; ``standard`` sees 640 px)."""

FOCAL_PX = INPUT_PX / 2 / math.tan(math.radians(CAMERA_HALF_ANGLE_DEG))

WAIT_TO_M = 10.0
"""The wait zone: from 2 m past the line to here; the approach zone goes on from here."""

PAST_LINE_M = -2.0

SHOULDER_M = 3.0
"""The zones take in the shoulder, where two-wheelers ride and people walk."""

GROUND_M = (0.0, 15.0, 40.0)
"""Where the calibration's points were chalked on both edges of the inbound lanes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Zoning:
    """What the zones of an approach cover: lateral metres across the road, and how far up the road."""

    right_m: float
    left_m: float
    until_m: float

    def of(self, distance_m: float, lateral_m: float) -> Zone | None:
        """The zone a foot point falls into."""
        if not (self.right_m <= lateral_m <= self.left_m and PAST_LINE_M <= distance_m <= self.until_m):
            return None
        return Zone.WAIT if distance_m <= WAIT_TO_M else Zone.APPROACH


def zoning(line: Line) -> Zoning:
    """The zones as they are drawn over an approach's inbound lanes and shoulder."""
    return Zoning(line.right_edge_m - SHOULDER_M, line.left_edge_m, CAMERA_REACH_M - CAMERA_BACK_M)


def image_point(mount: Mount, line: Line, distance_m: float, lateral_m: float) -> tuple[float, float]:
    """Where a point of the road is in the picture; outside 0..1 is outside the picture."""
    x_m, y_m = line.at(distance_m, lateral_m)
    forward_m = (x_m - mount.x_m) * mount.look_x + (y_m - mount.y_m) * mount.look_y
    right_m = (x_m - mount.x_m) * mount.look_y - (y_m - mount.y_m) * mount.look_x
    tilt = math.radians(TILT_DEG)
    deep_m = forward_m * math.cos(tilt) + mount.height_m * math.sin(tilt)
    down_m = mount.height_m * math.cos(tilt) - forward_m * math.sin(tilt)
    focal = FOCAL_PX / INPUT_PX
    return 0.5 + focal * right_m / deep_m, 0.5 + focal * ASPECT * down_m / deep_m


def foot_error_m(mount: Mount, range_m: float, error_px: float) -> tuple[float, float]:
    """Along and across the road what a foot point is off by that is ``error_px`` off in the detector's input: a small
    angle at the lens, on the ground it grows with the square of distance along, and with distance across."""
    angle = error_px / FOCAL_PX
    return angle * range_m * range_m / mount.height_m, angle * range_m
