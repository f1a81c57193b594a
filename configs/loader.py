"""Loads a site file: text -> plain values -> ``SiteConfig``, or every problem at once with its line.

Invariants: values are never bent to fit (``"60"`` is not 60, ``true`` is not 1); a file is refused whole or taken
whole; YAML is written by people, JSON is what ``device.site`` compiled for the processes and needs no YAML parser.
"""

import dataclasses
import difflib
import functools
import json
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pydantic
from pydantic_core import ErrorDetails

from configs import describe, yaml_text
from configs.errors import ConfigError, Problem, RuleError, Text, both
from configs.schema import SiteConfig

Path = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A parsed site file: its plain values, and the line of every path in it (none for compiled JSON)."""

    file: str
    values: Mapping[str, Any]
    lines: Mapping[Path, int]

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of a path, or of the deepest part of it that is in the file."""
        parts = tuple(path)
        while parts:
            if parts in self.lines:
                return self.lines[parts]
            parts = parts[:-1]
        return 1 if self.lines else None


def load_site(path: pathlib.Path | str) -> SiteConfig:
    """The site file at ``path`` (.yaml, .yml or .json). Raises ConfigError with everything wrong; drivers' own
    options are not checked here (device.site.check_site does)."""
    return validate(read(path))


def read(path: pathlib.Path | str) -> Source:
    """The file's plain values and lines, unchecked. Raises ConfigError."""
    path = pathlib.Path(path)
    text = read_text(path)
    return parse_json(text, str(path)) if path.suffix == ".json" else parse_yaml(text, str(path))


def read_text(path: pathlib.Path) -> str:
    """A site file's text. Raises ConfigError."""
    file = str(path)
    try:
        if path.stat().st_size > yaml_text.MAX_BYTES:
            raise ConfigError([Problem("too_big", file=file, allowed=both(f"≤ {yaml_text.MAX_BYTES // 1024} KiB"))])
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError([Problem("not_utf8", file=file)]) from None
    except OSError as error:
        raise ConfigError([Problem("unreadable", file=file, params={"detail": error.strerror or str(error)})]) from None


REMEMBERED = 8
"""Texts whose parse is kept, about 20 kB each for a junction's file: a process of a node meets three or four. The
office, which meets a thousand, remembers for itself (``tools.county.folder``)."""


def parse_yaml(text: str, file: str = "") -> Source:
    """A site file's text. Raises ConfigError. What equal texts make is one object: nobody changes a Source."""
    try:
        values, lines = _parsed(text)
    except ConfigError as error:
        raise ConfigError([dataclasses.replace(problem, file=file) for problem in error.problems]) from None
    return Source(file, values, lines)


@functools.lru_cache(maxsize=REMEMBERED)
def _parsed(text: str) -> tuple[Mapping[str, Any], Mapping[Path, int]]:
    """The YAML parser takes 15 ms for a junction's file, and a trial asks for the same one from its beginning to its
    end (``python -m tools.county.check_measure``)."""
    root = yaml_text.parse(text)
    lines: dict[Path, int] = {}
    _collect(root, (), lines)
    return root.plain(), lines


def is_blank(text: str) -> bool:
    """Whether a text says nothing: blanks and comments."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines())


def parse_patch(text: str, file: str = "") -> Source:
    """A patch's text; one of blanks and comments is an empty one. Raises ConfigError."""
    return Source(file, {}, {}) if is_blank(text) else parse_yaml(text, file)


