"""What weather, light and other radars do to sensors: every parameter of the noise, with its basis.

The values were chosen for realism before any tracker was tuned on them; a figure measured on them means only as much
as these sentences. Invariant: quantisation, field of view, reach by class, radial speed and the blindness of Doppler
to those who stand are physics of the sensor and belong to every weather, ``clean`` too.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Weather:
    """One weather. Shares are of 1, rates are of one sensor."""

    name: str

    frame_jitter_s: float = 0.003
    """Spread (sigma) of a radar's frame times around its 0.1 s: its processor's own clock and the UART."""

    latency_s: float = 0.05
    """A radar's frame tells of the road this long before: it integrates for most of its 0.1 s."""

    occlusion: bool = False
    """Whether a nearer body hides what is behind it. Geometry, but it belongs to the second bar, not to ``clean``."""

    dropout_share: float = 0.0
    """Share of a target's frames that are missing although it is in reach: fading of the echo between frames."""

    dropout_frames: float = 1.5
    """Mean length of a run of missing frames: fading at 24 GHz changes within one or two frames of 0.1 s."""

    range_jitter_m: float = 0.0
    """Sigma of the range before it is rounded: the echo wanders over a vehicle's body."""

    speed_jitter_mps: float = 0.0
    """Sigma of the speed before it is rounded: half a Doppler bin of a 0.1 s frame (6 cm/s) and turning wheels."""

    ghosts_per_s: float = 0.0
    """Single-frame false targets, at any range and speed: noise over the threshold (CFAR)."""

    interference_per_h: float = 0.0
    """Bursts from another 24 GHz radar that passes by."""

    interference_s: float = 0.3
    """Mean length of a burst: two beams that cross on moving vehicles."""

    interference_ghosts: float = 1.5
    """Mean false targets in each frame of a burst."""

    interference_blinds_beyond: float = 0.5
    """During a burst the noise floor hides what is beyond this share of its own reach (12 dB by the fourth power)."""

    reach_share: float = 1.0
    """Reach left in rain: 50 mm/h takes about 8 dB/km at 24 GHz (ITU-R P.838), on the way there and back over 100 m
    1.6 dB, by the fourth root 9 % of range."""

    rain_per_s: float = 0.0
    """False targets from drops near the radar: their echoes are incoherent from frame to frame."""

    rain_within_m: float = 12.0
    """A drop's echo falls with the fourth power of range: beyond this it is under the threshold."""

    rain_speed_mps: tuple[float, float] = (0.8, 6.0)
    """Drops fall with 4 to 9 m/s and drift with the wind; a beam that looks along the ground sees the slower part."""

    vegetation_patches: int = 0
    """Trees or maize at the verge, each at one range for the whole recording."""

    vegetation_range_m: tuple[float, float] = (12.0, 45.0)
    """Nearer than this the verge is kept short; farther away leaves are under the threshold."""

    vegetation_speed_mps: tuple[float, float] = (0.8, 2.2)
    """Speed of swaying branches in strong wind."""

    vegetation_sway_s: float = 1.6
    """Time of one sway to and fro: the sign changes twice in it."""

    vegetation_share: float = 0.6
    """Share of frames in which a patch is reported while the wind blows."""

    gust_s: tuple[float, float] = (60.0, 240.0)
    """A spell of wind lasts minutes."""

    lull_s: tuple[float, float] = (60.0, 180.0)
    """And so does the calm after it."""

    multipath_share: float = 0.0
    """Share of a target's frames with a second row behind it: by way of a wet road or a barrier."""

    multipath_m: tuple[float, float] = (1.0, 5.0)
    """How much longer that way is."""

    box_jitter_px: float = 0.3
    """Sigma of a box's foot point in the detector's input (544 px wide): quantisation, or a box that breathes. On the
    ground it is an error that grows with the square of distance."""

    box_jitter_stays: float = 0.7
    """How much of that error is the same in the next picture: the same shadow, the same shape."""

    camera_latency_s: tuple[float, float] = (0.15, 0.02)
    """Mean and sigma from the picture to its observation in core: exposure, transfer, one inference."""

    recall: bool = False
    """Whether the detector misses by the size of the picture (its model card: pole views) or sees all in range."""

    recall_share: float = 1.0
    """Recall in this light as a share of that by day."""

    miss_frames: float = 3.0
    """Mean length of a run of missed pictures: what hides a road user from a detector (pose, background) stays a
    moment."""

    word_stays: float = 1.0
    """Chance that a box has the class of the picture before, where a kind has several (a lorry is a car now and then:
    the model card says one body may come out as both)."""

    confusion_share: float = 0.0
    """Share of pictures, near the camera, in which a box has a neighbour's class; it doubles at the end of range."""

    rider_share: float = 0.0
    """Share of pictures in which the rider of a two-wheeler is boxed too, as a person: the detector knows both, and
    suppression works within a class."""

    false_boxes_per_s: float = 0.0
    """Single-picture boxes where nobody is: shadows, signs, reflections."""


CLEAN = Weather("clean")
"""Physics of the sensors alone."""

_ON_THE_ROAD = dataclasses.replace(
    CLEAN,
    occlusion=True,
    dropout_share=0.03,
    range_jitter_m=0.5,
    speed_jitter_mps=0.15,
    ghosts_per_s=0.05,
    recall=True,
    word_stays=0.8,
    rider_share=0.3,
    false_boxes_per_s=0.05,
)
"""What every weather but ``clean`` has: bodies that hide others, a detector that misses, an echo that wanders."""

FAULTS = dataclasses.replace(
    _ON_THE_ROAD,
    name="faults",
    dropout_share=0.10,
    ghosts_per_s=0.2,
    interference_per_h=12.0,
    box_jitter_px=1.5,
    confusion_share=0.05,
    false_boxes_per_s=0.02,
)
"""10 % dropouts, occlusion and ghosts: one frame in fifty has a ghost, a foreign radar every five minutes."""

RAIN = dataclasses.replace(
    _ON_THE_ROAD,
    name="rain",
    reach_share=0.91,
    rain_per_s=6.0,
    vegetation_patches=2,
    multipath_share=0.05,
    box_jitter_px=2.0,
    recall_share=0.85,
    confusion_share=0.08,
)
"""Sustained rain and wind, dropouts light."""

NIGHT = dataclasses.replace(
    _ON_THE_ROAD,
    name="night",
    box_jitter_px=2.5,
    recall_share=0.6,
    confusion_share=0.15,
)
"""Headlamps, no street light: the radar as ever, the camera misses and confuses."""

PRESETS = {weather.name: weather for weather in (CLEAN, FAULTS, RAIN, NIGHT)}
