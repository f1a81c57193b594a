"""Guard: holds the lamps and the heartbeat pin, and shows what core asks only while core keeps renewing it.

One thread, one loop: it sleeps in ``select`` until a message, a flash edge, a heartbeat or the end of a lease.
Invariants: nothing core or a lamp does stops the loop; the safe pattern needs nobody but this process; the heartbeat
toggles only while this loop runs and holds every lamp; leaving on purpose releases the pins, so the external flasher
takes over. Imports the standard library, gpiozero and small modules that do the same: it must start first and never be
the one that is big.

``Guard`` itself knows no socket and no sleep, so benches and tests drive it in their own process.
"""

import argparse
import contextlib
import gc
import json
import math
import os
import pathlib
import select
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

from configs import limits
from device import ipc
from device.held_lamp import HeldLamp
from device.lease import NS_PER_MS, Leases
from device.patterns import NS_PER_S, Pattern
from hal import registry
from hal.clock import SYSTEM_CLOCK, Clock
from hal.interfaces import Shows

LONGEST_LEASE_MS = 150
"""No lease lives longer, whatever the config says (DESIGN: a hung core is a flashing lamp within 200 ms)."""

HEARTBEAT_TOGGLE_NS = 50 * NS_PER_MS
"""Half a period of the 10 Hz heartbeat."""

HEARTBEAT_RETRY_NS = 5 * NS_PER_S
STATE_EVERY_NS = NS_PER_S
MESSAGES_A_WAKE = 64
"""A flood of messages may not keep a flash edge waiting: 64 take about 1 ms."""

FIFO_PRIORITY = 50
EXIT_CONFIG = 2
_PATTERNED = (Shows.CAUTION, Shows.ALERT, Shows.FAULT)


class GuardConfigError(ValueError):
    """guard.json cannot be used; the message says which value and what is allowed."""


class GuardConfig:
    """guard.json, checked with the standard library. Lamp options are checked by their drivers when they open."""

    def __init__(self, raw: Any) -> None:
        if not isinstance(raw, dict):
            raise GuardConfigError(f"top level: {type(raw).__name__}; allowed: an object")
        self.lease_cap_ns = round(min(_number(raw, "lease_cap_ms", 1, 60_000), LONGEST_LEASE_MS) * NS_PER_MS)
        self.safe_hold_ns = round(_number(raw, "safe_hold_s", 0, 3600) * NS_PER_S)
        self.clear_after_ns = round(_number(raw, "clear_after_s", 0, 3600) * NS_PER_S)
        self.realtime = raw.get("realtime", True) is True
        patterns = _object(raw, "patterns")
        self.patterns: dict[Shows, Pattern] = {}
        for shows in _PATTERNED:
            pattern = _object(patterns, shows.value)
            self.patterns[shows] = Pattern.of(
                period_s=_number(pattern, "period_s", 0.2, 10),
                lit_pct=_number(pattern, "lit_pct", limits.LIT_LEAST_PCT, 100),
            )
            if limits.is_dark_too_long(pattern["period_s"], pattern["lit_pct"]):
                raise GuardConfigError(f"{shows.value}: dark for more than {limits.DARK_LONGEST_S:g} s; allowed: less")
        self.lamps = {name: _device(name, value) for name, value in _object(raw, "lamps").items()}
        heartbeat = raw.get("heartbeat")
        self.heartbeat = None if heartbeat is None else _device("heartbeat", heartbeat)

    @classmethod
    def load(cls, path: pathlib.Path) -> "GuardConfig":
        """Reads guard.json. Raises GuardConfigError."""
        try:
            return cls(json.loads(path.read_bytes()))
        except (OSError, ValueError, RecursionError) as error:
            raise GuardConfigError(f"{path}: {error}; apply the site's config again (sentinel config apply)") from error


def _number(raw: Mapping[str, Any], key: str, least: float, most: float) -> float:
    value = raw.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise GuardConfigError(f"{key}: {value!r}; allowed: a number {least} … {most}")
    if not least <= value <= most:
        raise GuardConfigError(f"{key}: {value!r}; allowed: {least} … {most}")
    return value


