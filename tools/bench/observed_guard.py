"""Guard, telling when it took a renewal and when the pin moved: ``python -m tools.bench.observed_guard --run-dir DIR``.

The tap tells when a pin had been switched, not when the renewal that switched it was taken. Here every ``apply`` that
moves the mock pin appends ``{"applied_ns", "edge_ns", "on"}`` to ``edges.jsonl`` in the run directory, after the fact.
"""

import json
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from device import guard
from hal.lamp.pins import mock_pin

PIN = 17
EDGES = "edges.jsonl"


class ObservedGuard(guard.Guard):
    """See the module."""

    out_fd = -1

    def apply(self, message: Mapping[str, Any] | None, now_ns: int) -> bool:
        pin = mock_pin(PIN)
        before_ns = pin.edge_ns
        renewed = super().apply(message, now_ns)
        if pin.edge_ns != before_ns:
            line = {"applied_ns": now_ns, "edge_ns": pin.edge_ns, "on": bool(pin.state)}
            os.write(self.out_fd, json.dumps(line).encode() + b"\n")
        return renewed


def main() -> int:
    """Entry point, with guard's arguments."""
    path = pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1]) / EDGES
    ObservedGuard.out_fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    setattr(guard, "Guard", ObservedGuard)  # noqa: B010 - the one name that guard's own main looks up
    return guard.main()


if __name__ == "__main__":
    sys.exit(main())
