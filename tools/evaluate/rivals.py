"""What simpler units would have shown on the same radar frames: the yardstick for ours. Judged by the same judge.

- ``distance``: as commercial units do: on while any target that is not flagged receding is within 100 m, off 5 s after
  the last one.
- ``bare``: a bare time-to-arrival threshold on raw frames: on while any target that is not flagged receding has range
  over speed within the design user's gap, off 0.5 s after the last such frame (five missed frames; without any release
  it would flicker with every dropout).
- ``bare_held``: the same with our hold of 3 s.

Invariants: they see what the radar's real decoder gives, frame by frame, and nothing else: no tracks, no camera, no
class; a target flagged receding never counts, as with a radar set to approach-only.
"""

import base64
import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from configs.schema import Road, SiteConfig
from device.replay import Recorded
from device.sensors import radar_decoder
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget
from tools.evaluate.lamp import FaceLamp, showing
from tools.evaluate.spans import Spans

DISTANCE_M = 100.0
DISTANCE_RELEASE_S = 5.0
BARE_RELEASE_S = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Rival:
    """One simple unit: its name, when a target lights it, and how long after the last one it goes dark."""

    name: str
    lights: Callable[[RadarTarget, float], bool]
    release_s: float


def rivals(site: SiteConfig) -> tuple[Rival, ...]:
    """The units to compare with at a site."""
    gap_s = site.policy.gap_s.of(site.site.design_user)

    def near(target: RadarTarget, to_conflict_m: float) -> bool:
        return (
            target.flag is not Flag.RECEDING
            and target.distance_m is not None
            and target.distance_m + to_conflict_m <= DISTANCE_M
        )

    def soon(target: RadarTarget, to_conflict_m: float) -> bool:
        if target.flag is Flag.RECEDING or target.distance_m is None or not target.speed_mps:
            return False
        return (target.distance_m + to_conflict_m) / abs(target.speed_mps) <= gap_s

    return (
        Rival("distance", near, DISTANCE_RELEASE_S),
        Rival("bare", soon, BARE_RELEASE_S),
        Rival("bare_held", soon, site.policy.hold_s),
    )


def frames(recorded: Recorded, site: SiteConfig) -> dict[str, list[tuple[float, RadarFrame]]]:
    """Every radar's frames with their times from the recording's first message."""
    start_ns = recorded.messages[0].log_ns
    found: dict[str, list[tuple[float, RadarFrame]]] = {}
    decoders = {f"/radar/{name}/raw": (name, radar_decoder(site, name)) for name in site.radars}
    for message in recorded.messages:
        if message.topic in decoders:
            name, decoder = decoders[message.topic]
            data = base64.b64decode(json.loads(message.data)["data"])
            at_s = (message.log_ns - start_ns) / NS_PER_S
            found.setdefault(name, []).extend((at_s, frame) for frame in decoder.feed(data, message.log_ns))
    return found


def fitted_faces(site: SiteConfig) -> list[str]:
    """Branch faces all of whose main-road approaches have a radar: where a unit of this kind would be sold."""
    watched = {radar.approach for radar in site.radars.values()}
    return [
        face
        for face, approach in site.approaches.items()
        if approach.road is Road.BRANCH
        and {name for name in approach.conflicts if site.approaches[name].road is Road.MAIN} <= watched
    ]


def lamps(
    rival: Rival, seen: Mapping[str, Sequence[tuple[float, RadarFrame]]], site: SiteConfig, end_s: float
) -> dict[str, FaceLamp]:
    """What the unit would have shown on each fitted face."""
    found = {}
    for face in fitted_faces(site):
        watching = [name for name, radar in site.radars.items() if radar.approach in site.approaches[face].conflicts]
        lit = Spans(span for name in watching for span in _lit(rival, seen.get(name, ()), site, name))
        found[face] = showing({"caution": lit}, end_s)
    return found


def _lit(
    rival: Rival, seen: Iterable[tuple[float, RadarFrame]], site: SiteConfig, radar: str
) -> Iterable[tuple[float, float]]:
    to_conflict_m = site.radars[radar].to_conflict_m
    for at_s, frame in seen:
        if any(rival.lights(target, to_conflict_m) for target in frame.targets):
            yield at_s, at_s + rival.release_s
