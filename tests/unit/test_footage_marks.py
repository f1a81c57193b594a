"""What was marked in the clips is possible, and the judge of tracks says what a person would say."""

import json
import pathlib

import pytest

from models.detector import Detection
from tools.footage.__main__ import lines, main
from tools.footage.judge import FROM_PX, frames, judge
from tools.footage.marks import Arrival, Box, Clip, clips

FOOTAGE = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "footage"
PASSES = Arrival("car", {0: (0, 100, 60, 150), 100: (500, 100, 560, 150)})
CLIP = Clip("street.mp4", 10.0, (PASSES,), ((110, 170),))


def seen(box: Box | None, score: float = 0.8) -> list[Detection]:
    return [] if box is None else [Detection("car", score, *box)]


def test_every_mark_is_in_order_and_in_the_picture() -> None:
    for clip in clips():
        assert len(clip.arrivals) == 8
        for arrival in clip.arrivals:
            assert list(arrival.boxes) == sorted(arrival.boxes)
            for x0, y0, x1, y1 in arrival.boxes.values():
                assert 0 <= x0 < x1 <= 640 and 0 <= y0 < y1 <= 360
        for first, last in clip.nothing_new:
            there = [arrival.what for arrival in clip.arrivals if first < min(arrival.boxes) <= last]
            assert there == [], "somebody comes into view"


def test_between_two_marks_a_box_is_interpolated() -> None:
    assert PASSES.box(50) == (250, 100, 310, 150)
    assert PASSES.box(0) == (0, 100, 60, 150) and PASSES.box(100) == (500, 100, 560, 150)
    assert PASSES.box(101) is None


def test_a_node_looks_at_ten_pictures_a_second() -> None:
    assert frames(Clip("", 24.0, (), ()), 25) == [0, 2, 5, 7, 10, 12, 14, 17, 19, 22]
    assert frames(CLIP, 3) == [0, 1, 2]


def test_an_arrival_that_is_boxed_all_the_way_is_one_track() -> None:
    verdict = judge(CLIP, [(frame, seen(PASSES.box(frame))) for frame in range(171)], 0.3)
    (found,) = verdict.seen
    assert (found.share, found.tracks, verdict.new_tracks) == (1.0, 1, 0)
    assert verdict.passed == {"car": 1}
    assert verdict.nothing_new_s == 6.0


def test_missed_pictures_doubtful_ones_and_a_break_are_told() -> None:
    def box(frame: int) -> list[Detection]:
        if 40 <= frame < 60:
            return []
        return seen(PASSES.box(frame), 0.2 if frame < 10 else 0.8)

    (found,) = judge(CLIP, [(frame, box(frame)) for frame in range(110)], 0.3).seen
    assert (found.pictures, found.boxed, found.tracks) == (101, 71, 2)


def test_who_is_still_small_is_not_asked_for() -> None:
    comes = Arrival("car", {0: (0, 0, 20, FROM_PX - 1), 10: (0, 0, 20, FROM_PX + 1)})
    (found,) = judge(Clip("", 10.0, (comes,), ()), [(frame, []) for frame in range(11)], 0.3).seen
    assert found.pictures == 6


def test_something_new_where_nothing_is_new_is_counted() -> None:
    pictures = [(frame, seen((10, 10, 60, 40)) if frame >= 120 else []) for frame in range(171)]
    verdict = judge(CLIP, pictures, 0.3)
    assert verdict.new_tracks == 1
    figures = {line["name"]: line for line in lines([verdict])}
    assert figures["footage_new_tracks_per_min"]["value"] == 10.0
    assert figures["footage_new_tracks_per_min"]["ok"] is False
    assert figures["footage_street_boxed_least"]["bar"] is None, "only the view from a pole has bars"


@pytest.mark.skipif(not FOOTAGE.exists(), reason="the real clips are not at ../shared/footage")
def test_every_arrival_of_the_view_from_a_pole_is_one_track(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tools.footage", str(FOOTAGE)])
    main()
    said = capsys.readouterr().out
    told = {line["name"]: line for line in map(json.loads, (row for row in said.splitlines() if row.startswith("{")))}
    for name in ("footage_side_road_day_boxed_least", "footage_side_road_day_tracks_per_arrival"):
        assert told[name]["ok"], said
    # One in twenty seconds of a quiet street, leaves above a wall: the bar of 0.2 a minute is not met.
    assert told["footage_new_tracks_per_min"]["value"] < 3.1, said


def test_a_folder_without_the_clips_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tools.footage", str(tmp_path)])
    assert main() == 2
    assert "side_road_day.mp4: no video to read" in capsys.readouterr().err
