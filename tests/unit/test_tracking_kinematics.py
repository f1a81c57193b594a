"""The filter of range and speed: a steady road user's arrival in spite of steps, and one that brakes or speeds up."""

import math
import random

import pytest

from device.kinematics import RANGE_VARIANCE_M2, SPEED_STEP_MPS, SPEED_VARIANCE, RangeFilter

TENTH_S = 0.1
HORIZON_S = 9.5


def followed(speed_mps: float, from_m: float, seconds: float, *, phase_m: float = 0.0) -> tuple[RangeFilter, float]:
    """A steady road user through an LD2451's whole metres and km/h; the filter and where it truly is."""
    true_m = from_m + phase_m
    reading_mps = round(speed_mps * 3.6) / 3.6
    motion = RangeFilter(round(true_m), reading_mps)
    for _ in range(round(seconds / TENTH_S)):
        true_m -= speed_mps * TENTH_S
        motion.advance(TENTH_S)
        motion.see_range(round(true_m))
        motion.see_closing(reading_mps)
    return motion, true_m


@pytest.mark.parametrize("speed_kmh", [15, 20.4, 30.5, 50, 60.5, 80, 100, 140])
@pytest.mark.parametrize("phase_m", [0.0, 0.3, 0.6])
def test_after_a_second_the_arrival_of_a_steady_vehicle_is_right_to_three_tenths(
    speed_kmh: float, phase_m: float
) -> None:
    speed_mps = speed_kmh / 3.6
    motion, true_m = followed(speed_mps, (HORIZON_S + 1) * speed_mps, 1.0, phase_m=phase_m)
    assert motion.range_m / motion.closing_mps == pytest.approx(true_m / speed_mps, abs=0.3)


@pytest.mark.parametrize("speed_kmh", [4.6, 5.0, 5.4, 6.4])
def test_a_walker_is_known_by_the_fall_of_the_distance_though_the_speed_is_rounded(speed_kmh: float) -> None:
    """5.4 km/h reads 5 for ever: by the reading alone the arrival would be wrong by 0.8 s."""
    speed_mps = speed_kmh / 3.6
    motion, true_m = followed(speed_mps, 24.0, (24.0 - HORIZON_S * speed_mps) / speed_mps)
    assert motion.range_m / motion.closing_mps == pytest.approx(true_m / speed_mps, abs=0.4)


@pytest.mark.parametrize("change_mps2", [-6.0, -3.0, 2.0])
def test_braking_and_speeding_up_are_followed_within_a_few_frames(change_mps2: float) -> None:
    true_m, speed_mps = 90.0, 14.0
    motion = RangeFilter(90.0, 14.0)
    for _ in range(15):
        speed_mps += change_mps2 * TENTH_S
        true_m -= speed_mps * TENTH_S
        motion.advance(TENTH_S)
        motion.see_range(round(true_m))
        motion.see_closing(round(speed_mps * 3.6) / 3.6)
    assert motion.closing_mps == pytest.approx(speed_mps, abs=0.8)
    assert motion.range_m == pytest.approx(true_m, abs=0.8)


def test_a_reading_inside_the_step_moves_the_speed_little_and_one_outside_leads() -> None:
    inside, outside = RangeFilter(50, 10), RangeFilter(50, 10)
    inside.see_closing(10 + SPEED_STEP_MPS)
    outside.see_closing(13)
    assert inside.closing_mps == pytest.approx(10.0125, abs=1e-4)
    assert outside.closing_mps == pytest.approx(12.8, abs=0.01), "all but the step at once"
    assert outside.closing_variance > 1.0 > inside.closing_variance, "what has changed is less sure"


def test_time_moves_it_and_makes_it_less_sure_and_a_range_makes_it_surer() -> None:
    motion = RangeFilter(50, 10, range_variance=0.3, speed_variance=0.04, drift=0.1)
    motion.advance(2.0)
    assert motion.range_m == 30.0
    assert motion.closing_variance == pytest.approx(0.24)
    motion.see_range(31.0, 0.3)
    # Prior variance 0.3 + 4 x 0.04 + 0.1 x 8 / 3 = 0.727, covariance -(2 x 0.04 + 0.1 x 2) = -0.28.
    assert motion.range_m == pytest.approx(30.708, abs=1e-3)
    assert motion.closing_mps == pytest.approx(9.7275, abs=1e-3), "farther than thought: slower than thought"
    assert motion.closing_variance == pytest.approx(0.24 - 0.28**2 / (0.72667 + 0.3), abs=1e-4)


def test_a_minute_of_noise_leaves_it_finite_and_positive_definite() -> None:
    rng = random.Random(3)
    motion = RangeFilter(50, 10)
    for _ in range(600):
        motion.advance(rng.choice([0.0, 0.02, 0.1, 1.5]))
        motion.see_range(rng.uniform(0, 100))
        motion.see_closing(rng.uniform(-40, 40))
        assert math.isfinite(motion.range_m) and motion.closing_variance > 0


@pytest.mark.parametrize("change_mps2", [2.0, -2.0])
def test_a_queue_that_starts_is_followed_a_tenth_of_a_second_late_not_three(change_mps2: float) -> None:
    """Three readings outside the step on the same side are no tremble."""
    start_mps = 1.0 if change_mps2 > 0 else 4.0
    motion, true_m, true_mps = RangeFilter(20.0, start_mps), 20.0, start_mps
    for _ in range(10):
        true_m -= true_mps * 0.1
        true_mps += change_mps2 * 0.1
        motion.advance(0.1)
        motion.see_range(true_m)
        motion.see_closing(true_mps)
    assert abs(true_mps - motion.closing_mps) <= SPEED_STEP_MPS + 0.01


