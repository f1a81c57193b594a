"""The vision process with a busy Python loop in it, which is what a careless feature would do to its neighbours.

``python -m tools.bench.busy_vision`` takes the arguments of ``python -m device.vision``.
"""

import sys
import threading

from device.vision.__main__ import main


def spin() -> None:
    """Burns a core, and the interpreter lock with it, for ever."""
    number = 0
    while True:
        number = (number * 31 + 7) & 0xFFFF


if __name__ == "__main__":
    threading.Thread(target=spin, name="busy", daemon=True).start()
    sys.exit(main())
