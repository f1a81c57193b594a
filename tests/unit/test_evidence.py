"""What a radar track must show: to be believed, to be leaving, to move at all, and which way it goes."""

import pytest

from device.evidence import FITS_M, FITS_MPS, FITS_PER_S, PROVEN_FITS_M, PROVEN_FITS_MPS, TrackLife
from device.kinematics import RangeFilter
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarTarget

COMES, LEAVES, UNKNOWN = Flag.APPROACHING, Flag.RECEDING, Flag.UNKNOWN


class Seen:
    """The evidence of one track, a frame every tenth of a second; its filter stands where the radar measures."""

    def __init__(self, first_m: float | None = 50.0, flag: Flag = COMES, pace_mps: float = 10.0) -> None:
        self.now_ns, self.pace_mps = NS_PER_S, pace_mps
        self.life = TrackLife(self.now_ns, RadarTarget(pace_mps, first_m, None, flag))

    def see(
        self,
        range_m: float | None,
        flag: Flag = COMES,
        *,
        off_m: float = 0.0,
        off_mps: float = 0.0,
        gap_s: float = 0.1,
        pace_mps: float | None = None,
    ) -> bool:
        self.pace_mps = self.pace_mps if pace_mps is None else pace_mps
        self.now_ns += round(gap_s * NS_PER_S)
        motion = None if range_m is None else RangeFilter(range_m, self.pace_mps)
        return self.life.hit(
            self.now_ns, RadarTarget(self.pace_mps, range_m, None, flag), motion, off_m, off_mps, gap_s
        )

    def confirms(self, **air: bool) -> bool:
        return self.life.may_confirm(self.now_ns, self.pace_mps, **air)


def test_one_echo_has_shown_nothing_yet() -> None:
    life = Seen(50, LEAVES).life
    assert [life.confirmed, life.receding, life.swayed, life.moved, life.way_known, life.proven] == [False] * 6
    assert life.flag is LEAVES and life.travelled_m == 0.0


# --- leaving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ranges_m", "leaves"),
    [
        ([10, 11], False),
        ([10, 11, 12], True),
        ([10, 10, 11], True),
        ([10, 10, 10], False),
        ([12, 11, 10], False),
        ([10, 11, 11, 11], True),
        ([8, 5, 2, 3], False),
        ([8, 5, 2, 3, 4], True),
        ([10, 9, 9, 9], False),
    ],
    ids=[
        "two frames say nothing",
        "three that rise",
        "one step in three frames",
        "the flag alone",
        "the distance falls",
        "one step in the last second",
        "one step above the place where it passed",
        "two steps above it",
        "nearer than a second ago",
    ],
)
def test_leaving_takes_the_flag_and_a_distance_that_rose(ranges_m: list[float], leaves: bool) -> None:
    track = Seen(ranges_m[0], LEAVES)
    for range_m in ranges_m[1:]:
        track.see(range_m, LEAVES)
    assert track.life.receding is leaves


def test_a_distance_that_rises_without_the_flag_is_nobody_who_leaves() -> None:
    track = Seen(10)
    for range_m in (11, 12, 13):
        track.see(range_m, COMES)
    assert not track.life.receding
    track.see(14, LEAVES)
    assert track.life.receding, "the newest frame says it too"


def test_one_that_is_farther_than_a_second_ago_and_comes_back_is_not_leaving() -> None:
    track = Seen(10)
    for range_m in (14, 13):
        track.see(range_m)
    track.see(12, LEAVES)
    assert not track.life.receding


def leaving(from_m: float = 10.0) -> Seen:
    track = Seen(from_m, LEAVES)
    for step in (1, 2, 3):
        track.see(from_m + step, LEAVES)
    assert track.life.receding
    return track


def test_one_known_to_leave_is_not_turned_by_two_frames_of_the_other_flag_and_is_by_three() -> None:
    for flag in (COMES, UNKNOWN):
        track = leaving()
        track.see(14, flag)
        track.see(15, flag)
        assert track.life.receding
        track.see(16, flag)
        assert not track.life.receding


