"""Waves: who takes a change first, worked out alike at the office and on every node."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.provisioning.wave import TRIAL_MOST_S, WHOLE, Wave, everyone, wave_of

NODES = [f"n{number:04}" for number in range(1000)]
nodes = st.sampled_from(NODES)
salts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64)


def test_a_node_is_in_by_the_hash_of_salt_and_id() -> None:
    at = int.from_bytes(hashlib.sha256(b"spring" + b"n0007").digest(), "big") % 1000
    assert not Wave("spring", at).includes("n0007")
    assert Wave("spring", at + 1).includes("n0007")


@settings(deadline=None)
@given(salts, nodes, st.integers(0, WHOLE), st.integers(0, WHOLE))
def test_a_wider_wave_loses_nobody(salt: str, node: str, one: int, other: int) -> None:
    narrow, wide = sorted((one, other))
    assert Wave(salt, wide).includes(node) or not Wave(salt, narrow).includes(node)


@settings(deadline=None)
@given(salts, nodes)
def test_nobody_is_in_the_empty_wave_and_everybody_in_the_whole(salt: str, node: str) -> None:
    assert not Wave(salt, 0).includes(node)
    assert Wave(salt, 0, frozenset({node})).includes(node)
    assert everyone(salt).includes(node)


@settings(deadline=None, max_examples=20)
@given(salts)
def test_a_tenth_is_about_a_tenth(salt: str) -> None:
    # 1000 draws of one in ten: outside 50..160 once in 10^8.
    assert 50 <= sum(Wave(salt, 100).includes(node) for node in NODES) <= 160


def test_another_salt_sends_others_first() -> None:
    first = {salt: {node for node in NODES if Wave(salt, 100).includes(node)} for salt in ("a", "b")}
    assert first["a"] != first["b"]


@settings(deadline=None)
@given(salts, st.integers(0, WHOLE), st.frozensets(nodes, max_size=5), st.integers(0, TRIAL_MOST_S))
def test_a_wave_comes_back_from_a_target_as_it_was(
    salt: str, permille: int, named: frozenset[str], trial_s: int
) -> None:
    wave = Wave(salt, permille, named, trial_s)
    assert wave_of(wave.as_custom()) == wave


@pytest.mark.parametrize(
    "custom",
    [
        None,
        [],
        {},
        {"salt": "a", "permille": 10, "nodes": []},
        {"salt": "a", "permille": 10, "nodes": [], "trial_s": 60, "more": 1},
        {"salt": "", "permille": 10, "nodes": [], "trial_s": 60},
        {"salt": 1, "permille": 10, "nodes": [], "trial_s": 60},
        {"salt": "a", "permille": True, "nodes": [], "trial_s": 60},
        {"salt": "a", "permille": 1.5, "nodes": [], "trial_s": 60},
        {"salt": "a", "permille": -1, "nodes": [], "trial_s": 60},
        {"salt": "a", "permille": 1001, "nodes": [], "trial_s": 60},
        {"salt": "a", "permille": 10, "nodes": "n0001", "trial_s": 60},
        {"salt": "a", "permille": 10, "nodes": 7, "trial_s": 60},
        {"salt": "a", "permille": 10, "nodes": [7], "trial_s": 60},
        {"salt": "a", "permille": 10, "nodes": ["371500/n0001"], "trial_s": 60},
        {"salt": "a", "permille": 10, "nodes": [], "trial_s": True},
        {"salt": "a", "permille": 10, "nodes": [], "trial_s": -1},
        {"salt": "a", "permille": 10, "nodes": [], "trial_s": 3601},
    ],
)
def test_a_wave_that_is_not_well_formed_is_nobodys(custom: object) -> None:
    with pytest.raises(ValueError, match=r"salt|permille|node|trial_s"):
        wave_of(custom)
