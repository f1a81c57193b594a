"""Changes a technician made by hand on an enrolled node: they win for 72 hours, then the county's values are back.

Invariants: the 72 hours are over when the node has *run* that long since the change, or when its wall clock says so and
was synchronised both when the change was made and now, whichever comes first; so neither a wrong clock nor a node that
is often off keeps a change for ever. What the node has run is kept in the file; a power cut takes the last
``KEEP_EVERY_S`` of it at most, and every start counts that much on top: a node that restarts all day gets there too.
A file that cannot be understood is no local layer and a named problem, never a crash and never half a layer.

The rules are pure and take the time as a value (``Moment``); only ``LocalLayer`` touches the file.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pydantic
from pydantic import ConfigDict, Field, JsonValue

from configs import edit, yaml_text
from configs.errors import ConfigError, Problem, both
from configs.files import write_atomically
from configs.layers import Layer, Part
from configs.loader import Source, dotted

LIFE_S = 72 * 3600.0
"""How long a change made by hand wins: over a weekend, and no longer than anybody remembers it."""

KEEP_EVERY_S = 600.0
"""How much running time may be lost to a power cut: 144 writes a day, of 1 kB, and only while there is a change."""

MAX_CHANGES = 64
"""More values than this changed by hand are a new site file."""

MAX_BYTES = 64 * 1024
LOCAL_FILE = "local.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """Now, as the node knows it. ``up_s``: CLOCK_MONOTONIC, which begins anew with every ``boot_id``; ``wall_s``: Unix
    time, or None unless the clock is synchronised."""

    boot_id: str
    up_s: float
    wall_s: float | None


class _Strict(pydantic.BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Change(_Strict):
    """One value set by hand: where, what, and the node's two times when it was. ``value`` None takes the value away."""

    path: tuple[str, ...] = Field(min_length=1, max_length=yaml_text.MAX_DEPTH)
    value: JsonValue
    ran_s: float = Field(ge=0)
    wall_s: float | None

    @property
    def patch(self) -> dict[str, Any]:
        """The change as a merge patch."""
        value: Any = self.value
        for part in reversed(self.path):
            value = {part: value}
        return dict(value)


class Local(_Strict):
    """All changes, and how long the node has run: ``ran_s`` in all, counted up to ``up_s`` of boot ``boot_id``."""

    format: Literal[1] = 1
    boot_id: str = ""
    up_s: float = Field(default=0.0, ge=0)
    ran_s: float = Field(default=0.0, ge=0)
    changes: tuple[Change, ...] = Field(default=(), max_length=MAX_CHANGES)

    @pydantic.model_validator(mode="after")
    def _made_before_now(self) -> "Local":
        if any(change.ran_s > self.ran_s for change in self.changes):
            raise ValueError("a change was made after the node's last hour")
        return self


def run_on(local: Local, now: Moment) -> Local:
    """The same with the running time counted up to now."""
    if local.boot_id == now.boot_id and now.up_s >= local.up_s:
        more_s = now.up_s - local.up_s
    else:  # another boot: all of it, and what the one before it may have run after its last word
        more_s = now.up_s + KEEP_EVERY_S
    return local.model_copy(update={"boot_id": now.boot_id, "up_s": now.up_s, "ran_s": local.ran_s + more_s})


def left_s(change: Change, local: Local, now: Moment) -> float:
    """Seconds for which a change still wins; 0 when it is over. ``local``: run on to ``now``."""
    aged_s = local.ran_s - change.ran_s
    if change.wall_s is not None and now.wall_s is not None:
        aged_s = max(aged_s, now.wall_s - change.wall_s)
    return max(0.0, LIFE_S - aged_s)


def alive(local: Local, now: Moment) -> Local:
    """Run on to now, without the changes that are over."""
    local = run_on(local, now)
    kept = tuple(change for change in local.changes if left_s(change, local, now) > 0)
    return local.model_copy(update={"changes": kept})


