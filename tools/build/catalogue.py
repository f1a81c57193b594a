"""Compiles the Chinese catalogue of the command line: ``python -m tools.build.catalogue [--check]``.

Invariants: running it again changes nothing; ``--check`` compiles nothing and lists every message of the code, and
every message of Click that a user may meet, that has no Chinese.
"""

import argparse
import io
import pathlib
import sys
from collections.abc import Iterator

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from configs.files import write_atomically

ROOT = pathlib.Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "device" / "locale" / "zh_CN" / "LC_MESSAGES" / "sentinel.po"
SOURCES = ("device/cli", "tools")

CLICK_UNUSED = ("Windows", "Bash", "UUID", "DeprecationWarning", "deprecated", "Shell completion", "declaration")
"""Words of Click messages that only a programmer or another platform meets."""

MessageId = str | tuple[str, ...]


def messages() -> set[MessageId]:
    """Every message marked in our code; a plural is a tuple."""
    return {found for folder in SOURCES for found in _extract(ROOT / folder)}


def click_messages() -> set[MessageId]:
    """Every message of the installed Click that a user of ours may meet."""
    import click

    core = pathlib.Path(click.__file__).parent
    names = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types", "_compat", "_termui_impl")
    found: set[MessageId] = set()
    for name in names:
        path = core / f"{name}.py"
        if path.exists():
            found |= {_key(row[1]) for row in extract_from_file("python", str(path))}
    return {key for key in found if not any(word in str(key) for word in CLICK_UNUSED)}


def _extract(folder: pathlib.Path) -> Iterator[MessageId]:
    for row in extract_from_dir(str(folder), [("**.py", "python")]):
        yield _key(row[2])


def _key(message: str | tuple[str, ...] | list[str]) -> MessageId:
    return message if isinstance(message, str) else tuple(message)


def load(path: pathlib.Path = CATALOGUE) -> Catalog:
    """The catalogue in the source tree."""
    with path.open("rb") as file:
        return read_po(file, locale="zh_CN", domain="sentinel")


def untranslated(catalogue: Catalog, wanted: set[MessageId]) -> list[str]:
    """The wanted messages that have no Chinese, or only a doubtful one."""
    missing = []
    for key in wanted:
        singular = key if isinstance(key, str) else key[0]
        if not singular:
            continue
        message = catalogue.get(singular)
        words = None if message is None or message.fuzzy else message.string
        if not words or (not isinstance(words, str) and not all(words)):
            missing.append(singular)
    return sorted(missing)


def compile_catalogue(path: pathlib.Path = CATALOGUE) -> pathlib.Path:
    """Writes the .mo beside the .po, unless it is the same already. Raises OSError."""
    stream = io.BytesIO()
    write_mo(stream, load(path))
    target = path.with_suffix(".mo")
    if not target.exists() or target.read_bytes() != stream.getvalue():
        write_atomically(target, stream.getvalue(), mode=0o644)
    return target


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="list messages without Chinese, compile nothing")
    if parser.parse_args().check:
        missing = untranslated(load(), messages() | click_messages())
        for message in missing:
            print(f"no Chinese for: {message!r}", file=sys.stderr)
        sys.exit(1 if missing else 0)
    print(compile_catalogue())


if __name__ == "__main__":
    main()
