"""The reference page of the site file, made from the schema and the drivers' own tables of options.

Invariant: pure text from values; the same input gives the same page, so that a test can say it is up to date.
Drivers' options come in as rows (hal.options.describe), because configs does not import drivers.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from configs import describe
from configs.errors import Text
from configs.schema import SiteConfig

OptionRows = Sequence[Mapping[str, Any]]

KIND_TITLES: Mapping[str, Text] = {
    "radar": Text("雷达驱动", "radar drivers"),
    "camera": Text("摄像机驱动", "camera drivers"),
    "lamp": Text("警示灯驱动", "lamp drivers"),
    "heartbeat": Text("心跳驱动", "heartbeat drivers"),
    "speaker": Text("喇叭驱动", "speaker drivers"),
}

_HEAD = """# 站点文件参考 / Site file reference

由 `python -m tools.build.reference` 从程序生成,请勿手改。
Made from the program by `python -m tools.build.reference`; do not edit.

每一项都带单位;写错、越界、缺单位都会被 `sentinel config check` 指出文件、行号、现在的值和允许的范围。
Every key carries its unit; `sentinel config check` names file, line, value and what is allowed for anything wrong.
示例 / examples: `configs/examples/`.
"""


def page(drivers: Mapping[str, Mapping[str, OptionRows]]) -> str:
    """The page as Markdown. ``drivers``: kind -> driver -> rows of its options."""
    parts = [_HEAD, "## 各段 / Sections\n", _table(_rows(SiteConfig))]
    for name, field in SiteConfig.model_fields.items():
        for path, model, words in _models(name, field):
            if model.model_fields:
                parts += [f"## `{path}` — {words.zh} / {words.en}\n", _table(_rows(model))]
    for kind, table in drivers.items():
        title = KIND_TITLES[kind]
        parts.append(f"## {title.zh} / {title.en}\n")
        for driver, rows in table.items():
            parts += [
                f"### `driver: {driver}`\n",
                _table(map(_option_row, rows)) if rows else "没有选项 / no options\n",
            ]
    return "\n".join(parts)


Row = tuple[str, str, str, str, str]


def _table(rows: Iterable[Row]) -> str:
    head = ["| 键 key | 默认 default | 允许 allowed | 说明 | meaning |", "|---|---|---|---|---|"]
    return "\n".join([*head, *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _rows(model: type[BaseModel]) -> list[Row]:
    rows = []
    for name, field in model.model_fields.items():
        setting = describe.of_field(field)
        allowed = describe.allowed(setting, name)
        accepted = allowed.zh if allowed.zh == allowed.en else f"{allowed.zh}<br>{allowed.en}"
        words = describe.words(field)
        rows.append((f"`{name}`", _default(field), accepted, words.zh, words.en))
    return rows


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "必填 required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or value is None:
        return "—"
    if isinstance(value, BaseModel | dict | list):
        return "见下 below" if value else "—"
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text.strip('"')


def _models(path: str, field: FieldInfo) -> Iterable[tuple[str, type[BaseModel], Text]]:
    """Every model under a field, with the path people would write."""
    setting = describe.of_field(field)
    words = describe.words(field)
    kind, below = setting.kind, path
    while get_origin(kind) in (dict, list, Annotated):
        below += {dict: ".<id>", list: "[n]"}.get(get_origin(kind), "")
        kind = get_args(kind)[0 if get_origin(kind) is Annotated else -1]
    if describe.is_model(kind):
        yield below, kind, words
        for name, inner in kind.model_fields.items():
            yield from _models(f"{below}.{name}", inner)


def _option_row(row: Mapping[str, Any]) -> Row:
    default = "必填 required" if row["required"] else "—" if row["default"] is None else f"`{_plain(row['default'])}`"
    return f"`{row['name']}`", default, str(row["allowed"]), str(row["zh"]), str(row["en"])
