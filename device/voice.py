"""Which clip a face speaks, and when it stays quiet. Pure.

Invariants: the voice speaks only in alert, only of a road user whom a trusted sensor sees now and to one whom a trusted
sensor has seen (a lamp that is merely held says nothing new); direction first; the same face is silent for
``lockout_s`` after a message; quiet hours and an untrusted clock fail quiet.
"""

from collections.abc import Mapping

from configs.schema import Road, SiteConfig
from device.day import DayState
from device.decision import FaceDecision
from hal.clock import NS_PER_S

LEFT = "left_vehicle"
RIGHT = "right_vehicle"
BOTH = "both_vehicles"
AHEAD = "vehicle_ahead"
JUNCTION = "junction_ahead"

SIDE_FROM_DEG, SIDE_TO_DEG = 20.0, 160.0
"""A road user within 20° of straight ahead or behind is on neither side."""


def side(own_bearing_deg: float | None, other_bearing_deg: float | None) -> str | None:
    """``left`` or ``right`` of a driver who comes from ``own`` and meets one who comes from ``other``; None when it
    is neither or not known. Bearings are those of the approaches seen from the conflict point."""
    if own_bearing_deg is None or other_bearing_deg is None:
        return None
    # Coming from the south a driver looks north; who comes from the east is on the right.
    off_deg = (other_bearing_deg - (own_bearing_deg + 180.0)) % 360.0
    if SIDE_FROM_DEG <= off_deg <= SIDE_TO_DEG:
        return "right"
    return "left" if 360.0 - SIDE_TO_DEG <= off_deg <= 360.0 - SIDE_FROM_DEG else None


def clip_for(config: SiteConfig, decision: FaceDecision) -> str:
    """The clip for a face in alert: the sides from which road users come now."""
    own = config.approaches[decision.face]
    if own.road is Road.MAIN:
        return JUNCTION
    sides = {side(own.bearing_deg, config.approaches[name].bearing_deg) for name in decision.coming}
    if None in sides or not sides:
        return AHEAD
    if len(sides) == 2:
        return BOTH
    return LEFT if "left" in sides else RIGHT


class VoiceKeeper:
    """When each face last spoke."""

    def __init__(self) -> None:
        self._spoken_ns: dict[str, int] = {}
        self._spoken_for: dict[str, int] = {}

    def step(
        self,
        now_ns: int,
        config: SiteConfig,
        day: DayState,
        decisions: Mapping[str, FaceDecision],
        trusted: frozenset[str],
    ) -> dict[str, str]:
        """Face -> clip to speak now. A face speaks once per arriving track, never within the lockout. ``trusted``:
        sensors whose road users may be spoken of."""
        said: dict[str, str] = {}
        for face, decision in decisions.items():
            if decision.level != "alert":
                self._spoken_for.pop(face, None)
                continue
            comes, meets = decision.soonest, decision.conflict
            if day.quiet or comes is None or meets is None or not {comes.sensor, meets.sensor} <= trusted:
                continue
            arrival_s = comes.time_to_arrival_s
            if arrival_s is not None and arrival_s > config.voice.speak_within_s:
                continue
            if self._spoken_for.get(face) == comes.id:
                continue
            last_ns = self._spoken_ns.get(face)
            if last_ns is not None and now_ns - last_ns < config.voice.lockout_s * NS_PER_S:
                continue
            self._spoken_ns[face] = now_ns
            self._spoken_for[face] = comes.id
            said[face] = clip_for(config, decision)
        return said
