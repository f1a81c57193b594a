"""A folder as the system calls of a program change it, and every state of it that a power cut can leave. Pure.

What is promised by ``fsync`` of a file is its contents, by ``fsync`` of a folder what is in it, and nothing else:

- a change in a folder (a name made, renamed, removed) that was not synced is there or is not, each for itself, whatever
  came before or after it in this or another folder; a rename is one change;
- contents that were not synced are the old ones, the new ones, the first half of them, or zeros of the new length, also
  under a name that was renamed since.

That is weaker than what ext4 or f2fs promise, and what they do on a card whose own cache lies. Not modelled: one rename
torn in two, sectors torn within a synced file, modes and owners. What is not understood is an error: nobody is to be
told that states were looked at that were not.
"""

import dataclasses
import enum
import itertools
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import PurePosixPath

from tools.county.power_cut.calls import Call, TraceError

MOST_STATES = 1024
"""Of one moment; where there are more, so many are drawn."""

Tree = Mapping[str, bytes | None]
"""Contents by path below the folder; None for a folder."""


class Sync(enum.StrEnum):
    """What a call makes durable."""

    FILE = "file"
    FOLDER = "folder"


class _Inode:
    """A file or (``data`` None) a folder: as a program sees it, and what of it is on the disk for certain."""

    def __init__(self, data: bytes | None, safe: bytes | None) -> None:
        self.data = data
        self.safe = safe

    def may_be(self) -> list[bytes | None]:
        """What may be found in it after a power cut."""
        if self.data is None or self.data == self.safe:
            return [self.data]
        found = [self.safe or b"", self.data, self.data[: len(self.data) // 2], bytes(len(self.data))]
        return list(dict.fromkeys(found))


@dataclasses.dataclass(frozen=True, slots=True)
class _Change:
    """In one folder: a name that goes, and one that is there from now on."""

    folder: str
    gone: str | None = None
    name: str | None = None
    inode: _Inode | None = None

    def on(self, names: dict[str, _Inode]) -> None:
        if self.gone is not None:
            names.pop(self.gone, None)
        if self.name is not None and self.inode is not None:
            names[self.name] = self.inode


@dataclasses.dataclass(slots=True)
class _Open:
    path: str
    inode: _Inode
    at: int = 0
    appends: bool = False


class Disk:
    """A folder (an absolute path) whose contents are all on the disk at first. ``deaf``: syncs that do nothing, for the
    test that the states show it."""

    def __init__(self, root: str, tree: Tree, *, deaf: frozenset[Sync] = frozenset()) -> None:
        self._root = PurePosixPath(root)
        self._deaf = deaf
        self._names = {path: _Inode(data, data) for path, data in tree.items()}
        self._names[""] = _Inode(None, None)
        self._safe = dict(self._names)
        self._pending: list[_Change] = []
        self._open: dict[int, _Open] = {}

    def tree(self) -> Tree:
        """As a program sees it."""
        return {path: inode.data for path, inode in self._names.items() if path}

    # --- what a call does ----------------------------------------------------------------------------------------

    def does(self, call: Call) -> str | None:
        """Follows one call; the path in the folder that it changed, None where it changed nothing there. Raises
        TraceError for a call that is not understood."""
        follow = _FOLLOW.get(call.name)
        if follow is None:
            raise TraceError(f"{call.name}: not understood, what it does to files is not known")
        return follow(self, call)

    def _path(self, call: Call, text: int = 0, folder: int | None = None) -> str | None:
        """A path argument below the folder, None where it is elsewhere."""
        path = PurePosixPath(call.texts[text].decode())
        if not path.is_absolute():
            if folder is not None and call.words[folder] != "AT_FDCWD" and int(call.words[folder]) in self._open:
                raise TraceError(f"{call.name} {path}: a path below an open folder is not understood")
            return None  # our own paths are absolute; what is here is the interpreter's
        if not path.is_relative_to(self._root):
            return None
        below = path.relative_to(self._root)
        return "" if below == PurePosixPath(".") else str(below)

    def _opened(self, call: Call) -> str | None:
        at = call.name == "openat"
        path = self._path(call, folder=0 if at else None)
        if path is None:
            return None
        flags = set(call.words[2 if at else 1].split("|"))
        inode, changed = self._names.get(path), None
        if inode is None:
            if "O_CREAT" not in flags:
                raise TraceError(f"{path}: opened, and not known")
            inode = _Inode(b"", None)
            self._change(_Change(_folder(path), name=path, inode=inode))
            changed = path
        elif "O_TRUNC" in flags and inode.data:
            inode.data, changed = b"", path
        self._open[call.result] = _Open(path, inode, appends="O_APPEND" in flags)
        return changed

    def _file(self, call: Call) -> _Open | None:
        return self._open.get(int(call.words[0]))

    def _closed(self, call: Call) -> None:
        self._open.pop(int(call.words[0]), None)

    def _sought(self, call: Call) -> None:
        if (file := self._file(call)) is not None:
            file.at = call.result

    def _wrote(self, call: Call) -> str | None:
        file = self._file(call)
        if file is None or file.inode.data is None:
            return None
        data, new = file.inode.data, b"".join(call.texts)[: call.result]
        if file.appends:
            file.at = len(data)
        file.inode.data = data[: file.at].ljust(file.at, b"\0") + new + data[file.at + len(new) :]
        file.at += len(new)
        return file.path

    def _cut(self, call: Call) -> str | None:
        file = self._file(call)
        if file is None or file.inode.data is None:
            return None
        length = int(call.words[1])
        file.inode.data = file.inode.data[:length].ljust(length, b"\0")
        return file.path

    def _synced(self, call: Call) -> None:
        file = self._file(call)
        if file is None:
            return
        if file.inode.data is not None:
            if Sync.FILE not in self._deaf:
                file.inode.safe = file.inode.data
        elif Sync.FOLDER not in self._deaf:
            for change in self._pending:
                if change.folder == file.path:
                    change.on(self._safe)
            self._pending = [change for change in self._pending if change.folder != file.path]

    def _renamed(self, call: Call) -> str | None:
        at = call.name != "rename"
        old, new = self._path(call, 0, 0 if at else None), self._path(call, 1, 2 if at else None)
        if old is None and new is None:
            return None
        if old is None or new is None or _folder(old) != _folder(new) or self._names[old].data is None:
            raise TraceError(f"{old or 'elsewhere'} renamed to {new or 'elsewhere'}: only files within a folder are")
        if call.name == "renameat2" and call.words[4] not in ("0", "RENAME_NOREPLACE"):
            raise TraceError(f"{call.name} {call.words[4]}: not understood")
        self._change(_Change(_folder(new), gone=old, name=new, inode=self._names[old]))
        return new

    def _removed(self, call: Call) -> str | None:
        path = self._path(call, folder=0 if call.name == "unlinkat" else None)
        if path is not None:
            self._change(_Change(_folder(path), gone=path))
        return path

    def _made(self, call: Call) -> str | None:
        path = self._path(call, folder=0 if call.name == "mkdirat" else None)
        if path is not None:
            self._change(_Change(_folder(path), name=path, inode=_Inode(None, None)))
        return path

    def _dressed(self, call: Call) -> str | None:
        """Mode and owner: a moment at which a process may be killed, and no other contents."""
        if call.texts:
            return self._path(call, folder=0 if call.name in ("fchmodat", "fchownat") else None)
        file = self._file(call)
        return None if file is None else file.path

    def _strange(self, call: Call) -> None:
        """Calls that are harmless unless they are about a file of the folder."""
        if any(word.isdecimal() and int(word) in self._open for word in call.words) or (
            call.texts and self._path(call) is not None
        ):
            raise TraceError(f"{call.name}({', '.join(call.words)}): not understood for a file of the folder")

    def _control(self, call: Call) -> None:
        if call.words[1].startswith("F_DUPFD"):
            self._strange(call)

    def _mapped(self, call: Call) -> None:
        if "MAP_SHARED" in call.words[3] and "PROT_WRITE" in call.words[2] and int(call.words[4]) in self._open:
            raise TraceError("mmap: not understood for a file of the folder")

    def _change(self, change: _Change) -> None:
        change.on(self._names)
        self._pending.append(change)

    # --- what a power cut leaves ---------------------------------------------------------------------------------

    def states(self, without: Collection[str], draw: random.Random) -> tuple[list[Tree], bool]:
        """Every state that a power cut may leave now, and whether they are drawn from more. ``without``: what of the
        folder lies in memory."""
        pending = [change for change in self._pending if not _within(change.name or change.gone, without)]
        folders = [self._kept(chosen, without) for chosen in _choices(pending, draw)]
        drawn = 2 ** len(pending) > MOST_STATES
        found: dict[frozenset[tuple[str, bytes | None]], Tree] = {}
        for names in folders:
            contents = [inode.may_be() for inode in names.values()]
            for data in itertools.islice(itertools.product(*contents), MOST_STATES + 1):
                tree = dict(zip(names, data, strict=True))
                found.setdefault(frozenset(tree.items()), tree)
        trees = list(found.values())
        if len(trees) > MOST_STATES:
            trees, drawn = draw.sample(trees, MOST_STATES), True
        return trees, drawn

    def _kept(self, changes: tuple[_Change, ...], without: Collection[str]) -> dict[str, _Inode]:
        names = dict(self._safe)
        for change in changes:
            change.on(names)
        return {
            path: inode
            for path, inode in names.items()
            if path and not _within(path, without) and _reached(path, names)
        }


def _choices(pending: list[_Change], draw: random.Random) -> Iterator[tuple[_Change, ...]]:
    """Every subset in order, or where there are too many some of them, none and all among them."""
    if 2 ** len(pending) <= MOST_STATES:
        picks: Iterator[tuple[bool, ...]] = itertools.product((False, True), repeat=len(pending))
    else:
        some = [tuple(draw.random() < 0.5 for _ in pending) for _ in range(MOST_STATES - 2)]
        picks = iter([(False,) * len(pending), (True,) * len(pending), *some])
    return (tuple(itertools.compress(pending, pick)) for pick in picks)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _within(path: str | None, places: Collection[str]) -> bool:
    return path is not None and any(path == place or path.startswith(f"{place}/") for place in places)


def _reached(path: str, names: Mapping[str, _Inode]) -> bool:
    """Whether each folder above is there: what is in one that is not is lost with it."""
    return all(str(above) in names for above in PurePosixPath(path).parents if str(above) != ".")


_FOLLOW: Mapping[str, Callable[[Disk, Call], str | None]] = {
    **dict.fromkeys(("open", "openat"), Disk._opened),
    "close": Disk._closed,
    "lseek": Disk._sought,
    **dict.fromkeys(("write", "writev"), Disk._wrote),
    "ftruncate": Disk._cut,
    **dict.fromkeys(("fsync", "fdatasync"), Disk._synced),
    **dict.fromkeys(("rename", "renameat", "renameat2"), Disk._renamed),
    **dict.fromkeys(("unlink", "unlinkat", "rmdir"), Disk._removed),
    **dict.fromkeys(("mkdir", "mkdirat"), Disk._made),
    **dict.fromkeys(("chmod", "fchmod", "fchmodat", "chown", "lchown", "fchown", "fchownat"), Disk._dressed),
    **dict.fromkeys(("dup", "dup2", "dup3", "pwrite64", "sendfile", "copy_file_range", "truncate"), Disk._strange),
    **dict.fromkeys(("link", "linkat", "symlink", "symlinkat"), Disk._strange),
    "fcntl": Disk._control,
    "mmap": Disk._mapped,
}
"""Every other call that is asked for is an error whatever it is about: it changes files in a way of its own."""
