"""The only module that reads a clock.

Invariants: decisions use ``monotonic_ns`` alone; wall time only stamps events and picks the period of the day,
and always travels with its quality. Everything that needs time takes a ``Clock``, so that tests and replay can
hand in a virtual one.
"""

import ctypes
import datetime
import enum
import pathlib
import time
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

BUILD_FLOOR_UNIX_S = 1_795_305_600
"""2026-11-22T00:00Z: no node of this version ran before it, so an earlier wall clock is certainly wrong."""

_TIME_ERROR = 5
"""Return value of adjtimex(2) when the kernel clock is not synchronised (``TIME_ERROR`` in <sys/timex.h>)."""


class ClockQuality(enum.StrEnum):
    """How far the wall clock can be trusted."""

    SYNCED = "synced"
    RTC = "rtc"
    FLOOR = "floor"


class Clock(Protocol):
    """What the project asks of time."""

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC in nanoseconds."""

    def wall_ns(self) -> int:
        """Unix time in nanoseconds; never used for a decision."""

    def quality(self) -> ClockQuality:
        """How far ``wall_ns`` can be trusted."""

    def sleep_s(self, duration_s: float) -> None:
        """Waits, or for a virtual clock advances."""


class _Timex(ctypes.Structure):
    # Only ``modes`` (0 = read) is set; the kernel fills the rest. 26 words cover struct timex on 32 and 64 bit.
    _fields_ = [("modes", ctypes.c_uint), ("rest", ctypes.c_long * 40)]


def _kernel_says_synced() -> bool:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        return 0 <= int(libc.adjtimex(ctypes.byref(_Timex()))) < _TIME_ERROR
    except (OSError, AttributeError):
        return False


class SystemClock:
    """The machine's clocks."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def quality(self) -> ClockQuality:
        if time.time_ns() < BUILD_FLOOR_UNIX_S * NS_PER_S:
            return ClockQuality.FLOOR
        return ClockQuality.SYNCED if _kernel_says_synced() else ClockQuality.RTC

    def sleep_s(self, duration_s: float) -> None:
        time.sleep(max(0.0, duration_s))


class VirtualClock:
    """A clock that stands still until told; for replay and tests. It does not model drift between its two times."""

    def __init__(self, *, start_ns: int = 0, wall_ns: int = BUILD_FLOOR_UNIX_S * NS_PER_S) -> None:
        self._now_ns = start_ns
        self._wall_offset_ns = wall_ns - start_ns
        self._quality = ClockQuality.SYNCED

    def monotonic_ns(self) -> int:
        return self._now_ns

    def wall_ns(self) -> int:
        return self._now_ns + self._wall_offset_ns

    def quality(self) -> ClockQuality:
        return self._quality

    def set_quality(self, quality: ClockQuality) -> None:
        self._quality = quality

    def sleep_s(self, duration_s: float) -> None:
        self.advance_ns(round(max(0.0, duration_s) * NS_PER_S))

    def advance_ns(self, step_ns: int) -> None:
        """Moves time forward; a negative step is a mistake of the caller."""
        if step_ns < 0:
            raise ValueError(f"time does not run backwards: step {step_ns} ns")
        self._now_ns += step_ns


def local_time(wall_ns: int) -> datetime.datetime:
    """Wall time as local calendar time, for the period of the day and for people."""
    return datetime.datetime.fromtimestamp(wall_ns / NS_PER_S).astimezone()


def iso_utc(wall_ns: int) -> str:
    """Wall time as ISO 8601 in UTC with milliseconds, for messages."""
    when = datetime.datetime.fromtimestamp(wall_ns / NS_PER_S, datetime.UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def boot_id() -> str:
    """The kernel's id of this boot: monotonic times of two boots cannot be compared."""
    try:
        return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


SYSTEM_CLOCK = SystemClock()
