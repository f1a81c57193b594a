"""A calibrated camera's road users: place, speed, class, waiting and parked, and a wait zone that is seen empty."""

import itertools
import random

import pytest

from configs.schema import RoadUser
from device.camera_tracks import CameraTracker
from device.observation import CameraObservation, SeenUser, Zone, ZoneCount
from device.tracks import Track, TrackState
from hal.clock import NS_PER_S

BRANCH = "branch_south"
LIMIT_MPS = 30 / 3.6
WAIT_TO_M = 10.0


def user(distance_m: float, kind: RoadUser = RoadUser.CAR, lateral_m: float = 0.0, approach: str = BRANCH) -> SeenUser:
    zone = Zone.WAIT if distance_m <= WAIT_TO_M else Zone.APPROACH
    return SeenUser(approach, zone, kind, distance_m, lateral_m)


class Camera:
    """A tracker fed at 10 fps."""

    def __init__(self, parked_after_s: float = 120.0) -> None:
        self.tracker = CameraTracker(
            "c", parked_after_s, itertools.count(1), wait_zones=[BRANCH], limits_mps={BRANCH: LIMIT_MPS}
        )
        self.now_ns = NS_PER_S

    def see(self, *users: SeenUser, counts: tuple[ZoneCount, ...] = ()) -> list[Track]:
        self.now_ns += NS_PER_S // 10
        self.tracker.update(CameraObservation("c", self.now_ns, counts, users))
        self.tracker.advance(self.now_ns)
        return self.tracker.tracks(self.now_ns)

    def stay(self, seconds: float, *users: SeenUser) -> list[Track]:
        for _ in range(round(seconds * 10)):
            tracks = self.see(*users)
        return tracks


@pytest.mark.parametrize("speed_mps", [6.0, 10.0])
def test_two_seconds_of_pictures_tell_when_a_vehicle_arrives(speed_mps: float) -> None:
    camera, rng = Camera(), random.Random(1)
    for step in range(21):
        true_m = 46 - speed_mps * step / 10
        (track,) = camera.see(user(true_m + rng.gauss(0, 0.2)))
    assert track.state is TrackState.CONFIRMED
    assert track.time_to_arrival_s is not None
    early_s = true_m / speed_mps - track.time_to_arrival_s
    assert -0.1 <= early_s <= 0.5, "never late: what it does not know of the speed counts against it"
    assert track.speed_error_mps > 0


def test_one_picture_is_nothing_two_of_three_are_a_road_user() -> None:
    camera = Camera()
    assert [t.state for t in camera.see(user(40))] == [TrackState.TENTATIVE]
    assert [t.state for t in camera.see()] == [TrackState.TENTATIVE]
    assert [t.state for t in camera.see(user(39))] == [TrackState.CONFIRMED]
    ghost = Camera()
    ghost.see(user(40))
    ghost.see()
    assert ghost.see() == []


def test_who_is_new_is_taken_to_come_by_the_limit_of_its_road_and_no_faster_than_its_kind() -> None:
    first = {kind: Camera().see(user(40, kind))[0].speed_mps for kind in RoadUser}
    assert first[RoadUser.CAR] == pytest.approx(0.6 * LIMIT_MPS)
    assert first[RoadUser.WALKER] == 1.5 and first[RoadUser.TWO_WHEELER] == pytest.approx(0.6 * LIMIT_MPS)
    assert Camera().see(user(5))[0].speed_mps == 3.0
    elsewhere = Camera().see(user(40, approach="main_east", kind=RoadUser.TWO_WHEELER))[0]
    assert elsewhere.speed_mps == 6.0, "where no limit is known it is 10 m/s"


def test_misses_of_a_second_and_a_half_do_not_lose_who_comes() -> None:
    camera = Camera()
    for step in range(15):
        (before,) = camera.see(user(45 - 0.6 * step))
    missed = camera.stay(1.4)
    assert [t.state for t in missed] == [TrackState.COASTING] and missed[0].updated_ns == before.updated_ns
    assert missed[0].distance_m == pytest.approx(45 - 0.6 * 28, abs=1.5)
    (again,) = camera.see(user(45 - 0.6 * 29))
    assert again.id == before.id and again.state is TrackState.CONFIRMED
    assert camera.stay(1.6) == []


def test_who_has_passed_the_conflict_point_is_gone_with_the_first_picture_without_it() -> None:
    camera = Camera()
    for step in range(20):
        camera.see(user(11 - 0.6 * step))
    (past,) = camera.see(user(-1))
    assert past.distance_m == 0.0, "it is there now"
    assert camera.see() == []


