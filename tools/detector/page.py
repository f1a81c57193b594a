"""The answers as tables for people, and as a section of ``models/README.md``. Pure.

Invariant: says beside the figures what they do not show: labels that are missing, cameras that training has seen,
light that no camera of the set saw.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from models.training.teachers import CLASSES
from tools.bench.figures import as_json
from tools.detector import degrade, pace, split
from tools.detector.alarms import Counted
from tools.detector.bars import CLOSE, POLE, Line
from tools.detector.curves import ROUNDS, SEED, Estimate
from tools.detector.looking import CLEAR, GAP_SCORE, IN_WEATHERS, View
from tools.detector.questions import ALL_CAMERAS, GAPS_ASIDE, SEEN_CAMERAS, Answer, Answers, Asked

SECTION = "evaluation"
"""The section of ``models/README.md`` that this command writes; ``candidates`` beside it is kept by hand."""

CARD_SECTION = "figures"
"""The section of the model card that it writes: what whoever has only the installed package should know."""

CARD_NOTE = """由 `{command}` 写入({date}),请勿手改。AP50,同一次运行、同样的图片;杆上只计训练未见的机位,近景不计与
训练集相同的图片;区间、召回率、按大小与光线的数字见源码的 `models/README.md`。
Written by that command; do not edit it. AP50 of one run on the same pictures: pole views of cameras that training never
saw, close views that are not in training either. Intervals, recall, figures by height and light are in
`models/README.md` of the source."""

Alarms = Mapping[tuple[str, str], Counted]

_VIEWS = {
    "pole": "杆上视角 · Pole views (`atl_*`)",
    "close": "近景 · Close views (`hw_*`)",
}

_VIEW_WORDS = {"pole": "杆上 pole", "close": "近景 close"}

_WORDS = {
    "any vehicle": "任意车辆 any vehicle",
    "mean of 5 classes": "五类平均 mean of 5 classes",
    "day": "白天 day",
    "dusk": "昏暗 dusk",
    "night": "很暗 night",
    ALL_CAMERAS: "全部机位 all cameras of val",
    SEEN_CAMERAS: "训练集里也有的机位 cameras in train too",
    GAPS_ASIDE: "漏标处不计 gaps set aside",
    CLEAR: "原图 as it is",
    "rain": "雨 rain",
    "fog": "雾 fog",
}
_WEATHER_WORDS = {**_WORDS, "night": "夜 night"}

NOTES = """**怎么测 / How it is measured.** 所有模型同一次运行、同样的图片;方括号是 95 % 自助法区间(重抽图片 {rounds}
次,种子 {seed},各模型同一批重抽);AP50 为 IoU 0.5、全点;召回率取各模型自己的阈值(教师 0.3);时间是单线程处理器
时间,轮流测。
All models in one run on the same pictures; brackets are 95 % bootstrap intervals (pictures resampled {rounds} times,
seed {seed}, the same draws for all); AP50 at IoU 0.5, every point of the curve; recall at each model's own threshold
(teachers 0.3); ms is processor time of one thread from picture to boxes, by turns.

**这些数字说明不了什么 / What the figures do not show.**

- **漏标 / Gaps in the labels.** 杆上视角没有行人标注(行人只在近景计分),远处的车有漏标:检出它们算误检,故所有模型的 AP 都
  偏低。两位教师都不低于 {gap_score}、标注却没有之处:杆上 {pole_gaps},近景 {close_gaps};“漏标处不计”一行把这些检出放在
  一边(略有利于教师,不作限值)。
  Pole views have no person labels (person is scored on close views alone) and miss some far vehicles: who sees one is
  charged with a false box, so every AP there is too low. Places where both teachers are sure (≥ {gap_score}) and no
  label is: {pole_gaps} on pole views, {close_gaps} on close ones. "Gaps set aside" counts boxes there neither way; that
  favours the teachers a little and is no bar.
