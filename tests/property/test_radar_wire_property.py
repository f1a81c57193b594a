"""Whatever comes down a radar's wire, however it is cut: the same frames, the same counts, never an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.interfaces import RadarDecoder, RadarFrame
from hal.radar import ld2415h, ops243
from hal.radar.ld2451_wire import (
    COMMAND_HEAD,
    COMMAND_TAIL,
    REPORT_HEAD,
    REPORT_TAIL,
    Ld2451Decoder,
    WireTarget,
    encode_ack,
    encode_report,
)

TARGETS = st.builds(
    WireTarget,
    angle_deg=st.integers(-128, 127),
    distance_m=st.integers(0, 105),
    direction=st.integers(0, 1),
    speed_kmh=st.integers(0, 255),
    snr=st.integers(0, 255),
)
REPORTS = st.builds(encode_report, st.lists(TARGETS, max_size=6), idle_bytes=st.booleans())
MARKS = st.sampled_from([REPORT_HEAD, REPORT_TAIL, COMMAND_HEAD, COMMAND_TAIL, REPORT_HEAD[:3], COMMAND_HEAD[:2]])
ACKS = st.builds(encode_ack, st.sampled_from([0xFE, 0xFF, 0x12]), st.integers(0, 1), st.binary(max_size=8))
LD2451_STREAM = st.lists(REPORTS | MARKS | ACKS | st.binary(max_size=20), max_size=12).map(b"".join)

OPS_LINES = st.sampled_from(
    [
        b'{"speed":"-10.9"}\n',
        b'{"magnitude":[606.71],"speed":[-10.90]}\r\n',
        b'{"unit":"mps","speed":"0"}\n',
        b'{"range":"12.5"}\n',
        b'{"Units":"mph"}\n',
        b'"mps",3.5\n',
        b"4.2\n",
        b'{"speed":[1e999,"x"]}\n',
        b'{"speed":{"a":1}}\n',
        b"[1,2]\n",
        b"x" * 300,
        b"\n",
    ]
)
LD2415H_LINES = st.sampled_from(
    [b"V+001.9\r\n", b"V-120.0\r\n", b"V+000.0\r\n", b"X1:01 X2:00 X6:00\r\n", b"No.:20230801E v5.0\r\n", b"V+\r\n"]
)
STREAMS = {
    "ld2451": LD2451_STREAM,
    "ops243": st.lists(OPS_LINES | st.binary(max_size=20), max_size=12).map(b"".join),
    "ld2415h": st.lists(LD2415H_LINES | st.binary(max_size=20), max_size=12).map(b"".join),
}


def decoder(driver: str) -> RadarDecoder:
    if driver == "ld2451":
        return Ld2451Decoder("r", reach_m=100, approach_flag=1)
    if driver == "ops243":
        return ops243.Ops243Decoder("r", reach_m=100, units=ops243.SpeedUnit.MPS)
    return ld2415h.Ld2415hDecoder("r")


def feed(driver: str, pieces: list[bytes]) -> tuple[list[RadarFrame], object]:
    made = decoder(driver)
    frames = [frame for piece in pieces for frame in made.feed(piece, 1)]
    return frames, made.counters


@pytest.mark.parametrize("driver", sorted(STREAMS))
@given(data=st.data())
def test_a_stream_gives_the_same_frames_and_counts_however_it_is_cut(driver: str, data: st.DataObject) -> None:
    stream = data.draw(STREAMS[driver])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = feed(driver, [stream])
    assert feed(driver, pieces) == whole
    assert feed(driver, [bytes((byte,)) for byte in stream]) == whole


@given(before=st.lists(TARGETS, max_size=4), garbage=st.binary(max_size=40), after=st.lists(TARGETS, max_size=4))
def test_a_whole_frame_is_never_hidden_by_what_stands_before_it(
    before: list[WireTarget], garbage: bytes, after: list[WireTarget]
) -> None:
    made = Ld2451Decoder("r", reach_m=100, approach_flag=1)
    made.feed(encode_report(before)[:-3] + garbage.replace(REPORT_HEAD[:2], b""), 1)
    frames = made.feed(encode_report(after), 2)
    assert [len(frame.targets) for frame in frames] == [len(after)]


@given(targets=st.lists(TARGETS, max_size=6), idle_bytes=st.booleans())
def test_what_is_encoded_is_decoded(targets: list[WireTarget], idle_bytes: bool) -> None:
    made = Ld2451Decoder("r", reach_m=100, approach_flag=1)
    (frame,) = made.feed(encode_report(targets, idle_bytes=idle_bytes), 7)
    assert frame.captured_ns == 7
    assert [(t.angle_deg, t.distance_m, t.snr) for t in frame.targets] == [
        (t.angle_deg, t.distance_m, t.snr) for t in targets
    ]
    for seen, sent in zip(frame.targets, targets, strict=True):
        assert seen.speed_mps == pytest.approx(sent.speed_kmh / 3.6 * (1 if sent.direction else -1))
    assert (made.counters.resyncs, made.counters.bytes_dropped, made.counters.targets_rejected) == (0, 0, 0)


@given(targets=st.lists(TARGETS, min_size=1, max_size=4), flip=st.integers(0, 1_000_000))
def test_a_flipped_bit_costs_at_most_its_own_frame(targets: list[WireTarget], flip: int) -> None:
    frame = bytearray(encode_report(targets))
    frame[flip // 8 % len(frame)] ^= 1 << flip % 8
    made = Ld2451Decoder("r", reach_m=100, approach_flag=1)
    made.feed(bytes(frame), 1)
    good = made.feed(encode_report([WireTarget(0, 42, 1, 36)]), 2)
    assert [t.distance_m for t in good[-1].targets] == [42.0]
