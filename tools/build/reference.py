"""Writes the site file's reference page: ``python -m tools.build.reference [--check] [PATH]``."""

import pathlib

from configs.reference import OptionRows, page
from hal import options, registry
from tools.build import generated

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "config-reference.md"


def text() -> str:
    """The page as it should be, with the drivers that come with the program."""
    drivers: dict[str, dict[str, OptionRows]] = {
        kind: {name: options.describe(registry.driver(kind, name).options) for name in table}
        for kind, table in registry.TABLE.items()
    }
    return page(drivers)


def main() -> None:
    """Entry point; ``--check`` exits 1 when it is out of date."""
    generated.command("tools.build.reference", __doc__, PAGE, lambda _before: text())


if __name__ == "__main__":
    main()
