"""Radar and camera see one road user: one track, one number, and never less warning than either alone."""

import itertools
from typing import Any

import pytest

from configs.schema import RoadUser
from device.fusion import GATE_M, GATE_MPS, GATE_PER_M, STICKS, Fuser
from device.tracks import Track, TrackState

EAST = "main_east"


def track(number: int, sensor: str, distance_m: float | None, speed_mps: float | None = 10.0, **more: Any) -> Track:
    values: dict[str, Any] = {
        "approach": EAST,
        "state": TrackState.CONFIRMED,
        "user": RoadUser.TRUCK if sensor[0] == "c" else None,
        "receding": False,
        "updated_ns": number,
        "lateral_m": 0.5 if sensor[0] == "c" else None,
    }
    return Track(id=number, sensor=sensor, distance_m=distance_m, speed_mps=speed_mps, **(values | more))


def fuser() -> Fuser:
    return Fuser({"r", "r2"}, {})


def test_range_and_speed_are_the_radars_class_and_place_across_the_cameras() -> None:
    (one,) = fuser().merge([track(1, "r", 40, 11, updated_ns=7), track(2, "c", 42, 9, updated_ns=5)])
    assert one == track(1, "r", 40, 11, updated_ns=7, user=RoadUser.TRUCK, lateral_m=0.5)


@pytest.mark.parametrize(
    "other",
    [
        track(2, "c", 42, approach="main_west"),
        track(2, "c", 42, receding=True),
        track(2, "c", 42, state=TrackState.TENTATIVE),
        track(2, "c", None, None, state=TrackState.WAITING),
    ],
)
def test_what_cannot_be_the_same_carries_on_alone(other: Track) -> None:
    tracks = [track(1, "r", 40), other]
    assert fuser().merge(tracks) == tracks


def test_a_camera_alone_is_believed_within_its_reach_and_with_a_radar_beyond() -> None:
    declared = Fuser({"r"}, {("c", EAST): 40.0})
    near, far = track(1, "c", 40.0), track(2, "c", 40.1)
    not_told, uncounted = track(3, "c", 60.0, approach="main_west"), track(4, "c", None, None)
    assert declared.merge([near, far, not_told, uncounted]) == [
        near,
        far._replace(state=TrackState.TENTATIVE),
        not_told,
        uncounted,
    ]
    (both,) = declared.merge([track(1, "r", 45), track(2, "c", 45)])
    assert both.state is TrackState.CONFIRMED and both.user is RoadUser.TRUCK


def test_a_radar_track_that_leaves_or_is_not_believed_hides_nobody() -> None:
    for radar in (track(1, "r", 40, receding=True), track(1, "r", 40, state=TrackState.TENTATIVE)):
        tracks = [radar, track(2, "c", 40)]
        assert fuser().merge(tracks) == tracks


@pytest.mark.parametrize("at_m", [10.0, 40.0])
def test_the_gate_of_distance_grows_with_distance(at_m: float) -> None:
    gate_m = GATE_M + GATE_PER_M * at_m
    for off_m in (gate_m - 0.01, gate_m):
        assert len(fuser().merge([track(1, "r", at_m + off_m), track(2, "c", at_m)])) == 1
    assert len(fuser().merge([track(1, "r", at_m + gate_m + 0.01), track(2, "c", at_m)])) == 2


def test_the_gate_of_speed_is_wider_for_a_camera_that_is_unsure() -> None:
    for error_mps in (0.0, 2.0):
        gate_mps = GATE_MPS + 2 * error_mps
        for off_mps, tracks in ((gate_mps - 0.01, 1), (gate_mps + 0.01, 2)):
            merged = fuser().merge([track(1, "r", 40), track(2, "c", 40, 10 + off_mps, speed_error_mps=error_mps)])
            assert len(merged) == tracks


def test_a_pair_sticks_while_it_fits_by_half_more_and_another_does_not_take_it() -> None:
    pair = fuser()
    pair.merge([track(1, "r", 40), track(2, "c", 40)])
    apart_m = STICKS * (GATE_M + GATE_PER_M * 40) - 0.01
    (kept, other) = pair.merge([track(1, "r", 40 + apart_m), track(2, "c", 40), track(3, "c", 40 + apart_m)])
    assert kept.id == 1 and other.id == 3
    assert len(pair.merge([track(1, "r", 40 + STICKS * (GATE_M + GATE_PER_M * 40)), track(2, "c", 40)])) == 1
    assert len(pair.merge([track(1, "r", 40 + apart_m + 0.1), track(2, "c", 40)])) == 2


def test_of_two_that_fit_the_nearer_is_taken_and_one_camera_sees_a_road_user_once() -> None:
    merged = fuser().merge([track(1, "r", 40), track(2, "c", 43, user=RoadUser.CAR), track(3, "c", 41)])
    assert [(t.id, t.user) for t in merged] == [(1, RoadUser.TRUCK), (2, RoadUser.CAR)]
    both = fuser().merge([track(1, "r", 40), track(4, "r", 44), track(2, "c", 43), track(3, "c", 41)])
    assert [(t.id, t.sensor, t.distance_m) for t in both] == [(1, "r", 40), (2, "r", 44)]


def test_two_cameras_of_one_road_user_are_one_and_the_surer_names_it() -> None:
    sure = track(3, "c2", 41, user=RoadUser.BUS, speed_error_mps=0.2)
    (one,) = fuser().merge([track(1, "r", 40), track(2, "c", 41, speed_error_mps=0.5), sure])
    assert one.user is RoadUser.BUS and one.id == 1


