"""The state of core as JSON values for the command line and the bridge, and the events of parts that change.

Invariant: reads only; called by the control thread, so that what it shows is one moment.
"""

import dataclasses
import importlib.metadata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from device.events import Event, EventKind
from device.health import unwatched
from device.pipeline import cause_body
from device.sensor_board import SensorState
from hal.clock import NS_PER_S, ClockQuality
from hal.interfaces import Shows

if TYPE_CHECKING:
    from device.core import Core


def version() -> str:
    """Version of the installed program."""
    try:
        return importlib.metadata.version("branch-sentinel")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


VERSION = version()


class Parts:
    """Remembers the state of each part, to tell when it changes."""

    CHECK_NS = NS_PER_S // 5

    def __init__(self) -> None:
        self._before: dict[str, tuple[str, str | None]] = {}
        self._checked_ns = 0

    def changes(self, now_ns: int, core: "Core") -> Iterator[Event]:
        """Events for the parts that changed since the last call; looks five times a second."""
        if now_ns - self._checked_ns < self.CHECK_NS:
            return
        self._checked_ns = now_ns
        for name, part in part_states(core, now_ns).items():
            now = (part["state"], part["problem"])
            before = self._before.get(name)
            self._before[name] = now
            if before is None and now[0] == "OK":
                continue
            if before is None or before[0] != now[0]:
                yield Event(EventKind.PART, now_ns, None, {"part": name, "state": now[0], "problem": now[1]})


def part_states(core: "Core", now_ns: int) -> dict[str, dict[str, Any]]:
    """Every part with OK | WARN | ERROR | STALE and its problem."""
    parts: dict[str, dict[str, Any]] = {}
    parts["guard"] = _guard(core)
    for name, lamp in ((core.guard.state or {}).get("lamps") or {}).items():
        problem = lamp.get("problem")
        parts[f"lamp {name}"] = _part("ERROR" if problem else "OK", problem)
    if core.config.cameras:
        problem = core.vision_says.get("problem")
        ready = bool(core.vision_says.get("ready"))
        text = problem or (None if ready else "not connected or not ready")
        parts["vision"] = _part("ERROR" if problem else "OK" if ready else "STALE", text)
    board = core.pipeline.board
    for name in board.names():
        state = board.state(name, now_ns)
        warning = core.radars[name].status()["warning"] if name in core.radars else None
        if state is SensorState.OK:
            parts[name] = _part("WARN" if warning else "OK", warning)
        else:
            parts[name] = _part("ERROR" if state is SensorState.FAULT else "STALE", board.why(name, now_ns))
    for name in core.config.speakers:
        problem = core.speakers.problem(name)
        parts[name] = _part("ERROR" if problem else "OK", problem)
    problem = core.journal.problem()
    parts["journal"] = _part("ERROR" if problem else "OK", problem)
    problem = core.chronicle.problem(now_ns)
    parts["chronicle"] = _part("ERROR" if problem else "OK", problem)
    problem, warning = core.incident_files.problem(), core.incidents.warning()
    parts["incidents"] = _part("ERROR" if problem else "WARN" if warning else "OK", problem or warning)
    if core.config.cameras:
        problem = core.camera_alone.problem()
        parts["camera_alone"] = _part("ERROR" if problem else "OK", problem)
    for approach in unwatched(core.config):
        parts[approach] = _part("WARN", f"{approach}: no sensor in the site file watches it")
    problem = None if core.chosen is None else core.chosen.problem
    if problem is not None:
        parts["configuration"] = _part("WARN" if core.decides else "ERROR", problem)
    if not core.day.clock_trusted:
        parts["clock"] = _part("WARN", "the wall clock cannot be trusted: voice quiet, lamp at full brightness")
    return parts


