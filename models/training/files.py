"""Writing a file so that a power cut leaves the old one or the new one, never half of one."""

import os
import pathlib


def write(path: pathlib.Path, content: bytes) -> None:
    """Writes beside it, forces it to the disk, then takes its place."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
