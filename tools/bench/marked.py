"""Sections of a generated page that different commands write: each replaces its own and leaves the others.

Invariant: a section lies between its two marks, ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``, once in a page.
"""

import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "evidence.md"
"""The page of measured figures."""


def put(page: str, name: str, body: str) -> str:
    """The page with this section replaced, or added at its end."""
    kept = without(page, name).rstrip("\n")
    marked = f"<!-- {name}:begin -->\n{body.strip()}\n<!-- {name}:end -->\n"
    return f"{kept}\n\n{marked}" if kept else marked


def taken(page: str, name: str) -> str | None:
    """What a section holds, None when the page has none."""
    found = _pattern(name).search(page)
    return None if found is None else found.group(1).strip()


def without(page: str, name: str) -> str:
    """The page without this section."""
    return _pattern(name).sub("", page)


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"\n*<!-- {re.escape(name)}:begin -->\n(.*?)\n<!-- {re.escape(name)}:end -->\n", re.DOTALL)
