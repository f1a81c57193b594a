"""Asks the kernel to run a thread before everything that has no deadline. Standard library only.

Why: beside other work an ordinary thread waits for its turn longer than core needs to answer a frame
(``sentinel bench --only radar_to_lamp``).
Invariants: asking never fails, it is only refused (a desk without the right to it); children of the thread start with
ordinary priority; guard stays above core, so that a core that runs wild cannot hold the lamps.
"""

import contextlib
import os

CORE_PRIORITY = 10
"""Of 1 to 99, and below guard's 50. The kernel leaves 5 % of each second to others whatever a real-time thread does."""

FAVOURED_NICE = -10
"""Vision runs at +5: thirty times less of a processor that both want."""


def ask(priority: int) -> str | None:
    """Real-time priority for the calling thread; why not, where it was refused."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        return f"not permitted, going on without: {error}"
    return None


def favour() -> None:
    """Lets the whole process, and the threads it starts, go before others that share the processor, where permitted.

    For threads that have no deadline of their own but hold the interpreter lock, or must end before a killed process
    lets go of its sockets.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, FAVOURED_NICE)