- **机位 / Cameras.** `val` 七个机位中三个({seen} 张)训练集里也有:杆上各行只计其余机位(含 {pavement} 张没有车的地面照),
  另有两行给出全部机位与那三个机位。近景中 {twins} 张与训练集相同或镜像,不计。
  Three of the seven cameras of `val` ({seen} pictures) are in `train` too: pole rows are of the others ({pavement} of
  their pictures show bare paving), and two rows tell of all and of those three. {twins} close views that are pictures
  of `train`, as they are or mirrored, are not scored.
- **区间 / Intervals.** 同一机位的图片彼此相似,一处高速路占了一半以上:区间说的是“这些机位的别的图片”,不是“别的机位”。
  Pictures of one camera are alike, and one motorway is more than half of them: the intervals speak of other pictures
  of these cameras, not of other cameras.
- **光线 / Light.** 只看画面(去黑边后的亮度中位数:< 50 很暗,< 70 昏暗)。`val` 的杆上图片都摄于白天,“很暗”的是
  导出时压暗的。
  By the picture alone (median luma without black bars: night < 50, dusk < 70). All pole views of `val` were taken by
  day; those called night were darkened by whoever exported the set.
- **天气 / Weather.** 夜、雨、雾由 `tools/detector/degrade`(`{degrade}`)按光学生成,训练从不使用;是模拟,不是真实天气。
  Night, rain and fog are made by `tools/detector/degrade`, never used in training; simulated, not weather.
- **误报 / False alarms.** 无新来者的段落每种天气只有 {seconds:.0f} 秒:一次误报就是每分钟 {one:.1f} 次,更低的比率无法
  证明。
  The stretches with nothing new are {seconds:.0f} s in each weather: one alarm is {one:.1f} a minute, and a lower rate
  cannot be shown."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Everything that a run found out."""

    models: Sequence[str]
    views: Sequence[View]
    answers: Answers
    times: pace.Times
    alarms: Alarms
    bars: Sequence[Line]


def tables(run: Measured) -> str:
    """All tables, as Markdown."""
    parts = [_overview(run), NOTES.format(**_facts(run))]
    for view in run.views:
        rows = [asked for asked in run.answers if asked.view == view.name]
        clear, weather = [one for one in rows if one.weather == CLEAR], [one for one in rows if one.weather != CLEAR]
        for title, measure in (("AP50", Answer.ap50), ("召回率 recall", Answer.found)):
            parts.append(f"### {_VIEWS[view.name]}: {title}\n\n{_table(run, clear + weather, measure)}")
    parts.append(f"### 误报 · False alarms a minute\n\n{_alarms(run)}")
    return "\n\n".join(parts)


def section(run: Measured, *, command: str, date: str, took_min: float, load: str) -> str:
    """The section of ``models/README.md``."""
    head = (
        f"## 评测 · Evaluation\n\n由 `{command}` 写入,请勿手改。Written by that command; do not edit it. {date}, "
        f"{took_min:.0f} min, load average {load}.\n"
    )
    bars = "\n".join(map(as_json, run.bars))
    return f"{head}\n{tables(run)}\n\n### 限值 · Bars\n\n```\n{bars}\n```"


def card_section(run: Measured, *, command: str, date: str) -> str:
    """The section of the model card: AP50 by class and in each weather, and the bars that are missed."""
    kinds = [
        (f"{_VIEW_WORDS[asked.view]}: {_words(asked)}", asked)
        for asked in run.answers
        if asked.weather == CLEAR and asked.what in (POLE.what, CLOSE.what, *CLASSES)
    ]
    weathers = [
        (f"{_VIEW_WORDS[asked.view]}: {_words(asked)}", asked) for asked in run.answers if asked.weather != CLEAR
    ]
    missed = [f"- `{line['name']}`: {line['value']} ({line['bar']})" for line in run.bars if line["ok"] is False]
    return "\n".join(
        [
            "## 数字 · Figures",
            "",
            CARD_NOTE.format(command=command, date=date),
            "",
            *_plain(run, kinds),
            "",
            *_plain(run, weathers),
            "",
            "未达到的限值(括号内)· Bars that are missed, in brackets:" if missed else "限值全部达到。Every bar is met.",
            "",
            *missed,
        ]
    )


