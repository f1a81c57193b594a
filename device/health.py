"""Which sensors can be believed, and what that makes of each face. Pure.

Invariants: a sensor unheard for more than 500 ms is stale, and stale is a fault; a face whose watched approach has no
healthy sensor is in fault; fault clears by itself only after 30 s of fault and 10 s healthy; presence is *known* only
through a healthy sensor that sees standing users.
"""

import dataclasses
import enum
from collections.abc import Mapping

from configs.schema import Road, SiteConfig
from hal.clock import NS_PER_S

STALE_S = 0.5
"""The one number for stale (DESIGN.md §3). A polled radar that is silent on an empty road has its own, see Watch."""

FAULT_AT_LEAST_S = 30.0
HEALTHY_FOR_S = 10.0


class Health(enum.StrEnum):
    """Health of a face, a second value beside its level."""

    OK = "ok"
    DEGRADED = "degraded"
    FAULT = "fault"


class SensorState(enum.StrEnum):
    """State of one sensor."""

    OK = "ok"
    STALE = "stale"
    FAULT = "fault"


@dataclasses.dataclass(slots=True)
class _Sensor:
    stale_after_ns: int
    heard_ns: int | None = None
    problem: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class FaceHealth:
    """Health of a face and why, in words a technician can act on. ``reasons`` is empty when ok."""

    health: Health
    reasons: tuple[str, ...]
    presence_known: bool
    """Whether a healthy sensor sees standing users on every approach the face conflicts with."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Watch:
    """What a face needs: sensors of each watched approach, and those that see who stands."""

    moving: Mapping[str, frozenset[str]]
    presence: Mapping[str, frozenset[str]]


class SensorBoard:
    """When each sensor was last heard and what it says of itself.

    ``stale_after_s`` overrides the one number for sensors that are polled on a silent road.
    """

    def __init__(self, sensors: frozenset[str], stale_after_s: Mapping[str, float]) -> None:
        self._sensors = {name: _Sensor(round(stale_after_s.get(name, STALE_S) * NS_PER_S)) for name in sorted(sensors)}

    def heard(self, sensor: str, at_ns: int) -> None:
        """A frame came. Unknown sensors are ignored."""
        entry = self._sensors.get(sensor)
        if entry is not None and (entry.heard_ns is None or at_ns > entry.heard_ns):
            entry.heard_ns = at_ns

    def problem(self, sensor: str, problem: str | None) -> None:
        """The sensor's own word."""
        if sensor in self._sensors:
            self._sensors[sensor].problem = problem

    def state(self, sensor: str, now_ns: int) -> SensorState:
        """Whether to believe it now."""
        entry = self._sensors[sensor]
        if entry.problem is not None:
            return SensorState.FAULT
        if entry.heard_ns is None or now_ns - entry.heard_ns > entry.stale_after_ns:
            return SensorState.STALE
        return SensorState.OK

    def healthy(self, now_ns: int) -> frozenset[str]:
        """All sensors that can be believed now."""
        return frozenset(name for name in self._sensors if self.state(name, now_ns) is SensorState.OK)

    def why(self, sensor: str, now_ns: int) -> str:
        """What is wrong, in words."""
        entry = self._sensors[sensor]
        if entry.problem is not None:
            return f"{sensor}: {entry.problem}"
        if entry.heard_ns is None:
            return f"{sensor}: not heard yet"
        return f"{sensor}: silent for {(now_ns - entry.heard_ns) / NS_PER_S:.0f} s"

    def age_ms(self, sensor: str, now_ns: int) -> float | None:
        """Milliseconds since it was heard, None when never."""
        heard_ns = self._sensors[sensor].heard_ns
        return None if heard_ns is None else (now_ns - heard_ns) / 1e6

    def names(self) -> list[str]:
        """All sensors."""
        return list(self._sensors)


