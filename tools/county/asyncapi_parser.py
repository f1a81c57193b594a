"""Has the official AsyncAPI parser check a document: ``python -m tools.county.asyncapi_parser [PATH]``.

Invariants: the package comes from the npm registry that npm is set up for, in one exact version whose archive must have
the digest below; of it only the parser's own single-file bundle is used, so that none of its 168 dependencies is
installed (0.5 MB instead of 54 MB). Exit codes: 0 nothing found, 1 findings, 2 it cannot be checked here (no node or
npm, no registry), which says why.
"""

import argparse
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from typing import Final

from configs.files import write_atomically
from tools.county.asyncapi import PAGE

ROOT: Final = pathlib.Path(__file__).resolve().parents[2]
PACKAGE: Final = "@asyncapi/parser"
VERSION: Final = "3.6.6"
SHA512: Final = (
    "0e9a44dce4ad6a3b7a80773e46c55ff55c51c16f560026a01e716f90e30be6b6"
    "46c12f615f1b45613c67b07de61cf4601e89b4ac294cb3a0e96e3358eb9639e0"
)
"""Of the archive as the registry serves it (``npm view @asyncapi/parser@VERSION dist.integrity``, in hexadecimal)."""

MEMBER: Final = "package/browser/index.js"
BUNDLE: Final = ROOT / ".cache" / "asyncapi-parser" / VERSION / "index.js"
SCRIPT: Final = pathlib.Path(__file__).with_suffix(".cjs")
TIMEOUT_S: Final = 300
"""For the registry over a bad line, and for node on a busy machine; it takes seconds."""


class ParserError(OSError):
    """The parser is not to be had here; the message says what to do."""


def check(path: pathlib.Path) -> list[str]:
    """What the parser finds in a document, errors and warnings, as JSON lines. Raises ParserError."""
    node = _program("node")
    bundle = fetched()
    done = subprocess.run(
        [node, str(SCRIPT), str(bundle), str(path)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    found = done.stdout.splitlines()
    if done.returncode != (1 if found else 0):
        raise ParserError(f"{SCRIPT.name}: node ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return found


def fetched() -> pathlib.Path:
    """The parser's bundle, from the cache or from the registry. Raises ParserError."""
    if BUNDLE.exists():
        return BUNDLE
    npm = _program("npm")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--ignore-scripts", "--pack-destination", folder]
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        archives = list(pathlib.Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            raise ParserError(f"npm pack {PACKAGE}@{VERSION} failed: {done.stderr.strip()[-500:]}")
        data = unpacked(archives[0])
    BUNDLE.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(BUNDLE, data, mode=0o644)
    return BUNDLE


def unpacked(archive: pathlib.Path) -> bytes:
    """The bundle in the package's archive. Raises ParserError where it is not the archive we know."""
    digest = hashlib.sha512(archive.read_bytes()).hexdigest()
    if digest != SHA512:
        raise ParserError(f"{PACKAGE}@{VERSION}: the archive has SHA-512 {digest}, expected {SHA512}")
    with tarfile.open(archive) as package:
        member = package.extractfile(MEMBER)
        if member is None:
            raise ParserError(f"{PACKAGE}@{VERSION}: no {MEMBER} in the archive")
        return member.read()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ParserError(f"{name}: not found; install it with: tools/install/system-packages asyncapi")
    return found


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=pathlib.Path, default=PAGE)
    arguments = parser.parse_args()
    try:
        found = check(arguments.path)
    except (ParserError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(found) or f"{arguments.path}: {PACKAGE} {VERSION} finds nothing wrong")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