def _plain(run: Measured, columns: Sequence[tuple[str, Asked]]) -> list[str]:
    """A table of AP50 without intervals: a row for each model."""
    lines = [f"| | {' | '.join(words for words, _ in columns)} |", f"|---|{'---|' * len(columns)}"]
    for model in run.models:
        cells = [f"{run.answers[asked][model].ap50().value:.3f}" for _, asked in columns]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return lines


def every_line(run: Measured) -> Iterator[Line]:
    """Every figure with its interval as lines without a bar, then the lines of the bars."""
    for asked, by_model in run.answers.items():
        for model, answer in by_model.items():
            name = _slug(f"{model}_{asked.view}_{asked.weather}_{asked.what}")
            for measure, of in (("ap50", answer.ap50()), ("recall", answer.found())):
                yield _line(f"{name}_{measure}", of.value, measure)
                yield _line(f"{name}_{measure}_low", of.low, measure)
                yield _line(f"{name}_{measure}_high", of.high, measure)
    for model in run.models:
        yield _line(f"{_slug(model)}_ms", pace.median_ms(run.times, model), "ms")
    for (model, weather), counted in run.alarms.items():
        yield _line(_slug(f"{model}_{weather}_false_alarms"), counted.a_minute, "1/min")
    yield from run.bars


def _line(name: str, value: float, unit: str) -> Line:
    rounded = round(value, 4) if math.isfinite(value) else None
    return {"name": name, "value": rounded, "unit": unit, "bar": None, "ok": None}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _facts(run: Measured) -> dict[str, object]:
    pole, close = run.views
    seconds = next(iter(run.alarms.values())).seconds
    return {
        "rounds": ROUNDS,
        "seed": SEED,
        "gap_score": GAP_SCORE,
        "pole_gaps": pole.vehicle_gaps,
        "close_gaps": close.kind_gaps,
        "seen": sum(one.camera in split.IN_TRAIN for one in pole.pictures),
        "pavement": sum(one.camera == "pavement" for one in pole.pictures),
        "twins": len(split.TWINS),
        "degrade": degrade.NAME,
        "seconds": seconds,
        "one": 60 / seconds,
    }


def _overview(run: Measured) -> str:
    rows = [
        "| 模型 model | 杆上任意车辆 pole, any vehicle | 近景五类平均 close, mean of 5 | ms |",
        "|---|---|---|---:|",
    ]
    for model in run.models:
        cells = [_cell(run.answers[asked][model].ap50()) for asked in (POLE, CLOSE)]
        rows.append(f"| {model} | {cells[0]} | {cells[1]} | {pace.median_ms(run.times, model):.1f} |")
    return "\n".join(rows)


def _table(run: Measured, rows: Sequence[Asked], measure: Callable[[Answer], Estimate]) -> str:
    lines = [
        f"| | n | {' | '.join(run.models)} |",
        f"|---|---:|{'---|' * len(run.models)}",
    ]
    for asked in rows:
        by_model = run.answers[asked]
        cells = [_cell(measure(by_model[model])) for model in run.models]
        words = _words(asked)
        lines.append(f"| {words} | {by_model[run.models[0]].labels} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _words(asked: Asked) -> str:
    if asked.weather != CLEAR:
        return _WEATHER_WORDS[asked.weather]
    return _WORDS.get(asked.what, asked.what)


def _cell(value: Estimate) -> str:
    if not math.isfinite(value.value):
        return "–"
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _alarms(run: Measured) -> str:
    lines = ["| 模型 model | " + " | ".join(_WEATHER_WORDS[weather] for weather in IN_WEATHERS) + " |"]
    lines.append("|---|" + "---:|" * len(IN_WEATHERS))
    for model in run.models:
        cells = [f"{run.alarms[model, weather].a_minute:.1f}" for weather in IN_WEATHERS]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines)
