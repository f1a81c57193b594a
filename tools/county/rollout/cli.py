"""``sentinel-county rollout``: start, watch, pause, resume, take back. Thin: what it does is in the modules beside.

Exit 0 done or as ordered, 1 it went back, was stopped, or somebody looked away (Ctrl-C: it waits for ``resume`` or for
``serve``), 2 bad input.
"""

import contextlib
import pathlib
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from device.cli.common import FAULT, Verb, VerbGroup, emit, fail, settings
from device.cli.language import _
from hal.clock import SYSTEM_CLOCK
from tools.county import NODE_OPTIONS
from tools.county.desk import now, told
from tools.county.rollout.options import Sender, sender_options
from tools.county.trust.cli import repository_option

if TYPE_CHECKING:
    from tools.county.rollout.driver import Driver
    from tools.county.rollout.state import Order, Rollout

_FOLDER = click.Path(exists=True, file_okay=False, path_type=pathlib.Path)
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """``30s``, ``10m``, ``2h`` as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]{1,5})([smh])", str(value))
        if found is None:
            self.fail(_("{value}: a whole number with s, m or h, like 10m").format(value=value), param, ctx)
        return int(found[1]) * _UNITS_S[found[2]]


class Share(click.ParamType[float]):
    """``5%`` as a number of percent, 0 to 100."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?)%", str(value))
        if found is None or float(found[1]) > 100:
            self.fail(_("{value}: 0% to 100%").format(value=value), param, ctx)
        return float(found[1])


@click.group("rollout", cls=VerbGroup, without=NODE_OPTIONS, help=_("Change the whole county, in waves."))
def rollout() -> None:
    """The verbs below."""


@rollout.command(
    "start",
    cls=Verb,
    without=NODE_OPTIONS,
    help=_("Check FOLDER, sign what changes, and send it wave by wave; every wave has to stand first."),
)
@click.argument("folder", required=False, default=".", metavar="[FOLDER]", type=_FOLDER)
@sender_options
@click.option("--waves", default="1%,10%,100%", show_default=True, help=_("Like 5nodes,10%,50%,100%."))
@click.option("--first", multiple=True, metavar="NODE", help=_("A node of the first wave, by name."))
@click.option(
    "--abort-over",
    type=Share(),
    default="5%",
    show_default=True,
    help=_("More nodes of a wave than this failed or silent: all goes back."),
)
@click.option(
    "--soak", type=Duration(), default="10m", show_default=True, help=_("How long a wave has to stand before the next.")
)
@click.option(
    "--answer",
    type=Duration(),
    default="15m",
    show_default=True,
    help=_("A node that has not answered for so long counts as failed."),
)
@click.option(
    "--trial",
    type=Duration(),
    default="60s",
    show_default=True,
    help=_("How long a node must stay well before it confirms."),
)
@click.option("--detach", is_flag=True, help=_("Sign and leave; sentinel-county serve sends it."))
def start(
    sender: Sender,
    folder: pathlib.Path,
    waves: str,
    first: Sequence[str],
    abort_over: float,
    soak: float,
    answer: float,
    trial: float,
    detach: bool,
) -> None:
    """Passphrases are asked for here and never again for this rollout."""
    from tools.county.config import checked_folder
    from tools.county.rollout import plan, signing, state, view
    from tools.county.rollout.errors import RolloutError
    from tools.county.trust import repository

    with told():
        steps = plan.parse(waves, first)
        kept = state.path_of(sender.path)
        checked = checked_folder(folder)
        with state.locked(kept), repository.locked(sender.path):
            going = state.load(kept)
            if going is not None and not going.is_over:
                raise RolloutError("going", phase=going.phase)
            county, made = signing.prepare(
                checked.folder,
                repository.load(sender.path),
                steps,
                sender.ring(),
                now(),
                trial_s=round(trial),
                soak_s=soak,
                answer_s=answer,
                abort_over_pct=abort_over,
            )
            repository.save(sender.path, county)
            state.save(kept, made)
        if detach:
            emit(view.as_json(made), "\n".join(view.lines(made)))
            return
        _follow(sender)


