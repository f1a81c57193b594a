"""A lamp without pins, for simulated sites and fault injection.

It models a lamp that will not open, one that fails to switch, and what a feedback input would read for a good, open
circuit or stuck lamp. It does not model time (it lights and goes dark at once), brightness, current or the external
flasher.
"""

import dataclasses
from typing import Any

from hal.errors import DeviceOpenError, HalError
from hal.options import option
from hal.registry import Driver


@dataclasses.dataclass(frozen=True, slots=True)
class SimLampOptions:
    """Options of ``driver: sim`` of a lamp."""

    failure: str = option(
        "注入故障:打不开、切换失败、断路、常亮",
        "injected failure: it will not open, will not switch, is open circuit, is stuck lit",
        default="none",
        choices=("none", "will_not_open", "will_not_switch", "open", "stuck"),
    )
    feedback: bool = option("带反馈输入", "it has a feedback input", default=False)
    tap: str | None = option(
        "把每次亮灭追加写入此文件(JSON 行)", "append every change to this file (JSON lines)", default=None
    )


class SimLamp:
    """Remembers what it was told; ``on`` and ``brightness_pct`` are the last order."""

    def __init__(self, lamp: str, options: SimLampOptions) -> None:
        if options.failure == "will_not_open":
            raise DeviceOpenError(f"lamp {lamp}: simulated lamp does not open (failure: will_not_open)")
        self._lamp = lamp
        self._options = options
        self._closed = False
        self.on = False
        self.brightness_pct = 0

    def set(self, on: bool, brightness_pct: int) -> None:
        if self._closed:
            raise HalError(f"lamp {self._lamp}: already closed")
        if self._options.failure == "will_not_switch":
            raise HalError(f"lamp {self._lamp}: simulated lamp does not switch (failure: will_not_switch)")
        self.on = on
        self.brightness_pct = brightness_pct

    def feedback(self) -> bool | None:
        if not self._options.feedback:
            return None
        if self._options.failure in ("open", "stuck"):
            return self._options.failure == "stuck"
        return self.on

    def close(self) -> None:
        self._closed = True
        self.on = False


def _open(lamp: str, options: SimLampOptions, _clock: Any) -> SimLamp:
    return SimLamp(lamp, options)


DRIVER = Driver(options=SimLampOptions, open=_open)
