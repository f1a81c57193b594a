"""The LD2415H's lines: signed speeds, answers, and the bytes its firmware pads them with."""

import pytest

from hal.interfaces import Flag
from hal.radar.ld2415h import Ld2415hDecoder

ANSWER = b"No.:20230801E v5.0\r\nX1:01 X2:00 X3:05 X4:01 X5:00 X6:00 X7:05 X8:03 X9:01 X0:1f\r\n"


def test_the_makers_line_is_a_walker_coming_at_1_9_kmh() -> None:
    (frame,) = Ld2415hDecoder("r").feed(b"V+001.9\r\n", 3)
    (walker,) = frame.targets
    assert walker.speed_mps == pytest.approx(1.9 / 3.6)
    assert (walker.flag, walker.distance_m, walker.angle_deg) == (Flag.APPROACHING, None, None)
    assert frame.captured_ns == 3


def test_minus_is_leaving_and_zero_is_an_empty_road() -> None:
    leaving, empty = Ld2415hDecoder("r").feed(b"\x00\xffV-036.0\r\nV+000.0\r\n", 0)
    assert leaving.targets[0].speed_mps == pytest.approx(-10.0)
    assert leaving.targets[0].flag is Flag.RECEDING
    assert empty.targets == ()


def test_the_answer_to_the_question_is_one_empty_frame_and_carries_the_settings() -> None:
    made = Ld2415hDecoder("r")
    assert [frame.targets for frame in made.feed(ANSWER, 0)] == [()]
    assert made.settings[3] == 5
    assert made.settings[0] == 0x1F
    assert (made.answers, made.counters.resyncs) == (1, 0)


@pytest.mark.parametrize(("unit", "mps"), [(0, 36 / 3.6), (1, 36 * 0.44704), (2, 36.0), (7, 36 / 3.6)])
def test_the_unit_that_the_radar_reports_scales_its_speeds(unit: int, mps: float) -> None:
    made = Ld2415hDecoder("r")
    made.feed(f"X4:00 X6:{unit:02x}\r\n".encode(), 0)
    assert made.feed(b"V+036.0\r\n", 0)[0].targets[0].speed_mps == pytest.approx(mps)


@pytest.mark.parametrize("noise", [b"V001.9", b"V+1e3", b"V+0019", b"hello", b"X1:zz X2:00", b"X", b"V+\xc2\xb2"])
def test_noise_is_counted_and_gives_no_frame(noise: bytes) -> None:
    made = Ld2415hDecoder("r")
    assert list(made.feed(noise + b"\r\n", 0)) == []
    assert made.counters.resyncs == 1
