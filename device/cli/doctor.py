"""``sentinel doctor``: goes through what a node needs, running or stopped, and says what to do about what is wrong.

Invariants: opens no device (a running node has them) and changes nothing; every line that is not OK says what to do;
one check that cannot be made never hides the next.
"""

import dataclasses
import os
import pathlib
import shutil
import socket
import stat
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import click

from configs.errors import ConfigError
from configs.schema import SiteConfig
from device.cli.common import FAULT, Settings, Verb, emit, node_status, pass_settings
from device.cli.language import N_, _
from device.cli.node_words import node_words
from device.cli.status import faults
from device.site import check_site, devices, driver_options
from hal.clock import SYSTEM_CLOCK, ClockQuality

DISK_ERROR_BYTES = 50_000_000
"""The journal stops writing near this; a recording needs more."""

DISK_WARN_BYTES = 500_000_000
BROKER_TIMEOUT_S = 3.0

_STATES = {"OK": N_("OK"), "WARN": N_("WARN"), "ERROR": N_("ERROR")}


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``state`` is OK, WARN or ERROR; ``todo`` says what to do unless OK."""

    check: str
    state: str
    detail: str
    todo: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at."""

    settings: Settings
    config_path: pathlib.Path
    config: SiteConfig | None
    status: dict[str, Any] | None


@click.command("doctor", cls=Verb, help=_("Look for what is wrong with this node and say what to do."))
@pass_settings
def command(settings: Settings) -> None:
    """Exit 1 when any line is ERROR."""
    findings = examine(settings)
    worst = any(finding.state == "ERROR" for finding in findings)
    emit({"ok": not worst, "findings": [dataclasses.asdict(finding) for finding in findings]}, _page(findings))
    if worst:
        raise SystemExit(FAULT)


def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order a technician would look."""
    status = node_status()
    path = settings.config_path
    if status is not None and settings.config_given is None:
        path = pathlib.Path(str(status["config"]["path"]))
    findings, config = _config(settings, path)
    subject = Subject(settings, path, config, status)
    for check in _CHECKS:
        findings += check(subject)
    return findings


def _config(settings: Settings, path: pathlib.Path) -> tuple[list[Finding], SiteConfig | None]:
    name = _("site file")
    try:
        config, warnings = check_site(path)
    except ConfigError as error:
        todo = _("correct the line, then: sentinel config check")
        return [Finding(name, "ERROR", problem.render(settings.lang), todo) for problem in error.problems], None
    found = [Finding(name, "OK", f"{path} ({config.site.id} {config.site.name})")]
    todo = _("see whether the site allows it; it is a limit, not a mistake")
    return found + [Finding(name, "WARN", warning.render(settings.lang), todo) for warning in warnings], config


def _node(subject: Subject) -> Iterator[Finding]:
    name = _("node")
    if subject.status is None:
        todo = _("start it: systemctl start sentinel.target, or sentinel run on a desk")
        yield Finding(name, "WARN", _("not running"), todo)
        return
    found = faults(subject.status)
    for line in found:
        yield Finding(name, "ERROR", node_words(line), _("see: sentinel status"))
    if subject.status.get("booting"):
        yield Finding(name, "WARN", _("starting up"), _("ask again in a minute"))
    elif not found:
        yield Finding(name, "OK", _("running, no part in fault"))


def _devices(subject: Subject) -> Iterator[Finding]:
    if subject.config is None:
        return
    from hal import registry

    for entry in devices(subject.config):
        name = ".".join(entry.path)
        problem = None
        options = registry.parse_options(entry.kind, entry.device.driver, driver_options(entry.kind, entry.device))
        for path in _device_files(options):
            problem = problem or _file_problem(path)
        if entry.device.driver == "gpio" and getattr(options, "pin_factory", None) not in ("mock", None):
            problem = problem or _gpio_problem()
        program = {"alsa": "aplay", "rpicam": "rpicam-vid"}.get(entry.device.driver)
        if program is not None and shutil.which(program) is None:
            problem = problem or (
                _("the program {program} is not installed").format(program=program),
                _("install it: apt install {package}").format(
                    package={"aplay": "alsa-utils", "rpicam-vid": "rpicam-apps"}[program]
                ),
            )
        if problem is None:
            yield Finding(name, "OK", entry.device.driver)
        else:
            yield Finding(name, "ERROR", *problem)


def _device_files(options: Any) -> Iterator[pathlib.Path]:
    """Files of the machine that a device's options name (ports, video devices, video files)."""
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name in ("url", "source", "device", "path") and isinstance(value, str) and value.startswith("/"):
            yield pathlib.Path(value)


