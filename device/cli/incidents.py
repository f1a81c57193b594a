"""``sentinel incidents``: what the node recorded of alerts, near misses and faults. Needs no running node."""

from collections.abc import Mapping, Sequence

import click

from device.cli.common import BAD_INPUT, Verb, emit, fail, settings
from device.cli.language import N_, _
from device.incident_folder import FOLDER, Stored, names, stored

_KINDS: Mapping[str, str] = {"alert": N_("alert"), "near_miss": N_("near miss"), "fault": N_("fault")}


@click.command("incidents", cls=Verb, help=_("List what was recorded around alerts, near misses and faults."))
@click.option("--last", default=50, show_default=True, type=click.IntRange(1), help=_("So many of the newest."))
def command(last: int) -> None:
    """Lists the newest: each is opened, and a busy junction keeps three thousand."""
    folder = settings().state_dir / FOLDER
    try:
        paths = names(folder)
        found = [stored(path) for path in paths[:last]]
    except OSError as error:
        fail(BAD_INPUT, f"{error.filename}: {error.strerror}")
    rows = [
        {
            "path": str(incident.path),
            "t": incident.t,
            "kind": incident.kind.value,
            "face": incident.face,
            "bytes": incident.bytes,
            "seconds": incident.seconds,
            "events": None if incident.events is None else list(incident.events),
        }
        for incident in found
    ]
    emit(
        {"ok": True, "folder": str(folder), "count": len(paths), "incidents": rows},
        _page(found, len(paths), str(folder)),
    )


def _page(found: Sequence[Stored], count: int, folder: str) -> str:
    if not found:
        return _("No incident is recorded in {folder}.").format(folder=folder)
    lines = []
    for incident in found:
        length = _("cut off") if incident.seconds is None else _("{seconds:.0f} s").format(seconds=incident.seconds)
        events = "" if incident.events is None else _("{count} events").format(count=len(incident.events))
        kind = _(_KINDS[incident.kind.value])
        lines.append(f"{incident.t}  {kind}  {incident.face}  {length}  {events}  {incident.path.name}")
    if count > len(found):
        lines.append(_("and {count} older ones: --last {all}").format(count=count - len(found), all=count))
    lines.append(_("Replay one: sentinel replay {folder}/NAME").format(folder=folder))
    return "\n".join(lines)
