"""What the wall clock and the weather decide: quiet hours, night, volume, wet road, fog. Pure; the caller reads clocks.

Invariants: with a clock that cannot be trusted the voice is quiet, the lamp is at full brightness and it counts as
night (a wrong hour must neither wake a village nor dim or delay a warning); what is set here can only widen a horizon.
"""

import dataclasses
import datetime
from collections.abc import Iterable
from typing import Any, Final

from pydantic import TypeAdapter

from configs.schema import SiteConfig
from hal.clock import ClockQuality


@dataclasses.dataclass(frozen=True, slots=True)
class DayState:
    """The period of the day as the pipeline may know it."""

    quiet: bool
    brightness_pct: int
    volume_pct: int
    clock_trusted: bool
    night: bool = False
    wet: bool = False
    visibility_m: float | None = None
    """None: good, or nobody has told."""


DAYLIGHT = DayState(quiet=False, brightness_pct=100, volume_pct=80, clock_trusted=True)

_WRITTEN: Final = TypeAdapter(DayState)


def day_message(day: DayState) -> dict[str, Any]:
    """A day state as a recording holds it."""
    return dataclasses.asdict(day)


def day_written(data: bytes) -> DayState:
    """The day state in the JSON of a recording's message; what a later version says besides is left out. Raises
    ValueError for anything else."""
    return _WRITTEN.validate_json(data, strict=True)


def day_state(config: SiteConfig, local: datetime.datetime, quality: ClockQuality) -> DayState:
    """The day state at local time ``local``. An RTC counts as trusted: it drifts by seconds, not by hours."""
    weather = config.conditions
    if quality is ClockQuality.FLOOR:
        return DayState(
            quiet=True,
            brightness_pct=100,
            volume_pct=0,
            clock_trusted=False,
            night=True,
            wet=weather.wet,
            visibility_m=weather.visibility_m,
        )
    now = local.strftime("%H:%M")
    quiet_hours = config.voice.quiet_hours
    night = within(now, config.night.start, config.night.end)
    return DayState(
        quiet=quiet_hours.enabled and within(now, quiet_hours.start, quiet_hours.end),
        brightness_pct=config.night.brightness_pct if night else 100,
        volume_pct=_volume(config, now),
        clock_trusted=True,
        night=night,
        wet=weather.wet,
        visibility_m=weather.visibility_m,
    )


def hazier(day: DayState, seen_m: Iterable[float | None]) -> DayState:
    """The day with the least visibility that anybody told: cameras (None: far, or unknown) can only take from what the
    county or a technician has set."""
    told = [far_m for far_m in (day.visibility_m, *seen_m) if far_m is not None]
    return dataclasses.replace(day, visibility_m=min(told, default=None))


def within(now: str, start: str, end: str) -> bool:
    """Whether ``HH:MM`` lies in [start, end), also over midnight. An empty period (start = end) is the whole day."""
    if start < end:
        return start <= now < end
    return now >= start or now < end


def _volume(config: SiteConfig, now: str) -> int:
    periods = sorted(config.voice.volume, key=lambda period: period.start)
    started = [period for period in periods if period.start <= now]
    return (started or periods)[-1].volume_pct
