"""Echoes of nobody: what a radar remembers of rain and leaves, and whom it asks for more."""

import random

import pytest

from device.clutter import NEAR_M, NEAR_MPS, RAIN_ECHOES, REMEMBER_S, SLOW_MPS, SWAY_M, SWAY_REMEMBER_S, Clutter
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarTarget
from tests.support.radar import Radar


def rained(at_m: float = 10.0, pace_mps: float = 2.0, echoes: int = RAIN_ECHOES) -> Clutter:
    clutter = Clutter()
    for _ in range(echoes):
        clutter.lone(0, at_m, pace_mps)
    return clutter


def test_it_takes_three_echoes_of_nobody_near_one_place() -> None:
    assert not rained(echoes=RAIN_ECHOES - 1).likely(0, 10, 2)
    assert rained().likely(0, 10, 2)


@pytest.mark.parametrize(
    ("range_m", "pace_mps", "after_s", "doubted"),
    [
        (10 + NEAR_M, 2, 0, True),
        (10 - NEAR_M - 0.1, 2, 0, False),
        (10, 2 + NEAR_MPS, 0, True),
        (10, 2 + NEAR_MPS + 0.1, 0, False),
        (10, 2, REMEMBER_S, True),
        (10, 2, REMEMBER_S + 1, False),
    ],
)
def test_rain_is_doubted_at_its_place_at_its_speed_and_for_its_time(
    range_m: float, pace_mps: float, after_s: float, doubted: bool
) -> None:
    assert rained().likely(round(after_s * NS_PER_S), range_m, pace_mps) is doubted


def test_nobody_faster_than_drops_and_leaves_is_doubted() -> None:
    clutter = rained(pace_mps=SLOW_MPS)
    assert clutter.likely(0, 10, SLOW_MPS)
    assert not clutter.likely(0, 10, SLOW_MPS + 0.1)
    assert not rained(pace_mps=SLOW_MPS + 0.1).likely(0, 10, SLOW_MPS), "a fast one was no drop"


@pytest.mark.parametrize(
    ("range_m", "pace_mps", "after_s", "doubted"),
    [
        (30 + SWAY_M, 1.5, 0, True),
        (30 - SWAY_M - 0.1, 1.5, 0, False),
        (30, 1.5 + NEAR_MPS, 0, True),
        (30, 1.6 + NEAR_MPS, 0, False),
        (30, 1.5, SWAY_REMEMBER_S, True),
        (30, 1.5, SWAY_REMEMBER_S + 1, False),
    ],
)
def test_a_bush_is_remembered_until_the_next_gust(
    range_m: float, pace_mps: float, after_s: float, doubted: bool
) -> None:
    clutter = Clutter()
    clutter.swayed(0, 30.2, 1.5)
    assert clutter.likely(round(after_s * NS_PER_S), range_m, pace_mps) is doubted


def target(distance_m: float, closing_mps: float) -> RadarTarget:
    flag = Flag.APPROACHING if closing_mps > 0 else Flag.RECEDING
    return RadarTarget(speed_mps=closing_mps, distance_m=float(round(distance_m)), flag=flag)


def drops(rng: random.Random) -> list[RadarTarget]:
    count = rng.choice([0, 0, 1, 1, 2])
    return [target(rng.uniform(1, 12), rng.uniform(0.9, 6) * rng.choice([-1, 1])) for _ in range(count)]


def leaves(rng: random.Random, t_s: float, at_m: float = 15.0) -> list[RadarTarget]:
    """Heard in six frames of ten, to and fro every 0.8 s, at one range."""
    if rng.random() > 0.6:
        return []
    sign = 1 if t_s % 1.6 < 0.8 else -1
    return [target(at_m + rng.gauss(0, 0.5), sign * rng.uniform(0.9, 2.2))]


def coming(tracks: list[Track], within_s: float = 9.5) -> bool:
    return any(
        track.state in (TrackState.CONFIRMED, TrackState.COASTING)
        and not track.receding
        and (track.time_to_arrival_s or 99) <= within_s
        for track in tracks
    )


@pytest.mark.parametrize("seed", range(3))
def test_rain_soon_lights_nothing(seed: int) -> None:
    rng, radar = random.Random(seed), Radar()
    lit = [coming(radar.see(*drops(rng))) for _ in range(1200)]
    assert sum(lit[100:]) <= 20, "of 110 s of rain one mistake at most, once it is known to rain"


@pytest.mark.parametrize("seed", range(3))
def test_leaves_are_known_within_seconds_and_in_the_next_gust_at_once(seed: int) -> None:
    rng, radar = random.Random(seed), Radar()
    first = [coming(radar.see(*leaves(rng, tick / 10))) for tick in range(600)]
    for _ in range(1200):
        radar.see()
    second = [coming(radar.see(*leaves(rng, tick / 10))) for tick in range(600)]
    assert sum(first) <= 60 and sum(first[100:]) <= 20
    assert sum(second) <= 20


def test_a_fast_vehicle_is_confirmed_in_two_frames_in_the_heaviest_rain() -> None:
    rng, radar = random.Random(5), Radar()
    for _ in range(300):
        radar.see(*drops(rng))
    radar.see(target(90, 14), *drops(rng))
    tracks = radar.see(target(88.6, 14), *drops(rng))
    assert any(track.state is TrackState.CONFIRMED and (track.distance_m or 0) > 80 for track in tracks)


