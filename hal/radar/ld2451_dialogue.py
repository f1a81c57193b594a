"""One exchange of commands with an LD2451. Pure: acknowledgements and time come in, bytes go out.

The radar takes commands only in config mode, and in config mode it reports nothing. Invariant: whatever fails on the
way, the exchange ends by asking for END_CONFIG, several times if need be, because a radar left in config mode is blind.
"""

import dataclasses
from collections.abc import Sequence

from hal.clock import NS_PER_MS
from hal.radar.ld2451_wire import Ack, Command, encode_command

STEP_TIMEOUT_NS = 250 * NS_PER_MS
"""How long an answer may take. The vendor gives no figure; public drivers wait 200 to 500 ms."""

TRIES = 2
"""Times a command is sent before it counts as unanswered."""

END_TRIES = 4
"""Times END_CONFIG is sent: failing to leave config mode is the one failure that blinds."""

_ENABLE_VALUE = b"\x01\x00"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One command with its value."""

    command: Command
    value: bytes = b""


class Dialogue:
    """Enable, the steps in order, end. ``answers`` holds the successful answers, ``failure`` what went wrong first."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.answers: dict[Command, bytes] = {}
        self.failure: str | None = None
        self.answered = False
        self.done = False
        self._queue = [Step(Command.ENABLE_CONFIG, _ENABLE_VALUE), *steps]
        # A restarting radar leaves config mode by itself and answers nothing until it is up.
        if not steps or steps[-1].command is not Command.RESTART:
            self._queue.append(Step(Command.END_CONFIG))
        self._tries = 0
        self._sent_ns = 0

    def due_ns(self) -> int:
        """When the answer that is awaited runs out."""
        return self._sent_ns + STEP_TIMEOUT_NS

    def begin(self, now_ns: int) -> bytes:
        """The first bytes to send."""
        return self._send(now_ns)

    def on_ack(self, ack: Ack, now_ns: int) -> bytes:
        """Takes an answer; returns what to send next. Late answers to earlier commands are ignored."""
        if self.done or ack.command != self._queue[0].command:
            return b""
        self.answered = True
        step = self._queue.pop(0)
        if ack.status == 0:
            self.answers[step.command] = ack.value
        else:
            self._fail(f"refuses command 0x{step.command:02X} (status {ack.status})")
        return self._next(now_ns)

    def on_time(self, now_ns: int) -> bytes:
        """Sends again, or gives up on the step, once its answer has run out."""
        if self.done or now_ns < self.due_ns():
            return b""
        step = self._queue[0]
        self._tries += 1
        if self._tries < (END_TRIES if step.command is Command.END_CONFIG else TRIES):
            return self._send(now_ns)
        self._queue.pop(0)
        self._fail(f"does not answer command 0x{step.command:02X}")
        return self._next(now_ns)

    def _fail(self, what: str) -> None:
        if self.failure is None:
            self.failure = what
        # Nothing more is tried but the way out of config mode.
        self._queue = [step for step in self._queue if step.command is Command.END_CONFIG]

    def _next(self, now_ns: int) -> bytes:
        self._tries = 0
        if not self._queue:
            self.done = True
            return b""
        return self._send(now_ns)

    def _send(self, now_ns: int) -> bytes:
        self._sent_ns = now_ns
        step = self._queue[0]
        return encode_command(step.command, step.value)
