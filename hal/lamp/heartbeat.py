"""The heartbeat pin: toggled by guard while its loop runs, read by an external flasher that flashes unless it toggles.

Invariants: stuck high and stuck low both mean "flash"; closing makes the pin an input, which is a stuck line.
"""

import contextlib
import dataclasses
from typing import Any

import gpiozero

from hal.errors import DeviceOpenError, HalError
from hal.lamp import pins
from hal.options import option
from hal.registry import Driver


@dataclasses.dataclass(frozen=True, slots=True)
class HeartbeatOptions:
    """Options of the heartbeat pin (BCM number)."""

    pin: int = option("心跳引脚(BCM 编号)", "heartbeat pin (BCM number)", ge=0, le=27)
    pin_factory: str = option(
        "引脚驱动:树莓派用 lgpio,桌面用 mock",
        "pin factory: lgpio on a Pi, mock on a desk",
        default="lgpio",
        choices=pins.FACTORIES,
    )


class HeartbeatPin:
    """An open heartbeat line, low until set."""

    def __init__(self, options: HeartbeatOptions) -> None:
        self._pin = options.pin
        try:
            self._output: Any = gpiozero.DigitalOutputDevice(
                options.pin, initial_value=False, pin_factory=pins.factory(options.pin_factory)
            )
        except pins.reasons() as error:
            raise DeviceOpenError(
                f"heartbeat: GPIO {options.pin} did not open through {options.pin_factory}: {pins.describe(error)}; "
                f"check that nothing else holds the pin and that the user is in the group gpio"
            ) from error

    def set(self, high: bool) -> None:
        """Drives the line. Raises HalError when the pin reports a failure."""
        try:
            self._output.value = high
        except pins.reasons() as error:
            raise HalError(f"heartbeat: GPIO {self._pin} did not switch: {pins.describe(error)}") from error

    def close(self) -> None:
        """Makes the pin an input."""
        with contextlib.suppress(*pins.reasons()):
            self._output.close()


def _open(_name: str, options: HeartbeatOptions, _clock: Any) -> HeartbeatPin:
    return HeartbeatPin(options)


DRIVER = Driver(options=HeartbeatOptions, open=_open, claims=lambda options: frozenset({f"gpio {options.pin}"}))