@pytest.mark.parametrize(
    ("then_m", "leaves"),
    [
        ([12.5, 12], True),
        ([10, 9], True),
        ([10, 8], True),
        ([10, 7.5], False),
        ([9, 5, 6, 7], True),
        ([9, 5, 6], False),
    ],
    ids=["jitter", "a step nearer", "two steps nearer", "nearer", "turns twice", "turns twice, one step"],
)
def test_one_known_to_leave_whose_flag_sticks_comes_when_it_is_over_two_range_steps_nearer_than_a_second_ago(
    then_m: list[float], leaves: bool
) -> None:
    track = leaving()
    for range_m in then_m:
        track.see(range_m, LEAVES)
    assert track.life.receding is leaves


def test_one_known_to_leave_stays_so_through_a_jump_until_three_frames_say_otherwise() -> None:
    track = leaving()
    track.see(17, LEAVES, off_m=3.0)
    track.see(15, LEAVES)
    assert track.life.receding, "a jump is no motion"
    track.see(14, LEAVES)
    assert not track.life.receding, "the distance has fallen since"


def test_one_wild_near_range_does_not_turn_who_leaves_through_dropouts() -> None:
    track = leaving()
    for range_m, gap_s in ((14, 0.1), (10, 0.1), (12, 0.95)):
        track.see(range_m, LEAVES, gap_s=gap_s)
    assert track.life.receding, "two range steps above the nearest place of the last frames"


def test_a_jump_is_neither_a_rise_nor_a_fall() -> None:
    track = Seen(10, LEAVES)
    track.see(10, LEAVES)
    track.see(13, LEAVES, off_m=3.0)
    assert not track.life.receding
    track.see(13, LEAVES)
    track.see(13, LEAVES)
    assert not track.life.receding


def test_what_rose_more_than_a_second_ago_is_not_leaving_now() -> None:
    track = Seen(8, UNKNOWN)
    for _ in range(13):
        track.see(10, UNKNOWN)
    track.see(10, LEAVES)
    assert not track.life.receding
    walker = Seen(10, UNKNOWN)
    for _ in range(5):
        walker.see(11, UNKNOWN)
    walker.see(11, LEAVES)
    assert walker.life.receding, "within the last second"


def test_what_rose_just_a_second_ago_counts() -> None:
    track = Seen(8, UNKNOWN)
    for _ in range(9):
        track.see(10, UNKNOWN)
    track.see(10, LEAVES)
    assert track.life.receding


def test_with_dropouts_three_frames_are_enough_however_far_apart() -> None:
    track = Seen(10, LEAVES)
    track.see(11, LEAVES, gap_s=0.7)
    assert not track.life.receding
    track.see(12, LEAVES, gap_s=0.7)
    assert track.life.receding


@pytest.mark.parametrize(
    ("flags", "leaves"),
    [([LEAVES], False), ([LEAVES, LEAVES], True), ([COMES, LEAVES], False), ([COMES, LEAVES, LEAVES, LEAVES], True)],
)
def test_by_speed_alone_three_flags_in_a_row_are_leaving(flags: list[Flag], leaves: bool) -> None:
    track = Seen(None, LEAVES)
    for flag in flags:
        track.see(None, flag)
    assert track.life.receding is leaves


# --- to be believed -------------------------------------------------------------------------------------------------


def test_two_frames_confirm_and_three_where_a_foreign_radar_fills_the_air() -> None:
    track = Seen()
    assert not track.confirms()
    track.see(49)
    assert track.confirms() and not track.confirms(noisy=True)
    track.see(48)
    assert track.confirms(noisy=True)


def test_an_echo_that_claims_both_ways_needs_a_third_frame_and_an_unknown_flag_claims_nothing() -> None:
    flickers, unknown = Seen(), Seen(50, UNKNOWN)
    flickers.see(49, LEAVES)
    unknown.see(49, COMES)
    assert not flickers.confirms() and unknown.confirms()
    flickers.see(48, COMES)
    assert flickers.confirms()


