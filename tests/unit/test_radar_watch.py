"""What a radar's frames say of the radar: frozen, flooded, slower than it was; and what is a normal day."""

import random

import pytest

from device.radar_watch import RadarWatch
from hal.interfaces import RadarFrame, RadarTarget

MS = 1_000_000


def frame(t_ms: float, *targets: RadarTarget) -> RadarFrame:
    return RadarFrame("r_east", round(t_ms * MS), targets)


def car(distance_m: float | None, speed_mps: float = 14.0, **fields: float) -> RadarTarget:
    return RadarTarget(speed_mps, distance_m, **fields)  # type: ignore[arg-type]


def fed(*frames: RadarFrame, polled: bool = False) -> RadarWatch:
    watch = RadarWatch(polled=polled)
    for one in frames:
        watch.take(one)
    return watch


# --- frozen ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("frames", "frozen"), [(19, False), (20, True)])
def test_the_same_moving_target_in_twenty_frames_is_a_frozen_radar(frames: int, frozen: bool) -> None:
    assert fed(*[frame(n * 100, car(40.0)) for n in range(frames)]).frozen is frozen


def test_frames_that_never_change_but_come_and_go_are_not_twenty_on_end() -> None:
    assert not fed(*[frame(n * 100, *([] if n % 15 == 0 else [car(40.0)])) for n in range(60)]).frozen
    assert not fed(*[frame(n * 100, car(40.0, snr=float(n == 10))) for n in range(25)]).frozen


def test_one_that_creeps_truly_repeats_itself_until_it_owes_three_metres() -> None:
    creeps = [frame(n * 100, car(12.0, 0.8)) for n in range(39)]
    assert not fed(*creeps[:38]).frozen, "3.7 s at 0.8 m/s are 2.96 m"
    assert fed(*creeps).frozen, "3.04 m"


def test_going_away_it_owes_as_much() -> None:
    assert fed(*[frame(n * 100, car(40.0, -14.0)) for n in range(20)]).frozen


def test_one_target_that_moves_on_is_enough_to_be_alive_and_one_that_should_have_is_enough_to_be_frozen() -> None:
    assert not fed(*[frame(n * 100, car(40.0), car(80.0 - n)) for n in range(30)]).frozen
    assert fed(*[frame(n * 100, car(12.0, 0.3), car(40.0)) for n in range(20)]).frozen


def test_a_frozen_radar_that_moves_again_is_alive() -> None:
    watch = fed(*[frame(n * 100, car(40.0)) for n in range(25)])
    assert watch.frozen
    watch.take(frame(2500, car(39.0)))
    assert not watch.frozen
    watch = fed(*[frame(n * 100, car(40.0)) for n in range(25)])
    watch.take(frame(2500))
    assert not watch.frozen


def test_an_empty_road_and_a_steady_speed_without_distance_repeat_themselves_rightly() -> None:
    assert not fed(*[frame(n * 100) for n in range(60)]).frozen
    assert not fed(*[frame(n * 100, car(None)) for n in range(60)]).frozen


# --- flooded ---------------------------------------------------------------------------------------------------------


def clutter(n: int, count: int) -> RadarFrame:
    """Everywhere new: no target within 5 m of one of the frame before."""
    return frame(n * 100, *[car(5.0 + 20.0 * k + 10.0 * (n % 2), 3.0) for k in range(count)])


@pytest.mark.parametrize(("count", "frames", "flooded"), [(3, 10, False), (3, 11, True), (2, 60, False), (8, 11, True)])
def test_three_new_targets_in_each_of_ten_frames_are_a_flood(count: int, frames: int, flooded: bool) -> None:
    """The first frame has none before it to compare with."""
    assert fed(*[clutter(n, count) for n in range(frames)]).flooded is flooded


def test_one_quiet_frame_ends_a_flood() -> None:
    watch = fed(*[clutter(n, 4) for n in range(30)])
    watch.take(clutter(30, 2))
    assert not watch.flooded
    watch.take(clutter(31, 4))
    assert not watch.flooded, "and it takes ten again"


def test_a_flood_that_stops_altogether_has_ended() -> None:
    watch = fed(*[clutter(n, 4) for n in range(30)], frame(3000), frame(3100))
    assert not watch.flooded


