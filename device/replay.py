"""Plays a recording through parsers, tracking and decision on a virtual clock (DESIGN.md §5, Replay).

Invariants: the same bytes in give the same bytes out; messages in order of (log_time, topic, sequence); the pipeline
steps at every message and 20 ms after its last step, as core does, save for steps that the pipeline itself calls idle;
night, quiet hours, wet road and visibility are those of the recording, and daylight where it tells none; five seconds
more run after the last message, so that release and staleness show.
"""

import base64
import binascii
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from configs.schema import SiteConfig
from device.chronicle import Chronicle
from device.day import DAYLIGHT, DayState, day_written
from device.decision import FaceDecision
from device.events import Event
from device.health import Health
from device.observation import CameraObservation, Observation, camera_observation
from device.pipeline import Output, Pipeline, cause_body
from device.recorded import Message, Recorded, ReplayError, read, source_of
from device.recording import DAY_TOPIC
from device.sensors import radar_decoder, stale_after_s
from hal.clock import NS_PER_MS, NS_PER_S
from hal.errors import HalError
from hal.interfaces import RadarDecoder

__all__ = ["Recorded", "Replay", "ReplayError", "play", "read"]

STEP_NS = 20 * NS_PER_MS
AFTER_NS = 5 * NS_PER_S


class Replay:
    """One play of one recording. ``cold`` includes boot; ``strict`` treats sensors absent from it as stale;
    ``leave_out_idle`` False takes every step, which is slower and must give the same lines (a test compares)."""

    def __init__(
        self,
        recorded: Recorded,
        config: SiteConfig,
        *,
        cold: bool = False,
        strict: bool = False,
        with_tracks: bool = False,
        leave_out_idle: bool = True,
    ) -> None:
        self._recorded = recorded
        self._with_tracks = with_tracks
        self._sources = {topic: source_of(topic) for topic in {message.topic for message in recorded.messages}}
        sources = {name: kind for kind, name in self._sources.values() if name is not None}
        known = {**dict.fromkeys(config.radars, "radar"), **dict.fromkeys(config.cameras, "camera")}
        strangers = sorted(name for name, kind in sources.items() if known.get(name) != kind)
        if strangers:
            has, fitted = ", ".join(strangers), ", ".join(sorted(known))
            raise ReplayError(
                f"the recording is not of this site: it has {has}; the site file has {fitted or 'no sensor'}",
                f"录制不是这个站点的:录制里有 {has},站点文件里有 {fitted or '零个传感器'}",
            )
        if not sources:
            raise _nothing_to_play(recorded)
        self._decoders = {name: _decoder(config, name) for name in config.radars if name in sources}
        self._start_ns = recorded.messages[0].log_ns
        self._pipeline = Pipeline(
            config,
            start_ns=self._start_ns,
            booted=not cold,
            not_fitted=frozenset() if strict else frozenset(known) - frozenset(sources),
            stale_after_s=_stale_after_s(config),
        )
        self._chronicle = Chronicle(config)
        self._shown: dict[str, tuple[str, Health, int | None]] = {}
        self._leave_out_idle = leave_out_idle
        self._idle_until_ns = 0
        days = [day for message in recorded.messages if (day := _day(message)) is not None]
        self._day = days[0] if days else DAYLIGHT

    def lines(self) -> Iterator[str]:
        """The output, one JSON line each, without line ends."""
        now_ns = self._start_ns
        for message in self._recorded.messages:
            yield from self._ticks(now_ns, message.log_ns)
            now_ns = message.log_ns
            self._day = _day(message) or self._day
            observations = self._observations(message)
            if observations or now_ns >= self._idle_until_ns:
                yield from self._step(now_ns, observations)
        yield from self._ticks(now_ns, now_ns + AFTER_NS + 1)

    def _ticks(self, after_ns: int, before_ns: int) -> Iterator[str]:
        """The steps between two messages."""
        for now_ns in range(after_ns + STEP_NS, before_ns, STEP_NS):
            if now_ns >= self._idle_until_ns:
                yield from self._step(now_ns, ())

    def _observations(self, message: Message) -> list[Observation]:
        kind, name = self._sources[message.topic]
        if name is None:
            return []
        try:
            body = json.loads(message.data)
            if kind == "radar":
                return list(self._decoders[name].feed(base64.b64decode(body["data"]), message.log_ns))
            return [self._camera(camera_observation({**body, "captured_ns": body.get("captured_ns", 0)}), message)]
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            self._pipeline.counters.faulty += 1
            return []

    def _camera(self, observation: CameraObservation, message: Message) -> CameraObservation:
        """The observation on the recording's time: captured as long before its message as it was on the node."""
        recorded = self._recorded
        captured_ns = message.log_ns
        if observation.captured_ns and recorded.anchor_mono_ns is not None and recorded.anchor_wall_ns is not None:
            captured_ns = recorded.anchor_wall_ns + observation.captured_ns - recorded.anchor_mono_ns
        return dataclasses.replace(observation, captured_ns=min(captured_ns, message.log_ns))

    def _step(self, now_ns: int, observations: Sequence[Observation]) -> list[str]:
        output = self._pipeline.step(now_ns, self._day, observations)
        told = self._chronicle.step(now_ns, output)
        lines: list[str] = []
        for face, decision in output.decisions.items():
            cause = decision.cause
            shown = (decision.level, decision.health, None if cause is None else cause.id)
            if self._shown.get(face) != shown:
                self._shown[face] = shown
                lines.append(_json(face_line(self._t_s(now_ns), decision)))
        if output.events or told or output.says or self._with_tracks:
            lines.extend(self._other_lines(self._t_s(now_ns), output, told))
        self._idle_until_ns = self._idle_from(output) if self._leave_out_idle and not output.tracks else 0
        return lines

    def _idle_from(self, output: Output) -> int:
        """Until when steps without observations would give no line; 0 where any may."""
        decided_ns = self._pipeline.idle_until_ns(output)
        told_ns = None if decided_ns is None else self._chronicle.idle_until_ns()
        return 0 if decided_ns is None or told_ns is None else min(decided_ns, told_ns)

    def _t_s(self, now_ns: int) -> float:
        return round((now_ns - self._start_ns) / NS_PER_S, 3) + 0.0

    def _other_lines(self, t_s: float, output: Output, told: Sequence[Event]) -> Iterator[str]:
        for event in (*output.events, *told):
            yield _json({"t_s": t_s, "kind": "event", "event": event.kind.value, "face": event.face, **event.body})
        for face, clip in output.says.items():
            yield _json({"t_s": t_s, "kind": "event", "event": "voice", "face": face, "clip": clip})
        if self._with_tracks:
            for track in output.tracks:
                yield _json(
                    {
                        "t_s": t_s,
                        "kind": "track",
                        "id": track.id,
                        "sensor": track.sensor,
                        "state": track.state.value,
                        "receding": track.receding,
                        **(cause_body(track) or {}),
                    }
                )


