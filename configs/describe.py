"""What the schema says of one key: type, bounds, unit, words in both languages; for messages and the reference page."""

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from configs.errors import Text, both

UNITS: Mapping[str, Text] = {
    "mps2": Text("米/秒²", "metres per second squared"),
    "kmh": Text("公里/小时", "kilometres per hour"),
    "mps": Text("米/秒", "metres per second"),
    "per_s": Text("条/秒", "a second"),
    "ms": Text("毫秒", "milliseconds"),
    "deg": Text("度", "degrees"),
    "pct": Text("%", "per cent"),
    "fps": Text("帧/秒", "frames a second"),
    "hz": Text("赫兹", "hertz"),
    "px": Text("像素", "pixels"),
    "m": Text("米", "metres"),
    "s": Text("秒", "seconds"),
}
"""Ending of a key -> its unit."""

_ID_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"
_PATTERNS: Mapping[str, Text] = {
    _ID_PATTERN: Text(
        "小写字母开头,后面是小写字母、数字或 _,最长 32 个",
        "a lower-case letter, then lower-case letters, digits or _, at most 32",
    ),
    r"^([01]\d|2[0-3]):[0-5]\d$": Text("时:分,如 21:00", "HH:MM, like 21:00"),
    r"^\d{6}/[a-z][a-z0-9_]{0,31}$": Text(
        "六位行政区划代码/节点号,如 371500/n0001", "six-digit county code / node id, like 371500/n0001"
    ),
    r"^mqtts?://[^/\s]+(:\d+)?$": Text("mqtts://主机:端口", "mqtts://host:port (or mqtt://)"),
}
ID_TEXT = _PATTERNS[_ID_PATTERN]


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One key of the schema: its annotation without Annotated and None, its constraints, its field if it has one."""

    kind: Any
    constraints: tuple[Any, ...]
    optional: bool
    field: FieldInfo | None

    @property
    def keys(self) -> list[str]:
        """The keys below this one when it is a model."""
        return list(self.kind.model_fields) if is_model(self.kind) else []


def unit_of(key: str) -> Text | None:
    """The unit a key's name ends in."""
    return next((unit for ending, unit in UNITS.items() if key.endswith(f"_{ending}")), None)


def is_model(kind: Any) -> bool:
    """Whether an annotation is a pydantic model."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def of_field(field: FieldInfo) -> Setting:
    """What a model's field says."""
    return _peel(field.annotation, tuple(field.metadata), field)


def words(field: FieldInfo) -> Text:
    """What a field means, as the schema says it."""
    extra = field.json_schema_extra
    return Text(field.description or "", str(extra.get("en", "")) if isinstance(extra, dict) else "")


def at(model: type[BaseModel], path: typing.Sequence[str | int]) -> Setting | None:
    """The setting a path leads to, or None where the schema knows nothing (a driver's option, a wrong key)."""
    setting = Setting(model, (), False, None)
    for part in path:
        below = _below(setting, part)
        if below is None:
            return None
        setting = below
    return setting


def _below(setting: Setting, part: str | int) -> Setting | None:
    if is_model(setting.kind):
        field = setting.kind.model_fields.get(part)
        return None if field is None else of_field(field)
    arguments = get_args(setting.kind)
    origin = get_origin(setting.kind)
    if origin is dict:
        return _peel(arguments[1], (), None)
    if origin is list:
        return _peel(arguments[0], (), None)
    if origin is tuple:
        index = part if isinstance(part, int) and part < len(arguments) else 0
        return _peel(arguments[index], (), None)
    return None


def _peel(annotation: Any, constraints: tuple[Any, ...], field: FieldInfo | None, *, optional: bool = False) -> Setting:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        flat = [part for item in more for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
        return _peel(inner, (*constraints, *flat), field, optional=optional)
    if origin in (typing.Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        if len(members) == 1:
            return _peel(members[0], constraints, field, optional=True)
    return Setting(annotation, constraints, optional, field)


def bound(setting: Setting, *names: str) -> Any:
    """The first of these constraints that the setting has (``ge``, ``le``, ``min_length``, …), or None."""
    for constraint in setting.constraints:
        for name in names:
            value = getattr(constraint, name, None)
            if value is not None:
                return value
    return None


def type_name(setting: Setting) -> Text:
    """The kind of value in a word."""
    kind = setting.kind
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return Text("选项", "choice")
    if is_model(kind) or get_origin(kind) is dict:
        return Text("一段", "section")
    if get_origin(kind) in (list, tuple):
        return Text("列表", "list")
    return {
        bool: both("true | false"),
        int: Text("整数", "whole number"),
        float: Text("数字", "number"),
        str: Text("文字", "text"),
    }.get(kind, both(str(kind)))


def allowed(setting: Setting, key: str = "") -> Text:
    """What the setting accepts, in words: kind, bounds and the unit of ``key``."""
    kind = setting.kind
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return both(" | ".join(str(member.value) for member in kind))
    if is_model(kind):
        return both("{" + ", ".join(kind.model_fields) + "}")
    text = type_name(setting)
    pattern = next((c.pattern for c in setting.constraints if isinstance(c, StringConstraints) and c.pattern), None)
    if pattern is not None:
        known = _PATTERNS.get(str(pattern))
        return known if known is not None else both(str(pattern))
    if kind in (int, float):
        text = _join(text, both(_range(bound(setting, "ge", "gt"), bound(setting, "le"), bound(setting, "lt"))))
        unit = unit_of(key)
        if unit is not None:
            text = Text(f"{text.zh}({unit.zh})", f"{text.en} ({unit.en})")
    elif get_origin(kind) in (list, dict) or kind is str:
        least, most = bound(setting, "min_length"), bound(setting, "max_length")
        size = _range(least, most, None)
        if size:
            counted = (
                Text(f"{size} 个字", f"of {size} characters") if kind is str else Text(f"{size} 项", f"of {size} items")
            )
            text = _join(text, counted)
        if get_origin(kind) is dict:
            text = _join(text, Text(f"键:{ID_TEXT.zh}", f"keys: {ID_TEXT.en}"), sep=Text(";", "; "))
    elif get_origin(kind) is tuple:
        text = Text("[x, y],各 0 … 1", "[x, y], each 0 … 1")
    return text


def _range(least: Any, most: Any, below: Any) -> str:
    if most is None and below is not None:
        return f"{_number(least)} … < {_number(below)}" if least is not None else f"< {_number(below)}"
    if least is not None and most is not None:
        return f"{_number(least)} … {_number(most)}"
    if least is not None:
        return f"≥ {_number(least)}"
    return f"≤ {_number(most)}" if most is not None else ""


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _join(first: Text, second: Text, sep: Text = both(" ")) -> Text:  # noqa: B008 - a frozen value
    if not second.en:
        return first
    return Text(first.zh + sep.zh + second.zh, first.en + sep.en + second.en)


_OPTION_WORDS = (("str", "文字", "text"), ("int", "整数", "whole number"), ("float", "数字", "number"))


def option_allowed(row: Mapping[str, Any]) -> Text:
    """The same for a driver's option: ``row`` is one of hal.options.describe."""
    zh = en = str(row["allowed"])
    for word, word_zh, word_en in _OPTION_WORDS:
        if en.split(" ")[0] == word:
            zh, en = zh.replace(word, word_zh, 1), en.replace(word, word_en, 1)
            break
    zh = zh.replace(" matching ", ",格式 ")
    unit = unit_of(str(row["name"]))
    zh, en = (f"{zh}({unit.zh})", f"{en} ({unit.en})") if unit is not None else (zh, en)
    return Text(f"{zh}——{row['zh']}", f"{en} - {row['en']}")