def _object(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    if not isinstance(value, dict):
        raise GuardConfigError(f"{key}: {value!r}; allowed: an object")
    return value


def _device(name: str, value: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(value, dict) or not isinstance(value.get("driver"), str):
        raise GuardConfigError(f"{name}: {value!r}; allowed: {{driver, options}}")
    return value["driver"], _object(value, "options")


class Heartbeat:
    """The toggling pin, if the site has one; its failures become ``problem``."""

    def __init__(self, config: tuple[str, dict[str, Any]] | None, clock: Clock) -> None:
        self.problem: str | None = None
        self._config = config
        self._clock = clock
        self._pin: Any = None
        self._high = False
        self._due_ns = 0

    def step(self, now_ns: int, *, beat: bool) -> int | None:
        """Toggles when due and allowed; returns when it is next due."""
        if self._config is None:
            return None
        if now_ns < self._due_ns:
            return self._due_ns
        self._due_ns = now_ns + HEARTBEAT_TOGGLE_NS
        try:
            if self._pin is None:
                driver, options = self._config
                parsed = registry.parse_options("heartbeat", driver, options)
                self._pin = registry.driver("heartbeat", driver).open("heartbeat", parsed, self._clock)
                self.problem = None
            if beat:
                self._high = not self._high
                self._pin.set(self._high)
        except Exception as error:  # noqa: BLE001  # a driver may come from an entry point; the lamps go on
            self.problem = str(error)
            self.close()
            self._due_ns = now_ns + HEARTBEAT_RETRY_NS
        return self._due_ns

    def close(self) -> None:
        """Makes the pin an input."""
        if self._pin is not None:
            with contextlib.suppress(Exception):
                self._pin.close()
            self._pin = None


class Guard:
    """Lamps, leases and heartbeat. Times are CLOCK_MONOTONIC nanoseconds; no method waits."""

    def __init__(self, config: GuardConfig, clock: Clock) -> None:
        now_ns = clock.monotonic_ns()
        self.restart_asked = False
        self._clock = clock
        self._unknown_kinds = 0
        self._lamps = [
            HeldLamp(name, driver, options, config.patterns, clock) for name, (driver, options) in config.lamps.items()
        ]
        self._heartbeat = Heartbeat(config.heartbeat, clock)
        self._leases = Leases(
            config.lamps,
            cap_ns=config.lease_cap_ns,
            safe_hold_ns=config.safe_hold_ns,
            clear_after_ns=config.clear_after_ns,
            boot_ns=now_ns,
        )

    def open(self) -> None:
        """Opens every lamp and lights the safe pattern; what will not open becomes its ``problem``."""
        for lamp in self._lamps:
            now_ns = self._clock.monotonic_ns()
            lamp.open(now_ns)
            self._show(lamp, now_ns)

    def apply(self, message: Mapping[str, Any] | None, now_ns: int) -> bool:
        """Takes one message of core (None: no JSON object). True when it renewed the leases; then lamps show it."""
        kind = "garbage" if message is None else message.get("kind", "lease")
        if kind == "restart":
            self.restart_asked = True
            return False
        if message is None or kind != "lease":
            self._unknown_kinds += 1
            return False
        renewed = self._leases.renew(message, now_ns)
        for lamp in self._lamps:
            self._show(lamp, now_ns)
        return renewed

    def peer_gone(self, reason: str, now_ns: int) -> None:
        """Core's socket closed: the leases end now."""
        self._leases.lapse(reason, now_ns)
        for lamp in self._lamps:
            self._show(lamp, now_ns)

    def step(self, now_ns: int) -> int:
        """Does everything that is due; returns when it must be called again at the latest."""
        self._leases.tick(now_ns)
        due = [now_ns + STATE_EVERY_NS, self._leases.deadline_ns()]
        for lamp in self._lamps:
            self._show(lamp, now_ns)
            due.append(lamp.step(now_ns))
        # While a lamp is not held its flasher must have it: a node that never got its pins never leaves its flash.
        held = bool(self._lamps) and all(lamp.held for lamp in self._lamps)
        due.append(self._heartbeat.step(now_ns, beat=held))
        return min(at for at in due if at is not None)

    def state(self) -> dict[str, Any]:
        """The state message of device.ipc, plus the heartbeat's problem."""
        return {
            "kind": "state",
            "safe": self._leases.safe,
            "lamps": {
                lamp.lamp: {"shows": lamp.shows.value, "on": lamp.on, "problem": lamp.problem} for lamp in self._lamps
            },
            "heartbeat_problem": self._heartbeat.problem,
        }

    @property
    def ignored(self) -> int:
        """Messages, or parts of them, that were not what they should be."""
        return self._leases.ignored + self._unknown_kinds

    def close(self) -> None:
        """Releases every pin."""
        self._heartbeat.close()
        for lamp in self._lamps:
            lamp.close()

    def _show(self, lamp: HeldLamp, now_ns: int) -> None:
        lamp.show(self._leases.shows(lamp.lamp), self._leases.brightness_pct, now_ns)


class Server:
    """Core's side of guard: one connection at a time, the newest, and the state it is told."""

    def __init__(self, guard: Guard, listener: socket.socket, wake_fd: int, clock: Clock) -> None:
        self._guard = guard
        self._listener = listener
        self._wake_fd = wake_fd
        self._clock = clock
        self._peer: socket.socket | None = None
        self._told: dict[str, Any] | None = None
        self._told_ns = 0
        self._logged: dict[str, Any] = {}

    def run(self) -> int:
        """Serves until a signal (returns 0) or a restart is asked for (returns EXIT_RESTART)."""
        while True:
            now_ns = self._clock.monotonic_ns()
            due_ns = self._guard.step(now_ns)
            self._tell(now_ns)
            waiting: list[int | socket.socket] = [self._wake_fd, self._listener]
            if self._peer is not None:
                waiting.append(self._peer)
            left_ns = max(0, due_ns - self._clock.monotonic_ns())
            ready, _, _ = select.select(waiting, [], [], left_ns / NS_PER_S)
            if self._wake_fd in ready:
                return 0
            if self._peer in ready:
                self._read()
            if self._listener in ready:
                self._accept()
            if self._guard.restart_asked:
                return ipc.EXIT_RESTART

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            peer, _ = self._listener.accept()
            peer.setblocking(False)
            self._drop("core connected anew")
            self._peer = peer
            self._told = None

    def _read(self) -> None:
        for _ in range(MESSAGES_A_WAKE):
            if self._peer is None:
                return
            try:
                message = ipc.receive(self._peer)
            except BlockingIOError:
                return
            except (EOFError, OSError):
                self._drop("core has gone")
                return
            self._guard.apply(message, self._clock.monotonic_ns())

    def _drop(self, reason: str) -> None:
        if self._peer is not None:
            self._guard.peer_gone(reason, self._clock.monotonic_ns())
            self._peer.close()
            self._peer = None

    def _tell(self, now_ns: int) -> None:
        """The state to core, on a change and every second; problems and reasons to the log, on a change."""
        state = self._guard.state()
        if state == self._told and now_ns - self._told_ns < STATE_EVERY_NS:
            return
        self._told = state
        self._told_ns = now_ns
        problems = {lamp: shown["problem"] for lamp, shown in state["lamps"].items()}
        news = {"safe": state["safe"], "heartbeat": state["heartbeat_problem"], **problems}
        for what, text in news.items():
            if self._logged.get(what) != text:
                log("guard", about=what, now=text)
        self._logged = news
        if self._peer is not None:
            # A dead peer is found by the next read, which also ends its leases.
            with contextlib.suppress(OSError):
                ipc.send(self._peer, {**state, "ignored": self._guard.ignored})


def log(event: str, **fields: object) -> None:
    """One key=value line to stderr, dropped rather than waited for: a full pipe must not hold the lamps."""
    line = " ".join([event, *(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())])
    with contextlib.suppress(OSError, ValueError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, line.encode()[: select.PIPE_BUF - 1] + b"\n")


def _realtime() -> None:
    # Without RESET_ON_FORK a child would inherit the priority.
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(FIFO_PRIORITY))
    except OSError as error:
        log("guard", about="realtime", now=f"not permitted, going on without: {error}")


def main(argv: list[str] | None = None) -> int:
    """Runs guard in ``--run-dir``. Exit 0 on SIGTERM, 75 to be started again with a new config, 2 on a bad one."""
    parser = argparse.ArgumentParser(prog="python -m device.guard", description="Holds the lamps.")
    parser.add_argument("--run-dir", type=pathlib.Path, required=True, help="where guard.json is and guard.sock goes")
    run_dir: pathlib.Path = parser.parse_args(argv).run_dir
    try:
        config = GuardConfig.load(run_dir / ipc.GUARD_CONFIG)
    except GuardConfigError as error:
        log("guard", about="config", now=str(error))
        return EXIT_CONFIG
    wake_fd, wake_write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write_fd)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    guard = Guard(config, SYSTEM_CLOCK)
    try:
        if config.realtime:
            # Before the lamps: their drivers are most of the start, and the node is dark until they are there.
            _realtime()
        guard.open()
        try:
            listener = ipc.listen(run_dir / ipc.GUARD_SOCKET)
        except OSError as error:
            # Without core's renewals guard could only flash, which the external flasher does without it.
            log("guard", about="socket", now=f"{run_dir / ipc.GUARD_SOCKET}: {error}; check that the folder is ours")
            return 1
        # What start-up built lives for ever: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        with listener:
            return Server(guard, listener, wake_fd, SYSTEM_CLOCK).run()
    finally:
        guard.close()


if __name__ == "__main__":
    sys.exit(main())
