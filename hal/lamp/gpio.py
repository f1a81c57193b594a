"""A lamp on a GPIO pin through gpiozero, on a Pi (``lgpio``) or on a desk (``mock``).

Invariants: the pin factory is the named one or the lamp does not open; opening a lamp leaves it dark for its owner
to switch; closing it makes the pin an input, which the external flasher reads as "take over". Without ``pwm_hz`` the
pin is digital and brightness has no effect. The mock twin models pins and a feedback wire; it does not model
current, warm-up of a lamp or the external flasher.
"""

import contextlib
import dataclasses
from typing import Any

import gpiozero

from hal.errors import DeviceOpenError, HalError, OptionError
from hal.lamp import pins
from hal.options import option
from hal.registry import Driver


@dataclasses.dataclass(frozen=True, slots=True)
class GpioLampOptions:
    """Options of ``driver: gpio`` of a lamp; pins are BCM numbers."""

    pin: int = option("灯的引脚(BCM 编号)", "pin of the lamp (BCM number)", ge=0, le=27)
    active_high: bool = option("高电平点亮", "the lamp is lit by a high level", default=True)
    pin_factory: str = option(
        "引脚驱动:树莓派用 lgpio,桌面用 mock;不会自动换用别的",
        "pin factory: lgpio on a Pi, mock on a desk; nothing else is tried",
        default="lgpio",
        choices=pins.FACTORIES,
    )
    pwm_hz: int | None = option(
        "调光频率(赫兹);不填则不调光",
        "dimming frequency in Hz; without it there is no dimming",
        default=None,
        ge=50,
        le=2000,
    )
    feedback_pin: int | None = option(
        "反馈输入引脚(证明灯亮)", "input pin that proves the lamp lit", default=None, ge=0, le=27
    )
    feedback_active_high: bool = option("反馈高电平表示灯亮", "a high feedback level means lit", default=True)
    mock_feedback: str = option(
        "仅 mock:反馈线接好、灯断路或常亮",
        "mock only: the feedback wire follows the lamp, or the lamp is open circuit or stuck lit",
        default="wired",
        choices=("wired", "open", "stuck"),
    )
    tap: str | None = option(
        "把每次亮灭追加写入此文件(JSON 行)", "append every change to this file (JSON lines)", default=None
    )

    def __post_init__(self) -> None:
        if self.feedback_pin is not None and self.feedback_pin == self.pin:
            raise OptionError("feedback_pin", self.feedback_pin, f"a pin other than the lamp's own ({self.pin})")
        if self.mock_feedback != "wired" and self.pin_factory != "mock":
            raise OptionError("mock_feedback", self.mock_feedback, "wired, unless pin_factory is mock")


class GpioLamp:
    """One open lamp. Raises HalError from ``set`` and ``feedback`` when the pin reports a failure."""

    def __init__(self, lamp: str, options: GpioLampOptions) -> None:
        self._lamp = lamp
        self._options = options
        self._output: Any = None
        self._input: Any = None
        try:
            self._open(pins.factory(options.pin_factory))
        except pins.reasons() as error:
            self.close()
            if isinstance(error, HalError):
                raise DeviceOpenError(f"lamp {lamp}: {error}") from error
            raise DeviceOpenError(
                f"lamp {lamp}: GPIO {options.pin} did not open through {options.pin_factory}: {pins.describe(error)}; "
                f"check that nothing else holds the pin and that the user is in the group gpio"
            ) from error

    def _open(self, factory: Any) -> None:
        options = self._options
        if options.pwm_hz is None:
            self._output = gpiozero.DigitalOutputDevice(
                options.pin, active_high=options.active_high, initial_value=False, pin_factory=factory
            )
        else:
            self._output = gpiozero.PWMOutputDevice(
                options.pin,
                active_high=options.active_high,
                initial_value=0,
                frequency=options.pwm_hz,
                pin_factory=factory,
            )
        if options.feedback_pin is not None:
            # Pulled towards dark: a cut feedback wire reads as a lamp that does not light, which is reported.
            self._input = gpiozero.InputDevice(
                options.feedback_pin, pull_up=not options.feedback_active_high, pin_factory=factory
            )
            if options.pin_factory == "mock":
                self._wire()

    def _wire(self) -> None:
        options = self._options
        if options.mock_feedback == "wired":
            lamp_pin = self._output.pin
            lamp_pin.wired_to = self._input.pin
            lamp_pin.inverted = options.active_high != options.feedback_active_high
            lamp_pin.drive_wire()
        elif (options.mock_feedback == "stuck") == options.feedback_active_high:
            self._input.pin.drive_high()
        else:
            self._input.pin.drive_low()

    def set(self, on: bool, brightness_pct: int) -> None:
        """Switches the pin; ``brightness_pct`` 0 to 100 counts only with ``pwm_hz``."""
        if self._output is None:
            raise HalError(f"lamp {self._lamp}: already closed")
        try:
            if self._options.pwm_hz is None:
                self._output.value = on
            else:
                self._output.value = min(100, max(0, brightness_pct)) / 100 if on else 0
        except pins.reasons() as error:
            raise HalError(
                f"lamp {self._lamp}: GPIO {self._options.pin} did not switch: {pins.describe(error)}"
            ) from error

    def feedback(self) -> bool | None:
        """Whether the feedback input reads lit; None without one."""
        if self._input is None:
            return None
        try:
            return bool(self._input.is_active)
        except pins.reasons() as error:
            raise HalError(
                f"lamp {self._lamp}: feedback GPIO {self._options.feedback_pin} did not read: {pins.describe(error)}"
            ) from error

    def close(self) -> None:
        """Makes the pins inputs; harmless when repeated."""
        if self._output is not None and self._options.pin_factory == "mock":
            self._output.pin.wired_to = None
        for device in (self._output, self._input):
            if device is not None:
                with contextlib.suppress(*pins.reasons()):
                    device.close()
        self._output = self._input = None


def _open(lamp: str, options: GpioLampOptions, _clock: Any) -> GpioLamp:
    return GpioLamp(lamp, options)


def _claims(options: GpioLampOptions) -> frozenset[str]:
    used = [options.pin] if options.feedback_pin is None else [options.pin, options.feedback_pin]
    return frozenset(f"gpio {pin}" for pin in used)


DRIVER = Driver(options=GpioLampOptions, open=_open, claims=_claims)
