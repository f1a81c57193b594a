"""A pinhole camera above a road, as the judge of calibrations: where a place on the road is in its picture."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Pose:
    """A camera ``height_m`` above the road at (``at_m``, ``aside_m``) in road coordinates, that looks out along the
    approach: down by ``pitch_deg``, to the driver's right by ``yaw_deg``. ``focal``: in picture widths; 16:9."""

    height_m: float = 6.0
    pitch_deg: float = 15.0
    yaw_deg: float = 0.0
    focal: float = 0.9
    at_m: float = -6.0
    aside_m: float = 2.0
    aspect: float = 16 / 9

    def image_of(self, distance_m: float, lateral_m: float) -> tuple[float, float] | None:
        """0..1 of the picture (maybe beyond it), or None behind the camera."""
        pitch, yaw = math.radians(self.pitch_deg), math.radians(self.yaw_deg)
        # Looking out, the left of who comes in is the right of the picture.
        out, right = distance_m - self.at_m, lateral_m - self.aside_m
        ahead = out * math.cos(yaw) - right * math.sin(yaw)
        right = out * math.sin(yaw) + right * math.cos(yaw)
        depth = ahead * math.cos(pitch) + self.height_m * math.sin(pitch)
        down = self.height_m * math.cos(pitch) - ahead * math.sin(pitch)
        if depth <= 0.1:
            return None
        return 0.5 + self.focal * right / depth, 0.5 + self.focal * self.aspect * down / depth
