"""What a change costs a node: ``python -m tools.county.provision_measure`` prints JSON lines.

A node on a desk with real files finds a bundle in its inbox that changes one value, with no time on trial: verify,
stage, switch, confirm, every sync of it included; core is played and answers at once. ``take`` is one such run in a
process that has its imports, as the thirtieth of a night would be; ``process`` is a process of its own from start to
end, and its peak of memory.
"""

import pathlib
import subprocess
import sys
import tempfile

from device.provisioning.outcome import What
from hal.clock import NS_PER_MS, NS_PER_S, SYSTEM_CLOCK
from tools.bench.figures import Figure, Reading, percentile
from tools.bench.printing import printed
from tools.county.pole import Pole
from tools.county.power_cut.node import NODE, SCENARIOS, prepare

ROUNDS, STARTS = 30, 5

FIGURES = (
    Figure(
        "provision_take_p50_ms",
        "ms",
        100,
        ROUNDS,
        "节点验证、暂存、切换、确认一个改动",
        "the node verifies, stages, switches, confirms",
    ),
    Figure("provision_take_max_ms", "ms", None, 1, "同上,最大值", "the same, maximum"),
    Figure("provision_process_s", "s", None, 1, "同上,连同进程启动", "the same with the start of its process, median"),
    Figure("provision_peak_mb", "MB", 60, STARTS, "同上,进程内存峰值", "the same, peak memory of the process"),
)

_ONCE = """
import pathlib, sys
from tools.county.pole import Pole
print(Pole(pathlib.Path(sys.argv[1])).run().what)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def measure() -> dict[str, Reading]:
    """Every figure by name. Raises RuntimeError where a node does not confirm."""
    takes_ms, starts = [], []
    for number in range(ROUNDS + STARTS):
        with tempfile.TemporaryDirectory(prefix="sentinel-provision-") as name:
            folder = pathlib.Path(name)
            prepare(folder, SCENARIOS[0])
            if number < ROUNDS:
                takes_ms.append(_take_ms(folder / NODE))
            else:
                starts.append(_process(folder / NODE))
    return {
        "provision_take_p50_ms": Reading(percentile(takes_ms, 0.5), len(takes_ms)),
        "provision_take_max_ms": Reading(max(takes_ms), len(takes_ms)),
        "provision_process_s": Reading(percentile([seconds for seconds, _mb in starts], 0.5), len(starts)),
        "provision_peak_mb": Reading(max(mb for _seconds, mb in starts), len(starts)),
    }


def _take_ms(folder: pathlib.Path) -> float:
    pole = Pole(folder)
    start_ns = SYSTEM_CLOCK.monotonic_ns()
    outcome = pole.run()
    took_ms = (SYSTEM_CLOCK.monotonic_ns() - start_ns) / NS_PER_MS
    if outcome is None or outcome.what is not What.CONFIRMED:
        raise RuntimeError(f"the node was to confirm: {outcome}")
    return took_ms


def _process(folder: pathlib.Path) -> tuple[float, float]:
    """Seconds from start to end of a process, and its peak of resident memory in MB."""
    start_ns = SYSTEM_CLOCK.monotonic_ns()
    done = subprocess.run([sys.executable, "-c", _ONCE, str(folder)], check=True, capture_output=True, text=True)
    seconds = (SYSTEM_CLOCK.monotonic_ns() - start_ns) / NS_PER_S
    what, peak_kb = done.stdout.split()
    if what != What.CONFIRMED:
        raise RuntimeError(f"the node was to confirm: {what}")
    return seconds, int(peak_kb) / 1000


if __name__ == "__main__":
    sys.exit(printed(FIGURES, measure()))
