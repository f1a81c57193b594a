"""One target or one range cell for too long; a column of vehicles never."""

import pytest

from device.stuck import StuckWatch
from device.tracks import Track, TrackState
from tests.support.tracks import EAST, ns, seen

ECHO = seen(EAST, 1.0)._replace(distance_m=40.0)


def after(*causes: Track, limit_s: float = 10.0) -> str | None:
    """The word after these causes, a second apart; the last one comes when the limit is reached."""
    watch = StuckWatch()
    for n, cause in enumerate(causes):
        watch.caused(ns(n * limit_s / (len(causes) - 1)), cause, 1)
    return watch.why(ns(limit_s), limit_s)


@pytest.mark.parametrize(("moved_m", "same"), [(3.0, True), (-3.0, True), (3.1, False), (-3.1, False)])
def test_another_track_within_three_metres_is_the_same_echo(moved_m: float, same: bool) -> None:
    assert (after(ECHO, ECHO._replace(id=2, distance_m=40.0 + moved_m)) is not None) is same


def test_the_same_place_by_another_radar_is_another_target() -> None:
    assert after(ECHO, ECHO._replace(id=2, sensor="r_west")) is None
    assert after(ECHO, ECHO._replace(id=2, sensor="r_west", distance_m=None)) is None


@pytest.mark.parametrize(("before_m", "now_m"), [(None, 40.0), (40.0, None), (None, None)])
def test_without_a_distance_only_the_same_track_is_the_same(before_m: float | None, now_m: float | None) -> None:
    before = ECHO._replace(distance_m=before_m)
    assert after(before, ECHO._replace(id=2, distance_m=now_m)) is None
    assert after(before, ECHO._replace(distance_m=now_m)) is not None


def test_a_track_that_really_drives_on_is_one_target_and_is_named_where_it_was_last_seen() -> None:
    assert after(ECHO, ECHO._replace(distance_m=20.0)) == "r_east: one target at 20 m is the only cause for 10 s"
    coasts = ECHO._replace(distance_m=30.0, state=TrackState.COASTING)
    assert after(ECHO, coasts) == "r_east: one target at 40 m is the only cause for 10 s"
    assert after(ECHO, coasts, ECHO._replace(id=2, distance_m=28.0)) is None, "the cell is where it was seen"


def test_of_a_target_without_distance_none_is_told() -> None:
    blind = ECHO._replace(distance_m=None)
    assert after(blind, blind) == "r_east: one target is the only cause for 10 s"
