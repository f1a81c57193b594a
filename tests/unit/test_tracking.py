"""Radar frames -> tracks, camera zones -> tracks: confirmation, coasting, direction, and what they must never drop."""

import itertools

import pytest

from configs.schema import RoadUser
from device.camera_tracks import CameraTracker
from device.observation import CameraObservation, Zone, ZoneCount
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget
from tests.support.radar import TENTH_NS, Radar


def at(distance_m: float | None, speed_mps: float = 10.0, flag: Flag = Flag.APPROACHING) -> RadarTarget:
    return RadarTarget(speed_mps=speed_mps, distance_m=distance_m, flag=flag)


def test_two_frames_of_three_confirm() -> None:
    radar = Radar()
    assert radar.see(at(50))[0].state is TrackState.TENTATIVE
    assert [t.state for t in radar.see()] == [TrackState.TENTATIVE]
    assert radar.see(at(48))[0].state is TrackState.CONFIRMED


def test_a_ghost_of_one_frame_is_never_confirmed_and_forgotten() -> None:
    radar = Radar()
    radar.see(at(50))
    assert [track.state for track in (*radar.see(), *radar.see())] == [TrackState.TENTATIVE] * 2
    assert radar.see() == []


def test_a_ghost_without_a_range_is_forgotten_as_well() -> None:
    radar = Radar()
    radar.see(at(None, 5))
    assert radar.wait(0.3) == [] and radar.see(at(None, 5))[0].state is TrackState.TENTATIVE


@pytest.mark.parametrize("off_m", [3.0, -3.0])
def test_one_wild_range_moves_a_known_road_user_by_less_than_half_of_it(off_m: float) -> None:
    radar = Radar()
    for step in range(10):
        radar.see(at(60 - step))
    (car,) = radar.see(at(50 + off_m))
    assert car.distance_m == pytest.approx(50, abs=1.5) and car.speed_mps == pytest.approx(10, abs=1.0)


def test_a_jump_of_more_than_five_metres_starts_a_new_track_and_drops_nothing() -> None:
    radar = Radar()
    radar.see(at(50))
    (first,) = radar.see(at(49))
    tracks = radar.see(at(40))
    assert {t.id for t in tracks} >= {first.id} and len(tracks) == 2


def test_a_confirmed_track_coasts_a_second_and_a_half_and_no_longer() -> None:
    radar = Radar()
    radar.see(at(90))
    radar.see(at(89))
    (coasting,) = radar.wait(1.4)
    assert coasting.state is TrackState.COASTING
    assert coasting.distance_m == pytest.approx(75, abs=1.5), "it is taken to have gone on"
    assert len(radar.wait(0.1)) == 1
    assert radar.wait(0.1) == []


def test_one_known_by_speed_alone_coasts_as_long() -> None:
    radar = Radar()
    for _ in range(3):
        radar.see(at(None))
    assert [t.state for t in radar.wait(1.4)] == [TrackState.COASTING]
    assert radar.wait(0.2) == []


def test_a_node_whose_clock_begins_at_zero_loses_nobody() -> None:
    radar = Radar()
    radar.tracker.update(RadarFrame("r", 0, (at(1.0), at(90.0))))
    radar.tracker.advance(TENTH_NS)
    radar.tracker.update(RadarFrame("r", 2 * TENTH_NS, ()))
    radar.tracker.advance(2 * TENTH_NS)
    assert [t.distance_m for t in radar.tracker.tracks()] == [pytest.approx(88.0)]


def test_who_is_hidden_a_metre_before_the_conflict_point_has_not_arrived_yet() -> None:
    radar = Radar()
    for step in range(9):
        radar.see(at(3.6 - 0.25 * step, 2.5))
    (hidden,) = radar.wait(0.4)
    assert hidden.state is TrackState.COASTING and 0 < (hidden.distance_m or 0) < 1
    assert radar.wait(0.4) == []


def test_who_is_predicted_past_the_conflict_point_and_unseen_has_arrived() -> None:
    radar = Radar()
    radar.see(at(3))
    radar.see(at(2))
    assert len(radar.wait(0.1)) == 1
    assert radar.wait(0.1) == [], "it is there"


