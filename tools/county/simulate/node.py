"""One simulated node: the real bridge and the real provision in its own folders, beside a played core.

Invariants: what runs is decided by the real code alone, from the files of the node; provision runs when something came
in, and on its timer, as on a pole; at most ``COMPUTING`` nodes of a process work at a configuration at one time, and
whoever waits for a trial hands its turn on, so that a thousand trials do not starve the bridges beside them.
"""

import logging
import pathlib
import random
import threading
from collections.abc import Callable
from typing import Final

from cloud_bridge.app import Bridge, Pace
from configs.errors import ConfigError
from configs.loader import load_site
from device.ipc import EXIT_RESTART, SITE_CONFIG
from device.provisioning.apply import Provision, inbox_files
from device.provisioning.boot import boot
from device.provisioning.enrolment import EnrolmentError
from device.provisioning.slots import SlotsError
from device.supervisor import PAUSE_MAX_S, PROVISION_EVERY_S
from hal.clock import NS_PER_S, SYSTEM_CLOCK, SystemClock
from tools.county.simulate.behaviour import Behaviour
from tools.county.simulate.core import RAN_FILE, PlayedCore
from tools.county.simulate.county import place

log = logging.getLogger(__name__)

PACE: Final = Pace(poll_s=5.0, core_s=5.0, loop_s=5.0, status_s=60.0)
"""At the pace of a pole 500 bridges would poll ten thousand times a second and leave no CPU for what they poll for. A
word of the broker wakes a bridge at any pace; what core says of a change waits for 2.5 s in the mean."""

TRIAL_LOOK_S: Final = 2.0
"""A look at a trial costs some 0.5 ms: a thousand nodes that look twice a second would take a core for it."""

COMPUTING: Final = 1
"""Turns of a process. There are more processes than CPUs: while one waits for the disk another computes, and two
threads that compute in one process only fight for its interpreter."""

SLOW_START_S: Final = 15.0
"""Until a slow node deals with what came."""


class NoPowerError(Exception):
    """The node was switched off: what ran on it runs no more."""


class TurnClock(SystemClock):
    """The machine's clock for what computes in one of ``turns``: whoever sleeps hands the turn on meanwhile. Sleep
    raises NoPowerError where the node ``is_on`` no longer."""

    def __init__(self, turns: threading.Semaphore, is_on: Callable[[], bool]) -> None:
        self._turns = turns
        self._is_on = is_on

    def sleep_s(self, duration_s: float) -> None:
        """In a turn."""
        self._turns.release()
        try:
            super().sleep_s(duration_s)
        finally:
            self._turns.acquire()
        if not self._is_on():
            raise NoPowerError


class Node:
    """A node of the county in ``folder``, off until ``switch_on``. One thread calls its methods."""

    def __init__(self, folder: pathlib.Path, name: str, behaviour: Behaviour, turns: threading.Semaphore) -> None:
        self.name = name
        self.boots = 0
        self._turns = turns
        self._slow = name in behaviour.slow
        self._folder = folder
        self._place = place(folder, name, SYSTEM_CLOCK)
        self._place.run_dir.mkdir(exist_ok=True)
        self._core = PlayedCore(
            self._place.run_dir,
            ran_file(folder, name),
            SYSTEM_CLOCK,
            slow=self._slow,
            failing=name in behaviour.failing,
            ill_by=behaviour.ill_by,
        )
        self._on = False
        self._bridge: Bridge | None = None
        self._bytes_before = 0
        self._jobs: dict[str, threading.Thread] = {}
        # The timers of a county are not in step: each node was switched on at its own time.
        self._due_ns = SYSTEM_CLOCK.monotonic_ns() + round(random.random() * PROVISION_EVERY_S * NS_PER_S)
        self._again_ns = 0

    @property
    def bundle_bytes(self) -> int:
        """Bytes of bundles that the broker sent to this node."""
        bridge = self._bridge
        return self._bytes_before + (0 if bridge is None else bridge.bundle_bytes)

    def switch_on(self) -> None:
        """Power comes."""
        self._on = True

    def switch_off(self) -> None:
        """Stops everything in good order; whoever wants to pull the plug kills the worker."""
        self._on = False
        self._core.stop()
        if self._bridge is not None:
            self._bridge.stop()
            self._bridge.wake()

    def wait_off(self, timeout_s: float) -> None:
        """After ``switch_off``; a trial that is watched is left alone."""
        if (bridge := self._jobs.get("bridge")) is not None:
            bridge.join(timeout_s)

    def look(self) -> None:
        """What systemd, the path unit and the timer do on a pole."""
        if not self._on:
            return
        if self._core.wants_start:
            self._work("boot", self._boot)
            return
        self._work("bridge", self._carry)
        now_ns = SYSTEM_CLOCK.monotonic_ns()
        if now_ns >= self._due_ns or (now_ns >= self._again_ns and inbox_files(self._place.inbox)):
            self._due_ns = now_ns + round(PROVISION_EVERY_S * NS_PER_S)
            self._work("provision", self._provision)

    def _work(self, name: str, act: Callable[[], None]) -> None:
        """Does it on a thread, unless it is being done."""
        running = self._jobs.get(name)
        if running is None or not running.is_alive():
            self._jobs[name] = threading.Thread(target=act, name=f"{name} {self.name}", daemon=True)
            self._jobs[name].start()

    def _boot(self) -> None:
        try:
            with self._turns:
                boot(place(self._folder, self.name, SYSTEM_CLOCK))
                self._core.start()
            self.boots += 1
            if self._place.slots.state().trial is not None:
                self._due_ns = 0
        except (OSError, ConfigError, SlotsError):
            log.exception("event=boot_failed node=%s", self.name)

    def _carry(self) -> None:
        """The bridge, and the next one where its own part of the configuration has changed."""
        code = EXIT_RESTART
        while self._on and code == EXIT_RESTART:
            site = load_site(self._place.run_dir / SITE_CONFIG)
            bridge = Bridge(
                site, self._place.run_dir, self._place.state_dir, SYSTEM_CLOCK, ask=self._core.ask, pace=PACE
            )
            self._bridge = bridge
            if self._on:
                code = bridge.run()
            self._bytes_before += bridge.bundle_bytes
            self._bridge = None

    def _provision(self) -> None:
        if self._slow:
            SYSTEM_CLOCK.sleep_s(SLOW_START_S)
        clock = TurnClock(self._turns, lambda: self._on)
        try:
            with self._turns:
                # In a place of its own, as a process: nothing is remembered from the run before.
                Provision(place(self._folder, self.name, clock), self._core.ask, look_s=TRIAL_LOOK_S).run()
        except NoPowerError:
            pass
        except (OSError, EnrolmentError):
            log.exception("event=provision_failed node=%s", self.name)
        if inbox_files(self._place.inbox):  # what it cannot take away stays there, and would be tried without end
            self._again_ns = SYSTEM_CLOCK.monotonic_ns() + round(PAUSE_MAX_S * NS_PER_S)


def ran_file(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Where the core of a node writes what it ran."""
    return place(folder, name, SYSTEM_CLOCK).state_dir.with_name(RAN_FILE)
