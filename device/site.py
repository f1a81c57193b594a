"""A site file checked against the drivers it names, and compiled for the processes of a node.

Invariants: a configuration that passed ``check_site`` parses in every driver and gives no pin or port to two devices;
the processes read ``run_dir/site.json`` and ``run_dir/guard.json`` only, so that what runs is what was checked;
compiled files are replaced in one step. Nothing heavy is imported here (core uses this module): the drivers, and
with them gpiozero or OpenCV, are loaded only inside ``check_site``.
"""

import dataclasses
import hashlib
import importlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from configs import edit, lead, loader
from configs.describe import option_allowed
from configs.errors import ConfigError, Problem, Text, both
from configs.files import make_folder, write_atomically
from configs.schema import DEVICE_SECTIONS, Device, Road, SiteConfig
from device.ipc import GUARD_CONFIG, SITE_CONFIG

LEASE_CAP_MS = 150
"""Longest lease guard accepts; core renews every 20 ms (ADR 0003)."""

SAFE_HOLD_S = 30.0
"""How long guard keeps the safe pattern after a lapse."""

CLEAR_AFTER_S = 10.0
"""Unbroken renewals guard wants before it accepts clear again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One device of a site file: where it stands, its kind, its id and its entry."""

    path: tuple[str, ...]
    kind: str
    device_id: str
    device: Device


def devices(config: SiteConfig) -> Iterator[Entry]:
    """Every device of a site."""
    for section, kind in DEVICE_SECTIONS.items():
        for device_id, device in getattr(config, section).items():
            yield Entry((section, device_id), kind, device_id, device)
    if config.heartbeat is not None:
        yield Entry(("heartbeat",), "heartbeat", "heartbeat", config.heartbeat)


def driver_options(kind: str, device: Device) -> dict[str, Any]:
    """What a driver's ``parse_options`` gets: the entry's extra keys, and ``reach_m`` of a radar if the driver has
    that option. Raises OptionError for an unknown driver."""
    from hal import registry

    options = device.options()
    reach_m = getattr(device, "reach_m", None)
    if reach_m is not None:
        names = {field.name for field in dataclasses.fields(registry.driver(kind, device.driver).options)}
        if "reach_m" in names:
            options["reach_m"] = reach_m
    return options


def check_site(path: pathlib.Path | str) -> tuple[SiteConfig, list[Problem]]:
    """The configuration and its warnings. Raises ConfigError with everything wrong: schema first, then drivers."""
    return check_source(loader.read(path))


def check_text(text: str, file: str) -> tuple[SiteConfig, list[Problem]]:
    """The same for a text that is not in its file yet."""
    return check_source(loader.parse_yaml(text, file))


def check_source(source: loader.Source) -> tuple[SiteConfig, list[Problem]]:
    """The same for parsed values."""
    config = loader.validate(source)
    leads = [_placed(problem, source) for problem in lead.problems(config)]
    problems = _Drivers(source).check(config) + _bad_ground(config, source)
    problems += [problem for problem in leads if not problem.is_warning]
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line or 0))
    return config, [problem for problem in leads if problem.is_warning] + _warnings(config, source)


def _placed(problem: Problem, source: loader.Source) -> Problem:
    return dataclasses.replace(problem, file=source.file, line=source.line(problem.path.split(".")))


def _bad_ground(config: SiteConfig, source: loader.Source) -> list[Problem]:
    """Calibrations whose points do not agree. By name, as drivers are: core imports this module and never numpy."""
    if not any(camera.ground for camera in config.cameras.values()):
        return []
    _held, refused = importlib.import_module("device.calibration").calibrations(config)
    return [
        dataclasses.replace(found, file=source.file, line=source.line(edit.split_path(found.path))) for found in refused
    ]


