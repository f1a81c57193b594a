"""Writes the site file's reference page: ``python -m tools.build.reference [--check] [PATH]``."""

import argparse
import pathlib
import sys

from configs.files import write_atomically
from configs.reference import OptionRows, page
from hal import options, registry

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "config-reference.md"


def text() -> str:
    """The page as it should be, with the drivers that come with the program."""
    drivers: dict[str, dict[str, OptionRows]] = {
        kind: {name: options.describe(registry.driver(kind, name).options) for name in table}
        for kind, table in registry.TABLE.items()
    }
    return page(drivers)


def main() -> None:
    """Entry point; ``--check`` exits 1 when the page is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=pathlib.Path, default=PAGE)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    wanted = text()
    if arguments.check:
        if not arguments.path.exists() or arguments.path.read_text(encoding="utf-8") != wanted:
            print(f"{arguments.path} is out of date: python -m tools.build.reference", file=sys.stderr)
            sys.exit(1)
        return
    write_atomically(arguments.path, wanted.encode(), mode=0o644)


if __name__ == "__main__":
    main()