@pytest.mark.parametrize(
    ("off_m", "off_mps", "gap_s", "fits"),
    [
        (1.9, 0.0, 0.1, True),
        (FITS_M, 0.0, 0.1, True),
        (0.0, FITS_MPS + FITS_PER_S * 0.1, 0.1, True),
        (2.1, 0.0, 0.1, False),
        (0.0, 1.5, 0.1, True),
        (0.0, 1.7, 0.1, False),
        (0.0, 2.9, 0.5, True),
        (2.1, 2.0, 0.1, False),
    ],
)
def test_a_frame_bears_a_track_out_within_two_metres_and_what_braking_explains(
    off_m: float, off_mps: float, gap_s: float, fits: bool
) -> None:
    track = Seen()
    assert track.life.coherent(off_m, off_mps, gap_s) is fits
    track.see(49, off_m=off_m, off_mps=off_mps, gap_s=gap_s)
    assert track.confirms() is fits


def test_an_echo_that_does_not_fit_begins_the_count_anew_and_a_confirmed_track_only_misses_one() -> None:
    track = Seen()
    track.see(49)
    track.see(40, off_m=9.0)
    assert not track.confirms()
    track.see(39)
    assert track.confirms() and not track.confirms(noisy=True)
    known = Seen()
    for range_m in (49, 48):
        known.see(range_m)
    known.life.confirmed = True
    known.see(40, off_m=9.0)
    assert known.confirms(noisy=True), "three of the last five fitted"


def test_where_it_began_anew_counts_as_the_first_of_five_frames() -> None:
    track = Seen()
    track.see(40, off_m=9.0)
    for _ in range(3):
        track.life.miss()
    track.see(36)
    assert track.confirms()


def test_of_the_last_five_frames_two_are_enough() -> None:
    track = Seen()
    for _ in range(3):
        track.life.miss()
    assert track.life.is_lone and not track.life.seen_last
    track.see(46)
    assert track.confirms() and not track.life.is_lone and track.life.seen_last
    late = Seen()
    for _ in range(4):
        late.life.miss()
    late.see(45)
    assert not late.confirms(), "the first one is forgotten"


def test_one_missed_frame_or_two_leave_a_tentative_track_and_a_confirmed_one_is_never_lone() -> None:
    track = Seen()
    for _ in range(2):
        track.life.miss()
        assert not track.life.is_lone
    track.life.confirmed = True
    for _ in range(5):
        track.life.miss()
    assert not track.life.is_lone


# --- flagged as leaving from its first frame ------------------------------------------------------------------------


def flagged(ranges_m: list[float | None], pace_mps: float = 10.0, gap_s: float = 0.1) -> bool:
    track = Seen(ranges_m[0], LEAVES, pace_mps)
    for range_m in ranges_m[1:]:
        track.see(range_m, LEAVES, gap_s=gap_s)
    return track.confirms()


@pytest.mark.parametrize(
    ("ranges_m", "pace_mps", "believed"),
    [
        ([20, 21], 10, False),
        ([20, 21, 22], 10, True),
        ([50, 49], 20, False),
        ([50, 49, 48], 10, True),
        ([50, 50, 49], 10, False),
        ([50] * 8, 10, False),
        ([50] * 9, 10, True),
        ([50] * 15, 1, False),
        ([50] * 16, 1, True),
        ([None, None], 10, False),
        ([None, None, None], 10, True),
    ],
    ids=[
        "two frames",
        "leaves, and is known to",
        "comes by two frames",
        "has come two metres: its flag is wrong",
        "one range step",
        "claims 7 m and stays",
        "claims 8 m and stays: counts as approaching",
        "slow, for 1.4 s",
        "slow, for 1.5 s",
        "two speeds",
        "three speeds",
    ],
)
def test_one_flagged_as_leaving_from_birth_is_believed_when_distance_has_spoken_or_had_its_time(
    ranges_m: list[float | None], pace_mps: float, believed: bool
) -> None:
    assert flagged(ranges_m, pace_mps) is believed


def test_three_frames_of_a_fast_radar_are_not_yet_time_enough() -> None:
    """Twenty-five frames a second: three of them are 80 ms."""
    assert flagged([50, 49, 48], gap_s=0.075)
    assert not flagged([50, 49, 48], gap_s=0.04)
    assert flagged([50, 49, 48, 47, 46], gap_s=0.04)


# --- which way it goes ----------------------------------------------------------------------------------------------


def weighed(life: TrackLife, *moves_m: float) -> list[bool]:
    """It was at 50 m and is taken to come by a metre each frame; the range says it moved by so much instead."""
    return [life.weigh_way(50.0 + moved_m, 50.0, 49.0) for moved_m in moves_m]