@rollout.command("status", cls=Verb, without=NODE_OPTIONS, help=_("Show how far the rollout is."))
@repository_option
@click.option("--watch", is_flag=True, help=_("Until it is over."))
def status(path: pathlib.Path, watch: bool) -> None:
    """Reads the file that the driver keeps; asks nobody."""
    from tools.county.rollout import driver, state, view
    from tools.county.rollout.errors import RolloutError

    def look() -> "Rollout":
        found = state.load(state.path_of(path))
        if found is None:
            raise RolloutError("none")
        return found

    with told():
        found = look()
        if watch:
            found = _shown(look, SYSTEM_CLOCK.sleep_s)
        lines, is_driven = view.lines(found), True
        if not found.is_over:
            with driver.alone(path) as is_free:
                is_driven = not is_free
        if not is_driven:
            lines.append(_("Nobody is sending it: rollout resume, or sentinel-county serve."))
        emit({**view.as_json(found), "driven": is_driven}, "\n".join(lines))


@rollout.command("pause", cls=Verb, without=NODE_OPTIONS, help=_("No further wave begins; those that are out go on."))
@repository_option
def pause(path: pathlib.Path) -> None:
    """Too many failures send it back all the same."""
    from tools.county.rollout.state import Order

    _order(path, Order.PAUSE)


@rollout.command(
    "resume", cls=Verb, without=NODE_OPTIONS, help=_("Go on: after a pause, or after this machine stopped.")
)
@sender_options
def resume(sender: Sender) -> None:
    """Asks for no passphrase: all was signed at the start."""
    from tools.county.rollout.state import Order, load, path_of

    with told():
        found = load(path_of(sender.path))
        # What goes back goes on going back.
        _ordered(sender.path, Order.BACK if found is not None and found.order is Order.BACK else Order.GO)
        _follow(sender)


@rollout.command("revert", cls=Verb, without=NODE_OPTIONS, help=_("Take it back on every node."))
@sender_options
def revert(sender: Sender) -> None:
    """Also what is done; asks for no passphrase."""
    from tools.county.rollout.state import Order

    with told():
        _ordered(sender.path, Order.BACK)
        _follow(sender)


def _order(path: pathlib.Path, order: "Order") -> None:
    from tools.county.rollout import view

    with told():
        found = _ordered(path, order)
        emit(view.as_json(found), "\n".join(view.lines(found)))


def _ordered(path: pathlib.Path, order: "Order") -> "Rollout":
    from tools.county.rollout import state

    return state.ordered(state.path_of(path), order)


def _follow(sender: Sender) -> None:
    """Drives it to its end, or looks on where ``serve`` does."""
    from tools.county.rollout import driver, state, view
    from tools.county.rollout.state import Phase

    with driver.alone(sender.path) as is_driver:
        if is_driver:
            with sender.driving() as drives:
                found = _shown(lambda: _turned(drives), lambda _pause_s: None)
        else:
            found = _shown(lambda: _loaded(state.path_of(sender.path)), SYSTEM_CLOCK.sleep_s)
    if found.phase is not Phase.DONE and not (found.phase is Phase.WENT_BACK and found.why == "ordered"):
        fail(FAULT, "\n".join(view.lines(found)), view.as_json(found))
    emit(view.as_json(found), "\n".join(view.lines(found)))


def _loaded(path: pathlib.Path) -> "Rollout":
    from tools.county.rollout import state

    found = state.load(path)
    assert found is not None, "it was there when it was ordered"
    return found


def _turned(drives: "Driver") -> "Rollout":
    found = drives.turn()
    assert found is not None, "it was there when it was ordered"
    return found


def _shown(look: Callable[[], "Rollout"], pause: Callable[[float], None]) -> "Rollout":
    """Looks until it is over: a live table for a terminal, a line at each change otherwise."""
    from tools.county.rollout import view

    show: Callable[[Rollout], None]
    with contextlib.ExitStack() as stack:
        if settings().json:
            show = _nothing
        elif sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            live = stack.enter_context(Live(console=Console(stderr=True), auto_refresh=False, transient=True))

            def show(found: "Rollout") -> None:
                live.update(view.table(found), refresh=True)
        else:
            show = _Lines()
        while not (found := look()).is_over:
            show(found)
            pause(1.0)
    return found


def _nothing(_found: "Rollout") -> None:
    """A program waits for the end."""


class _Lines:
    """A line at each change."""

    def __init__(self) -> None:
        self._before = ""

    def __call__(self, found: "Rollout") -> None:
        from tools.county.rollout import view

        line = view.headline(found, with_time=False)
        if line != self._before:
            click.echo(line, err=True)
            self._before = line
