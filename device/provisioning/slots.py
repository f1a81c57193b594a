"""Which configurations from the county a node keeps, which of them runs, and whether it is on trial.

A *slot* is what the office signed for this node, written once and never changed. ``state.json`` says which slot is good
and which is on trial; beginning a trial, confirming and reverting each replace that one file.

Invariants: whatever happens to the power, ``state.json`` is the old one or the new one and every slot it names was on
the disk before it; a slot that was never confirmed runs ``MOST_STARTS`` times at most; what was reverted is not tried
again until the office signs something else; a slot that is good is kept until another one is.
"""

import contextlib
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import pydantic

from configs.files import make_folder, write_atomically
from device.provisioning.files import Files, hashes
from device.provisioning.wave import TRIAL_MOST_S, TRIAL_S

STATE_FILE: Final = "state.json"
SLOTS: Final = "slots"

MOST_STARTS: Final = 2
"""Starts of core that a slot on trial gets: one is spent by a power cut in the wrong second, the second proves it."""

_Whole = Annotated[int, pydantic.Field(ge=0)]


class SlotsError(Exception):
    """A file of the slots cannot be used; says which and why."""


class _Kept(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["sentinel-slots-1"] = "sentinel-slots-1"


class Slot(_Kept):
    """What the office signed: ``version`` of the issue, the patch of the group and that of the node, as text; the
    larger ``files`` that belong to them; for how long it is on trial; and the ``salt`` of its wave, by which the office
    offers again what was reverted."""

    version: _Whole
    group: str
    node: str | None = None
    files: Files = {}
    trial_s: Annotated[int, pydantic.Field(ge=0, le=TRIAL_MOST_S)] = TRIAL_S
    salt: str = ""

    def says_the_same(self, other: "Slot | None") -> bool:
        """Whether both make the same of a node; an issue that only renews signatures does."""
        return other is not None and self._words == other._words

    @property
    def offer(self) -> str:
        """SHA-256 of what is offered: the same patches and files under the same salt are the same offer."""
        patches, files = self._words
        return hashlib.sha256(json.dumps([*patches, self.salt, *([files] if files else [])]).encode()).hexdigest()

    @property
    def _words(self) -> tuple[tuple[str, str | None], dict[str, str]]:
        """What counts: a file by its hash, for another address of it makes no other node."""
        return (self.group, self.node), hashes(self.files)


class Trial(pydantic.BaseModel):
    """A slot that has to prove itself, how often core was started with it, and the names of what was wrong before."""

    model_config = _Kept.model_config

    slot: _Whole
    starts: _Whole = 0
    before: dict[str, str] = {}


class Reverted(pydantic.BaseModel):
    """What was tried last and taken back: version and offer of its slot, None where that could not be read, and why."""

    model_config = _Kept.model_config

    version: _Whole | None
    offer: str | None = None
    why: str


class State(_Kept):
    """``good``: the slot that was confirmed last, None where the site file alone is."""

    good: _Whole | None = None
    trial: Trial | None = None
    reverted: Reverted | None = None

    @property
    def running(self) -> int | None:
        """The slot that should run."""
        return self.good if self.trial is None else self.trial.slot


class Slots:
    """The slots of a node in ``folder``. One process at a time changes them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def state(self) -> State:
        """What is kept; a folder without a state is a node that the office never configured. Raises SlotsError."""
        path = self.folder / STATE_FILE
        try:
            return State.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return State()
        except (OSError, ValueError) as error:
            raise SlotsError(f"{path}: {error}; apply a bundle again") from None

    def slot(self, number: int) -> Slot:
        """A slot by its number. Raises SlotsError."""
        path = self._path(number)
        try:
            return Slot.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise SlotsError(f"{path}: {error}; apply a bundle again") from None

    def kept(self) -> list[Slot]:
        """The slots that the state names. Raises SlotsError."""
        state = self.state()
        return [self.slot(number) for number in {state.good, state.running} if number is not None]

    def begin(self, slot: Slot, before: Mapping[str, str] | None = None) -> State:
        """Writes a slot and puts it on trial, in place of one that is now. Raises OSError: what was there stays.
        ``before``: what is wrong with the node already, by name (``gate.faults``).

        A state that cannot be read is begun anew, or a node with a damaged file could never be configured again."""
        try:
            state = self.state()
        except SlotsError:
            state = State()
        make_folder(self.folder / SLOTS)
        number = max(self._numbers(), default=0) + 1
        write_atomically(self._path(number), slot.model_dump_json().encode())
        return self._keep(state.model_copy(update={"trial": Trial(slot=number, before=dict(before or {}))}))

    def started(self) -> State:
        """Counts a start of core, before it starts; a slot that has had its starts is reverted. Raises OSError and
        SlotsError."""
        state = self.state()
        if state.trial is None:
            return state
        if state.trial.starts >= MOST_STARTS:
            return self.revert(f"started {MOST_STARTS} times and never confirmed")
        trial = state.trial.model_copy(update={"starts": state.trial.starts + 1})
        return self._keep(state.model_copy(update={"trial": trial}))

    def confirm(self) -> State:
        """What is on trial is good. Raises OSError, SlotsError; ValueError where nothing is on trial."""
        state = self.state()
        if state.trial is None:
            raise ValueError("nothing is on trial")
        return self._keep(State(good=state.trial.slot))

    def revert(self, why: str) -> State:
        """What is on trial is not good. Raises OSError, SlotsError; ValueError where nothing is on trial."""
        state = self.state()
        if state.trial is None:
            raise ValueError("nothing is on trial")
        reverted = Reverted(version=None, why=why)
        with contextlib.suppress(SlotsError):
            slot = self.slot(state.trial.slot)
            reverted = Reverted(version=slot.version, offer=slot.offer, why=why)
        return self._keep(State(good=state.good, reverted=reverted))

    def _keep(self, state: State) -> State:
        """Replaces the state, then drops the slots that nothing names any more."""
        write_atomically(self.folder / STATE_FILE, state.model_dump_json().encode())
        named = {state.good, state.running}
        for number in self._numbers():
            if number not in named:
                self._path(number).unlink(missing_ok=True)
        return state

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in (self.folder / SLOTS).glob("*.json") if path.stem.isdecimal()]

    def _path(self, number: int) -> pathlib.Path:
        return self.folder / SLOTS / f"{number:06d}.json"
