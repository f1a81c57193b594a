"""What each process weighs after a minute's work: PSS, which counts a shared page once over all who share it.

Vision counts with everything it started (its nursery and one capture process a camera). Other programs on the machine
that have the same libraries open make the figure smaller, which is why the bench itself imports none of them.
"""

import pathlib
from collections.abc import Mapping

from tools.bench.figures import Reading
from tools.bench.rig import BenchError
from tools.bench.session import Session

PARTS = ("guard", "core", "vision", "bridge")
_KB_PER_MB = 1000
"""PSS is told in KiB; a MB here is 1000 KiB, as ``free --mega`` has it to 2 %, on the heavy side."""


def measure(session: Session) -> Mapping[str, Reading]:
    """rss_* of the node at work; waits until it has worked long enough."""
    node = session.node()
    work_ns = session.sizes.work_s * 1_000_000_000
    node.rest(node.started_ns + work_ns)
    session.note(f"the bridge has sent {node.received()} messages; cameras: {node.camera_rates()}")
    found = {}
    for part in PARTS:
        pid = node.supervisor.pid(part)
        if pid is None:
            raise BenchError(f"{part} is not running: {node.log()}")
        found[f"rss_{part}_mb"] = Reading(sum(map(pss_kb, family(pid))) / _KB_PER_MB, session.sizes.work_s)
    return found


def family(pid: int) -> list[int]:
    """A process and all that came of it."""
    children = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    found = [pid]
    for listed in children:
        for child in listed.read_text().split():
            found += family(int(child))
    return found


def pss_kb(pid: int) -> int:
    """The proportional set size of a process in KiB. Raises BenchError when the kernel does not tell."""
    try:
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError as error:
        raise BenchError(
            f"/proc/{pid}/smaps_rollup: {error.strerror}; run the bench as the user of the node"
        ) from error
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