def parse_json(text: str, file: str = "") -> Source:
    """A compiled site file's text. Raises ConfigError."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise ValueError("a key is there twice")
        return found

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is not a finite number")

    try:
        values = json.loads(text, object_pairs_hook=pairs, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem("syntax", file=file, params={"detail": str(error)})]) from None
    if not isinstance(values, dict):
        raise ConfigError([Problem("syntax", file=file, params={"detail": "an object expected"})])
    return Source(file, values, {})


def validate(source: Source) -> SiteConfig:
    """The checked configuration. Raises ConfigError with every problem, in the order of the file."""
    try:
        # Through JSON: pydantic's strict mode then takes enums and tuples as text and lists, and bends nothing else.
        return SiteConfig.model_validate_json(json.dumps(source.values), strict=True)
    except pydantic.ValidationError as error:
        problems = _translate(error.errors(include_url=False), source)
    except ValueError as error:  # values JSON cannot carry (a lone surrogate, a number beyond a double)
        problems = [Problem("syntax", file=source.file, params={"detail": str(error)})]
    raise ConfigError(sorted(problems, key=lambda problem: problem.line or 0)) from None


def dotted(path: Iterable[str | int]) -> str:
    """A path as people write it."""
    return ".".join(str(part) for part in path)


def key_problem(
    key: str, value: Any, known: Sequence[str], allowed_of: Callable[[str], Text | None], **place: Any
) -> Problem:
    """An unknown key: says which unit is missing, or which key was probably meant, or which there are.

    ``allowed_of`` says what a known key accepts; it is asked when only the unit is missing.
    """
    allowed = both(", ".join(known))
    wanted = [name for name in known if name.startswith(f"{key}_") and describe.unit_of(name) is not None]
    if wanted:
        unit = describe.unit_of(wanted[0])
        params: dict[str, Any] = {"key": key, "suggestion": wanted[0], "unit": unit}
        return Problem("missing_unit", value=value, allowed=allowed_of(wanted[0]), params=params, **place)
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if close:
        return Problem(
            "similar_key", value=value, allowed=allowed, params={"key": key, "suggestion": close[0]}, **place
        )
    return Problem("unknown_key", value=value, allowed=allowed, params={"key": key}, **place)


def _collect(node: yaml_text.Node, path: Path, lines: dict[Path, int]) -> None:
    for key, child in node.children.items():
        lines[(*path, key)] = child.line
        _collect(child, (*path, key), lines)


_CODES: Mapping[str, str] = {
    "enum": "bad_choice",
    "literal_error": "bad_choice",
    "string_pattern_mismatch": "bad_text",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "finite_number": "not_finite",
    "too_short": "bad_length",
    "too_long": "bad_length",
    "string_too_short": "bad_length",
    "string_too_long": "bad_length",
}


def _translate(errors: Sequence[ErrorDetails], source: Source) -> list[Problem]:
    problems: list[Problem] = []
    for error in errors:
        problems.extend(_problems_of(error, source))
    # "reach_m is missing" says nothing new once "reach: write reach_m" is told.
    suggested = {_parent(p.path, str(p.params["suggestion"])) for p in problems if "suggestion" in p.params}
    return [p for p in problems if not (p.code == "missing_key" and p.path in suggested)]


def _parent(path: str, key: str) -> str:
    head, _, _ = path.rpartition(".")
    return f"{head}.{key}" if head else key


def _problems_of(error: ErrorDetails, source: Source) -> list[Problem]:
    kind = error["type"]
    path: Path = tuple(error["loc"])
    if kind == "value_error":
        cause = error.get("ctx", {}).get("error")
        if isinstance(cause, RuleError):
            return [_placed(problem, path, source) for problem in cause.problems]
        return [_at("bad_value", path, source, value=error["input"], params={"detail": error["msg"]})]
    if kind == "extra_forbidden":
        parent = describe.at(SiteConfig, path[:-1])
        known = parent.keys if parent is not None else []
        place = {"file": source.file, "line": source.line(path), "path": dotted(path)}

        def allowed_of(name: str) -> Text | None:
            meant = describe.at(SiteConfig, (*path[:-1], name))
            return None if meant is None else describe.allowed(meant, name)

        return [key_problem(str(path[-1]), error["input"], known, allowed_of, **place)]
    if path and path[-1] == "[key]":
        return [_at("bad_text", path[:-1], source, value=error["input"], allowed=describe.ID_TEXT)]
    setting = describe.at(SiteConfig, path)
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    allowed = describe.allowed(setting, key) if setting is not None else both(error["msg"])
    if kind == "missing":
        return [_at("missing_key", path, source, allowed=allowed, params={"key": str(path[-1])})]
    return [_at(_CODES.get(kind, "wrong_type"), path, source, value=error["input"], allowed=allowed)]


def _at(code: str, path: Path, source: Source, **fields: Any) -> Problem:
    return Problem(code, file=source.file, line=source.line(path), path=dotted(path), **fields)


def _placed(problem: Problem, base: Path, source: Source) -> Problem:
    """A rule's problem with file and line; its own path is relative to the model that found it."""
    own: Path = tuple(int(p) if p.isdigit() else p for p in problem.path.split(".")) if problem.path else ()
    path = (*base, *own)
    return dataclasses.replace(problem, file=source.file, line=source.line(path), path=dotted(path))
