"""``python -m tools.bench.evidence``: runs the whole bench and writes ``docs/evidence.md``, which is never edited.

Invariant: the sections that other commands write stay as they are.
"""

import argparse
import os
import pathlib
import platform
import sys
import time
from collections.abc import Mapping, Sequence

from hal.clock import SYSTEM_CLOCK, iso_utc
from tools.bench.command import failed, run
from tools.bench.figures import BY_NAME, as_json
from tools.bench.marked import PAGE, put, taken

HEAD = """# 证据:实测指标 / Evidence: measured figures

此页由 `make evidence` 生成,请勿手改。单项重测:`sentinel bench --json --only 名称前缀`。
This page is written by `make evidence`; do not edit it. One figure again: `sentinel bench --json --only NAME_PREFIX`.

- 命令 / command: `python -m tools.bench.evidence`
- 日期 / date: {date}
- 主机 / host: {cpus} × {cpu}, {memory_gb:.0f} GB, Linux {kernel}, Python {python}
- 测量期间其他负载 / other load: {load}
- 用时 / took: {minutes:.0f} min

**条件 / Conditions.** 一个完整节点:四台雷达(伪终端)10 Hz,两路摄像机各每秒 10 帧、真实推理,八盏灯(模拟引脚),真实
Mosquitto,上报进程持续补发积压。每个 p99 旁列出最大值。内存为 PSS。
A whole node: four radars on ptys at 10 Hz, two cameras at 10 pictures a second through the real detector, eight lamps
on mock pins, a real Mosquitto, the bridge draining a backlog all the while. A maximum stands beside every p99. Memory
is PSS.

| 名称 / name | 值 / value | 单位 / unit | 限值 / bar | 合格 / ok | 含义 / what |
|---|---:|---|---:|:-:|---|
"""

NOTES = """
## 怎么测 / How it is measured

- **radar_to_lamp**:一台雷达以 100 Hz 报告车流;写入前一刻计时,灯的记录(tap)里首条 `caused_by_ns` 不早于此刻的行为止。
  One radar reports a column of vehicles at 100 Hz; from right before `write` to the first line of the tap whose
  `caused_by_ns` is not older.
- **radar_event / camera_event**:从进入的真实时刻算起,相位随机,含两帧确认。未含:雷达自身处理(厂家未公布,至多一个周期)、
  串口 2.3 ms、曝光。摄像机为回环上的 MJPEG 网络摄像机,画面来自 opencv-doc 的 vtest.avi。
  From the true moment of entering, at a random phase, two frames of confirmation included. Not in it: the radar's own
  processing (unpublished, one period at most), 2.3 ms of UART, exposure. The camera is an MJPEG network camera on
  loopback with pictures made of vtest.avi from opencv-doc.
- **edge**:守护进程收到续租到引脚动作,在守护进程内计时。 Timed inside guard.
- **busy**:视觉进程内加一个空转的 Python 线程。 A spinning Python thread inside the vision process.
- **core_killed / core_hung**:真实核心进程,每次杀死后由监督进程重启;随机时刻,灯处于警报闪烁的暗段,
  到引脚亮起安全闪烁为止。没有缩短任何时限。
  The real core, started anew by the supervisor after every kill; at a random moment in the dark part of the alert's
  flash, until the pin is lit in the safe pattern. No time limit was shortened.
- **start**:三个进程同时启动,取最慢一次;磁盘缓存已热。 All three started at once, the slowest; page cache warm.
- **vision_overhead**:同一画面交替处理,循环全部工作在一个线程上,减去裸读取与裸推理。
  The same picture by turns; all of the loop's work on one thread, less bare read and bare run.

## 原始输出 / Raw output

```
{raw}
```
"""


OTHERS = ("evaluate", "evaluate-fresh", "camera-state", "ota")
"""Sections of the same page that ``tools.evaluate`` and ``tools.camera_state`` write, kept as they are."""


def main() -> int:
    """Entry point: exit 1 when a figure missed its bar; the page is written all the same."""
    argparse.ArgumentParser(prog="python -m tools.bench.evidence", description=__doc__).parse_args()
    load = f"{os.getloadavg()[1]:.1f} (5 min, load average at start)"
    started_s = time.monotonic()
    measured = run("", quick=False)
    PAGE.parent.mkdir(exist_ok=True)
    written = page(measured, load=load, minutes=(time.monotonic() - started_s) / 60)
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    for name in OTHERS:
        kept = taken(before, name)
        written = written if kept is None else put(written, name, kept)
    PAGE.write_text(written, encoding="utf-8")
    for line in measured:
        print(as_json(line))
    return 1 if failed(measured) else 0


def page(measured: Sequence[Mapping[str, object]], *, load: str, minutes: float) -> str:
    """The whole page."""
    head = HEAD.format(
        date=iso_utc(SYSTEM_CLOCK.wall_ns())[:10],
        cpus=len(os.sched_getaffinity(0)),
        cpu=_cpu(),
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        kernel=platform.release(),
        python=platform.python_version(),
        load=load,
        minutes=minutes,
    )
    return head + "".join(_row(line) for line in measured) + NOTES.replace("{raw}", "\n".join(map(as_json, measured)))


def _row(line: Mapping[str, object]) -> str:
    figure = BY_NAME[str(line["name"])]
    value = "—" if line["value"] is None else f"{line['value']:.3f}"
    bar = "" if figure.bar is None else f"{figure.bar:g}"
    says = "✓" if line["ok"] else "" if line["ok"] is None else "✗"
    return f"| `{figure.name}` | {value} | {figure.unit} | {bar} | {says} | {figure.zh} / {figure.en} |\n"


def _cpu() -> str:
    try:
        for text in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = text.partition(":")
            if key.strip() in ("model name", "Model"):
                return value.strip()
    except OSError:
        pass
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
