"""Which sensors can be believed now: when each was last heard, what it says of itself and what its frames say. Pure.

Invariants: a sensor unheard for more than 500 ms is stale; what a radar that is flooded by clutter sees is still acted
on, but it is not spoken of and earns no dark.
"""

import dataclasses
import enum
from collections.abc import Mapping

from device.radar_watch import RadarWatch
from hal.clock import NS_PER_S
from hal.interfaces import RadarFrame

STALE_S = 0.5
"""The one number for stale (DESIGN.md §3). A polled radar that is silent on an empty road has its own."""


class SensorState(enum.StrEnum):
    """State of one sensor."""

    OK = "ok"
    STALE = "stale"
    FAULT = "fault"


@dataclasses.dataclass(slots=True)
class _Sensor:
    stale_after_ns: int
    watch: RadarWatch
    heard_ns: int | None = None
    problem: str | None = None


class SensorBoard:
    """When each sensor was last heard, what it says of itself and what its frames say of it.

    ``stale_after_s`` overrides the one number for sensors that are polled on a silent road.
    """

    def __init__(self, sensors: frozenset[str], stale_after_s: Mapping[str, float]) -> None:
        self._sensors = {
            name: _Sensor(round(stale_after_s.get(name, STALE_S) * NS_PER_S), RadarWatch(polled=name in stale_after_s))
            for name in sorted(sensors)
        }
        self._all = frozenset(self._sensors)
        self.suspects: frozenset[str] = frozenset()
        """Radars that are flooded or slow: heard and acted on, but not as good as they should be."""

    def heard(self, sensor: str, at_ns: int) -> None:
        """A frame came. Unknown sensors are ignored."""
        entry = self._sensors.get(sensor)
        if entry is not None and (entry.heard_ns is None or at_ns > entry.heard_ns):
            entry.heard_ns = at_ns

    def take(self, frame: RadarFrame) -> None:
        """Judges a radar by a frame that is newer than the last one. Unknown radars are ignored."""
        entry = self._sensors.get(frame.radar)
        if entry is None:
            return
        watch = entry.watch
        watch.take(frame)
        if (watch.flooded or watch.slow) is not (frame.radar in self.suspects):
            self.suspects = self.suspects ^ {frame.radar}

    def problem(self, sensor: str, problem: str | None) -> None:
        """The sensor's own word."""
        if sensor in self._sensors:
            self._sensors[sensor].problem = problem

    def state(self, sensor: str, now_ns: int) -> SensorState:
        """Whether to believe it now."""
        entry = self._sensors[sensor]
        if entry.problem is not None or entry.watch.frozen:
            return SensorState.FAULT
        if entry.heard_ns is None or now_ns - entry.heard_ns > entry.stale_after_ns:
            return SensorState.STALE
        return SensorState.OK

    def healthy(self, now_ns: int) -> frozenset[str]:
        """All sensors that can be acted on now; the same object for as long as that is every one of them."""
        ok = SensorState.OK
        lost = [name for name in self._sensors if self.state(name, now_ns) is not ok]
        return self._all.difference(lost) if lost else self._all

    def stale_from_ns(self) -> int | None:
        """When the next sensor goes stale if none is heard again; None when any is stale or in fault already."""
        times_ns = []
        for entry in self._sensors.values():
            if entry.heard_ns is None or entry.problem is not None or entry.watch.frozen:
                return None
            times_ns.append(entry.heard_ns + entry.stale_after_ns + 1)
        return min(times_ns, default=None)

    def flooded(self, sensor: str) -> bool:
        """Whether clutter hides from it what it should see."""
        return sensor in self.suspects and self._sensors[sensor].watch.flooded

    def trusted(self, healthy: frozenset[str]) -> frozenset[str]:
        """Of those that can be acted on, the ones whose road users may be spoken of."""
        return healthy if not self.suspects else frozenset(name for name in healthy if not self.flooded(name))

    def why(self, sensor: str, now_ns: int) -> str:
        """What is wrong, in words."""
        entry = self._sensors[sensor]
        if entry.problem is not None:
            return f"{sensor}: {entry.problem}"
        if entry.watch.frozen:
            return f"{sensor}: frozen, the same moving targets in every frame"
        if entry.heard_ns is None:
            return f"{sensor}: not heard yet"
        if self.state(sensor, now_ns) is SensorState.STALE:
            return f"{sensor}: silent for {(now_ns - entry.heard_ns) / NS_PER_S:.0f} s"
        if entry.watch.flooded:
            return f"{sensor}: flooded by clutter"
        now_hz, pace_hz = entry.watch.rates_hz()
        return f"{sensor}: {now_hz:.0f} frames a second, {pace_hz:.0f} before"

    def age_ms(self, sensor: str, now_ns: int) -> float | None:
        """Milliseconds since it was heard, None when never."""
        heard_ns = self._sensors[sensor].heard_ns
        return None if heard_ns is None else (now_ns - heard_ns) / 1e6

    def names(self) -> list[str]:
        """All sensors."""
        return list(self._sensors)
