"""The newest picture, handed from a capture process to its reader without a lock and without a copy.

Three picture slots lie in anonymous shared memory (a memfd: it is gone when both sides are gone, however they end).
Who owns which slot is decided by tokens in two pipes, and a pipe read is atomic in the kernel, so there is no
memory-ordering question on any machine:

- *mailbox*: the writer puts a token for the newest picture there. Before the next one it tries to read the old token
  back itself; whoever reads a token, writer or reader, owns that slot.
- *returns*: the reader gives its slot back.

Invariants: the mailbox never holds more than one token; the reader holds at most one slot; so the writer always finds
a free one among three. A picture the reader did not take in time is overwritten and counted.
"""

import contextlib
import dataclasses
import mmap
import os
import select
import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SLOTS = 3
_TOKEN = struct.Struct("<BQQQQ")


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """One published picture: its slot, its number from 1, when it was grabbed, and how many were overwritten, and could
    not be decoded, so far."""

    slot: int
    sequence: int
    captured_ns: int
    overwritten: int
    undecodable: int


@dataclasses.dataclass(frozen=True, slots=True)
class MailboxFds:
    """The pipe ends. The writer needs all but ``returns_w``; the reader needs ``mailbox_r`` and ``returns_w``."""

    mailbox_r: int
    mailbox_w: int
    returns_r: int
    returns_w: int

    @classmethod
    def create(cls) -> "MailboxFds":
        """New pipes, none of which blocks."""
        return cls(*os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC), *os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC))

    def for_writer(self) -> tuple[int, int, int]:
        """What the writer is sent, in the order of ``MailboxWriter``."""
        return (self.mailbox_r, self.mailbox_w, self.returns_r)


def slots_of(memory: int, height: int, width: int) -> list["npt.NDArray[np.uint8]"]:
    """The picture slots (height x width x 3, uint8) in the memory behind a file descriptor."""
    size = height * width * 3
    mapped = mmap.mmap(memory, SLOTS * size)
    return [
        np.frombuffer(mapped, np.uint8, size, index * size).reshape(height, width, 3)  # keeps ``mapped`` alive
        for index in range(SLOTS)
    ]


class MailboxWriter:
    """The capture process's side, for pictures of one size."""

    def __init__(self, mailbox_r: int, mailbox_w: int, returns_r: int, *, height: int, width: int) -> None:
        self._mailbox_r, self._mailbox_w, self._returns_r = mailbox_r, mailbox_w, returns_r
        self.memory = os.memfd_create("camera", os.MFD_CLOEXEC)
        os.ftruncate(self.memory, SLOTS * height * width * 3)
        self._slots = slots_of(self.memory, height, width)
        self._free = list(range(SLOTS))
        self._sequence = 0
        self._overwritten = 0

    def buffer(self) -> "npt.NDArray[np.uint8]":
        """The slot to write the next picture into; the same until ``publish``."""
        self._take_returns()
        return self._slots[self._free[-1]]

    def publish(self, captured_ns: int, undecodable: int = 0) -> None:
        """Makes the picture in ``buffer`` the newest one. ``undecodable``: how many before it were none."""
        slot = self._free.pop()
        old = _read(self._mailbox_r)
        if old is not None:
            self._free.append(old.slot)
            self._overwritten += 1
        self._sequence += 1
        os.write(self._mailbox_w, _TOKEN.pack(slot, self._sequence, captured_ns, self._overwritten, undecodable))

    def wait_returned(self) -> None:
        """Waits until the reader has taken everything published and given it back."""
        while len(self._free) < SLOTS:
            select.select([self._returns_r], [], [])
            self._take_returns()

    def _take_returns(self) -> None:
        try:
            returned = os.read(self._returns_r, SLOTS)
        except BlockingIOError:
            return
        if not returned:
            raise EOFError("the reader of this camera has gone")
        self._free.extend(returned)


class MailboxReader:
    """The reader's side."""

    def __init__(self, fds: MailboxFds) -> None:
        self._fds = fds
        self._slots: list[npt.NDArray[np.uint8]] = []
        self._held: int | None = None

    def map(self, memory: int, height: int, width: int) -> None:
        """Maps the pictures; to be called before the first ``take``."""
        self._slots = slots_of(memory, height, width)

    def take(self) -> "tuple[Token, npt.NDArray[np.uint8]] | None":
        """The newest picture not taken yet, or None. Valid until ``release``, which must come first."""
        token = _read(self._fds.mailbox_r)
        if token is None:
            return None
        self._held = token.slot
        return token, self._slots[token.slot]

    def release(self) -> bool:
        """Gives the picture held back to the writer; True when there was one."""
        if self._held is None:
            return False
        with contextlib.suppress(BrokenPipeError):  # a dead writer's replacement has a mailbox of its own
            os.write(self._fds.returns_w, bytes((self._held,)))
        self._held = None
        return True

    def close(self) -> None:
        """Closes both pipe ends; pictures handed out stay readable as long as somebody refers to them."""
        self._held = None
        os.close(self._fds.mailbox_r)
        os.close(self._fds.returns_w)


def _read(mailbox: int) -> Token | None:
    try:
        data = os.read(mailbox, _TOKEN.size)
    except BlockingIOError:
        return None
    return Token(*_TOKEN.unpack(data)) if data else None
