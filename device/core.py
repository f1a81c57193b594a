"""The core process: radars, speakers and the journal; tracking and the decision. ``python -m device.core``

Invariants: one control thread alone touches the pipeline and the speakers, wakes on input or 20 ms after its last
step, and renews guard's lease each time; no network, no camera, no detector in here; what fails beside the pipeline
(speaker, journal, recording, a request) is a part in ERROR, never a missed renewal. A control loop that raises ends the
process: guard then shows its safe pattern within its lease, and the supervisor starts core again.
"""

import argparse
import contextlib
import gc
import logging
import pathlib
import queue
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from configs.loader import load_site
from configs.schema import SiteConfig
from device import chosen, ipc, realtime
from device.camera_alone_file import FILE as CAMERA_ALONE_FILE
from device.camera_alone_file import CameraAloneFile
from device.chosen import Chosen, Runs
from device.chronicle import Chronicle
from device.control import ControlError, ControlServer
from device.day import DayState, day_state, hazier
from device.decision import first_shown
from device.events import Event, EventKind
from device.incident_files import IncidentFiles
from device.incident_folder import FOLDER
from device.incidents import Incidents, Kept, trigger_of
from device.journal import JournalWriter
from device.journal_reader import JOURNAL_FILE
from device.latency import Latency
from device.observation import Observation, SensorProblem, camera_observation, camera_visibility
from device.pipeline import Output, Pipeline
from device.recording import Recording, RecordingError
from device.runtime import Call, GuardLink, Inbox, Input, RadarInput, RadarThread, VisionInput, VisionReceiver
from device.sensors import stale_after_s
from device.site import config_hash, section_hashes
from device.snapshot import Parts, snapshot
from device.speaking import Speakers
from hal.clock import NS_PER_MS, NS_PER_S, SYSTEM_CLOCK, Clock, local_time
from hal.interfaces import Shows

log = logging.getLogger(__name__)

STEP_NS = 20 * NS_PER_MS
CALL_TIMEOUT_S = 3.0
LAMP_TEST_MAX_S = 600.0
"""FAULTS.md 73: a test mode is a lease of at most ten minutes."""

BETWEEN_STEPS = frozenset({"policy", "voice", "night", "conditions", "road_events", "site", "bridge"})
"""Sections that take effect between two steps. The bridge reads its own from the status that core gives it."""

RESTARTS: Mapping[str, tuple[str, ...]] = {
    "radars": ("core",),
    "speakers": ("core",),
    "approaches": ("core",),
    "cameras": ("vision", "pipeline"),
    "detector": ("vision",),
    "recording": ("vision",),
    "lamps": ("guard", "pipeline"),
    "heartbeat": ("guard",),
    "lamp_patterns": ("guard",),
}
"""Section -> what starts anew. ``pipeline`` begins again inside core: its faces flash until they have earned dark."""


