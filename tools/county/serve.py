"""``sentinel-county serve``: the office's own process, which may be killed and started again at any time.

Keeps the bundle of every group at the broker, also after the broker lost its store; renews the online signature before
it runs out; drives the rollout that was started with ``--detach`` or cut short.
"""

import logging
import pathlib
import signal
import threading
from collections.abc import Sequence

import click

from device.cli.common import BAD_INPUT, Verb, fail
from device.cli.language import _
from hal.clock import SYSTEM_CLOCK
from tools.county import NODE_OPTIONS
from tools.county.desk import broker_options, now, told
from tools.county.trust.cli import keys_option, keys_ring, repository_option

log = logging.getLogger(__name__)


@click.command(
    "serve",
    cls=Verb,
    without=NODE_OPTIONS,
    help=_("Keep the bundles at the broker, renew the online signature, drive the rollout; until it is stopped."),
)
@repository_option
@keys_option
@broker_options(required=True)
def serve(
    path: pathlib.Path,
    folders: Sequence[pathlib.Path],
    broker: str,
    ca: pathlib.Path | None,
    cert: pathlib.Path | None,
) -> None:
    """Needs the online key alone."""
    from tools.county.rollout import driver, view

    logging.basicConfig(level=logging.INFO, format="level=%(levelname)s part=office %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with told(), driver.alone(path) as is_driver:
        if not is_driver:
            fail(BAD_INPUT, _("{file}: another program sends for it already").format(file=path))
        before: tuple[str | None, ...] = ()
        with driver.driving(path, keys_ring(folders), broker, ca, cert, SYSTEM_CLOCK, now) as drives:
            while not stopped.is_set():
                found = drives.turn()
                at = None if found is None else view.headline(found, with_time=False)
                is_new = (at, drives.problem, drives.error) != before
                before = (at, drives.problem, drives.error)
                if is_new:
                    log.info("event=office rollout=%r problem=%r broker=%r", *before)
