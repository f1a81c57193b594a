"""Radars that speak in lines: their settings are sent, checked, and sent again; the silent one is asked."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hal.clock import SYSTEM_CLOCK
from hal.options import parse
from hal.radar import ld2415h, ops243
from tests.support.radar_wire import PtyRadar, until


class LineTwin(PtyRadar):
    """The far end of a line radar: collects what it is sent, without a thread."""

    def __init__(self) -> None:
        super().__init__()
        os.set_blocking(self._master, False)
        self.heard = b""

    def listen(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            self.heard += os.read(self._master, 4096)
        return self.heard


@pytest.fixture
def twin() -> Iterator[LineTwin]:
    with LineTwin() as far_end:
        yield far_end  # type: ignore[misc]


def turn_until(sensor: Any, condition: Callable[[], object], what: str) -> None:
    until(lambda: (sensor.read(0.02), condition())[1], what)


def test_an_ops243_is_told_its_format_and_again_when_it_falls_silent(twin: LineTwin, monkeypatch: Any) -> None:
    monkeypatch.setattr(ops243, "RESEND_NS", 200_000_000)
    options = parse(ops243.Ops243Options, {"url": twin.path})
    with contextlib.closing(ops243.Ops243("r", options, SYSTEM_CLOCK)) as sensor:
        turn_until(sensor, lambda: twin.listen() == ops243.SETTINGS, "settings")
        twin.send_bytes(b'{"Units":"m-per-sec"}\n{"unit":"mps","speed":"0"}\n')
        turn_until(sensor, lambda: sensor.counters.frames == 1, "a frame")
        assert sensor.problem() is None
        turn_until(sensor, lambda: twin.listen().count(ops243.SETTINGS) >= 2, "settings again")


def test_an_ops243_that_never_confirms_its_unit_is_reported(twin: LineTwin, monkeypatch: Any) -> None:
    monkeypatch.setattr(ops243, "RESEND_NS", 20_000_000)
    options = parse(ops243.Ops243Options, {"url": twin.path})
    with contextlib.closing(ops243.Ops243("r", options, SYSTEM_CLOCK)) as sensor:
        turn_until(sensor, sensor.problem, "a problem")
        assert "not confirmed" in str(sensor.problem())


def test_an_ops243_left_as_it_is_is_sent_nothing(twin: LineTwin) -> None:
    options = parse(ops243.Ops243Options, {"url": twin.path, "configure": False})
    with contextlib.closing(ops243.Ops243("r", options, SYSTEM_CLOCK)) as sensor:
        twin.send_bytes(b"0\n")
        turn_until(sensor, lambda: sensor.counters.frames == 1, "a frame")
        assert twin.listen() == b""
        assert sensor.problem() is None


class Ld2415hTwin(LineTwin):
    """Answers GET_SETTINGS and takes the two settings commands unless ``deaf``."""

    def __init__(self) -> None:
        super().__init__()
        self.deaf = False
        self.settings = {1: 1, 2: 0, 3: 5, 4: 1, 5: 0, 6: 0, 7: 5, 8: 3, 9: 1, 0: 1}

    def serve(self) -> bool:
        """Answers what has been asked; always False, so that it can stand in a condition."""
        self.listen()
        while True:
            set_at = re.search(rb"CF[\x01\x02](...)\r\n", self.heard, re.DOTALL)
            if self.heard.startswith(ld2415h.GET_SETTINGS):
                self.heard = self.heard[len(ld2415h.GET_SETTINGS) :]
                rows = " ".join(f"X{key}:{value:02x}" for key, value in self.settings.items())
                self.send_bytes(f"No.:20230801E v5.0\r\n{rows}\r\n".encode())
            elif set_at is not None and set_at.start() == 0:
                first = 1 if self.heard[2] == 1 else 4
                if not self.deaf:
                    self.settings.update(zip(range(first, first + 3), set_at[1], strict=True))
                self.heard = self.heard[8:]
            else:
                return False


@pytest.fixture
def ld2415h_twin() -> Iterator[Ld2415hTwin]:
    with Ld2415hTwin() as far_end:
        yield far_end  # type: ignore[misc]


def test_a_silent_ld2415h_is_asked_and_its_settings_are_put_right(ld2415h_twin: Ld2415hTwin, monkeypatch: Any) -> None:
    monkeypatch.setattr(ld2415h, "ANSWER_NS", 100_000_000)
    options = parse(ld2415h.Ld2415hOptions, {"url": ld2415h_twin.path, "min_speed_kmh": 4, "poll_s": 0.5})
    with contextlib.closing(ld2415h.Ld2415h("r", options, SYSTEM_CLOCK)) as sensor:

        def right() -> bool:
            ld2415h_twin.serve()
            return [ld2415h_twin.settings[key] for key in (1, 2, 3, 4, 5, 6)] == [4, 0, 5, 0, 0, 0]

        turn_until(sensor, right, "settings")
        assert sensor.settings_written == 2
        assert sensor.problem() is None
        assert sensor.missed_polls == 0


def test_an_ld2415h_that_takes_no_settings_is_reported_and_heard(ld2415h_twin: Ld2415hTwin, monkeypatch: Any) -> None:
    monkeypatch.setattr(ld2415h, "ANSWER_NS", 50_000_000)
    ld2415h_twin.deaf = True
    options = parse(ld2415h.Ld2415hOptions, {"url": ld2415h_twin.path, "poll_s": 0.5})
    with contextlib.closing(ld2415h.Ld2415h("r", options, SYSTEM_CLOCK)) as sensor:
        turn_until(sensor, lambda: ld2415h_twin.serve() or sensor.problem(), "a problem")
        assert "reads back" in str(sensor.problem())
        heard = sensor.counters.frames
        turn_until(sensor, lambda: ld2415h_twin.serve() or sensor.counters.frames >= heard + 2, "two more answers")
        assert sensor.settings_written == ld2415h.MAX_WRITES
        before = sensor.counters.frames
        ld2415h_twin.send_bytes(b"V+036.0\r\n")
        turn_until(sensor, lambda: sensor.counters.frames > before, "a frame")


def test_a_dead_ld2415h_shows_in_two_misses(twin: LineTwin, monkeypatch: Any) -> None:
    monkeypatch.setattr(ld2415h, "ANSWER_NS", 50_000_000)
    options = parse(ld2415h.Ld2415hOptions, {"url": twin.path, "poll_s": 0.5})
    with contextlib.closing(ld2415h.Ld2415h("r", options, SYSTEM_CLOCK)) as sensor:
        turn_until(sensor, lambda: sensor.missed_polls >= 2, "two misses")
        assert twin.listen().startswith(ld2415h.GET_SETTINGS * 2)
        twin.send_bytes(b"V+036.0\r\n")
        turn_until(sensor, lambda: sensor.missed_polls == 0, "life again")
