"""The demonstration's T junction: its site file, and the radars of its main road fed from the traffic model."""

import contextlib
import pathlib
import threading
from collections.abc import Mapping, Sequence

from hal.clock import NS_PER_S, Clock
from tools.demo.traffic import REACH_M, Vehicle, radar_targets
from tools.sim.ld2451_twin import Ld2451Twin

EAST, WEST, SOUTH = "main_east", "main_west", "branch_south"
MAIN = (EAST, WEST)
RADARS = {EAST: "r_east", WEST: "r_west"}
CAMERA = "c_branch"
BRANCH_LAMP = "l_branch"
MAIN_LAMPS = {EAST: "l_east", WEST: "l_west"}
SPEAKER = "s_branch"

RADAR_HZ = 10.0
"""Frames a second of an LD2451 (data sheet)."""

WAIT_ZONE = [[0.16, 0.375], [0.36, 0.370], [0.37, 0.535], [0.16, 0.460]]
APPROACH_ZONE = [[0.00, 0.330], [0.16, 0.375], [0.16, 0.460], [0.00, 0.420]]
"""Drawn by hand on the lane at the left of ``vtest.avi``: people come along it, stop where it meets the yard, and leave
it, so that over its 80 s somebody is there about half of the time."""


def site_yaml(
    *, ports: Mapping[str, str], video: pathlib.Path, folder: pathlib.Path, broker_url: str, speaker_log: pathlib.Path
) -> str:
    """The site file. ``ports``: approach -> pty; ``folder`` takes the lamp tap."""
    tap = tap_path(folder)
    return f"""\
# 演示路口:真实的驱动和进程,雷达在伪终端上,相机放录像 / real drivers and processes, radars on ptys, a camera on a video
site: {{id: 371500/demo, name: 演示路口, design_user: truck}}
approaches:
  {EAST}: {{road: main, limit_kmh: 60, conflicts: [{SOUTH}], bearing_deg: 90}}
  {WEST}: {{road: main, limit_kmh: 60, conflicts: [{SOUTH}], bearing_deg: 270}}
  {SOUTH}: {{road: branch, limit_kmh: 30, conflicts: [{EAST}, {WEST}], bearing_deg: 180}}
radars:
  {RADARS[EAST]}: {{driver: ld2451, url: {ports[EAST]}, approach: {EAST}, reach_m: {REACH_M:g}, \
direction_flag: approach_is_1}}
  {RADARS[WEST]}: {{driver: ld2451, url: {ports[WEST]}, approach: {WEST}, reach_m: {REACH_M:g}, \
direction_flag: approach_is_1}}
cameras:
  {CAMERA}:
    driver: opencv
    source: {str(video)!r}
    loop: true
    realtime: true
    zones: {{{SOUTH}: {{wait: {WAIT_ZONE}, approach: {APPROACH_ZONE}}}}}
lamps:
  {BRANCH_LAMP}: {{driver: gpio, pin: 17, pin_factory: mock, tap: {str(tap)!r}, faces: [{SOUTH}]}}
  {MAIN_LAMPS[EAST]}: {{driver: gpio, pin: 27, pin_factory: mock, tap: {str(tap)!r}, faces: [{EAST}]}}
  {MAIN_LAMPS[WEST]}: {{driver: gpio, pin: 22, pin_factory: mock, tap: {str(tap)!r}, faces: [{WEST}]}}
heartbeat: {{driver: gpio, pin: 5, pin_factory: mock}}
speakers:
  {SPEAKER}: {{driver: "null", log: {str(speaker_log)!r}, faces: [{SOUTH}]}}
voice: {{quiet_hours: {{enabled: false}}}}
# 演示不分昼夜,预警时间都按白天算 / the judge of the demonstration goes by the daytime horizon at any hour
policy: {{widen: {{night_s: 0}}}}
bridge: {{url: "{broker_url}"}}
"""


def tap_path(folder: pathlib.Path) -> pathlib.Path:
    """The lamp tap in a demonstration's folder."""
    return folder / "tap.jsonl"


class Road:
    """The radars of both sides, telling 10 times a second what drives now. Empty until ``open`` is called."""

    def __init__(self, vehicles: Sequence[Vehicle], clock: Clock) -> None:
        self._vehicles = vehicles
        self._clock = clock
        self._twins = {approach: Ld2451Twin() for approach in MAIN}
        self._opened_ns: int | None = None
        self._stop = threading.Event()
        self.frames = 0
        self.lost_frames = 0
        self.longest_pause_s = 0.0
        """Between two frames since the road opened; above 0.5 s the node rightly calls its radars stale."""
        self._thread = threading.Thread(target=self._feed, name="radars", daemon=True)

    @property
    def ports(self) -> dict[str, str]:
        """Approach -> path of its radar's pty."""
        return {approach: twin.path for approach, twin in self._twins.items()}

    def start(self) -> None:
        """The radars begin to talk, of an empty road."""
        self._thread.start()

    def open(self, start_ns: int) -> None:
        """Time zero of the traffic."""
        self._opened_ns = start_ns

    def close(self) -> None:
        """The radars fall silent and are unplugged."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        for twin in self._twins.values():
            twin.close()

    def _feed(self) -> None:
        period_ns = round(NS_PER_S / RADAR_HZ)
        due_ns = before_ns = self._clock.monotonic_ns()
        while not self._stop.wait(max(0.0, (due_ns - self._clock.monotonic_ns()) / NS_PER_S)):
            now_ns = self._clock.monotonic_ns()
            due_ns = max(due_ns + period_ns, now_ns)
            for approach, twin in self._twins.items():
                self._send(approach, twin)
            if self._opened_ns is not None:
                self.longest_pause_s = max(self.longest_pause_s, (now_ns - before_ns) / NS_PER_S)
            before_ns = now_ns

    def _send(self, approach: str, twin: Ld2451Twin) -> None:
        if not twin.writable():
            # A UART that nobody reads loses bytes; it does not wait.
            self.lost_frames += 1
            return
        opened_ns = self._opened_ns
        at_s = None if opened_ns is None else (self._clock.monotonic_ns() - opened_ns) / NS_PER_S
        targets = [] if at_s is None else radar_targets(self._vehicles, approach, at_s)
        with contextlib.suppress(OSError):
            twin.send(targets)
            self.frames += 1
