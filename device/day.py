"""What the wall clock decides: quiet hours, night, volume. Pure; the caller reads the clock.

Invariants: with a clock that cannot be trusted the voice is quiet and the lamp is at full brightness (a wrong hour
must neither wake a village nor dim a warning); no decision about a lamp's *level* depends on this.
"""

import dataclasses
import datetime

from configs.schema import SiteConfig
from hal.clock import ClockQuality


@dataclasses.dataclass(frozen=True, slots=True)
class DayState:
    """The period of the day as the pipeline may know it."""

    quiet: bool
    brightness_pct: int
    volume_pct: int
    clock_trusted: bool


DAYLIGHT = DayState(quiet=False, brightness_pct=100, volume_pct=80, clock_trusted=True)


def day_state(config: SiteConfig, local: datetime.datetime, quality: ClockQuality) -> DayState:
    """The day state at local time ``local``. An RTC counts as trusted: it drifts by seconds, not by hours."""
    if quality is ClockQuality.FLOOR:
        return DayState(quiet=True, brightness_pct=100, volume_pct=0, clock_trusted=False)
    now = local.strftime("%H:%M")
    quiet_hours = config.voice.quiet_hours
    night = config.night
    return DayState(
        quiet=quiet_hours.enabled and within(now, quiet_hours.start, quiet_hours.end),
        brightness_pct=night.brightness_pct if within(now, night.start, night.end) else 100,
        volume_pct=_volume(config, now),
        clock_trusted=True,
    )


def within(now: str, start: str, end: str) -> bool:
    """Whether ``HH:MM`` lies in [start, end), also over midnight. An empty period (start = end) is the whole day."""
    if start < end:
        return start <= now < end
    return now >= start or now < end


def _volume(config: SiteConfig, now: str) -> int:
    periods = sorted(config.voice.volume, key=lambda period: period.start)
    started = [period for period in periods if period.start <= now]
    return (started or periods)[-1].volume_pct
