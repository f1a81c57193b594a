"""Every moment of a scenario at which a process may be killed or the power go, and what the node makes of each."""

import contextlib
import dataclasses
import pathlib
import random
import sys
import tempfile
from collections.abc import Iterator

from tools.county.power_cut.calls import Call, TraceError, traced
from tools.county.power_cut.disk import Disk, Sync, Tree
from tools.county.power_cut.node import IN_MEMORY, NODE, Found, Scenario, judged, prepare, put, tree_of

SEED = 20270301

_MEMORY = pathlib.Path("/dev/shm")


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """Files to be judged: ``power`` went after the call ``moment``, or a process was killed before it. ``drawn``: there
    are more at this moment than are looked at."""

    tree: Tree
    power: bool
    moment: str
    drawn: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """A scenario's files before, and the calls that were made."""

    folder: pathlib.Path
    tree: Tree
    calls: list[Call]


@contextlib.contextmanager
def scratch() -> Iterator[pathlib.Path]:
    """A folder for a scenario, in memory where there is such a place: no disk is waited for at the node's thousands of
    syncs, and what is judged is what stands in the files."""
    with tempfile.TemporaryDirectory(prefix="sentinel-power-", dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        yield pathlib.Path(name) / "node"


def trace(folder: pathlib.Path, scenario: Scenario) -> Trace:
    """Runs the real thing once under strace. Raises TraceError: also where the calls, followed, do not end in the files
    that are there, which is how a call that nobody asked for shows."""
    prepare(folder, scenario)
    tree = tree_of(folder)
    command = [sys.executable, "-m", "tools.county.power_cut.work", str(folder / NODE), scenario.how]
    calls = traced(command, folder.with_name(f"{folder.name}.strace"))
    disk = Disk(str(folder), tree)
    for call in calls:
        disk.does(call)
    if disk.tree() != tree_of(folder):
        raise TraceError(f"{scenario.name}: the calls do not lead to the files that are there")
    return Trace(folder, tree, calls)


def states(found: Trace, deaf: frozenset[Sync] = frozenset()) -> Iterator[State]:
    """What there is to judge, each state of the disk once. ``deaf``: syncs that are to do nothing."""
    disk, draw = Disk(str(found.folder), found.tree, deaf=deaf), random.Random(SEED)
    seen: set[frozenset[tuple[str, bytes | None]]] = set()
    for call in found.calls:
        before = disk.tree()
        changed = disk.does(call)
        if changed is None or not changed.startswith(f"{NODE}/"):
            continue  # a sync alone leaves fewer states than there were before it
        moment = f"{call.name} {changed}"
        yield State(before, power=False, moment=moment)
        trees, drawn = disk.states(IN_MEMORY, draw)
        for tree in trees:
            key = frozenset(tree.items())
            if key not in seen:
                seen.add(key)
                yield State(tree, power=True, moment=moment, drawn=drawn)


def verdict(state: State, scenario: Scenario, folder: pathlib.Path) -> Found:
    """Puts a state on a disk and has the node come up with it."""
    put(state.tree, folder)
    return judged(folder, scenario, power=state.power)
