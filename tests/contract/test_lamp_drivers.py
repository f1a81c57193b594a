"""Every lamp driver keeps the same promises; then what is particular to pins."""

import pathlib
from collections.abc import Iterator
from typing import Any

import gpiozero
import pytest

from hal import registry
from hal.clock import VirtualClock
from hal.errors import DeviceOpenError, HalError, OptionError
from hal.interfaces import Lamp
from hal.lamp import pins

DRIVERS: list[tuple[str, dict[str, Any]]] = [
    ("gpio", {"pin": 17, "pin_factory": "mock"}),
    ("gpio", {"pin": 17, "pin_factory": "mock", "active_high": False}),
    ("gpio", {"pin": 17, "pin_factory": "mock", "pwm_hz": 200}),
    ("gpio", {"pin": 17, "pin_factory": "mock", "feedback_pin": 27}),
    ("gpio", {"pin": 17, "pin_factory": "mock", "pwm_hz": 200, "active_high": False, "feedback_pin": 27}),
    ("sim", {}),
    ("sim", {"feedback": True}),
    ("replay", {}),
]


def open_lamp(driver: str, **options: Any) -> Any:
    parsed = registry.parse_options("lamp", driver, options)
    return registry.driver("lamp", driver).open("l_branch", parsed, VirtualClock())


@pytest.fixture(autouse=True)
def fresh_pins() -> Iterator[None]:
    pins.close_all()
    yield
    pins.close_all()


@pytest.fixture(params=DRIVERS, ids=lambda row: f"{row[0]}-{'-'.join(str(k) for k in row[1]) or 'plain'}")
def lamp(request: pytest.FixtureRequest) -> Iterator[Any]:
    driver, options = request.param
    opened = open_lamp(driver, **options)
    yield opened
    opened.close()


def test_a_driver_is_a_lamp(lamp: Any) -> None:
    assert isinstance(lamp, Lamp)


def test_feedback_agrees_with_a_good_lamp_or_there_is_none(lamp: Lamp) -> None:
    for on in (False, True, True, False, True):
        lamp.set(on, 100)
        assert lamp.feedback() in (on, None)


def test_any_brightness_is_taken(lamp: Lamp) -> None:
    for pct in (-5, 0, 20, 100, 250):
        lamp.set(True, pct)


def test_closing_twice_is_harmless_and_a_closed_lamp_says_so(lamp: Lamp) -> None:
    lamp.close()
    lamp.close()
    with pytest.raises(HalError, match="l_branch"):
        lamp.set(True, 100)


@pytest.mark.parametrize(("driver", "options"), DRIVERS)
def test_a_lamp_opens_again_after_it_was_closed(driver: str, options: dict[str, Any]) -> None:
    for _ in range(3):
        opened = open_lamp(driver, **options)
        opened.set(True, 100)
        opened.close()


@pytest.mark.parametrize("driver", ["gpio", "sim", "replay"])
def test_an_option_nobody_reads_is_refused_and_every_driver_takes_a_tap(driver: str) -> None:
    needed = {"pin": 17} if driver == "gpio" else {}
    assert registry.parse_options("lamp", driver, needed | {"tap": "/tmp/tap"}).tap == "/tmp/tap"
    with pytest.raises(OptionError, match="colour"):
        registry.parse_options("lamp", driver, needed | {"colour": "amber"})


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "pin"),
        ({"pin": 28}, "pin"),
        ({"pin": "17"}, "pin"),
        ({"pin": 17, "pin_factory": "auto"}, "pin_factory"),
        ({"pin": 17, "pwm_hz": 5}, "pwm_hz"),
        ({"pin": 17, "feedback_pin": 17}, "feedback_pin"),
        ({"pin": 17, "mock_feedback": "open"}, "mock_feedback"),
    ],
)
def test_a_wrong_pin_option_names_itself(options: dict[str, Any], path: str) -> None:
    with pytest.raises(OptionError) as caught:
        registry.parse_options("lamp", "gpio", options)
    assert caught.value.path == path


def test_a_lamp_claims_its_pin_and_its_feedback_pin() -> None:
    row = registry.driver("lamp", "gpio")
    assert row.claims(registry.parse_options("lamp", "gpio", {"pin": 17})) == {"gpio 17"}
    parsed = registry.parse_options("lamp", "gpio", {"pin": 17, "feedback_pin": 4})
    assert row.claims(parsed) == {"gpio 17", "gpio 4"}
    heartbeat = registry.parse_options("heartbeat", "gpio", {"pin": 5})
    assert registry.driver("heartbeat", "gpio").claims(heartbeat) == {"gpio 5"}


@pytest.mark.parametrize("active_high", [True, False])
def test_the_pin_has_the_level_that_lights_this_lamp(active_high: bool) -> None:
    lamp = open_lamp("gpio", pin=17, pin_factory="mock", active_high=active_high)
    assert bool(pins.mock_pin(17).state) is not active_high
    lamp.set(True, 100)
    assert bool(pins.mock_pin(17).state) is active_high
    lamp.set(False, 100)
    assert bool(pins.mock_pin(17).state) is not active_high


