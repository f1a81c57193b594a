"""``sentinel status``: faces, road users, sensors, lamps, speakers and parts of the running node on one page."""

from collections.abc import Mapping
from typing import Any

import click

from device.cli.common import FAULT, Verb, call_node, emit
from device.cli.language import N_, _
from device.cli.node_words import node_words

_WORDS: Mapping[str, str] = {
    "clear": N_("clear"),
    "caution": N_("caution"),
    "alert": N_("alert"),
    "fault": N_("fault"),
    "ok": N_("ok"),
    "degraded": N_("degraded"),
    "stale": N_("stale"),
    "synced": N_("synchronised"),
    "rtc": N_("from the hardware clock"),
    "floor": N_("wrong"),
    "walker": N_("walker"),
    "two_wheeler": N_("two-wheeler"),
    "tricycle": N_("tricycle"),
    "car": N_("car"),
    "bus": N_("bus"),
    "truck": N_("truck"),
    "long_truck": N_("long truck"),
    "unknown": N_("unknown"),
    "tentative": N_("tentative"),
    "confirmed": N_("confirmed"),
    "coasting": N_("coasting"),
    "waiting": N_("waiting"),
    "parked": N_("parked"),
    "lost": N_("lost"),
    "radar": N_("radar"),
    "camera": N_("camera"),
}
_STYLES: Mapping[str, str] = {
    "clear": "dim",
    "caution": "yellow",
    "alert": "bold red",
    "fault": "bold magenta",
    "degraded": "yellow",
    "stale": "magenta",
    "OK": "green",
    "WARN": "yellow",
    "ERROR": "bold red",
    "STALE": "magenta",
    "ok": "green",
}


@click.command("status", cls=Verb, help=_("Show faces, sensors, lamps and parts of the running node."))
def command() -> None:
    """Exit 1 when anything is in fault."""
    status: dict[str, Any] = call_node("status")
    found = faults(status)
    emit({**status, "faults": found}, page(status, found))
    if found:
        raise SystemExit(FAULT)


def faults(status: Mapping[str, Any]) -> list[str]:
    """What is in fault, a line each; empty when all is well."""
    found = []
    for name, face in _rows(status, "faces"):
        # A node that is starting shows fault on purpose; that is nothing to mend.
        if face.get("health") == "fault" and not status.get("booting"):
            found += [_named(name, reason) for reason in face.get("reasons") or ["fault"]]
    for name, sensor in _rows(status, "sensors"):
        if sensor.get("state") != "ok":
            found.append(_named(name, sensor.get("problem") or sensor.get("state")))
    for section in ("lamps", "speakers"):
        found += [_named(name, row["problem"]) for name, row in _rows(status, section) if row.get("problem")]
    for name, part in _rows(status, "parts"):
        if part.get("state") in ("ERROR", "STALE"):
            found.append(_named(name, part.get("problem") or part.get("state")))
    if (status.get("journal") or {}).get("problem"):
        found.append(f"journal: {status['journal']['problem']}")
    # A device is both a device and a part: say it once.
    return list(dict.fromkeys(found))


def _named(name: str, problem: Any) -> str:
    """``name: problem``, unless the problem already begins with it."""
    text = str(problem)
    return text if text.startswith(f"{name}: ") else f"{name}: {text}"


def word(value: Any) -> str:
    """One of the status words in the language in use; anything else as it is."""
    return _(_WORDS[value]) if value in _WORDS else ("-" if value is None else str(value))


def page(status: Mapping[str, Any], found: list[str]) -> Any:
    """The page as something Rich draws."""
    from rich.console import Group
    from rich.text import Text

    site = status.get("site") or {}
    head = Text(f"{site.get('id', '?')} {site.get('name', '')} · {_version(status)}", style="bold")
    parts: list[Any] = [head]
    if status.get("booting"):
        parts.append(Text(_("Starting up: lamps show fault until every sensor has been heard."), style="yellow"))
    parts += [
        _faces(status),
        _tracks(status),
        _devices(status),
        _parts(status),
    ]
    if found:
        parts.append(Text("\n".join([_("In fault:"), *(f"  {node_words(line)}" for line in found)]), style="bold red"))
    elif not status.get("booting"):
        parts.append(Text(_("All is well."), style="green"))
    return Group(*[part for part in parts if part is not None])


