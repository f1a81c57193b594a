"""One road user's distance and closing speed as a two-state Kalman filter in plain floats. Pure.

Invariants: ``closing_mps`` is signed, positive = comes nearer; no input makes it raise or leaves a value that is not
finite; its cost is a few multiplications, because twenty of them run on every frame.

Why a reading of speed is not simply averaged: a radar that rounds to whole km/h is wrong by the same amount in every
frame of a steady road user (5.4 km/h reads 5 for ever). So inside half a step the reading says next to nothing, and
the fall of the distance over seconds settles the speed; outside of it the reading leads, and braking is followed.
"""

import math

RANGE_VARIANCE_M2 = 0.3
"""A radar's range: 1 m steps (1/12 m²) and an echo that wanders over the body by half a metre."""

SPEED_STEP_MPS = 0.2
"""Half a step of 1 km/h, and a little for a speed that trembles around the edge of a step."""

SPEED_VARIANCE = 0.3
"""(m/s)²: what a reading within the step is worth. Its error is the same in every frame: far above its own size."""

SPEED_PULL = 0.1
"""Of a reading outside the step this share of the excess is taken at once, and more the larger it is: one trembling
frame moves little, emergency braking is followed within 0.6 m/s."""

SURE_READINGS = 3
"""So many readings in a row outside the step on the same side are no tremble: it speeds up or brakes, and the last one
is taken as it stands. A queue that starts by 2 m/s² is then followed 0.1 s late, not 0.3 s."""

DRIFT = 0.005
"""(m/s)² a second: how much a steady road user's speed wanders unseen by the readings."""

START_VARIANCE_MPS2 = 0.02
"""Of the first speed reading: 1 km/h steps and its tremble, (m/s)²."""


class RangeFilter:
    """Distance and closing speed at the moment of the last ``advance``.

    ``drift`` is the process noise in (m/s)² a second, ``speed_variance`` the variance of ``closing_mps`` at birth.
    """

    __slots__ = ("_drift", "_outside", "_p_rc", "_p_rr", "closing_mps", "closing_variance", "range_m")

    def __init__(
        self,
        range_m: float,
        closing_mps: float,
        *,
        range_variance: float = RANGE_VARIANCE_M2,
        speed_variance: float = START_VARIANCE_MPS2,
        drift: float = DRIFT,
    ) -> None:
        self.range_m = range_m
        self.closing_mps = closing_mps
        self.closing_variance = speed_variance
        self._p_rr = range_variance
        self._p_rc = 0.0
        self._drift = drift
        self._outside = 0  # readings in a row outside the step, signed by their side

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        grown = self._drift * seconds
        self.range_m -= self.closing_mps * seconds
        self._p_rr += seconds * (seconds * (self.closing_variance + grown / 3) - 2 * self._p_rc)
        self._p_rc -= seconds * (self.closing_variance + grown / 2)
        self.closing_variance += grown

    def see_range(self, range_m: float, variance: float = RANGE_VARIANCE_M2) -> None:
        """Takes a measured distance."""
        total = self._p_rr + variance
        gain_range, gain_speed = self._p_rr / total, self._p_rc / total
        off_m = range_m - self.range_m
        self.range_m += gain_range * off_m
        self.closing_mps += gain_speed * off_m
        self.closing_variance -= gain_speed * self._p_rc
        self._p_rr *= 1 - gain_range
        self._p_rc *= 1 - gain_range

    def see_closing(self, closing_mps: float) -> None:
        """Takes a measured closing speed that is rounded to whole km/h."""
        variance, off_mps = self.closing_variance, closing_mps - self.closing_mps
        share = 1 / (variance + SPEED_VARIANCE)
        gain_range, gain_speed = self._p_rc * share, variance * share
        self.range_m += gain_range * off_mps
        self.closing_mps += gain_speed * off_mps
        self._p_rr -= gain_range * self._p_rc
        self._p_rc *= 1 - gain_speed
        self.closing_variance = variance * (1 - gain_speed)
        off_mps -= gain_speed * off_mps
        excess_mps = abs(off_mps) - SPEED_STEP_MPS
        if excess_mps <= 0:
            self._outside = 0
        else:
            side = 1 if off_mps > 0 else -1
            self._outside = self._outside + side if self._outside * side > 0 else side
            sure = abs(self._outside) >= SURE_READINGS
            moved_mps = excess_mps * (1.0 if sure else min(1.0, SPEED_PULL + excess_mps))
            self.closing_mps += math.copysign(moved_mps, off_mps)
            self.closing_variance += moved_mps * moved_mps
