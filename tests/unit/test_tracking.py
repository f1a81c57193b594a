"""Radar frames -> tracks, camera zones -> tracks: confirmation, coasting, direction, and what they must never drop."""

import itertools

import pytest

from configs.schema import RoadUser
from device.camera_tracks import CameraTracker
from device.observation import CameraObservation, Zone, ZoneCount
from device.tracking import RadarTracker
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S
from hal.interfaces import Flag, RadarFrame, RadarTarget

TENTH_NS = NS_PER_S // 10


class Radar:
    """A tracker fed at 10 Hz."""

    def __init__(self, to_conflict_m: float = 0.0) -> None:
        self.tracker = RadarTracker("r", "main_east", to_conflict_m, itertools.count(1))
        self.now_ns = NS_PER_S

    def see(self, *targets: RadarTarget) -> list[Track]:
        self.now_ns += TENTH_NS
        self.tracker.update(RadarFrame("r", self.now_ns, targets))
        self.tracker.advance(self.now_ns)
        return self.tracker.tracks(self.now_ns)

    def wait(self, seconds: float) -> list[Track]:
        for _ in range(round(seconds * 10)):
            tracks = self.see()
        return tracks


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
    assert radar.wait(0.2) == []


def test_who_is_predicted_past_the_conflict_point_and_unseen_has_arrived() -> None:
    radar = Radar()
    radar.see(at(3))
    radar.see(at(2))
    assert radar.wait(0.4) == []


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
    assert coming.state is TrackState.CONFIRMED and coming.distance_m is None
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
