"""The LD2451's reports: the maker's example, a live frame, a real log, and frames that lie."""

import csv
import pathlib

import pytest

from hal.interfaces import Flag
from hal.radar import ld2451
from hal.radar.ld2451_wire import (
    MAX_TARGETS,
    Ld2451Decoder,
    WireTarget,
    encode_ack,
    encode_command,
    encode_report,
)

VENDOR = bytes.fromhex("F4F3F2F1 1100 03 01 8A28003C15 8A1E013C0F 765F003C0F F8F7F6F5")
LIVE = bytes.fromhex("F4F3F2F1 0700 01 01 8F040103FF F8F7F6F5")
WALKERS = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "radar" / "ld2451_walker_passes.csv"


def decoder(approach_flag: int = 1, reach_m: float = 100.0) -> Ld2451Decoder:
    return Ld2451Decoder("r_east", reach_m=reach_m, approach_flag=approach_flag)


def test_the_makers_example_reads_as_it_is_written() -> None:
    (frame,) = decoder().feed(VENDOR, 5)
    assert [(t.angle_deg, t.distance_m, t.flag, t.snr) for t in frame.targets] == [
        (10.0, 40.0, Flag.RECEDING, 21.0),
        (10.0, 30.0, Flag.APPROACHING, 15.0),
        (-10.0, 95.0, Flag.RECEDING, 15.0),
    ]
    assert [t.speed_mps for t in frame.targets] == pytest.approx([-60 / 3.6, 60 / 3.6, -60 / 3.6])
    assert (frame.radar, frame.captured_ns) == ("r_east", 5)


def test_at_a_site_where_0_means_approaching_every_sign_turns() -> None:
    as_is, turned = decoder(1).feed(VENDOR, 0)[0], decoder(0).feed(VENDOR, 0)[0]
    assert [t.speed_mps for t in turned.targets] == [-t.speed_mps for t in as_is.targets]
    assert [t.flag for t in turned.targets] == [Flag.APPROACHING, Flag.RECEDING, Flag.APPROACHING]


def test_a_live_walker_with_saturated_snr_is_believed() -> None:
    (frame,) = decoder().feed(LIVE, 0)
    (walker,) = frame.targets
    assert (walker.distance_m, walker.angle_deg, walker.snr) == (4.0, 15.0, 255.0)
    assert walker.speed_mps == pytest.approx(3 / 3.6)


def test_the_encoder_writes_the_makers_bytes() -> None:
    targets = [WireTarget(10, 40, 0, 60, 21), WireTarget(10, 30, 1, 60, 15), WireTarget(-10, 95, 0, 60, 15)]
    assert encode_report(targets) == VENDOR


@pytest.mark.parametrize("empty", [encode_report([]), encode_report([], idle_bytes=False)])
def test_both_kinds_of_empty_frame_say_that_the_road_is_empty(empty: bytes) -> None:
    made = decoder()
    assert [frame.targets for frame in made.feed(empty + empty, 0)] == [(), ()]
    assert made.counters.frames == 2


@pytest.mark.parametrize("cut", range(1, len(VENDOR)))
def test_a_frame_cut_anywhere_is_put_together(cut: int) -> None:
    made = decoder()
    assert list(made.feed(VENDOR[:cut], 1)) == []
    (frame,) = made.feed(VENDOR[cut:], 2)
    assert (len(frame.targets), frame.captured_ns) == (3, 2)
    assert made.counters.resyncs == 0


def test_garbage_between_frames_is_counted_as_one_run_each() -> None:
    made = decoder()
    frames = made.feed(b"\x00\x11" + LIVE + b"garbage\xf4\xf3" + VENDOR + b"\xff", 0)
    assert [len(frame.targets) for frame in frames] == [1, 3]
    assert (made.counters.resyncs, made.counters.bytes_dropped) == (3, 2 + 9 + 1)


def test_half_a_frame_gives_way_to_the_next_one_at_once() -> None:
    made = decoder()
    frames = made.feed(VENDOR[:14] + encode_report([]), 0)
    assert [frame.targets for frame in frames] == [()]


