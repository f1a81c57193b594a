"""Runs the demonstration: broker, subscriber, node and road, and gathers the evidence for the judge.

Order: the radars talk of an empty road, the node starts, earns dark, and only then the traffic begins; at the end core
is stopped first and the bridge last, so that the whole journal, its last line included, can reach the subscriber.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from configs.schema import RoadUser, SiteConfig
from device.control import ControlError, NotRunningError, call
from device.journal_reader import JOURNAL_FILE, JournalError, JournalReader, Row
from device.observation import camera_observation
from device.recording import camera_topic
from device.site import check_site
from device.supervisor import Supervisor
from hal.clock import NS_PER_S, Clock
from tools.demo import junction
from tools.demo.broker import Broker
from tools.demo.judge import CLEAR, Evidence, Seen, TapLine, judge
from tools.demo.subscriber import NoSubscriber, Subscriber
from tools.demo.summary import Summary
from tools.demo.traffic import REACH_M, Vehicle, make_traffic

BOOT_S = 60.0
"""Faces earn dark in 10 s; a slow machine loads the detector in some more."""

DRAIN_S = 10.0
LOOK_EVERY_S = 0.25
CURSOR_FILE = "outbox.json"
_ROWS = 10_000
NOBODY_URL = "mqtt://127.0.0.1:1"
"""Where no broker is installed the bridge finds nobody: the junction is guarded all the same."""

AnySubscriber = Subscriber | NoSubscriber


class DemoError(RuntimeError):
    """The demonstration could not run to its end; the message says which part and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What the screen shows at one moment. ``phase``: starting, booting, guarding, draining."""

    phase: str
    elapsed_s: float
    seconds: float
    status: dict[str, Any] | None
    received: int
    confirmed: int


Show = Callable[[View], None]


class Demo:
    """One demonstration in ``folder`` (its evidence stays there). ``county``: with a broker and a subscriber."""

    def __init__(
        self,
        folder: pathlib.Path,
        video: pathlib.Path,
        *,
        seconds: float,
        seed: int,
        clock: Clock,
        county: bool = True,
    ) -> None:
        self._folder = folder
        self._county = county
        self._video = video
        self._seconds = seconds
        self._seed = seed
        self._clock = clock
        self._run_dir = folder / "run"
        self._state_dir = folder / "state"
        self._recording = folder / "recording.mcap"
        self._speaker_log = folder / "speaker.jsonl"
        self._vehicles: list[Vehicle] = make_traffic(seed, seconds + 15.0, junction.MAIN)

    def run(self, show: Show) -> Summary:
        """Guards for the asked time and judges. Raises DemoError, BrokerError, SubscriberError."""
        with contextlib.ExitStack() as stack:
            road = junction.Road(self._vehicles, self._clock)
            stack.callback(road.close)
            url = NOBODY_URL
            subscriber: AnySubscriber = NoSubscriber()
            if self._county:
                broker = stack.enter_context(Broker(self._folder, self._clock))
                url, subscriber = broker.url, stack.enter_context(Subscriber(broker.port, self._clock))
            config, path = self._site(road, url)
            road.start()
            log = stack.enter_context((self._folder / "node.log").open("ab"))
            node = stack.enter_context(
                Supervisor(config, path, self._run_dir, self._state_dir, self._clock, stderr=log.fileno())
            )
            look = _Look(self, node, subscriber, show)
            look.until("booting", BOOT_S, _guarding)
            start_ns = self._guard(road, look)
            status = look.once("draining", self._seconds)
            comparison = subscriber.compare(self._drain(node, subscriber, look))
        evidence = self._evidence(config, start_ns)
        return Summary(
            seconds=self._seconds,
            seed=self._seed,
            verdict=judge(evidence),
            events=comparison,
            core_latency_ms=dict((status or {}).get("latency_ms", {}).get("radar", {})),
            said=len(_json_lines(self._speaker_log)),
            longest_pause_s=road.longest_pause_s,
            problems=tuple(look.problems),
        )

    def _site(self, road: junction.Road, broker_url: str) -> tuple[SiteConfig, pathlib.Path]:
        path = self._folder / "site.yaml"
        text = junction.site_yaml(
            ports=road.ports,
            video=self._video,
            folder=self._folder,
            broker_url=broker_url,
            speaker_log=self._speaker_log,
        )
        path.write_text(text, encoding="utf-8")
        config, _warnings = check_site(path)
        return config, path

    def _guard(self, road: junction.Road, look: "_Look") -> int:
        self.ask("record_start", {"path": str(self._recording)})
        start_ns = self._clock.monotonic_ns()
        road.open(start_ns)
        while (elapsed_s := (self._clock.monotonic_ns() - start_ns) / NS_PER_S) < self._seconds:
            look.once("guarding", elapsed_s)
            self._clock.sleep_s(min(LOOK_EVERY_S, max(0.0, self._seconds - elapsed_s)))
        return start_ns

    def _drain(self, node: Supervisor, subscriber: AnySubscriber, look: "_Look") -> list[Row]:
        """Stops core, which completes the recording and the journal; waits until the subscriber has all of the
        journal, for 10 s at most, and returns it."""
        pid = node.pid("core")
        if pid is None:
            raise DemoError(f"core is not running at the end; see {self._folder / 'node.log'}")
        os.kill(pid, signal.SIGTERM)
        end_ns = self._clock.monotonic_ns() + round(DRAIN_S * NS_PER_S)
        # Not polled any more: the supervisor would start core again.
        while node.alive()["core"] and self._clock.monotonic_ns() < end_ns:
            self._clock.sleep_s(0.05)
        rows = self._journal()
        subscriber.wait_for({(row.stream, row.seq) for row in rows}, DRAIN_S)
        look.again("draining", self._seconds)
        return rows

    def _journal(self) -> list[Row]:
        reader = JournalReader(self._state_dir / JOURNAL_FILE)
        try:
            return reader.after(0, _ROWS)
        except JournalError as error:
            raise DemoError(str(error)) from error
        finally:
            reader.close()

    def _evidence(self, config: SiteConfig, start_ns: int) -> Evidence:
        taps = [
            TapLine(line["mono_ns"], line["lamp"], line["shows"], line["caused_by_ns"])
            for line in _json_lines(junction.tap_path(self._folder))
        ]
        return Evidence(
            start_ns=start_ns,
            seconds=self._seconds,
            reach_m=REACH_M,
            policy=config.policy,
            design_user=config.site.design_user,
            vehicles=self._vehicles,
            seen=list(recorded_seen(self._recording, start_ns)),
            taps=taps,
            branch_lamp=junction.BRANCH_LAMP,
            main_lamps=junction.MAIN_LAMPS,
        )

    def ask(self, verb: str, args: dict[str, Any]) -> Any:
        """A request to core. Raises DemoError."""
        try:
            return call(self._run_dir, verb, args)
        except ControlError as error:
            raise DemoError(f"core, {verb}: {error}; see {self._folder / 'node.log'}") from error

    def status(self) -> dict[str, Any] | None:
        """Core's status, None while it does not answer."""
        try:
            return dict(call(self._run_dir, "status"))
        except NotRunningError:
            return None
        except ControlError as error:
            raise DemoError(f"core, status: {error}") from error

    def confirmed(self) -> int:
        """Events the broker has confirmed, as the bridge's cursor says (written once a second)."""
        try:
            cursor = json.loads((self._state_dir / CURSOR_FILE).read_bytes())
            kept = sum(max(0, int(upto) - int(after)) for after, upto in cursor["backlog"])
            return max(0, int(cursor["live"]) - kept)
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def log_tail(self) -> str:
        """The last lines the node logged."""
        with contextlib.suppress(OSError):
            return "\n".join((self._folder / "node.log").read_text("utf-8", "replace").splitlines()[-20:])
        return ""

    @property
    def seconds(self) -> float:
        """How long it guards."""
        return self._seconds

    @property
    def clock(self) -> Clock:
        """The clock in use."""
        return self._clock


