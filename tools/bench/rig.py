"""The node that is measured: guard, core, vision and bridge as ``sentinel run`` starts them, with a world around.

Four pairs of roads (main_a crosses branch_a, and so on), so that events of four places come at once: a radar on each
main road, two cameras that each see two branches, a lamp for each of the eight faces, a Mosquitto on loopback, and a
journal with a backlog that the bridge drains at its own rate all the while. A second radar, on branch_a, makes alerts
that need no camera. Flash patterns differ, so that a lamp that goes from alert to the safe pattern shows it on the
pin: alert is lit 30 % of 0.5 s, fault 50 % of 1 s, and every phase begins lit.
"""

import contextlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from device.control import ControlError, call
from device.events import Event, EventKind
from device.journal import JournalWriter
from device.journal_reader import JOURNAL_FILE
from device.site import check_site
from device.supervisor import Supervisor
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from tools.bench.stream import MjpegCamera
from tools.bench.taps import Tap, Visit
from tools.bench.world import Feeder, Radar, empty, present
from tools.demo.broker import Broker, BrokerError

PAIRS = ("a", "b", "c", "d")
CAMERAS = {"c_ab": ("a", "b"), "c_cd": ("c", "d")}
"""Camera -> the branches in its left and its right zone."""

PINS = (17, 18, 22, 23, 24, 25, 26, 27)
BACKLOG_PER_S = 50
BACKLOG_S = 1800
"""How long the backlog lasts at that rate: longer than the longest bench."""

BOOT_S = 60.0
"""Longest wait for dark to be earned: ten seconds of health, and whatever a loaded machine needs to start."""


class BenchError(Exception):
    """Something is missing or went wrong that no figure can be had without; the message says what to do."""


def site(
    radars: dict[str, Radar], cameras: dict[str, dict[str, Any]], tap: pathlib.Path, broker: str
) -> dict[str, Any]:
    """The site file of the bench, as plain values."""
    approaches: dict[str, Any] = {}
    lamps: dict[str, Any] = {}
    pins = iter(PINS)
    for pair in PAIRS:
        main, branch = f"main_{pair}", f"branch_{pair}"
        approaches[main] = {"road": "main", "limit_kmh": 60, "conflicts": [branch]}
        approaches[branch] = {"road": "branch", "limit_kmh": 30, "conflicts": [main]}
        for face in (branch, main):
            lamps[f"l_{face}"] = {
                "driver": "gpio",
                "pin": next(pins),
                "pin_factory": "mock",
                "tap": str(tap),
                "faces": [face],
            }
    return {
        "site": {"id": "371500/bench", "name": "测量台"},
        "approaches": approaches,
        "radars": {
            f"r_{approach}": {
                "driver": "ld2451",
                "url": radar.path,
                "approach": approach,
                "reach_m": 100,
                "direction_flag": "approach_is_1",
                "configure": False,
            }
            for approach, radar in radars.items()
        },
        "cameras": cameras,
        "lamps": lamps,
        "policy": {"hold_s": 1},
        "lamp_patterns": {
            "caution": {"period_s": 1, "lit_pct": 60},
            "alert": {"period_s": 0.5, "lit_pct": 30},
            "fault": {"period_s": 1, "lit_pct": 50},
        },
        "bridge": {"url": broker, "backlog_per_s": BACKLOG_PER_S},
    }


class Pictures:
    """What a camera shows: people who stand in its two zones when their visits say so, with fresh noise each time."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.zones: list[list[list[float]]] = json.loads((folder / "zones.json").read_text())
        self.visits: tuple[Sequence[Visit], Sequence[Visit]] = ((), ())
        self._jpegs = [[path.read_bytes() for path in sorted(folder.glob(f"{state}_*.jpg"))] for state in range(4)]
        self._random = chance()

    def choose(self, taken_ns: int) -> bytes:
        """The picture of that moment."""
        state = sum(1 << place for place, visits in enumerate(self.visits) if present(visits, taken_ns) is not None)
        return self._random.choice(self._jpegs[state])


def make_pictures(folder: pathlib.Path, *, drawn: bool = False) -> None:
    """Makes the pictures in a process of their own; ``drawn`` ones show nobody. Raises BenchError with its reason."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tools.bench.pictures", str(folder), *(["--drawn"] if drawn else [])]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"no pictures of people: {done.stderr.strip()}")
    print(done.stderr, end="", file=sys.stderr)


@contextlib.contextmanager
def memory_folder() -> Iterator[pathlib.Path]:
    """A folder for taps, in memory where there is such a thing: a disk that syncs the journal would hold guard up for
    tens of milliseconds at a tap that no node in the field has."""
    shared = pathlib.Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="sentinel-bench-", dir=shared if shared.is_dir() else None) as name:
        yield pathlib.Path(name)


def fill_journal(path: pathlib.Path, count: int) -> None:
    """Events that an outage kept, as many as ``count``."""
    journal = JournalWriter(path, SYSTEM_CLOCK)
    try:
        for number in range(count):
            body = {"from": "clear", "to": "caution", "cause": {"approach": "main_a", "distance_m": 80.5}}
            journal.append(Event(EventKind.CAUTION, time.monotonic_ns(), "branch_a", body))
            if number % 2000 == 1999 and not journal.flush(30):
                raise BenchError(f"{path}: the journal does not take events; is the disk full?")
        journal.flush(30)
    finally:
        journal.close()


