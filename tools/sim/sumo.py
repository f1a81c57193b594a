"""Runs SUMO's programs from the ``eclipse-sumo`` wheel: an extra of the tools, never of the node.

The programs come from the wheel's own folder and never from PATH, so that another SUMO on the machine cannot change a
figure. Each runs in a folder of its own, to its end, and answers with its files.
"""

import importlib
import os
import pathlib
import subprocess
from collections.abc import Sequence

INSTALL = "make sim"
"""The command that installs the simulator."""
LONGEST_RUN_S = 3600.0
"""A scene takes seconds; a run that hangs must not hang its caller."""


class SumoError(RuntimeError):
    """SUMO is not installed, or one of its programs failed; the message holds its own last words."""


def home() -> pathlib.Path:
    """The folder that the wheel installed SUMO to. Raises SumoError."""
    try:
        return pathlib.Path(importlib.import_module("sumo").SUMO_HOME)
    except ImportError as error:
        raise SumoError(f"SUMO is not installed: run '{INSTALL}' (or install the extra 'sim')") from error


def run(program: str, arguments: Sequence[str], folder: pathlib.Path) -> None:
    """Runs ``netconvert`` or ``sumo`` in ``folder``. Raises SumoError."""
    root = home()
    command = [str(root / "bin" / program), *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "SUMO_HOME": str(root)},
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN_S,
            check=False,
        )
    except OSError as error:
        raise SumoError(f"{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise SumoError(f"{program}: not done after {LONGEST_RUN_S:.0f} s") from error
    if done.returncode < 0:
        raise SumoError(f"{program} crashed (signal {-done.returncode}): another seed may run")
    if done.returncode:
        raise SumoError(f"{program} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