def test_the_distance_of_the_radar_to_the_conflict_point_is_added() -> None:
    radar = Radar(to_conflict_m=25)
    radar.see(at(50))
    (track,) = radar.see(at(49))
    assert track.distance_m == pytest.approx(74, abs=0.6)
    assert track.time_to_arrival_s == pytest.approx(7.4, abs=0.1)
    assert track.time_to_point_s(30) == pytest.approx(4.4, abs=0.1)
    assert track.time_to_point_s(80) is None, "already past that sign"


def test_receding_needs_the_flag_and_the_distance() -> None:
    flag_only, both, distance_only = Radar(), Radar(), Radar()
    for step in range(6):
        (claims,) = flag_only.see(at(50 - step, -10, Flag.RECEDING))
        (leaves,) = both.see(at(20 + step, -10, Flag.RECEDING))
        (drifts,) = distance_only.see(at(20 + step, 10, Flag.APPROACHING))
    assert (claims.receding, leaves.receding, drifts.receding) == (False, True, False)
    assert leaves.time_to_arrival_s is None and (leaves.speed_mps or 0) < 0


@pytest.mark.parametrize("speed_mps", [10.0, 25.0, 38.0])
def test_a_fast_vehicle_that_leaves_is_one_track_from_its_first_frame_and_known_to_leave_by_its_fourth(
    speed_mps: float,
) -> None:
    radar, seen = Radar(), set()
    for step in range(5):
        tracks = radar.see(at(20 + speed_mps * step / 10, -speed_mps, Flag.RECEDING))
        seen |= {t.id for t in tracks}
    assert len(seen) == 1 and tracks[0].receding and tracks[0].state is TrackState.CONFIRMED


def test_who_is_seen_right_under_the_radar_is_at_no_distance() -> None:
    assert [t.distance_m for t in Radar().see(at(0.0))] == [0.0]


def test_one_that_turns_back_is_approaching_again() -> None:
    radar = Radar()
    for step in range(8):
        (track,) = radar.see(at(20 + step, -10, Flag.RECEDING))
    assert track.receding
    for step in range(4):
        (track,) = radar.see(at(27 - step, 10, Flag.APPROACHING))
    assert not track.receding


def test_a_walker_where_a_car_was_expected_is_another_road_user() -> None:
    radar = Radar()
    radar.see(at(50, 17))
    (car,) = radar.see(at(48, 17))
    tracks = radar.see(at(47, 1.4))
    assert len(tracks) == 2
    assert next(t for t in tracks if t.id == car.id).state is TrackState.COASTING


def test_braking_hard_is_still_the_same_car() -> None:
    radar = Radar()
    distance_m, speed_mps, seen = 60.0, 17.0, set()
    for _ in range(18):
        for track in radar.see(at(round(distance_m), speed_mps)):
            seen.add(track.id)
        distance_m -= speed_mps / 10
        speed_mps = max(1.0, speed_mps - 0.8)
    assert len(seen) == 1


def test_two_who_pass_each_other_in_one_range_cell_keep_their_names() -> None:
    radar = Radar()
    for step in range(12):
        comes, leaves = at(60 - step, 10), at(48 + step, -10, Flag.RECEDING)
        tracks = radar.see(comes, leaves)
        if step == 4:
            before = {t.id: t.receding for t in tracks}
    assert {t.id: t.receding for t in tracks} == before
    assert sorted(before.values()) == [False, True]
    assert all((t.distance_m or 0) > 55 for t in tracks if t.receding)
    assert all((t.distance_m or 0) < 53 for t in tracks if not t.receding)


def test_a_radar_that_measures_speed_alone_has_tracks_without_distance() -> None:
    radar = Radar()
    radar.see(at(None))
    (coming,) = radar.see(at(None))
    # A radar knows no class, no lane and no wait zone; where nobody knows the place no lane brings it nearer.
    assert coming == Track(1, "main_east", "r", TrackState.CONFIRMED, None, None, 10.0, False, radar.now_ns)
    leaving_radar = Radar()
    for _ in range(4):
        (leaving,) = leaving_radar.see(at(None, -10, Flag.RECEDING))
    assert leaving.receding


def test_of_too_many_targets_the_nearest_are_kept() -> None:
    radar = Radar()
    crowd = [at(100 - 4.5 * n) for n in range(20)]
    radar.see(*crowd, at(5, 3))
    tracks = radar.see(at(5, 3))
    assert len(tracks) == 20
    assert any(t.distance_m is not None and t.distance_m < 6 for t in tracks)


