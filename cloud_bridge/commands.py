"""The office's commands: judged, acted on by core.sock and answered, one after the other, on a thread of their own.

Invariants: what waits is bounded on both sides, so that a flood costs commands and nothing else; what core is asked is
one of four requests made here, none of which can make a lamp dark; the thread begins with the first command.
"""

import contextlib
import logging
import pathlib
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloud_bridge.command_judge import CommandRefused, judge
from cloud_bridge.command_payloads import (
    Command,
    CommandVerb,
    LampTestArguments,
    RecordArguments,
    ReplyBody,
    SayArguments,
)
from cloud_bridge.health import health_body
from cloud_bridge.mqtt import Received
from cloud_bridge.topics import OutboxHealth, Payload
from device import control
from hal.clock import Clock

log = logging.getLogger(__name__)

WAITING: Final = 8
KEPT: Final = 4
"""Recordings made by command that stay, each of ten minutes at most."""

FOLDER: Final = "commanded"
MAX_VERB_CHARS: Final = 32
"""Of a topic's last part; a stranger's may have 65,000, and it is in the answer."""

Ask = Callable[[str, Mapping[str, Any]], Any]
"""Asks core: (verb, arguments) -> its answer. Raises ControlError."""


class Commands:
    """The commands to one node. ``offer`` is for the link's thread, ``reply`` for the bridge's."""

    def __init__(
        self,
        node: str,
        state_dir: pathlib.Path,
        county: pathlib.Path,
        clock: Clock,
        ask: Ask,
        report: Callable[[], None],
    ) -> None:
        self._node = node
        self._recordings = state_dir / FOLDER
        self._county = county
        self._clock = clock
        self._ask = ask
        self._report = report
        self._waiting: queue.Queue[Received | None] = queue.Queue(WAITING)
        self._replies: queue.Queue[ReplyBody] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None
        self.dropped = 0
        self.problem: str | None = None

    def subscribed(self, problem: str | None) -> None:
        """Whether the broker lets this node hear its commands; ``problem`` in words where it does not."""
        self.problem = problem

    def offer(self, message: Received) -> None:
        """A message of a command topic; dropped where too many wait. An empty one takes a retained message back."""
        if not message.payload:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """What is being done is done; what waits is not."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        with contextlib.suppress(queue.Full):  # from the link's thread, in this very moment: the thread is a daemon
            self._waiting.put_nowait(None)

    def reply(self) -> ReplyBody | None:
        """The next answer to send, None where there is none."""
        try:
            return self._replies.get_nowait()
        except queue.Empty:
            return None

    def answer(self, message: Received) -> ReplyBody:
        """Judges a command, does it, and says what came of it."""
        verb = _verb(message)
        seq = None
        try:
            command, arguments = judge(
                message.payload,
                verb,
                retained=message.retained,
                node=self._node,
                folder=self._county,
                clock=self._clock,
            )
            seq = command.seq
            log.info("event=command verb=%s seq=%d", verb, seq)
            return ReplyBody(command_seq=seq, verb=verb, outcome="done", result=self._act(command, arguments))
        except CommandRefused as refused:
            log.warning("event=command_refused verb=%s code=%s", ascii(verb), refused.code)
            return ReplyBody(command_seq=refused.seq, verb=verb, outcome="refused", code=refused.code, why=str(refused))
        except (control.ControlError, OSError, ValueError) as error:
            log.warning("event=command_failed verb=%s error=%r", ascii(verb), error)
            return ReplyBody(command_seq=seq, verb=verb, outcome="failed", why=str(error))

    def _act(self, command: Command, arguments: Payload) -> dict[str, Any]:
        match arguments:
            case SayArguments():
                return _heard(_object(self._ask("say", {"clip": arguments.clip, "speaker": arguments.speaker})))
            case LampTestArguments():
                return _object(self._ask("lamp", arguments.model_dump()))
            case RecordArguments():
                self._recordings.mkdir(exist_ok=True)
                path = self._recordings / f"{command.seq:016}.mcap"
                made = _object(self._ask("record_start", {"path": str(path), "seconds": arguments.seconds}))
                for old in sorted(self._recordings.glob("*.mcap"))[:-KEPT]:
                    old.unlink(missing_ok=True)
                return made
        if command.verb is CommandVerb.REPORT:
            self._report()
            return {}
        return _self_test(_object(self._ask("status", {})))

    def _run(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                reply = self.answer(message)
            except Exception as error:  # a thread's top: one command must not end all that follow
                log.exception("event=command_failed")
                reply = ReplyBody(verb=_verb(message), outcome="failed", why=repr(error))
            try:
                self._replies.put_nowait(reply)
            except queue.Full:
                self.dropped += 1


def _verb(message: Received) -> str:
    return message.topic.rpartition("/")[2][:MAX_VERB_CHARS]


def _self_test(status: Mapping[str, Any]) -> dict[str, Any]:
    """What is not well, of all that core watches; the lamps and sensors are at work meanwhile."""
    body = health_body(status, None, OutboxHealth(lag=0, backlog=0, sent=0, confirmed=0), None)
    faces = {name: face.reasons for name, face in body.faces.items() if face.health != "ok"}
    parts = {name: part.problem or part.state for name, part in body.parts.items() if part.state != "OK"}
    return {"ok": not faces and not parts and body.booting is False, "faces": faces, "parts": parts}


def _heard(said: dict[str, Any]) -> dict[str, Any]:
    """What core says of a clip. Raises ControlError where a speaker that was asked could not play it."""
    silent = [f"{name}: {problem}" for name, problem in _object(said.get("speakers", {})).items() if problem]
    if silent:
        raise control.ControlError("; ".join(silent))
    return said


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise ValueError(f"core answered {type(answer).__name__}, not an object")
    return answer
