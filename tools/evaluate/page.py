"""The figures as a text table for people, and as a section of ``docs/evidence.md``. Pure.

Invariant: both say how many recordings, which seeds and what else the machine was doing, so that a reader can judge.
"""

from collections.abc import Mapping, Sequence

from tools.bench.figures import as_json
from tools.evaluate.figures import BY_NAME
from tools.evaluate.tally import Tally, Unit, side

SECTION, FRESH_SECTION = "evaluate", "evaluate-fresh"
"""The fixed plan, and what was last run by hand with fresh seeds: each command writes its own."""

WORST = 12

UNITS: Mapping[str, tuple[str, str]] = {
    "node": ("本节点", "this node"),
    "distance": ("距离触发:100 米内亮,5 秒后灭", "distance trigger: on within 100 m, off after 5 s"),
    "bare": ("原始帧时距阈值,0.5 秒后灭", "bare threshold on raw frames, off after 0.5 s"),
    "bare_held": ("同上,保持 3 秒", "the same with our hold of 3 s"),
}
WEATHERS = {"clean": "晴 / clean", "faults": "丢帧遮挡虚警 / faults", "rain": "持续风雨 / rain"}

NOTES = """**怎么判 / How it is judged.** 判定者只看真值、站点文件和节点回放输出的行,不导入节点的跟踪、决策代码。
进入时距或视距后宽限 0.5 秒,时距与保持各容 ±0.3 秒;一个道路使用者算一次通过,任何一个面灭着就算一次。
The judge sees the truth, the site file and the lines that the node's replay printed; it imports none of the node's
tracking and decision. Grace 0.5 s after entering horizon or reach, ±0.3 s on horizon and hold; a road user is one
passage, dark if any face was. Whom no sensor could see (hidden, outshone, too slow for Doppler) obliges nobody.

- **到达遇亮灯 / arrivals**:离灯 20 米时。限值按保持时间算正当来比:规则要求灯在原因消失后再亮 3 秒,守规则的节点
  无法避免;严格值一并列出。主路面在无在位传感器时按“有人”算,同样依规则。
  At 20 m from the lamp. Held against the bar: the hold counted as legitimate, since the rule demands 3 s of light after
  the cause has gone and no node that keeps it could do without; the strict value stands beside it. A main face without
  a presence sensor counts presence as given, by the same rule.
- **冲突 / conflicts**:SUMO 的 SSM 判定(PET < 3 秒或 TTC < 1.5 秒),双方来向冲突且事前可见;支路一方越线时或最迟冲突开始
  时,其面须为警报。越线时另一方不在间隙之内(早已停在路口内,或还在远处)的另计。
  SUMO's SSM device (PET < 3 s or TTC < 1.5 s), on approaches that conflict, both seen before; the crossing user's face
  must be alert when it leaves the line or at the latest when the conflict begins. Apart: the other was
  not within its gap when it left the line, because one of them stood inside the junction or was still far off.
- **对手 / rivals**:同一录制的原始雷达帧(真解码器),只比装了雷达的支路面。标为远离的目标不算。
  The same recordings' raw radar frames through the real decoders, on branch faces with radars. Targets flagged
  receding never count.
"""


def table(lines: Sequence[Mapping[str, object]]) -> str:
    """The figures in columns."""
    rows = [f"{'指标 / figure':<38} {'值 / value':>10} {'':<3} {'限 / bar':>9}"]
    for line in lines:
        figure = BY_NAME[str(line["name"])]
        bar = "" if figure.bar is None else f"{'≥' if figure.at_least else '≤'} {figure.bar:g}"
        rows.append(
            f"{_mark(line['ok'])} {figure.name:<36} {_number(line['value']):>10} {figure.unit:<3} {bar:>9}  "
            f"{figure.zh} / {figure.en}"
        )
    return "\n".join(rows)


