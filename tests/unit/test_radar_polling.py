"""When a silent radar is asked, and when it counts as dead."""

from hal.clock import NS_PER_S
from hal.radar.ld2451_dialogue import END_TRIES, STEP_TIMEOUT_NS, TRIES, Dialogue, Step
from hal.radar.ld2451_wire import Ack, Command, encode_command
from hal.radar.polling import QUIET_NS, Polling

ENABLE = encode_command(Command.ENABLE_CONFIG, b"\x01\x00")
END = encode_command(Command.END_CONFIG)


def test_a_streaming_radar_is_never_asked() -> None:
    polling = Polling(0, 1.5)
    for now_ns in range(0, 10 * NS_PER_S, NS_PER_S // 10):
        assert not polling.due(now_ns)
        polling.heard(now_ns)


def test_silence_is_asked_about_soon_and_then_calmly() -> None:
    polling = Polling(0, 1.5)
    assert not polling.due(QUIET_NS - 1)
    assert polling.due(QUIET_NS)
    polling.asked()
    assert not polling.due(QUIET_NS + 1)
    polling.heard(NS_PER_S)
    assert not polling.due(2 * NS_PER_S)
    assert polling.due(NS_PER_S * 5 // 2)


def test_misses_add_up_until_the_radar_is_heard() -> None:
    polling = Polling(0, 1.5)
    polling.asked()
    polling.missed()
    polling.missed()
    polling.give_up(NS_PER_S)
    assert (polling.misses, polling.asking) == (2, False)
    polling.heard(2 * NS_PER_S)
    assert polling.misses == 0


def test_an_exchange_enters_config_mode_does_its_work_and_leaves() -> None:
    talk = Dialogue((Step(Command.GET_DETECTION),))
    assert talk.begin(0) == ENABLE
    assert talk.on_ack(Ack(Command.ENABLE_CONFIG, 0, b""), 1) == encode_command(Command.GET_DETECTION)
    assert talk.on_ack(Ack(Command.ENABLE_CONFIG, 0, b""), 1) == b""
    assert talk.on_ack(Ack(Command.GET_DETECTION, 0, b"\x64\x02\x03\x01"), 2) == END
    assert not talk.done
    assert talk.on_ack(Ack(Command.END_CONFIG, 0, b""), 3) == b""
    assert (talk.done, talk.failure) == (True, None)
    assert talk.answers[Command.GET_DETECTION] == b"\x64\x02\x03\x01"


def test_an_exchange_nobody_answers_still_tries_to_leave_config_mode() -> None:
    talk = Dialogue((Step(Command.GET_DETECTION),))
    sent = [talk.begin(0)]
    now_ns = 0
    while not talk.done:
        assert talk.on_time(now_ns + STEP_TIMEOUT_NS - 1) == b""
        now_ns += STEP_TIMEOUT_NS
        sent.append(talk.on_time(now_ns))
    assert sent == [ENABLE] * TRIES + [END] * END_TRIES + [b""]
    assert talk.failure == "does not answer command 0xFF"


def test_a_refused_command_ends_the_exchange_but_not_without_leaving() -> None:
    talk = Dialogue((Step(Command.SET_DETECTION), Step(Command.SET_SENSITIVITY)))
    talk.begin(0)
    talk.on_ack(Ack(Command.ENABLE_CONFIG, 0, b""), 0)
    assert talk.on_ack(Ack(Command.SET_DETECTION, 1, b""), 0) == END
    assert talk.failure == "refuses command 0x02 (status 1)"


def test_a_restart_is_not_followed_by_anything() -> None:
    talk = Dialogue((Step(Command.RESTART),))
    talk.begin(0)
    talk.on_ack(Ack(Command.ENABLE_CONFIG, 0, b""), 0)
    assert talk.on_ack(Ack(Command.RESTART, 0, b""), 0) == b""
    assert talk.done
