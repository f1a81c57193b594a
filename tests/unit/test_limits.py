"""No configuration takes the life out of a warning: each limit is tried alone and at its edge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import limits
from configs.errors import ConfigError
from configs.schema import LampPatterns, Policy, SiteConfig
from device.day import within
from device.guard import GuardConfig, GuardConfigError
from device.patterns import NS_PER_S, Pattern
from device.site import check_text
from tests.support.site_files import DESK

CLOCK = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda found: f"{found[0]:02d}:{found[1]:02d}")


def with_section(section: str, text: str) -> SiteConfig:
    """The desk's site with one section written anew."""
    kept = [line for line in DESK.splitlines() if not line.startswith(("policy:", "  hold_s", "  gap_s"))]
    return check_text("\n".join([*kept, f"{section}: {text}"]), "site.yaml")[0]


KILLS = [
    ("policy", "{hold_s: 0}", "policy.hold_s", "1 … 30"),
    ("policy", "{hold_s: 0.99}", "policy.hold_s", "1 … 30"),
    ("policy", "{min_on_s: 0}", "policy.min_on_s", "0.5 … 5"),
    ("policy", "{gap_s: {truck: 0}}", "policy.gap_s.truck", "4 … 20"),
    ("policy", "{gap_s: {car: 1000}}", "policy.gap_s.car", "4 … 20"),
    ("policy", "{reaction_s: 1, margin_s: 0, deceleration_mps2: 6}", "policy.margin_s", "≥ 2.6"),
    ("policy", "{reaction_s: 2.5, margin_s: 0}", "policy.margin_s", "≥ 0.3"),
    ("policy", "{widen: {wet_s: -5}}", "policy.widen.wet_s", "0 … 3"),
    ("lamp_patterns", "{caution: {lit_pct: 0}}", "lamp_patterns.caution.lit_pct", "30 … 100"),
    ("lamp_patterns", "{alert: {period_s: 0.01}}", "lamp_patterns.alert.period_s", "0.34 … 4"),
    ("lamp_patterns", "{fault: {period_s: 4, lit_pct: 30}}", "lamp_patterns.fault.lit_pct", "≤ 1 s"),
    ("night", "{brightness_pct: 0}", "night.brightness_pct", "20 … 100"),
    ("night", '{start: "08:00", end: "18:00", brightness_pct: 20}', "night.brightness_pct", "11:00-15:00"),
    ("night", '{start: "06:00", end: "06:00", brightness_pct: 20}', "night.brightness_pct", "11:00-15:00"),
    ("detector", "{threshold: 0.95}", "detector.threshold", "0.05 … 0.7"),
]


@pytest.mark.parametrize(("section", "text", "path", "allowed"), KILLS, ids=lambda value: str(value)[:30])
def test_what_would_take_the_life_out_of_a_warning_is_refused(section: str, text: str, path: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_section(section, text)
    [problem] = caught.value.problems
    assert problem.path == path
    assert problem.allowed is not None and allowed in problem.allowed.en
    assert problem.render("zh") and problem.render("en")


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("policy", "{hold_s: 1}"),
        ("policy", "{reaction_s: 1, margin_s: 2.6, deceleration_mps2: 6}"),
        ("lamp_patterns", "{fault: {period_s: 2, lit_pct: 50}}"),
        ("night", '{start: "15:00", end: "11:00", brightness_pct: 20}'),
        ("night", '{start: "06:00", end: "06:00", brightness_pct: 100}'),
        ("detector", "{threshold: 0.7}"),
    ],
)
def test_what_stands_right_at_a_limit_passes(section: str, text: str) -> None:
    assert with_section(section, text)


@given(period_s=st.floats(0.34, 4), lit_pct=st.floats(30, 100))
def test_a_lamp_that_warns_is_lit_again_within_a_second(period_s: float, lit_pct: float) -> None:
    raw = {"period_s": period_s, "lit_pct": lit_pct}
    accepted = True
    try:
        LampPatterns.model_validate({"fault": raw})
    except ValueError:
        accepted = False
    pattern = Pattern.of(period_s=period_s, lit_pct=lit_pct)
    assert accepted == (pattern.period_ns - pattern.lit_ns <= limits.DARK_LONGEST_S * NS_PER_S + 2000)


def test_guard_takes_no_dark_pattern_even_where_nobody_checked() -> None:
    steady = {"period_s": 1.0, "lit_pct": 50.0}
    raw = {"lease_cap_ms": 150, "safe_hold_s": 30, "clear_after_s": 10, "lamps": {}}
    assert GuardConfig(raw | {"patterns": dict.fromkeys(("caution", "alert", "fault"), steady)})
    for dark in ({"period_s": 4.0, "lit_pct": 40.0}, {"period_s": 0.5, "lit_pct": 5.0}):
        with pytest.raises(GuardConfigError):
            GuardConfig(raw | {"patterns": {"caution": steady, "alert": steady, "fault": dark}})


@given(start=CLOCK, end=CLOCK, brightness_pct=st.integers(20, 100))
def test_a_lamp_is_never_dimmed_at_noon(start: str, end: str, brightness_pct: int) -> None:
    minutes = [f"{hour:02d}:{minute:02d}" for hour in range(11, 15) for minute in range(60)]
    by_day = any(within(now, start, end) for now in minutes)
    assert limits.dims_by_day(start, end, brightness_pct) == (by_day and brightness_pct < 100)


@given(reaction_s=st.floats(1, 5), margin_s=st.floats(0, 10), deceleration_mps2=st.floats(1, 6))
def test_a_main_road_user_is_warned_before_the_place_where_he_must_brake(
    reaction_s: float, margin_s: float, deceleration_mps2: float
) -> None:
    numbers = {"reaction_s": reaction_s, "margin_s": margin_s, "deceleration_mps2": deceleration_mps2}
    try:
        policy = Policy.model_validate(numbers)
    except ValueError:
        missing_s, _kmh = limits.missing_margin_s(reaction_s, margin_s, deceleration_mps2)
        enough_s = limits.rounded_up(margin_s + missing_s)
        if enough_s <= 10:  # what the message asks for is enough
            assert Policy.model_validate(numbers | {"margin_s": enough_s})
        return
    for kmh, metres in limits.STOPPING_SIGHT_M:
        speed_mps = kmh / 3.6
        horizon_s = policy.reaction_s + speed_mps / (2 * policy.deceleration_mps2) + policy.margin_s
        assert horizon_s * speed_mps >= metres - 1e-6
