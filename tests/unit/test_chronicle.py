"""What is told of the road: all of it beside the decision, and what fails in it costs itself alone."""

import logging
from collections.abc import Iterable

import pytest

from device.chronicle import Chronicle
from device.events import Event, EventKind
from device.road_events import RoadEventKeeper
from device.tracks import Track
from hal.clock import NS_PER_S
from tests.support.road import START_NS, Drive, Moment, Vehicle, site

FAST = Vehicle(80, 15.0)


def kinds(moments: list[Moment]) -> list[EventKind]:
    return [event.kind for moment in moments for event in moment.told]


def test_a_fast_car_is_told_of_by_both_and_the_pipeline_tells_of_its_lamps_alone() -> None:
    moments = Drive(FAST).run(20)
    assert kinds(moments) == [EventKind.SPEEDING, EventKind.PASSAGE]
    assert {event.kind for moment in moments for event in moment.output.events} == {EventKind.CAUTION}


class Breaks(RoadEventKeeper):
    """Raises while it sees a road user."""

    def step(self, now_ns: int, tracks: Iterable[Track]) -> list[Event]:
        for track in tracks:
            raise ZeroDivisionError(track.id)
        return []


def broken(monkeypatch: pytest.MonkeyPatch, *, stays: bool) -> Drive:
    drive = Drive(FAST)
    with monkeypatch.context() as patch:
        patch.setattr("device.chronicle.RoadEventKeeper", Breaks)
        drive.chronicle = Chronicle(site())
    if stays:
        monkeypatch.setattr("device.chronicle.RoadEventKeeper", Breaks)
    return drive


def test_what_fails_costs_itself_alone_and_is_written_down_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = Drive(FAST).run(20)
    with caplog.at_level(logging.ERROR):
        drive = broken(monkeypatch, stays=True)
        moments = drive.run(20)
    assert kinds(moments) == [EventKind.PASSAGE]
    assert moments[-1].output.decisions == plain[-1].output.decisions
    assert drive.chronicle.failed > 100
    assert [record.message for record in caplog.records] == ["event=chronicle_failed failed=1"]
    end_ns = START_NS + 20 * NS_PER_S
    assert "ZeroDivisionError" in (drive.chronicle.problem(end_ns) or "")
    assert drive.chronicle.problem(end_ns + 61 * NS_PER_S) is None


def test_what_failed_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    drive = broken(monkeypatch, stays=False)
    assert kinds(drive.run(20)) == [EventKind.SPEEDING, EventKind.PASSAGE]
    assert drive.chronicle.failed == 1


def test_nothing_failed_is_no_problem() -> None:
    assert Chronicle(site()).problem(START_NS) is None
