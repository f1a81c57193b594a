"""Torn by a kill or a power cut, ever? ``python -m tools.county.power_cut`` prints JSON lines.

Provision takes a bundle from verify to confirm, to its taking back, as the first of its life, and with a restart while
on trial, each once under strace (the package of that name). Then every state that a kill before one of its changes of a
file leaves, and every state that a power cut may leave (``disk``), is put on a disk, and a node comes up with it.
"""

import argparse
import collections
import logging
import sys

from tools.bench.figures import Figure, Reading
from tools.bench.printing import printed
from tools.county.power_cut.disk import Sync
from tools.county.power_cut.measure import scratch, states, trace, verdict
from tools.county.power_cut.node import SCENARIOS

FIGURES = (
    Figure("power_cut_kill_points", "kills", None, 1, "在每次改动文件之前杀死", "killed before each change of a file"),
    Figure(
        "power_cut_states", "states", None, 1, "断电可能留下的不同状态", "different states that a power cut may leave"
    ),
    Figure(
        "power_cut_left_out", "states", 0, 1, "其中只抽样看过的时刻", "moments with more states than were looked at"
    ),
    Figure("power_cut_torn", "states", 0, 1, "文件残缺或节点起不来", "a file is torn or the node does not come up"),
    Figure("power_cut_neither", "states", 0, 1, "跑的既非旧也非新", "what runs is neither the old nor the new"),
    Figure("power_cut_unfinished", "states", 0, 1, "再跑一遍没有到头", "provision, started again, ends otherwise"),
)


def measure(deaf: frozenset[Sync] = frozenset()) -> dict[str, Reading]:
    """Every figure by name; what is wrong goes to stderr. Raises TraceError."""
    counts: collections.Counter[str] = collections.Counter()
    for scenario in SCENARIOS:
        with scratch() as folder:
            for state in states(trace(folder, scenario), deaf):
                counts["states" if state.power else "kill_points"] += 1
                counts["left_out"] += state.drawn
                found = verdict(state, scenario, folder)
                for what in ("torn", "neither", "unfinished"):
                    if (why := getattr(found, what)) is not None:
                        counts[what] += 1
                        print(f"{scenario.name}: {state.moment}: {what}: {why}", file=sys.stderr)
                if deaf and found.wrong:
                    break
    return {figure.name: Reading(counts[figure.name.removeprefix("power_cut_")], 1) for figure in FIGURES}


def main() -> int:
    """Entry point; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.county.power_cut", description=__doc__)
    parser.add_argument(
        "--deaf", choices=[*Sync], help="a sync that does nothing: the figures fail then, at the first state of each"
    )
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # a node says a lot about what it finds
    found = measure(frozenset() if arguments.deaf is None else frozenset({Sync(arguments.deaf)}))
    return printed(FIGURES, found)


if __name__ == "__main__":
    sys.exit(main())