class _Look:
    """Polls the node and shows it."""

    def __init__(self, demo: Demo, node: Supervisor, subscriber: AnySubscriber, show: Show) -> None:
        self._demo = demo
        self._node = node
        self._subscriber = subscriber
        self._show = show
        self._status: dict[str, Any] | None = None
        self.problems: list[str] = []
        """What was wrong with a part while the node guarded, each once."""

    def once(self, phase: str, elapsed_s: float) -> dict[str, Any] | None:
        """Keeps the node's processes running, and shows it."""
        self._node.poll()
        self._status = self._demo.status()
        if phase == "guarding":
            self._note((self._status or {}).get("parts", {}))
        self.again(phase, elapsed_s)
        return self._status

    def _note(self, parts: dict[str, Any]) -> None:
        if not parts:
            self.problems.append("core does not answer")
        for name, part in parts.items():
            # A warning is no fault (a clock that is not synchronised), except guard's: its lamps are lit for safety.
            if part["problem"] and (part["state"] != "WARN" or name == "guard"):
                self.problems.append(f"{name}: {part['problem']}")
        self.problems = list(dict.fromkeys(self.problems))

    def again(self, phase: str, elapsed_s: float) -> None:
        """Shows what was known last, and the messages as they are now."""
        demo = self._demo
        self._show(View(phase, elapsed_s, demo.seconds, self._status, self._subscriber.count(), demo.confirmed()))

    def until(self, phase: str, deadline_s: float, ready: Callable[[dict[str, Any]], bool]) -> None:
        """Looks until the status is ``ready``. Raises DemoError after the deadline, with what is missing."""
        clock = self._demo.clock
        began_ns = clock.monotonic_ns()
        while True:
            elapsed_s = (clock.monotonic_ns() - began_ns) / NS_PER_S
            status = self.once(phase, elapsed_s)
            if status is not None and ready(status):
                return
            if elapsed_s > deadline_s:
                problems = {name: part["problem"] for name, part in (status or {}).get("parts", {}).items()}
                said = "; ".join(f"{name}: {text}" for name, text in problems.items() if text) or "core does not answer"
                raise DemoError(f"not guarding within {deadline_s:.0f} s: {said}\n{self._demo.log_tail()}")
            clock.sleep_s(LOOK_EVERY_S)


