"""Runs a function in a process of its own that is killed just before one of its calls that change files.

The interpreter tells an audit hook of every such call before it is made (PEP 578). What is written but not yet renamed
makes no difference to a reader, so a kill before the rename stands for every kill between.
"""

import os
import pathlib
import sys
from collections.abc import Callable

CHANGES = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.truncate"})
"""Audit events before a change; ``open`` stands for the creation and the writes that follow it."""

_FAILED = 3


def killed_before(number: int, work: Callable[[], object], *, within: pathlib.Path | None = None) -> bool:
    """Whether ``work`` was killed before its ``number``-th change (from 0); False when it has no more than that.
    ``within``: counts only what is done there by name, for what is done to an open file no reader sees before its
    rename, and scratch folders are nobody's.

    Raises AssertionError when it failed otherwise.
    """
    child = os.fork()
    if child == 0:
        _run(number, work, within)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -9), f"the work failed by itself: {status}"
    return status == -9


def _run(number: int, work: Callable[[], object], within: pathlib.Path | None) -> None:
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event not in CHANGES or (event == "open" and not _writes(arguments)):
            return
        if within is not None and not str(arguments[0]).startswith(str(within)):
            return
        if seen == number:
            os.kill(os.getpid(), 9)
        seen += 1

    code = _FAILED
    try:
        sys.addaudithook(hook)
        work()
        code = 0
    finally:
        os._exit(code)


def _writes(arguments: tuple[object, ...]) -> bool:
    """Whether an ``open`` may change a file, by its flags."""
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
