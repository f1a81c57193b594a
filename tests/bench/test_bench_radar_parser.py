"""What reading a radar's bytes costs: one frame of three targets, and a stream with noise in it."""

from typing import Any

from hal.radar.ld2451_wire import Ld2451Decoder, WireTarget, encode_report

FRAME = encode_report([WireTarget(0, 40, 0, 60), WireTarget(3, 30, 1, 60), WireTarget(-10, 95, 0, 60)])


def test_bench_ld2451_frame_of_three_targets(benchmark: Any) -> None:
    decoder = Ld2451Decoder("r", reach_m=100, approach_flag=1)
    frames = benchmark(decoder.feed, FRAME, 1)
    assert len(frames[0].targets) == 3


def test_bench_ld2451_empty_frame(benchmark: Any) -> None:
    decoder = Ld2451Decoder("r", reach_m=100, approach_flag=1)
    assert len(benchmark(decoder.feed, encode_report([]), 1)) == 1


def test_bench_ld2451_burst_of_a_hundred_frames_with_noise(benchmark: Any) -> None:
    decoder = Ld2451Decoder("r", reach_m=100, approach_flag=1)
    burst = (FRAME + b"\xf4noise") * 100
    assert len(benchmark(decoder.feed, burst, 1)) == 100
