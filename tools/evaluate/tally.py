"""What recordings add up to: plain numbers that cross processes.

Invariant: adding tallies in any order gives the same sums, so that the figures do not depend on who was done first.
"""

import dataclasses
from collections.abc import Iterable

from tools.evaluate.findings import Finding


@dataclasses.dataclass(frozen=True, slots=True)
class Unit:
    """One unit (ours or a rival) on some faces. ``idle_s``: the time in which those should have been dark."""

    name: str
    passages: int = 0
    dark_passages: int = 0
    dark_moments: int = 0
    dark_s: float = 0.0
    needless_s: float = 0.0
    idle_s: float = 0.0

    @property
    def needless_pct(self) -> float:
        """Share of the time it should have been dark."""
        return 100 * self.needless_s / self.idle_s if self.idle_s else 0.0

    @property
    def dark_pct(self) -> float:
        """Share of passages that met it dark."""
        return 100 * self.dark_passages / self.passages if self.passages else 0.0

    def __add__(self, other: "Unit") -> "Unit":
        return Unit(
            self.name,
            self.passages + other.passages,
            self.dark_passages + other.dark_passages,
            self.dark_moments + other.dark_moments,
            self.dark_s + other.dark_s,
            self.needless_s + other.needless_s,
            self.idle_s + other.idle_s,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Arrivals:
    """Road users that came to their own face. ``lit_for_nobody``: lit, and nobody may justify it, the hold included;
    ``lit_strictly``: lit, and nobody inside the horizon at that moment."""

    total: int = 0
    lit_for_nobody: int = 0
    lit_strictly: int = 0

    def __add__(self, other: "Arrivals") -> "Arrivals":
        return Arrivals(
            self.total + other.total,
            self.lit_for_nobody + other.lit_for_nobody,
            self.lit_strictly + other.lit_strictly,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """One recording. ``node`` is judged on every face, ``roads`` on branch and main faces apart, ``sides`` (ours
    first) on the branch faces with radars; ``named_dark``: dark passages if who crosses needed no more than the class
    that the detector may call it."""

    recording: str
    weather: str
    fitting: str
    duration_s: float
    replay_s: float
    radar_only: bool
    node: Unit
    roads: dict[str, Unit]
    named_dark: int
    leads: int
    late: int
    fault_s: float
    cut_short: int
    arrivals: dict[str, Arrivals]
    met: int
    inside: int
    missed: int
    missed_anyway: int
    main_missed: int
    sides: tuple[Unit, ...]
    findings: tuple[Finding, ...]


def together(name: str, units: Iterable[Unit]) -> Unit:
    """The sum of many."""
    return sum(units, Unit(name))


def side(tallies: Iterable[Tally], name: str) -> Unit:
    """One unit over the faces on which all are compared."""
    return together(name, (unit for tally in tallies for unit in tally.sides if unit.name == name))


def arrived(tallies: Iterable[Tally], *roads: str) -> Arrivals:
    """Arrivals at the faces of these roads."""
    return sum((tally.arrivals[road] for tally in tallies for road in roads), Arrivals())
