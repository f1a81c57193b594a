"""The one place that makes gpiozero pin factories.

Invariants: the factory is the one the site file names, nothing else is tried when it will not load (gpiozero's own
default falls back silently to whatever imports); one factory a name and process, so that gpiozero itself refuses
two devices on one pin; leaving the process without ``close_all`` leaves pins as they are, with it they are inputs.
"""

import contextlib
import os
import pathlib
import sys
import tempfile
from collections import deque
from typing import Any

import gpiozero
from gpiozero.exc import PinUnknownPi
from gpiozero.pins.mock import MockFactory, MockPWMPin

from hal.clock import SYSTEM_CLOCK
from hal.errors import DeviceOpenError

FACTORIES = ("lgpio", "native", "mock")

GENERIC_REVISION = 0xA02082
"""A Raspberry Pi 3B, gpiozero's own example: it names GPIO 0 to 27, which off a Pi are lines 0 to 27 of chip 0."""

MOCK_STATES_KEPT = 64
"""gpiozero's mock pins remember every edge for ever: at a 10 Hz heartbeat that is 100 MB a day."""

_REASONS = (gpiozero.GPIOZeroError, OSError, ImportError, ValueError, AssertionError)

_made: dict[str, Any] = {}


class DeskPin(MockPWMPin):  # type: ignore[misc]  # gpiozero ships no types
    """A mock pin for a desk: digital or PWM, remembers its last edges and can be wired to a feedback input.

    ``edge_ns`` is CLOCK_MONOTONIC of the last change. ``wired_to`` follows this pin as a current sensor in the
    lamp's supply would; ``inverted`` where the lamp is active-low and the sensor active-high or the reverse.
    """

    def __init__(self, factory: Any, info: Any) -> None:
        self.edge_ns = 0
        self.wired_to: Any = None
        self.inverted = False
        super().__init__(factory, info)

    def clear_states(self) -> None:
        super().clear_states()
        self.states: Any = deque(self.states, maxlen=MOCK_STATES_KEPT)

    def _change_state(self, value: float) -> bool:
        changed = bool(super()._change_state(value))
        if changed:
            self.edge_ns = SYSTEM_CLOCK.monotonic_ns()
        self.drive_wire()
        return changed

    def drive_wire(self) -> None:
        """Brings the wired feedback input to this pin's level; nothing while no wire is attached."""
        if self.wired_to is not None:
            high = bool(self.state) != self.inverted
            (self.wired_to.drive_high if high else self.wired_to.drive_low)()


def factory(name: str) -> Any:
    """The pin factory of that name. Raises DeviceOpenError when it will not load here."""
    if name not in _made:
        try:
            _made[name] = _make(name)
        except reasons() as error:
            raise DeviceOpenError(
                f"pin factory {name} did not load: {describe(error)}; on a Raspberry Pi check /dev/gpiochip* and the "
                f"group gpio, on a desk set pin_factory: mock"
            ) from error
    return _made[name]


def mock_pin(number: int) -> DeskPin:
    """The mock pin of that number, for benches and tests in the same process as the lamp."""
    pin = factory("mock").pin(number)
    assert isinstance(pin, DeskPin)
    return pin


def close_all() -> None:
    """Turns every pin into an input and forgets the factories: the external flasher takes over."""
    while _made:
        _, made = _made.popitem()
        with contextlib.suppress(*reasons()):
            made.close()


def _make(name: str) -> Any:
    if name == "mock":
        return MockFactory(pin_class=DeskPin)
    if name == "lgpio":
        return _lgpio_factory()
    if name == "native":
        from gpiozero.pins.native import NativeFactory

        return NativeFactory()
    raise gpiozero.BadPinFactory(f"{name!r} is none of {', '.join(FACTORIES)}")


def _lgpio_factory() -> Any:
    # lgpio makes a named pipe (.lgd-nfy0) in the working directory when it is imported, and will not import where
    # it cannot. Only its edge callbacks use that pipe, and nothing here asks for callbacks.
    home = pathlib.Path.cwd()
    with tempfile.TemporaryDirectory(prefix="lgpio-") as scratch:
        try:
            os.chdir(scratch)
            from gpiozero.pins.lgpio import LGPIOFactory
        finally:
            os.chdir(home)

    class AnyBoard(LGPIOFactory):  # type: ignore[misc]  # gpiozero ships no types
        """lgpio drives any Linux gpiochip, but gpiozero asks for a Pi's revision code to name the pins."""

        def _get_revision(self) -> int:
            try:
                return int(super()._get_revision())
            except PinUnknownPi:
                return GENERIC_REVISION

    return AnyBoard()


def reasons() -> tuple[type[BaseException], ...]:
    """What a pin may raise: gpiozero's tree, the kernel's, and lgpio's own error, which derives from Exception."""
    lgpio = sys.modules.get("lgpio")
    return _REASONS if lgpio is None else (*_REASONS, lgpio.error)


def describe(error: BaseException) -> str:
    """The error in one line: gpiozero and lgpio sometimes give no text at all."""
    return f"{type(error).__name__}: {error}".rstrip(": ")