class Node:
    """The node at work. Close it, or use it as a context."""

    def __init__(self) -> None:
        self._closing = contextlib.ExitStack()
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        self.folder = pathlib.Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="sentinel-bench-")))
        self.run_dir, self.state_dir = self.folder / "run", self.folder / "state"
        tap = self._closing.enter_context(memory_folder()) / "tap.jsonl"
        self.tap = Tap(tap)
        make_pictures(self.folder / "pictures")
        self.radars = {f"main_{pair}": Radar() for pair in PAIRS} | {"branch_a": Radar()}
        for radar in self.radars.values():
            self._closing.callback(radar.close)
        self.pictures: dict[str, Pictures] = {}
        cameras: dict[str, dict[str, Any]] = {}
        for name, branches in CAMERAS.items():
            pictures = self.pictures[name] = Pictures(self.folder / "pictures")
            stream = MjpegCamera(pictures.choose)
            stream.start()
            self._closing.callback(stream.close)
            zones = {f"branch_{pair}": {"wait": pictures.zones[place]} for place, pair in enumerate(branches)}
            cameras[name] = {"driver": "opencv", "source": stream.url, "zones": zones}
        try:
            broker = self._closing.enter_context(Broker(self.folder, SYSTEM_CLOCK))
        except BrokerError as error:
            raise BenchError(str(error)) from error
        self._subscribe(broker.port)
        self.state_dir.mkdir()
        fill_journal(self.state_dir / JOURNAL_FILE, BACKLOG_PER_S * BACKLOG_S)
        path = self.folder / "site.yaml"
        path.write_text(json.dumps(site(self.radars, cameras, tap, broker.url)), encoding="utf-8")
        config, _warnings = check_site(path)
        feeder = Feeder(list(self.radars.values()))
        feeder.start()
        self._closing.callback(feeder.close)
        log = self._closing.enter_context((self.folder / "node.log").open("wb"))
        self.supervisor = Supervisor(config, path, self.run_dir, self.state_dir, SYSTEM_CLOCK, stderr=log.fileno())
        self._closing.callback(self.supervisor.stop)
        self.started_ns = time.monotonic_ns()
        self.supervisor.poll()

    def _subscribe(self, port: int) -> None:
        self._received = self.folder / "received"
        command = [sys.executable, "-m", "tools.bench.subscriber", str(port), str(self._received)]
        subscriber = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._closing.callback(subscriber.wait)
        self._closing.callback(subscriber.kill)
        wait_for(self._received.exists, "a subscriber to the node's events", 20)

    def received(self) -> int:
        """How many messages the county's end has."""
        return int(self._received.read_text() or 0)

    def wait_dark(self) -> None:
        """Waits until every lamp has earned dark and both cameras count."""
        for radar in self.radars.values():
            radar.play(empty)
        wait_for(self._dark, "all lamps dark and all cameras seen", BOOT_S, self.supervisor.poll)

    def _dark(self) -> bool:
        with contextlib.suppress(ControlError):
            status = self.status()
            faces = status["faces"].values()
            return all(face["shows"] == "clear" and face["health"] == "ok" for face in faces) and all(
                lamp.get("shows") == "clear" for lamp in status["lamps"].values()
            )
        return False

    def status(self) -> dict[str, Any]:
        """What the node says of itself. Raises ControlError."""
        answer: dict[str, Any] = call(self.run_dir, "status")
        return answer

    def camera_rates(self) -> str:
        """Pictures a second through the detector, camera by camera."""
        sensors = self.status()["sensors"]
        return ", ".join(f"{name} {sensors[name]['counters'].get('fps')}" for name in CAMERAS)

    def rest(self, until_ns: int) -> None:
        """Lets the node work until a moment, looking after its processes."""
        while (left_ns := until_ns - time.monotonic_ns()) > 0:
            self.supervisor.poll()
            time.sleep(min(0.25, left_ns / NS_PER_S))

    def replace(self, part: str, module: str) -> None:
        """Runs another module in the place of a part, with the same arguments."""
        child = self.supervisor.children[part]
        child.command[child.command.index("-m") + 1] = module
        if child.process is not None:
            child.process.terminate()
            child.process.wait(10)
        child.pause_s = 0.0
        self.supervisor.poll()

    def log(self) -> str:
        """The last lines the processes wrote."""
        return "\n".join((self.folder / "node.log").read_text(errors="replace").splitlines()[-15:])

    def close(self) -> None:
        """Ends everything."""
        self._closing.close()

    def __enter__(self) -> "Node":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def wait_for(
    condition: Callable[[], bool], what: str, within_s: float, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Waits for a condition. Raises BenchError when it does not come."""
    deadline_ns = time.monotonic_ns() + round(within_s * NS_PER_S)
    while not condition():
        if time.monotonic_ns() >= deadline_ns:
            raise BenchError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.02)
        meanwhile()


def chance() -> random.Random:
    """Phases are random, and the same in every run."""
    return random.Random(2451)