def face_line(t_s: float, decision: FaceDecision) -> dict[str, Any]:
    """A face in the words and the key order of the contract."""
    return {
        "t_s": t_s,
        "kind": "face",
        "face": decision.face,
        "level": decision.level,
        "health": decision.health.value,
        "shows": decision.shows.value,
        "cause": cause_body(decision.cause),
    }


def play(recorded: Recorded, config: SiteConfig, write: Callable[[str], object], **options: bool) -> None:
    """Plays a recording into ``write``, line by line with line ends."""
    for line in Replay(recorded, config, **options).lines():
        write(line + "\n")


def _day(message: Message) -> DayState | None:
    """The day state that a message tells; None for every other, and for one that is damaged."""
    if message.topic != DAY_TOPIC:
        return None
    try:
        return day_written(message.data)
    except ValueError:
        return None


def _nothing_to_play(recorded: Recorded) -> ReplayError:
    if recorded.cut_off is None:
        return ReplayError(
            "the recording holds no radar bytes and no camera observations", "录制里没有雷达字节,也没有摄像机观测"
        )
    site = recorded.site_values() is not None
    return ReplayError(
        f"the recording is cut off at {recorded.cut_off}, before the first radar bytes or camera observation; "
        f"readable: {'its site file' if site else 'nothing'}",
        f"录制在 {recorded.cut_off} 处中断,那里还没有雷达字节和摄像机观测;能读的:{'站点文件' if site else '没有'}",
    )


def _stale_after_s(config: SiteConfig) -> dict[str, float]:
    try:
        return stale_after_s(config)
    except HalError as error:
        raise ReplayError(str(error)) from error


def _decoder(config: SiteConfig, name: str) -> RadarDecoder:
    try:
        return radar_decoder(config, name)
    except (ValueError, HalError) as error:
        raise ReplayError(
            f"radars.{name}: {error}; the site file must have the driver of the radar that was recorded",
            f"radars.{name}:{error};站点文件里要写录制时那台雷达的驱动",
        ) from error


def _json(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(", ", ": "))
