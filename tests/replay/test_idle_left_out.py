"""Steps that the pipeline calls idle are left out, and every line comes out the same as with each of them taken."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.loader import Source, validate
from configs.schema import SiteConfig
from device import replay
from device.day import DAYLIGHT, DayState, day_message
from device.pipeline import Output, Pipeline
from device.recorded import Message, Recorded, read
from device.recording import DAY_TOPIC, camera_topic, encoded, radar_message, radar_topic
from device.replay import Replay
from hal.clock import NS_PER_S
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.replay.scenes import FOLDER, GOLDEN, NIGHT, QUIET, WET_AND_FOGGY
from tests.support.road import Leaving, Vehicle, site

START_NS = 1_795_400_000 * NS_PER_S


def both(recorded: Recorded, config: SiteConfig, **options: bool) -> tuple[list[str], list[str]]:
    short = list(Replay(recorded, config, **options).lines())
    return short, list(Replay(recorded, config, leave_out_idle=False, **options).lines())


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_roads(name: str) -> None:
    recorded = read(FOLDER / f"{name}.mcap")
    config = validate(Source("", recorded.site_values() or {}, {}))
    short, whole = both(recorded, config)
    assert short == whole


def message(t_s: float, topic: str, body: dict[str, object], number: int) -> Message:
    return Message(START_NS + round(t_s * NS_PER_S), topic, number, encoded(body))


def road(
    vehicles: list[Vehicle],
    silent: dict[str, tuple[float, float]],
    walker_s: tuple[float, float],
    seconds: float,
    every_s: float = 0.1,
) -> Recorded:
    found = []
    for tick in range(round(seconds / every_s)):
        t_s = tick * every_s
        for radar in ("r_east", "r_west"):
            seen = [vehicle.target(t_s) for vehicle in vehicles if vehicle.radar == radar]
            report = encode_report(
                WireTarget(0, round(t.distance_m or 0), int(t.speed_mps > 0), round(abs(t.speed_mps) * 3.6))
                for t in seen
                if t is not None
            )
            if not _within(t_s, silent.get(radar)):
                found.append(message(t_s + 0.013, radar_topic(radar), radar_message(report), tick))  # type: ignore[arg-type]
        if not _within(t_s, silent.get("c_branch")):
            zones = {"branch_south": {"wait": {"person": 1}}} if _within(t_s, walker_s) else {}
            body = {"camera": "c_branch", "captured_ns": 0, "zones": zones}
            found.append(message(t_s + 0.04, camera_topic("c_branch"), body, tick))
    return Recorded(tuple(sorted(found, key=lambda m: (m.log_ns, m.topic, m.sequence))), None, None, None)


def _within(t_s: float, span: tuple[float, float] | None) -> bool:
    return span is not None and span[0] <= t_s < span[1]


SECONDS = 14.0
SPANS = st.tuples(st.floats(0, SECONDS), st.floats(0, SECONDS))
VEHICLES = st.builds(
    lambda leaving, *values: (Leaving if leaving else Vehicle)(*values),
    st.booleans(),
    st.integers(10, 130),
    st.floats(0, SECONDS),
    st.sampled_from(["r_east", "r_west"]),
)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(VEHICLES, max_size=3),
    st.dictionaries(st.sampled_from(["r_east", "r_west", "c_branch"]), SPANS, max_size=2),
    SPANS,
    st.sampled_from(["", "cold", "strict"]),
    st.dictionaries(st.floats(0, SECONDS), st.sampled_from([DAYLIGHT, NIGHT, QUIET, WET_AND_FOGGY]), max_size=3),
)
def test_any_road_any_silence_any_day(
    vehicles: list[Vehicle],
    silent: dict[str, tuple[float, float]],
    walker_s: tuple[float, float],
    option: str,
    days: dict[float, DayState],
) -> None:
    recorded = road(vehicles, silent, walker_s, SECONDS)
    if recorded.messages:
        told = [message(t_s, DAY_TOPIC, day_message(day), number) for number, (t_s, day) in enumerate(days.items())]
        ordered = sorted([*recorded.messages, *told], key=lambda m: (m.log_ns, m.topic, m.sequence))
        recorded = dataclasses.replace(recorded, messages=tuple(ordered))
        short, whole = both(recorded, site(), **({option: True} if option else {}))
        assert short == whole


def test_the_ten_minutes_of_duty_are_told_at_the_same_moment() -> None:
    recorded = road([Vehicle(50, 300.0)], {}, (310.0, 312.0), 625.0, every_s=0.4)
    short, whole = both(recorded, site())
    assert short == whole
    assert [json.loads(line)["t_s"] for line in short if '"duty"' in line] != []


def test_an_empty_road_takes_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0

    class Counted(Pipeline):
        def step(self, now_ns: int, day: object, observations: object) -> Output:
            nonlocal steps
            steps += 1
            return super().step(now_ns, DAYLIGHT, observations)  # type: ignore[arg-type]

    monkeypatch.setattr(replay, "Pipeline", Counted)
    recorded = road([], {}, (0, 0), 30.0)
    list(Replay(recorded, site()).lines())
    left = steps
    steps = 0
    list(Replay(recorded, site(), leave_out_idle=False).lines())
    assert left < 0.6 * steps and left >= len(recorded.messages)
