"""A lamp for replay: accepts every order and lights nothing; what it would show goes to the ``tap``.

It does not model a lamp that fails, feedback or time.
"""

import dataclasses
from typing import Any

from hal.errors import HalError
from hal.options import option
from hal.registry import Driver


@dataclasses.dataclass(frozen=True, slots=True)
class ReplayLampOptions:
    """Options of ``driver: replay`` of a lamp."""

    tap: str | None = option(
        "把每次亮灭追加写入此文件(JSON 行)", "append every change to this file (JSON lines)", default=None
    )


class ReplayLamp:
    """Takes orders until it is closed."""

    def __init__(self, lamp: str) -> None:
        self._lamp = lamp
        self._closed = False

    def set(self, on: bool, brightness_pct: int) -> None:
        if self._closed:
            raise HalError(f"lamp {self._lamp}: already closed")

    def feedback(self) -> bool | None:
        return None

    def close(self) -> None:
        self._closed = True


def _open(lamp: str, _options: ReplayLampOptions, _clock: Any) -> ReplayLamp:
    return ReplayLamp(lamp)


DRIVER = Driver(options=ReplayLampOptions, open=_open)
