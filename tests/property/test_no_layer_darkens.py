"""Whatever the county sends and a technician sets by hand: what passes still warns in time, long enough and visibly."""

import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from configs import describe, layers, limits, loader
from configs.errors import ConfigError
from configs.gaps import gap_table
from configs.layers import Layer, Part
from configs.schema import DetectorSettings, LampPatterns, Night, Policy, SiteConfig
from device.day import DayState, day_state
from device.decision import Stopping
from device.gap import widening
from device.patterns import NS_PER_S, Pattern
from hal.clock import ClockQuality
from tests.support.site_files import DESK

SITE = Part(Layer.SITE, loader.parse_yaml(DESK, "site.yaml"))
PLAIN = loader.validate(SITE.source)
TIMES = st.sampled_from(["00:00", "06:00", "11:00", "12:00", "14:59", "15:00", "20:00", "23:59"])


def words_of(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Patches of a section, of a few keys each, with values that each key alone would take."""
    below: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        setting = describe.of_field(field)
        least, most = (describe.bound(setting, bound) for bound in ("ge", "le"))
        if describe.is_model(setting.kind):
            below[name] = words_of(setting.kind)
        elif setting.kind in (int, float):
            within = st.integers(least, most) if setting.kind is int else st.floats(least, most)
            below[name] = st.one_of(within, st.none())
        elif name in ("start", "end"):
            below[name] = TIMES
    return st.lists(st.sampled_from(sorted(below)), max_size=2, unique=True).flatmap(
        lambda keys: st.fixed_dictionaries({key: below[key] for key in keys})
    )


PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "policy": words_of(Policy),
        "lamp_patterns": words_of(LampPatterns),
        "night": words_of(Night),
        "detector": words_of(DetectorSettings),
    },
)


@given(PATCHES, PATCHES, PATCHES)
def test_no_layers_together_take_the_life_out_of_a_warning(
    group: dict[str, Any], node: dict[str, Any], local: dict[str, Any]
) -> None:
    above = zip((Layer.GROUP, Layer.NODE, Layer.LOCAL), (group, node, local), strict=True)
    found = [SITE, *(Part(layer, loader.Source(layer, patch, {})) for layer, patch in above)]
    try:
        _merged, config, _warnings = layers.checked(found, lambda source: (loader.validate(source), []))
    except ConfigError as error:
        assert all(problem.layer != Layer.SITE for problem in error.problems)
        return
    assert (config.site, config.lamps, config.heartbeat) == (PLAIN.site, PLAIN.lamps, PLAIN.heartbeat)
    assert (config.radars, config.approaches) == (PLAIN.radars, PLAIN.approaches)
    assert 1 <= config.policy.hold_s <= 30
    assert all(4 <= gap_s <= 20 for gap_s in gap_table(config).values())
    assert config.detector.threshold is None or config.detector.threshold <= 0.7
    shines(config)
    for day in days(config):
        warns_in_time(config, day)


def days(config: SiteConfig) -> list[DayState]:
    """Every hour of a day, with a clock in step."""
    hours = [datetime.datetime(2026, 1, 1, hour, 30) for hour in range(24)]
    return [day_state(config, hour, ClockQuality.SYNCED) for hour in hours]


def shines(config: SiteConfig) -> None:
    """A lamp that warns is never dark for more than a second, and at noon at full brightness."""
    for shown in (config.lamp_patterns.caution, config.lamp_patterns.alert, config.lamp_patterns.fault):
        pattern = Pattern.of(period_s=shown.period_s, lit_pct=shown.lit_pct)
        assert pattern.lit_ns > 0 and pattern.period_ns - pattern.lit_ns <= 1.001 * NS_PER_S
    assert all(day.brightness_pct >= 20 for day in days(config))
    assert {day.brightness_pct for day in days(config)[11:15]} == {100}


def warns_in_time(config: SiteConfig, day: DayState) -> None:
    """A main face's horizon covers the stopping sight distance at every speed of the standard's table."""
    stopping = Stopping.of(config.policy, widening(config.policy, day))
    for kmh, metres in limits.STOPPING_SIGHT_M:
        speed_mps = kmh / 3.6
        assert (stopping.fixed_s + speed_mps / stopping.twice_mps2) * speed_mps >= metres - 1e-6
