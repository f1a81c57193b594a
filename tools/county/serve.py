"""``sentinel-county serve``: the office's own process, which may be killed and started again at any time.

Keeps the bundle of every group at the broker, also after the broker lost its store; renews the online signature before
it runs out; drives the rollout that was started with ``--detach`` or cut short.
"""

import logging
import signal
import threading

import click

from device.cli.common import BAD_INPUT, Verb, fail
from device.cli.language import _
from tools.county import NODE_OPTIONS
from tools.county.desk import told
from tools.county.rollout.options import Sender, sender_options

log = logging.getLogger(__name__)


@click.command(
    "serve",
    cls=Verb,
    without=NODE_OPTIONS,
    help=_("Keep the bundles at the broker, renew the online signature, drive the rollout; until it is stopped."),
)
@sender_options
def serve(sender: Sender) -> None:
    """Needs the online key alone."""
    from tools.county.rollout import driver, view

    logging.basicConfig(level=logging.INFO, format="level=%(levelname)s part=office %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with told(), driver.alone(sender.path) as is_driver:
        if not is_driver:
            fail(BAD_INPUT, _("{file}: another program sends for it already").format(file=sender.path))
        before: tuple[str | None, ...] = ()
        with sender.driving() as drives:
            while not stopped.is_set():
                found = drives.turn()
                at = None if found is None else view.headline(found, with_time=False)
                is_new = (at, drives.problem, drives.error) != before
                before = (at, drives.problem, drives.error)
                if is_new:
                    log.info("event=office rollout=%r problem=%r broker=%r", *before)