def _version(status: Mapping[str, Any]) -> str:
    return _("version {version}, up {minutes} min, clock {clock}").format(
        version=status.get("version", "?"),
        minutes=int(float(status.get("uptime_s") or 0) // 60),
        clock=word((status.get("clock") or {}).get("quality")),
    )


def _rows(status: Mapping[str, Any], section: str) -> list[tuple[str, Mapping[str, Any]]]:
    rows = status.get(section)
    return list(rows.items()) if isinstance(rows, Mapping) else []


def _table(title: str, *columns: str) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _styled(value: Any) -> Any:
    from rich.text import Text

    return Text(word(value), style=_STYLES.get(str(value), ""))


def _plain(value: Any) -> Any:
    # Texts of devices may hold brackets, which Rich would take for markup.
    from rich.text import Text

    return Text("" if value is None else node_words(str(value)))


def _faces(status: Mapping[str, Any]) -> Any:
    table = _table(_("Faces"), _("face"), _("level"), _("health"), _("shows"), _("cause"), _("reasons"))
    for name, face in _rows(status, "faces"):
        reasons = "; ".join(node_words(str(reason)) for reason in face.get("reasons") or [])
        table.add_row(
            name,
            _styled(face.get("level")),
            _styled(face.get("health")),
            _styled(face.get("shows")),
            _plain(_cause(face.get("cause"))),
            _plain(reasons),
        )
    return table


def _cause(cause: Mapping[str, Any] | None) -> str:
    if not cause:
        return ""
    parts = [str(cause.get("approach", "?")), word(cause.get("class"))]
    parts += [
        f"{cause[key]:g} {unit}"
        for key, unit in (("distance_m", "m"), ("speed_mps", "m/s"), ("time_to_arrival_s", "s"))
        if isinstance(cause.get(key), int | float)
    ]
    return " ".join(parts)


def _tracks(status: Mapping[str, Any]) -> Any:
    rows = status.get("tracks") or []
    if not rows:
        return None
    table = _table(_("Road users"), _("state"), _("approach, class, distance, speed, time to arrival"))
    for track in rows:
        table.add_row(_styled(track.get("state")), _plain(_cause(track)))
    return table


def _devices(status: Mapping[str, Any]) -> Any:
    table = _table(_("Devices"), _("device"), _("kind"), _("state"), _("heard"), _("problem"))
    for name, sensor in _rows(status, "sensors"):
        age_ms = sensor.get("age_ms")
        heard = "" if age_ms is None else _("{age} ms ago").format(age=age_ms)
        problem = sensor.get("problem") or sensor.get("warning")
        table.add_row(name, _styled(sensor.get("kind")), _styled(sensor.get("state")), heard, _plain(problem))
    for name, lamp in _rows(status, "lamps"):
        lit = {True: _("lit"), False: _("dark")}.get(lamp.get("on"), "")  # type: ignore[arg-type]
        table.add_row(name, _("lamp"), _styled(lamp.get("shows")), lit, _plain(lamp.get("problem")))
    for name, speaker in _rows(status, "speakers"):
        said = speaker.get("last_clip") or ""
        state = _("muted") if speaker.get("muted") else ""
        table.add_row(name, _("speaker"), state, _plain(said), _plain(speaker.get("problem")))
    return table


def _parts(status: Mapping[str, Any]) -> Any:
    table = _table(_("Parts"), _("part"), _("state"), _("problem"))
    for name, part in _rows(status, "parts"):
        table.add_row(name, _styled(part.get("state")), _plain(part.get("problem")))
    return table
