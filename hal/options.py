"""Options of a driver: one frozen dataclass each, checked with the standard library alone.

Guard may not import pydantic (start-up and memory on the lamp path), so every driver declares its options as a
dataclass whose fields carry their bounds and both languages; ``parse`` refuses unknown keys, missing keys, wrong
kinds and values out of bounds, each with the path, the value and what is allowed.
"""

import dataclasses
import enum
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from hal.errors import OptionError

T = TypeVar("T")


def option(
    zh: str,
    en: str,
    *,
    default: Any = dataclasses.MISSING,
    ge: float | None = None,
    le: float | None = None,
    choices: tuple[str, ...] | None = None,
    pattern: str | None = None,
) -> Any:
    """Declares one option: descriptions in both languages, bounds, and a default (none = required)."""
    return dataclasses.field(
        default=default,
        metadata={"zh": zh, "en": en, "ge": ge, "le": le, "choices": choices, "pattern": pattern},
    )


def describe(kind: type[Any]) -> list[dict[str, Any]]:
    """Rows for the reference page: name, type, default, allowed, zh, en, in declaration order."""
    hints = typing.get_type_hints(kind)
    rows = []
    for field in dataclasses.fields(kind):
        rows.append(
            {
                "name": field.name,
                "type": _type_name(hints[field.name]),
                "required": field.default is dataclasses.MISSING,
                "default": None if field.default is dataclasses.MISSING else field.default,
                "allowed": _allowed(hints[field.name], field.metadata),
                "zh": field.metadata["zh"],
                "en": field.metadata["en"],
            }
        )
    return rows


def parse(kind: type[T], values: Mapping[str, Any]) -> T:
    """Builds ``kind`` from plain values (as YAML gives them). Raises OptionError for the first thing wrong."""
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in fields:
            raise OptionError(str(key), value, "one of " + ", ".join(fields))
    hints = typing.get_type_hints(kind)
    built: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            built[name] = _check(name, values[name], hints[name], field.metadata)
        elif field.default is dataclasses.MISSING:
            raise OptionError(name, None, f"required: {_allowed(hints[name], field.metadata)}")
    return kind(**built)


def _check(path: str, value: Any, hint: Any, meta: Mapping[str, Any]) -> Any:
    allowed = _allowed(hint, meta)
    kinds = _members(hint)
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        converted = _convert(value, kind)
        if converted is not None:
            break
    else:
        raise OptionError(path, value, allowed)
    if meta["choices"] is not None and converted not in meta["choices"]:
        raise OptionError(path, value, allowed)
    if meta["pattern"] is not None and not re.fullmatch(meta["pattern"], str(converted)):
        raise OptionError(path, value, allowed)
    if (meta["ge"] is not None and converted < meta["ge"]) or (meta["le"] is not None and converted > meta["le"]):
        raise OptionError(path, value, allowed)
    return converted


def _convert(value: Any, kind: Any) -> Any:
    """The value as ``kind``, or None when it is not one. A bool is never a number; 1 is a fine float."""
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return kind(value) if isinstance(value, str) and value in set(kind) else None
    if kind is float:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind is int:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if kind in (str, bool):
        return value if isinstance(value, kind) else None
    return None


def _members(hint: Any) -> tuple[Any, ...]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return typing.get_args(hint)
    return (hint,)


def _type_name(hint: Any) -> str:
    return " | ".join("null" if m is type(None) else m.__name__ for m in _members(hint))


def _allowed(hint: Any, meta: Mapping[str, Any]) -> str:
    if meta["choices"] is not None:
        return " | ".join(meta["choices"])
    enums = [m for m in _members(hint) if isinstance(m, type) and issubclass(m, enum.StrEnum)]
    if enums:
        return " | ".join(value for e in enums for value in e)
    text = _type_name(hint)
    if meta["pattern"] is not None:
        text += f" matching {meta['pattern']}"
    if meta["ge"] is not None and meta["le"] is not None:
        text += f" {meta['ge']} … {meta['le']}"
    elif meta["ge"] is not None:
        text += f" ≥ {meta['ge']}"
    elif meta["le"] is not None:
        text += f" ≤ {meta['le']}"
    return text
