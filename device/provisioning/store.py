"""The larger files of the county on a node's disk: ``{state}/county/files/`` by hash, ``{state}/county/sets/`` by name.

    files/{sha256}          whole and proven; ``{sha256}.part`` is still being fetched
    sets/{digest}/{name}    what one configuration names, under its names: links to the same bytes, no second copy

Invariants: a set appears in one step with all its files or not at all and is never changed after; its folder has its
contents in its name, so that a configuration with another clip is another configuration to core; what nobody names any
more is removed only by ``tidy``. One process at a time changes it (``Provision``).
"""

import os
import pathlib
import shutil
from collections.abc import Iterable, Mapping
from typing import Final

from configs.files import make_folder, sync_folder
from device.provisioning.files import Named, digest

FILES: Final = "files"
SETS: Final = "sets"
PART: Final = ".part"


class Store:
    """The files of a node in its county's folder."""

    def __init__(self, county: pathlib.Path) -> None:
        self.files = county / FILES
        self.sets = county / SETS

    def folder(self, files: Mapping[str, Named]) -> pathlib.Path:
        """Where the set of these files is or will be."""
        return self.sets / digest(files)

    def lacks(self, files: Mapping[str, Named]) -> list[str]:
        """The names of which the set has no file of the right size. What they hold was proven when they came."""
        folder = self.folder(files)
        return [name for name in sorted(files) if _size(folder / name) != files[name].bytes]

    def to_fetch(self, files: Mapping[str, Named]) -> list[Named]:
        """What is not there whole, each once, in the order of the names; nothing where the set is there."""
        wanted = {files[name].sha256: files[name] for name in (sorted(files) if self.lacks(files) else ())}
        return [named for named in wanted.values() if _size(self.files / named.sha256) != named.bytes]

    def fit(self, files: Mapping[str, Named]) -> None:
        """Makes the set of files that are all there. Raises OSError."""
        if not self.lacks(files):
            return
        whole, half = self.folder(files), self.sets / f".{digest(files)}"
        for old in (half, whole):  # whole: one that lost a file to the disk
            if old.exists():
                shutil.rmtree(old)
        make_folder(self.sets)
        for name in files:
            (half / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(self.files / files[name].sha256, half / name)
        for folder in [*half.iterdir(), half]:
            sync_folder(folder)
        half.rename(whole)
        sync_folder(self.sets)

    def tidy(self, named: Iterable[Mapping[str, Named]]) -> None:
        """Removes what none of these names: sets, files, and what was half fetched. Raises OSError."""
        sets, files = set(), set()
        for kept in named:
            sets.add(digest(kept))
            files |= {file.sha256 for file in kept.values()}
        for folder in self.sets.iterdir() if self.sets.is_dir() else ():
            if folder.name not in sets:
                shutil.rmtree(folder)
        for path in self.files.iterdir() if self.files.is_dir() else ():
            if path.name.removesuffix(PART) not in files:
                path.unlink()


def _size(path: pathlib.Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
