"""Which sensors can be believed, and what that makes of each face. Pure.

The ladder of a face (FAULTS.md): all sensors -> radar alone -> camera alone, 24 h at most -> fault.

Invariants: a sensor unheard for more than 500 ms is stale, and stale is a fault; a face whose watched approach has no
sensor that can be believed is in fault; what was never fitted is not missing; fault clears by itself only after 30 s of
fault and 10 s healthy; presence is *known* only through a healthy sensor that sees standing users. What a radar that is
flooded by clutter sees is still acted on, but it earns no dark: its faces are in fault.
"""

import dataclasses
import enum
from collections.abc import Mapping

from configs.schema import Road, SiteConfig
from device.radar_watch import RadarWatch
from hal.clock import NS_PER_S
from hal.interfaces import RadarFrame

STALE_S = 0.5
"""The one number for stale (DESIGN.md §3). A polled radar that is silent on an empty road has its own, see Watch."""

FAULT_AT_LEAST_S = 30.0
HEALTHY_FOR_S = 10.0

CAMERA_ALONE_MAX_S = 24 * 3600.0
"""A camera at night or in fog sees less than it says: a county has a day to mend the radar."""


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


class Ladder(enum.StrEnum):
    """Which sensors a face stands on, from the top down."""

    ALL = "all"
    FEWER = "fewer"  # one of several of a kind is lost, or a radar is slower than it was
    RADAR_ALONE = "radar_alone"
    CAMERA_ALONE = "camera_alone"
    NONE = "none"


RUNGS = tuple(Ladder)

HOLD_FACTOR: Mapping[Ladder, float] = {
    Ladder.ALL: 1.0,
    Ladder.FEWER: 1.5,
    Ladder.RADAR_ALONE: 1.5,
    Ladder.CAMERA_ALONE: 2.0,
    Ladder.NONE: 2.0,
}
"""FAULTS.md: with fewer sensors the release is slower."""

LADDER_WORDS: Mapping[Ladder, str] = {
    Ladder.FEWER: "fewer sensors, held longer",
    Ladder.RADAR_ALONE: "radar alone, held longer",
    Ladder.CAMERA_ALONE: "camera alone, held longer",
}


@dataclasses.dataclass(slots=True)
class _Sensor:
    stale_after_ns: int
    watch: RadarWatch
    heard_ns: int | None = None
    problem: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class FaceHealth:
    """Health of a face and why, in words a technician can act on. ``reasons`` is empty when ok."""

    health: Health
    reasons: tuple[str, ...]
    presence_known: bool
    """Whether a healthy sensor sees standing users on every approach the face conflicts with."""
    ladder: Ladder = Ladder.ALL

    @property
    def hold_factor(self) -> float:
        """How much longer than the policy says the face holds."""
        return HOLD_FACTOR[self.ladder]


@dataclasses.dataclass(frozen=True, slots=True)
class _Watch:
    """What a face needs: sensors of each watched approach, those that see who stands, and which of them are radars."""

    moving: Mapping[str, frozenset[str]]
    presence: Mapping[str, frozenset[str]]
    radars: frozenset[str]

    @property
    def sensors(self) -> frozenset[str]:
        """All of them."""
        return frozenset().union(*self.moving.values(), *self.presence.values())


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
            radars=frozenset(config.radars),
        )
    return found


def unwatched(config: SiteConfig) -> list[str]:
    """Main approaches that no sensor of the site file watches: nobody is warned of who comes there."""
    seen = {radar.approach for radar in config.radars.values()}
    seen |= {approach for camera in config.cameras.values() for approach in camera.zones}
    return [name for name, approach in config.approaches.items() if approach.road is Road.MAIN and name not in seen]


@dataclasses.dataclass(slots=True)
class _Found:
    """What one look at the sensors of a face found."""

    faults: list[str] = dataclasses.field(default_factory=list)
    losses: list[str] = dataclasses.field(default_factory=list)
    ladder: Ladder = Ladder.ALL

    def step_down(self, ladder: Ladder) -> None:
        """Notes a rung; the lowest counts."""
        self.ladder = max(self.ladder, ladder, key=RUNGS.index)


