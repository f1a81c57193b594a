"""What every verb that sends for the county is told: the repository, the keys within reach, the broker and as whom."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hal.clock import SYSTEM_CLOCK
from tools.county.desk import broker_options, now
from tools.county.trust.cli import keys_option, keys_ring, repository_option

# What signs takes a good half second to import and is imported where it is used.
if TYPE_CHECKING:
    from tools.county.rollout.driver import Driver
    from tools.county.trust.keys import KeyRing


@dataclasses.dataclass(frozen=True, slots=True)
class Sender:
    """The office as it sends."""

    path: pathlib.Path
    folders: Sequence[pathlib.Path]
    broker: str
    ca: pathlib.Path | None
    cert: pathlib.Path | None

    def ring(self) -> "KeyRing":
        """The keys; whoever sits there is asked for passphrases."""
        return keys_ring(self.folders)

    @contextlib.contextmanager
    def driving(self) -> "Iterator[Driver]":
        """A driver; whoever asks holds ``driver.alone``."""
        from tools.county.rollout import driver

        with driver.driving(self.path, self.ring(), self.broker, self.ca, self.cert, SYSTEM_CLOCK, now) as drives:
            yield drives


def sender_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options; the command gets them as ``sender``."""

    @functools.wraps(command)
    def told(
        path: pathlib.Path,
        folders: Sequence[pathlib.Path],
        broker: str,
        ca: pathlib.Path | None,
        cert: pathlib.Path | None,
        **others: Any,
    ) -> None:
        command(sender=Sender(path, folders, broker, ca, cert), **others)

    return repository_option(keys_option(broker_options(required=True)(told)))