def test_dropouts_of_three_frames_do_not_begin_the_confirmation_anew_and_four_do() -> None:
    short, long = Radar(), Radar()
    short.see(at(90))
    short.wait(0.2)
    assert short.see(at(87))[0].state is TrackState.CONFIRMED
    long.see(at(90))
    long.wait(0.3)
    assert long.see(at(86))[0].state is TrackState.TENTATIVE


@pytest.mark.parametrize(
    ("second", "confirmed"),
    [
        (at(51, 10), True),  # predicted 49: two metres off
        (at(51.1, 10), False),
        (at(49, 11.6), True),  # 1.2 m/s and a tenth of 4 m/s²
        (at(49, 11.7), False),
        (at(49, 8.4), True),
        (at(49, 10, Flag.RECEDING), False),  # claims both ways: one frame more
        (at(49, 10, Flag.UNKNOWN), True),
    ],
)
def test_two_frames_confirm_if_they_bear_each_other_out(second: RadarTarget, confirmed: bool) -> None:
    radar = Radar()
    radar.see(at(50, 10))
    (track,) = radar.see(second)
    assert (track.state is TrackState.CONFIRMED) is confirmed


def test_three_frames_confirm_one_whose_flag_flickers() -> None:
    radar = Radar()
    radar.see(at(50, 10))
    radar.see(at(49, 10, Flag.RECEDING))
    assert radar.see(at(48, 10))[0].state is TrackState.CONFIRMED


def test_of_two_echoes_that_do_not_fit_the_later_begins_anew() -> None:
    radar = Radar()
    radar.see(at(50, 10))
    (anew,) = radar.see(at(45, 12))
    assert anew.distance_m == 45 and anew.speed_mps == 12
    assert radar.see(at(44, 12))[0].state is TrackState.CONFIRMED


def test_while_a_foreign_radar_fills_the_air_three_frames_are_asked() -> None:
    radar = Radar()
    noise = [at(10 + 10 * n, 20, Flag.RECEDING) for n in range(3)]
    radar.see(at(90, 14), *noise)
    assert all(t.state is TrackState.TENTATIVE for t in radar.see(at(88.6, 14)))
    assert [t.state for t in radar.see(at(87.2, 14)) if (t.distance_m or 0) > 80] == [TrackState.CONFIRMED]
    quiet = Radar()
    quiet.see(at(90, 14), *noise[:2])
    assert [t.state for t in quiet.see(at(88.6, 14)) if (t.distance_m or 0) > 80] == [TrackState.CONFIRMED]


def test_a_row_that_says_what_another_says_is_one_road_user() -> None:
    radar = Radar()
    assert len(radar.see(at(50), at(50), at(50))) == 1
    assert len(radar.see(at(49), at(49))) == 1
    assert len(Radar().see(at(50), at(50, 10, Flag.RECEDING))) == 2
    assert len(Radar().see(at(50), at(50, 11))) == 2
    assert len(Radar().see(at(None), at(None))) == 1


@pytest.mark.parametrize("near", [None, 20.0], ids=["without a range", "nearer"])
def test_a_row_beside_two_of_one_range_keeps_its_road_user(near: float | None) -> None:
    """Two who meet in one range cell, and a third somewhere else."""
    radar, seen = Radar(), set()
    for step in range(12):
        rows = [
            at(80 - step, 10),
            at(60 + step, -10, Flag.RECEDING),
            at(None if near is None else near - 0.5 * step, 5),
        ]
        tracks = radar.see(*rows)
        seen |= {t.id for t in tracks}
    assert len(seen) == 3 and all(t.state is TrackState.CONFIRMED for t in tracks)


def test_a_known_road_user_may_brake_and_lose_its_flag_in_one_frame() -> None:
    radar = Radar()
    for step in range(6):
        (car,) = radar.see(at(60 - step, 10))
    (same,) = radar.see(at(54, 7.5, Flag.UNKNOWN))
    assert same.id == car.id


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [at(50), at(50, 10, Flag.RECEDING), at(46, 9), at(None, 9), at(46, 12), at(20, 3)]
    outcomes = set()
    for order in itertools.islice(itertools.permutations(rows), 0, 720, 37):
        radar = Radar()
        for _ in range(3):
            tracks = radar.see(*order)
        outcomes.add(tuple(tracks))
    assert len(outcomes) == 1