def side_by_side(tallies: Sequence[Tally]) -> str:
    """Ours and the rivals by weather, as a Markdown table."""
    rows = [
        "| 天气 / weather | 装置 / unit | 通过 / passages | 灭灯通过 / dark | 灭灯时刻 / dark moments "
        "| 灭灯秒 / dark s | 无因亮 / needless s | % |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for weather, words in WEATHERS.items():
        mine = [one for one in tallies if one.weather == weather]
        for name, (zh, en) in UNITS.items():
            unit = side(mine, name)
            if unit.passages:
                rows.append(f"| {words} | {zh} / {en} | {_unit(unit)} |")
    return "\n".join(rows)


def worst(tallies: Sequence[Tally], what: str, limit: int = WORST) -> list[str]:
    """The worst findings of a kind, in words that lead back to them."""
    found = sorted(
        ((-finding.size_s, tally.recording, finding) for tally in tallies for finding in tally.findings),
        key=lambda one: (one[0], one[1], one[2].from_s),
    )
    mine = [(recording, finding) for _, recording, finding in found if finding.what == what]
    return [f"{recording}: {finding.text()}" for recording, finding in mine[:limit]]


def section(
    lines: Sequence[Mapping[str, object]], tallies: Sequence[Tally], *, command: str, took_min: float, load: str
) -> str:
    """The section of ``docs/evidence.md`` on the fixed plan."""
    return "\n".join(
        [
            "## 警示是否恰当 / Whether the warning is right",
            "",
            *_figures(lines, tallies, command, took_min, load),
            "",
            NOTES.strip(),
            "",
            "```",
            *(as_json(line) for line in lines),
            "```",
        ]
    )


def fresh_section(
    lines: Sequence[Mapping[str, object]], tallies: Sequence[Tally], *, command: str, took_min: float, load: str
) -> str:
    """The section on fresh seeds, judged in the same way."""
    title = "## 同上,另选种子,更多通过 / The same with fresh seeds and more passages"
    return "\n".join([title, "", *_figures(lines, tallies, command, took_min, load)])


def _figures(
    lines: Sequence[Mapping[str, object]], tallies: Sequence[Tally], command: str, took_min: float, load: str
) -> list[str]:
    hours = sum(one.duration_s for one in tallies) / 3600
    return [
        "此节由 `make evaluate` 生成,请勿手改。 This section is written by `make evaluate`; do not edit it.",
        "",
        f"- 命令 / command: `{command}`",
        f"- 录制 / recordings: {len(tallies)}, {hours:.1f} h ({_scenes(tallies)})",
        f"- 用时 / took: {took_min:.0f} min; 其他负载 / load average at the timed figures: {load}",
        "",
        "| 名称 / name | 值 / value | 单位 / unit | 限值 / bar | 合格 / ok | 含义 / what |",
        "|---|---:|---|---:|:-:|---|",
        *(_row(line) for line in lines),
        "",
        "**并排 / Side by side**",
        "",
        side_by_side(tallies),
    ]


def _row(line: Mapping[str, object]) -> str:
    figure = BY_NAME[str(line["name"])]
    bar = "" if figure.bar is None else f"{'≥' if figure.at_least else '≤'} {figure.bar:g}"
    mark = _mark(line["ok"]).strip()
    return (
        f"| `{figure.name}` | {_number(line['value'])} | {figure.unit} | {bar} | {mark} | {figure.zh} / {figure.en} |"
    )


def _unit(unit: Unit) -> str:
    return (
        f"{unit.passages} | {unit.dark_passages} ({unit.dark_pct:.2f} %) | {unit.dark_moments} | {unit.dark_s:.1f} | "
        f"{unit.needless_s:.1f} | {unit.needless_pct:.2f}"
    )


def _scenes(tallies: Sequence[Tally]) -> str:
    junctions = sorted({one.recording.split("-")[0] for one in tallies})
    fittings = sorted({one.fitting for one in tallies})
    return f"{', '.join(junctions)}; {', '.join(fittings)}"


def _mark(ok: object) -> str:
    return "✓" if ok is True else "✗" if ok is False else " "


def _number(value: object) -> str:
    return "—" if value is None else f"{value:g}" if isinstance(value, int) else f"{value:.3f}"
