"""What the sensors that can be believed make of each face: its rung of the ladder and its health. Pure.

The ladder of a face (FAULTS.md): all sensors -> radar alone -> camera alone, 24 h at most -> fault.

Invariants: a face whose watched approach has no sensor that can be believed is in fault; what was never fitted is not
missing; fault clears by itself only after 30 s of fault and 10 s healthy; presence is *known* only through a healthy
sensor that sees standing users; a radar that is flooded by clutter earns no dark, its faces are in fault.
"""

import dataclasses
import enum
from collections.abc import Mapping

from configs.schema import Road, SiteConfig
from device.camera_alone import CameraAlone
from device.sensor_board import SensorBoard
from hal.clock import NS_PER_S

FAULT_AT_LEAST_S = 30.0
HEALTHY_FOR_S = 10.0


class Health(enum.StrEnum):
    """Health of a face, a second value beside its level."""

    OK = "ok"
    DEGRADED = "degraded"
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
    """Health of one face over time. ``booted`` says that boot and commissioning count as done (replay);
    ``camera_alone_s`` is what had been spent of the day of camera alone before ``start_ns``."""

    def __init__(self, watch: _Watch, *, booted: bool, start_ns: int, camera_alone_s: float = 0.0) -> None:
        self._watch = watch
        self._sensors = watch.sensors
        self._in_fault = not booted
        self._booting = not booted
        self._fault_since_ns = start_ns
        self._healthy_since_ns: int | None = None
        self._camera_alone = CameraAlone(start_ns, camera_alone_s)
        presence_known = bool(watch.presence) and all(watch.presence.values())
        self._well = FaceHealth(Health.OK, (), presence_known) if watch.moving else None

    @property
    def booting(self) -> bool:
        """Whether the first 10 s of health are still being earned."""
        return self._booting

    @property
    def settled(self) -> bool:
        """Whether time alone changes nothing here while every sensor is heard: well, or with nothing to watch."""
        return (not self._in_fault or not self._watch.moving) and not self._camera_alone.counting

    def camera_alone_s(self, now_ns: int) -> float:
        """What is spent of the day of camera alone."""
        return self._camera_alone.spent_s(now_ns)

    def step(self, now_ns: int, board: SensorBoard, healthy: frozenset[str], stuck: str | None) -> FaceHealth:
        """Judges the face. ``stuck`` names a stuck target, which is a fault of its own."""
        if (
            self._well is not None
            and not self._in_fault
            and stuck is None
            and not self._camera_alone.counting
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
        alone = found.ladder is Ladder.CAMERA_ALONE
        if self._camera_alone.over(now_ns, alone=alone, radars_back=self._radars_back(board, healthy)):
            found.faults.extend([*found.losses, "camera alone for more than 24 h"])
        return found

    def _rung(self, sensors: frozenset[str], believed: frozenset[str]) -> Ladder:
        """The rung on which an approach stands that has lost some of its sensors."""
        radars = self._watch.radars
        if sensors & radars and not believed & radars:
            return Ladder.CAMERA_ALONE
        if sensors - radars and not believed - radars:
            return Ladder.RADAR_ALONE
        return Ladder.FEWER

    def _radars_back(self, board: SensorBoard, healthy: frozenset[str]) -> bool:
        """Whether each watched approach that has radars has one to believe."""
        fitted = [sensors & self._watch.radars for sensors in self._watch.moving.values()]
        good = board.trusted(healthy)
        return all(radars & good for radars in fitted if radars)

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