def test_a_walker_who_comes_through_rain_and_past_a_bush_is_followed_to_the_line() -> None:
    rng, radar = random.Random(6), Radar()
    for tick in range(300):
        radar.see(*drops(rng), *leaves(rng, tick / 10))
    seen, ids = [], set()
    for tick in range(150):
        where_m = 24 - 0.14 * tick
        tracks = radar.see(target(where_m, 1.4), *drops(rng), *leaves(rng, tick / 10))
        near = [t for t in tracks if t.state in (TrackState.CONFIRMED, TrackState.COASTING) and not t.receding]
        mine = [t for t in near if abs((t.distance_m or 99) - where_m) < 2.5]
        seen.append(bool(mine))
        ids |= {t.id for t in mine}
    assert all(seen[20:]), "once shown to move it stays known, two seconds after it came in sight at the latest"


def test_one_that_claims_to_come_and_stays_is_left_to_the_rule_of_the_stuck_target() -> None:
    """Steady flag, fixed range: no leaf does that, a broken sensor or a fan does; it stays a cause."""
    radar = Radar()
    for _ in range(100):
        tracks = radar.see(target(40, 5.6))
    assert [track.state for track in tracks] == [TrackState.CONFIRMED] and coming(tracks)


def test_a_drop_wakes_nobody_who_waits() -> None:
    rng, radar = random.Random(8), Radar()
    for _ in range(100):
        radar.see(*drops(rng))
    for tick in range(130):
        radar.see(target(24 - 0.14 * tick, 1.4))
    for _ in range(20):
        radar.see()
    (waits,) = radar.see()
    assert waits.state is TrackState.WAITING
    states = {t.state for _ in range(300) for t in radar.see(*drops(rng)) if t.id == waits.id}
    assert states == {TrackState.WAITING}


def rained_at(radar: Radar, at_m: float, pace_mps: float) -> None:
    """Three echoes of nobody at this place and speed, each forgotten before the next."""
    for _ in range(RAIN_ECHOES):
        radar.see(target(at_m, pace_mps))
        for _ in range(3):
            radar.see()


@pytest.mark.parametrize(("rain_m", "taken"), [(3.0, True), (37.0, False)])
def test_an_echo_that_fits_so_so_is_taken_for_a_stranger_where_it_rains_and_nowhere_else(
    rain_m: float, taken: bool
) -> None:
    """A rider of 5 m/s at 40 m; the next echo is two metres off, at another speed."""
    radar = Radar()
    rained_at(radar, rain_m, 6.0)
    for step in range(10):
        (rider,) = radar.see(target(45 - 0.5 * step, 5.0))
    tracks = radar.see(target(38.0, 6.5))
    assert {t.id: t.state for t in tracks}[rider.id] is (TrackState.CONFIRMED if taken else TrackState.COASTING)
    assert len(tracks) == (1 if taken else 2)


@pytest.mark.parametrize(("off_m", "pace_mps", "taken"), [(1.5, 6.5, True), (1.0, 6.6, False), (1.6, 5.0, False)])
def test_where_it_rains_a_known_road_user_is_followed_by_what_fits_well(
    off_m: float, pace_mps: float, taken: bool
) -> None:
    """Braking since it was last seen is allowed for: half a metre a second in a tenth of a second."""
    radar = Radar()
    rained_at(radar, 37.0, 6.0)
    for step in range(10):
        (rider,) = radar.see(RadarTarget(5.0, 45 - 0.5 * step, None, Flag.APPROACHING))
    tracks = radar.see(RadarTarget(speed_mps=pace_mps, distance_m=40.0 - off_m, flag=Flag.APPROACHING))
    assert {t.id: t.state for t in tracks}[rider.id] is (TrackState.CONFIRMED if taken else TrackState.COASTING)


def test_where_it_rains_the_echo_that_fits_well_is_found_beside_one_that_fits_so_so() -> None:
    radar = Radar()
    rained_at(radar, 37.0, 6.0)
    for step in range(10):
        (rider,) = radar.see(target(45 - 0.5 * step, 5.0))
    so_so = RadarTarget(speed_mps=6.8, distance_m=38.0, flag=Flag.APPROACHING)
    tracks = radar.see(so_so, RadarTarget(speed_mps=5.0, distance_m=40.0, flag=Flag.APPROACHING))
    assert {t.id: t.state for t in tracks}[rider.id] is TrackState.CONFIRMED and len(tracks) == 2


def test_where_it_rains_a_new_one_is_not_split_by_its_second_echo() -> None:
    """It is not known yet, so nobody can be a stranger to it."""
    radar = Radar()
    rained_at(radar, 37.0, 6.0)
    radar.see(RadarTarget(speed_mps=5.0, distance_m=40.0, flag=Flag.APPROACHING))
    assert len(radar.see(RadarTarget(speed_mps=5.0, distance_m=37.7, flag=Flag.APPROACHING))) == 1


def test_two_drops_that_were_taken_for_a_road_user_are_doubted_once_it_is_known_to_rain() -> None:
    radar = Radar()
    radar.see(target(8, 3))
    (believed,) = radar.see(target(8, 3))
    assert believed.state is TrackState.CONFIRMED
    for _ in range(RAIN_ECHOES):
        radar.tracker._clutter.lone(0, 8, 3)
    assert all(track.state is TrackState.TENTATIVE for track in radar.see(target(8, 3)))
