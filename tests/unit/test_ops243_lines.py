"""The OPS243's lines: JSON and text, arrays and strings, units, ranges, answers that carry no tag."""

import pytest

from hal.interfaces import Flag
from hal.radar.ops243 import RANGE_AGE_NS, Ops243Decoder, SpeedUnit


def decoder(units: SpeedUnit = SpeedUnit.MPS) -> Ops243Decoder:
    return Ops243Decoder("r_east", reach_m=100, units=units)


def speeds(line: str, made: Ops243Decoder | None = None) -> list[float]:
    frames = (made or decoder()).feed(line.encode() + b"\r\n", 0)
    return [round(t.speed_mps, 3) for frame in frames for t in frame.targets]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"magnitude":[606.71],"speed":[-10.90]}', [-10.9]),
        ('{"speed":"8.4"}', [8.4]),
        ('{"speed":[8.4,"-3.1",0]}', [8.4, -3.1]),
        ('{"unit":"mps","speed":"8.4"}', [8.4]),
        ('{"unit":"kmph","speed":36}', [10.0]),
        ('{"unit":"mph","speed":"-10"}', [-4.47]),
        ("-10.90", [-10.9]),
        ('"mps",-10.90', [-10.9]),
        ('"kmph",36', [10.0]),
        ("606.7,12.5", [12.5]),
    ],
)
def test_every_shape_of_a_speed_is_read(line: str, expected: list[float]) -> None:
    made = decoder()
    assert speeds(line, made) == expected
    assert made.counters.resyncs == 0


def test_plus_is_inbound() -> None:
    coming, leaving = decoder().feed(b'{"speed":[5,-5]}\n', 0)[0].targets
    assert (coming.flag, leaving.flag) == (Flag.APPROACHING, Flag.RECEDING)


@pytest.mark.parametrize("line", ["0", "0.0", "-0.00", '{"speed":"0"}', '{"unit":"mps","speed":[0]}'])
def test_zeros_are_an_empty_road(line: str) -> None:
    (frame,) = decoder().feed(line.encode() + b"\n", 0)
    assert frame.targets == ()


def test_the_answer_to_a_unit_command_sets_the_unit_and_is_no_frame() -> None:
    made = decoder()
    assert list(made.feed(b'{"Units":"km-per-hr"}\n{"OutputFeature":"J"}\n{"Product":"OPS243"}\n', 0)) == []
    assert made.units_seen
    assert speeds('{"speed":"36"}', made) == [10.0]
    assert made.counters.resyncs == 0


def test_a_speed_without_a_unit_is_in_the_unit_of_the_site() -> None:
    assert speeds('{"speed":"36"}', decoder(SpeedUnit.KMPH)) == [10.0]


@pytest.mark.parametrize(
    "noise",
    [
        "{",
        "{]",
        "[1]",
        "hello",
        '{"speed":null}',
        '{"speed":[1,{}]}',
        '{"speed":"NaN"}',
        "inf",
        '"who",3',
        "1,,2",
        '{"speed":true}',
    ],
)
def test_noise_is_counted_and_gives_no_frame(noise: str) -> None:
    made = decoder()
    assert list(made.feed(noise.encode() + b"\n", 0)) == []
    assert made.counters.resyncs == 1
    assert speeds('{"speed":"8.4"}', made) == [8.4]


def test_a_line_without_end_is_dropped_once_and_the_next_is_read() -> None:
    made = decoder()
    for _ in range(100):
        assert list(made.feed(b"x" * 100, 0)) == []
    assert speeds('\n{"speed":"8.4"}', made) == [8.4]
    assert made.counters.resyncs == 1
    assert made.counters.bytes_dropped == 100 * 100 + 1


def test_an_impossible_speed_is_dropped_alone() -> None:
    made = decoder()
    assert speeds('{"speed":[500,8.4]}', made) == [8.4]
    assert made.counters.targets_rejected == 1


@pytest.mark.parametrize("line", [b'{"unit":"m","range":"42.5"}\n', b'"m",42.5\n', b'{"range":[42.5]}\n'])
def test_a_range_belongs_to_the_one_target_that_follows(line: bytes) -> None:
    made = decoder()
    assert list(made.feed(line, 0)) == []
    (frame,) = made.feed(b'{"speed":"8.4"}\n', RANGE_AGE_NS)
    assert frame.targets[0].distance_m == 42.5
    (later,) = made.feed(b'{"speed":"8.4"}\n', RANGE_AGE_NS)
    assert later.targets[0].distance_m is None


def test_a_range_that_is_old_or_ambiguous_belongs_to_nobody() -> None:
    made = decoder()
    made.feed(b'{"range":"42.5"}\n', 0)
    assert made.feed(b'{"speed":"8.4"}\n', RANGE_AGE_NS + 1)[0].targets[0].distance_m is None
    made.feed(b'{"range":"42.5"}\n', 0)
    assert [t.distance_m for t in made.feed(b'{"speed":[8,9]}\n', 0)[0].targets] == [None, None]


def test_a_target_beyond_reach_is_dropped() -> None:
    made = decoder()
    made.feed(b'{"range":"105.5"}\n', 0)
    assert made.feed(b'{"speed":"8.4"}\n', 0)[0].targets == ()
    assert made.counters.targets_rejected == 1
