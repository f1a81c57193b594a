"""What the card is asked to bear: a day's bytes at once, then what an hour brings, and a night of near misses that is
not held against the alerts of a week."""

from hypothesis import given
from hypothesis import strategies as st

from device.incident_budget import Budget
from hal.clock import NS_PER_S

MB = 1_000_000
HOUR_NS = 3600 * NS_PER_S


def spent_after(hours: float, *, written_mb: int = 24) -> bool:
    """A day of 24 MB, of which so many are written at once, and hours in which nothing is."""
    budget = Budget(24)
    budget.step(0, 0)
    budget.step(0, written_mb * MB)
    assert budget.spent
    budget.step(round(hours * HOUR_NS), written_mb * MB)
    return budget.spent


def test_once_spent_an_hours_worth_comes_together_first() -> None:
    assert spent_after(0.99) and not spent_after(1.0)


def test_what_was_written_too_much_is_owed_for_an_hour_at_most() -> None:
    assert spent_after(1.99, written_mb=25) and not spent_after(2.0, written_mb=25)
    assert spent_after(1.99, written_mb=500) and not spent_after(2.0, written_mb=500)


def test_a_week_of_rest_gives_one_day_and_not_seven() -> None:
    budget = Budget(24)
    budget.step(0, 0)
    budget.step(7 * 24 * HOUR_NS, 0)
    budget.step(7 * 24 * HOUR_NS, 24 * MB)
    assert budget.spent


@given(st.lists(st.tuples(st.integers(1, 36_000), st.integers(0, MB)), min_size=1, max_size=200))
def test_alerts_take_a_day_and_what_time_brings_and_one_file_more(files: list[tuple[int, int]]) -> None:
    budget = Budget(24)
    now_ns = written = 0
    budget.step(0, 0)
    for wait_s, file_bytes in files:
        now_ns += wait_s * NS_PER_S
        budget.step(now_ns, written)
        if not budget.spent:
            written += file_bytes
            budget.step(now_ns, written)
        assert written <= 25 * MB + MB * now_ns / HOUR_NS + 1
