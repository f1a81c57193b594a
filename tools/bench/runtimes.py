"""What one picture costs in each runtime of the detector, by turns on the same picture.

``python -m tools.bench.runtimes PICTURES`` prints one JSON object of milliseconds by runtime, those alone that are
installed; the bench runs it as a process of its own, because no runtime may be loaded where memory is measured.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping

from hal.clock import NS_PER_MS
from tools.bench.apart import printed
from tools.bench.figures import Reading
from tools.bench.session import Session

WARM_UP = 5
SEED = 1
SHAPE = (720, 1280, 3)


def measure(session: Session) -> Mapping[str, Reading]:
    """detect_onnxruntime_ms and, where it is installed, detect_ncnn_ms: medians. The node at work is ended."""
    session.close()
    count = session.sizes.pictures
    session.note(f"the detector's runtimes by turns, {count} pictures of 1280x720")
    found: dict[str, float] = printed("tools.bench.runtimes", str(count))
    return {f"detect_{runtime}_ms": Reading(value_ms, count) for runtime, value_ms in found.items()}


def medians_ms(count: int) -> dict[str, float]:
    """The median time of ``detect`` in each installed runtime."""
    import numpy as np

    from models.errors import ModelError
    from models.runtimes import RUNTIMES, open_detector

    detectors = {}
    for runtime in RUNTIMES:
        try:
            detectors[runtime] = open_detector(runtime)
        except ModelError as error:
            print(f"{runtime}: left out: {error}", file=sys.stderr)
    picture = np.random.default_rng(SEED).integers(0, 255, SHAPE, np.uint8)
    taken_ns: dict[str, list[int]] = {runtime: [] for runtime in detectors}
    for number in range(WARM_UP + count):
        for runtime, detector in detectors.items():
            before_ns = time.perf_counter_ns()
            detector.detect(picture)
            if number >= WARM_UP:
                taken_ns[runtime].append(time.perf_counter_ns() - before_ns)
    return {runtime: statistics.median(values) / NS_PER_MS for runtime, values in taken_ns.items()}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.runtimes", description=__doc__)
    parser.add_argument("pictures", type=int)
    print(json.dumps(medians_ms(parser.parse_args().pictures)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