def test_a_slanted_range_is_a_distance_along_the_road() -> None:
    """A radar 3.5 m beside the path of a walker 13 m up the road: 13.5 m and 1.35 m/s along its line of sight."""
    radar = Radar(beside_m=3.5)
    for step in range(20):
        along_m = 15.8 - 0.14 * step
        slant_m = (along_m**2 + 3.5**2) ** 0.5
        (track,) = radar.see(at(slant_m, 1.4 * along_m / slant_m))
    assert track.distance_m == pytest.approx(along_m, abs=0.3)
    assert track.speed_mps == pytest.approx(1.4, abs=0.05)
    (edge,) = Radar(beside_m=2.0).see(at(5.0, 10))
    (under,) = Radar(beside_m=2.0).see(at(4.0, 10))
    assert edge.distance_m == pytest.approx(21**0.5) and edge.speed_mps == pytest.approx(10 * 5 / 21**0.5)
    assert under.distance_m == pytest.approx(21**0.5 - 1) and under.speed_mps == edge.speed_mps
    (straight,) = Radar().see(at(0.1, 10))
    assert straight.distance_m == 0.1 and straight.speed_mps == 10


def walked_up(to_m: float, pace_mps: float = 1.4, from_m: float = 12.0, to_conflict_m: float = 0.0) -> Radar:
    radar = Radar(to_conflict_m)
    for step in range(round((from_m - to_m) / pace_mps * 10) + 1):
        radar.see(at(from_m - pace_mps * step / 10, pace_mps))
    return radar


@pytest.mark.parametrize(
    ("to_m", "pace_mps", "from_m", "waits"),
    [
        (5.0, 1.4, 12.0, True),
        (7.5, 1.4, 12.0, True),
        (8.5, 1.4, 12.0, False),
        (5.0, 1.8, 12.0, True),
        (5.0, 2.3, 12.0, False),
        (5.0, 1.4, 7.5, True),
        (5.0, 1.4, 6.5, False),
    ],
)
def test_who_came_some_way_slowly_and_is_lost_at_the_line_waits(
    to_m: float, pace_mps: float, from_m: float, waits: bool
) -> None:
    radar = walked_up(to_m, pace_mps, from_m)
    tracks = radar.wait(1.6)
    assert [t.state for t in tracks] == [TrackState.WAITING] * waits and radar.tracker.has_waiting is waits
    if waits:
        assert tracks[0].speed_mps == 0.0 and radar.tracker.has_waiting
        assert [t.state for t in radar.wait(60.0)] == [TrackState.WAITING]
        assert radar.wait(0.1) == []


@pytest.mark.parametrize(
    ("from_m", "to_m", "pace_mps", "waits"),
    [
        (12.0, 8.0, 1.0, True),
        (12.0, 8.5, 1.0, False),
        (7.0, 5.0, 1.0, True),
        (7.0, 5.5, 1.0, False),
        (12.0, 5.0, 2.0, False),
    ],
    ids=["eight metres", "more", "came two metres", "less", "2 m/s"],
)
def test_within_eight_metres_below_2_mps_and_came_two_metres(
    from_m: float, to_m: float, pace_mps: float, waits: bool
) -> None:
    radar = Radar()
    here_m = from_m
    while here_m >= to_m:
        radar.later(at(here_m, pace_mps))
        here_m -= 0.5 * pace_mps
    assert [t.state for t in radar.wait(1.6)] == [TrackState.WAITING] * waits


def test_who_walks_away_from_the_line_and_is_lost_there_does_not_wait() -> None:
    radar = Radar()
    for step in range(30):
        (walker,) = radar.see(at(2.0 + 0.14 * step, -1.4, Flag.RECEDING))
    assert walker.receding and (walker.distance_m or 0) < 8
    assert radar.wait(1.6) == []


def test_who_was_never_borne_out_does_not_wait_when_its_radar_falls_quiet() -> None:
    """One echo near the line, and then no frame at all for longer than a coast."""
    radar = Radar()
    radar.see(at(5.0, 1.4))
    radar.now_ns += 16 * TENTH_NS
    radar.tracker.advance(radar.now_ns)
    assert radar.tracker.tracks() == [] and not radar.tracker.has_waiting


