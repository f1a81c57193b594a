"""What a node runs and why, told by whoever chose it: a small file in ``run_dir`` that core shows in its status.

Invariants: provision, boot and the command line write it, core only reads; a node that was never enrolled has none; a
file that cannot be read says nothing and stops nobody.
"""

import enum
import pathlib
from typing import Any

import pydantic

from configs.files import write_atomically

FILE = "chosen.json"


class Runs(enum.StrEnum):
    """Which configuration runs, from the newest to the last resort."""

    TRIAL = "trial"
    GOOD = "good"
    SITE = "site"
    SAFE = "safe"


def _field(zh: str, en: str, **more: Any) -> Any:
    """A field with its description in both languages: it goes to the county as it is."""
    return pydantic.Field(description=f"{zh} / {en}", **more)


class _Said(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Reverted(_Said):
    """What the county sent last and the node took back: its version, None where unknown, and why."""

    version: int | None = _field("退回的是第几版;说不清为空", "the version taken back; none where unknown")
    why: str = _field("为什么退回", "why it was taken back")


class LocalChange(_Said):
    """A value that a technician set by hand, and for how many hours it still wins, rounded up."""

    path: str = _field("哪个值", "which value")
    hours_left: int = _field("还有效多少小时(进位)", "hours for which it still wins, rounded up")


class Chosen(_Said):
    """``version``: of the county's issue that runs, None where the site file runs without one. ``problem``: what is
    wrong with the choice, in words."""

    runs: Runs = _field("跑的是哪一份", "which configuration runs")
    version: int | None = _field("县里的第几版", "version of the county's issue", default=None)
    reverted: Reverted | None = _field("最近退回的", "what was taken back last", default=None)
    site_sha256: str | None = _field(
        "杆上站点文件的 sha256", "sha256 of the site file as it lies at the pole", default=None
    )
    local: tuple[LocalChange, ...] = _field("现场临时改动", "changes made by hand", default=())
    problem: str | None = _field("选择上的问题", "what is wrong with the choice, in words", default=None)


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
