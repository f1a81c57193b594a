"""When a capture that failed is started again. Pure.

Invariants: the first replacement is immediate, so that a single hang costs one deadline and no more; a source that
keeps failing is tried ever more rarely, up to ``LONGEST_S``; pictures for ``HEALTHY_S`` on end forgive everything.
"""

from hal.clock import NS_PER_S

FIRST_S = 0.5
LONGEST_S = 10.0
HEALTHY_S = 10.0


class Restarts:
    """Backoff of one source."""

    def __init__(self) -> None:
        self._delay_s = 0.0
        self.count = 0

    def failed(self, now_ns: int, *, started_ns: int) -> int:
        """Counts a failure of a capture started at ``started_ns``; returns when to start the next (ns)."""
        if now_ns - started_ns >= HEALTHY_S * NS_PER_S:
            self._delay_s = 0.0
        due_ns = now_ns + round(self._delay_s * NS_PER_S)
        self._delay_s = min(LONGEST_S, max(FIRST_S, self._delay_s * 2))
        self.count += 1
        return due_ns
