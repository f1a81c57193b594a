"""The radar twins of ``tools.sim`` under the name tests know, and waiting on a condition."""

import time
from collections.abc import Callable

from tools.sim.ld2451_twin import Ld2451Twin, PtyRadar

__all__ = ["DEADLINE_S", "Ld2451Twin", "PtyRadar", "until"]

DEADLINE_S = 10.0
"""How long a test waits for something that must happen."""


def until(condition: Callable[[], object], what: str = "condition", deadline_s: float = DEADLINE_S) -> None:
    """Waits until ``condition()`` is true; fails the test after the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.002)