def test_the_class_is_what_most_pictures_of_the_last_seconds_said() -> None:
    camera = Camera()
    for step in range(30):
        kind = RoadUser.TRUCK if step % 3 else RoadUser.CAR
        (track,) = camera.see(user(40 - 0.4 * step, kind))
    assert track.user is RoadUser.TRUCK
    for step in range(60):
        (track,) = camera.see(user(28 - 0.2 * step, RoadUser.BUS))
    assert track.user is RoadUser.BUS
    (first,) = Camera().see(user(40, RoadUser.CAR))
    assert first.user is RoadUser.CAR


def test_at_a_tie_the_class_stays() -> None:
    camera = Camera()
    camera.see(user(40, RoadUser.CAR))
    (track,) = camera.see(user(40, RoadUser.BUS))
    assert track.user is RoadUser.BUS, "the older vote weighs a little less"
    (track,) = camera.see(user(40, RoadUser.CAR))
    assert track.user is RoadUser.CAR


def test_who_stands_in_the_wait_zone_waits_then_is_parked_until_it_moves_a_metre() -> None:
    camera = Camera(parked_after_s=5.0)
    (waits,) = camera.stay(4.0, user(6))
    assert waits.state is TrackState.WAITING and waits.speed_mps == 0.0 and waits.time_to_arrival_s is None
    (parked,) = camera.stay(2.0, user(6.3))
    assert parked.state is TrackState.PARKED and parked.id == waits.id
    (moved,) = camera.stay(2.0, user(4.5))
    assert moved.state is not TrackState.PARKED and moved.id == waits.id


def test_leaving_the_wait_zone_begins_the_count_anew_and_a_trembling_edge_does_not() -> None:
    camera = Camera(parked_after_s=3.0)
    for step in range(40):
        (edge,) = camera.see(user(9.9 if step % 4 else 10.1))
    assert edge.state is TrackState.PARKED
    other = Camera(parked_after_s=3.0)
    other.stay(2.5, user(9.9))
    other.stay(0.5, user(10.1))
    (back,) = other.stay(1.0, user(9.9))
    assert back.state is TrackState.WAITING


def test_standing_outside_the_wait_zone_never_counts() -> None:
    (stands,) = Camera().stay(4.0, user(25))
    assert stands.state is TrackState.TENTATIVE and stands.time_to_arrival_s is None


def test_one_who_stood_outside_and_starts_counts_again_within_a_second() -> None:
    camera = Camera()
    camera.stay(4.0, user(25))
    for step in range(10):
        (track,) = camera.see(user(25 - 0.3 * step))
    assert track.state is TrackState.CONFIRMED and (track.speed_mps or 0) > 1


def test_one_who_drives_away_recedes_and_a_step_back_does_not() -> None:
    camera = Camera()
    for step in range(40):
        (leaves,) = camera.see(user(12 + 0.6 * step))
    assert leaves.receding and leaves.time_to_arrival_s is None
    steady = Camera()
    for step in range(40):
        (rolls,) = steady.see(user(12 + 0.05 * step))
    assert not rolls.receding


def test_two_in_neighbouring_lanes_are_two_and_keep_their_names_whatever_the_order() -> None:
    camera = Camera()
    names = set()
    for step in range(20):
        pair = [user(30 - 0.5 * step, lateral_m=-1.75), user(30 - 0.5 * step, lateral_m=1.75)]
        if step % 2:
            pair.reverse()
        tracks = camera.see(*pair)
        names.add(tuple(sorted((t.id, round(t.lateral_m or 0)) for t in tracks)))
    assert len(names) == 1 and len(tracks) == 2


def test_users_of_two_approaches_never_mix() -> None:
    camera = Camera()
    for _ in range(3):
        tracks = camera.see(user(20), user(20, approach="main_east"))
    assert sorted(t.approach for t in tracks) == [BRANCH, "main_east"]


def test_the_rider_of_a_two_wheeler_is_no_walker_and_two_walkers_are_two() -> None:
    bike = user(20, RoadUser.TWO_WHEELER)
    rides = user(23.4, RoadUser.WALKER, 0.9)  # 1.5 m and a tenth of 20 m behind
    behind = user(23.6, RoadUser.WALKER)
    beside = user(20, RoadUser.WALKER, 1.1)
    assert len(Camera().see(bike, rides)) == 1
    assert len(Camera().see(bike, behind)) == 2 and len(Camera().see(bike, beside)) == 2
    assert len(Camera().see(user(20, RoadUser.WALKER), user(21, RoadUser.WALKER))) == 2
    assert len(Camera().see(bike, user(21, RoadUser.WALKER, approach="main_east"))) == 2


