"""A second, plain account of a face's health, for the explorations of its states: in steps, and without device.health.

The hour and the day of camera alone are made two and three steps of ten seconds; tests/unit/test_health.py knows how
long they are.
"""

import dataclasses
import functools

import pytest

from device import camera_alone
from device.sensor_board import SensorBoard

STEP_S = 10
FAULT, RECOVERY, DAY, HOUR = 3, 1, 3, 2
"""In steps: 30 s and 10 s, and what a day and an hour are made."""


def shorten_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of three steps and an hour of two."""
    monkeypatch.setattr(camera_alone, "CAMERA_ALONE_MAX_S", float(DAY * STEP_S))
    monkeypatch.setattr(camera_alone, "RADARS_BACK_FOR_S", float(HOUR * STEP_S))


def later(steps: int | None, most: int) -> int | None:
    """One step more, counted up to ``most``."""
    return None if steps is None else min(most, steps + 1)


@dataclasses.dataclass(frozen=True)
class HealthAccount:
    """What became of the sensors, in steps ago and counted as far as something depends on it."""

    fault: int = 0  # so many steps on end the face has been in fault
    well: int = 2  # so many steps ago there was a reason to be
    booting: bool = False
    alone: int | None = None  # so many steps ago a camera first stood alone and the radars were not back since
    back: int | None = None  # so many steps ago they came back meanwhile

    @classmethod
    def at_start(cls, *, booted: bool) -> "HealthAccount":
        return cls() if booted else cls(fault=FAULT, well=0, booting=True)

    def after(self, *, reason: bool, camera_alone: bool, radars_back: bool) -> tuple["HealthAccount", bool]:
        """One step later, and whether the day of camera alone is over. ``reason``: whatever else is a fault now."""
        alone, back = later(self.alone, DAY + 1), None
        if camera_alone and alone is None:
            alone = 0
        if alone is not None and radars_back:
            back = 0 if self.back is None else self.back + 1
            if back >= HOUR:
                alone = back = None
        over = camera_alone and alone is not None and alone > DAY
        well = 0 if reason or over else min(2, self.well + 1)
        earned = well > RECOVERY and (self.booting or self.fault >= FAULT)
        fault = min(FAULT, self.fault + 1) if well == 0 or (self.fault and not earned) else 0
        return HealthAccount(fault, well, self.booting and fault > 0, alone, back), over


@functools.cache
def board(*says: tuple[str, str]) -> SensorBoard:
    """A board on which each sensor is "ok", "silent" (never heard), "frozen", "flooded", "slow" or says that it is
    lost ("problem"). Only the silent ones are never to be heard."""
    made = SensorBoard(frozenset(sensor for sensor, _word in says), {})
    for sensor, word in says:
        if word == "problem":
            made.problem(sensor, "lost")
        if word in ("frozen", "flooded", "slow"):
            setattr(made._sensors[sensor].watch, word, True)
        if word in ("flooded", "slow"):
            made.suspects |= {sensor}
    return made


def heard(says: tuple[tuple[str, str], ...], now_ns: int) -> SensorBoard:
    """The board of these sensors, now."""
    made = board(*says)
    for sensor, word in says:
        if word != "silent":
            made.heard(sensor, now_ns)
    return made
