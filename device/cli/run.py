"""``sentinel run``: runs the node's four processes on this machine until it is told to stop.

On a pole systemd runs the same processes as units; this verb is for a desk, a first installation and tests.
"""

import pathlib
import signal
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

import click

from configs.errors import ConfigError
from configs.loader import load_site
from configs.schema import SiteConfig
from device.cli.common import (
    BAD_INPUT,
    OK,
    Verb,
    emit,
    fail,
    fail_config,
    node_status,
    problem_lines,
    settings,
)
from device.cli.language import _
from device.cli.node_words import node_words
from device.cli.places import place_of
from device.ipc import SITE_CONFIG
from device.provisioning.boot import boot
from device.provisioning.place import Place
from device.site import check_site
from device.supervisor import Supervisor
from hal.clock import NS_PER_S, SYSTEM_CLOCK

POLL_S = 0.1
LOOK_NS = NS_PER_S


@click.command("run", cls=Verb, help=_("Run the node's four processes on this machine until Ctrl-C."))
@click.option("--seconds", type=click.FloatRange(min=1), help=_("Stop by itself after this long."))
def command(seconds: float | None) -> None:
    """Runs the node."""
    chosen = settings()
    if node_status() is not None:
        fail(
            BAD_INPUT,
            _("A node is already running in {run_dir}; give another --run-dir.").format(run_dir=chosen.run_dir),
        )
    place = place_of(chosen)
    config = _booted(place) if place.is_enrolled else _checked(chosen.config_path)
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    try:
        supervisor = Supervisor(
            config,
            place.site_path,
            place.run_dir,
            place.state_dir,
            SYSTEM_CLOCK,
            inbox=place.inbox if place.is_enrolled else None,
        )
    except OSError as error:
        fail(
            BAD_INPUT,
            _("{path}: {reason}; run as root or give --run-dir and --state-dir that you may write.").format(
                path=error.filename, reason=error.strerror
            ),
        )
    report = _Report()
    started_ns = SYSTEM_CLOCK.monotonic_ns()
    looked_ns = 0
    with supervisor:
        while not stop.wait(POLL_S):
            supervisor.poll()
            now_ns = SYSTEM_CLOCK.monotonic_ns()
            if now_ns - looked_ns >= LOOK_NS:
                looked_ns = now_ns
                report.look(node_status())
            if seconds is not None and now_ns - started_ns >= seconds * NS_PER_S:
                break
    emit({"ok": True, "starts": {name: child.starts for name, child in supervisor.children.items()}}, _("Stopped."))
    raise SystemExit(OK)


def _checked(path: pathlib.Path) -> SiteConfig:
    """The site file of a node that was never enrolled."""
    try:
        config, warnings = check_site(path)
    except ConfigError as error:
        fail_config(error)
    if warnings:
        click.echo(problem_lines(warnings), err=True)
    return config


def _booted(place: Place) -> SiteConfig:
    """What an enrolled node runs, chosen as on a pole."""
    try:
        said, code = boot(place)
        if said.problem is not None:
            click.echo(said.problem, err=True)
        if code:
            fail(BAD_INPUT, said.problem or "")
        return load_site(place.run_dir / SITE_CONFIG)
    except ConfigError as error:
        fail_config(error)
    except OSError as error:
        fail(
            BAD_INPUT,
            _("{path}: {reason}; run as root or give --run-dir and --state-dir that you may write.").format(
                path=error.filename, reason=error.strerror
            ),
        )


class _Report:
    """Says on standard error what changed: guarding, parts that do not work, the health of faces. One line each."""

    SETTLE_LOOKS = 5
    """Looks before parts are named: what only takes its time to start is no news."""

    def __init__(self) -> None:
        self._looks = 0
        self._parts: dict[str, str | None] = {}
        self._guarding: bool | None = None
        self._health: dict[str, tuple[str, tuple[str, ...]]] = {}

    def look(self, status: dict[str, Any] | None) -> None:
        """Compares with what was last seen."""
        guarding = status is not None and not status["booting"]
        if guarding != self._guarding:
            self._guarding = guarding
            click.echo(
                _("The node is guarding.") if guarding else _("Starting: lamps flash until dark is earned."), err=True
            )
        self._looks += 1
        if self._looks > self.SETTLE_LOOKS:
            self._name_parts((status or {}).get("parts", {}))
        for face, shown in (status or {}).get("faces", {}).items():
            now = (shown["health"], tuple(shown["reasons"]))
            if guarding and self._health.get(face, ("ok", ()))[0] != now[0]:
                text = _("Face {face}: {health}").format(face=face, health=_(shown["health"]))
                click.echo(text + (" · " + "; ".join(map(node_words, now[1])) if now[1] else ""), err=True)
            self._health[face] = now

    def _name_parts(self, parts: Mapping[str, Mapping[str, Any]]) -> None:
        for part, now in parts.items():
            state = str(now["state"])
            if state != self._parts.get(part, "OK"):
                text = _("Part {part}: {state}").format(part=part, state=_(state))
                click.echo(text + (f" · {node_words(now['problem'])}" if now["problem"] else ""), err=True)
            self._parts[part] = state
