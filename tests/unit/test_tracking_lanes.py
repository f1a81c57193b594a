"""Who arrives sooner than a radar at the verge makes it seem; who only seems to come: one that leaves, two ghosts."""

import itertools
import math

import pytest

from configs.bend import Bend, Straight, far_way_of, lanes_differ_m
from configs.schema import Radar as RadarSettings
from device.tracks import Track, TrackState
from hal.interfaces import Flag, RadarTarget
from tests.support.radar import Radar

BESIDE_M = 2.5
FAR_M = 7.75
"""The middle of the second lane: two metres of verge, a lane, half a lane."""


def echo(range_m: float, kmh: float, flag: Flag = Flag.APPROACHING) -> RadarTarget:
    """What an LD2451 says: whole metres and km/h."""
    return RadarTarget(round(kmh) / 3.6, float(round(range_m)), 0.0, flag, 100.0)


class Road(Radar):
    """A radar at the verge of two lanes."""

    def __init__(self, far_m: float = FAR_M, to_conflict_m: float = 0.0) -> None:
        super().__init__(to_conflict_m, BESIDE_M, far_m)

    def drive(self, from_m: float, to_m: float, kmh: float, lateral_m: float) -> tuple[Track, float]:
        """The track of a vehicle that drives steadily in this lane, ``to_m`` from the line, and when it arrives."""
        for step in itertools.count():
            true_m = from_m - kmh / 3.6 * step / 10
            range_m = math.hypot(true_m, lateral_m)
            (track,) = self.see(echo(range_m, kmh * true_m / range_m))
            if true_m <= to_m:
                return track, true_m / (kmh / 3.6)
        raise AssertionError


@pytest.mark.parametrize("kmh", [7, 12, 25])
def test_in_the_second_lane_nobody_arrives_sooner_than_told(kmh: float) -> None:
    track, truly_s = Road().drive(30, 17, kmh, FAR_M)
    assert track.time_to_arrival_s is not None
    assert track.time_to_arrival_s <= truly_s + 0.3
    by_the_verge, _ = Road(BESIDE_M).drive(30, 17, kmh, FAR_M)
    assert by_the_verge.time_to_arrival_s is not None
    assert by_the_verge.time_to_arrival_s > track.time_to_arrival_s + 0.4


def test_far_off_the_lane_does_not_matter() -> None:
    assert lanes_differ_m(Straight(BESIDE_M), Straight(FAR_M)) == pytest.approx(52, abs=1)
    told = [Road(far_m).drive(90, 60, 50, 3.5)[0].time_to_arrival_s for far_m in (BESIDE_M, FAR_M)]
    assert told[0] == told[1]


def test_the_lanes_of_the_site_file_say_where_the_far_one_is() -> None:
    def far_of(**more: object) -> Straight | Bend:
        return far_way_of(RadarSettings.model_validate({"driver": "sim", "approach": "main_east", **more}))

    one, two = far_of(), far_of(width_m=7)
    assert isinstance(one, Straight) and one.beside_m == BESIDE_M + 1.75
    assert isinstance(two, Straight) and two.beside_m == FAR_M
    pairs = [{"range_m": 20, "along_m": 20}, {"range_m": 60, "along_m": 64}]
    bend = far_of(bend=pairs, width_m=7)
    assert isinstance(bend, Bend) and lanes_differ_m(bend, bend) == 0.0


def test_a_queue_that_starts_by_1_5_mps2_is_told_0_3_s_late_at_most() -> None:
    def truly(seconds: float) -> tuple[float, float]:
        return 20 - 0.9 * seconds - 0.75 * seconds**2, 0.9 + 1.5 * seconds

    road = Road(BESIDE_M)
    for step in range(30):
        true_m, speed_mps = truly(step / 10)
        (track,) = road.see(echo(math.hypot(true_m, BESIDE_M), speed_mps * 3.6))
        if step >= 6:
            then_m, then_mps = truly(step / 10 - 0.3)
            assert track.time_to_arrival_s is not None
            assert track.time_to_arrival_s <= then_m / then_mps * 1.01, f"at {true_m:.1f} m, {speed_mps:.1f} m/s"


