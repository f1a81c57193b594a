"""Talking to an LD2451 that answers, loses, delays, corrupts, refuses or ignores: it guards on whatever it does."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from hal.clock import NS_PER_S, SYSTEM_CLOCK
from hal.errors import HalError
from hal.interfaces import RadarFrame
from hal.options import parse
from hal.radar import ld2451_dialogue
from hal.radar.ld2451 import Ld2451, Ld2451Options
from hal.radar.ld2451_wire import Command, Detect, Detection, Sensitivity, WireTarget
from hal.radar.polling import QUIET_NS
from tests.support.radar_wire import Ld2451Twin, until

CAR = WireTarget(0, 50, 1, 60)


@pytest.fixture
def twin() -> Iterator[Ld2451Twin]:
    with Ld2451Twin() as far_end:
        yield far_end


def opened(twin: Ld2451Twin, **values: Any) -> "contextlib.closing[Ld2451]":
    options = parse(Ld2451Options, {"url": twin.path, **values})
    return contextlib.closing(Ld2451("r_east", options, SYSTEM_CLOCK))


def read_until(sensor: Ld2451, condition: Any, what: str) -> list[RadarFrame]:
    frames: list[RadarFrame] = []

    def turn() -> bool:
        frames.extend(sensor.read(0.02))
        return bool(condition())

    until(turn, what)
    return frames


def test_opening_writes_the_sites_settings_and_reads_them_back(twin: Ld2451Twin) -> None:
    with opened(twin, reach_m=80, min_speed_kmh=4, hold_s=1, sensitivity_triggers=2, sensitivity_snr=3) as sensor:
        read_until(sensor, lambda: twin.heard(Command.GET_SENSITIVITY) == 2 and not twin.configuring, "read back")
        read_until(sensor, lambda: twin.heard(Command.END_CONFIG) == 2, "end")
        assert twin.detection == bytes((80, Detect.ALL, 4, 1))
        assert twin.sensitivity == bytes((2, 3, 0, 0))
        assert sensor.problem() is None
        assert sensor.settings_written == 1


def test_settings_that_are_right_already_are_not_written_again(twin: Ld2451Twin) -> None:
    twin.detection, twin.sensitivity = bytes((100, Detect.ALL, 3, 1)), bytes((1, 4, 0, 0))
    with opened(twin) as sensor:
        read_until(sensor, lambda: twin.heard(Command.END_CONFIG) == 1, "end")
        assert sensor.settings_written == 0
        assert twin.heard(Command.SET_DETECTION) == 0
        assert sensor.problem() is None


def test_a_radar_that_acknowledges_but_does_not_take_the_settings_is_reported_and_guards_on(twin: Ld2451Twin) -> None:
    twin.deaf = True
    with opened(twin) as sensor:
        read_until(sensor, sensor.problem, "a problem")
        assert "reads back" in str(sensor.problem())
        assert "reach_m=60" in str(sensor.problem())
        twin.send([CAR])
        assert any(frame.targets for frame in read_until(sensor, lambda: True, "a frame") or sensor.read(5.0))
        assert sensor.settings_written == 1


def test_a_radar_that_answers_no_command_guards_on_and_says_so(twin: Ld2451Twin) -> None:
    twin.mute = True
    with opened(twin) as sensor:
        seen: list[RadarFrame] = []

        def turn() -> bool:
            twin.send([CAR])
            seen.extend(sensor.read(0.05))
            return sensor.problem() is not None

        until(turn, "a problem")
        assert "does not answer command 0xFF" in str(sensor.problem())
        assert len(seen) > 3
        assert all(frame.targets for frame in seen)


@pytest.mark.parametrize("harm", ["lose", "corrupt"])
def test_an_answer_lost_or_broken_is_asked_for_again(twin: Ld2451Twin, harm: str) -> None:
    setattr(twin, harm, 1)
    with opened(twin) as sensor:
        read_until(sensor, lambda: twin.detection == bytes((100, Detect.ALL, 3, 1)), "settings written")
        read_until(sensor, lambda: twin.heard(Command.END_CONFIG) == 2, "end")
        assert sensor.problem() is None


def test_a_slow_radar_is_waited_for(twin: Ld2451Twin) -> None:
    twin.delay_s = 0.05
    with opened(twin) as sensor:
        read_until(sensor, lambda: twin.heard(Command.END_CONFIG) == 2, "end")
        read_until(sensor, lambda: not twin.configuring, "reports again")
        assert sensor.problem() is None
        assert twin.heard(Command.ENABLE_CONFIG) == 2


def test_whatever_fails_the_radar_is_led_out_of_config_mode(twin: Ld2451Twin) -> None:
    twin.refuse = {int(Command.GET_DETECTION)}
    with opened(twin) as sensor:
        read_until(sensor, sensor.problem, "a problem")
        assert "refuses command 0x12" in str(sensor.problem())
        assert not twin.configuring


def test_a_radar_left_in_config_mode_is_brought_back(twin: Ld2451Twin) -> None:
    twin.configuring = True
    with opened(twin, configure=False) as sensor:
        frames = read_until(sensor, lambda: not twin.configuring, "reports again") + list(sensor.read(2.0))
        assert [frame.targets for frame in frames][:1] == [()]


def test_a_silent_radar_is_asked_and_its_answer_is_an_empty_frame(twin: Ld2451Twin) -> None:
    with opened(twin, configure=False, idle="polled", poll_s=0.5) as sensor:
        frames: list[RadarFrame] = []

        def turn() -> bool:
            frames.extend(sensor.read(0.5))
            return len(frames) >= 3

        until(turn, "three answers")
        assert all(frame.targets == () for frame in frames)
        gaps_s = [(b.captured_ns - a.captured_ns) / 1e9 for a, b in itertools.pairwise(frames)]
        assert min(gaps_s) > 0.4
        assert sensor.missed_polls == 0
        assert {word for word, _ in twin.commands} == {Command.ENABLE_CONFIG, Command.END_CONFIG}
        # Replay sees the same: the answers are in the raw bytes.
        assert sensor.take_raw().count(bytes.fromhex("FDFCFBFA 0400 FE01 0000 04030201")) == len(frames)


def test_a_radar_that_falls_silent_unexpectedly_is_asked_often_enough_to_stay_fresh(twin: Ld2451Twin) -> None:
    with opened(twin, configure=False) as sensor:
        read_until(sensor, lambda: sensor.counters.frames >= 4, "four answers")
        assert sensor.idle == "frames"
        # 0.2 s of silence and the answer: well below the 0.5 s after which a radar counts as stale.
        assert QUIET_NS < NS_PER_S // 4


def test_a_radar_that_streams_is_not_asked(twin: Ld2451Twin) -> None:
    with opened(twin, configure=False) as sensor:
        for _ in range(20):
            twin.send([CAR])
            assert sensor.read(2.0)
        assert twin.commands == []


def test_a_dead_radar_shows_in_two_misses_and_a_revived_one_clears_them(twin: Ld2451Twin) -> None:
    twin.mute = True
    with opened(twin, configure=False, idle="polled", poll_s=0.5) as sensor:
        read_until(sensor, lambda: sensor.missed_polls >= 2, "two misses")
        twin.mute = False
        read_until(sensor, lambda: sensor.missed_polls == 0, "life again")


def test_settings_lost_while_guarding_are_found_and_written_again(twin: Ld2451Twin, monkeypatch: Any) -> None:
    monkeypatch.setattr("hal.radar.ld2451.CHECK_EVERY_NS", 300_000_000)
    with opened(twin) as sensor:
        read_until(sensor, lambda: twin.detection[1] == Detect.ALL, "settings written")
        read_until(sensor, lambda: not twin.configuring, "reports again")
        twin.detection = bytes((60, Detect.APPROACH, 5, 2))
        read_until(sensor, lambda: twin.detection == bytes((100, Detect.ALL, 3, 1)), "settings written again")


def test_a_technician_reads_and_writes_every_setting(twin: Ld2451Twin) -> None:
    with opened(twin, configure=False) as sensor:
        assert sensor.firmware() == "V1.01.24051510"
        sensor.set_detection(Detection(70, Detect.ALL, 6, 3))
        assert sensor.detection() == Detection(70, 2, 6, 3)
        sensor.set_sensitivity(Sensitivity(3, 5))
        assert sensor.sensitivity() == Sensitivity(3, 5)
        sensor.set_baud(9600)
        assert twin.baud_code == 1
        sensor.factory_reset()
        sensor.restart()
        assert twin.commands[-1][0] == Command.RESTART
        assert not twin.configuring


def test_frames_heard_during_a_command_are_not_lost(twin: Ld2451Twin) -> None:
    with opened(twin, configure=False) as sensor:
        twin.send([CAR])
        sensor.firmware()
        assert sensor.read(0.0)[0].targets[0].distance_m == 50.0


def test_a_technician_is_told_what_the_radar_did_not_do(twin: Ld2451Twin, monkeypatch: Any) -> None:
    monkeypatch.setattr(ld2451_dialogue, "STEP_TIMEOUT_NS", 30_000_000)
    with opened(twin, configure=False) as sensor:
        with pytest.raises(HalError, match="blinds the check"):
            sensor.set_detection(Detection(70, Detect.APPROACH, 6, 3))
        with pytest.raises(HalError, match=r"baud 1200 is not allowed.*115200"):
            sensor.set_baud(1200)
        twin.refuse = {int(Command.SET_DETECTION)}
        with pytest.raises(HalError, match="refuses command 0x02"):
            sensor.set_detection(Detection(70, Detect.ALL, 6, 3))
        twin.refuse, twin.deaf = set(), True
        with pytest.raises(HalError, match="reads back"):
            sensor.set_sensitivity(Sensitivity(9, 1))
        twin.mute = True
        with pytest.raises(HalError, match="does not answer"):
            sensor.firmware()
