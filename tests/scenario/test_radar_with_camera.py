"""A junction whose branch has a radar and a calibrated camera: who is seen by both, by one, and by none any more."""

from collections.abc import Callable

from configs.schema import RoadUser, SiteConfig
from device.observation import CameraObservation, Observation, SeenUser, Zone
from device.tracks import Track, TrackState
from tests.support.road import Drive, Moment, Vehicle, lit_spans, site

BRANCH, EAST = "branch_south", "main_east"


def config() -> SiteConfig:
    raw = site().model_dump(mode="json", exclude_none=True)
    raw["radars"]["r_branch"] = {
        "driver": "ld2451",
        "url": "/dev/zero",
        "approach": BRANCH,
        "reach_m": 60,
        "beside_m": 0,
        "width_m": 0,
    }
    return SiteConfig.model_validate(raw)


class Seen(Drive):
    """``places`` gives the camera's road users on the branch (class, distance) at a time."""

    def __init__(self, *vehicles: Vehicle, places: Callable[[float], list[tuple[RoadUser, float]]], **more: object):
        super().__init__(*vehicles, config=config(), **more)  # type: ignore[arg-type]
        self._places = places

    def _sensors(self, now_ns: int, t_s: float) -> list[Observation]:
        found = [o for o in super()._sensors(now_ns, t_s) if not isinstance(o, CameraObservation)]
        users = tuple(
            SeenUser(BRANCH, Zone.WAIT if distance_m <= 10 else Zone.APPROACH, user, distance_m, 0.0)
            for user, distance_m in self._places(t_s)
        )
        if self._heard("c_branch", t_s):
            found.append(CameraObservation("c_branch", now_ns, (), users))
        return found


def on_branch(moment: Moment) -> list[Track]:
    return [track for track in moment.output.tracks if track.approach == BRANCH]


WALKER = Vehicle(5, 24.0, radar="r_branch", until_s=20.0)
"""Lost by the radar 5.5 m before the line, where it stands."""


def walker(t_s: float) -> list[tuple[RoadUser, float]]:
    return [(RoadUser.WALKER, max(WALKER.distance_m(t_s), 5.5))]


def test_one_who_is_seen_by_both_is_one_with_the_radars_speed_and_the_cameras_class() -> None:
    moments = Seen(WALKER, places=walker).run(18)
    (one,) = on_branch(moments[-1])
    assert one.sensor == "r_branch" and one.user is RoadUser.WALKER and one.lateral_m == 0.0
    assert abs((one.speed_mps or 0) - WALKER.speed_mps) < 0.1
    changes = {track.id for moment in moments[300:] for track in on_branch(moment)}
    assert len(changes) == 1


def test_who_is_lost_by_the_radar_waits_by_the_cameras_word_as_long_as_it_stands() -> None:
    moments = Seen(WALKER, places=lambda t: walker(t) if t < 100 else []).run(104)
    states = {round(m.t_s, 2): {t.state for t in on_branch(m)} for m in moments}
    assert TrackState.WAITING in states[25.0] and TrackState.WAITING in states[99.0]
    assert states[103.9] == set(), "gone from the picture is gone"


def test_a_wait_zone_that_is_seen_empty_ends_what_the_radar_remembers() -> None:
    empty = Seen(WALKER, places=lambda _t: []).run(26)
    assert on_branch(empty[-1]) == []
    blind = Seen(WALKER, places=lambda _t: [], silent_from={"c_branch": 10.0}).run(26)
    assert [track.state for track in on_branch(blind[-1])] == [TrackState.WAITING], "nobody has looked"


def test_each_carries_on_alone_when_the_other_falls_silent() -> None:
    car = Vehicle(30, 20.0, radar="r_branch")
    for silent in ("c_branch", "r_branch"):
        drive = Seen(
            car,
            places=lambda t: [(RoadUser.CAR, car.distance_m(t))] if 0 < car.distance_m(t) < 48 else [],
            silent_from={silent: 16.5},
        )
        moments = drive.run(19)
        (left,) = on_branch(moments[-1])
        assert left.sensor != silent and abs((left.distance_m or 0) - car.distance_m(19.0)) < 1.5
        both = {track.id for moment in moments if 15.5 < moment.t_s < 16.5 for track in on_branch(moment)}
        assert both == {left.id}, "and goes by the number it had"


def test_who_stands_on_the_branch_warns_the_main_road_and_who_stands_far_back_does_not() -> None:
    east = Vehicle(60, 20.0)
    waits = Seen(east, places=lambda _t: [(RoadUser.CAR, 3.0)]).run(20)
    assert waits[-1][EAST].level == "alert"
    back = Seen(east, places=lambda _t: [(RoadUser.CAR, 30.0)]).run(22)
    assert [span for span in lit_spans(back, EAST) if span[1] > 5] == []
