"""Which node is in which wave: what the office writes, and what the hash makes of it."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.provisioning.wave import WHOLE
from tools.county.rollout.errors import RolloutError
from tools.county.rollout.plan import draw, members, parse

COUNTY = [f"n{number:04}" for number in range(1, 1001)]


def test_five_nodes_by_name_then_tenths_then_everyone() -> None:
    steps = parse("5nodes,10%,50%,100%", ["n0001", "n0002", "n0003", "n0004", "n0005"])
    assert [(step.label, step.permille) for step in steps] == [
        ("5nodes", 0),
        ("10%", 100),
        ("50%", 500),
        ("100%", WHOLE),
    ]
    sizes = [len(members(step, "salt", COUNTY)) for step in steps]
    assert sizes[0] == 5 and sizes[3] == 1000
    assert members(steps[0], "salt", COUNTY) == ["n0001", "n0002", "n0003", "n0004", "n0005"]


def test_half_a_percent_is_a_wave() -> None:
    assert [step.permille for step in parse("0.5%,100%")] == [5, 1000]


@pytest.mark.parametrize(
    ("text", "first", "code"),
    [
        ("10%,50%", (), "bad_wave"),
        ("50%,10%,100%", (), "bad_wave"),
        ("10%,10%,100%", (), "bad_wave"),
        ("0%,100%", (), "bad_wave"),
        ("101%", (), "bad_wave"),
        ("100%,", (), "bad_wave"),
        ("10%,5nodes,100%", (), "bad_wave"),
        ("", (), "bad_wave"),
        ("100", (), "bad_wave"),
        ("2nodes,100%", ("n0001",), "named"),
        ("100%", ("n0001",), "named"),
        ("1nodes", ("n0001",), "bad_wave"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, first: tuple[str, ...], code: str) -> None:
    with pytest.raises(RolloutError) as refused:
        parse(text, first)
    assert refused.value.code == code


@given(
    st.lists(st.integers(1, WHOLE - 1), unique=True, max_size=5).map(sorted),
    st.text("abcdef0123456789", min_size=1, max_size=8),
    st.integers(1, 300),
)
def test_whoever_is_in_a_wave_is_in_every_later_one_and_the_last_is_everyone(
    shares: list[int], salt: str, count: int
) -> None:
    text = ",".join([*(f"{share // 10}.{share % 10}%" for share in shares), "100%"])
    nodes = COUNTY[:count]
    waves = [set(members(step, salt, nodes)) for step in parse(text)]
    assert all(earlier <= later for earlier, later in itertools.pairwise(waves))
    assert waves[-1] == set(nodes)


@pytest.mark.parametrize("count", [12, 60, 1000])
def test_the_salt_is_drawn_so_that_each_wave_has_about_its_share_and_somebody_in_it(count: int) -> None:
    """10 % of twelve nodes may be none by hash; then nothing would have been tried before half of the county has it."""
    nodes = COUNTY[:count]
    steps = parse("1%,10%,50%,100%")
    rng = random.Random(7)
    salt = draw(steps, nodes, lambda: f"{rng.getrandbits(32):08x}")
    for step, share in zip(steps, (0.01, 0.1, 0.5, 1.0), strict=True):
        assert 1 <= len(members(step, salt, nodes)) <= max(2, round(1.1 * share * count))