@pytest.mark.parametrize("step_m", [5.0, 4.0])
def test_a_platoon_stays_where_it_can_be_and_is_no_flood(step_m: float) -> None:
    """40 and 50 m/s at 10 Hz, also when the nearest has just gone out of sight and all others move up a place."""
    frames = [frame(n * 100, *[car(200.0 + 17.0 * k - step_m * n) for k in range(n // 4, 10)]) for n in range(30)]
    assert not fed(*frames).flooded
    far = [frame(n * 100, *[car(200.0 + 30.0 * k - 5.1 * n) for k in range(10)]) for n in range(30)]
    assert fed(*far).flooded, "faster than anything on a road"


def test_targets_without_distance_cannot_be_told_apart() -> None:
    assert not fed(*[frame(n * 100, *[car(None)] * 5) for n in range(30)]).flooded
    mixed = [frame(n * 100, car(None), *clutter(n, 2).targets) for n in range(30)]
    assert not fed(*mixed).flooded


def test_single_frame_ghosts_beside_traffic_are_a_normal_day() -> None:
    rng = random.Random(3)
    frames = []
    for n in range(3000):
        ghosts = [car(rng.uniform(1, 100)) for _ in range(rng.choice([0, 0, 0, 1, 1, 2]))]
        frames.append(frame(n * 100, car(100 - n % 90), *ghosts))
    watch = RadarWatch(polled=False)
    for one in frames:
        watch.take(one)
        assert not watch.flooded and not watch.frozen


# --- slower than it was ----------------------------------------------------------------------------------------------


def ticks(*stretches: tuple[float, float]) -> list[RadarFrame]:
    """Empty frames: (frames a second, seconds) one stretch after the other."""
    frames, t_ms = [frame(0)], 0.0
    for hz, seconds in stretches:
        for _ in range(round(hz * seconds)):
            t_ms += 1000 / hz
            frames.append(frame(t_ms))
    return frames


def test_a_drop_from_ten_to_three_frames_a_second_is_told_within_two_seconds() -> None:
    watch = fed(*ticks((10, 12)))
    assert not watch.slow
    slow = fed(*ticks((10, 12), (3, 2)))
    assert slow.slow
    now_hz, pace_hz = slow.rates_hz()
    assert pace_hz == pytest.approx(10.0) and 3.0 < now_hz < 5.0


def test_it_is_told_of_no_longer_when_the_pace_is_back() -> None:
    assert not fed(*ticks((10, 12), (3, 5), (10, 2))).slow


@pytest.mark.parametrize(("hz", "slow"), [(5.0, True), (6.5, False)])
def test_about_half_its_pace_is_slow(hz: float, slow: bool) -> None:
    assert fed(*ticks((10, 12), (hz * 0.95, 20))).slow is slow


def test_before_ten_seconds_without_a_pause_there_is_no_pace_to_fall_behind() -> None:
    early = fed(*ticks((10, 10.0), (2, 5)))
    assert early.rates_hz() == (0.0, 0.0) and not early.slow
    assert fed(*ticks((10, 10.1), (2, 5))).slow
    paused = ticks((10, 6))
    late = [frame(one.captured_ns / MS + 6500) for one in ticks((10, 6))]
    assert fed(*paused, *late).rates_hz() == (0.0, 0.0)


def test_the_best_pace_it_ever_had_is_its_pace() -> None:
    assert fed(*ticks((5, 12), (10, 30), (9, 40))).rates_hz()[1] == pytest.approx(10.0, abs=0.2)


def test_a_radar_that_is_polled_on_an_empty_road_shows_its_pace_by_empty_frames_alone() -> None:
    busy = [frame(n * 100, car(50 - n % 40)) for n in range(150)]
    assert fed(*busy, polled=False).rates_hz()[1] == pytest.approx(10.0)
    assert fed(*busy, polled=True).rates_hz() == (0.0, 0.0)
    polls = [frame(15_000 + n * 1500) for n in range(20)]
    assert not fed(*busy, *polls, polled=True).slow
    assert fed(*ticks((10, 12)), *[frame(12_000 + n * 333) for n in range(1, 7)], polled=True).slow


def test_one_frame_in_ten_lost_at_random_is_a_normal_day() -> None:
    rng = random.Random(7)
    watch = RadarWatch(polled=False)
    for n in range(36_000):  # an hour
        if rng.random() >= 0.1:
            watch.take(frame(n * 100))
            assert not watch.slow
    assert watch.rates_hz()[1] > 9.0


def test_a_burst_after_a_stall_is_not_a_faster_radar() -> None:
    """Frames that waited come at once and carry their own times; a driver that stamps them all alike changes little."""
    burst = [frame(12_400) for _ in range(4)]
    watch = fed(*ticks((10, 12)), *burst, *[frame(12_400 + 100 * n) for n in range(1, 200)])
    assert watch.rates_hz()[1] < 11.0 and not watch.slow


def test_a_radar_that_was_faster_than_it_need_be_is_not_slow_at_ten_frames_a_second() -> None:
    assert not fed(*ticks((50, 12), (10, 5))).slow
    assert fed(*ticks((50, 12), (4, 5))).slow
