"""Vision's end of ``vision.sock``: sends without ever waiting, and comes back when core does.

Invariants: a slow core costs messages (counted), never time; a missing one is looked for every ``RETRY_S``.
"""

import logging
import pathlib
import socket
from typing import Any

from device import ipc
from hal.clock import NS_PER_S, Clock

RETRY_S = 0.25
log = logging.getLogger(__name__)


class CoreLink:
    """See the module."""

    def __init__(self, path: pathlib.Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._peer: socket.socket | None = None
        self._retry_ns = 0
        self.dropped = 0

    def send(self, message: dict[str, Any]) -> None:
        """Sends one message, or drops and counts it."""
        if self._peer is not None:
            try:
                if ipc.send(self._peer, message):
                    return
            except OSError as error:
                self._lose(str(error))
        self.dropped += 1

    def connect(self) -> bool:
        """Looks for core when there is no connection; True when one has just been made."""
        now_ns = self._clock.monotonic_ns()
        if self._peer is not None or now_ns < self._retry_ns:
            return False
        try:
            self._peer = ipc.connect(self._path)
        except OSError:
            self._retry_ns = now_ns + round(RETRY_S * NS_PER_S)
            return False
        self._peer.setblocking(False)
        log.info("event=core_connected dropped=%d", self.dropped)
        return True

    def heard(self) -> list[dict[str, Any]]:
        """What core has said since the last call."""
        messages: list[dict[str, Any]] = []
        while self._peer is not None:
            try:
                message = ipc.receive(self._peer)
            except BlockingIOError:
                break
            except (EOFError, OSError) as error:
                self._lose(str(error))
                break
            if message is not None:
                messages.append(message)
        return messages

    def close(self) -> None:
        """Closes the connection."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def _lose(self, reason: str) -> None:
        log.warning("event=core_lost reason=%r", reason)
        self.close()
        self._retry_ns = self._clock.monotonic_ns() + round(RETRY_S * NS_PER_S)
