"""How many bytes of incident recordings the card is asked to bear in a day. Pure.

A store of bytes: a day's worth at most, refilled evenly, emptied by what is written. A morning of alerts may take all
of it; after that it gives what an hour brings at a time, so that a junction that is never quiet has recordings of
every part of the day. Monotonic time, so a clock that is set changes nothing. A node that starts has a full store.

Invariant: alerts alone never take more than a day's worth and what time t refills, beside the file that was being
written when it was spent; what near misses and faults write beyond the store is owed for an hour's worth at most.
"""

from typing import Final

from hal.clock import NS_PER_S

DAY_NS: Final = 24 * 3600 * NS_PER_S
AGAIN: Final = 1 / 24
"""Once spent, granted again when this share of a day's bytes has come together: an hour's, which is what the busiest
junction writes in one."""

BYTES_PER_MB: Final = 1000 * 1000


class Budget:
    """The store. ``spent`` says whether it is empty."""

    def __init__(self, day_mb: float) -> None:
        self.spent = False
        self._day_bytes = self._left_bytes = day_mb * BYTES_PER_MB
        self._seen_ns: int | None = None
        self._seen_bytes = 0

    def configure(self, day_mb: float) -> None:
        """Takes a new size; what was spent stays spent."""
        self._left_bytes += day_mb * BYTES_PER_MB - self._day_bytes
        self._day_bytes = day_mb * BYTES_PER_MB

    def step(self, now_ns: int, written_bytes: int) -> None:
        """``written_bytes``: all that was written up to ``now_ns``."""
        since_ns = 0 if self._seen_ns is None else now_ns - self._seen_ns
        refilled = min(self._day_bytes, self._left_bytes + self._day_bytes * since_ns / DAY_NS)
        self._left_bytes = max(-self._day_bytes * AGAIN, refilled - (written_bytes - self._seen_bytes))
        self._seen_ns, self._seen_bytes = now_ns, written_bytes
        if self._left_bytes <= 0:
            self.spent = True
        elif self._left_bytes >= self._day_bytes * AGAIN:
            self.spent = False
