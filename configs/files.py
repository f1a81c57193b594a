"""Writing files that are either the old one or the new one, whatever happens to the power in between; and folders."""

import contextlib
import os
import pathlib
import tempfile


def write_atomically(path: pathlib.Path, data: bytes, *, mode: int = 0o640) -> None:
    """Replaces ``path`` in one step: written beside it, synced, renamed. Raises OSError; the old file then stays.

    An existing file keeps its mode and owner; a new one gets ``mode`` and, as far as we may, the owner of its folder,
    so that root at the command line does not lock the node out of its own files.
    """
    folder = path.parent
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    temporary = pathlib.Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            like = path.stat() if path.exists() else None
            os.fchmod(file.fileno(), like.st_mode & 0o777 if like is not None else mode)
            owner = like if like is not None else folder.stat()
            with contextlib.suppress(PermissionError):
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)


def make_folder(path: pathlib.Path) -> None:
    """Makes a folder where it is missing, and those above it, each for good: what is written into a folder that the
    disk does not know yet goes with it, however well it was synced. Raises OSError."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: pathlib.Path) -> None:
    """What was made or renamed in a folder outlives a power cut. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give_to_owner_of(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Gives ``path`` the owner of ``folder``, as far as we may: a lock that root made at the command line would keep
    the node, which is another user, from starting. Raises OSError."""
    owner = folder.stat()
    with contextlib.suppress(PermissionError):
        os.chown(path, owner.st_uid, owner.st_gid)
