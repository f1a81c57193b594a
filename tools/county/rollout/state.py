"""The file of a rollout, beside the repository: what was signed for it, what people ordered, how far it is.

Invariants: the file is the old one or the new one; whoever changes it holds the lock, reads, makes a new value and
replaces it; people change ``order`` and nothing else, the driver everything but ``order``, so that an order is never
lost. Nothing in it is secret: each step was signed by a group's key, and a thief of the office's machine could hurry it
or send it back, and say nothing new.
"""

import contextlib
import enum
import fcntl
import pathlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

import pydantic

from configs.files import write_atomically
from tools.county.rollout.errors import RolloutError
from tools.county.rollout.plan import Step


class Order(enum.StrEnum):
    """What people want of it."""

    GO = "go"
    PAUSE = "pause"
    BACK = "back"


class Phase(enum.StrEnum):
    """Where it is."""

    WAVE = "wave"
    SOAK = "soak"
    BACK = "back"
    DONE = "done"
    WENT_BACK = "went_back"
    STOPPED = "stopped"


OVER: Final = frozenset({Phase.DONE, Phase.WENT_BACK, Phase.STOPPED})


class Became(enum.StrEnum):
    """What became of a node of the wave."""

    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    REFUSED = "refused"
    SILENT = "silent"
    BACK = "back"


FAILED: Final = frozenset({Became.REVERTED, Became.REFUSED, Became.SILENT})


class _Kept(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Settled(_Kept):
    """What became of one node, and why where it failed."""

    became: Became
    why: str | None = None


class Rollout(_Kept):
    """``base``: version of the county's issue before it; every later one that a node names is its own, until
    ``back_version``. ``presigned``: metadata for each wave, by group. ``watched_s``: how long the office has
    listened in this phase: hours in which the office stood still are nobody's silence."""

    format: Literal["sentinel-rollout-1"] = "sentinel-rollout-1"
    county: str
    begun: str
    salt: str
    steps: tuple[Step, ...]
    trial_s: int
    soak_s: float
    answer_s: float
    abort_over_pct: float
    base: int
    group_of: Mapping[str, str]
    texts: Mapping[str, Mapping[str, str]]
    before: Mapping[str, Mapping[str, str]]
    presigned: tuple[Mapping[str, str], ...]
    presigned_back: Mapping[str, str]

    order: Order = Order.GO
    phase: Phase = Phase.WAVE
    wave: Annotated[int, pydantic.Field(ge=0)] = 0
    watched_s: float = 0.0
    why: str | None = None
    settled: Mapping[str, Settled] = {}
    bundles: tuple[str, ...] = ()
    back_version: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be said for it. What is done and ordered back has its way back still before it."""
        return self.phase in OVER and not (self.phase is Phase.DONE and self.order is Order.BACK)

    @property
    def failed(self) -> list[str]:
        """Nodes that failed, silent ones among them."""
        return [node for node, settled in self.settled.items() if settled.became in FAILED]

    def count(self, became: Became) -> int:
        """How many nodes came to this."""
        return sum(settled.became is became for settled in self.settled.values())


def path_of(repository: pathlib.Path) -> pathlib.Path:
    """Where the rollout of a repository is kept."""
    return repository.with_name(f"{repository.stem}.rollout.json")


def load(path: pathlib.Path) -> Rollout | None:
    """The rollout, None where there never was one. Raises RolloutError."""
    try:
        return Rollout.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RolloutError("unreadable", file=path, detail=error.strerror) from None
    except ValueError as error:
        raise RolloutError("unreadable", file=path, detail=str(error)[:80]) from None


def save(path: pathlib.Path, rollout: Rollout) -> None:
    """Replaces it in one step. Raises OSError; the old one then stays."""
    write_atomically(path, rollout.model_dump_json(indent=1).encode(), mode=0o644)


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Nobody else changes it meanwhile; waits for whoever does, for they take milliseconds. Raises OSError."""
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ordered(path: pathlib.Path, order: Order) -> Rollout:
    """Keeps what people want. What is over can only be taken back. Raises RolloutError, OSError."""
    with locked(path):
        rollout = load(path)
        if rollout is None:
            raise RolloutError("none")
        takes_back = order is Order.BACK and rollout.phase is Phase.DONE
        if rollout.is_over and not takes_back:
            raise RolloutError("over", phase=rollout.phase)
        if rollout.phase is Phase.BACK and order is not Order.BACK:
            raise RolloutError("over", phase=rollout.phase)
        rollout = rollout.model_copy(update={"order": order})
        save(path, rollout)
    return rollout