def test_two_frames_as_thought_tell_the_way_and_one_does_not() -> None:
    life = Seen().life
    assert weighed(life, -1) == [False] and not life.way_known
    assert weighed(life, -1) == [False] and life.way_known


def test_two_frames_the_other_way_turn_it_and_then_its_way_is_known() -> None:
    life = Seen().life
    assert weighed(life, 1) == [False] and not life.way_known
    assert weighed(life, 1) == [True] and life.way_known
    assert weighed(life, -1, -1) == [False, False] and life.way_known, "as sure as after three metres"


def test_one_that_stays_where_it_is_tells_nothing_of_its_way() -> None:
    life = Seen().life
    assert weighed(life, *[0.0] * 30) == [False] * 30 and not life.way_known


def test_however_long_it_came_who_turns_back_is_believed_within_three_frames() -> None:
    life = Seen().life
    weighed(life, *[-1] * 60)
    assert weighed(life, 1, 1, 1) == [False, False, True]


def test_what_was_seen_of_its_way_fades() -> None:
    fresh, old = Seen().life, Seen().life
    assert weighed(fresh, 0.8, 0.8) == [False, True]
    weighed(old, 0.8, *[0.0] * 20)
    assert weighed(old, 0.8) == [False], "two seconds ago it seemed to go the other way"


# --- does it move at all --------------------------------------------------------------------------------------------