def with_change(local: Local, values: Any, path: str, value: Any, now: Moment) -> Local:
    """With one value set by hand. ``values``: the configuration it is set in, for a path into a list sets the list as a
    whole. Raises ConfigError: no such place in a list, or too many changes."""
    parts: Sequence[str | int] = edit.split_path(path)
    depth = _first_list(values, parts)
    if depth is not None:
        held = edit.get_value(values, dotted(parts[:depth]))
        value = _in_list(held, parts[depth:], value, path)
        parts = parts[:depth]
    keys = tuple(str(part) for part in parts)
    local = alive(local, now)
    # What was set here before, or below here, says nothing any more.
    kept = tuple(change for change in local.changes if change.path[: len(keys)] != keys)
    if len(kept) >= MAX_CHANGES:
        raise ConfigError([Problem("local_full", path=path, allowed=both(f"≤ {MAX_CHANGES}"))])
    change = Change(path=keys, value=value, ran_s=local.ran_s, wall_s=now.wall_s)
    return local.model_copy(update={"changes": (*kept, change)})


def parts_of(local: Local, file: str) -> Iterator[Part]:
    """The layer, a part for every change in the order in which they were made."""
    for change in local.changes:
        yield Part(Layer.LOCAL, Source(file, change.patch, {}))


def _first_list(values: Any, parts: Sequence[str | int]) -> int | None:
    """How far down a path the first list is that the path goes into, or None."""
    for depth, part in enumerate(parts):
        if isinstance(values, list):
            return depth
        values = values.get(str(part)) if isinstance(values, dict) else None
    return None


def _in_list(held: Any, parts: Sequence[str | int], value: Any, path: str) -> Any:
    """A copy of a list (or of what is in it) with one place set."""
    if not parts:
        return value
    part = parts[0]
    if isinstance(held, list) and isinstance(part, int) and part < len(held):
        return [_in_list(item, parts[1:], value, path) if at == part else item for at, item in enumerate(held)]
    if isinstance(held, dict):
        return held | {str(part): _in_list(held.get(str(part)), parts[1:], value, path)}
    raise ConfigError([Problem("no_such_path", path=path)])


class LocalLayer:
    """The file of the changes, in the node's state folder. Several processes may use it: each change of it is made
    under the lock of the site file's history, and in one step."""

    def __init__(self, state_dir: pathlib.Path) -> None:
        self._state_dir = state_dir
        self.path = state_dir / LOCAL_FILE

    def read(self) -> tuple[Local, Problem | None]:
        """What the file says, and why it says nothing when it cannot be understood."""
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES // 1024} KiB")
            return Local.model_validate_json(data), None
        except FileNotFoundError:
            return Local(), None
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            detail = f"{dotted(first['loc'])} {first['msg']}".strip()
        except (OSError, ValueError) as error:
            detail = str(error)
        return Local(), Problem("local_damaged", file=str(self.path), params={"detail": detail})

    def now(self, moment: Moment) -> tuple[Local, Problem | None]:
        """The changes that win at this moment, written down when one has ended or ``KEEP_EVERY_S`` have passed; whoever
        keeps the node's configuration asks at start and at least that often. Raises OSError."""
        with edit.locked(self._state_dir):
            kept, problem = self.read()
            local = alive(kept, moment)
            due = local.ran_s - kept.ran_s >= KEEP_EVERY_S  # always so after a start
            if kept.changes and (due or local.changes != kept.changes):
                self.keep(local)
        return local, problem

    def set(self, values: Any, path: str, value: Any, moment: Moment) -> Local:
        """Makes a change. ``values``: the configuration it is made in. Raises ConfigError, OSError."""
        with edit.locked(self._state_dir):
            kept, _problem = self.read()  # a damaged file ends here: the technician's word is newer
            local = with_change(kept, values, path, value, moment)
            self.keep(local)
        return local

    def keep(self, local: Local) -> None:
        """Writes down what ``with_change`` made; the caller holds the lock. Raises OSError."""
        write_atomically(self.path, local.model_dump_json().encode())

    def clear(self) -> None:
        """Takes every change back. Raises OSError."""
        with edit.locked(self._state_dir):
            self.path.unlink(missing_ok=True)
