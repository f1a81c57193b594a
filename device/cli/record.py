"""``sentinel record``: has the running node record its sensors into one MCAP file (no images)."""

import pathlib
import signal
import threading
from typing import Any

import click

from device.cli.common import FAULT, Verb, call_node, emit, fail
from device.cli.language import _

LOOK_S = 0.2


@click.command("record", cls=Verb, help=_("Record the running node's sensors into FILE until Ctrl-C."))
@click.argument("file", metavar="FILE", type=click.Path(path_type=pathlib.Path))
@click.option("--seconds", type=click.FloatRange(min=0.1), help=_("Stop by itself after this long."))
def command(file: pathlib.Path, seconds: float | None) -> None:
    """Records."""
    path = str(file.absolute())  # core's working folder is not the technician's
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: stop.set())
    call_node("record_start", {"path": path, "seconds": seconds})
    click.echo(_("Recording to {path}; Ctrl-C stops.").format(path=path), err=True)
    while not stop.wait(LOOK_S):
        recording: Any = call_node("status")["recording"]
        if recording is None or recording["path"] != path:
            break
    else:
        call_node("record_stop")
    if not file.exists():
        fail(FAULT, _("{path}: nothing was written; see the node's log.").format(path=path))
    size = file.stat().st_size
    emit({"ok": True, "path": path, "bytes": size}, _("Recorded {path}, {size} bytes.").format(path=path, size=size))
