"""What can be wrong with a site file, as values: a code, where it is, and words for it in Chinese and English.

Invariants: a problem names file, line, path, value and what is allowed as far as each is known; its text exists in
both languages and is chosen by whoever prints it; ``ConfigError`` always carries at least one problem.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """The same words in both languages."""

    zh: str
    en: str

    def of(self, lang: str) -> str:
        """The words in ``zh`` or ``en``; anything else reads English."""
        return self.zh if lang == "zh" else self.en


def both(text: str) -> Text:
    """Words that need no translation (numbers, identifiers)."""
    return Text(text, text)


MESSAGES: Mapping[str, Text] = {
    # the file itself
    "unreadable": Text("文件读不了:{detail}", "the file cannot be read: {detail}"),
    "not_utf8": Text("文件不是 UTF-8 编码", "the file is not UTF-8"),
    "too_big": Text("文件太大", "the file is too big"),
    "too_deep": Text("嵌套太深", "nested too deeply"),
    "syntax": Text("格式写错了:{detail}", "cannot be parsed: {detail}"),
    "tag": Text("不允许 YAML 标签({detail})", "YAML tags are not allowed ({detail})"),
    "anchor": Text("不允许 YAML 锚点和引用(& 和 *),请写全", "YAML anchors and aliases are not allowed: write it out"),
    "directive": Text("不允许 YAML 指令(% 开头的行)", "YAML directives (lines with %) are not allowed"),
    "documents": Text("一个文件只能有一份配置(不要写 ---)", "one file holds one configuration (no second ---)"),
    "duplicate_key": Text(
        "「{key}」写了两次,上一次在第 {first_line} 行", "'{key}' is there twice, first on line {first_line}"
    ),
    "not_finite": Text("不是有限的数", "not a finite number"),
    # keys
    "unknown_key": Text("没有「{key}」这一项", "unknown key '{key}'"),
    "similar_key": Text(
        "没有「{key}」这一项,是不是要写「{suggestion}」", "unknown key '{key}', did you mean '{suggestion}'?"
    ),
    "missing_unit": Text(
        "「{key}」缺少单位,应写「{suggestion}」({unit})", "'{key}' is missing its unit: write '{suggestion}' ({unit})"
    ),
    "missing_key": Text("缺少「{key}」", "'{key}' is missing"),
    "no_such_path": Text("没有这一项", "there is no such setting"),
    "whole_section": Text(
        "这是一整段,请改其中一项,或用 config edit",
        "this is a whole section: set one value inside it, or use config edit",
    ),
    # values
    "out_of_range": Text("超出范围", "out of bounds"),
    "wrong_type": Text("类型不对", "wrong type"),
    "bad_choice": Text("不是可选的值", "not one of the choices"),
    "bad_text": Text("写法不对", "not of the right form"),
    "bad_length": Text("个数或长度不对", "wrong number of items or length"),
    "bad_value": Text("值不对:{detail}", "not allowed: {detail}"),
    "unknown_approach": Text("没有这个来向", "no such approach"),
    "rule": Text("{detail}", "{detail}"),
    # layers
    "site_only": Text(
        "这一项只属于站点层,下发的补丁和临时改动都不能动它;请在现场改站点文件(sentinel config edit 或 apply)",
        "this belongs to the site layer alone, no patch and no temporary change may touch it: change the site file at "
        "the pole (sentinel config edit or apply)",
    ),
    "not_at_site": Text(
        "这个站点没有「{missing}」,补丁只能改已有的,不能新加",
        "this site has no '{missing}': a patch changes what is there and adds nothing",
    ),
    "cannot_compose": Text(
        "{other} 第 {other_line} 行把这一段整个换掉或删掉了,这里又只改其中一部分,合不成一个补丁;请在那里也逐项写",
        "{other}, line {other_line}, replaces or removes this as a whole and this file changes a part of it, which no "
        "single patch can say: write the single values there too",
    ),
    "local_full": Text(
        "现场临时改动太多,请改站点文件(sentinel config edit)",
        "too many values changed by hand: change the site file (sentinel config edit)",
    ),
    "local_damaged": Text(
        "现场临时改动的文件看不懂,这些改动都不算:{detail};请重新 config set",
        "the file of the changes made by hand cannot be understood, none of them counts: {detail}; set them again",
    ),
    # the county's larger files
    "no_county_file": Text(
        "县里给这个分组的文件里没有这个模型", "there is no such model among the county's files for this group"
    ),
    "county_file_missing": Text(
        "县里下发的文件「{name}」不在了,节点会重新下载", "the county's file '{name}' is gone; the node fetches it again"
    ),
    # the office's folder
    "bad_register": Text("登记写法不对,一行应是「节点: 分组」", "not of the form 'node: group'"),
    "no_site_file": Text(
        "登记了这个节点,却没有它的站点文件;检查不了就不能下发",
        "this node is registered and has no site file: what cannot be checked is not sent",
    ),
    "no_group_file": Text("没有这个分组的文件(可以是空的)", "this group has no file (it may be empty)"),
    "stray_file": Text(
        "这个文件不起作用:没有登记这个节点或分组,或者放错了地方",
        "this file does nothing: no such node or group is registered, or it lies in the wrong place",
    ),
    "other_site": Text("这是另一个站点的文件", "this is another site's file"),
    # devices
    "unknown_driver": Text("没有这个驱动", "no such driver"),
    "driver_unavailable": Text("驱动装不上:{detail}", "the driver cannot be loaded: {detail}"),
    "claimed_twice": Text(
        "「{claim}」已被 {other} 占用(第 {other_line} 行),一处只能接一个设备",
        "'{claim}' is already taken by {other} (line {other_line}); one device each",
    ),
    "silent_alone": Text(
        "这种雷达路上没车时不出声也问不到,不能单独照看一个来向",
        "this radar can be neither heard nor polled on an empty road, so it cannot watch an approach alone",
    ),
    "short_lead": Text(
        "要求的提前量给不到:{sensor} 看 {reach_m:g} m,按限速 {limit_kmh:g} km/h 提前 {gives_s:.1f} s"
        "(策略最多用 {horizon_s:.1f} s);要 {need_m:.0f} m 的雷达,或只要求给得到的",
        "this lead cannot be given: {sensor} sees {reach_m:g} m, at {limit_kmh:g} km/h that is {gives_s:.1f} s "
        "(policy uses {horizon_s:.1f} s at most); fit a radar that sees {need_m:.0f} m, or ask for what there is",
    ),
    # warnings
    "short_horizon": Text(
        "看得不够远:{reach_m:g} m,按限速 {limit_kmh:g} km/h 只提前 {gives_s:.1f} s,{face} 要 {wants_s:.1f} s,"
        "差 {short_s:.1f} s;车速 {covers_kmh} km/h 以内够用",
        "sees too short: {reach_m:g} m at {limit_kmh:g} km/h gives {gives_s:.1f} s of the {wants_s:.1f} s that {face} "
        "needs, {short_s:.1f} s short; covers up to {covers_kmh} km/h",
    ),
    "short_widest": Text(
        "{face} 最多要 {wants_s:.1f} s({case}),看得不够远:{reach_m:g} m,按限速 {limit_kmh:g} km/h 只提前 "
        "{gives_s:.1f} s,差 {short_s:.1f} s;车速 {covers_kmh} km/h 以内够用",
        "sees too short for the most that {face} may need ({case}): {reach_m:g} m at {limit_kmh:g} km/h gives "
        "{gives_s:.1f} s of {wants_s:.1f} s, {short_s:.1f} s short; covers up to {covers_kmh} km/h",
    ),
    "unwatched": Text("这个来向没有传感器照看", "no sensor watches this approach"),
    "no_lamp": Text("这个来向没有警示灯", "no lamp shows this approach's face"),
    "no_heartbeat": Text(
        "没有心跳引脚:节点断电或死机时,外部闪光器不会自己接手",
        "no heartbeat pin: an external flasher cannot take over when the node dies",
    ),
    "plain_mqtt": Text("到县平台的连接没有加密", "the connection to the county platform is not encrypted"),
}
"""Code -> what is wrong. Placeholders are the problem's params."""

