"""Asks core for its status once a second, on a thread of its own, so that a core that hangs delays no message."""

import dataclasses
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from device import control

POLL_S: Final = 1.0
TIMEOUT_S: Final = 0.8
"""Poll and timeout together stay below the 2 s in which a change of health has to be sent."""

Ask = Callable[..., Any]
"""``device.control.call`` for one node: ``ask(verb, args, timeout_s=…)``. Raises ControlError."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """One answer of core, or why there was none. ``number`` counts them."""

    number: int
    status: Mapping[str, Any] | None
    why_not: str | None


class CoreWatch:
    """The last answer of core; ``on_news`` is called after each."""

    def __init__(self, ask: Ask, on_news: Callable[[], None], every_s: float = POLL_S) -> None:
        self._core = ask
        self._on_news = on_news
        self._every_s = every_s
        self._stop = threading.Event()
        self._seen = Seen(0, None, "core has not been asked yet")
        self._thread = threading.Thread(target=self._run, name="core-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def latest(self) -> Seen:
        """The last answer; ``number`` is 0 until there is one."""
        return self._seen

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * TIMEOUT_S)

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self._seen = self._ask(number)
            self._on_news()
            self._stop.wait(self._every_s)

    def _ask(self, number: int) -> Seen:
        try:
            status = self._core("status", timeout_s=TIMEOUT_S)
        except (control.ControlError, ValueError, AttributeError) as error:
            return Seen(number, None, str(error))
        if not isinstance(status, Mapping):
            return Seen(number, None, f"core answered {type(status).__name__}, not an object")
        return Seen(number, status, None)