def test_who_is_known_by_speed_alone_does_not_wait_because_nobody_knows_where() -> None:
    radar = Radar()
    for _ in range(5):
        (walker,) = radar.see(at(None, 1.4))
    assert walker.state is TrackState.CONFIRMED
    assert radar.wait(1.6) == []


@pytest.mark.parametrize(
    ("to_conflict_m", "to_m", "waits"), [(25.0, 5.0, False), (3.0, 4.0, True), (3.0, 6.0, False), (-10.0, 16.0, True)]
)
def test_the_line_to_wait_at_is_where_the_approaches_meet_not_where_the_radar_hangs(
    to_conflict_m: float, to_m: float, waits: bool
) -> None:
    radar = walked_up(to_m, from_m=to_m + 8.0, to_conflict_m=to_conflict_m)
    assert [t.state for t in radar.wait(1.6)] == [TrackState.WAITING] * waits


def test_on_an_empty_road_nobody_waits() -> None:
    radar = Radar()
    assert radar.tracker.has_waiting is False
    assert radar.see() == [] and radar.tracker.has_waiting is False


def test_who_waits_is_gone_when_somebody_has_looked() -> None:
    radar = walked_up(5.0)
    radar.wait(1.6)
    radar.tracker.end_waiting()
    assert radar.see() == [] and not radar.tracker.has_waiting


@pytest.mark.parametrize(
    ("starts", "same"), [(at(4.0, 2.0), True), (at(2.0, 2.0), False), (at(5.0, 3.0), True), (at(5.0, 3.5), False)]
)
def test_who_waits_starts_from_where_it_was_lost_and_slowly(starts: RadarTarget, same: bool) -> None:
    radar = walked_up(5.0)
    (waiting,) = radar.wait(2.0)
    tracks = radar.see(starts)
    assert len(tracks) == (1 if same else 2)
    mine = next(t for t in tracks if t.id == waiting.id)
    assert mine.state is (TrackState.CONFIRMED if same else TrackState.WAITING)
    if same:
        assert mine.distance_m == starts.distance_m and mine.speed_mps == pytest.approx(starts.speed_mps, abs=0.1)


@pytest.mark.parametrize(("pace_mps", "same"), [(10 + 4.4, True), (10 + 4.6, False), (5.6, True), (5.4, False)])
def test_the_speed_gate_is_4_mps_and_5_mps2(pace_mps: float, same: bool) -> None:
    radar = Radar()
    radar.see(at(50, 10))
    radar.see(at(49, 10))
    assert len(radar.see(at(48, pace_mps))) == (1 if same else 2)


@pytest.mark.parametrize(("at_m", "same"), [(52.9, True), (53.1, False), (43.1, True), (42.9, False)])
def test_the_range_gate_is_5_m(at_m: float, same: bool) -> None:
    radar = Radar()
    for distance_m in range(54, 48, -1):
        radar.see(at(distance_m, 10))
    assert len(radar.see(at(at_m, 10))) == (1 if same else 2)


@pytest.mark.parametrize(("at_m", "same"), [(56.0, True), (56.1, False), (44.0, True), (43.9, False)])
def test_a_newcomer_may_have_gone_either_way_and_jumped_by_five_metres(at_m: float, same: bool) -> None:
    radar = Radar()
    radar.see(at(50, 10))
    assert len(radar.see(at(at_m, 10))) == (1 if same else 2)


def test_the_nearer_of_two_is_taken_and_speed_counts_three_tenths_of_a_second() -> None:
    radar = Radar()
    radar.see(at(50, 10))
    (one,) = radar.see(at(49, 10))
    tracks = radar.see(at(48.5, 13), at(49, 10))  # 0.5 m + 0.9 against 1 m
    assert next(t.speed_mps or 0 for t in tracks if t.id == one.id) == pytest.approx(10, abs=0.2)


def test_one_that_is_known_to_leave_is_not_turned_by_another_that_it_meets() -> None:
    radar = Radar()
    for step in range(10):
        radar.see(at(10 + step, -10, Flag.RECEDING))
    for step in range(6):
        tracks = radar.see(at(20 + step, -10, Flag.RECEDING), at(26 - step, 10))
    leaves = [t for t in tracks if t.receding]
    assert len(leaves) == 1 and leaves[0].distance_m == pytest.approx(25, abs=1)


