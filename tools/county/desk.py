"""What every verb of the office shares: the time, the passphrase of a key, how a refusal is told."""

import contextlib
import datetime
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from configs.errors import CodedError, ConfigError
from device.cli.common import BAD_INPUT, fail, fail_config
from device.cli.language import _, language
from hal.clock import NS_PER_MS, NS_PER_S, SYSTEM_CLOCK


def now() -> datetime.datetime:
    """Whole seconds of UTC, by this machine's clock."""
    return datetime.datetime.fromtimestamp(SYSTEM_CLOCK.wall_ns() // NS_PER_S, datetime.UTC)


def now_ms() -> datetime.datetime:
    """The same to the millisecond: the number of a command is one, and two commands may be given in one second."""
    return datetime.datetime.fromtimestamp(SYSTEM_CLOCK.wall_ns() // NS_PER_MS / 1000, datetime.UTC)


def ask_passphrase(name: str, new: bool) -> bytes:
    """Asks whoever sits there for the passphrase of a key file."""
    words = _("Passphrase for the new key {name}") if new else _("Passphrase of the key {name}")
    asked = click.prompt(words.format(name=name), hide_input=True, confirmation_prompt=new, err=True)
    return str(asked).encode("utf-8")


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Ends the verb with exit 2 and the reason where the office refuses."""
    try:
        yield
    except CodedError as error:
        fail(BAD_INPUT, error.message(language()), {"code": error.code})
    except ConfigError as error:
        fail_config(error)
    except (OSError, ValueError) as error:
        fail(BAD_INPUT, str(error))


_FILE = click.Path(path_type=pathlib.Path, dir_okay=False, exists=True)


def broker_options(required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--broker``, ``--ca`` and ``--cert``: where the office connects and as whom."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option("--cert", type=_FILE, help=_("The office's certificate and key, one file.")),
            click.option("--ca", type=_FILE, help=_("The county's authority (ca.pem).")),
            click.option("--broker", required=required, help=_("mqtts://host:port, of the office's listener.")),
        ):
            command = option(command)
        return command

    return add
