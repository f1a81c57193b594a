"""The command line of what writes a page from the code: writes it, or with ``--check`` says that it is out of date."""

import argparse
import pathlib
import sys
from collections.abc import Callable

from configs.files import write_atomically


def command(module: str, description: str | None, page: pathlib.Path, wanted: Callable[[str], str]) -> None:
    """``python -m MODULE [--check] [PATH]``; exits 1 when ``--check`` finds another text than ``wanted`` makes of what
    is there ("" where nothing is)."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("path", nargs="?", type=pathlib.Path, default=page)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when it is out of date")
    arguments = parser.parse_args()
    path: pathlib.Path = arguments.path
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = wanted(before)
    if not arguments.check:
        write_atomically(path, after.encode(), mode=0o644)
    elif before != after:
        print(f"{path} is out of date: python -m {module}", file=sys.stderr)
        sys.exit(1)