class Core:
    """The running core. ``run`` returns the exit code."""

    def __init__(
        self,
        config: SiteConfig,
        config_path: pathlib.Path,
        run_dir: pathlib.Path,
        state_dir: pathlib.Path,
        clock: Clock,
    ) -> None:
        self.config = config
        self.config_path = config_path
        self.sections = section_hashes(config)
        self.config_sha256 = config_hash(config)
        self.run_dir = run_dir
        self.clock = clock
        self.started_ns = clock.monotonic_ns()
        self.inbox: Inbox = queue.SimpleQueue()
        self.journal = JournalWriter(state_dir / JOURNAL_FILE, clock)
        self.guard = GuardLink(run_dir, clock)
        self.vision = VisionReceiver(run_dir, self.inbox, clock)
        self.radars = {name: RadarThread(name, radar, self.inbox, clock) for name, radar in config.radars.items()}
        self.speakers = Speakers(config, clock)
        self.camera_alone = CameraAloneFile(state_dir / CAMERA_ALONE_FILE, config.approaches)
        self.pipeline = self._new_pipeline(self.camera_alone.spent_s)
        self.chronicle = Chronicle(config)
        self.parts = Parts()
        self.chosen: Chosen | None = chosen.read(run_dir)
        self.decides = self.chosen is None or self.chosen.runs is not Runs.SAFE
        """Whether this configuration may be acted on; where not, every lamp is asked to show the fault pattern."""
        self.latency: dict[str, Latency] = {"radar": Latency(), "camera": Latency()}
        self.recording: Recording | None = None
        self.incidents = Incidents(config.recording)
        self.incident_files = IncidentFiles(state_dir / FOLDER, config, clock)
        self.vision_says: dict[str, Any] = {}
        self.camera_says: dict[str, dict[str, Any]] = {}
        self.seen_m: dict[str, float | None] = {}
        self.output: Output | None = None
        self.day: DayState = self._read_day()
        self.incidents.day(self.started_ns, self.day)
        self._day_read_ns = self.started_ns
        self._lamp_tests: dict[str, tuple[Shows, int]] = {}
        self._last_caused_ns: dict[str, int] = {}
        self._exit: int | None = None
        for name in config.cameras:
            self.inbox.put(SensorProblem(name, self.started_ns, "vision has not connected yet"))
        if not self.decides:
            for name in self.pipeline.board.names():
                self.inbox.put(
                    SensorProblem(name, self.started_ns, "not opened: the configuration is not to be trusted")
                )

    def stop(self, code: int) -> None:
        """Ends the control loop after its current step."""
        self._exit = code

    def run(self) -> int:
        """The control loop, until ``stop``."""
        self.journal.append(Event(EventKind.NODE, self.clock.monotonic_ns(), None, {"state": "started"}))
        control = ControlServer(self.run_dir / ipc.CORE_SOCKET, self._call)
        if self.decides:
            self.vision.start()
            for thread in self.radars.values():
                thread.start()
        # What exists now lives for ever: without this a full collection stops the loop for 13 ms and more.
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(0.0005)
        refused = realtime.ask(realtime.CORE_PRIORITY)
        if refused is not None:
            log.info("event=realtime_refused reason=%r", refused)
        tick_ns = self.clock.monotonic_ns()
        while self._exit is None:
            inputs = self._wait(tick_ns)
            now_ns = self.clock.monotonic_ns()
            tick_ns = now_ns + STEP_NS
            self._step(now_ns, inputs)
        self._close(control)
        return self._exit

    def _wait(self, tick_ns: int) -> list[Input]:
        inputs: list[Input] = []
        wait_s = (tick_ns - self.clock.monotonic_ns()) / NS_PER_S
        with contextlib.suppress(queue.Empty):
            inputs.append(self.inbox.get(timeout=wait_s) if wait_s > 0 else self.inbox.get_nowait())
            while True:
                inputs.append(self.inbox.get_nowait())
        return inputs

    def _step(self, now_ns: int, inputs: list[Input]) -> None:
        observations: list[Observation] = []
        calls: list[Call] = []
        for item in inputs:
            if isinstance(item, Call):
                calls.append(item)
            elif isinstance(item, SensorProblem):
                observations.append(item)
            elif isinstance(item, RadarInput):
                observations.extend(item.frames)
            else:
                observations.extend(self._from_vision(item))
        output = self.pipeline.step(now_ns, self.day, observations)
        self.output = output
        self.guard.renew(self._lamps(now_ns, output), self.day.brightness_pct)
        # Everything below is off the lamp path: the renewal is already on its way.
        self._measure(output, observations)
        self._speak(now_ns, output)
        events = (*output.events, *self.chronicle.step(now_ns, output))
        for event in events:
            self.journal.append(event)
        self._record(now_ns, inputs)
        self._keep(now_ns, inputs, events)
        self._picture(events)
        for event in self.parts.changes(now_ns, self):
            self.journal.append(event)
        if now_ns - self._day_read_ns > NS_PER_S:
            self._day_read_ns = now_ns
            self._take_day(now_ns)
            self.camera_alone.keep(self.pipeline.camera_alone_s(now_ns))
        for call in calls:
            self._answer(call)

    def _lamps(self, now_ns: int, output: Output) -> dict[str, tuple[Shows, int | None]]:
        lamps: dict[str, tuple[Shows, int | None]] = {}
        for name, lamp in self.config.lamps.items():
            decisions = [output.decisions[face] for face in lamp.faces]
            shown = [decision.shows for decision in decisions] if self.decides else [Shows.FAULT]
            test = self._lamp_tests.get(name)
            if test is not None:
                if now_ns < test[1]:
                    shown.append(test[0])  # a test can only make a lamp show more, never less
                else:
                    del self._lamp_tests[name]
            shows = first_shown(shown)
            caused = [d.caused_by_ns for d in decisions if d.shows is shows and d.caused_by_ns is not None]
            lamps[name] = (shows, max(caused, default=None))
        return lamps

    def _measure(self, output: Output, observations: list[Observation]) -> None:
        now_ns = self.clock.monotonic_ns()
        # Only frames of this step: a face that turns to another, older cause would measure the radar's pace.
        fresh_ns = {seen.captured_ns for seen in observations if not isinstance(seen, SensorProblem)}
        for face, decision in output.decisions.items():
            caused_ns = decision.caused_by_ns
            if caused_ns not in fresh_ns or decision.cause is None or caused_ns <= self._last_caused_ns.get(face, 0):
                continue
            self._last_caused_ns[face] = caused_ns
            kind = "radar" if decision.cause.sensor in self.config.radars else "camera"
            self.latency[kind].add((now_ns - caused_ns) / NS_PER_MS)

    def _speak(self, now_ns: int, output: Output) -> None:
        for face, clip in output.says.items():
            body = self.speakers.say(face, clip, self.day.volume_pct)
            self.journal.append(Event(EventKind.VOICE, now_ns, face, {"clip": clip, **body}))

    def _from_vision(self, item: VisionInput) -> list[Observation]:
        message = item.message
        if message is None:
            self.vision_says, self.camera_says, self.seen_m = {}, {}, {}
            return [SensorProblem(name, item.received_ns, "vision is not running") for name in self.config.cameras]
        try:
            kind = message["kind"]
            if kind == "observation":
                return [camera_observation(message)]
            if kind == "camera":
                name = str(message["camera"])
                self.seen_m[name] = camera_visibility(message)
                self.camera_says[name] = dict(message)
                return [SensorProblem(name, item.received_ns, message.get("problem"))]
            if kind == "vision":
                self.vision_says = dict(message)
                problem = message.get("problem")
                if problem is not None:
                    return [SensorProblem(name, item.received_ns, f"vision: {problem}") for name in self.config.cameras]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("event=vision_message_refused error=%r", error)
        return []

    def _record(self, now_ns: int, inputs: list[Input]) -> None:
        recording = self.recording
        if recording is None:
            return
        for item in inputs:
            if isinstance(item, RadarInput) and item.raw:
                recording.put_radar(item.radar, item.raw, item.captured_ns)
            elif isinstance(item, VisionInput) and item.message and item.message.get("kind") == "observation":
                recording.put_camera(str(item.message.get("camera")), dict(item.message), item.received_ns)
        if recording.over(now_ns):
            self._end_recording()

    def _keep(self, now_ns: int, inputs: list[Input], events: Iterable[Event]) -> None:
        """Hands over what an incident recording needs; measured by tests/bench/test_bench_incidents.py."""
        kept = []
        wall_ns = self.clock.wall_ns() if inputs else 0
        for item in inputs:
            if isinstance(item, RadarInput) and item.raw:
                kept.append(Kept(item.radar, item.captured_ns, wall_ns, item.raw))
            elif isinstance(item, VisionInput) and item.message and item.message.get("kind") == "observation":
                kept.append(Kept(str(item.message.get("camera")), item.received_ns, wall_ns, item.message))
        for order in self.incidents.step(now_ns, kept, events, self.incident_files.written_bytes):
            self.incident_files.put(order)

    def _picture(self, events: Iterable[Event]) -> None:
        """Asks for a picture, in which nobody can be recognised, of what an alert, a near miss or a fault is about."""
        if not self.config.recording.snapshots:
            return
        for event in events:
            if event.face is None or trigger_of(event) is None:
                continue
            meet = {event.face, *self.config.approaches[event.face].conflicts}
            for name, camera in self.config.cameras.items():
                if meet & camera.zones.keys():
                    self.vision.tell({"kind": "snapshot", "camera": name})

    # --- core.sock -----------------------------------------------------------------------------------------------

    def _call(self, verb: str, args: Mapping[str, Any]) -> Any:
        """On a thread of the control server: hands the request to the control thread and waits. Files and imports are
        dealt with here, because the control thread renews the lease."""
        call = Call(verb, self._prepared(verb, args))
        self.inbox.put(call)
        if not call.done.wait(CALL_TIMEOUT_S):
            raise ControlError(f"core did not answer {verb} within {CALL_TIMEOUT_S:.0f} s")
        if call.error is not None:
            raise ControlError(str(call.error)) from call.error
        return call.result

    def _prepared(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        if verb == "status":
            return {"chosen": chosen.read(self.run_dir)}
        if verb == "reload":
            config = load_site(self.run_dir / ipc.SITE_CONFIG)
            return {"config": config, "sections": section_hashes(config), "sha256": config_hash(config)}
        if verb == "record_start" and self.recording is None:
            seconds = args.get("seconds")
            config_values = self.config.model_dump(mode="json")
            max_s = None if seconds is None else float(seconds)
            path = pathlib.Path(str(args["path"]))
            try:
                return {"recording": Recording(path, config_values, self.clock, max_s=max_s, day=self.day)}
            except RecordingError as error:
                raise ControlError(str(error)) from error
        return args

    def _answer(self, call: Call) -> None:
        verbs: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "status": self._status,
            "config": lambda _args: self.config.model_dump(mode="json"),
            "reload": self._reload,
            "lamp": self._lamp_test,
            "say": self._say,
            "record_start": self._record_start,
            "record_stop": lambda _args: self._record_stop(),
            "accept_view": self._accept_view,
        }
        try:
            if call.verb not in verbs:
                raise ControlError(f"unknown verb {call.verb!r}; known: {', '.join(verbs)}")
            call.result = verbs[call.verb](call.args)
        except Exception as error:  # noqa: BLE001 - a request must not end the loop that renews the lease
            log.warning("event=request_failed verb=%s error=%r", call.verb, error)
            call.error = error
        call.done.set()

    def _status(self, args: Mapping[str, Any]) -> dict[str, Any]:
        self.chosen = args["chosen"]
        return snapshot(self)

    def _reload(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Takes run_dir/site.json. Policy between two steps; a changed device starts anew where it is owned."""
        config, sections = args["config"], args["sections"]
        changed = [name for name in sections if sections[name] != self.sections[name]]
        same_images = _images(config) == _images(self.config)  # the rest of the section is core's own
        moved = [name for name in changed if not (name == "recording" and same_images)]
        restarts = sorted({who for name in moved for who in RESTARTS.get(name, ())})
        self.config, self.sections, self.config_sha256 = config, sections, args["sha256"]
        if "core" in restarts or not self.decides:  # what opened no sensor has to begin anew
            self.stop(ipc.EXIT_RESTART)
        elif "pipeline" in restarts:
            spent_s = self.pipeline.camera_alone_s(self.clock.monotonic_ns())
            self.pipeline, self.chronicle = self._new_pipeline(spent_s), Chronicle(config)
        else:
            self.pipeline.configure(config)
            self.chronicle.configure(config)
        self.speakers.configure(config)
        self.incidents.configure(config.recording)
        self.incident_files.configure(config)
        self._take_day(self.clock.monotonic_ns())
        if "vision" in restarts:
            self.vision.tell({"kind": "restart"})
        if "guard" in restarts:
            self.guard.restart_peer()
        restarts = [who for who in restarts if who != "pipeline"]
        body = {
            "changed": changed,
            "between_steps": [name for name in changed if name in BETWEEN_STEPS or name not in moved],
            "restarts": restarts,
        }
        self.journal.append(Event(EventKind.CONFIG, self.clock.monotonic_ns(), None, {"state": "applied", **body}))
        return body

    def _lamp_test(self, args: Mapping[str, Any]) -> dict[str, Any]:
        name, shows, seconds = str(args["lamp"]), Shows(args["shows"]), float(args["seconds"])
        if name not in self.config.lamps:
            raise ControlError(f"no lamp {name!r}; there are: {', '.join(self.config.lamps)}")
        if shows is Shows.CLEAR or not 0 < seconds <= LAMP_TEST_MAX_S:
            raise ControlError(f"a test shows caution, alert or fault for at most {LAMP_TEST_MAX_S:.0f} s")
        self._lamp_tests[name] = (shows, self.clock.monotonic_ns() + round(seconds * NS_PER_S))
        return {"lamp": name, "shows": shows.value, "seconds": seconds}

    def _say(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return self.speakers.test(str(args["clip"]), args.get("speaker"))

    def _accept_view(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Vision forgets what the camera should see, and learns it anew from what it sees now."""
        name = str(args["camera"])
        if name not in self.config.cameras:
            raise ControlError(f"no camera {name!r}; there are: {', '.join(self.config.cameras) or 'none'}")
        if not self.vision.tell({"kind": "accept_view", "camera": name}):
            raise ControlError("vision is not connected: see the part vision in the status")
        return {"camera": name}

    def _record_start(self, args: Mapping[str, Any]) -> dict[str, Any]:
        prepared: Recording | None = args.get("recording")
        if self.recording is not None or prepared is None:
            if prepared is not None:  # two asked at once, and the other was first
                prepared.close(timeout_s=0.0)
            raise ControlError(f"already recording to {self.recording.path if self.recording else 'another file'}")
        prepared.put_day(self.day, self.clock.monotonic_ns())  # it may have changed since the file was opened
        self.recording = prepared
        return {"path": str(prepared.path)}

    def _record_stop(self) -> dict[str, Any]:
        recording = self._end_recording()
        if recording is None:
            raise ControlError("no recording is running")
        if recording.problem is not None:
            raise RecordingError(recording.problem)
        seconds = recording.elapsed_s(self.clock.monotonic_ns())
        return {"path": str(recording.path), "seconds": round(seconds, 1), "dropped": recording.dropped}

    def _end_recording(self) -> Recording | None:
        recording, self.recording = self.recording, None
        if recording is not None:
            # Writing the index is the work of the recording's own thread; this loop must go on renewing.
            recording.close(timeout_s=0.0)
        return recording

    # --- inside --------------------------------------------------------------------------------------------------

    def _new_pipeline(self, camera_alone_s: Mapping[str, float]) -> Pipeline:
        return Pipeline(
            self.config,
            start_ns=self.clock.monotonic_ns(),
            stale_after_s=stale_after_s(self.config),
            camera_alone_s=camera_alone_s,
        )

    def _read_day(self) -> DayState:
        day = day_state(self.config, local_time(self.clock.wall_ns()), self.clock.quality())
        return hazier(day, self.seen_m.values())

    def _take_day(self, now_ns: int) -> None:
        """Reads the day state anew; a change is in force from the next step on, and is recorded."""
        day = self._read_day()
        if day == self.day:
            return
        self.day = day
        if self.recording is not None:
            self.recording.put_day(day, now_ns)
        for order in self.incidents.day(now_ns, day):
            self.incident_files.put(order)

    def _close(self, control: ControlServer) -> None:
        control.close()
        for thread in self.radars.values():
            thread.stop()
        self.vision.close()
        if self.recording is not None:
            self.recording.close()
        if self.incidents.open:
            self.incident_files.put(self.incidents.end())
        self.incident_files.close()
        self.speakers.close()
        self.camera_alone.close()
        self.journal.append(Event(EventKind.NODE, self.clock.monotonic_ns(), None, {"state": "stopped"}))
        self.journal.close()
        self.guard.close()


def _images(config: SiteConfig) -> tuple[object, ...]:
    """What vision has to know of the section ``recording``."""
    return config.recording.images, config.recording.snapshots, config.recording.snapshots_keep


def main(argv: list[str] | None = None) -> int:
    """Entry of the process."""
    parser = argparse.ArgumentParser(prog="python -m device.core", description=__doc__)
    parser.add_argument("--config", type=pathlib.Path, required=True, help="site file, reported in the status")
    parser.add_argument("--run-dir", type=pathlib.Path, required=True, help="sockets and the compiled configuration")
    parser.add_argument(
        "--state-dir", type=pathlib.Path, required=True, help="journal, incidents, hours of camera alone"
    )
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="level=%(levelname)s part=core %(message)s")
    try:
        config = load_site(args.run_dir / ipc.SITE_CONFIG)
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201 - an entry point's own message
        return 2
    realtime.favour()
    core = Core(config, args.config, args.run_dir, args.state_dir, SYSTEM_CLOCK)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: core.stop(0))
    return core.run()


if __name__ == "__main__":
    sys.exit(main())
