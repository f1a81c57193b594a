"""Observations in, decisions out: why the lamp lit. Pure: no clock, thread, file or socket.

    observations -> trackers (tracking, fusion) -> usable tracks -> FaceDecider per face -> decisions, voice, events

What is told of the road users (passages, duty, speeding) drinks from the output: device.chronicle.

Invariants: the same inputs give the same outputs, whatever the order of sensors within a step; a late frame is
skipped and counted; a stale sensor's tracks are forgotten before anything is decided; one observation or one face
that raises costs itself, never the others (``faulty`` counts them, and the face shows fault).
"""

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence

from configs.bend import far_way_of, way_of
from configs.schema import SiteConfig
from device.camera_tracks import CameraTracker
from device.day import DayState
from device.decision import FaceDecider, FaceDecision, usable
from device.events import Event, EventKind
from device.fusion import Fuser
from device.health import FaceHealthKeeper, Health, watches
from device.observation import CameraObservation, Observation, SensorProblem
from device.sensor_board import SensorBoard
from device.tracking import RadarTracker
from device.tracks import Track
from device.voice import VoiceKeeper
from hal.interfaces import RadarFrame, Shows

log = logging.getLogger(__name__)

LATE_NS = 500_000_000
"""A frame older than the number for stale is not acted on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """What one step gives. ``says`` is face -> clip id; ``events`` are changes of level and health."""

    tracks: tuple[Track, ...]
    decisions: Mapping[str, FaceDecision]
    says: Mapping[str, str]
    events: tuple[Event, ...]


@dataclasses.dataclass(slots=True)
class Counters:
    """What was not acted on, counted."""

    late: int = 0
    faulty: int = 0
    unknown_sensor: int = 0


class Pipeline:
    """The whole decision of one node.

    ``booted`` counts boot and commissioning as done; ``not_fitted`` names sensors of the site file that are not there
    (replay); ``stale_after_s`` overrides the one number for stale for sensors that are polled on a silent road;
    ``camera_alone_s`` is what each face had spent of its day of camera alone (see ``camera_alone_s`` below).
    """

    def __init__(
        self,
        config: SiteConfig,
        *,
        start_ns: int,
        booted: bool = False,
        not_fitted: frozenset[str] = frozenset(),
        stale_after_s: Mapping[str, float] | None = None,
        camera_alone_s: Mapping[str, float] | None = None,
    ) -> None:
        self.counters = Counters()
        self._config = config
        ids = itertools.count(1)
        self._radars = {
            name: RadarTracker(name, radar.approach, radar.to_conflict_m, ids, way_of(radar), far_way_of(radar))
            for name, radar in config.radars.items()
            if name not in not_fitted
        }
        self._cameras = {
            name: CameraTracker(
                name,
                config.policy.parked_after_s,
                ids,
                wait_zones=[approach for approach, zones in camera.zones.items() if zones.wait is not None],
                limits_mps={approach: config.approaches[approach].limit_kmh / 3.6 for approach in camera.zones},
            )
            for name, camera in config.cameras.items()
            if name not in not_fitted
        }
        self._fuser = Fuser(
            self._radars,
            {
                (name, approach): zones.reach_m
                for name in self._cameras
                for approach, zones in config.cameras[name].zones.items()
                if zones.reach_m is not None
            },
        )
        sensors = frozenset(self._radars) | frozenset(self._cameras)
        self.board = SensorBoard(sensors, stale_after_s or {})
        if booted:
            for name in sensors:
                self.board.heard(name, start_ns)
        spent_s = camera_alone_s or {}
        self._health = {
            face: FaceHealthKeeper(watch, booted=booted, start_ns=start_ns, camera_alone_s=spent_s.get(face, 0.0))
            for face, watch in watches(config, not_fitted).items()
        }
        self._deciders = {face: FaceDecider(face, config) for face in config.approaches}
        self._voice = VoiceKeeper()
        self._newest: dict[str, RadarFrame | CameraObservation] = {}
        self._before: dict[str, FaceDecision] = {}

    @property
    def booting(self) -> bool:
        """Whether any face still earns its first 10 s of health."""
        return any(keeper.booting for keeper in self._health.values())

    def camera_alone_s(self, now_ns: int) -> dict[str, float]:
        """What the faces have spent of their day of camera alone, for whoever begins after this one; only those that
        have spent any."""
        spent = {face: keeper.camera_alone_s(now_ns) for face, keeper in self._health.items()}
        return {face: spent_s for face, spent_s in spent.items() if spent_s > 0}

    def configure(self, config: SiteConfig) -> None:
        """Takes new policy and voice values between two steps. Devices and approaches must be the same."""
        self._config = config
        for decider in self._deciders.values():
            decider.configure(config)
        for camera in self._cameras.values():
            camera.set_parked_after_s(config.policy.parked_after_s)

    def step(self, now_ns: int, day: DayState, observations: Iterable[Observation]) -> Output:
        """One step at monotonic ``now_ns``. Observations may come in any order and from any sensor."""
        for observation in sorted(observations, key=_order):
            self._take(now_ns, observation)
        healthy = self.board.healthy(now_ns)
        tracks = self._tracks(now_ns, healthy)
        by_approach = usable(tracks)
        decisions = {face: self._decide(face, now_ns, by_approach, healthy, day) for face in self._deciders}
        says = self._voice.step(now_ns, self._config, day, decisions, self.board.trusted(healthy))
        events = tuple(self._events(now_ns, decisions))
        self._before = decisions
        return Output(tuple(tracks), decisions, says, events)

    def idle_until_ns(self, last: Output) -> int | None:
        """Steps without observations before this time would say and change nothing, so that a replay may leave them
        out; None where any step may. ``last`` is what the last step gave.

        Idle is an empty road: no track of any kind, every face dark and no count or hold going on.
        """
        if last.tracks or self.board.suspects or any(decision.level != "clear" for decision in last.decisions.values()):
            return None
        if not all(keeper.settled for keeper in self._health.values()):
            return None
        return self.board.stale_from_ns()

    def _tracks(self, now_ns: int, healthy: frozenset[str]) -> list[Track]:
        """All tracks of the sensors that can be believed; what radar and camera both see is one track."""
        tracks: list[Track] = []
        for name, radar in self._radars.items():
            if name not in healthy:
                radar.reset()
            radar.advance(now_ns)
            if radar.has_waiting and self._nobody_waits(radar.approach, now_ns, healthy):
                radar.end_waiting()
            tracks += radar.tracks()
        for name, camera in self._cameras.items():
            if name not in healthy:
                camera.reset()
            camera.advance(now_ns)
            tracks += camera.tracks(now_ns)
        return self._fuser.merge(tracks) if self._cameras else tracks

    def _nobody_waits(self, approach: str, now_ns: int, healthy: frozenset[str]) -> bool:
        """Presence is known to be none: a healthy camera looks at the wait zone and sees it empty."""
        return any(camera.nobody_waits(approach, now_ns) for name, camera in self._cameras.items() if name in healthy)

    def _take(self, now_ns: int, observation: Observation) -> None:
        try:
            if isinstance(observation, SensorProblem):
                self.board.problem(observation.sensor, observation.problem)
                return
            name = observation.radar if isinstance(observation, RadarFrame) else observation.camera
            captured_ns = observation.captured_ns
            newest = self._newest.get(name)
            if newest is not None and (captured_ns < newest.captured_ns or observation == newest):
                self.counters.late += 1
                return
            if not 0 <= now_ns - captured_ns <= LATE_NS:
                self.counters.late += 1
                return
            self._newest[name] = observation
            if isinstance(observation, RadarFrame) and name in self._radars:
                self.board.take(observation)
                self._radars[name].update(observation)
            elif isinstance(observation, CameraObservation) and name in self._cameras:
                self._cameras[name].update(observation)
            else:
                self.counters.unknown_sensor += 1
                return
            self.board.heard(name, captured_ns)
        except Exception:  # one bad observation costs itself: the others are still to be acted on
            self.counters.faulty += 1
            log.exception("event=observation_failed kind=%s", type(observation).__name__)

    def _decide(
        self,
        face: str,
        now_ns: int,
        by_approach: Mapping[str, Sequence[Track]],
        healthy: frozenset[str],
        day: DayState,
    ) -> FaceDecision:
        try:
            decider = self._deciders[face]
            health = self._health[face].step(now_ns, self.board, healthy, decider.stuck(now_ns))
            return decider.step(now_ns, by_approach, health, day)
        except Exception as error:  # one face that fails shows fault; the others go on
            self.counters.faulty += 1
            log.exception("event=face_failed face=%s", face)
            reason = f"internal error: {type(error).__name__}"
            return FaceDecision(face, "clear", Health.FAULT, Shows.FAULT, None, None, (reason,), None)

    def _events(self, now_ns: int, decisions: Mapping[str, FaceDecision]) -> Iterable[Event]:
        for face, decision in decisions.items():
            before = self._before.get(face)
            level_before = before.level if before is not None else "clear"
            if decision.level != level_before:
                kind = EventKind.ALERT if "alert" in (decision.level, level_before) else EventKind.CAUTION
                yield Event(
                    kind,
                    now_ns,
                    face,
                    {"from": level_before, "to": decision.level, "cause": cause_body(decision.cause)},
                )
            if before is not None and decision.health is not before.health:
                yield Event(
                    EventKind.HEALTH,
                    now_ns,
                    face,
                    {"from": before.health.value, "to": decision.health.value, "reasons": list(decision.reasons)},
                )


def cause_body(cause: Track | None) -> dict[str, object] | None:
    """A causing track in the words of the contract (DESIGN.md §5): metres and m/s with one decimal, null = unknown."""
    if cause is None:
        return None
    return {
        "approach": cause.approach,
        "class": cause.user.value if cause.user is not None else None,
        "distance_m": _rounded(cause.distance_m),
        "speed_mps": _rounded(cause.speed_mps),
        "time_to_arrival_s": _rounded(cause.time_to_arrival_s),
    }


def _rounded(value: float | None) -> float | None:
    # Adding zero turns -0.0 into 0.0, so that the same road gives the same bytes.
    return None if value is None else round(value, 1) + 0.0


def _order(observation: Observation) -> tuple[int, str]:
    if isinstance(observation, SensorProblem):
        return (observation.reported_ns, observation.sensor)
    return (observation.captured_ns, observation.radar if isinstance(observation, RadarFrame) else observation.camera)
