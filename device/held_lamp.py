"""One lamp as guard holds it: opened and reopened, flashed by its pattern, checked against its feedback, tapped.

Invariants: no failure of this lamp leaves this module, it becomes ``problem``; dark to lit switches the pin at once;
two patterns that are equal keep their phase. Drivers may come from entry points and raise anything, and one lamp must
not stop the others: that is why the calls into a driver, and only those, catch broadly.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from device.lamp_tap import Tap
from device.lease import Wish
from device.patterns import NS_PER_S, Pattern
from hal import registry
from hal.clock import NS_PER_MS, Clock
from hal.interfaces import Lamp, Shows

REOPEN_AFTER_NS = 5 * NS_PER_S
"""How long a lamp that would not open or switch is left alone; meanwhile the external flasher has it."""

SETTLE_NS = 20 * NS_PER_MS
"""A relay takes up to 10 ms to close (G5LE data sheet); the feedback is believed after twice that."""

STEADY_WINDOW_NS = NS_PER_S
"""A lamp that is not flashing is judged by the second (stuck on: reported within 1 s)."""


class FlashWitness:
    """Compares order and feedback over one whole flash: one reading that agrees is enough, none is a problem."""

    def __init__(self, now_ns: int) -> None:
        self.problem: str | None = None
        self._on = False
        self._since_ns = now_ns
        self._looked = False
        self._agreed = False

    def wants_look(self, now_ns: int) -> bool:
        """Whether a reading now would tell anything new."""
        return not self._agreed and now_ns - self._since_ns >= SETTLE_NS

    def look(self, lit: bool) -> None:
        """Takes one reading of the feedback."""
        self._looked = True
        self._agreed = self._agreed or lit == self._on

    def window_over(self, now_ns: int) -> bool:
        """Whether a lamp that was not switched has been watched long enough to judge."""
        return now_ns - self._since_ns >= STEADY_WINDOW_NS

    def ends_ns(self) -> int:
        """When the present window is over if the lamp is not switched before."""
        return self._since_ns + STEADY_WINDOW_NS

    def judge(self, on: bool, now_ns: int) -> None:
        """Ends the window that was, begins one in which the lamp is ordered ``on``."""
        text = "lit, feedback dark for a whole flash: open circuit" if self._on else "dark, feedback lit: stuck on"
        text = f"ordered {text}"
        if self._looked and not self._agreed:
            self.problem = text
        elif self._agreed and self.problem == text:
            self.problem = None
        self._on = on
        self._since_ns = now_ns
        self._looked = self._agreed = False


class HeldLamp:
    """One lamp of a node. Every method takes CLOCK_MONOTONIC nanoseconds and returns without waiting."""

    def __init__(
        self, lamp: str, driver: str, options: Mapping[str, Any], patterns: Mapping[Shows, Pattern], clock: Clock
    ) -> None:
        self.lamp = lamp
        self.on = False
        self.shows = Shows.FAULT
        self._driver = driver
        self._options = options
        self._patterns = patterns
        self._clock = clock
        self._device: Lamp | None = None
        self._open_problem: str | None = None
        self._feedback_problem: str | None = None
        self._retry_ns: int | None = None
        self._tap: Tap | None = None
        self._tapped: tuple[bool, Shows, int | None] | None = None
        self._caused_by_ns: int | None = None
        self._pattern: Pattern | None = None
        self._phase_ns = 0
        self._brightness_pct = 100
        self._lit_pct = 0
        self._witness: FlashWitness | None = None

    @property
    def held(self) -> bool:
        """Whether the lamp is open and obeyed its last order."""
        return self._device is not None

    @property
    def problem(self) -> str | None:
        """What is wrong with the lamp, or None."""
        witness = self._witness.problem if self._witness is not None else None
        return self._open_problem or self._feedback_problem or witness

    def open(self, now_ns: int) -> None:
        """Opens the device, or notes why not and when to try again."""
        try:
            options = registry.parse_options("lamp", self._driver, self._options)
            device: Lamp = registry.driver("lamp", self._driver).open(self.lamp, options, self._clock)
        except Exception as error:  # noqa: BLE001  # see the module's docstring
            self._let_go(f"will not open: {error}", now_ns)
            return
        tap = getattr(options, "tap", None)
        if tap is not None and self._tap is None:
            self._tap = Tap(tap)
        self._device = device
        self._open_problem = None
        self._retry_ns = None
        self.on = False
        self._lit_pct = 0
        self._tapped = None
        self._witness = FlashWitness(now_ns) if self._read_feedback() is not None else None

    def show(self, wish: Wish, brightness_pct: int, now_ns: int) -> None:
        """Takes what is to be shown and brings the pin there at once."""
        self.shows = wish.shows
        self._caused_by_ns = wish.caused_by_ns
        self._brightness_pct = brightness_pct
        pattern = None if wish.shows is Shows.CLEAR else self._patterns[wish.shows]
        if pattern != self._pattern:
            self._pattern = pattern
            self._phase_ns = now_ns
        self._bring(now_ns)

    def step(self, now_ns: int) -> int | None:
        """Does what is due; returns when it must be called again at the latest, or None for "not by itself"."""
        if self._retry_ns is not None and now_ns >= self._retry_ns:
            self.open(now_ns)
        self._bring(now_ns)
        if self._device is None:
            return self._retry_ns
        due = [] if self._witness is None else [self._witness.ends_ns()]
        if self._pattern is not None:
            to_edge_ns = self._pattern.to_next_edge_ns(now_ns - self._phase_ns)
            if to_edge_ns is not None:
                due.append(now_ns + to_edge_ns)
        return min(due, default=None)

    def close(self) -> None:
        """Releases the pin: the external flasher takes over."""
        if self._device is not None:
            with contextlib.suppress(Exception):
                self._device.close()
            self._device = None
        if self._tap is not None:
            self._tap.close()
            self._tap = None
        self.on = False

    def _bring(self, now_ns: int) -> None:
        """Pin first, then the tap."""
        if self._device is None:
            return
        on = self._pattern is not None and self._pattern.lit(now_ns - self._phase_ns)
        lit_pct = self._brightness_pct if on else 0
        self._watch(on, now_ns)
        if lit_pct != self._lit_pct or self._tapped is None:
            try:
                self._device.set(on, lit_pct)
            except Exception as error:  # noqa: BLE001  # see the module's docstring
                self._let_go(str(error), now_ns)
                return
            self._lit_pct = lit_pct
            self.on = on
        told = (on, self.shows, self._caused_by_ns)
        if told != self._tapped:
            self._tapped = told
            if self._tap is not None:
                self._tap.write(self._clock.monotonic_ns(), self.lamp, on, self.shows.value, self._caused_by_ns)

    def _watch(self, on: bool, now_ns: int) -> None:
        """Reads the feedback where that tells something; called before a switch, so that a flash is seen whole."""
        witness = self._witness
        if witness is None:
            return
        if witness.wants_look(now_ns):
            lit = self._read_feedback()
            if lit is not None:
                witness.look(lit)
        if on != self.on or witness.window_over(now_ns):
            witness.judge(on, now_ns)

    def _read_feedback(self) -> bool | None:
        assert self._device is not None
        try:
            lit = self._device.feedback()
        except Exception as error:  # noqa: BLE001  # see the module's docstring
            self._feedback_problem = str(error)
            return None
        self._feedback_problem = None
        return lit

    def _let_go(self, problem: str, now_ns: int) -> None:
        if self._device is not None:
            with contextlib.suppress(Exception):
                self._device.close()
        self._device = None
        self._open_problem = problem
        self._retry_ns = now_ns + REOPEN_AFTER_NS
        self.on = False
