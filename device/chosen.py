"""What a node runs and why, told by whoever chose it: a small file in ``run_dir`` that core shows in its status.

Invariants: provision, boot and the command line write it, core only reads; a node that was never enrolled has none; a
file that cannot be read says nothing and stops nobody.
"""

import enum
import pathlib

import pydantic

from configs.files import write_atomically

FILE = "chosen.json"


class Runs(enum.StrEnum):
    """Which configuration runs, from the newest to the last resort."""

    TRIAL = "trial"
    GOOD = "good"
    SITE = "site"
    SAFE = "safe"


class _Said(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Reverted(_Said):
    """What the county sent last and the node took back: its version, None where unknown, and why."""

    version: int | None
    why: str


class LocalChange(_Said):
    """A value that a technician set by hand, and for how many hours it still wins, rounded up."""

    path: str
    hours_left: int


class Chosen(_Said):
    """``version``: of the county's issue that runs, None where the site file runs without one. ``problem``: what is
    wrong with the choice, in words."""

    runs: Runs
    version: int | None = None
    reverted: Reverted | None = None
    local: tuple[LocalChange, ...] = ()
    problem: str | None = None


def read(run_dir: pathlib.Path) -> Chosen | None:
    """What was chosen, None where nobody said."""
    try:
        return Chosen.model_validate_json((run_dir / FILE).read_bytes())
    except (OSError, ValueError):
        return None


def write(run_dir: pathlib.Path, chosen: Chosen) -> None:
    """Says what was chosen, where that is news. Raises OSError."""
    if read(run_dir) != chosen:
        write_atomically(run_dir / FILE, chosen.model_dump_json().encode())
