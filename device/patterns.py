"""Flash patterns: when a lamp that shows something is lit. Pure arithmetic on nanoseconds; every phase starts lit."""

import dataclasses

NS_PER_S = 1_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Pattern:
    """Lit for the first ``lit_ns`` of every ``period_ns``; ``lit_ns == period_ns`` is a steady light."""

    period_ns: int
    lit_ns: int

    @classmethod
    def of(cls, *, period_s: float, lit_pct: float) -> "Pattern":
        """From the units of the site file."""
        period_ns = round(period_s * NS_PER_S)
        return cls(period_ns, round(period_ns * lit_pct / 100))

    def lit(self, elapsed_ns: int) -> bool:
        """Whether the lamp is lit ``elapsed_ns`` after the phase began."""
        return elapsed_ns % self.period_ns < self.lit_ns

    def to_next_edge_ns(self, elapsed_ns: int) -> int | None:
        """How long until the light next changes, always > 0; None for a steady light."""
        if self.lit_ns >= self.period_ns:
            return None
        into = elapsed_ns % self.period_ns
        return (self.lit_ns if into < self.lit_ns else self.period_ns) - into
