"""What a county's nodes say, and what the rollout does next: waves, soak, silence, harm, the way back."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_bridge.topics import ConfigReportedBody
from device.chosen import Chosen, Reverted, Runs
from device.provisioning.outcome import Outcome, What
from tools.county.rollout.judge import progress, settled_by, step
from tools.county.rollout.plan import members, parse
from tools.county.rollout.state import Became, Order, Phase, Rollout

BASE, OURS, BACK = 10, 12, 15
NODES = [f"n{number:04}" for number in range(1, 101)]
FIRST = NODES[:5]
SOAK_S, ANSWER_S = 600.0, 900.0


def a_rollout(**changed: Any) -> Rollout:
    found = Rollout(
        county="371500",
        begun="2027-03-01T08:00:00Z",
        salt="spring",
        steps=parse("5nodes,10%,100%", FIRST),
        trial_s=60,
        soak_s=SOAK_S,
        answer_s=ANSWER_S,
        abort_over_pct=5.0,
        base=BASE,
        group_of=dict.fromkeys(NODES, "north"),
        texts={"north": {"group.yaml": "{}"}},
        before={"north": {"group.yaml": "{}"}},
        presigned=({}, {}, {}),
        presigned_back={},
    )
    return found.model_copy(update=changed)


def says(
    runs: Runs = Runs.GOOD,
    version: int | None = BASE,
    what: What | None = None,
    outcome_version: int | None = None,
    reverted: int | None = None,
    **outcome: Any,
) -> ConfigReportedBody:
    back = None if reverted is None else Reverted(version=reverted, why="stuck target")
    said = None if what is None else Outcome(what=what, version=outcome_version, **outcome)
    layers = Chosen(runs=runs, version=version, reverted=back)
    return ConfigReportedBody(sha256="00", version="1", sections={}, layers=layers, outcome=said)


BEFORE = says(what=What.CONFIRMED, outcome_version=BASE)
HAS_IT = says(version=OURS, what=What.CONFIRMED, outcome_version=OURS)
TOOK_BACK = says(what=What.REVERTED, outcome_version=OURS, reverted=OURS, why="stuck target")


@pytest.mark.parametrize(
    ("said", "became"),
    [
        (None, None),
        (BEFORE, None),
        (says(Runs.TRIAL, OURS, What.ON_TRIAL, OURS), None),
        (says(what=What.NOT_IN_WAVE, outcome_version=OURS), None),
        (says(what=What.AWAITING, outcome_version=OURS, code="not_reached"), None),
        (HAS_IT, Became.CONFIRMED),
        (says(version=OURS, what=What.NOTHING_NEW, outcome_version=BACK), Became.CONFIRMED),
        (says(version=OURS, what=What.NOT_IN_WAVE, outcome_version=BASE), Became.CONFIRMED),
        (says(what=What.NOTHING_NEW, outcome_version=OURS), Became.CONFIRMED),
        (TOOK_BACK, Became.REVERTED),
        (says(what=What.REVERTED_BEFORE, outcome_version=OURS, why="stuck target"), Became.REVERTED),
        (says(reverted=OURS), Became.REVERTED),
        (says(what=What.CONFIRMED, outcome_version=BASE, reverted=BASE), None),
        (says(what=What.REFUSED, outcome_version=OURS, code="config"), Became.REFUSED),
        (says(what=What.REFUSED, bundle="ab" * 32, code="bomb"), Became.REFUSED),
        (says(what=What.REFUSED, bundle="cd" * 32, code="bomb"), None),
        (says(Runs.SITE, None, What.CONFIRMED, OURS), None),
    ],
)
def test_what_a_node_says_of_the_change(said: ConfigReportedBody | None, became: Became | None) -> None:
    found = settled_by(said, a_rollout(bundles=("ab" * 32,)))
    assert (None if found is None else found.became) is became


@pytest.mark.parametrize(
    ("said", "became"),
    [
        (HAS_IT, None),
        (BEFORE, None),
        (says(Runs.TRIAL, BACK, What.ON_TRIAL, BACK), None),
        (says(Runs.TRIAL, OURS, What.ON_TRIAL, OURS), None),
        (says(version=BACK, what=What.CONFIRMED, outcome_version=BACK), Became.BACK),
        (says(what=What.NOTHING_NEW, outcome_version=BACK), Became.BACK),
        (says(what=What.REVERTED, outcome_version=BACK, reverted=OURS), Became.BACK),
        (says(version=OURS, what=What.REVERTED, outcome_version=BACK, reverted=BACK), Became.REVERTED),
        (says(version=OURS, what=What.REFUSED, outcome_version=BACK, code="config"), Became.REFUSED),
    ],
)
def test_what_a_node_says_of_the_way_back(said: ConfigReportedBody, became: Became | None) -> None:
    found = settled_by(said, a_rollout(phase=Phase.BACK, back_version=BACK))
    assert (None if found is None else found.became) is became


def test_a_wave_that_confirmed_soaks_for_its_time_and_then_the_next_begins() -> None:
    rollout = step(a_rollout(), dict.fromkeys(FIRST[:4], HAS_IT), 60)
    assert rollout.phase is Phase.WAVE and progress(rollout).waiting == 1
    rollout = step(rollout, dict.fromkeys(FIRST, HAS_IT), 60)
    assert (rollout.phase, rollout.wave, rollout.watched_s) == (Phase.SOAK, 0, 0)
    rollout = step(rollout, dict.fromkeys(FIRST, HAS_IT), SOAK_S - 1)
    assert (rollout.phase, rollout.wave) == (Phase.SOAK, 0)
    rollout = step(rollout, dict.fromkeys(FIRST, HAS_IT), 1)
    assert (rollout.phase, rollout.wave, rollout.watched_s) == (Phase.WAVE, 1, 0)


def test_everyone_confirmed_and_soaked_is_done() -> None:
    everyone = dict.fromkeys(NODES, HAS_IT)
    rollout = step(a_rollout(wave=2), everyone, 60)
    assert rollout.phase is Phase.SOAK
    assert step(rollout, everyone, SOAK_S).phase is Phase.DONE


def test_one_of_five_that_takes_it_back_sends_it_back_at_once() -> None:
    rollout = step(a_rollout(), {FIRST[0]: TOOK_BACK}, 1)
    assert (rollout.phase, rollout.order) == (Phase.BACK, Order.BACK)
    assert rollout.why is not None and "1 of 5" in rollout.why and "stuck target" in rollout.why


def test_five_of_a_hundred_are_allowed_six_are_not() -> None:
    everyone = dict.fromkeys(NODES, HAS_IT)
    five = everyone | dict.fromkeys(NODES[50:55], TOOK_BACK)
    assert step(a_rollout(wave=2), five, 1).phase is Phase.SOAK
    assert step(a_rollout(wave=2), five | {NODES[60]: TOOK_BACK}, 1).phase is Phase.BACK


def test_harm_during_the_soak_sends_it_back_too() -> None:
    rollout = step(a_rollout(), dict.fromkeys(FIRST, HAS_IT), 1)
    assert step(rollout, dict.fromkeys(FIRST, HAS_IT) | {FIRST[2]: TOOK_BACK}, 1).phase is Phase.BACK


def test_a_silent_node_has_failed_when_its_time_is_over_and_not_before() -> None:
    said = dict.fromkeys(FIRST[:4], HAS_IT)
    rollout = step(a_rollout(), said, ANSWER_S)
    assert rollout.phase is Phase.WAVE
    assert step(rollout, said, 1).phase is Phase.BACK, "one of five"


def test_a_node_that_was_silent_and_answers_after_all_is_back_in_favour() -> None:
    late = NODES[70]
    everyone = dict.fromkeys(NODES, HAS_IT)
    silent = {node: said for node, said in everyone.items() if node != late}
    rollout = step(a_rollout(wave=2), silent, ANSWER_S + 1)
    assert rollout.phase is Phase.SOAK and rollout.failed == [late]
    assert step(rollout, everyone, 1).failed == []


def test_who_was_silent_in_a_wave_does_not_hold_up_the_next_by_another_quarter_of_an_hour() -> None:
    rollout = a_rollout(wave=1, abort_over_pct=50)
    tenth = members(rollout.steps[1], rollout.salt, NODES)
    rollout = step(rollout, dict.fromkeys(tenth[1:], HAS_IT), ANSWER_S + 1)
    assert rollout.phase is Phase.SOAK
    rollout = step(rollout, dict.fromkeys(tenth[1:], HAS_IT), SOAK_S)
    assert rollout.wave == 2
    rollout = step(rollout, {node: HAS_IT for node in NODES if node != tenth[0]}, 1)
    assert rollout.phase is Phase.SOAK and rollout.failed == [tenth[0]]


def test_a_broker_that_forgot_what_nodes_said_undoes_nothing() -> None:
    rollout = step(a_rollout(), dict.fromkeys(FIRST, HAS_IT), 1)
    again = step(rollout, {}, 1)
    assert again.phase is Phase.SOAK and progress(again).confirmed == 5


def test_a_pause_holds_the_next_wave_and_lets_go_when_it_is_over() -> None:
    said = dict.fromkeys(FIRST, HAS_IT)
    rollout = step(a_rollout(order=Order.PAUSE), said, 1)
    rollout = step(rollout, said, 10 * SOAK_S)
    assert (rollout.phase, rollout.wave) == (Phase.SOAK, 0)
    assert step(rollout.model_copy(update={"order": Order.GO}), said, 0).wave == 1


def test_a_pause_does_not_hold_up_the_way_back() -> None:
    assert step(a_rollout(order=Order.PAUSE), {FIRST[0]: TOOK_BACK}, 1).phase is Phase.BACK


@pytest.mark.parametrize("phase", [Phase.WAVE, Phase.SOAK, Phase.DONE])
def test_people_can_take_it_back_at_any_time(phase: Phase) -> None:
    rollout = step(a_rollout(phase=phase, order=Order.BACK, wave=1), {}, 1)
    assert (rollout.phase, rollout.why, rollout.watched_s) == (Phase.BACK, "ordered", 0)


def test_the_way_back_is_over_when_every_node_of_the_wave_said_so() -> None:
    rollout = a_rollout(phase=Phase.BACK, order=Order.BACK, back_version=BACK)
    went = says(version=BACK, what=What.CONFIRMED, outcome_version=BACK)
    assert step(rollout, dict.fromkeys(FIRST[:4], went), 1).phase is Phase.BACK
    assert step(rollout, dict.fromkeys(FIRST, went), 1).phase is Phase.WENT_BACK
    silent = step(rollout, dict.fromkeys(FIRST[:4], went), ANSWER_S + 1)
    assert silent.phase is Phase.WENT_BACK and silent.failed == [FIRST[4]]


def test_the_way_back_is_not_over_before_it_was_signed() -> None:
    rollout = a_rollout(phase=Phase.BACK, order=Order.BACK)
    assert step(rollout, {}, ANSWER_S + 1).phase is Phase.BACK


_SAID = st.sampled_from([None, BEFORE, HAS_IT, TOOK_BACK, says(Runs.TRIAL, OURS, What.ON_TRIAL, OURS)])


@settings(max_examples=200)
@given(st.lists(st.tuples(st.lists(_SAID, min_size=100, max_size=100), st.floats(0, 400)), max_size=30))
def test_no_wave_begins_before_the_one_before_has_stood_and_no_harm_is_widened(
    history: list[tuple[list[ConfigReportedBody | None], float]],
) -> None:
    rollout = a_rollout(abort_over_pct=20.0)
    for said, seconds in history:
        before = rollout
        heard = {node: one for node, one in zip(NODES, said, strict=True) if one is not None}
        rollout = step(before, heard, seconds)
        wanted = members(rollout.steps[before.wave], rollout.salt, NODES)
        assert rollout.wave in (before.wave, before.wave + 1)
        if rollout.wave > before.wave:
            assert before.phase is Phase.SOAK and before.watched_s + seconds >= SOAK_S
            assert set(rollout.settled) == set(wanted), "nobody of it was still waited for"
            assert len(rollout.failed) <= 0.2 * len(wanted)
        if before.phase is Phase.BACK:
            assert rollout.phase in (Phase.BACK, Phase.WENT_BACK), "nothing begins it again"
        assert dataclasses.asdict(progress(rollout))["members"] == len(
            members(rollout.steps[rollout.wave], rollout.salt, NODES)
        )
