"""Where a radar lately heard echoes of nobody: rain close by, leaves that sway. Pure.

Clutter is known by what it does, never by SNR or angle: an echo that no later frame bears out, or one that claims to
come and to go and stays where it is. Invariants: clutter never rejects a target, it only asks a *slow* new one to show
that it really moves before it is believed; a target faster than any drop or leaf is never asked; clean air asks
nobody, since it takes several echoes of nobody near one place.
"""

from collections import deque

from hal.clock import NS_PER_S

SLOW_MPS = 7.0
"""Drops and leaves are slower along a beam that looks along the ground: drops fall with 4 to 9 m/s, mostly across."""

NEAR_M = 6.0
NEAR_MPS = 2.0
"""Echoes this close in range and speed to one another are of one kind."""

REMEMBER_S = 60.0
"""One burst of drops follows the other within this."""

RAIN_ECHOES = 3
"""So many unborne echoes of one kind in a minute are weather; noise alone makes three in one place once in days."""

SWAY_M = 4.0
SWAY_REMEMBER_S = 600.0
"""A bush that swayed will sway again in the next gust, minutes later, at its place give or take the range step."""

MOST = 48
"""Echoes remembered: a minute of light rain; in heavy rain fewer seconds fill it."""


class Clutter:
    """Echoes of nobody that one radar heard lately."""

    __slots__ = ("_lone", "_sway")

    def __init__(self) -> None:
        self._lone: deque[tuple[int, float, float]] = deque(maxlen=MOST)
        self._sway: dict[int, tuple[int, float]] = {}

    @property
    def any(self) -> bool:
        """Whether it has heard any."""
        return bool(self._lone or self._sway)

    def lone(self, now_ns: int, range_m: float, pace_mps: float) -> None:
        """An echo that no later frame bore out."""
        if pace_mps <= SLOW_MPS:
            self._lone.append((now_ns, range_m, pace_mps))

    def swayed(self, now_ns: int, range_m: float, pace_mps: float) -> None:
        """An echo that claimed to move to and fro and stayed where it is."""
        self._sway[round(range_m)] = (now_ns, pace_mps)

    def likely(self, now_ns: int, range_m: float, pace_mps: float) -> bool:
        """Whether a new echo here of this speed may well be nobody's."""
        if pace_mps > SLOW_MPS:
            return False
        if self._sway and self._near_sway(now_ns, range_m, pace_mps):
            return True
        if len(self._lone) < RAIN_ECHOES:
            return False
        since_ns = now_ns - round(REMEMBER_S * NS_PER_S)
        near = 0
        for at_ns, lone_m, lone_mps in self._lone:
            if at_ns >= since_ns and abs(lone_m - range_m) <= NEAR_M and abs(lone_mps - pace_mps) <= NEAR_MPS:
                near += 1
                if near == RAIN_ECHOES:
                    return True
        return False

    def _near_sway(self, now_ns: int, range_m: float, pace_mps: float) -> bool:
        since_ns = now_ns - round(SWAY_REMEMBER_S * NS_PER_S)
        self._sway = {cell_m: seen for cell_m, seen in self._sway.items() if seen[0] >= since_ns}
        return any(
            abs(cell_m - range_m) <= SWAY_M and abs(sway_mps - pace_mps) <= NEAR_MPS
            for cell_m, (_, sway_mps) in self._sway.items()
        )
