"""The outside of the node: ptys with radars on them, and the road users that they see.

One thread feeds all radars; where it may, it runs with real-time priority, because the road does not wait for a
processor. A radar writes one report a period, empty or not, stamped right before ``write``; it does not model the
radar's own signal processing, the UART's speed or lost bytes. Nobody answers commands, so sites say
``configure: false``.
"""

import bisect
import contextlib
import dataclasses
import os
import random
import threading
import time
import tty
from collections.abc import Callable, Sequence

from hal.clock import NS_PER_S
from hal.radar.ld2451_wire import WireTarget, encode_report
from tools.bench.taps import Visit

REACH_M = 100.0
Targets = Callable[[int], Sequence[WireTarget]]
"""What a radar sees at a moment (CLOCK_MONOTONIC nanoseconds)."""

_FIFO_PRIORITY = 60
_READ_BYTES = 4096


def empty(_at_ns: int) -> Sequence[WireTarget]:
    """An empty road."""
    return ()


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """Vehicles one after another for ever, so that somebody is always arriving: ``headway_s`` apart, from ``from_m``
    to the line at ``speed_kmh``. Two are in sight at any time, or one target alone would be taken for a stuck one."""

    from_m: float = REACH_M
    speed_kmh: int = 60
    headway_s: float = 3.0

    def __call__(self, at_ns: int) -> Sequence[WireTarget]:
        speed_mps = self.speed_kmh / 3.6
        first_m = self.from_m - speed_mps * ((at_ns / NS_PER_S) % self.headway_s)
        found = []
        distance_m = first_m
        while distance_m >= 0:
            found.append(WireTarget(0, int(distance_m), 1, self.speed_kmh))
            distance_m -= speed_mps * self.headway_s
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class Arrivals:
    """Single vehicles: each enters the reach at ``in_ns`` and turns off at ``out_ns``. ``visits`` in order of time."""

    visits: Sequence[Visit]
    speed_kmh: int = 60

    def __call__(self, at_ns: int) -> Sequence[WireTarget]:
        visit = present(self.visits, at_ns)
        if visit is None:
            return ()
        distance_m = REACH_M - self.speed_kmh / 3.6 * (at_ns - visit.in_ns) / NS_PER_S
        return (WireTarget(0, int(distance_m), 1, self.speed_kmh),)


def present(visits: Sequence[Visit], at_ns: int) -> Visit | None:
    """The visit that lasts at a moment, if any."""
    index = bisect.bisect_right(visits, at_ns, key=lambda visit: visit.in_ns) - 1
    if index < 0 or at_ns >= visits[index].out_ns:
        return None
    return visits[index]


def visits(start_ns: int, count: int, *, every_s: float, stay_s: float, chance: random.Random) -> list[Visit]:
    """Visits ``every_s`` apart, each at a random moment within a tenth of a second: the sensor's phase is chance."""
    found = []
    for number in range(count):
        in_ns = start_ns + round((number * every_s + chance.random() * 0.1) * NS_PER_S)
        found.append(Visit(in_ns, in_ns + round(stay_s * NS_PER_S)))
    return found


class Radar:
    """An LD2451 at the far end of a pty. ``targets`` and ``period_ns`` may change at any time."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.targets: Targets = empty
        self.period_ns = NS_PER_S // 10
        self.due_ns = 0
        self.written_ns: list[int] = []
        """When each report was written; cleared by who measures."""

    def play(self, targets: Targets, *, hz: float = 10.0) -> None:
        """Changes the road, and the rate of reports."""
        self.targets = targets
        self.period_ns = round(NS_PER_S / hz)
        self.written_ns = []

    def report(self) -> None:
        """Writes one report now."""
        data = encode_report(self.targets(time.monotonic_ns()))
        # Before the write: what the kernel takes for it counts too.
        self.written_ns.append(time.monotonic_ns())
        with contextlib.suppress(BlockingIOError):  # nobody reads: a radar does not wait
            os.write(self._master, data)
        with contextlib.suppress(BlockingIOError, OSError):  # questions of the driver; a closed far end reads as EIO
            os.read(self._master, _READ_BYTES)

    def close(self) -> None:
        """Pulls the cable."""
        os.close(self._master)
        os.close(self._slave)


class Feeder(threading.Thread):
    """Lets all radars report, each at its own rate and phase."""

    def __init__(self, radars: Sequence[Radar]) -> None:
        super().__init__(name="feeder", daemon=True)
        self._radars = radars
        self._stopping = threading.Event()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            # 0 is this thread alone; without the right to it the road is a little late, never early.
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_FIFO_PRIORITY))
        started_ns = time.monotonic_ns()
        for number, radar in enumerate(self._radars):
            radar.due_ns = started_ns + number * NS_PER_S // 10 // len(self._radars)
        while not self._stopping.is_set():
            radar = min(self._radars, key=lambda one: one.due_ns)
            now_ns = time.monotonic_ns()
            if now_ns < radar.due_ns:
                time.sleep((radar.due_ns - now_ns) / NS_PER_S)
            radar.report()
            radar.due_ns = max(radar.due_ns + radar.period_ns, time.monotonic_ns() - radar.period_ns)

    def close(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self.join(5)
