"""The judge itself is judged: hand-made roads and lamps in which one thing is wrong, and it must find just that."""

import pytest

from configs.schema import SiteConfig
from tests.support.judged import DURATION_S, drives, everything, road, said, sight, stands
from tests.support.road import site
from tools.evaluate.duty import Duty, duties
from tools.evaluate.lamp import LampError, faces
from tools.evaluate.road import runs
from tools.evaluate.verdict import FaceVerdict, dark_passages, judge_face, of_recording, passages
from tools.sim.scene import Kind, Scene

MPS_50 = 50 / 3.6
BRANCH, EAST = "branch_south", "main_east"


def duty(scene: Scene, face: str = BRANCH, config: SiteConfig | None = None, **seen: object) -> Duty:
    return duties(config or site(), runs(scene, sight(scene, **seen)))[face]  # type: ignore[arg-type]


def verdict(scene: Scene, *changes: object, face: str = BRANCH, **seen: object) -> FaceVerdict:
    lamp = faces(said(face, *changes), DURATION_S)[face]  # type: ignore[arg-type]
    return judge_face(duty(scene, face, **seen), lamp, DURATION_S, 3.0)


# A car at 50 km/h arrives at 30 s. The 100 m radar sees it from 22.8 s on, 7.2 s before.
SEEN_S = 30 - 100 / MPS_50


def test_a_face_lit_from_the_reach_to_the_end_of_the_hold_is_faultless() -> None:
    found = verdict(road(drives()), (SEEN_S + 0.3, "caution"), (33.0, "clear"))
    assert found.dark == ()
    assert not found.needless
    assert [lead.in_time for lead in found.leads] == [True]
    assert found.leads[0].offered_s == pytest.approx(7.2, abs=0.11)


@pytest.mark.parametrize(("late_s", "dark"), [(0.3, False), (0.45, False), (0.6, True), (1.5, True)])
def test_dark_longer_than_the_grace_after_entering_the_reach_is_a_dark_passage(late_s: float, dark: bool) -> None:
    found = verdict(road(drives()), (SEEN_S + late_s, "caution"), (33.0, "clear"))
    assert bool(found.dark) is dark
    assert found.leads[0].in_time is not dark


def test_dark_for_a_moment_in_the_middle_is_found_with_its_time() -> None:
    lamp = ((SEEN_S, "caution"), (26.0, "clear"), (26.2, "caution"), (33.0, "clear"))
    found = verdict(road(drives()), *lamp)
    assert [run.run.user.id for run in found.dark] == ["car"]
    assert list(found.dark[0].dark) == [(26.0, 26.2)]
    assert found.leads[0].in_time, "it was warned in time; the darkness came later"


def test_the_horizon_has_its_tolerance_and_not_more() -> None:
    # A long radar: the horizon of the unknown crosser (truck, 9.5 s) is entered 20.5 s, seen long before.
    scene = road(drives())
    assert not verdict(scene, (21.0, "caution"), (33.0, "clear"), reach_m=200.0).dark
    late = verdict(scene, (21.1, "caution"), (33.0, "clear"), reach_m=200.0)
    assert late.dark[0].dark_s == pytest.approx(0.1, abs=0.02)
    early = verdict(scene, (20.1, "caution"), (33.0, "clear"), reach_m=200.0)
    assert early.needless.total_s == pytest.approx(0.1, abs=0.02)
    assert not verdict(scene, (20.3, "caution"), (33.0, "clear"), reach_m=200.0).needless


@pytest.mark.parametrize(("until_s", "needless_s"), [(33.0, 0.0), (33.2, 0.0), (33.7, 0.4)])
def test_lit_longer_than_the_hold_is_needless(until_s: float, needless_s: float) -> None:
    found = verdict(road(drives()), (SEEN_S + 0.2, "caution"), (until_s, "clear"))
    assert found.needless.total_s == pytest.approx(needless_s, abs=0.01)


def test_a_degraded_face_may_hold_twice_as_long() -> None:
    found = verdict(road(drives()), (SEEN_S + 0.2, "caution", "degraded"), (36.2, "clear", "degraded"))
    assert not found.needless


def test_a_hold_cut_short_is_told() -> None:
    assert verdict(road(drives()), (SEEN_S, "caution"), (32.0, "clear")).let_go[0][1] == pytest.approx(0.7, abs=0.02)
    assert not verdict(road(drives()), (SEEN_S, "caution"), (32.8, "clear")).let_go


def test_a_car_that_waits_here_shortens_the_gap_and_a_lorry_does_not() -> None:
    """A car crosses in 7.5 s: dark until then is right. A lorry needs 9.5 s, and so does nobody-knows-who."""
    for kind, dark in ((Kind.CAR, False), (Kind.TRUCK, True)):
        scene = road(drives(), stands(kind=kind))
        assert bool(verdict(scene, (22.7, "caution"), (33.0, "clear"), reach_m=200.0).dark) is dark
    assert verdict(road(drives()), (22.7, "caution"), (33.0, "clear"), reach_m=200.0).dark


def test_a_tractor_that_the_detector_calls_a_car_needs_a_lorrys_gap_in_truth() -> None:
    scene = road(drives(), stands(kind=Kind.TRACTOR))
    there = runs(scene, sight(scene, reach_m=200.0))
    lamp = faces(said(BRANCH, (22.7, "caution"), (33.0, "clear")), DURATION_S)[BRANCH]
    truly, named = (duties(site(), there, as_named=as_named)[BRANCH] for as_named in (False, True))
    assert judge_face(truly, lamp, DURATION_S, 3.0).dark
    assert not judge_face(named, lamp, DURATION_S, 3.0).dark