class FaceHealthKeeper:
    """Health of one face over time. ``booted`` says that boot and commissioning count as done (replay)."""

    def __init__(self, watch: _Watch, *, booted: bool, start_ns: int) -> None:
        self._watch = watch
        self._sensors = watch.sensors
        self._in_fault = not booted
        self._booting = not booted
        self._fault_since_ns = start_ns
        self._healthy_since_ns: int | None = None
        self._camera_alone: tuple[int, int] | None = None
        """Since when a camera has stood alone, and when it last did."""
        presence_known = bool(watch.presence) and all(watch.presence.values())
        self._well = FaceHealth(Health.OK, (), presence_known) if watch.moving else None

    @property
    def booting(self) -> bool:
        """Whether the first 10 s of health are still being earned."""
        return self._booting

    @property
    def settled(self) -> bool:
        """Whether time alone changes nothing here while every sensor is heard: well, or with nothing to watch."""
        return (not self._in_fault or not self._watch.moving) and self._camera_alone is None

    def step(self, now_ns: int, board: SensorBoard, healthy: frozenset[str], stuck: str | None) -> FaceHealth:
        """Judges the face. ``stuck`` names a stuck target, which is a fault of its own."""
        if (
            self._well is not None
            and not self._in_fault
            and stuck is None
            and self._camera_alone is None
            and not board.suspects
            and self._sensors <= healthy
        ):
            return self._well
        found = self._look(now_ns, board, healthy)
        if stuck is not None:
            found.faults.append(stuck)
        presence_known = bool(self._watch.presence) and all(
            sensors & healthy for sensors in self._watch.presence.values()
        )
        if found.faults:
            self._healthy_since_ns = None
            if not self._in_fault:
                self._in_fault = True
                self._fault_since_ns = now_ns
        elif self._in_fault:
            found.faults = self._recover(now_ns)
        if self._in_fault:
            return FaceHealth(Health.FAULT, tuple(dict.fromkeys(found.faults)), presence_known, Ladder.NONE)
        if found.ladder is Ladder.ALL:
            return FaceHealth(Health.OK, (), presence_known)
        reasons = (*dict.fromkeys(found.losses), LADDER_WORDS[found.ladder])
        return FaceHealth(Health.DEGRADED, reasons, presence_known, found.ladder)

    def _look(self, now_ns: int, board: SensorBoard, healthy: frozenset[str]) -> _Found:
        found = _Found()
        if not self._watch.moving:
            found.faults.append("no sensor is fitted for what this face must watch")
        for sensors in self._watch.moving.values():
            believed = sensors & healthy
            found.faults.extend(board.why(name, now_ns) for name in sorted(believed) if board.flooded(name))
            poor = sorted((sensors - believed) | (sensors & board.suspects))
            words = [board.why(name, now_ns) for name in poor]
            if not believed:
                found.faults.extend(words)
            elif poor:
                found.losses.extend(words)
                found.step_down(self._rung(sensors, believed))
        for sensors in self._watch.presence.values():
            lost = sorted(sensors - healthy)
            found.losses.extend(board.why(name, now_ns) for name in lost)
            if lost:
                found.step_down(Ladder.FEWER if sensors & healthy else Ladder.RADAR_ALONE)
        self._limit_camera_alone(now_ns, found)
        return found

    def _rung(self, sensors: frozenset[str], believed: frozenset[str]) -> Ladder:
        """The rung on which an approach stands that has lost some of its sensors."""
        radars = self._watch.radars
        if sensors & radars and not believed & radars:
            return Ladder.CAMERA_ALONE
        if sensors - radars and not believed - radars:
            return Ladder.RADAR_ALONE
        return Ladder.FEWER

    def _limit_camera_alone(self, now_ns: int, found: _Found) -> None:
        """A day of camera alone is a fault; a radar that comes back for less than ten seconds begins no new day."""
        if found.ladder is Ladder.CAMERA_ALONE:
            since_ns = now_ns if self._camera_alone is None else self._camera_alone[0]
            self._camera_alone = (since_ns, now_ns)
            if (now_ns - since_ns) / NS_PER_S > CAMERA_ALONE_MAX_S:
                found.faults.extend([*found.losses, "camera alone for more than 24 h"])
        elif self._camera_alone is not None and (now_ns - self._camera_alone[1]) / NS_PER_S >= HEALTHY_FOR_S:
            self._camera_alone = None

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