def test_a_flag_that_is_always_wrong_does_not_split_a_fast_vehicle() -> None:
    radar, seen = Radar(), set()
    for step in range(30):
        seen |= {t.id for t in radar.see(at(98 - 2.8 * step, -28, Flag.RECEDING))}
    assert len(seen) == 1


def test_noise_pushes_out_noise_and_never_a_road_user() -> None:
    radar = Radar()
    for step in range(3):
        known = radar.see(*(at(95 - 4.5 * n - step, 10) for n in range(20)))
    assert [t.state for t in known] == [TrackState.CONFIRMED] * 20
    rows = [at(92 - 4.5 * n, 10) for n in range(20)] + [at(2 + 0.1 * n, 30, Flag.UNKNOWN) for n in range(30)]
    tracks = radar.see(*rows)
    assert {t.id for t in known} <= {t.id for t in tracks}
    assert sum(t.state is TrackState.TENTATIVE for t in tracks) == 20
    again = radar.see(*rows)
    assert sum(t.state is TrackState.CONFIRMED for t in again) <= 20


def crowd(radar: Radar, *more: RadarTarget) -> list[Track]:
    """Twenty slow ones 1 m apart, a minute and more away, and some more, seen twice."""
    for _ in range(2):
        tracks = radar.see(*(at(60.0 + n, 1.0) for n in range(20)), *more)
    return tracks


def test_of_too_many_the_ones_who_arrive_first_are_kept_not_the_nearest() -> None:
    """100 m at 144 km/h are two and a half seconds."""
    tracks = crowd(Radar(), at(100, 40))
    assert len(tracks) == 20
    assert any((t.speed_mps or 0) > 35 for t in tracks)
    assert not any(t.distance_m == pytest.approx(79.0) for t in tracks), "the slow one farthest off went"


def test_of_too_many_one_that_nobody_knows_where_comes_at_once_and_is_kept() -> None:
    radar = Radar()
    tracks = radar.see(*(at(1.0 + 0.2 * n, 30) for n in range(20)), at(None, 5))
    assert len(tracks) == 20 and any(t.distance_m is None for t in tracks)


def test_of_too_many_who_leaves_goes_first_however_near() -> None:
    radar = Radar()
    for step in range(6):
        (leaves,) = radar.see(at(10 + step, -10, Flag.RECEDING))
    assert leaves.receding
    for step in range(6, 10):
        tracks = radar.see(at(10 + step, -10, Flag.RECEDING), *(at(60.0 + n, 1.0) for n in range(20)))
        if step == 6:
            assert leaves.id in {t.id for t in tracks}, "nothing has borne the others out yet"
    assert sum(t.state is TrackState.CONFIRMED for t in tracks) == 20 and leaves.id not in {t.id for t in tracks}


def test_one_that_hardly_moves_is_not_kept_for_being_near() -> None:
    """Less than 0.3 m/s is the noise of a radar: 30 m at that are 100 s, not the age of the world."""
    tracks = crowd(Radar(), at(3.0, 0.1))
    assert any(t.distance_m == pytest.approx(3.0, abs=0.5) for t in tracks)


def test_tracks_are_told_nearest_first_and_those_without_a_distance_last() -> None:
    """The one behind is faster, and overtakes."""
    radar = Radar()
    for step in range(20):
        rows = [at(80 - 3 * step, 30), at(50 - step), at(None, 5)]
        tracks = radar.see(*rows)
        distances_m = [t.distance_m for t in tracks]
        assert len(tracks) >= 3 and distances_m[-1] is None
        known_m = [distance_m for distance_m in distances_m if distance_m is not None]
        assert known_m == sorted(known_m)
    two = Radar()
    for step in range(20):
        distances_m = [t.distance_m or 0 for t in two.see(at(80 - 3 * step, 30), at(50 - step))]
        assert distances_m == sorted(distances_m)


def test_who_is_seen_on_the_conflict_point_is_there_now_and_who_is_past_it_arrives_no_more() -> None:
    """The radar hangs ten metres beyond the conflict point."""
    radar = Radar(to_conflict_m=-10.0)
    for step in range(25):
        (car,) = radar.see(at(30 - step))
        true_m = 20 - step
        if -1.5 < true_m < -0.5:
            assert car.distance_m == 0.0 and car.time_to_arrival_s == 0.0
        if true_m == -2:
            assert car.distance_m == -2.0
    assert (car.distance_m or 0) == pytest.approx(-4, abs=0.5) and car.time_to_arrival_s is None


