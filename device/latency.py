"""A latency histogram with bounded memory: quantiles of the newest samples, maximum of all.

Invariant: ``add`` costs microseconds and never grows, since it runs on the lamp path.
"""

from collections import deque


class Latency:
    """Milliseconds from capture to renewal sent."""

    def __init__(self, keep: int = 2000) -> None:
        self._newest: deque[float] = deque(maxlen=keep)
        self._max_ms = 0.0
        self._count = 0

    def add(self, value_ms: float) -> None:
        """Takes one sample."""
        self._newest.append(value_ms)
        self._max_ms = max(self._max_ms, value_ms)
        self._count += 1

    def summary(self) -> dict[str, float | int | None]:
        """``{"p50", "p99", "max", "count"}`` in milliseconds; quantiles are None before the first sample."""
        ordered = sorted(self._newest)
        if not ordered:
            return {"p50": None, "p99": None, "max": None, "count": 0}
        return {
            "p50": round(ordered[len(ordered) // 2], 3),
            "p99": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 3),
            "max": round(self._max_ms, 3),
            "count": self._count,
        }
