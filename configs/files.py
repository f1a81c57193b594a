"""Writing files that are either the old one or the new one, whatever happens to the power in between."""

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
    folder_handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder_handle)
    finally:
        os.close(folder_handle)


def give_to_owner_of(folder: pathlib.Path, path: pathlib.Path) -> None:
    """Gives ``path`` the owner of ``folder``, as far as we may: a lock that root made at the command line would keep
    the node, which is another user, from starting. Raises OSError."""
    owner = folder.stat()
    with contextlib.suppress(PermissionError):
        os.chown(path, owner.st_uid, owner.st_gid)