def snapshot(core: "Core") -> dict[str, Any]:
    """The whole status (shape: DESIGN.md §5, ``status``)."""
    now_ns = core.clock.monotonic_ns()
    output = core.output
    decisions = output.decisions if output is not None else {}
    tracks = output.tracks if output is not None else ()
    return {
        "site": {"id": core.config.site.id, "name": core.config.site.name},
        "version": VERSION,
        "config": {
            "path": str(core.config_path),
            "sha256": core.config_sha256,
            "sections": core.sections,
            "layers": None if core.chosen is None else core.chosen.model_dump(mode="json"),
        },
        "uptime_s": round((now_ns - core.started_ns) / NS_PER_S, 1),
        "clock": {"quality": core.clock.quality().value, "trusted": core.clock.quality() is not ClockQuality.FLOOR},
        "day": dataclasses.asdict(core.day),
        "booting": core.pipeline.booting,
        "faces": {
            name: {
                "level": decision.level,
                "health": decision.health.value,
                "shows": decision.shows.value,
                "cause": cause_body(decision.cause),
                "reasons": list(decision.reasons),
            }
            for name, decision in decisions.items()
        },
        "tracks": [
            {"id": track.id, "sensor": track.sensor, "state": track.state.value, "receding": track.receding}
            | (cause_body(track) or {})
            for track in tracks
        ],
        "lamps": _lamps(core),
        "sensors": {name: _sensor(core, name, now_ns) for name in core.pipeline.board.names()},
        "speakers": {name: {**said, "muted": core.day.quiet} for name, said in core.speakers.status().items()},
        "parts": part_states(core, now_ns),
        "latency_ms": {name: latency.summary() for name, latency in core.latency.items()},
        "journal": {
            "stream": core.journal.stream(),
            "last_seq": core.journal.last_seq(),
            "problem": core.journal.problem(),
            "lost": core.journal.lost(),
            "losing": core.journal.losing(),
            "set_aside": core.journal.counters()["quarantined"],
        },
        "counters": dataclasses.asdict(core.pipeline.counters)
        | {
            "lease_dropped": core.guard.dropped,
            "incidents_written": core.incident_files.written,
            "incidents_deleted": core.incident_files.deleted,
            "incident_alerts_left_out": core.incidents.alerts_left_out,
            "incident_messages_dropped": core.incident_files.dropped,
        },
        "recording": None
        if core.recording is None
        else {"path": str(core.recording.path), "seconds": round(core.recording.elapsed_s(now_ns), 1)},
    }


def _guard(core: "Core") -> dict[str, Any]:
    if not core.guard.connected:
        return _part("ERROR", "guard does not answer on guard.sock: the external flasher must be flashing")
    safe = (core.guard.state or {}).get("safe")
    return _part("WARN" if safe else "OK", f"lamps in the safe pattern: {safe}" if safe else None)


def _lamps(core: "Core") -> dict[str, Any]:
    held = (core.guard.state or {}).get("lamps") or {}
    unknown = {"shows": Shows.FAULT.value, "on": None, "problem": "guard does not answer"}
    return {name: held.get(name, unknown) for name in core.config.lamps}


def _sensor(core: "Core", name: str, now_ns: int) -> dict[str, Any]:
    board = core.pipeline.board
    state = board.state(name, now_ns)
    is_radar = name in core.radars
    said = core.radars[name].status() if is_radar else {"counters": _counted(core, name), "warning": None}
    age_ms = board.age_ms(name, now_ns)
    return {
        "kind": "radar" if is_radar else "camera",
        "state": state.value,
        "age_ms": None if age_ms is None else round(age_ms),
        "problem": None if state is SensorState.OK else board.why(name, now_ns),
        "warning": said["warning"],
        "counters": said["counters"],
    }


def _counted(core: "Core", camera: str) -> dict[str, Any]:
    """What vision counts of a camera; nothing until it has told."""
    says = core.camera_says.get(camera, {})
    return {name: value for name, value in says.items() if name not in ("kind", "camera", "problem", "size")}


def _part(state: str, problem: str | None) -> dict[str, Any]:
    return {"state": state, "problem": problem}
