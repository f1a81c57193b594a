"""The arithmetic of spans against the same done moment by moment."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tools.evaluate.spans import Spans, below_zero

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8).map(
    lambda pairs: Spans((min(pair), max(pair)) for pair in pairs)
)
MOMENTS = [number + 0.5 for number in range(-2, 45)]


@given(spans, spans)
def test_union_intersection_and_difference_hold_at_every_moment(one: Spans, other: Spans) -> None:
    for t_s in MOMENTS:
        assert (t_s in one | other) == (t_s in one or t_s in other)
        assert (t_s in one & other) == (t_s in one and t_s in other)
        assert (t_s in one - other) == (t_s in one and t_s not in other)
        assert (t_s in one.outside(-2, 45)) == (t_s not in one)


@given(spans, st.integers(0, 5), st.integers(0, 5))
def test_widening_reaches_so_far_and_no_farther(one: Spans, before_s: int, after_s: int) -> None:
    wide = one.widened(before_s, after_s)
    for t_s in MOMENTS:
        near = any(start - before_s <= t_s < end + after_s for start, end in one)
        assert (t_s in wide) == near


@given(spans, st.integers(0, 6))
def test_closing_fills_short_gaps_alone(one: Spans, gap_s: int) -> None:
    closed = one.closed(gap_s)
    assert all(later[0] - sooner[1] > gap_s for sooner, later in zip(list(closed), list(closed)[1:], strict=False))
    assert (one - closed).total_s == 0
    assert closed.total_s - one.total_s <= gap_s * max(0, len(one) - 1)


@given(spans)
def test_first_from_is_the_next_moment_inside(one: Spans) -> None:
    for t_s in MOMENTS:
        later = [max(t_s, start) for start, end in one if end > t_s]
        assert one.first_from(t_s) == (min(later) if later else None)


@given(
    st.lists(st.floats(-5, 5, allow_subnormal=False).filter(lambda value: abs(value) > 1e-6), min_size=2, max_size=12)
)
def test_below_zero_follows_the_straight_line(values: list[float]) -> None:
    found = below_zero(np.arange(len(values), dtype=np.float64), np.array(values))
    for t_s in np.linspace(0, len(values) - 1.001, 40):
        value = float(np.interp(t_s, range(len(values)), values))
        if abs(value) > 1e-6:
            assert (float(t_s) in found) == (value < 0)
