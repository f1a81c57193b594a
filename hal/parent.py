"""A child process that does not outlive its parent, even one that was killed. Linux only; called in the child.

Invariant: safe between fork and exec: no lock is taken and nothing of ours is touched.
"""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""

_libc = ctypes.CDLL(None)  # loaded here: a child between fork and exec should not


def die_with_parent(parent: int | None = None) -> None:
    """Has the kernel kill this process when its parent ends. ``parent``: ends it now if that one is already gone."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(1)