class _Drivers:
    """Asks every driver about its own options and what it must have for itself."""

    def __init__(self, source: loader.Source) -> None:
        self._source = source
        self._claimed: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._problems: list[Problem] = []

    def check(self, config: SiteConfig) -> list[Problem]:
        """Everything wrong with the devices of ``config``."""
        silent: list[Entry] = []
        watchers: dict[str, int] = {}
        for entry in devices(config):
            row = self._row(entry)
            for approach in _watches(entry.device):
                watchers[approach] = watchers.get(approach, 0) + 1
            if row is None:
                continue
            if row.idle == "silent":
                silent.append(entry)
            options = self._options(entry, row)
            if options is not None:
                self._claims(entry, row.claims(options))
        for entry in silent:
            approach = getattr(entry.device, "approach", "")
            if watchers.get(approach) == 1:
                self._add("silent_alone", (*entry.path, "driver"), value=entry.device.driver)
        return self._problems

    def _row(self, entry: Entry) -> Any:
        from hal import registry
        from hal.errors import OptionError

        path = (*entry.path, "driver")
        try:
            return registry.driver(entry.kind, entry.device.driver)
        except OptionError as error:
            self._add("unknown_driver", path, value=entry.device.driver, allowed=both(error.allowed))
        except ImportError as error:
            self._add("driver_unavailable", path, value=entry.device.driver, params={"detail": str(error)})
        return None

    def _options(self, entry: Entry, row: Any) -> Any:
        """The parsed options, or None after noting every problem (a bad key is set aside and the rest asked again)."""
        from hal import options as hal_options
        from hal.errors import OptionError

        rows = {str(described["name"]): described for described in hal_options.describe(row.options)}
        values = driver_options(entry.kind, entry.device)
        noted: set[str] = set()
        for _ in range(len(values) + len(rows) + 1):
            try:
                parsed = hal_options.parse(row.options, values)
            except OptionError as error:
                key = error.path.split(".")[0]
                if key in noted:
                    break
                noted.add(key)
                self._problems.append(self._option_problem(entry, error, rows))
                if key not in values:
                    break
                del values[key]
            else:
                return None if noted else parsed
        return None

    def _option_problem(self, entry: Entry, error: Any, rows: Mapping[str, Mapping[str, Any]]) -> Problem:
        path = (*entry.path, *str(error.path).split("."))
        place: dict[str, Any] = {
            "file": self._source.file,
            "line": self._source.line(path),
            "path": loader.dotted(path),
        }
        key = path[-1]
        row = rows.get(str(error.path))
        if row is None and error.path in entry.device.options():
            own = list(type(entry.device).model_fields)

            def allowed_of(name: str) -> Text | None:
                return option_allowed(rows[name]) if name in rows else _field_allowed(entry.device, name)

            return loader.key_problem(
                key, error.value, own + [name for name in rows if name not in own], allowed_of, **place
            )
        if row is None:
            return Problem("wrong_type", value=error.value, allowed=both(error.allowed), **place)
        allowed = option_allowed(row)
        if error.path not in entry.device.options() and key not in type(entry.device).model_fields:
            return Problem("missing_key", allowed=allowed, params={"key": key}, **place)
        if error.allowed not in (row["allowed"], ""):  # the driver's own rule between options
            allowed = both(error.allowed)
        return Problem(_option_code(error.value, row), value=error.value, allowed=allowed, **place)

    def _claims(self, entry: Entry, claims: frozenset[str]) -> None:
        """Notes what a device must have for itself. Two devices that clash are told once, at best by the option that
        clashes (a header UART is a port and two pins)."""
        told: set[tuple[str, ...]] = set()
        paths = {claim: self._claim_path(entry, claim) for claim in claims}
        for claim, path in sorted(paths.items(), key=lambda item: (item[1] == entry.path, item[0])):
            owner, first = self._claimed.setdefault(claim, (entry.path, path))
            if owner == entry.path or owner in told:
                continue
            told.add(owner)
            params = {"claim": claim, "other": loader.dotted(first), "other_line": self._source.line(first)}
            value = entry.device.options().get(path[-1]) if len(path) > len(entry.path) else claim
            self._add("claimed_twice", path, value=value, allowed=_unclaimed(claim), params=params)

    @staticmethod
    def _claim_path(entry: Entry, claim: str) -> tuple[str, ...]:
        """The option a claim comes from (``gpio 17`` from ``pin: 17``), as far as its value shows."""
        words = claim.split()
        key = next((key for key, value in entry.device.options().items() if str(value) in words), None)
        return entry.path if key is None else (*entry.path, key)

    def _add(self, code: str, path: tuple[str, ...], **fields: Any) -> None:
        line = self._source.line(path)
        self._problems.append(Problem(code, file=self._source.file, line=line, path=loader.dotted(path), **fields))