def _file_problem(path: pathlib.Path) -> tuple[str, str] | None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        detail = f"{path}: {error.strerror or error}"
        return detail, _("check the cable and its plug, then the path in the site file")
    wanted = os.R_OK | os.W_OK if stat.S_ISCHR(mode) else os.R_OK
    if not os.access(path, wanted):
        group = "video" if "video" in path.name else "dialout"
        return (
            _("{path}: no permission").format(path=path),
            _("add the user to the group: usermod -aG {group} USER").format(group=group),
        )
    return None


def _gpio_problem() -> tuple[str, str] | None:
    chips = sorted(pathlib.Path("/dev").glob("gpiochip*"))
    if not chips:
        return _("this machine has no GPIO (/dev/gpiochip*)"), _("on a desk set pin_factory: mock")
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return (
            _("{path}: no permission").format(path=chips[0]),
            _("add the user to the group: usermod -aG {group} USER").format(group="gpio"),
        )
    return None


def _model(subject: Subject) -> Iterator[Finding]:
    name = _("detection model")
    if subject.config is not None and not subject.config.cameras:
        yield Finding(name, "OK", _("no camera, not needed"))
        return
    from models.errors import ModelError
    from models.manifest import BUNDLED, read_manifest, read_weights

    named = subject.config.detector.manifest if subject.config is not None else None
    path = BUNDLED if named is None else pathlib.Path(named)
    try:
        manifest = read_manifest(path)
        read_weights(path, manifest)
    except ModelError as error:
        yield Finding(name, "ERROR", str(error), _("reinstall the package, or name another manifest"))
        return
    yield Finding(name, "OK", f"{manifest.name} sha256 {manifest.sha256[:12]}…")


def _clips(subject: Subject) -> Iterator[Finding]:
    name = _("voice clips")
    if subject.config is None:
        return
    from hal import registry
    from hal.speaker import clips

    folders = set()
    for speaker in subject.config.speakers.values():
        if speaker.driver == "alsa":
            options = registry.parse_options("speaker", speaker.driver, speaker.options())
            folders.add(clips.RENDERED if options.clips_dir is None else pathlib.Path(options.clips_dir))
    for folder in sorted(folders):
        missing = [clip for clip in clips.CLIPS if not (folder / f"{clip}.wav").is_file()]
        if missing:
            detail = _("{folder} has no {clips}").format(folder=folder, clips=", ".join(missing))
            yield Finding(
                name, "ERROR", detail, _("render them: python -m tools.voice.render, or reinstall the package")
            )
        else:
            yield Finding(name, "OK", f"{folder}: {len(clips.CLIPS)}")
    if not folders:
        yield Finding(name, "OK", _("no speaker plays clips here"))


def _broker(subject: Subject) -> Iterator[Finding]:
    name = _("county platform")
    bridge = subject.config.bridge if subject.config is not None else None
    if subject.config is None:
        return
    if bridge is None:
        yield Finding(name, "OK", _("not set up; the node works alone"))
        return
    url = urllib.parse.urlsplit(bridge.url)
    port = url.port or (8883 if url.scheme == "mqtts" else 1883)
    try:
        with socket.create_connection((url.hostname or "", port), timeout=BROKER_TIMEOUT_S):
            yield Finding(name, "OK", _("{host}:{port} answers").format(host=url.hostname, port=port))
    except OSError as error:
        detail = _("{host}:{port} does not answer: {detail}").format(host=url.hostname, port=port, detail=error)
        yield Finding(
            name, "WARN", detail, _("check the SIM card, antenna and address; the node guards on, events are kept")
        )
    for field in ("ca_file", "cert_file", "key_file", "password_file"):
        value = getattr(bridge, field)
        if value is not None:
            yield from _secret(name, pathlib.Path(value), private=field in ("key_file", "password_file"))