def test_a_glimpse_between_two_hidings_obliges_nobody() -> None:
    def behind(sample: object) -> bool:
        return sample.approach == EAST and not 25.0 <= sample.t_s < 25.2  # type: ignore[attr-defined]

    assert not verdict(road(drives()), hidden=behind).dark


def test_a_car_that_waits_here_may_still_be_taken_for_unknown() -> None:
    found = verdict(road(drives(), stands()), (20.5, "caution"), (33.0, "clear"), reach_m=200.0)
    assert not found.needless


def test_nobody_is_missed_whom_no_sensor_can_see() -> None:
    far = verdict(road(drives()), reach_m=5.0)
    assert not far.dark and not passages([far])
    hidden = verdict(road(drives()), hidden=lambda sample: sample.approach == EAST)
    assert not hidden.dark


def test_who_is_hidden_for_a_second_is_still_to_be_shown() -> None:
    scene = road(drives())

    def behind(sample: object) -> bool:
        return 25.0 <= sample.t_s < 26.0  # type: ignore[attr-defined]

    found = verdict(scene, (SEEN_S, "caution"), (25.1, "clear"), (26.0, "caution"), (33.0, "clear"), hidden=behind)
    assert found.dark[0].dark_s == pytest.approx(0.9, abs=0.02)


def test_who_turns_off_before_the_junction_justifies_no_light_beyond_the_hold() -> None:
    scene = road(drives(turns_off_m=50.0))  # 3.6 s before it would arrive: 26.4 s
    found = verdict(scene, (SEEN_S, "caution"), (33.0, "clear"))
    assert found.needless.total_s == pytest.approx(33.0 - 26.4 - 3.3, abs=0.15)
    assert not verdict(scene, (SEEN_S, "caution"), (29.4, "clear")).needless


def test_the_main_face_is_judged_by_stopping_time_while_the_branch_is_occupied() -> None:
    # 4.5 s + 13.9 / 6.8 = 6.54 s before the lamp: 23.46 s.
    scene = road(drives(), stands())
    assert not verdict(scene, (23.9, "caution"), (33.0, "clear"), face=EAST).dark
    assert verdict(scene, (24.1, "caution"), (33.0, "clear"), face=EAST).dark
    assert not verdict(scene, (23.2, "caution"), (33.0, "clear"), face=EAST).needless
    assert verdict(scene, (23.0, "caution"), (33.0, "clear"), face=EAST).needless


def test_the_main_face_is_needless_while_the_branch_is_empty() -> None:
    found = verdict(road(drives()), (23.5, "caution"), (33.0, "clear"), face=EAST)
    assert not found.dark
    assert found.needless.total_s == pytest.approx(9.5, abs=0.01)


def test_presence_that_no_sensor_tells_counts_as_present() -> None:
    blind = site().model_copy(update={"cameras": {}})
    scene = road(drives())
    task = duties(blind, runs(scene, sight(scene)))[EAST]
    lit = faces(said(EAST, (23.5, "caution"), (33.0, "clear")), DURATION_S)[EAST]
    dark = faces(said(EAST), DURATION_S)[EAST]
    assert not judge_face(task, lit, DURATION_S, 3.0).needless
    assert judge_face(task, dark, DURATION_S, 3.0).dark


def test_fault_time_counts_apart() -> None:
    found = verdict(road(drives()), (10.0, "clear", "fault"), (40.0, "clear"))
    assert found.fault_s == pytest.approx(30.0)
    assert not found.dark and not found.needless


def test_arrivals_tell_whether_the_face_was_lit_for_somebody() -> None:
    comes = drives("own", kmh=30, arrives_s=32.0, approach=BRANCH)  # 20 m before the line at 29.6 s
    for changes, lit, excused, coming in (
        (((SEEN_S, "caution"), (33.0, "clear")), True, True, True),
        (((50.0, "caution"),), False, True, True),
    ):
        arrival = verdict(road(drives(), comes), *changes).arrivals[0]
        assert (arrival.lit, arrival.excused, arrival.coming) == (lit, excused, coming)
    tail = verdict(road(drives(arrives_s=28.0), comes), (20.8, "caution"), (31.0, "clear")).arrivals[0]
    assert (tail.lit, tail.excused, tail.coming) == (True, True, False)
    alone = verdict(road(comes), (20.0, "caution"), (31.0, "clear")).arrivals[0]
    assert (alone.lit, alone.excused, alone.coming) == (True, False, False)


def test_a_dark_lamp_throughout_fails_everyone_and_a_lamp_always_lit_fails_needless() -> None:
    scene = road(drives("a", arrives_s=20), drives("b", arrives_s=50, approach="main_west"), stands(to_s=40.0))
    tasks = duties(site(), runs(scene, sight(scene)))
    dark = of_recording(tasks, {}, DURATION_S, 3.0)
    assert dark_passages(dark) == passages(dark) and len(passages(dark)) == 2
    assert not any(lead.in_time for one in dark for lead in one.leads)
    always = faces(everything(said(face, (0.0, "caution")) for face in tasks), DURATION_S)
    lit = of_recording(tasks, always, DURATION_S, 3.0)
    assert not dark_passages(lit)
    assert all(one.needless.total_s == pytest.approx(one.idle_s) and one.idle_s > 10 for one in lit)


def test_lines_that_are_not_of_the_contract_are_refused() -> None:
    with pytest.raises(LampError, match="line 2"):
        faces([*said(BRANCH), '{"kind": "face"}'], DURATION_S)
    with pytest.raises(LampError, match="line 1"):
        faces(["not json"], DURATION_S)
