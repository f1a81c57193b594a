"""The figures of ``make evaluate``: names, bars, and what the tallies make of them. Pure.

Invariants: a line has exactly the keys of the contract (``name, value, unit, bar, ok``); ``ok`` is null where there is
no bar; a bar says by its figure whether it is the most or the least allowed; nothing counted is not ok.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from tools.evaluate.encounters import wilson_pct
from tools.evaluate.tally import Tally, arrived, side, together

Value = float | int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One line. ``at_least``: the bar is the least allowed, not the most."""

    name: str
    unit: str
    bar: float | None
    zh: str
    en: str
    at_least: bool = False


FIGURES: tuple[Figure, ...] = (
    Figure("evaluate_passages", "", 3000, "判定的通过次数(各天气合计)", "passages judged, all weathers", at_least=True),
    Figure(
        "evaluate_dark_clean", "", 0, "晴:在视距与时距内遇到灭灯的", "clean: met a dark face inside reach and horizon"
    ),
    Figure(
        "evaluate_dark_faults_pct", "%", 0.02, "一成丢帧、遮挡、虚警:同上", "10 % dropouts, occlusion, ghosts: the same"
    ),
    Figure("evaluate_dark_rain_pct", "%", None, "持续风雨:同上", "sustained rain and wind: the same"),
    Figure(
        "evaluate_warned_in_time_pct",
        "%",
        99.9,
        "提前量达到 min(时距, 视距÷速度) − 0.5 秒(晴与丢帧)",
        "warned at >= min(horizon, reach / speed) - 0.5 s (clean and faults)",
        at_least=True,
    ),
    Figure(
        "evaluate_needless_clean_pct",
        "%",
        0.1,
        "晴:应灭时间里无因亮灯",
        "clean: lit with no cause, of the time to be dark",
    ),
    Figure(
        "evaluate_needless_faults_pct",
        "%",
        0.5,
        "单帧虚警、抖动、丢帧:同上",
        "single-frame ghosts, jitter, dropouts: the same",
    ),
    Figure("evaluate_needless_rain_pct", "%", 3, "持续风雨:同上", "sustained rain and wind: the same"),
    Figure(
        "evaluate_conflicts",
        "",
        1000,
        "SUMO 判定的冲突(双方事前可见)",
        "SUMO's conflicts, both seen before",
        at_least=True,
    ),
    Figure(
        "evaluate_alerted_pct",
        "%",
        99.5,
        "冲突开始前已警报",
        "alert before the conflict began, on the crossing user's face",
        at_least=True,
    ),
    Figure("evaluate_alerted_low_pct", "%", None, "同上,95 % 区间下限", "the same, 95 % interval (Wilson), lower end"),
    Figure("evaluate_alerted_high_pct", "%", None, "同上,95 % 区间上限", "the same, upper end"),
    Figure(
        "evaluate_alerted_all_pct",
        "%",
        None,
        "同上,连同另计的冲突",
        "the same with the conflicts that are counted apart",
    ),
    Figure("evaluate_alerted_main_pct", "%", None, "同上,主路一方的面", "the same on the main road user's face"),
    Figure(
        "evaluate_conflicts_inside",
        "",
        None,
        "另计:越线时另一方不在间隙之内的冲突",
        "counted apart: when one crossed its line the other was not within its gap (inside the junction, or far off)",
    ),
    Figure(
        "evaluate_arrivals_lit_for_nobody_pct",
        "%",
        5,
        "到达者遇到亮灯而无人来(保持时间算正当)",
        "own arrivals that met a lit face with nobody coming, the hold counted as legitimate",
    ),
    Figure(
        "evaluate_arrivals_strict_pct",
        "%",
        None,
        "同上,保持时间不算",
        "the same strictly: nobody inside the horizon at that moment",
    ),
    Figure("evaluate_arrivals_strict_branch_pct", "%", None, "同上,仅支路面", "the same, branch faces only"),
    Figure("evaluate_fault_s", "s", 0, "故障时间", "fault time"),
    Figure("evaluate_hold_cut_short", "", None, "保持不足 2.7 秒的次数", "holds of less than 2.7 s"),
    Figure(
        "evaluate_step_p99_ms",
        "ms",
        0.2,
        "20 条航迹时决策一步,第 99 百分位",
        "Pipeline.step with 20 tracks of two radars, 99th percentile",
    ),
    Figure(
        "evaluate_step_merged_p99_ms",
        "ms",
        None,
        "同上,支路上再有一台摄像机看见三个人车",
        "the same with a camera on the branch that sees three road users",
    ),
    Figure(
        "evaluate_replay_ratio",
        "x",
        200,
        "仅雷达录制的回放倍速",
        "replay of a radar-only recording, times real time",
        at_least=True,
    ),
    Figure(
        "evaluate_config_tells_lead",
        "",
        1,
        "100 米雷达在 80 公里/小时:config check 说明能提前多少、差多少",
        "100 m radar at 80 km/h: config check says what lead it can give and what it cannot",
        at_least=True,
    ),
    Figure(
        "evaluate_wins_dark",
        "",
        1,
        "灭灯时刻:比两个对手都少(晴与丢帧合计)",
        "dark moments: fewer than both rivals (clean and faults together)",
        at_least=True,
    ),
    Figure(
        "evaluate_wins_needless",
        "",
        1,
        "无因亮灯:比两个对手都少(晴与丢帧合计)",
        "needless seconds: fewer than both rivals (clean and faults together)",
        at_least=True,
    ),
)
BY_NAME: Mapping[str, Figure] = {figure.name: figure for figure in FIGURES}

