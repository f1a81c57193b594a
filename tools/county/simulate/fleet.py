"""A fleet that runs: one Mosquitto by the office's configuration, worker processes with the nodes, the office's desk.

Used by ``sentinel-county simulate``, by measurements and by tests. Invariants: nothing of it outlives the process that
started it; what it needs and does not get is said before anything starts.
"""

import contextlib
import json
import math
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from typing import Any, Final

from hal.clock import SYSTEM_CLOCK
from hal.parent import die_with_parent
from tools.county.simulate.behaviour import Behaviour
from tools.county.simulate.core import Ran, ever_ran
from tools.county.simulate.county import County, SimulationError
from tools.county.simulate.node import ran_file
from tools.county.simulate.office import OfficeDesk
from tools.county.simulate.worker import GOODBYE_S, NODES_A_PROCESS, Order
from tools.demo.broker import Broker

FILES_BESIDE: Final = 200
"""Open files of a process beside its connections: libraries, logs, what is being written."""

FILES_A_NODE: Final = 3
"""Of a worker: the socket, and paho's pair that wakes it."""


class Fleet:
    """The nodes of a county, from ``with`` to its end. ``processes``: at least as many as the nodes need.

    Raises SimulationError, BrokerError, OSError.
    """

    def __init__(
        self,
        county: County,
        behaviour: Behaviour | None = None,
        *,
        processes: int | None = None,
        offline_for_s: float | None = None,
    ) -> None:
        self.county = county
        self.behaviour = behaviour or Behaviour()
        nodes = list(county.group_of)
        needed = math.ceil(len(nodes) / NODES_A_PROCESS)
        count = min(len(nodes), max(needed, processes or os.cpu_count() or 1))
        self._orders = [Order(nodes[number::count], self.behaviour, offline_for_s) for number in range(count)]
        self._stack = contextlib.ExitStack()
        self._workers: list[subprocess.Popen[str]] = []
        self._broker: Broker | None = None
        self._desk: OfficeDesk | None = None

    def __enter__(self) -> "Fleet":
        _allow_files(max(len(self.county.group_of), FILES_A_NODE * len(self._orders[0].nodes)) + FILES_BESIDE)
        try:
            self.start_broker()
            self._desk = OfficeDesk(self.county)
            self._stack.callback(self._desk.close)
            for number in range(len(self._orders)):
                self.start_worker(number)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def desk(self) -> OfficeDesk:
        """The office, connected."""
        assert self._desk is not None, "the fleet runs"
        return self._desk

    def stop(self) -> None:
        """Ends everything, the nodes in good order."""
        for worker in self._workers:
            if worker.stdin is not None and worker.poll() is None:
                worker.stdin.close()
        for worker in self._workers:
            try:
                worker.wait(2 * GOODBYE_S)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self._stack.close()
        if self._broker is not None:
            self._broker.close()

    # --- the broker ----------------------------------------------------------------------------------------------

    def start_broker(self) -> None:
        """Starts it (again), by the file that the office wrote."""
        folder = self.county.folder / "mosquitto"
        folder.mkdir(exist_ok=True)
        config = folder / "mosquitto.conf"
        # Started by root it would else become another user, who may not read the keys. What the office wrote is
        # taken word for word.
        config.write_text(f"user root\nlog_dest stderr\ninclude_dir {self.county.broker_folder}\n", encoding="utf-8")
        self._broker = Broker(folder, SYSTEM_CLOCK, port=self.county.port + 1, config=config)

    def kill_broker(self, *, loses_store: bool = False) -> None:
        """As if its machine had lost power, and with it, if asked, everything that was retained."""
        assert self._broker is not None, "the fleet runs"
        self._broker.kill()
        if loses_store:
            shutil.rmtree(self.county.broker_folder / "store", ignore_errors=True)
            (self.county.broker_folder / "store").mkdir()

    # --- workers and nodes ---------------------------------------------------------------------------------------

    @property
    def workers(self) -> list[list[str]]:
        """The nodes of each worker."""
        return [order.nodes for order in self._orders]

    def start_worker(self, number: int) -> None:
        """Starts a worker (again): its nodes have power."""
        order = self._orders[number]
        with self._log(number).open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "tools.county.simulate.worker", str(self.county.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for us; they are told by their pipe
                preexec_fn=die_with_parent,
            )
        self._workers[number : number + 1] = [worker]
        _write(worker, order.as_json())

    def kill_worker(self, number: int) -> None:
        """Its nodes lose power, all at once."""
        self._workers[number].kill()
        self._workers[number].wait()

    def pause_worker(self, number: int, *, on: bool = True) -> None:
        """Its nodes hang: their connections stay and they say nothing."""
        self._workers[number].send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def switch(self, nodes: Iterable[str], *, on: bool) -> None:
        """Switches nodes on or off, in good order."""
        wanted = set(nodes)
        for number, order in enumerate(self._orders):
            if own := sorted(wanted & set(order.nodes)):
                self._ask(number, {"do": "on" if on else "off", "nodes": own})

    def check(self) -> None:
        """Raises SimulationError where a worker has ended by itself."""
        for number, worker in enumerate(self._workers):
            if worker.poll() is not None:
                raise SimulationError("worker_gone", number=number, file=self._log(number))

    def account(self) -> dict[str, Any]:
        """``{"cpu_s", "peak_mb", "nodes": {node: [boots, bytes of bundles]}}`` of all workers together; ``peak_mb`` is
        their sum."""
        said = [self._ask(number, {"do": "account"}) for number in range(len(self._orders))]
        return {
            "cpu_s": sum(one["cpu_s"] for one in said),
            "peak_mb": sum(one["peak_mb"] for one in said),
            "nodes": {name: values for one in said for name, values in one["nodes"].items()},
        }

    def ever_ran(self) -> dict[str, list[Ran]]:
        """Node -> every configuration that its core ever ran, in order, from their files."""
        return {node: ever_ran(ran_file(self.county.folder, node)) for node in self.county.group_of}

    def wait_online(self, timeout_s: float) -> bool:
        """Whether every node that is not meant to be offline connects and says what it runs."""
        wanted = set(self.county.group_of) - self.behaviour.offline
        return self.desk.wait(lambda: wanted <= self.desk.online(), timeout_s)

    def publish(self, bundles: dict[str, bytes]) -> None:
        """Group -> bundle, retained. Raises OSError."""
        self.desk.publish(bundles)

    def _ask(self, number: int, question: dict[str, Any]) -> dict[str, Any]:
        worker = self._workers[number]
        line = ""
        with contextlib.suppress(BrokenPipeError):
            _write(worker, json.dumps(question))
            assert worker.stdout is not None
            line = worker.stdout.readline()
        if not line:
            raise SimulationError("worker_gone", number=number, file=self._log(number))
        found: dict[str, Any] = json.loads(line)
        return found

    def _log(self, number: int) -> pathlib.Path:
        return self.county.folder / f"worker-{number}.log"


def _write(worker: "subprocess.Popen[str]", line: str) -> None:
    assert worker.stdin is not None
    worker.stdin.write(line + "\n")
    worker.stdin.flush()


def _allow_files(wanted: int) -> None:
    """Raises the limit of open files for us and those we start. Raises SimulationError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SimulationError("too_few_files", wanted=wanted, value=hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