def test_who_waits_at_the_line_arrives_never_whatever_its_lane() -> None:
    road = Road()
    road.drive(14, 6, 6, BESIDE_M)
    for _ in range(20):
        tracks = road.see()
    (waiting,) = tracks
    assert waiting.state is TrackState.WAITING
    assert waiting.time_to_arrival_s is None and waiting.speed_error_mps == 0.0


def confirmed_and_coming(tracks: list[Track]) -> list[Track]:
    return [track for track in tracks if track.state is TrackState.CONFIRMED and not track.receding]


def test_a_rider_who_leaves_keeps_leaving_when_one_echo_is_far_off() -> None:
    """17 km/h, away: 29 m once where 27 were due, then 28, 29, 28."""
    road = Road(BESIDE_M)
    seen = [road.see(echo(range_m, 17, Flag.RECEDING)) for range_m in (24, 25, 25, 25, 26, 26, 29, 28, 29, 28, 30)]
    assert not [track for tracks in seen for track in confirmed_and_coming(tracks)]
    assert seen[-1][0].receding


def test_a_car_that_has_just_left_lights_nothing_when_its_first_echoes_scatter() -> None:
    """43 km/h, away: 23, 23, 27, lost, 29 m."""
    road = Road(BESIDE_M)
    seen = [
        road.see(*rows) for rows in ([echo(r, 43, Flag.RECEDING)] if r else [] for r in (23, 23, 27, 0, 29, 29, 31))
    ]
    assert not [track for tracks in seen for track in confirmed_and_coming(tracks)]


def test_one_who_leaves_by_its_flag_and_comes_by_its_distance_is_warned_of_within_half_a_second() -> None:
    """A radar whose direction flag is set the wrong way round: 50 km/h from 90 m."""
    road = Road(BESIDE_M)
    coming = [confirmed_and_coming(road.see(echo(90 - 1.39 * step, 50, Flag.RECEDING))) for step in range(6)]
    assert coming[5]


def test_two_ghosts_that_do_not_do_what_they_say_are_nobody() -> None:
    """20 m and, 0.3 s later, 24 m, both said to come with 73 km/h."""
    road = Road(BESIDE_M)
    road.see(echo(20, 73))
    seen = [road.see(), road.see(), road.see(echo(24, 76)), road.see()]
    assert not [track for tracks in seen for track in confirmed_and_coming(tracks)]
    road = Road(BESIDE_M)
    road.see(echo(60, 73))
    assert confirmed_and_coming(road.see(echo(58, 73))), "two that do are a car"


@pytest.mark.parametrize("to_conflict_m", [0.0, 12.0])
def test_an_arrival_counts_on_the_way_and_the_angle_of_the_far_lane(to_conflict_m: float) -> None:
    """A range of 30 m to the second lane is 29 m of road, and 36 km/h along the line of sight 10.35 m/s along it."""
    near, far = Straight(BESIDE_M), Straight(FAR_M)
    road = Road(to_conflict_m=to_conflict_m)
    road.see(echo(31, 36))
    (track,) = road.see(echo(30, 36))
    far_m, far_slant = far.along(30.0)
    near_m, near_slant = near.along(30.0)
    assert track.time_to_arrival_s == pytest.approx((far_m + to_conflict_m) / (10 * far_slant), abs=0.02)
    assert track.distance_m == pytest.approx(near_m + to_conflict_m, abs=0.1), "the distance is told by the near lane"
    assert track.speed_mps == pytest.approx(10 * near_slant, abs=0.05)


def test_under_the_radar_a_far_lane_gains_half_as_much_again_at_most() -> None:
    """The radar hangs 4 m past the line: at 5 m of range the near lane has half a metre left, the far one none."""
    road = Road(to_conflict_m=-4.0)
    road.see(echo(6, 36))
    (track,) = road.see(echo(5, 36))
    assert track.speed_mps is not None
    assert track.speed_error_mps == pytest.approx(0.5 * track.speed_mps)