WARNINGS = frozenset(
    {"short_horizon", "short_widest", "unwatched", "no_lamp", "no_heartbeat", "plain_mqtt", "local_damaged"}
)
"""Codes that are told and not refused."""

LAYERS: Mapping[str, Text] = {
    "site": Text("站点", "site"),
    "group": Text("分组", "group"),
    "node": Text("节点", "node"),
    "local": Text("本地", "local"),
}
"""Layer of a configuration -> its name (configs.layers)."""

_NOTHING = object()
NO_VALUE: Any = _NOTHING
"""A problem that has no value to show (a missing key)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a site file. ``line`` counts from 1; ``path`` is dotted (``radars.r_east.reach_m``);
    ``layer``: which layer brought it, where a configuration has more than one."""

    code: str
    file: str = ""
    line: int | None = None
    path: str = ""
    value: Any = NO_VALUE
    allowed: Text | None = None
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    layer: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether the configuration may still be used."""
        return self.code in WARNINGS

    def message(self, lang: str) -> str:
        """What is wrong, without where."""
        words = {key: value.of(lang) if isinstance(value, Text) else value for key, value in self.params.items()}
        return MESSAGES[self.code].of(lang).format(**words)

    def render(self, lang: str) -> str:
        """One line: file:line: path: what is wrong; the value; what is allowed."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        parts = [self.message(lang)]
        if self.value is not NO_VALUE:
            parts.append(Text("现在的值:{}", "value: {}").of(lang).format(_short(self.value)))
        if self.allowed is not None:
            parts.append(Text("允许:{}", "allowed: {}").of(lang).format(self.allowed.of(lang)))
        if self.layer:
            parts.append(Text("来自{}层", "from the {} layer").of(lang).format(LAYERS[self.layer].of(lang)))
        head = ": ".join(part for part in (place, self.path) if part)
        body = Text(";", "; ").of(lang).join(parts)
        return f"{head}: {body}" if head else body

    def as_json(self, lang: str) -> dict[str, Any]:
        """The problem as plain values."""
        return {
            "code": self.code,
            "severity": "warning" if self.is_warning else "error",
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "value": None if self.value is NO_VALUE else self.value,
            "allowed": None if self.allowed is None else self.allowed.of(lang),
            "message": self.message(lang),
            **({"layer": self.layer} if self.layer else {}),
        }


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "…"


class ConfigError(ValueError):
    """A configuration is refused; ``problems`` holds everything found wrong at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        if not problems:
            raise ValueError("a ConfigError needs at least one problem")
        self.problems = list(problems)
        super().__init__("\n".join(problem.render("en") for problem in self.problems))


class RuleError(ValueError):
    """Raised inside the schema for rules between fields; the loader adds file and lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(problem.render("en") for problem in self.problems))


class CodedError(ValueError):
    """A refusal of one cause: ``code`` names it for programs, ``message`` says it to people in either language."""

    messages: ClassVar[Mapping[str, Text]]

    def __init__(self, code: str, **params: Any) -> None:
        self.code = code
        self.params = params
        super().__init__(self.message("en"))

    def message(self, lang: str) -> str:
        """What is wrong, in ``zh`` or ``en``."""
        return self.messages[self.code].of(lang).format(**self.params)
