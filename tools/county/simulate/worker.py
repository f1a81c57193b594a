"""A process with some nodes of a fleet: ``python -m tools.county.simulate.worker FOLDER``, driven over its pipes.

The first line of standard input is the order (``Order``), each line after it a question, answered by one line of JSON:
``{"do": "on" | "off", "nodes": [...]}`` or ``{"do": "account"}``. Invariants: it ends when the pipe does, and dies with
its parent; nothing is said of a node here that its own files or its bridge do not say.
"""

import dataclasses
import json
import logging
import pathlib
import queue
import resource
import sys
import threading
from typing import Any, Final

from hal.clock import NS_PER_S, SYSTEM_CLOCK
from tools.county.simulate.behaviour import Ailment, Behaviour
from tools.county.simulate.node import COMPUTING, Node

NODES_A_PROCESS: Final = 250
"""paho waits with select(2), which knows file numbers below 1024, and a connection has three files."""

STACK_BYTES: Final = 512 * 1024
"""Four threads a node: at the system's 8 MB a thousand nodes would reserve 32 GB of addresses."""

LOOK_S: Final = 1.0
_KINDS: Final = ("offline", "slow", "failing")
"""Of a behaviour: sets of nodes."""

GOODBYE_S: Final = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """Which nodes of the county run here, and how they behave. ``offline_for_s``: seconds after which those that are
    offline come; None: when they are told."""

    nodes: list[str]
    behaviour: Behaviour
    offline_for_s: float | None = None

    def as_json(self) -> str:
        """One line."""
        sick = self.behaviour.ill_by
        kinds = {name: sorted(getattr(self.behaviour, name) & set(self.nodes)) for name in _KINDS}
        ill_by = None if sick is None else [sick.path, sick.value]
        return json.dumps({"nodes": self.nodes, "offline_for_s": self.offline_for_s, "ill_by": ill_by, **kinds})

    @staticmethod
    def parse(line: str) -> "Order":
        """The order in a line."""
        said = json.loads(line)
        ill_by = None if said["ill_by"] is None else Ailment(tuple(said["ill_by"][0]), said["ill_by"][1])
        offline, slow, failing = (frozenset(said[name]) for name in _KINDS)
        return Order(said["nodes"], Behaviour(offline, slow, failing, ill_by), said["offline_for_s"])


class Worker:
    """The nodes of one process."""

    def __init__(self, folder: pathlib.Path, order: Order) -> None:
        turns = threading.Semaphore(COMPUTING)
        self._nodes = {name: Node(folder, name, order.behaviour, turns) for name in order.nodes}
        self._away = order.behaviour.offline
        self._back_ns: int | None = None
        if order.offline_for_s is not None:
            self._back_ns = SYSTEM_CLOCK.monotonic_ns() + round(order.offline_for_s * NS_PER_S)
        for name, node in self._nodes.items():
            if name not in self._away:
                node.switch_on()

    def run(self, lines: "queue.SimpleQueue[str]") -> None:
        """Until an empty line, which is the end of the pipe."""
        while True:
            for node in self._nodes.values():
                node.look()
            if self._back_ns is not None and SYSTEM_CLOCK.monotonic_ns() >= self._back_ns:
                self._back_ns = None
                self.answer({"do": "on", "nodes": sorted(self._away & set(self._nodes))})
            try:
                line = lines.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if not line:
                break
            print(json.dumps(self.answer(json.loads(line))), flush=True)
        self.answer({"do": "off", "nodes": list(self._nodes)})
        end_ns = SYSTEM_CLOCK.monotonic_ns() + round(GOODBYE_S * NS_PER_S)
        for node in self._nodes.values():
            node.wait_off(max(0.0, (end_ns - SYSTEM_CLOCK.monotonic_ns()) / NS_PER_S))

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """``account``: CPU seconds of this process, and of each node its boots and the bytes of bundles it got."""
        for name in question.get("nodes", ()):
            node = self._nodes[name]
            if question["do"] == "on":
                node.switch_on()
            else:
                node.switch_off()
        if question["do"] != "account":
            return {}
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "cpu_s": used.ru_utime + used.ru_stime,
            "peak_mb": used.ru_maxrss / 1000,
            "nodes": {name: [node.boots, node.bundle_bytes] for name, node in self._nodes.items()},
        }


def main(folder: pathlib.Path) -> None:
    """Entry of the process."""
    logging.basicConfig(level=logging.WARNING, format="level=%(levelname)s part=%(threadName)s %(message)s")
    threading.stack_size(STACK_BYTES)
    worker = Worker(folder, Order.parse(sys.stdin.readline()))
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        while line := sys.stdin.readline():
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, name="questions", daemon=True).start()
    worker.run(lines)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
