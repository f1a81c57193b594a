"""``python -m tools.county.evidence``: every figure of the county office, and its section of docs/evidence.md.

Invariants: nothing is claimed that was not measured in this run; what could not be measured has no value and is not ok;
the other sections of the page stay as they are. ``--only NAME_PREFIX`` measures the parts that have such a figure and
writes nothing.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hal.clock import NS_PER_S, SYSTEM_CLOCK, iso_utc
from tools.bench.figures import Figure, Reading, as_json, judged
from tools.bench.marked import PAGE, put
from tools.county import check_measure, counted, drain, provision_measure
from tools.county.power_cut import __main__ as power_cut
from tools.county.rollout import measure as rollouts
from tools.county.simulate import measure as fleets
from tools.county.trust import measure as trust

SECTION: Final = "ota"

Part = tuple[Sequence[Figure], Callable[[], Mapping[str, Reading]]]


PARTS: Sequence[Part] = (
    (trust.FIGURES, trust.measure),
    (provision_measure.FIGURES, provision_measure.measure),
    (check_measure.FIGURES, check_measure.measure),
    (power_cut.FIGURES, power_cut.measure),
    (counted.FIGURES, counted.measure),
    (fleets.FIGURES, lambda: fleets.in_a_folder(fleets.measure)),
    (rollouts.FIGURES, lambda: fleets.in_a_folder(rollouts.measure)),
    (drain.FIGURES, drain.measure),
)

HEAD = """## 县里下发配置 / Configuration from the county

此节由 `make evidence-ota` 生成,请勿手改。单项重测:`python -m tools.county.evidence --only 名称前缀`。
This section is written by `make evidence-ota`; do not edit it. One figure again: `--only NAME_PREFIX`.

- 日期 / date: {date}
- 主机 / host: {cpus} CPU,其他负载 / other load: {load:.1f}
- 用时 / took: {minutes:.0f} min

| 名称 / name | 值 / value | 单位 / unit | 限值 / bar | 合格 / ok | 含义 / what |
|---|---:|---|---:|:-:|---|
"""

NOTES = """
**怎么测 / How it is measured.** 模拟车队(`sentinel-county simulate`):每个节点是真实的上报和下发程序、真实文件与同步、
双向 TLS,同一台机器上的一个 Mosquitto;只有核心是扮演的。时间从第一个配置包交给 Mosquitto 算到最后一个节点报告确认。
跑过什么,从核心自己的记录里数。
A simulated fleet: the real bridge and provision of each node, real files with their syncs, mutual TLS, one Mosquitto
on this machine; only core is played. From the first bundle handed to the broker to the last node's own report. Who
ran what is counted from what cores wrote down themselves.

```
{raw}
```
"""


def measure(only: str = "") -> list[dict[str, object]]:
    """The lines of every part that has a figure whose name begins with ``only``."""
    lines: list[dict[str, object]] = []
    for figures, part in PARTS:
        wanted = [figure for figure in figures if figure.name.startswith(only)]
        if not wanted:
            continue
        found: Mapping[str, Reading] = {}
        try:
            found = part()
        except (OSError, RuntimeError) as error:
            print(f"not measured: {', '.join(figure.name for figure in wanted)}: {error}", file=sys.stderr)
        lines += [judged(figure, found.get(figure.name)) for figure in wanted]
        for line in lines[-len(wanted) :]:
            print(as_json(line), flush=True)
    return lines


def section(lines: Sequence[Mapping[str, object]], *, load: float, minutes: float) -> str:
    """The section of the page."""
    by_name = {figure.name: figure for figures, _part in PARTS for figure in figures}
    head = HEAD.format(
        date=iso_utc(SYSTEM_CLOCK.wall_ns())[:10], cpus=len(os.sched_getaffinity(0)), load=load, minutes=minutes
    )
    rows = "".join(_row(by_name[str(line["name"])], line) for line in lines)
    return head + rows + NOTES.format(raw="\n".join(map(as_json, lines)))


def _row(figure: Figure, line: Mapping[str, object]) -> str:
    value = "—" if line["value"] is None else f"{line['value']:g}"
    bar = "" if figure.bar is None else f"{'≥' if figure.at_least else '≤'} {figure.bar:g}"
    says = "✓" if line["ok"] else "" if line["ok"] is None else "✗"
    return f"| `{figure.name}` | {value} | {figure.unit} | {bar} | {says} | {figure.zh} / {figure.en} |\n"


def main() -> int:
    """Entry point; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.county.evidence", description=__doc__)
    parser.add_argument("--only", default="", help="beginning of a figure's name; the page stays as it is")
    only = parser.parse_args().only
    load, start_ns = os.getloadavg()[1], SYSTEM_CLOCK.monotonic_ns()
    lines = measure(only)
    if not only:
        minutes = (SYSTEM_CLOCK.monotonic_ns() - start_ns) / NS_PER_S / 60
        page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(put(page, SECTION, section(lines, load=load, minutes=minutes)), encoding="utf-8")
    return 1 if any(line["ok"] is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