def test_leaves_that_claim_metres_to_and_fro_and_stay_are_told_once_and_lose_their_confirmation() -> None:
    bush = Seen(15, COMES, 1.5)
    bush.life.confirmed = True
    told = [bush.see(15 + 0.3 * (step % 2), COMES if step // 4 % 2 else LEAVES) for step in range(34)]
    assert sum(told) == 2, "each time it has claimed two and a half metres"
    assert told.index(True) == 16
    assert (bush.life.swayed, bush.life.confirmed, bush.life.moved) == (True, False, False)


def test_one_flag_to_the_other_side_is_no_sway_and_two_are() -> None:
    for turned, sways in ((1, False), (2, True)):
        echo = Seen(15, COMES, 1.5)
        told = [echo.see(15, LEAVES if step < turned else COMES) for step in range(20)]
        assert any(told) is sways
        other = Seen(15, LEAVES, 1.5)
        told = [other.see(15, COMES if step < turned else LEAVES) for step in range(20)]
        assert any(told) is sways


def test_one_that_claims_to_come_and_stays_does_not_sway() -> None:
    echo = Seen(40, COMES, 5.0)
    assert not any(echo.see(40) for _ in range(60))
    assert not echo.life.moved and not echo.life.swayed


def test_one_that_has_gone_half_of_what_it_claims_does_not_sway_whatever_its_flags() -> None:
    track = Seen(30, COMES, 2.0)
    told = [track.see(30 - 0.15 * step, COMES if step % 2 else LEAVES) for step in range(1, 40)]
    assert not any(told)
    half = Seen(30, COMES, 2.0)
    assert any(half.see(30 - 0.08 * step, COMES if step % 2 else LEAVES) for step in range(1, 40))


def test_one_has_moved_by_two_and_a_half_metres_and_is_then_no_bush() -> None:
    track = Seen(50)
    for step in (1, 2):
        track.see(50 - step)
        assert not track.life.moved
    track.see(47)
    assert track.life.moved
    assert track.life.travelled_m == pytest.approx(3.0)
    bush = Seen(15, COMES, 1.5)
    for step in range(20):
        bush.see(15, COMES if step % 2 else LEAVES)
    assert bush.life.swayed
    for step in range(1, 30):
        bush.see(15 + 0.3 * step, LEAVES, pace_mps=3.0)
    assert (bush.life.moved, bush.life.swayed) == (True, False), "whatever it was, it drives away"


def test_a_slow_walker_has_moved_when_the_range_has_fallen_by_two_and_a_half_metres_not_before() -> None:
    """1 m/s by its own word, four fifths of it by the range."""
    walker = Seen(15, COMES, 1.0)
    moved_at_m = None
    for step in range(1, 45):
        walker.see(15 - 0.08 * step)
        if walker.life.moved and moved_at_m is None:
            moved_at_m = 0.08 * step
    assert moved_at_m == pytest.approx(2.5, abs=0.1)


def test_what_swayed_is_proven_only_by_five_good_frames_after_it() -> None:
    bush = Seen(15, COMES, 1.5)
    while not bush.life.swayed:
        bush.see(15, COMES if bush.life.flag is LEAVES else LEAVES)
    for step in range(1, 5):
        bush.see(15 - step, pace_mps=10.0)
    assert bush.life.moved and not bush.life.proven
    bush.see(10, pace_mps=10.0)
    assert bush.life.proven


def judged(ways_m: list[float], *, to_and_fro: bool = True) -> list[bool]:
    """Somebody of 1 m/s, seen twice a second: by how much nearer than at first."""
    track = Seen(20, COMES, 1.0)
    flags = (LEAVES, COMES) if to_and_fro else (COMES, COMES)
    return [track.see(20 - way_m, flags[n % 2], gap_s=0.5) for n, way_m in enumerate(ways_m)]


def test_it_is_judged_when_it_has_claimed_two_and_a_half_metres_and_anew_after_five() -> None:
    assert judged([0.0] * 5) == [False] * 4 + [True]
    assert judged([0.25 * n for n in range(1, 6)]) == [False] * 5, "half of what it claims is enough"
    assert judged([0.5 * n for n in range(1, 11)] + [5.0] * 5) == [False] * 14 + [True]


def test_two_and_a_half_metres_are_a_way_that_no_branch_sways() -> None:
    track = Seen(50, COMES, 5.0)
    for range_m in (49.5, 49, 48.5, 48):
        track.see(range_m)
        assert not track.life.moved
    track.see(47.5)
    assert track.life.moved


def test_who_was_first_seen_right_under_the_radar_has_moved_two_and_a_half_metres_on() -> None:
    track = Seen(0.0, LEAVES, 5.0)
    for range_m in (0.5, 1, 1.5, 2, 2.5):
        track.see(range_m, LEAVES)
    assert track.life.moved


def test_a_frame_that_tells_no_range_says_nothing_of_swaying() -> None:
    assert Seen(None, COMES).see(None, LEAVES) is False


def test_after_five_metres_of_its_way_a_road_user_is_judged_anew() -> None:
    came, steady = Seen(50, COMES, 2.0), Seen(50, COMES, 2.0)
    for step in range(1, 27):
        came.see(50 - 0.2 * step)
        steady.see(50 - 0.2 * step)
    told = [came.see(44.8, COMES if step % 2 else LEAVES) for step in range(14)]
    assert any(told), "it has claimed two and a half metres since, to and fro, and stayed"
    told = [steady.see(44.8, LEAVES if step == 0 else COMES) for step in range(40)]
    assert not any(told), "one flag to the other side is no sway"


def test_what_it_claimed_is_counted_from_where_it_last_was_judged() -> None:
    """A tractor that waited with its engine running for a minute, and then sways no more than any other."""
    track = Seen(50, COMES, 2.0)
    for step in range(1, 40):
        track.see(50 - 0.2 * step)
    for step in range(30):
        track.see(42.2, COMES if step % 2 else LEAVES)
    assert track.life.swayed, "it came eight metres before; since then it has claimed to and fro, and stayed"


def test_it_is_proven_by_five_frames_more_that_fit_well_than_that_do_not_and_a_way_that_it_went() -> None:
    track = Seen(50)
    for step in range(1, 5):
        track.see(50 - step)
    assert track.life.moved and not track.life.proven
    track.see(45)
    assert track.life.proven
    track.life.miss()
    assert not track.life.proven
    track.see(43)
    track.see(42, off_m=PROVEN_FITS_M + 0.1)
    assert not track.life.proven, "it fits, and not well"
    track.see(41, off_m=PROVEN_FITS_M)
    assert track.life.proven
    track.see(40, off_mps=PROVEN_FITS_MPS + FITS_PER_S * 0.1 + 0.1)
    assert not track.life.proven
    track.see(39, off_mps=PROVEN_FITS_MPS + FITS_PER_S * 0.1)
    assert track.life.proven
    stays = Seen(50)
    for _ in range(10):
        stays.see(50)
    assert not stays.life.proven, "what never moved is not proven"
