"""A radar at the far end of a pty: an LD2451 that reports what it is told, answers commands, and can misbehave.

For demonstrations, benches and tests that want real bytes on a real file descriptor: ``Ld2451Twin().path`` goes into
a site file. It does not model the radar's own timing: frames go out when ``send`` is called.
"""

import contextlib
import os
import select
import struct
import threading
import time
import tty
from collections.abc import Iterable

from hal.interfaces import WireCounters
from hal.radar.ld2451_wire import (
    Command,
    Framer,
    WireTarget,
    encode_ack,
    encode_report,
)

JOIN_S = 10.0
"""How long the answering thread may take to end."""


class PtyRadar:
    """The far end of a pty with nobody answering: ``path`` is what a driver opens."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._plugged = True

    def send_bytes(self, raw: bytes, *, split: int | Iterable[int] | None = None, pause_s: float = 0.0) -> None:
        """Writes bytes as they are; ``split``: pieces of that many bytes, or cuts at those positions."""
        if split is None:
            cuts: list[int] = []
        elif isinstance(split, int):
            cuts = list(range(split, len(raw), split))
        else:
            cuts = sorted(split)
        for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
            os.write(self._master, raw[start:end])
            if pause_s:
                time.sleep(pause_s)

    def writable(self) -> bool:
        """Whether a frame can be written without waiting: a port that nobody reads fills up after 4 KiB."""
        return bool(select.select([], [self._master], [], 0)[1])

    def unplug(self) -> None:
        """The cable comes out. What another thread still writes goes nowhere: the descriptor stays taken, or its number
        would soon be somebody else's file."""
        if self._plugged:
            self._plugged = False
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, self._master)
            os.close(nowhere)
            os.close(self._slave)

    def close(self) -> None:
        """Pulls the cable for good: nobody writes any more."""
        self.unplug()
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def __enter__(self) -> "PtyRadar":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


class Ld2451Twin(PtyRadar):
    """An LD2451: reports targets, and answers the command channel from a thread of its own.

    ``mute``: answers nothing. ``lose``: how many of the next answers are lost. ``delay_s``: how long an answer takes.
    ``corrupt``: the next answers get a bit flipped. ``refuse``: commands answered with status 1. ``deaf``: SET
    commands are acknowledged but not taken. ``commands``: every command heard, as (word, value).
    """

    def __init__(self) -> None:
        super().__init__()
        self.mute = False
        self.lose = 0
        self.delay_s = 0.0
        self.corrupt = 0
        self.refuse: set[int] = set()
        self.deaf = False
        self.commands: list[tuple[int, bytes]] = []
        self.configuring = False
        self.detection = bytes((60, 1, 5, 2))
        self.sensitivity = bytes((4, 4, 0, 0))
        self.baud_code = 5
        self._framer = Framer(WireCounters(), answers=False)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="ld2451-twin", daemon=True)
        self._thread.start()

    def send(self, targets: Iterable[WireTarget] = ()) -> None:
        """One report frame; nothing at all while it is being configured, like the real one."""
        if not self.configuring:
            self.send_bytes(encode_report(targets))

    def heard(self, command: Command) -> int:
        """How often a command was heard."""
        return sum(1 for word, _value in list(self.commands) if word == command)

    def close(self) -> None:
        """Ends the thread and pulls the cable."""
        if self._thread.is_alive():
            os.write(self._stop_write, b"x")
            self._thread.join(JOIN_S)
            os.close(self._stop_read)
            os.close(self._stop_write)
        super().close()

    def __enter__(self) -> "Ld2451Twin":
        return self

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ready, _, _ = select.select([self._master, self._stop_read], [], [])
                if self._stop_read in ready:
                    return
                heard = os.read(self._master, 4096)
                if not heard:
                    return  # unplugged
                for _report, payload in self._framer.feed(heard):
                    self._command(struct.unpack_from("<H", payload)[0], payload[2:])

    def _command(self, word: int, value: bytes) -> None:
        self.commands.append((word, value))
        if self.mute:
            return
        if not self.configuring and word != Command.ENABLE_CONFIG and word != Command.END_CONFIG:
            return
        status, answer = (1, b"") if word in self.refuse else (0, self._answer(word, value))
        ack = encode_ack(word, status, answer)
        if self.lose > 0:
            self.lose -= 1
            return
        if self.corrupt > 0:
            self.corrupt -= 1
            ack = bytes((*ack[:5], ack[5] ^ 0x40, *ack[6:]))
        if self.delay_s:
            time.sleep(self.delay_s)
        self.send_bytes(ack)

    def _answer(self, word: int, value: bytes) -> bytes:
        if word == Command.ENABLE_CONFIG:
            self.configuring = True
            return b"\x01\x00\x40\x00"
        if word in (Command.END_CONFIG, Command.RESTART):
            self.configuring = False
        elif word == Command.SET_DETECTION and not self.deaf:
            self.detection = value
        elif word == Command.SET_SENSITIVITY and not self.deaf:
            self.sensitivity = value
        elif word == Command.GET_DETECTION:
            return self.detection
        elif word == Command.GET_SENSITIVITY:
            return self.sensitivity
        elif word == Command.VERSION:
            return bytes.fromhex("5124 0101 10150524")
        elif word == Command.SET_BAUD:
            self.baud_code = value[0]
        return b""
