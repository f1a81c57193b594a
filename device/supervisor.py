"""Runs a node's processes as subprocesses: for a desk, a demo, a test or a bench. On a pole systemd does
this (tools/install/systemd).

Invariants: guard first, so that lamps are held before anything decides; a process that ends is started again, after
a pause that grows while it keeps failing; a process that asks for a restart (exit 75) comes back at once; when the
supervisor dies, its children die with it.
"""

import contextlib
import dataclasses
import logging
import pathlib
import shlex
import subprocess
import sys

from configs.loader import load_site
from configs.schema import SiteConfig
from device import ipc
from device.chosen import FILE as CHOSEN
from device.site import write_compiled
from hal.clock import NS_PER_S, Clock
from hal.parent import die_with_parent

log = logging.getLogger(__name__)

STOP_S = 5.0
PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 10.0
HEALTHY_S = 30.0
"""A process that ran this long starts again after the first pause."""

PROVISION_EVERY_S = 540.0
"""Provision runs at least this often: changes made by hand age in steps of ten minutes (configs.local_layer)."""


@dataclasses.dataclass(slots=True)
class Child:
    """One process of the node."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_ns: int = 0
    start_again_ns: int = 0
    pause_s: float = PAUSE_FIRST_S
    starts: int = 0
    failed: bool = False


class Supervisor:
    """The processes of one node.

    ``stderr`` is where children log (None: this process's own). ``inbox``: where bundles of the county come in, None
    for a node that was never enrolled; an enrolled one has been booted (``device.provisioning boot``) before, and is
    again before core starts once more after a failure. Raises configs.errors.ConfigError where the compiled
    configuration cannot be made.
    """

    def __init__(
        self,
        config: SiteConfig,
        config_path: pathlib.Path,
        run_dir: pathlib.Path,
        state_dir: pathlib.Path,
        clock: Clock,
        *,
        stderr: int | None = None,
        inbox: pathlib.Path | None = None,
    ) -> None:
        for folder in (run_dir, state_dir):
            folder.mkdir(parents=True, exist_ok=True)
        self.run_dir = run_dir
        self.state_dir = state_dir
        self._config_path = config_path
        self._clock = clock
        self._stderr = stderr
        self._compiled_mtime_ns = 0
        self._inbox = inbox
        self._provision: subprocess.Popen[bytes] | None = None
        self._provision_due_ns = 0
        self._provision_again_ns = 0
        if inbox is None:
            write_compiled(config, run_dir)
            (run_dir / CHOSEN).unlink(missing_ok=True)  # of a node that was enrolled here before
        self.children: dict[str, Child] = {}
        self._want(config)

    def poll(self) -> None:
        """Starts what should run and does not; call it a few times a second."""
        self._follow_config()
        now_ns = self._clock.monotonic_ns()
        for child in self.children.values():
            if child.process is not None:
                code = child.process.poll()
                if code is None:
                    continue
                self._ended(child, code, now_ns)
            if now_ns >= child.start_again_ns:
                self._start(child, now_ns)
        if self._inbox is not None:
            self._run_provision(self._inbox, now_ns)

    def alive(self) -> dict[str, bool]:
        """Which processes run now."""
        return {name: c.process is not None and c.process.poll() is None for name, c in self.children.items()}

    def pid(self, name: str) -> int | None:
        """Process id of a part, None while it is not running."""
        process = self.children[name].process
        return None if process is None or process.poll() is not None else process.pid

    def stop(self) -> None:
        """Ends all, guard last: its lamps go to the external flasher."""
        if self._provision is not None:
            _end(self._provision)  # it goes on with the next start, from what is on the disk
            self._provision = None
        for name in ("bridge", "vision", "core", "guard"):
            child = self.children.get(name)
            if child is not None and child.process is not None:
                _end(child.process)
                child.process = None

    def __enter__(self) -> "Supervisor":
        self.poll()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _want(self, config: SiteConfig) -> None:
        run, state = ["--run-dir", str(self.run_dir)], ["--state-dir", str(self.state_dir)]
        site = ["--config", str(self.run_dir / ipc.SITE_CONFIG)]
        wanted = {
            "guard": ["device.guard", *run],
            "core": ["device.core", "--config", str(self._config_path), *run, *state],
        }
        if config.cameras:
            wanted["vision"] = ["device.vision", *site, *run, *state]
        if config.bridge is not None:
            wanted["bridge"] = ["cloud_bridge", *site, *run, *state]
        for name in set(self.children) - set(wanted):
            gone = self.children.pop(name)
            if gone.process is not None:
                _end(gone.process)
        for name, arguments in wanted.items():
            if name not in self.children:
                self.children[name] = Child(name, [sys.executable, "-m", *arguments])
        self._compiled_mtime_ns = (self.run_dir / ipc.SITE_CONFIG).stat().st_mtime_ns

    def _follow_config(self) -> None:
        """A camera or a bridge that a new configuration adds needs a process that was not there."""
        path = self.run_dir / ipc.SITE_CONFIG
        with contextlib.suppress(OSError, ValueError):
            if path.stat().st_mtime_ns != self._compiled_mtime_ns:
                self._want(load_site(path))

    def _run_provision(self, inbox: pathlib.Path, now_ns: int) -> None:
        """As the path unit and the timer do on a pole."""
        if self._provision is not None:
            if self._provision.poll() is None:
                return
            self._provision = None
        came = any(not path.name.startswith(".") for path in inbox.iterdir()) if inbox.is_dir() else False
        if now_ns >= self._provision_due_ns or (came and now_ns >= self._provision_again_ns):
            self._provision_due_ns = now_ns + round(PROVISION_EVERY_S * NS_PER_S)
            self._provision_again_ns = now_ns + round(PAUSE_MAX_S * NS_PER_S)  # what it cannot take away stays there
            self._provision = self._popen(self._provisioning("run"), stdout=subprocess.DEVNULL)

    def _provisioning(self, verb: str) -> list[str]:
        places = [
            "--config",
            str(self._config_path),
            "--run-dir",
            str(self.run_dir),
            "--state-dir",
            str(self.state_dir),
        ]
        return [sys.executable, "-m", "device.provisioning", verb, *places]

    def _popen(self, command: list[str], *, stdout: int | None = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=self._stderr, preexec_fn=die_with_parent
        )

    def _start(self, child: Child, now_ns: int) -> None:
        command = child.command
        if child.name == "core" and child.failed and self._inbox is not None:
            # One process id for the shell that boots and for the core it becomes.
            boot = shlex.join(self._provisioning("boot"))
            command = ["/bin/sh", "-c", f"{boot} >/dev/null && exec {shlex.join(command)}"]
        child.process = self._popen(command)
        child.started_ns = now_ns
        child.starts += 1

    def _ended(self, child: Child, code: int, now_ns: int) -> None:
        child.process = None
        child.failed = code != ipc.EXIT_RESTART
        if code == ipc.EXIT_RESTART:
            child.start_again_ns = now_ns
            return
        if now_ns - child.started_ns > HEALTHY_S * NS_PER_S:
            child.pause_s = PAUSE_FIRST_S
        log.warning("event=process_ended part=%s code=%d again_in_s=%.1f", child.name, code, child.pause_s)
        child.start_again_ns = now_ns + round(child.pause_s * NS_PER_S)
        child.pause_s = min(PAUSE_MAX_S, child.pause_s * 2)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
