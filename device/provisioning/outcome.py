"""What became of the county's last bundle: a small file that provision writes and the bridge tells the county.

Invariants: the file is replaced in one step and only where it is news; one that cannot be read says nothing and stops
nobody. Light: the bridge reads it, and loads no cryptography by it.
"""

import enum
import pathlib
from collections.abc import Mapping
from typing import Any, Final

import pydantic

from configs.files import write_atomically

FILE: Final = "outcome.json"


class What(enum.StrEnum):
    """What became of a bundle."""

    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    REFUSED = "refused"
    NOT_IN_WAVE = "not_in_wave"
    NOTHING_NEW = "nothing_new"
    REVERTED_BEFORE = "reverted_before"
    ON_TRIAL = "on_trial"
    AWAITING = "awaiting"
    """Its larger files are not all there; ``code`` and ``why`` of what the last run failed at."""


EXIT_CODES: Mapping[What, int] = {What.REVERTED: 1, What.REFUSED: 2, What.AWAITING: 1}
"""DESIGN.md §5: 1 fault found or cut short, 2 bad input; everything else is as it should be."""


def _field(zh: str, en: str, **more: Any) -> Any:
    return pydantic.Field(description=f"{zh} / {en}", **more)


class Outcome(pydantic.BaseModel):
    """县里上一个配置包的下场。/ What became of the county's last bundle."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    what: What = _field(
        "confirmed 已确认,reverted 已退回,refused 拒收,not_in_wave 还没轮到,nothing_new 没有变化,"
        "reverted_before 早先退回过,on_trial 试运行中,awaiting 等大文件下载",
        "what became of it",
    )
    version: int | None = _field("县里的第几版;说不清为空", "version of the county's issue, where known", default=None)
    bundle: str | None = _field("配置包的 sha256", "sha256 of the bundle", default=None)
    code: str | None = _field(
        "为什么拒收或下载不了,给程序看", "why it was refused or could not be fetched, for programs", default=None
    )
    why: str | None = _field(
        "为什么拒收、退回或下载不了", "why it was refused, taken back or could not be fetched", default=None
    )

    @property
    def exit_code(self) -> int:
        """Of the process."""
        return EXIT_CODES.get(self.what, 0)


def read(county: pathlib.Path) -> Outcome | None:
    """The last outcome in the county's folder of a node, None where nobody said."""
    try:
        return Outcome.model_validate_json((county / FILE).read_bytes())
    except (OSError, ValueError):
        return None


def write(county: pathlib.Path, outcome: Outcome) -> None:
    """Says it, where it is news. Raises OSError."""
    if read(county) != outcome:
        write_atomically(county / FILE, outcome.model_dump_json().encode())
