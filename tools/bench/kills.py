"""Core killed or stopped at a random moment -> the safe pattern on the pin.

It is the real core of the node at work, with vision and bridge beside it, started anew by the supervisor after every
kill. A core that has just started is in fault for ten seconds, but an alert is shown even then and guard accepts it
at once: so a road user on each of two crossing roads makes an alert within a second, and nothing had to be shortened.
The kill comes in the dark part of the alert's flash, so that the safe pattern is an edge of the pin, dark to lit.
"""

import logging
import os
import signal
import time
from collections.abc import Mapping

from hal.clock import NS_PER_MS
from tools.bench.figures import Reading, spread
from tools.bench.rig import BenchError, Node, chance, wait_for
from tools.bench.session import Session
from tools.bench.taps import TapLine
from tools.bench.world import Column

LAMP = "l_branch_a"
WITHIN_S = 30.0
CROSSING = Column(from_m=12, speed_kmh=10, headway_s=2.0)
"""Slow enough on the branch to be there when the next vehicle on the main road is."""


def measure_killed(session: Session) -> Mapping[str, Reading]:
    """core_killed_to_safe_*: SIGKILL; guard sees the socket close."""
    node = session.node(dark=False)
    session.note(f"core killed {session.sizes.kills} times")
    logging.getLogger("device.supervisor").setLevel(logging.ERROR)  # it warns of every end, and these are meant
    _make_alert(node)
    random = chance()
    found = []
    for _ in range(session.sizes.kills):
        _dark_of_alert(node)
        time.sleep(random.random() * 0.1)
        pid = _core(node)
        at_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        found.append((_safe(node).mono_ns - at_ns) / NS_PER_MS)
        child = node.supervisor.children["core"]
        assert child.process is not None
        child.process.wait()
        child.pause_s = 0.0
        wait_for(lambda: node.supervisor.pid("core") is not None, "core runs again", WITHIN_S, node.supervisor.poll)
    return spread("core_killed_to_safe", found)


def measure_hung(session: Session) -> Mapping[str, Reading]:
    """core_hung_to_safe_*: SIGSTOP; the lease runs out."""
    node = session.node(dark=False)
    session.note(f"core stopped {session.sizes.hangs} times")
    _make_alert(node)
    random = chance()
    found = []
    for _ in range(session.sizes.hangs):
        _dark_of_alert(node)
        time.sleep(random.random() * 0.1)
        pid = _core(node)
        at_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGSTOP)
        try:
            found.append((_safe(node).mono_ns - at_ns) / NS_PER_MS)
        finally:
            os.kill(pid, signal.SIGCONT)
    return spread("core_hung_to_safe", found)


def _make_alert(node: Node) -> None:
    node.radars["main_a"].play(Column())
    node.radars["branch_a"].play(CROSSING)


def _core(node: Node) -> int:
    pid = node.supervisor.pid("core")
    if pid is None:
        raise BenchError(f"core is not running: {node.log()}")
    return pid


def _dark_of_alert(node: Node) -> None:
    node.tap.skip()
    if node.tap.until(lambda line: line.lamp == LAMP and line.shows == "alert" and not line.on, WITHIN_S) is None:
        raise BenchError(f"no alert on {LAMP} within {WITHIN_S:.0f} s: {node.log()}")


def _safe(node: Node) -> TapLine:
    safe = node.tap.until(lambda line: line.lamp == LAMP and line.shows == "fault" and line.on, WITHIN_S)
    if safe is None:
        raise BenchError(f"{LAMP} did not show the safe pattern within {WITHIN_S:.0f} s")
    return safe
