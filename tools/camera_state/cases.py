"""What is done to a camera: lenses that go bad, and hands that turn it."""

from collections.abc import Callable, Iterator

from tools.camera_state import degraded
from tools.camera_state.degraded import Image, Noise
from tools.camera_state.scenes import Scene
from tools.camera_state.watched import Degrade

Case = tuple[str, Degrade]

BLURS = (0.007, 0.01, 0.02)
"""Sigma in widths of the picture. A third of the least of them costs the detector every second vehicle of the clips."""

DROPS = (0.3, 0.4)
"""Radius in widths of the picture: from a third of a zone on the camera is told to be blind."""

STEAMS = (0.5, 0.3)
THICK_FOG_M = 60.0
TURNS = ((0.025, 0, 0), (0, -0.04, 0), (-0.15, 0.05, 0), (0, 0, 4), (0.06, 0.03, -11), (0.5, 0, 0))
"""Shares of the width to the right and down, degrees."""

_AWAY = 0.5
"""So far nothing is left of the view: that is told by day alone."""


def bad_lenses(scene: Scene) -> Iterator[Case]:
    """Blur, a drop before the zones, steam; and fog where the scene has depth."""
    for share in BLURS:
        yield f"blur of {share:.1%} of the width", changed_by(degraded.blurred, share)
    for radius in DROPS:
        yield f"drop of {radius:.0%}", changed_by(degraded.drop, 0.5, 0.6, radius)
    for clear in STEAMS:
        yield f"steam, {clear:.0%} clear", changed_by(degraded.steamed, clear)
    if scene.depth_m is not None:
        yield f"fog of {THICK_FOG_M:.0f} m", changed_by(degraded.fogged, scene.depth_m, THICK_FOG_M)


def turns(scene: Scene) -> Iterator[Case]:
    """Small turns and large ones, by day, in rain and by night."""
    height, width = scene.pictures[0].shape[:2]
    noise = Noise(height, width)
    for right, down, degrees in TURNS:
        name = f"{right:+.1%} {down:+.1%} {degrees:+d} degrees"
        turn = changed_by(degraded.turned, right, down, degrees)
        yield name, turn
        if right < _AWAY:
            yield f"{name}, rain", in_rain(turn)
            yield f"{name}, night", by_night(turn, noise)


def changed_by(change: Callable[..., Image], *by: object) -> Degrade:
    """The same change to every picture, made once for each picture of a scene."""
    made: dict[int, Image] = {}

    def degrade(image: Image, _t_s: float) -> Image:
        if id(image) not in made:
            made[id(image)] = change(image, *by)
        return made[id(image)]

    return degrade


def in_rain(first: Degrade) -> Degrade:
    """And rain."""
    return lambda image, t_s: degraded.rain(first(image, t_s), int(10 * t_s))


def by_night(first: Degrade, noise: Noise, light: float = 0.15) -> Degrade:
    """And night, with a sensor's noise."""
    return lambda image, t_s: noise.add(degraded.exposed(first(image, t_s), light), 5.0)
