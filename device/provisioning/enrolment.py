"""Whose node this is: written once by the enrolment at the pole, read by whatever speaks with the county.

Everything of the county lies in one folder of the state folder, ``county``: ``enrolment.json`` (this file), what the
node believes of its county (``trusted.json``), its slots (``state.json``, ``slots/``) with their larger files
(``files/``, ``sets/``), what came and was not looked at yet (``inbox/``), what waits for its files (``awaited.json``),
its key and certificate. A node without ``enrolment.json`` is not enrolled and runs by its site file.
Light: the bridge reads it too, and judges nothing.
"""

import contextlib
import os
import pathlib
from typing import Annotated, Final, Literal

import pydantic

from configs.files import make_folder, write_atomically

FOLDER: Final = "county"
FILE: Final = "enrolment.json"
INBOX: Final = "inbox"
AWAITED: Final = "awaited.json"
"""What waits for its larger files (``loading``)."""

CA_FILE: Final = "ca.pem"
"""The county's certificate authority: who may be the node's broker."""

NODE_FILE: Final = "node.pem"
"""The node's key and certificate in one file: one step replaces both, and neither is worth anything alone."""

County = Annotated[str, pydantic.Field(pattern=r"^[0-9]{6}$")]
Name = Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class EnrolmentError(Exception):
    """The file of the enrolment cannot be used; says which and why."""


class Enrolment(pydantic.BaseModel):
    """The node's place: six digits of its county, its group, its id without the county."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["sentinel-enrolment-1"] = "sentinel-enrolment-1"
    county: County
    group: Name
    node: Name
    package: str | None = None
    """sha256 of the token of the package that was used for it."""


def read(state_dir: pathlib.Path) -> Enrolment | None:
    """The enrolment of a node, None where it was never enrolled. Raises EnrolmentError."""
    path = state_dir / FOLDER / FILE
    try:
        return Enrolment.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EnrolmentError(f"{path}: {error}; enrol the node again: sentinel enroll") from None


def write(state_dir: pathlib.Path, enrolment: Enrolment) -> None:
    """Keeps the enrolment, when all that it leads to in this folder is there. Raises OSError."""
    write_atomically(folder(state_dir) / FILE, enrolment.model_dump_json().encode())


def folder(state_dir: pathlib.Path) -> pathlib.Path:
    """The county's folder of a node, made where it is missing, with the owner of the state folder, so that root at the
    command line does not lock the node out. Raises OSError."""
    path = state_dir / FOLDER
    if not path.is_dir():
        make_folder(path)
        path.chmod(0o750)
    owner = state_dir.stat()
    with contextlib.suppress(PermissionError):
        os.chown(path, owner.st_uid, owner.st_gid)
    return path
