"""How fast guard switches the pin: renewal taken to pin edge, dark to lit, beside the node at work.

A guard of its own (tools.bench.observed_guard) with one mock lamp, and a lease client that renews every 20 ms through
core's own ``GuardLink``, now clear, now caution. Dark is earned at once here (``clear_after_s`` and ``safe_hold_s`` 0
in this guard's compiled file), or 400 edges would take hours; what is timed does not depend on them.
"""

import contextlib
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

from device import ipc
from device.runtime import GuardLink
from hal.clock import NS_PER_MS, NS_PER_S, SYSTEM_CLOCK
from hal.interfaces import Shows
from tools.bench.figures import Reading, spread
from tools.bench.observed_guard import EDGES, PIN
from tools.bench.rig import memory_folder, wait_for
from tools.bench.session import Session
from tools.bench.taps import Tap

RENEW_S = 0.02
HALF_NS = 60 * NS_PER_MS
"""Lit and dark for three renewals each."""

PATTERN = {"period_s": 10, "lit_pct": 100}
"""Steady: every edge is then one that a renewal made."""


def guard_config(tap: pathlib.Path) -> dict[str, object]:
    """The compiled file of a guard with one mock lamp that earns dark at once."""
    return {
        "lease_cap_ms": 150,
        "safe_hold_s": 0,
        "clear_after_s": 0,
        "patterns": {"caution": PATTERN, "alert": PATTERN, "fault": PATTERN},
        "lamps": {"l": {"driver": "gpio", "options": {"pin": PIN, "pin_factory": "mock", "tap": str(tap)}}},
        "heartbeat": None,
    }


@contextlib.contextmanager
def process(module: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the node on its own, ended at the end."""
    started = subprocess.Popen([sys.executable, "-m", module, *arguments], stderr=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def measure(session: Session) -> Mapping[str, Reading]:
    """radar_to_lamp_edge_*."""
    session.node()
    wanted = session.sizes.edges
    session.note(f"{wanted} edges of a pin")
    with memory_folder() as folder:
        (folder / ipc.GUARD_CONFIG).write_text(json.dumps(guard_config(folder / "tap.jsonl")))
        with process("tools.bench.observed_guard", "--run-dir", str(folder)):
            wait_for((folder / ipc.GUARD_SOCKET).exists, "guard listens", 10)
            link = GuardLink(folder, SYSTEM_CLOCK)
            tap = Tap(folder / "tap.jsonl")
            lit = 0
            deadline_ns = time.monotonic_ns() + wanted * 4 * HALF_NS + 10 * NS_PER_S
            while lit < wanted and time.monotonic_ns() < deadline_ns:
                now_ns = time.monotonic_ns()
                shows = Shows.CAUTION if now_ns // HALF_NS % 2 else Shows.CLEAR
                link.renew({"l": (shows, None)}, 100)
                lit += sum(line.shows == "caution" and line.on for line in tap.news())
                time.sleep(RENEW_S)
            link.close()
        rows = [json.loads(line) for line in (folder / EDGES).read_text().splitlines()]
    edges_ms = [(row["edge_ns"] - row["applied_ns"]) / NS_PER_MS for row in rows if row["on"]]
    return spread("radar_to_lamp_edge", edges_ms, ("p50", "max"))
