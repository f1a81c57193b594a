"""Whose node this is: written once by the enrolment at the pole, read by whatever speaks with the county.

Everything of the county lies in one folder of the state folder, ``county``: ``enrolment.json`` (this file), what the
node believes of its county (``trusted.json``), its slots (``state.json``, ``slots/``), what came and was not looked at
yet (``inbox/``), its key and certificate. A node without ``enrolment.json`` is not enrolled and runs by its site file.
Light: the bridge reads it too, and judges nothing.
"""

import pathlib
from typing import Annotated, Final, Literal

import pydantic

from configs.files import write_atomically

FOLDER: Final = "county"
FILE: Final = "enrolment.json"
INBOX: Final = "inbox"

_Name = Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class EnrolmentError(Exception):
    """The file of the enrolment cannot be used; says which and why."""


class Enrolment(pydantic.BaseModel):
    """The node's place: six digits of its county, its group, its id without the county."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["sentinel-enrolment-1"] = "sentinel-enrolment-1"
    county: Annotated[str, pydantic.Field(pattern=r"^[0-9]{6}$")]
    group: _Name
    node: _Name


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
    """Keeps the enrolment, the last step of enrolling: what it leads to is there before it. Raises OSError."""
    folder = state_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, enrolment.model_dump_json().encode())
