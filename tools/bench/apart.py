"""A measurement in a process of its own: where memory is measured neither OpenCV nor a runtime may be loaded."""

import json
import subprocess
import sys
from typing import Any

from tools.bench.rig import BenchError


def printed(module: str, *arguments: str) -> Any:
    """What ``python -m module`` prints as one JSON value. Raises BenchError when it fails; its reason is on stderr."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise BenchError(f"{module} could not measure: exit {done.returncode}, see above")
    return json.loads(done.stdout)