RIVALS = ("distance", "bare")
"""Those that the bar names; ``bare_held`` is told beside them."""

COUNTS = frozenset({"evaluate_passages", "evaluate_conflicts", "evaluate_wins_dark", "evaluate_wins_needless"})
"""What only a whole run can reach."""


def judged(figure: Figure, value: Value) -> dict[str, object]:
    """The line of one figure."""
    ok: bool | None
    if figure.bar is None:
        ok = None
    elif value is None:
        ok = False
    else:
        ok = value >= figure.bar if figure.at_least else value <= figure.bar
    rounded = round(value, 4) if isinstance(value, float) else value
    return {"name": figure.name, "value": rounded, "unit": figure.unit, "bar": figure.bar, "ok": ok}


def lines(
    tallies: Sequence[Tally], measured: Mapping[str, Value], *, partial: bool = False
) -> Iterator[dict[str, object]]:
    """Every figure, in the order of the table; ``measured`` holds what is not in the tallies. A ``partial`` run says
    nothing of what it did not count."""
    values = {**of_tallies(tallies), **measured}
    for figure in FIGURES:
        if figure.name in values:
            line = judged(figure, values[figure.name])
            silent = partial and (line["value"] is None or figure.name in COUNTS)
            yield {**line, "ok": None} if silent else line


def of_tallies(tallies: Sequence[Tally]) -> dict[str, Value]:
    """What the recordings add up to."""
    by_weather = {
        weather: [one for one in tallies if one.weather == weather] for weather in ("clean", "faults", "rain")
    }
    unit = {weather: together(weather, (one.node for one in many)) for weather, many in by_weather.items()}
    fair = by_weather["clean"] + by_weather["faults"]
    leads, late = sum(one.leads for one in fair), sum(one.late for one in fair)
    met, missed = sum(one.met for one in tallies), sum(one.missed for one in tallies)
    every = met + sum(one.inside for one in tallies)
    low, high = wilson_pct(met - missed, met)
    everyone, branch = arrived(tallies, "branch", "main"), arrived(tallies, "branch")
    # A unit that rain keeps lit for good is never dark: there the two are told side by side and not set off.
    ours, *theirs = (side(fair, name) for name in ("node", *RIVALS))
    return {
        "evaluate_passages": sum(one.passages for one in unit.values()),
        "evaluate_dark_clean": unit["clean"].dark_passages if unit["clean"].passages else None,
        "evaluate_dark_clean_as_named": sum(one.named_dark for one in by_weather["clean"]),
        "evaluate_dark_faults_pct": unit["faults"].dark_pct if unit["faults"].passages else None,
        "evaluate_dark_rain_pct": unit["rain"].dark_pct,
        "evaluate_warned_in_time_pct": _pct(leads - late, leads),
        **{
            f"evaluate_needless_{weather}_pct": one.needless_pct if one.idle_s else None
            for weather, one in unit.items()
        },
        **{
            f"evaluate_needless_clean_{road}_pct": together(
                road, (one.roads[road] for one in by_weather["clean"])
            ).needless_pct
            for road in ("branch", "main")
        },
        "evaluate_conflicts": met,
        "evaluate_alerted_pct": _pct(met - missed, met),
        "evaluate_alerted_low_pct": low,
        "evaluate_alerted_high_pct": high,
        "evaluate_alerted_all_pct": _pct(every - sum(one.missed_anyway for one in tallies), every),
        "evaluate_alerted_main_pct": _pct(met - sum(one.main_missed for one in tallies), met),
        "evaluate_conflicts_inside": sum(one.inside for one in tallies),
        "evaluate_arrivals_lit_for_nobody_pct": _pct(everyone.lit_for_nobody, everyone.total),
        "evaluate_arrivals_strict_pct": _pct(everyone.lit_strictly, everyone.total),
        "evaluate_arrivals_strict_branch_pct": _pct(branch.lit_strictly, branch.total),
        "evaluate_fault_s": sum(one.fault_s for one in tallies) if tallies else None,
        "evaluate_hold_cut_short": sum(one.cut_short for one in tallies),
        "evaluate_wins_dark": int(bool(ours.passages) and all(ours.dark_moments < one.dark_moments for one in theirs)),
        "evaluate_wins_needless": int(bool(ours.passages) and all(ours.needless_s < one.needless_s for one in theirs)),
    }


def _pct(good: int, of: int) -> float | None:
    return 100 * good / of if of else None
