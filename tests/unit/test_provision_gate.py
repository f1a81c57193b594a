"""A configuration on trial: it is confirmed when the node stays well with it, and taken back when it does not."""

from typing import Any

import pytest

from device.health import Health
from device.provisioning.gate import LASTING_S, PATIENCE, SETTLE_S, SILENT, Gate, Said, Verdict, faults
from hal.clock import NS_PER_S

SHA = "a" * 64
TRIAL_S = 60.0


def node(*, booting: bool = False, sha: str = SHA, **wrong: str) -> dict[str, Any]:
    """A node's status: ``radar="STALE"`` and ``face="fault"`` are what is wrong with it."""
    return {
        "booting": booting,
        "config": {"sha256": sha},
        "faces": {"branch_south": {"health": wrong.get("face", Health.OK.value), "reasons": ["r_east is stale"]}},
        "parts": {
            "guard": {"state": wrong.get("guard", "OK"), "problem": None},
            "r_east": {"state": wrong.get("radar", "OK"), "problem": "unheard for 0.6 s"},
            "clock": {"state": "WARN", "problem": "the wall clock cannot be trusted"},
        },
    }


def trial(before: dict[str, str] | None = None, trial_s: float = TRIAL_S) -> Gate:
    return Gate(before or {}, SHA, trial_s, 0)


def watched(gate: Gate, status: dict[str, Any] | None, from_s: float, to_s: float) -> tuple[Said, float]:
    """Looks every second until there is a verdict; the verdict and when it came."""
    at_s = from_s
    said = Said(Verdict.WAIT, "")
    while at_s <= to_s:
        said = gate.look(status, round(at_s * NS_PER_S))
        if said.verdict is not Verdict.WAIT:
            break
        at_s += 1
    return said, at_s


def test_a_node_that_stays_well_confirms_after_the_trial_and_not_before() -> None:
    said, at_s = watched(trial(), node(), 0, 500)
    assert said.verdict is Verdict.PASSED
    assert at_s == TRIAL_S


def test_a_trial_of_no_time_is_confirmed_at_the_first_good_look() -> None:
    assert trial(trial_s=0).look(node(), 0).verdict is Verdict.PASSED
    assert trial(trial_s=0).look(node(booting=True), 0).verdict is Verdict.WAIT
    assert trial(trial_s=0).look(node(sha="b" * 64), 0).verdict is Verdict.WAIT


def test_a_start_may_take_its_time_and_the_trial_counts_from_its_end() -> None:
    gate = trial()
    said, _ = watched(gate, None, 0, 10)
    assert said == Said(Verdict.WAIT, f"core: {SILENT}")
    assert watched(gate, node(booting=True, radar="STALE", face="fault"), 11, 60)[0].verdict is Verdict.WAIT
    said, at_s = watched(gate, node(), 61, 500)
    assert (said.verdict, at_s) == (Verdict.PASSED, 61 + TRIAL_S)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (None, f"core: {SILENT}"),
        (node(radar="STALE"), "part r_east: unheard for 0.6 s"),
        (node(guard="ERROR"), "part guard: ERROR"),
        (node(face="fault"), "face branch_south: r_east is stale"),
        (node(booting=True), "core is starting"),
        (node(sha="b" * 64), "core runs another configuration"),
    ],
)
def test_what_is_still_wrong_when_the_start_is_over_fails_and_says_what(
    status: dict[str, Any] | None, why: str
) -> None:
    said, at_s = watched(trial(), status, 0, 1_000)
    assert said == Said(Verdict.FAILED, why)
    assert at_s == SETTLE_S


def test_a_trial_of_no_time_with_nothing_to_settle_forgives_a_first_bad_look() -> None:
    gate = Gate({}, SHA, 0, 0, settle_s=0)
    assert gate.look(node(radar="STALE"), 0).verdict is Verdict.WAIT
    assert gate.look(node(), 1).verdict is Verdict.PASSED
    said, at_s = watched(Gate({}, SHA, 0, 0, settle_s=0), node(radar="STALE"), 0, 100)
    assert (said.verdict, at_s) == (Verdict.FAILED, LASTING_S)


def test_a_fault_late_in_a_long_trial_fails_it_when_it_lasts() -> None:
    gate = trial(trial_s=600)
    assert watched(gate, node(), 0, 300)[0].verdict is Verdict.WAIT
    said, at_s = watched(gate, node(radar="STALE"), 301, 1_000)
    assert said.verdict is Verdict.FAILED
    assert at_s == 301 + LASTING_S


def test_a_cable_in_the_wind_delays_the_verdict_and_does_not_make_it() -> None:
    gate = trial(trial_s=100)
    assert watched(gate, node(), 0, 95)[0].verdict is Verdict.WAIT
    assert gate.look(node(radar="STALE"), 96 * NS_PER_S).verdict is Verdict.WAIT
    said, at_s = watched(gate, node(), 97, 1_000)
    assert (said.verdict, at_s) == (Verdict.PASSED, 97 + 100)


def test_a_node_that_is_never_well_for_long_fails_in_the_end() -> None:
    gate = trial()
    for at_s in range(2_000):
        said = gate.look(node(radar="STALE" if at_s % 20 < 5 else "OK"), at_s * NS_PER_S)
        if said.verdict is not Verdict.WAIT:
            break
    assert said.verdict is Verdict.FAILED
    assert "never well for 60 s" in said.why
    assert SETTLE_S + PATIENCE * TRIAL_S <= at_s <= SETTLE_S + PATIENCE * TRIAL_S + 20


def test_what_was_wrong_before_does_not_count_against_a_threshold() -> None:
    before = faults(node(radar="STALE", face="fault"))
    assert set(before) == {"part r_east", "face branch_south"}
    said, at_s = watched(trial(before), node(radar="STALE", face="fault"), 0, 500)
    assert (said.verdict, at_s) == (Verdict.PASSED, TRIAL_S)
    said, _ = watched(trial(before), node(radar="STALE", guard="ERROR"), 0, 500)
    assert said == Said(Verdict.FAILED, "part guard: ERROR")


def test_a_core_that_was_silent_before_has_to_answer_now() -> None:
    said, _ = watched(trial(faults(None)), None, 0, 500)
    assert said == Said(Verdict.FAILED, SILENT)
    assert watched(trial(faults(None)), node(), 0, 500)[0].verdict is Verdict.PASSED
