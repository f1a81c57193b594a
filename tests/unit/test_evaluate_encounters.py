"""An alert counts when it comes before the conflict begins, to the road user that crosses."""

import pytest

from tests.support.judged import DURATION_S, drives, road, said, sight
from tests.support.road import site
from tools.evaluate.encounters import Met, met, wilson_pct
from tools.evaluate.lamp import faces
from tools.evaluate.road import runs
from tools.sim.scene import Encounter

BRANCH = "branch_south"
CROSSES = drives("crosses", kmh=20, arrives_s=29.0, approach=BRANCH)


def meeting(
    *changes: tuple[float, str], begins_s: float = 28.0, pet_s: float | None = 1.0, **seen: object
) -> list[Met]:
    encounter = Encounter("car", "crosses", False, begins_s, None, pet_s, None)
    scene = road(drives(), CROSSES, encounters=[encounter])
    lamps = faces(said(BRANCH, *changes), DURATION_S)
    return met(scene, site(), runs(scene, sight(scene, **seen)), lamps)  # type: ignore[arg-type]


@pytest.mark.parametrize(("alert_s", "missed"), [(24.0, False), (27.9, False), (28.1, True)])
def test_an_alert_a_tenth_of_a_second_late_is_missed(alert_s: float, missed: bool) -> None:
    (found,) = meeting((alert_s, "alert"), (33.0, "clear"))
    assert found.missed == ((BRANCH,) if missed else ())
    if missed:
        assert found.late_s == pytest.approx(0.1)


def test_caution_is_not_alert() -> None:
    (found,) = meeting((20.0, "caution"), (33.0, "clear"))
    assert found.missed == (BRANCH,) and found.late_s is None


def test_an_alert_that_had_ended_before_the_road_user_crossed_does_not_count() -> None:
    (found,) = meeting((20.0, "alert"), (27.0, "caution"))
    assert found.missed == (BRANCH,)


def test_who_had_crossed_the_line_under_alert_was_alerted() -> None:
    """The conflict begins when the main road user gets there; the crossing one left the line at 29 s, alerted."""
    (found,) = meeting((24.0, "alert"), (29.5, "clear"), begins_s=30.0)
    assert found.missed == ()


def test_what_is_not_close_or_was_not_to_be_seen_does_not_count() -> None:
    assert meeting(pet_s=3.0) == []
    assert meeting(pet_s=None) == []
    assert meeting(reach_m=1.0) == []
    assert meeting(camera_m=0.0) == []


def test_an_opponent_long_inside_the_junction_is_counted_apart() -> None:
    """It came 4 s before the other crossed the line and stands between the lines, where no approach's sensor looks."""
    encounter = Encounter("car", "crosses", False, 31.0, None, 1.0, None)
    for arrives_s, inside in ((24.0, True), (27.0, False)):
        scene = road(drives(arrives_s=arrives_s), CROSSES, encounters=[encounter])
        (found,) = met(scene, site(), runs(scene, sight(scene)), {})
        assert found.inside is inside
        assert bool(found.missed) is not inside


def test_who_stands_inside_the_junction_until_the_other_comes_is_counted_apart() -> None:
    """It crosses the line at 10 s, the other comes inside any horizon at 17.5 s only: nobody arrives together."""
    early = drives("crosses", kmh=20, arrives_s=10.0, approach=BRANCH)
    encounter = Encounter("car", "crosses", False, 24.0, None, 1.0, None)
    scene = road(drives(), early, encounters=[encounter])
    (found,) = met(scene, site(), runs(scene, sight(scene)), {})
    assert found.inside and not found.missed
    assert found.missed_anyway == (BRANCH,), "told all the same"


def test_the_main_face_is_told_apart() -> None:
    (found,) = meeting((24.0, "alert"), (33.0, "clear"))
    assert found.main_missed == ("main_east",)


def test_the_interval_of_wilson() -> None:
    # Newcombe (1998), table I: 81 of 263, 0 of 20.
    assert wilson_pct(81, 263) == pytest.approx((25.53, 36.62), abs=0.01)
    assert wilson_pct(0, 20) == pytest.approx((0.0, 16.11), abs=0.01)
    assert wilson_pct(0, 0) == (0.0, 100.0)