def test_two_radars_are_not_merged_so_that_neither_hides_the_other() -> None:
    tracks = [track(1, "r", 40), track(2, "r2", 40)]
    assert fuser().merge(tracks) is tracks


def test_the_number_stays_when_the_pair_is_made_and_when_either_half_ends() -> None:
    for first, second in itertools.permutations(("r", "c")):
        for survivor in ("r", "c"):
            pair = fuser()
            old, new = track(1, first, 40), track(2, second, 40)
            assert [t.id for t in pair.merge([old])] == [1]
            assert [t.id for t in pair.merge([old, new])] == [1]
            left = old if old.sensor == survivor else new
            assert [t.id for t in pair.merge([left])] == [1], (first, survivor)
            assert [t.id for t in pair.merge([left])] == [1]
            again = track(3, "c" if survivor == "r" else "r", 40)
            assert [t.id for t in pair.merge([left, again])] == [1]


@pytest.mark.parametrize(("old_m", "new_m"), [(40, 42), (42, 40)])
def test_a_radar_and_two_cameras_go_by_the_oldest_number_whichever_fits_better(old_m: float, new_m: float) -> None:
    old, radar, new = track(1, "c", old_m), track(2, "r", 40), track(3, "c2", new_m)
    for tracks in itertools.permutations((old, radar, new)):
        assert [t.id for t in fuser().merge(list(tracks))] == [1]


def test_of_two_halves_that_part_after_the_oldest_has_ended_only_one_keeps_its_number() -> None:
    pair = fuser()
    pair.merge([track(1, "c", 40), track(2, "r", 40)])
    assert [t.id for t in pair.merge([track(2, "r", 40), track(3, "c2", 40)])] == [1]
    apart = pair.merge([track(2, "r", 80), track(3, "c2", 40)])
    assert len({t.id for t in apart}) == 2 and 1 in {t.id for t in apart}


def test_a_number_that_a_new_pair_goes_by_is_given_to_no_other() -> None:
    """The first of all has ended and its number lives on in two: one pairs again, the other goes by its own."""
    pair = fuser()
    pair.merge([track(1, "c", 40), track(2, "r", 40)])
    pair.merge([track(2, "r", 40), track(3, "c2", 40)])
    tracks = pair.merge([track(2, "r", 80), track(3, "c2", 40), track(4, "c", 80)])
    assert sorted(t.id for t in tracks) == [1, 3]


def test_two_that_part_go_by_their_own_numbers() -> None:
    pair = fuser()
    pair.merge([track(1, "c", 40), track(2, "r", 40)])
    assert [t.id for t in pair.merge([track(1, "c", 40), track(2, "r", 80)])] == [1, 2]


@pytest.mark.parametrize(
    ("radar", "camera", "state"),
    [
        (TrackState.CONFIRMED, TrackState.COASTING, TrackState.CONFIRMED),
        (TrackState.COASTING, TrackState.CONFIRMED, TrackState.CONFIRMED),
        (TrackState.COASTING, TrackState.COASTING, TrackState.COASTING),
        (TrackState.CONFIRMED, TrackState.WAITING, TrackState.CONFIRMED),
        (TrackState.WAITING, TrackState.WAITING, TrackState.WAITING),
        (TrackState.WAITING, TrackState.PARKED, TrackState.PARKED),
    ],
)
def test_of_two_states_the_one_that_knows_more(radar: TrackState, camera: TrackState, state: TrackState) -> None:
    (one,) = fuser().merge([track(1, "r", 6, 1.0, state=radar), track(2, "c", 6, 0.0, state=camera)])
    assert one.state is state


def test_who_was_remembered_to_wait_and_is_seen_to_start_comes_by_the_cameras_word() -> None:
    waits = track(1, "r", 6, 0.0, state=TrackState.WAITING)
    (one,) = fuser().merge([waits, track(2, "c", 5, 2.0, speed_error_mps=0.5)])
    assert (one.state, one.distance_m, one.speed_mps, one.speed_error_mps) == (TrackState.CONFIRMED, 5, 2.0, 0.5)


@pytest.mark.parametrize(
    ("radar", "camera"), [(TrackState.CONFIRMED, TrackState.WAITING), (TrackState.WAITING, TrackState.CONFIRMED)]
)
def test_who_stands_by_the_word_of_one_and_starts_by_the_other_is_one_however_fast(
    radar: TrackState, camera: TrackState
) -> None:
    fast_mps = 2 * GATE_MPS
    speeds_mps = (fast_mps, 0.0) if camera is TrackState.WAITING else (0.0, fast_mps)
    tracks = [track(1, "r", 6, speeds_mps[0], state=radar), track(2, "c", 6, speeds_mps[1], state=camera)]
    assert [t.id for t in fuser().merge(tracks)] == [1]


def test_a_radar_that_lost_one_whom_the_camera_sees_stand_makes_no_pair() -> None:
    tracks = [track(1, "r", 6, 3.0, state=TrackState.COASTING), track(2, "c", 6, 0.0, state=TrackState.WAITING)]
    assert fuser().merge(tracks) == tracks


@pytest.mark.parametrize(("radar_mps", "camera_mps"), [(None, -2.5), (-2.5, None)])
def test_a_place_without_a_speed_counts_as_standing(radar_mps: float | None, camera_mps: float | None) -> None:
    assert len(fuser().merge([track(1, "r", 40, radar_mps), track(2, "c", 40, camera_mps)])) == 1