def _unclaimed(claim: str) -> Text:
    if claim.startswith("gpio "):
        return Text("别的设备没有用到的引脚", "a pin that no other device has")
    return Text("别的设备没有用到的端口", "a port that no other device has")


def _field_allowed(device: Device, name: str) -> Text | None:
    from configs import describe

    field = type(device).model_fields.get(name)
    return None if field is None else describe.allowed(describe.of_field(field), name)


def _option_code(value: Any, row: Mapping[str, Any]) -> str:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if numeric and any(word in str(row["type"]) for word in ("int", "float")):
        return "out_of_range" if "int" not in str(row["type"]) or isinstance(value, int) else "wrong_type"
    return "bad_choice" if "|" in str(row["allowed"]) and isinstance(value, str) else "wrong_type"


def _watches(device: Device) -> list[str]:
    approach = getattr(device, "approach", None)
    return [approach] if approach is not None else list(getattr(device, "zones", ()))


def _warnings(config: SiteConfig, source: loader.Source) -> list[Problem]:
    found: list[Problem] = []

    def warn(code: str, *path: str, **fields: Any) -> None:
        line = source.line(path)
        found.append(Problem(code, file=source.file, line=line, path=loader.dotted(path), **fields))

    watched = {approach for entry in devices(config) for approach in _watches(entry.device)}
    shown = {face for lamp in config.lamps.values() for face in lamp.faces}
    for name, approach in config.approaches.items():
        if name not in watched and approach.road is Road.MAIN:
            warn("unwatched", "approaches", name)
        if name not in shown and approach.road is Road.BRANCH:
            warn("no_lamp", "approaches", name)
    if config.heartbeat is None:
        warn("no_heartbeat", "lamps")
    if config.bridge is not None and config.bridge.url.startswith("mqtt://"):
        host = config.bridge.url.removeprefix("mqtt://").partition(":")[0]
        if host not in ("localhost", "127.0.0.1"):
            warn("plain_mqtt", "bridge", "url", value=config.bridge.url, allowed=both("mqtts://"))
    return found


def compile_guard(config: SiteConfig) -> dict[str, Any]:
    """What guard needs, as plain JSON values (it imports neither pydantic nor YAML)."""
    return {
        "lease_cap_ms": LEASE_CAP_MS,
        "safe_hold_s": SAFE_HOLD_S,
        "clear_after_s": CLEAR_AFTER_S,
        "patterns": config.lamp_patterns.model_dump(mode="json"),
        "lamps": {name: _plain(lamp) for name, lamp in config.lamps.items()},
        "heartbeat": None if config.heartbeat is None else _plain(config.heartbeat),
    }


def write_compiled(config: SiteConfig, run_dir: pathlib.Path) -> None:
    """Writes ``guard.json`` and ``site.json`` into ``run_dir``, each in one step. Raises OSError.

    Guard's first: whoever is killed in between leaves core with the old file, and it still sees what guard has to
    start anew for.
    """
    make_folder(run_dir)
    write_atomically(run_dir / GUARD_CONFIG, _json(compile_guard(config)))
    write_atomically(run_dir / SITE_CONFIG, _json(config.model_dump(mode="json")))


def section_hashes(config: SiteConfig) -> dict[str, str]:
    """SHA-256 of every top-level section, defaults included, so that equal behaviour has equal hashes."""
    values = config.model_dump(mode="json")
    return {section: hashlib.sha256(_json(values[section])).hexdigest() for section in sorted(values)}


def config_hash(config: SiteConfig) -> str:
    """SHA-256 of the whole configuration."""
    return hashlib.sha256(_json(section_hashes(config))).hexdigest()


def changed_sections(old: SiteConfig, new: SiteConfig) -> list[str]:
    """The sections whose values differ, in the schema's order."""
    before, after = section_hashes(old), section_hashes(new)
    return [section for section in type(new).model_fields if before[section] != after[section]]


def _plain(device: Device) -> dict[str, Any]:
    return {"driver": device.driver, "options": device.options()}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
