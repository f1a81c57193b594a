"""A running node for tests: real processes under the supervisor, LD2451 twins on ptys, mock pins with a tap.

Invariant: waits are for conditions with a deadline; nothing sleeps for luck.
"""

import contextlib
import json
import pathlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from device.control import NotRunningError, call
from device.site import check_site
from device.supervisor import Supervisor
from hal.clock import SYSTEM_CLOCK
from hal.radar.ld2451_wire import WireTarget
from tests.support.radar_wire import Ld2451Twin

RADAR_HZ = 10.0
BOOT_S = 100.0
"""Ten seconds of health, and where a busy machine let the lease run out once, the forty that this costs."""


class Road:
    """Feeds twins at 10 Hz with whoever drives now. ``drive`` starts a vehicle at the edge of reach."""

    def __init__(self, twins: dict[str, Ld2451Twin], reach_m: float = 100.0) -> None:
        self._twins = twins
        self._reach_m = reach_m
        self._vehicles: list[tuple[str, float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def drive(self, radar: str, speed_kmh: float) -> float:
        """A vehicle enters the reach now; returns when it arrives, in monotonic seconds."""
        arrival_s = time.monotonic() + self._reach_m / (speed_kmh / 3.6)
        self._vehicles.append((radar, speed_kmh, arrival_s))
        return arrival_s

    def close(self) -> None:
        """Stops feeding: the radars fall silent."""
        self._stop.set()
        self._thread.join()

    def _feed(self) -> None:
        while not self._stop.wait(1 / RADAR_HZ):
            now_s = time.monotonic()
            for name, twin in self._twins.items():
                seen = []
                for radar, speed_kmh, arrival_s in self._vehicles:
                    distance_m = (arrival_s - now_s) * speed_kmh / 3.6
                    if radar == name and 0.5 <= distance_m <= self._reach_m:
                        seen.append(WireTarget(0, round(distance_m), 1, round(speed_kmh)))
                with contextlib.suppress(OSError):  # unplugged
                    self._send(twin, seen)

    def _send(self, twin: Ld2451Twin, seen: list[WireTarget]) -> None:
        twin.send(seen)


class Node:
    """A node in a folder of its own."""

    def __init__(self, folder: pathlib.Path, site_yaml: str) -> None:
        self.folder = folder
        self.site_path = folder / "site.yaml"
        self.site_path.write_text(site_yaml, encoding="utf-8")
        self.run_dir = folder / "run"
        self.state_dir = folder / "state"
        self.tap_path = folder / "tap.jsonl"
        self.begin()

    def begin(self) -> None:
        """Starts the node, again after ``close``."""
        self.supervisor = self._supervised()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def _supervised(self) -> Supervisor:
        config, _warnings = check_site(self.site_path)
        return Supervisor(config, self.site_path, self.run_dir, self.state_dir, SYSTEM_CLOCK, stderr=subprocess.DEVNULL)

    def status(self) -> dict[str, Any]:
        """The node's status; an empty one while core is not there."""
        try:
            answer: dict[str, Any] = call(self.run_dir, "status")
        except NotRunningError:
            return {}
        return answer

    def until(
        self, condition: Callable[[dict[str, Any]], Any], what: str, deadline_s: float = BOOT_S
    ) -> dict[str, Any]:
        """Waits until the status meets the condition; fails with what it last was."""
        end_s = time.monotonic() + deadline_s
        status: dict[str, Any] = {}
        while time.monotonic() < end_s:
            status = self.status()
            if status and condition(status):
                return status
            time.sleep(0.02)
        raise AssertionError(
            f"not within {deadline_s:.0f} s: {what}; last status: {json.dumps(status, ensure_ascii=False)}"
        )

    def until_guarding(self) -> dict[str, Any]:
        """Waits until every lamp has earned dark."""
        return self.until(
            lambda s: not s["booting"] and all(lamp["shows"] == "clear" for lamp in s["lamps"].values()),
            "every lamp dark",
        )

    def tap(self) -> list[dict[str, Any]]:
        """All lines of the lamp tap."""
        if not self.tap_path.exists():
            return []
        return [json.loads(line) for line in self.tap_path.read_text().splitlines()]

    def until_tap(
        self, condition: Callable[[dict[str, Any]], Any], since_s: float, deadline_s: float = 15.0
    ) -> dict[str, Any]:
        """The first tap line after ``since_s`` that meets the condition."""
        end_s = time.monotonic() + deadline_s
        while time.monotonic() < end_s:
            for line in self.tap():
                if line["mono_ns"] / 1e9 >= since_s and condition(line):
                    return line
            time.sleep(0.02)
        raise AssertionError("no such tap line; last lines: " + "\n".join(map(str, self.tap()[-5:])))

    def close(self) -> None:
        """Stops the node."""
        self._stop.set()
        self._thread.join()
        self.supervisor.stop()

    def _poll(self) -> None:
        while not self._stop.wait(0.05):
            self.supervisor.poll()


@contextlib.contextmanager
def twins(*names: str) -> Iterator[dict[str, Ld2451Twin]]:
    """LD2451 twins by name."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Ld2451Twin()) for name in names}