def _secret(name: str, path: pathlib.Path, *, private: bool) -> Iterator[Finding]:
    problem = _file_problem(path)
    if problem is not None:
        yield Finding(name, "ERROR", problem[0], _("put the file there, readable by the user sentinel"))
    elif private and path.stat().st_mode & 0o007:
        detail = _("{path} can be read by everybody").format(path=path)
        yield Finding(name, "WARN", detail, f"chmod o-rwx {path}")


def _clock(subject: Subject) -> Iterator[Finding]:
    quality = SYSTEM_CLOCK.quality()
    name = _("clock")
    if quality is ClockQuality.SYNCED:
        yield Finding(name, "OK", _("synchronised"))
    elif quality is ClockQuality.RTC:
        todo = _("check the network time service: timedatectl")
        yield Finding(name, "WARN", _("not synchronised, runs from the hardware clock"), todo)
    else:
        todo = _("set it: timedatectl set-time; until then the voice is quiet and the lamps are at full brightness")
        yield Finding(name, "WARN", _("wrong: earlier than this program"), todo)


def _disk(subject: Subject) -> Iterator[Finding]:
    name = _("disk")
    folder = subject.settings.state_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = _("{free} MB free at {folder}").format(free=free // 1_000_000, folder=folder)
    state = "ERROR" if free < DISK_ERROR_BYTES else "WARN" if free < DISK_WARN_BYTES else "OK"
    yield Finding(name, state, detail, "" if state == "OK" else _("remove old recordings"))


def _folders(subject: Subject) -> Iterator[Finding]:
    name = _("permissions")
    found = False
    for folder in (subject.settings.state_dir, subject.settings.run_dir):
        if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
            found = True
            todo = _("add the user to the group: usermod -aG {group} USER").format(group="sentinel")
            yield Finding(name, "WARN", _("{path}: no permission").format(path=folder), todo)
    if subject.config_path.is_file() and not os.access(subject.config_path, os.W_OK):
        found = True
        detail = _("{path} can be read but not changed by you").format(path=subject.config_path)
        yield Finding(name, "WARN", detail, _("use sudo for config set"))
    if not found:
        yield Finding(name, "OK", _("folders and site file can be used"))


def _recording(subject: Subject) -> Iterator[Finding]:
    if subject.config is None:
        return
    name = "recording.images"
    if subject.config.recording.images:
        todo = _("switch it off when it is no longer needed: sentinel config set recording.images false")
        yield Finding(name, "WARN", _("on: recordings hold images of people"), todo)
    else:
        yield Finding(name, "OK", _("off: no image is kept"))
    if subject.config.recording.snapshots:
        todo = _("look at one before you pass it on: a person whom the detector missed is not hidden")
        yield Finding("recording.snapshots", "WARN", _("on: pictures of events, with people and vehicles hidden"), todo)


def _incidents(subject: Subject) -> Iterator[Finding]:
    """What the running node counted since its start; nothing where none runs."""
    counters = (subject.status or {}).get("counters") or {}
    if "incidents_written" not in counters:
        return
    name = _("incident recordings")
    left_out, dropped = int(counters["incident_alerts_left_out"]), int(counters["incident_messages_dropped"])
    detail = _("{written} written since the start, {deleted} older ones deleted").format(
        written=counters["incidents_written"], deleted=counters["incidents_deleted"]
    )
    if left_out:
        lost = _("{count} alerts not kept: more than recording.day_mb a day").format(count=left_out)
        todo = _("raise it if the card bears it: sentinel config set recording.day_mb 800")
        yield Finding(name, "WARN", f"{detail}; {lost}", todo)
    if dropped:
        lost = _("{count} messages dropped: the disk did not keep up").format(count=dropped)
        yield Finding(name, "WARN", f"{detail}; {lost}", _("change the card"))
    if not left_out and not dropped:
        yield Finding(name, "OK", detail)


_CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    _node,
    _devices,
    _model,
    _clips,
    _broker,
    _clock,
    _disk,
    _folders,
    _recording,
    _incidents,
)


def _page(findings: list[Finding]) -> Any:
    from rich.table import Table
    from rich.text import Text

    styles = {"OK": "green", "WARN": "yellow", "ERROR": "bold red"}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        text = Text(finding.detail)
        if finding.todo:
            text.append(f"\n→ {finding.todo}", style="bold")
        table.add_row(Text(_(_STATES[finding.state]), style=styles[finding.state]), finding.check, text)
    return table