def _guarding(status: dict[str, Any]) -> bool:
    """Every part works, and the lamps have earned dark."""
    parts = status["parts"]
    working = all(part["state"] in ("OK", "WARN") for part in parts.values()) and parts["guard"]["state"] == "OK"
    dark = all(lamp["shows"] == CLEAR for lamp in status["lamps"].values())
    return not status["booting"] and working and dark


def recorded_seen(recording: pathlib.Path, start_ns: int) -> Iterator[Seen]:
    """Who the camera saw on the branch, from a recording (DESIGN.md §5), in order of capture. Raises DemoError."""
    from mcap.exceptions import McapError
    from mcap.reader import make_reader

    topics = [camera_topic(junction.CAMERA)]
    try:
        with recording.open("rb") as file:
            messages = [message.data for _schema, _channel, message in make_reader(file).iter_messages(topics=topics)]
    except (OSError, McapError) as error:
        raise DemoError(f"{recording}: {error!r}; core may have been interrupted while it recorded") from error
    found = [camera_observation(json.loads(data)) for data in messages]
    for seen in sorted(found, key=lambda seen: seen.captured_ns):
        users: frozenset[RoadUser] = frozenset(
            count.user for count in seen.occupancy if count.approach == junction.SOUTH
        )
        yield Seen((seen.captured_ns - start_ns) / NS_PER_S, users)


def _json_lines(path: pathlib.Path) -> list[dict[str, Any]]:
    try:
        lines: Iterable[str] = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]
