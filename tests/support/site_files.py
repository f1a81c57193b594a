"""Small site files for tests of loading, editing and the command line."""

import pathlib

EXAMPLES = sorted((pathlib.Path(__file__).resolve().parents[2] / "configs" / "examples").glob("*.yaml"))

DESK = """\
# 桌面上的丁字路口 / a T junction on a desk
site: {id: 371500/n0009, name: 桌面路口, design_user: truck}
approaches:
  main_east:    {road: main, limit_kmh: 40,   conflicts: [branch_south]}   # aligned by hand
  branch_south: {road: branch, limit_kmh: 30, conflicts: [main_east]}
radars:
  r_east: {driver: ld2451, url: /dev/ttyAMA0, approach: main_east, reach_m: 120}
lamps:
  l_branch: {driver: gpio, pin: 17, pin_factory: mock, faces: [branch_south]}
  l_main:   {driver: gpio, pin: 27, pin_factory: mock, faces: [main_east]}
heartbeat: {driver: gpio, pin: 22, pin_factory: mock}

policy:
  hold_s: 3   # seconds after the cause has gone
  gap_s: {car: 7.5,   truck: 9.5}
voice:
  quiet_hours: {start: "21:00", end: "07:00"}
"""


def write(folder: pathlib.Path, text: str = DESK) -> pathlib.Path:
    """A site file in ``folder``."""
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def with_change(old: str, new: str) -> str:
    """The desk's file with one thing different."""
    assert DESK.count(old) == 1, old
    return DESK.replace(old, new)
