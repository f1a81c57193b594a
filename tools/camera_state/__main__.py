"""``python -m tools.camera_state FOLDER``: how soon a camera knows its state, on real footage made worse.

Prints JSON lines {"name", "value", "unit", "bar", "ok"}, and each case on stderr. Exit 0 when every bar is met, 1 when
one is not, 2 without the footage. ``--write`` renews the section of docs/evidence.md.
"""

import argparse
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the vision process has it

from tools.bench.figures import as_json
from tools.bench.marked import PAGE, put
from tools.camera_state import measures
from tools.camera_state.days import HOURS
from tools.camera_state.figures import FIGURES
from tools.camera_state.scenes import NoFootageError, night_views, pole, side_road, street
from tools.camera_state.watched import Watched

SECTION = "camera-state"


def measure(shared: pathlib.Path, hours: float) -> list[dict[str, object]]:
    """All lines. Raises NoFootageError."""
    scenes = [side_road(shared), street(shared), pole(shared)]
    nights = night_views(shared)
    learned = [(scene, Watched(scene).learn()) for scene in scenes]
    calibrated, view = learned[0]
    return [
        *measures.blurred(learned, _note),
        *measures.moved(learned, _note),
        *measures.quiet([scene.small() for scene in scenes], hours, _note),
        *measures.dazzled(nights, calibrated, _note),
        *measures.visibility(calibrated, view, _note),
        *measures.cost(calibrated, view),
    ]


def section(lines: Sequence[Mapping[str, object]], hours: float) -> str:
    """The section of the page."""
    rows = "".join(_row(line) for line in lines)
    raw = "\n".join(map(as_json, lines))
    return f"""## 摄像机知道自己看不看得见 / A camera that knows its state

此节由 `python -m tools.camera_state ../shared --write` 生成,请勿手改。
This section is written by `python -m tools.camera_state ../shared --write`; do not edit it.

| 名称 / name | 值 / value | 单位 / unit | 限值 / bar | 合格 / ok | 含义 / what |
|---|---:|---|---:|:-:|---|
{rows}
**条件 / Conditions.** 两段真实画面(../shared/footage)和一个杆上视角的 68 张(../shared/road_users),用
`tools/camera_state/degraded.py` 变坏,每个合成 {hours:g} 小时;没有真实的雾、雪、移动的影子:能见度误差只对画的雾成立。
Two real clips (../shared/footage) and 68 pictures of a pole camera (../shared/road_users), made worse by
`tools/camera_state/degraded.py`; {hours:g} hours made of each. No real fog, no snow and no shadows that turn: the error
of visibility holds for drawn fog alone.

```
{raw}
```
"""


def _row(line: Mapping[str, object]) -> str:
    figure = FIGURES[str(line["name"])]
    value = "—" if line["value"] is None else f"{line['value']:.3f}"
    bar = "" if figure.bar is None else f"{'≥' if figure.at_least else '≤'} {figure.bar:g}"
    says = "✓" if line["ok"] else "" if line["ok"] is None else "✗"
    return f"| `{line['name']}` | {value} | {figure.unit} | {bar} | {says} | {figure.zh} / {figure.en} |\n"


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tools.camera_state", description=__doc__)
    parser.add_argument("shared", type=pathlib.Path, help="the folder that holds footage/ and road_users/")
    parser.add_argument("--hours", type=float, default=HOURS, help="of each made day (default: a whole one)")
    parser.add_argument("--write", action="store_true", help=f"renew the section of {PAGE.name}")
    args = parser.parse_args()
    try:
        lines = measure(args.shared, args.hours)
    except NoFootageError as error:
        print(error, file=sys.stderr)
        return 2
    for one in lines:
        print(as_json(one))
    if args.write:
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), SECTION, section(lines, args.hours)), encoding="utf-8")
    return 1 if any(one["ok"] is False for one in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