@pytest.mark.parametrize(
    ("lie", "frame"),
    [
        ("count above length", "F4F3F2F1 0700 02 01 8F040103FF F8F7F6F5"),
        ("count below length", "F4F3F2F1 0C00 01 01 8F040103FF8F040103FF F8F7F6F5"),
        ("length between targets", "F4F3F2F1 0800 01 01 8F040103FF00 F8F7F6F5"),
        ("length of one byte", "F4F3F2F1 0100 00 F8F7F6F5"),
        ("tail broken", "F4F3F2F1 0700 01 01 8F040103FF F8F7F6F4"),
        ("oversized", "F4F3F2F1 FFFF 01 01 8F040103FF F8F7F6F5"),
    ],
)
def test_a_frame_that_contradicts_itself_is_dropped_whole_and_the_next_is_read(lie: str, frame: str) -> None:
    made = decoder()
    frames = made.feed(bytes.fromhex(frame) + LIVE, 0)
    assert [len(f.targets) for f in frames] == [1], lie
    assert (made.counters.resyncs, made.counters.targets_rejected) == (1, 0)


def test_more_targets_than_any_road_holds_is_noise() -> None:
    made = decoder()
    assert len(made.feed(encode_report([WireTarget(0, 5, 1, 9)] * MAX_TARGETS), 0)) == 1
    assert list(made.feed(encode_report([WireTarget(0, 5, 1, 9)] * (MAX_TARGETS + 1)), 0)) == []


def test_an_impossible_target_is_dropped_alone() -> None:
    made = decoder(reach_m=60)
    targets = [WireTarget(0, 65, 1, 50), WireTarget(0, 66, 1, 50), WireTarget(0, 20, 2, 50), WireTarget(127, 9, 0, 7)]
    (frame,) = made.feed(encode_report(targets), 0)
    assert [t.distance_m for t in frame.targets] == [65.0, 9.0]
    assert made.counters.targets_rejected == 2


def test_only_a_granted_end_of_configuration_shows_that_the_radar_reports_again() -> None:
    made = decoder()
    assert list(made.feed(encode_ack(0xFF, 0, b"\x01\x00\x40\x00") + encode_ack(0x12, 0, bytes(4)), 0)) == []
    assert list(made.feed(encode_ack(0xFE, 1), 0)) == []
    (alive,) = made.feed(encode_ack(0xFE), 3)
    assert (alive.targets, alive.captured_ns) == ((), 3)
    assert [ack.command for ack in made.take_acks()] == [0xFF, 0x12, 0xFE, 0xFE]
    assert made.take_acks() == []


def test_our_own_commands_echoed_back_are_no_answers() -> None:
    made = decoder()
    assert made.feed(encode_command(0xFE) + LIVE, 0)[0].targets
    assert made.take_acks() == []


def test_answers_that_nobody_fetches_are_bounded() -> None:
    made = decoder()
    made.feed(encode_ack(0x12) * 1000, 0)
    assert len(made.take_acks()) == 32


@pytest.mark.skipif(not WALKERS.exists(), reason="the real walker log is not at ../shared/radar")
@pytest.mark.parametrize("approach_flag", [0, 1])
def test_a_real_log_of_walkers_plays_through_with_no_row_rejected(approach_flag: int) -> None:
    with WALKERS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    toward = {"approach": approach_flag, "away": 1 - approach_flag}
    made = decoder(approach_flag)
    stream = b"".join(
        encode_report(
            [
                WireTarget(
                    int(row["angle_deg"]),
                    int(row["dist_m"]),
                    toward[row["direction"]],
                    int(row["speed_kmh"]),
                    int(row["snr"]),
                )
            ]
        )
        for row in rows
    )
    frames = made.feed(stream, 0)
    assert len(rows) == 167
    assert [(f.targets[0].distance_m, f.targets[0].flag.value) for f in frames] == [
        (float(row["dist_m"]), {"approach": "approaching", "away": "receding"}[row["direction"]]) for row in rows
    ]
    for frame, row in zip(frames, rows, strict=True):
        assert abs(frame.targets[0].speed_mps) == pytest.approx(int(row["speed_kmh"]) / 3.6)
    assert (made.counters.resyncs, made.counters.bytes_dropped, made.counters.targets_rejected) == (0, 0, 0)


def test_the_driver_gives_replay_the_same_decoder_for_the_same_options() -> None:
    options = ld2451.Ld2451Options(url="x", direction_flag=ld2451.DirectionFlag.APPROACH_IS_0, reach_m=90)
    (frame,) = ld2451.decoder("r", options).feed(VENDOR, 0)
    assert [t.flag for t in frame.targets] == [Flag.APPROACHING, Flag.RECEDING, Flag.APPROACHING]
