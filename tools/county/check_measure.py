"""What the office waits for: ``python -m tools.county.check_measure`` prints JSON lines.

A county of 1,000 poles in 20 groups, in a folder that goes: the shipped T junction under each pole's own name and with
a reach of its own, so that nothing costly is shared; a patch for the fleet and each group, and for every
fiftieth node one of its own. ``read`` is the files, ``check`` every node's merge, schema, drivers and calibration.
Seconds of processor and of the clock, of one run in a fresh process. ``parse`` is one site file, ``again`` the same
text once more, as a trial on a node asks for it.
"""

import pathlib
import sys
import tempfile
import time

from configs import loader
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from tools.bench.figures import Figure, Reading
from tools.bench.printing import printed
from tools.county.checking import check
from tools.county.folder import GROUPS, NODES, REGISTER, SITES, read

NODE_COUNT, GROUP_COUNT, OWN_PATCH_EVERY = 1000, 20, 50

FIGURES = (
    Figure("config_read_cpu_s", "s", None, 1, "1000 个节点的目录:读文件,CPU", "a folder of 1,000 nodes is read, CPU"),
    Figure("config_check_cpu_s", "s", None, 1, "同上:逐个节点检查,CPU", "the same: every node is checked, CPU"),
    Figure("config_check_wall_s", "s", None, 1, "同上:两步合计,时钟", "both, by the clock"),
    Figure("site_parse_ms", "ms", None, 1, "解析一份站点文件,CPU", "one site file is parsed, CPU"),
    Figure("site_again_ms", "ms", None, 1, "同一份文本再问一次", "the same text is asked for again"),
)

_EXAMPLE = pathlib.Path(__file__).parents[2] / "configs" / "examples" / "t_junction.yaml"


def measure() -> dict[str, Reading]:
    """Every figure by name. Raises RuntimeError where the county that it made is not right."""
    with tempfile.TemporaryDirectory(prefix="sentinel-check-") as name:
        return _measure(pathlib.Path(name))


def _measure(folder: pathlib.Path) -> dict[str, Reading]:
    text = _county(folder)
    began_ns, cpu_s = SYSTEM_CLOCK.monotonic_ns(), time.process_time()
    found, wrong = read(folder)
    read_s = time.process_time() - cpu_s
    told = check(found, wrong)
    check_s = time.process_time() - cpu_s - read_s
    wall_s = (SYSTEM_CLOCK.monotonic_ns() - began_ns) / NS_PER_S
    if not told.is_right or len(told.configs) != NODE_COUNT:
        raise RuntimeError(f"{len(told.configs)} of {NODE_COUNT} nodes are right; first: {told.problems[:1]}")
    parse_ms, again_ms = (_asked_ms(f"{text}# {number}\n") for number in (1, 1))
    values = {
        "config_read_cpu_s": read_s,
        "config_check_cpu_s": check_s,
        "config_check_wall_s": wall_s,
        "site_parse_ms": parse_ms,
        "site_again_ms": again_ms,
    }
    return {name: Reading(value, 1) for name, value in values.items()}


def _asked_ms(text: str) -> float:
    cpu_s = time.process_time()
    loader.parse_yaml(text)
    return (time.process_time() - cpu_s) * 1000


def _county(folder: pathlib.Path) -> str:
    """Writes the folder; the text of a site file that is in it."""
    nodes = [f"n{number:04}" for number in range(1, NODE_COUNT + 1)]
    groups = [f"group_{number:02}" for number in range(GROUP_COUNT)]
    for section in (GROUPS, NODES, SITES):
        (folder / section).mkdir()
    rows = [f"  {node}: {groups[number % GROUP_COUNT]}\n" for number, node in enumerate(nodes)]
    _write(folder / REGISTER, "county: 371500\nnodes:\n" + "".join(rows))
    _write(folder / "fleet.yaml", "voice: {lockout_s: 10}\n")
    for number, group in enumerate(groups):
        _write(folder / GROUPS / f"{group}.yaml", f"policy: {{hold_s: {3 + number % 3}}}\n")
    for node in nodes[::OWN_PATCH_EVERY]:
        _write(folder / NODES / f"{node}.yaml", "policy: {hold_s: 6}\n")
    example = text = _EXAMPLE.read_text(encoding="utf-8")
    for number, node in enumerate(nodes):
        text = example.replace("371500/n0001", f"371500/{node}").replace(
            "reach_m: 100", f"reach_m: {100 + number / 1000}"
        )
        _write(folder / SITES / f"{node}.yaml", text)
    return text


def _write(path: pathlib.Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(printed(FIGURES, measure()))