def test_the_wait_zone_is_known_to_be_empty_after_a_second_and_a_half_of_looking() -> None:
    camera = Camera()
    assert not camera.tracker.nobody_waits(BRANCH, camera.now_ns), "it has not looked yet"
    camera.see()
    camera.stay(1.4)
    assert not camera.tracker.nobody_waits(BRANCH, camera.now_ns)
    camera.stay(0.1)
    assert camera.tracker.nobody_waits(BRANCH, camera.now_ns)
    assert not camera.tracker.nobody_waits("main_east", camera.now_ns), "it does not look there"
    for waiting in ((user(9),), ()), ((), (ZoneCount(BRANCH, Zone.WAIT, RoadUser.CAR, 1),)):
        camera.see(*waiting[0], counts=waiting[1])
        assert not camera.tracker.nobody_waits(BRANCH, camera.now_ns)
        camera.stay(1.6)
        assert camera.tracker.nobody_waits(BRANCH, camera.now_ns)
    camera.see(user(30))
    assert camera.tracker.nobody_waits(BRANCH, camera.now_ns), "on the road is not in the wait zone"
    camera.tracker.reset()
    assert not camera.tracker.nobody_waits(BRANCH, camera.now_ns)
    assert camera.tracker.tracks(camera.now_ns) == []


def test_who_moves_through_the_wait_zone_is_in_it_and_who_comes_is_not_yet() -> None:
    camera = Camera()
    for step in range(12):
        (track,) = camera.see(user(16 - 0.5 * step))
        assert track.in_wait_zone is (16 - 0.5 * step <= WAIT_TO_M)


def test_a_walker_seen_far_up_the_road_is_not_taken_to_come_like_a_car() -> None:
    """46 m at 1.3 m/s are 35 s; the limit is 30 km/h."""
    camera = Camera()
    for step in range(5):
        (track,) = camera.see(user(46 - 0.13 * step, RoadUser.WALKER))
        assert track.time_to_arrival_s is None or track.time_to_arrival_s > 19


def test_who_hurries_on_foot_comes_at_two_and_a_half_metres_a_second_unless_he_surely_runs() -> None:
    """Boxes that fall the same way by chance, 30 m off, made a walker come twice as fast as he did."""

    def arriving(kind: RoadUser, pictures: int, speed_mps: float) -> Track:
        camera = Camera()
        for step in range(pictures):
            (track,) = camera.see(user(32 - speed_mps * step / 10, kind))
        return track

    by_chance = arriving(RoadUser.WALKER, 12, 5.0)
    assert by_chance.speed_mps == 2.5 and by_chance.speed_error_mps == 0.0
    assert (arriving(RoadUser.TWO_WHEELER, 12, 5.0).speed_mps or 0.0) > 3.0
    runs = arriving(RoadUser.WALKER, 45, 5.0)
    assert runs.speed_mps == pytest.approx(3.9, abs=0.3) and runs.speed_error_mps == 0.0
    walks = arriving(RoadUser.WALKER, 45, 1.4)
    assert walks.speed_mps == pytest.approx(1.4, abs=0.1) and walks.speed_error_mps > 0.1


def test_who_starts_from_the_line_is_told_to_start_within_a_walking_step() -> None:
    """From 1.5 m before the line by 1 m/s²: 0.8 s later, 0.3 m on, it no longer counts as standing."""
    camera = Camera()
    (track,) = camera.stay(4, user(1.5))
    assert track.state is TrackState.WAITING
    for step in range(1, 9):
        (track,) = camera.see(user(1.5 - 0.5 * (step / 10) ** 2))
    assert track.state is TrackState.CONFIRMED
    assert track.time_to_arrival_s is not None


def test_boxes_that_have_shown_to_be_good_are_believed() -> None:
    """After a car whose boxes fitted to a hand's breadth, the next one's speed is known within a second."""
    camera = Camera()
    for step in range(60):
        camera.see(user(46 - 0.7 * step))
    camera.stay(2)
    for step in range(11):
        (track,) = camera.see(user(44 - 0.4 * step))
    assert track.speed_mps == pytest.approx(4.0, abs=0.5)