def test_dimming_changes_the_duty_and_without_it_brightness_has_no_effect() -> None:
    dimmed = open_lamp("gpio", pin=17, pin_factory="mock", pwm_hz=200)
    dimmed.set(True, 40)
    assert pins.mock_pin(17).state == pytest.approx(0.4)
    dimmed.set(False, 40)
    assert pins.mock_pin(17).state == 0
    plain = open_lamp("gpio", pin=18, pin_factory="mock")
    plain.set(True, 40)
    assert pins.mock_pin(18).state == 1


def test_a_closed_lamp_leaves_its_pin_an_input_for_the_flasher() -> None:
    lamp = open_lamp("gpio", pin=17, pin_factory="mock")
    assert pins.mock_pin(17).function == "output"
    lamp.close()
    assert pins.mock_pin(17).function == "input"


@pytest.mark.parametrize("feedback_active_high", [True, False])
@pytest.mark.parametrize(
    ("wire", "read"), [("open", [False, False]), ("stuck", [True, True]), ("wired", [True, False])]
)
def test_the_feedback_wire_tells_a_good_lamp_from_a_broken_one(
    wire: str, read: list[bool], feedback_active_high: bool
) -> None:
    lamp = open_lamp(
        "gpio",
        pin=17,
        pin_factory="mock",
        feedback_pin=27,
        mock_feedback=wire,
        feedback_active_high=feedback_active_high,
    )
    seen = []
    for on in (True, False):
        lamp.set(on, 100)
        seen.append(lamp.feedback())
    assert seen == read


def test_two_lamps_on_one_pin_are_refused_by_name_and_the_first_goes_on() -> None:
    first = open_lamp("gpio", pin=17, pin_factory="mock")
    with pytest.raises(DeviceOpenError, match=r"l_branch.*GPIO 17"):
        open_lamp("gpio", pin=17, pin_factory="mock")
    first.set(True, 100)
    assert pins.mock_pin(17).state == 1


def test_a_mock_pin_does_not_remember_every_edge_for_ever() -> None:
    lamp = open_lamp("gpio", pin=17, pin_factory="mock")
    for index in range(1000):
        lamp.set(index % 2 == 0, 100)
    assert len(pins.mock_pin(17).states) == pins.MOCK_STATES_KEPT


@pytest.fixture
def lgpio(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Any:
    """The library, imported where the named pipe it leaves behind is in nobody's way."""
    monkeypatch.chdir(tmp_path)
    return pytest.importorskip("lgpio", reason="lgpio has no wheel for this machine")


def test_no_other_pin_factory_is_tried_when_the_named_one_will_not_load(
    lgpio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:

    def refuse(_chip: int) -> int:
        raise lgpio.error("can not open gpiochip")

    monkeypatch.setattr(lgpio, "gpiochip_open", refuse)
    with pytest.raises(DeviceOpenError, match=r"l_branch.*lgpio.*gpiochip"):
        open_lamp("gpio", pin=17)
    assert gpiozero.Device.pin_factory is None


def test_lgpio_names_its_pins_on_a_board_that_is_no_raspberry_pi(lgpio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpiozero.pins import local

    written: list[tuple[int, bool]] = []

    def no_pi() -> int:
        raise gpiozero.PinUnknownPi("no revision here")

    # Stands for a gpiochip: what the kernel would be told, for a board whose /proc has no Pi revision.
    monkeypatch.setattr(local, "get_pi_revision", no_pi)
    monkeypatch.setattr(lgpio, "gpiochip_open", lambda _chip: 7)
    monkeypatch.setattr(lgpio, "gpiochip_close", lambda _handle: 0)
    monkeypatch.setattr(lgpio, "gpio_claim_input", lambda *_args: 0)
    monkeypatch.setattr(lgpio, "gpio_claim_output", lambda *_args: 0)
    monkeypatch.setattr(lgpio, "gpio_get_mode", lambda *_args: 2)
    monkeypatch.setattr(lgpio, "gpio_write", lambda _handle, pin, level: written.append((pin, bool(level))))
    lamp = open_lamp("gpio", pin=17)
    lamp.set(True, 100)
    lamp.close()
    assert written[-1] == (17, True)


@pytest.mark.parametrize(("failure", "when"), [("will_not_open", "open"), ("will_not_switch", "set")])
def test_a_simulated_failure_is_reported_where_a_real_one_would_be(failure: str, when: str) -> None:
    if when == "open":
        with pytest.raises(DeviceOpenError, match="l_branch"):
            open_lamp("sim", failure=failure)
        return
    lamp = open_lamp("sim", failure=failure)
    with pytest.raises(HalError, match="l_branch"):
        lamp.set(True, 100)


def test_the_heartbeat_pin_toggles_and_is_let_go() -> None:
    parsed = registry.parse_options("heartbeat", "gpio", {"pin": 5, "pin_factory": "mock"})
    heartbeat = registry.driver("heartbeat", "gpio").open("heartbeat", parsed, VirtualClock())
    for high in (True, False, True):
        heartbeat.set(high)
        assert bool(pins.mock_pin(5).state) is high
    heartbeat.close()
    assert pins.mock_pin(5).function == "input"
