"""How fast one change reaches every node of a county: ``python -m tools.county.simulate.measure`` prints JSON lines.

A county of ten groups; everything runs on this machine: the broker, the bridge and the provision of each node, mutual
TLS, every file on a disk with its sync. The clock runs from the first bundle handed to the broker to the last
``config/reported`` that confirms it, with no time on trial. Invariants: what a node did is counted from what it
reported and from the bytes that its bridge got; a node that did not confirm in ``LOST_S`` is lost, and no time is
claimed then.
"""

import argparse
import math
import pathlib
import sys
import tempfile
from collections.abc import Callable
from typing import Final

from device.provisioning.verify import Target
from device.provisioning.wave import everyone
from device.supervisor import PAUSE_MAX_S
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from tools.bench.figures import Figure, Reading
from tools.bench.printing import printed
from tools.county.desk import now
from tools.county.simulate.county import County, make
from tools.county.simulate.fleet import Fleet
from tools.county.trust import issue
from tools.county.trust import repository as trust

NODES: Final = 1000
GROUPS: Final = 10
LOST_S: Final = 180.0
ONLINE_S: Final = 300.0
QUIET_S: Final = 20.0

FIGURES = (
    Figure(
        "fleet_change_s",
        "s",
        60,
        NODES,
        "改一个值:发布到最后一个节点确认",
        "a change: published to last node confirmed",
    ),
    Figure("fleet_lost", "nodes", 0, NODES, "没有确认的节点", "nodes that did not confirm it"),
    Figure("fleet_rate", "nodes/s", None, 1, "每秒确认的节点", "nodes that confirm in a second"),
    Figure(
        "fleet_change_cpu_ms", "ms", None, 1, "同上,每个节点的 CPU(含连接)", "the same, CPU a node, connection included"
    ),
    Figure("fleet_change_bytes", "B", 4000, NODES, "每个节点收到的字节(最多的)", "bytes a node was sent, the most"),
    Figure(
        "fleet_quiet_bytes",
        "B",
        0,
        NODES,
        "没有改动时,全部节点收到的字节",
        "bytes all nodes were sent while nothing changed",
    ),
    Figure(
        "fleet_quiet_cpu_ms", "ms/s", None, 1, "没有改动时,每个节点的 CPU", "CPU a node a second while nothing changes"
    ),
    Figure("fleet_memory_mb", "MB", None, 1, "全部工作进程内存峰值之和", "peak memory of all workers together"),
    Figure("fleet_online_s", "s", None, 1, "全部节点开机到上线", "all nodes from power to online"),
)


def measure(folder: pathlib.Path, nodes: int) -> dict[str, Reading]:
    """Every figure by name."""
    county = make(folder, nodes, min(GROUPS, nodes))
    start_ns = SYSTEM_CLOCK.monotonic_ns()
    with Fleet(county) as fleet:
        if not fleet.wait_online(ONLINE_S):
            raise RuntimeError(f"{nodes - len(fleet.desk.online())} nodes did not connect; see {folder}/worker-*.log")
        online_s = _since_s(start_ns)
        _change(fleet, county, 4)  # the county's first word; what is measured is a change of a fleet at work
        SYSTEM_CLOCK.sleep_s(PAUSE_MAX_S)
        before = fleet.account()
        SYSTEM_CLOCK.sleep_s(QUIET_S)
        quiet = fleet.account()
        change_s, confirmed = _change(fleet, county, 5)
        after = fleet.account()
    got = [after["nodes"][node][1] - quiet["nodes"][node][1] for node in county.group_of]
    idle = sum(quiet["nodes"][node][1] - before["nodes"][node][1] for node in county.group_of)
    return {
        "fleet_change_s": Reading(change_s if confirmed == nodes else math.inf, nodes),
        "fleet_lost": Reading(nodes - confirmed, nodes),
        "fleet_rate": Reading(confirmed / change_s, nodes),
        "fleet_change_cpu_ms": Reading((after["cpu_s"] - quiet["cpu_s"]) / nodes * 1000, nodes),
        "fleet_change_bytes": Reading(max(got), nodes),
        "fleet_quiet_bytes": Reading(idle, nodes),
        "fleet_quiet_cpu_ms": Reading((quiet["cpu_s"] - before["cpu_s"]) / nodes / QUIET_S * 1000, nodes),
        "fleet_memory_mb": Reading(after["peak_mb"], nodes),
        "fleet_online_s": Reading(online_s, nodes),
    }


def _change(fleet: Fleet, county: County, hold_s: int) -> tuple[float, int]:
    """Signs and publishes a hold for every group: (seconds from publish to the last that confirmed, how many did)."""
    version, bundles = signed(county, f"policy: {{hold_s: {hold_s}}}\n")
    start_ns = SYSTEM_CLOCK.monotonic_ns()
    fleet.publish(bundles)
    wanted = len(county.group_of)
    fleet.desk.wait(lambda: len(fleet.desk.confirmed(version)) == wanted, LOST_S)
    confirmed = fleet.desk.confirmed(version)
    last_ns = max((fleet.desk.words[node].at_ns for node in confirmed), default=start_ns)
    return (last_ns - start_ns) / NS_PER_S, len(confirmed)


def signed(county: County, text: str, *, trial_s: int = 0) -> tuple[int, dict[str, bytes]]:
    """One text for every node of every group: (the county's version, group -> bundle)."""
    with trust.locked(county.repository):
        made, ring = trust.load(county.repository), county.ring()
        for group in county.groups:
            target = Target(text, everyone(trial_s=trial_s))
            made = issue.sign_group(made, group, {"group.yaml": target}, ring, now())
        trust.save(county.repository, made)
    return made.timestamp.version, {group: trust.bundle_of(made, group) for group in county.groups}


def _since_s(start_ns: int) -> float:
    return (SYSTEM_CLOCK.monotonic_ns() - start_ns) / NS_PER_S


def in_a_folder(measured: Callable[[pathlib.Path, int], dict[str, Reading]], nodes: int = NODES) -> dict[str, Reading]:
    """What is measured of a county of so many nodes, in a folder that goes."""
    with tempfile.TemporaryDirectory(prefix="sentinel-fleet-") as name:
        return measured(pathlib.Path(name) / "county", nodes)


def nodes_asked_for(module: str, about: str | None) -> int:
    """``--nodes`` of a command that measures a fleet."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--nodes", type=int, default=NODES)
    return int(parser.parse_args().nodes)


def main() -> int:
    """Entry point; exit 1 where a bar is missed."""
    return printed(FIGURES, in_a_folder(measure, nodes_asked_for("tools.county.simulate.measure", __doc__)))


if __name__ == "__main__":
    sys.exit(main())
