"""What vision takes of a core beside the network itself, a camera at ten pictures a second.

The processor time of the vision process and its captures at work, less that of the bare network for as many pictures.
``python -m tools.bench.vision_share`` prints the latter, a picture's milliseconds, measured while the node works on:
what a busy machine adds it adds to both.
"""

import json
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Mapping

from hal.clock import NS_PER_MS
from tools.bench.apart import printed
from tools.bench.figures import Reading
from tools.bench.memory import family
from tools.bench.rig import CAMERAS, BenchError, Node
from tools.bench.session import Session

WARM_UP = 5
PICTURES = 100
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def measure(session: Session) -> Mapping[str, Reading]:
    """vision_beyond_inference_pct of the node at work."""
    node = session.node()
    seconds = session.sizes.work_s
    before_s, first, began_ns = _processor_s(node), _pictures(node), time.monotonic_ns()
    each_ms = float(printed("tools.bench.vision_share"))
    node.rest(began_ns + seconds * 1_000_000_000)
    took_s = (time.monotonic_ns() - began_ns) / 1e9
    pictures, used_s = _pictures(node) - first, _processor_s(node) - before_s
    session.note(f"vision: {used_s:.2f} s for {pictures} pictures in {took_s:.1f} s; the network {each_ms:.2f} ms each")
    share_pct = 100 * (used_s - pictures * each_ms / 1000) / took_s / len(CAMERAS)
    return {"vision_beyond_inference_pct": Reading(share_pct, seconds)}


def _processor_s(node: Node) -> float:
    pid = node.supervisor.pid("vision")
    if pid is None:
        raise BenchError(f"vision is not running: {node.log()}")
    return sum(map(processor_s, family(pid)))


def processor_s(pid: int) -> float:
    """The processor time of one process so far, user and system, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _pictures(node: Node) -> int:
    sensors = node.status()["sensors"]
    return sum(int(sensors[name]["counters"]["pictures"]) for name in CAMERAS)


def main() -> int:
    """Entry point."""
    import numpy as np

    from models.onnx_detector import load_detector

    detector = load_detector()
    detector.letterbox.fit(np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8))
    taken_ns = []
    for _ in range(WARM_UP + PICTURES):
        before_ns = time.thread_time_ns()
        detector.run()
        taken_ns.append(time.thread_time_ns() - before_ns)
    print(json.dumps(statistics.median(taken_ns[WARM_UP:]) / NS_PER_MS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