def watches(config: SiteConfig, not_fitted: frozenset[str] = frozenset()) -> dict[str, _Watch]:
    """What each face needs. Sensors in ``not_fitted`` count as not there (a recording of one radar is judged by that
    radar). An approach without a sensor is not watched: `config check` and the status warn of it (``unwatched``), and
    a face that has nothing to watch is in fault."""
    fitted: dict[str, set[str]] = {name: set() for name in config.approaches}
    standing: dict[str, set[str]] = {name: set() for name in config.approaches}
    for name, radar in config.radars.items():
        if name not in not_fitted:
            fitted[radar.approach].add(name)
    for name, camera in config.cameras.items():
        if name in not_fitted:
            continue
        for approach, zones in camera.zones.items():
            fitted[approach].add(name)
            if zones.wait is not None:
                standing[approach].add(name)
    found = {}
    for face, approach_config in config.approaches.items():
        if approach_config.road is Road.MAIN:
            needed = [face]
            presence = [name for name in approach_config.conflicts if config.approaches[name].road is Road.BRANCH]
        else:
            needed = list(approach_config.conflicts)
            presence = [face]
        found[face] = _Watch(
            moving={name: frozenset(fitted[name]) for name in needed if fitted[name]},
            presence={name: frozenset(standing[name]) for name in presence},
        )
    return found


def unwatched(config: SiteConfig) -> list[str]:
    """Main approaches that no sensor of the site file watches: nobody is warned of who comes there."""
    seen = {radar.approach for radar in config.radars.values()}
    seen |= {approach for camera in config.cameras.values() for approach in camera.zones}
    return [name for name, approach in config.approaches.items() if approach.road is Road.MAIN and name not in seen]


class FaceHealthKeeper:
    """Health of one face over time. ``booted`` says that boot and commissioning count as done (replay)."""

    def __init__(self, watch: _Watch, *, booted: bool, start_ns: int) -> None:
        self._watch = watch
        self._in_fault = not booted
        self._booting = not booted
        self._fault_since_ns = start_ns
        self._healthy_since_ns: int | None = None

    @property
    def booting(self) -> bool:
        """Whether the first 10 s of health are still being earned."""
        return self._booting

    def step(self, now_ns: int, board: SensorBoard, healthy: frozenset[str], stuck: str | None) -> FaceHealth:
        """Judges the face. ``stuck`` names a stuck target, which is a fault of its own."""
        faults, losses = self._faults(now_ns, board, healthy)
        if stuck is not None:
            faults.append(stuck)
        presence_known = bool(self._watch.presence) and all(
            sensors & healthy for sensors in self._watch.presence.values()
        )
        for sensors in self._watch.presence.values():
            losses.extend(board.why(name, now_ns) for name in sorted(sensors - healthy))
        if faults:
            self._healthy_since_ns = None
            if not self._in_fault:
                self._in_fault = True
                self._fault_since_ns = now_ns
        elif self._in_fault:
            faults = self._recover(now_ns)
        if self._in_fault:
            return FaceHealth(Health.FAULT, tuple(dict.fromkeys(faults)), presence_known)
        reasons = tuple(dict.fromkeys(losses))
        return FaceHealth(Health.DEGRADED if reasons else Health.OK, reasons, presence_known)

    def _faults(self, now_ns: int, board: SensorBoard, healthy: frozenset[str]) -> tuple[list[str], list[str]]:
        faults: list[str] = []
        losses: list[str] = []
        if not self._watch.moving:
            faults.append("no sensor is fitted for what this face must watch")
        for sensors in self._watch.moving.values():
            if not sensors & healthy:
                faults.extend(board.why(name, now_ns) for name in sorted(sensors))
            else:
                losses.extend(board.why(name, now_ns) for name in sorted(sensors - healthy))
        return faults, losses

    def _recover(self, now_ns: int) -> list[str]:
        if self._healthy_since_ns is None:
            self._healthy_since_ns = now_ns
        healthy_s = (now_ns - self._healthy_since_ns) / NS_PER_S
        fault_s = (now_ns - self._fault_since_ns) / NS_PER_S
        if healthy_s >= HEALTHY_FOR_S and (self._booting or fault_s >= FAULT_AT_LEAST_S):
            self._in_fault = False
            self._booting = False
            return []
        return ["self-test" if self._booting else "recovering"]
