"""The figures of `sentinel bench`: names, bars, and what makes a measured value ``ok``. Pure.

Invariants: a line has exactly the keys of the contract (``name, value, unit, bar, ok``); ``ok`` is null where there is
no bar and where fewer samples were taken than the figure asks for (``--quick``), so a short run never claims
anything; what could not be measured has no value and is not ok; a percentile of values that never came is no number.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

NS_PER_MS = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One line of the bench. ``samples`` is how many measurements it takes before ``ok`` may be said; ``at_least``: the
    bar is the least that will do, not the most."""

    name: str
    unit: str
    bar: float | None
    samples: int
    zh: str
    en: str
    at_least: bool = False

    def meets(self, value: float) -> bool | None:
        """Whether a value meets the bar, None where there is none."""
        if self.bar is None:
            return None
        return value >= self.bar if self.at_least else value <= self.bar


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What a measurement gave for one figure; ``value`` may be infinite: it never came."""

    value: float
    samples: int


FIGURES: tuple[Figure, ...] = (
    Figure(
        "radar_to_lamp_p50_ms",
        "ms",
        2,
        10_000,
        "雷达帧末字节写入串口到守护进程应用由它引起的续租,100 Hz",
        "last byte of a radar frame written to the pty to guard applying the renewal it caused, at 100 Hz",
    ),
    Figure("radar_to_lamp_p99_ms", "ms", 10, 10_000, "同上,第 99 百分位", "the same, 99th percentile"),
    Figure("radar_to_lamp_max_ms", "ms", None, 1, "同上,最大值", "the same, maximum"),
    Figure(
        "camera_event_to_lamp_p50_ms",
        "ms",
        None,
        1,
        "行人走进等待区到灯亮(每秒 10 帧,含确认)",
        "a person enters the wait zone to lamp lit (10 pictures a second, confirmation included)",
    ),
    Figure("camera_event_to_lamp_p99_ms", "ms", 500, 100, "同上,第 99 百分位", "the same, 99th percentile"),
    Figure("camera_event_to_lamp_max_ms", "ms", None, 1, "同上,最大值", "the same, maximum"),
    Figure(
        "radar_event_to_lamp_p50_ms",
        "ms",
        None,
        1,
        "车辆进入雷达视野到灯亮(10 Hz,含确认)",
        "a vehicle enters the horizon to lamp lit (10 Hz radar, confirmation included)",
    ),
    Figure("radar_event_to_lamp_p99_ms", "ms", 350, 100, "同上,第 99 百分位", "the same, 99th percentile"),
    Figure("radar_event_to_lamp_max_ms", "ms", None, 1, "同上,最大值", "the same, maximum"),
    Figure("rss_guard_mb", "MB", 28, 60, "守护进程内存(PSS)", "guard, PSS after a minute's work"),
    Figure("rss_core_mb", "MB", 40, 60, "核心进程内存(PSS)", "core, PSS after a minute's work"),
    Figure(
        "rss_vision_mb",
        "MB",
        180,
        60,
        "视觉进程及其采集进程内存(PSS,两路摄像机)",
        "vision and its capture processes, PSS, two cameras",
    ),
    Figure("rss_bridge_mb", "MB", 50, 60, "上报进程内存(PSS)", "bridge, PSS after a minute's work"),
    Figure(
        "radar_to_lamp_edge_p50_ms",
        "ms",
        None,
        1,
        "守护进程收到续租到引脚由灭变亮",
        "renewal taken by guard to pin edge, dark to lit",
    ),
    Figure("radar_to_lamp_edge_max_ms", "ms", 1, 200, "同上,最大值", "the same, maximum"),
    Figure(
        "radar_to_lamp_busy_p99_ms",
        "ms",
        12,
        10_000,
        "雷达到灯,视觉进程内另有空转的 Python 循环",
        "radar to lamp with a busy Python loop inside the vision process",
    ),
    Figure("radar_to_lamp_busy_max_ms", "ms", None, 1, "同上,最大值", "the same, maximum"),
    Figure(
        "core_killed_to_safe_p50_ms",
        "ms",
        None,
        1,
        "杀死核心进程到引脚显示安全闪烁",
        "SIGKILL of core to the safe pattern on the pin",
    ),
    Figure("core_killed_to_safe_p99_ms", "ms", 20, 300, "同上,第 99 百分位", "the same, 99th percentile"),
    Figure("core_killed_to_safe_max_ms", "ms", None, 1, "同上,最大值", "the same, maximum"),
    Figure(
        "core_hung_to_safe_p50_ms",
        "ms",
        None,
        1,
        "核心进程停住到引脚显示安全闪烁",
        "SIGSTOP of core to the safe pattern on the pin",
    ),
    Figure("core_hung_to_safe_p99_ms", "ms", 200, 200, "同上,第 99 百分位", "the same, 99th percentile"),
    Figure("core_hung_to_safe_max_ms", "ms", None, 1, "同上,最大值", "the same, maximum"),
    Figure("start_guard_s", "s", 0.3, 10, "守护进程启动到灯被接管(最慢一次)", "guard started to lamps held, slowest"),
    Figure("start_core_s", "s", 1, 10, "核心进程启动到首次续租(最慢一次)", "core started to first renewal, slowest"),
    Figure(
        "start_vision_s",
        "s",
        5,
        10,
        "视觉进程启动到首个观测(最慢一次)",
        "vision started to first observation, slowest",
    ),
    Figure(
        "vision_overhead_ms_640",
        "ms",
        2,
        300,
        "视觉循环一帧减去裸读取与裸推理,640×360",
        "vision loop a frame less bare read and bare session.run, 640×360",
    ),
    Figure("vision_overhead_ms_720p", "ms", 2, 300, "同上,1280×720", "the same, 1280×720"),
    Figure(
        "vision_beyond_inference_pct",
        "pct",
        20,
        60,
        "视觉(含采集进程)推理以外占一个核的百分比,每路摄像机每秒 10 帧",
        "of one core beside inference, captures included, a camera at 10 pictures a second",
    ),
    Figure(
        "detect_onnxruntime_ms",
        "ms",
        None,
        1,
        "检测一幅 1280×720 画面(一个线程),onnxruntime",
        "detection in a picture of 1280×720, one thread, onnxruntime",
    ),
    Figure("detect_ncnn_ms", "ms", None, 1, "同上,ncnn(装了才测)", "the same, ncnn, where it is installed"),
)
"""In the order in which they are printed."""

BY_NAME: Mapping[str, Figure] = {figure.name: figure for figure in FIGURES}


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that ``share`` (0..1) of the values do not exceed (nearest rank); inf without values."""
    ordered = sorted(values)
    if not ordered:
        return math.inf
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(prefix: str, values_ms: Sequence[float], kinds: Sequence[str] = ("p50", "p99", "max")) -> dict[str, Reading]:
    """Readings ``{prefix}_p50_ms`` and so on."""
    picked = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {f"{prefix}_{kind}_ms": Reading(percentile(values_ms, picked[kind]), len(values_ms)) for kind in kinds}


def judged(figure: Figure, reading: Reading | None) -> dict[str, object]:
    """The line of one figure; ``reading`` None: it could not be measured."""
    value: float | None = None
    ok: bool | None
    if reading is None:
        ok = None if figure.bar is None else False
    else:
        value = round(reading.value, 3) if math.isfinite(reading.value) else None
        ok = None if reading.samples < figure.samples else figure.meets(reading.value)
    return {"name": figure.name, "value": value, "unit": figure.unit, "bar": figure.bar, "ok": ok}


def lines(readings: Mapping[str, Reading | None]) -> Iterator[dict[str, object]]:
    """The lines of what was to be measured, in the order of the table."""
    for figure in FIGURES:
        if figure.name in readings:
            yield judged(figure, readings[figure.name])


def as_json(line: Mapping[str, object]) -> str:
    """One JSON line."""
    return json.dumps(line, allow_nan=False)