def test_two_known_by_speed_alone_keep_their_names_in_any_order_of_rows() -> None:
    radar = Radar()
    for step in range(6):
        rows = [at(None, 10), at(None, 17, Flag.RECEDING)]
        tracks = radar.see(*rows[:: 1 if step % 2 else -1])
        if step == 3:
            before = {t.id: round(abs(t.speed_mps or 0)) for t in tracks}
    assert {t.id: round(abs(t.speed_mps or 0)) for t in tracks} == before
    assert sorted(before.values()) == [10, 17]


def test_two_known_by_speed_alone_who_drive_alike_are_told_apart_by_their_way() -> None:
    radar = Radar()
    for _ in range(4):
        before = radar.see(at(None, 10), at(None, -10.5, Flag.RECEDING))
    for _ in range(4):
        tracks = radar.see(at(None, 10.5), at(None, -10, Flag.RECEDING))
    assert {t.id: t.receding for t in tracks} == {t.id: t.receding for t in before}
    assert sorted(t.receding for t in tracks) == [False, True]


@pytest.mark.parametrize(("pace_mps", "same"), [(10 + 4.5, True), (10 + 4.6, False), (5.5, True), (5.4, False)])
def test_the_speed_gate_holds_for_a_radar_that_measures_speed_alone(pace_mps: float, same: bool) -> None:
    radar = Radar()
    radar.see(at(None, 10))
    radar.see(at(None, 10))
    assert len(radar.see(at(None, pace_mps))) == (1 if same else 2)


def test_a_speed_without_range_is_the_mean_of_what_it_was_and_what_it_is() -> None:
    radar = Radar()
    radar.see(at(None, 10))
    (car,) = radar.see(at(None, 12))
    assert car.speed_mps == pytest.approx(11.0)


def test_a_row_without_range_keeps_nobody_else_from_being_followed() -> None:
    radar, ids = Radar(), set()
    for step in range(10):
        tracks = radar.see(at(None, 6), at(60 - step, 10))
        ids |= {t.id for t in tracks}
    assert len(ids) == 2 and all(t.state is TrackState.CONFIRMED for t in tracks)


def test_who_is_known_by_speed_alone_is_not_mixed_up_with_one_whose_place_is_known() -> None:
    radar = Radar()
    for _ in range(4):
        (somewhere,) = radar.see(at(None, 10))
    there, nowhere = radar.see(at(60, 10))
    assert nowhere.id == somewhere.id and nowhere.state is TrackState.COASTING
    assert there.distance_m == 60 and there.state is TrackState.TENTATIVE


def test_one_that_shows_a_range_again_after_a_frame_without_goes_on_by_its_number() -> None:
    """An OPS243 that loses the range of a car for one frame still tells its speed."""
    radar = Radar()
    for step in range(6):
        (car,) = radar.see(at(60 - step, 10))
    tracks = radar.see(at(None, 10))
    assert {t.id: t.state for t in tracks}[car.id] is TrackState.COASTING
    tracks = radar.see(at(53, 10))
    assert {t.id: t.state for t in tracks}[car.id] is TrackState.CONFIRMED


class Camera:
    def __init__(self, parked_after_s: float = 120.0) -> None:
        self.tracker = CameraTracker("c", parked_after_s, itertools.count(1))
        self.now_ns = NS_PER_S

    def see(self, count: int, zone: Zone = Zone.WAIT) -> list[Track]:
        self.now_ns += TENTH_NS
        occupancy = (ZoneCount("branch_south", zone, RoadUser.CAR, count),) if count else ()
        self.tracker.update(CameraObservation("c", self.now_ns, occupancy))
        self.tracker.advance(self.now_ns)
        return self.tracker.tracks(self.now_ns)


def test_a_camera_confirms_with_two_pictures_of_three() -> None:
    camera = Camera()
    assert camera.see(1)[0].state is TrackState.TENTATIVE
    camera.see(0)
    assert camera.see(1)[0].state is TrackState.WAITING


