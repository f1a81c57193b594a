"""What the lamps did, as their taps tell it (DESIGN.md §5), and how that answers what was fed in. Matching is pure."""

import bisect
import dataclasses
import json
import math
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence

from hal.clock import NS_PER_MS, NS_PER_S

POLL_S = 0.002


@dataclasses.dataclass(frozen=True, slots=True)
class TapLine:
    """One line of a tap: after the pin had been switched, at ``mono_ns``."""

    mono_ns: int
    lamp: str
    on: bool
    shows: str
    caused_by_ns: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Visit:
    """A road user is there from ``in_ns`` until ``out_ns`` (CLOCK_MONOTONIC)."""

    in_ns: int
    out_ns: int


class Tap:
    """Reads one tap file while it grows."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def skip(self) -> None:
        """Forgets what was written so far."""
        self.news()

    def news(self) -> list[TapLine]:
        """The lines since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [TapLine(**json.loads(line)) for line in whole]

    def all(self) -> list[TapLine]:
        """Every line there is."""
        return Tap(self._path).news()

    def until(self, wanted: Callable[[TapLine], bool], within_s: float) -> TapLine | None:
        """The first line from now on that is wanted, or None when none came in time."""
        deadline_ns = time.monotonic_ns() + round(within_s * NS_PER_S)
        while time.monotonic_ns() < deadline_ns:
            for line in self.news():
                if wanted(line):
                    return line
            time.sleep(POLL_S)
        return None


def frame_latencies_ms(written_ns: Sequence[int], lines: Iterable[TapLine], lamp: str) -> list[float]:
    """For each frame the time from its last byte until guard applied a renewal caused by it or by a newer one.

    A frame that was read together with the next one has the renewal of both; one that never caused any (all lines
    are older) is infinite, except after the last line, where the measurement was just over.
    """
    applied: dict[int, int] = {}
    for line in lines:
        if line.lamp == lamp and line.caused_by_ns is not None:
            applied.setdefault(line.caused_by_ns, line.mono_ns)
    caused = sorted(applied)
    # A newer cause can only be applied later, so the first that is not older than the frame is the earliest.
    found = []
    for at_ns in written_ns:
        index = bisect.bisect_left(caused, at_ns)
        found.append((applied[caused[index]] - at_ns) / NS_PER_MS if index < len(caused) else math.inf)
    return found


def visit_latencies_ms(visits: Sequence[Visit], lines: Iterable[TapLine], lamp: str) -> tuple[list[float], int]:
    """For each visit that began while the lamp showed clear: how long until it was lit (inf: not while it lasted or
    before the next one). Also how many visits began with the lamp not dark, which tell nothing."""
    own = sorted((line for line in lines if line.lamp == lamp), key=lambda line: line.mono_ns)
    times = [line.mono_ns for line in own]
    found: list[float] = []
    not_dark = 0
    for number, visit in enumerate(visits):
        start = bisect.bisect_right(times, visit.in_ns)
        if start == 0 or own[start - 1].shows != "clear":
            not_dark += 1
            continue
        end_ns = visits[number + 1].in_ns if number + 1 < len(visits) else math.inf
        lit = next((line.mono_ns for line in own[start:] if line.on and line.mono_ns < end_ns), None)
        found.append(math.inf if lit is None else (lit - visit.in_ns) / NS_PER_MS)
    return found, not_dark