def test_readings_on_both_sides_of_the_step_are_tremble_however_many() -> None:
    motion = RangeFilter(20.0, 3.0)
    for turn in range(12):
        motion.see_closing(3.4 if turn % 2 else 2.6)
    assert motion.closing_mps == pytest.approx(3.0, abs=0.1)


def test_a_reading_inside_the_step_begins_the_count_anew() -> None:
    motion, sure = RangeFilter(20.0, 3.0, speed_variance=1e-6), RangeFilter(20.0, 3.0, speed_variance=1e-6)
    for reading_mps in (3.5, 3.5, 3.0, 3.6):
        motion.see_closing(reading_mps)
    for reading_mps in (3.5, 3.5, 3.6):
        sure.see_closing(reading_mps)
    assert sure.closing_mps == pytest.approx(3.4, abs=0.01)
    assert motion.closing_mps < 3.35


class Textbook:
    """The same filter with whole matrices, for readings inside the step."""

    def __init__(self, range_m: float, closing_mps: float, range_variance: float, speed_variance: float) -> None:
        self.x = [range_m, closing_mps]
        self.p = [[range_variance, 0.0], [0.0, speed_variance]]

    def advance(self, seconds: float, drift: float) -> None:
        self.x[0] -= self.x[1] * seconds
        (rr, rc), (cr, cc) = self.p
        self.p = [
            [rr - seconds * (rc + cr) + seconds**2 * cc + drift * seconds**3 / 3, rc - seconds * cc],
            [cr - seconds * cc, cc + drift * seconds],
        ]
        self.p[0][1] -= drift * seconds**2 / 2
        self.p[1][0] -= drift * seconds**2 / 2

    def see(self, which: int, value: float, variance: float) -> None:
        total = self.p[which][which] + variance
        gain = [self.p[0][which] / total, self.p[1][which] / total]
        off = value - self.x[which]
        self.x = [self.x[row] + gain[row] * off for row in (0, 1)]
        seen = list(self.p[which])
        self.p = [[self.p[row][column] - gain[row] * seen[column] for column in (0, 1)] for row in (0, 1)]


def test_it_is_the_textbook_filter_as_long_as_readings_stay_inside_the_step() -> None:
    rng = random.Random(2)
    motion = RangeFilter(50, 10, range_variance=0.3, speed_variance=0.5, drift=0.2)
    book = Textbook(50, 10, 0.3, 0.5)
    for _ in range(30):
        seconds = rng.choice([0.1, 0.3, 1.0])
        motion.advance(seconds)
        book.advance(seconds, 0.2)
        range_m = book.x[0] + rng.uniform(-1, 1)
        motion.see_range(range_m)
        book.see(0, range_m, RANGE_VARIANCE_M2)
        reading_mps = book.x[1] + rng.uniform(-SPEED_STEP_MPS, SPEED_STEP_MPS)
        motion.see_closing(reading_mps)
        book.see(1, reading_mps, SPEED_VARIANCE)
        found = (motion.range_m, motion.closing_mps, motion.closing_variance)
        assert found == pytest.approx((book.x[0], book.x[1], book.p[1][1]), abs=1e-9)


def steps_mps(*readings_mps: float) -> list[float]:
    """A sure 3 m/s, and by how much each of these readings moves it."""
    motion, moved = RangeFilter(20.0, 3.0, speed_variance=1e-9), []
    for reading_mps in readings_mps:
        before_mps = motion.closing_mps
        motion.closing_variance = 1e-9
        motion.see_closing(reading_mps)
        moved.append(motion.closing_mps - before_mps)
    return moved


@pytest.mark.parametrize("side", [1, -1])
def test_the_third_reading_in_a_row_outside_the_step_on_one_side_is_taken_as_it_stands(side: int) -> None:
    out_mps = 3.0 + side * (SPEED_STEP_MPS + 0.1)
    first, second, third = steps_mps(out_mps, out_mps, out_mps)
    assert abs(first) < 0.03 and abs(second) < 0.03
    assert first + second + third == pytest.approx(side * 0.1, abs=1e-4)
    *_, second, third = steps_mps(3.0, out_mps, out_mps, out_mps)
    assert abs(second) < 0.03 < abs(third), "one inside does not count as one of the three"


@pytest.mark.parametrize("side", [1, -1])
def test_two_readings_on_the_other_side_take_nothing_from_the_three(side: int) -> None:
    over_mps, under_mps = (3.0 + sign * side * (SPEED_STEP_MPS + 0.1) for sign in (1, -1))
    *_, second, third = steps_mps(over_mps, over_mps, under_mps, under_mps, under_mps)
    assert abs(second) < 0.05 < abs(third)


def test_one_tremble_outside_the_step_makes_an_unsure_speed_no_surer_than_a_reading_inside_does() -> None:
    inside, outside = RangeFilter(20, 3, speed_variance=1.0), RangeFilter(20, 3, speed_variance=1.0)
    inside.see_closing(3.1)
    outside.see_closing(4.0)
    assert outside.closing_variance >= inside.closing_variance > 0.1