def test_a_flicker_of_the_detector_keeps_who_waits_and_leaving_releases() -> None:
    camera = Camera()
    camera.see(1)
    (waiting,) = camera.see(1)
    for _ in range(14):
        (kept,) = camera.see(0)
    assert kept.id == waiting.id and kept.state is TrackState.WAITING
    for _ in range(2):
        gone = camera.see(0)
    assert gone == []


def test_who_stands_too_long_is_parked_and_who_joins_him_is_not() -> None:
    camera = Camera(parked_after_s=1.0)
    for _ in range(12):
        tracks = camera.see(1)
    assert [t.state for t in tracks] == [TrackState.PARKED]
    for _ in range(3):
        tracks = camera.see(2)
    assert sorted(t.state.value for t in tracks) == ["parked", "waiting"]


def test_the_approach_zone_is_for_who_moves() -> None:
    camera = Camera(parked_after_s=0.1)
    for _ in range(5):
        (track,) = camera.see(1, Zone.APPROACH)
    assert track.state is TrackState.CONFIRMED
    assert camera.see(0)[0].state is TrackState.COASTING


@pytest.mark.parametrize(("passes_mps", "taken"), [(2.4, True), (2.5, True), (2.6, False), (5.0, False)])
def test_a_queue_that_creeps_is_not_woken_by_one_who_drives_past_it_the_other_way(
    passes_mps: float, taken: bool
) -> None:
    """At nearly its own speed it may be itself with a wrong flag: another road user is told by both."""
    radar = Radar()
    for step in range(10):
        (queue,) = radar.later(at(20 - 0.5 * step, 1.0))
    tracks = radar.see(at(15, -passes_mps, Flag.RECEDING))
    states = {track.id: track.state for track in tracks}
    assert states[queue.id] is (TrackState.CONFIRMED if taken else TrackState.COASTING)
    assert len(states) == (1 if taken else 2)


def test_a_queue_is_still_seen_when_another_drives_past_it_just_before() -> None:
    radar = Radar()
    for step in range(10):
        (queue,) = radar.see(at(16 - 0.1 * step, 1.0))
    tracks = radar.see(at(14.5, -5.0, Flag.RECEDING), at(14.9, 1.0))
    assert {track.id: track.state for track in tracks}[queue.id] is TrackState.CONFIRMED and len(tracks) == 2


def test_of_two_with_the_other_flag_the_nearer_is_taken() -> None:
    radar = Radar()
    for step in range(6):
        (car,) = radar.see(at(60 - step, 10))
    tracks = radar.see(at(51.5, 10, Flag.RECEDING), at(54, 10, Flag.RECEDING))
    assert {track.id == car.id: track.distance_m for track in tracks} == {True: pytest.approx(54, abs=0.1), False: 51.5}


def test_who_stood_and_starts_is_followed_at_once() -> None:
    radar = Radar()
    for _ in range(3):
        radar.see(at(20, 0.0))
    for step in range(1, 6):
        tracks = radar.see(at(20 - 0.2 * step, 2.0))
    assert [track.distance_m for track in tracks] == [pytest.approx(19.0, abs=0.5)]


def test_a_newcomer_lost_for_two_frames_may_have_gone_either_way_whoever_is_in_between() -> None:
    for there_m, flag in ((72.0, Flag.RECEDING), (48.0, Flag.APPROACHING)):
        radar = Radar()
        (first,) = radar.see(at(60, 40, flag))
        radar.wait(0.2)
        tracks = radar.see(at(60, 38, Flag.UNKNOWN), at(there_m, 40, flag))
        assert {track.id: track.distance_m for track in tracks}[first.id] == pytest.approx(there_m, abs=2.0)


def test_a_vehicle_that_drove_straight_under_its_radar_is_leaving_three_frames_later() -> None:
    """57 km/h, no offset beside the road: the echo that came is the echo that goes, and lights nothing for it."""
    radar = Radar()
    for step in range(20):
        radar.see(at(round(31 - 1.58 * step), 15.8))
    for step in range(1, 6):
        tracks = radar.see(at(round(1.58 * step), -15.8, Flag.RECEDING))
    assert [track.receding for track in tracks] == [True]
    assert tracks[0].distance_m == pytest.approx(7.9, abs=1.0)
    for step in range(6, 20):
        tracks = radar.see(at(round(1.58 * step), -15.8, Flag.RECEDING))
        assert all(track.receding for track in tracks)
