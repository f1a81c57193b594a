"""Guard in one process under a virtual clock: flashes, the tap, feedback, broken lamps, the heartbeat."""

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from configs.loader import load_site
from device import held_lamp
from device.guard import Guard, GuardConfig
from device.patterns import Pattern
from device.site import compile_guard
from hal.clock import NS_PER_MS, NS_PER_S, VirtualClock
from hal.errors import HalError
from hal.lamp import pins
from hal.lamp.sim import SimLamp
from tests.support.guard_process import guard_config

SITES = pathlib.Path(__file__).parents[2] / "configs"


class Post:
    """A guard on a post with one lamp on GPIO 17, whose time this test moves."""

    def __init__(self, folder: pathlib.Path, **changed: Any) -> None:
        self.clock = VirtualClock(start_ns=NS_PER_S)
        self._tap = folder / "tap"
        self.guard = Guard(GuardConfig(guard_config(folder, safe_hold_s=30, clear_after_s=0, **changed)), self.clock)
        self.guard.open()
        self.due_ns = self.guard.step(self.now_ns)

    @property
    def now_ns(self) -> int:
        return self.clock.monotonic_ns()

    def ask(self, shows: str, caused_by_ns: int | None = None, lamp: str = "l_branch") -> bool:
        wish = {"shows": shows, "caused_by_ns": caused_by_ns}
        return self.guard.apply({"lease_ms": 150, "brightness_pct": 60, "lamps": {lamp: wish}}, self.now_ns)

    def run_ms(self, duration_ms: float, *, asking: str | None = None) -> None:
        """Lets time pass as the loop would: steps when due, and every 20 ms with a renewal when core asks."""
        end_ns = self.now_ns + round(duration_ms * NS_PER_MS)
        while self.now_ns < end_ns:
            next_ns = min(end_ns, self.due_ns, self.now_ns + 20 * NS_PER_MS if asking else end_ns)
            assert next_ns > self.now_ns, "a step that asks to be called at once would spin"
            self.clock.advance_ns(next_ns - self.now_ns)
            if asking:
                self.ask(asking)
            self.due_ns = self.guard.step(self.now_ns)

    def tap(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._tap.read_text(encoding="utf-8").splitlines()]

    def state(self, lamp: str = "l_branch") -> dict[str, Any]:
        shown: dict[str, Any] = self.guard.state()["lamps"][lamp]
        return shown


@pytest.fixture
def post(tmp_path: pathlib.Path) -> Iterator[Callable[..., Post]]:
    made: list[Post] = []

    def make(**changed: Any) -> Post:
        made.append(Post(tmp_path, **changed))
        return made[-1]

    pins.close_all()
    yield make
    for one in made:
        one.guard.close()
    pins.close_all()


def lamp_with(tmp_path: pathlib.Path, driver: str = "gpio", **options: Any) -> dict[str, Any]:
    pin = {"pin": 17, "pin_factory": "mock"} if driver == "gpio" else {}
    return {"l_branch": {"driver": driver, "options": pin | {"tap": str(tmp_path / "tap")} | options}}


def edges(post: Post) -> list[tuple[float, bool]]:
    """When the light changed, in ms since guard opened, from the tap."""
    found: list[tuple[float, bool]] = []
    for line in post.tap():
        if not found or found[-1][1] != line["on"]:
            found.append(((line["mono_ns"] - NS_PER_S) / NS_PER_MS, line["on"]))
    return found


def test_every_shipped_site_compiles_to_a_config_guard_takes() -> None:
    sites = sorted(SITES.rglob("*.yaml"))
    assert sites
    for site in sites:
        config = GuardConfig(json.loads(json.dumps(compile_guard(load_site(site)))))
        assert config.lease_cap_ns == 150 * NS_PER_MS


def test_a_lease_cap_over_150_ms_is_not_for_the_config_to_give(tmp_path: pathlib.Path) -> None:
    assert GuardConfig(guard_config(tmp_path, lease_cap_ms=5000)).lease_cap_ns == 150 * NS_PER_MS


def test_the_safe_pattern_is_one_hertz_half_lit_and_starts_lit(post: Callable[..., Post]) -> None:
    one = post()
    one.run_ms(2100)
    assert edges(one) == [(0, True), (500, False), (1000, True), (1500, False), (2000, True)]


def test_dark_to_lit_lights_at_once_and_equal_patterns_keep_their_phase(post: Callable[..., Post]) -> None:
    one = post()
    one.run_ms(30, asking="clear")
    assert pins.mock_pin(17).state == 0
    one.run_ms(270, asking="clear")
    one.ask("caution", 7)
    assert pins.mock_pin(17).state == 1
    one.run_ms(200, asking="caution")
    one.run_ms(500, asking="alert")
    one.run_ms(100, asking="caution")
    assert edges(one)[-2:] == [(300, True), (800, False)]


def test_another_pattern_starts_lit(post: Callable[..., Post]) -> None:
    slow, fast = {"period_s": 1.0, "lit_pct": 50}, {"period_s": 0.25, "lit_pct": 40}
    one = post(patterns={"caution": slow, "alert": fast, "fault": slow})
    one.run_ms(700, asking="caution")
    assert not one.state()["on"]
    one.ask("alert")
    assert one.state()["on"]
    one.run_ms(400, asking="alert")
    assert edges(one)[-4:] == [(700, True), (800, False), (950, True), (1050, False)]


def test_a_steady_light_is_a_pattern_too() -> None:
    steady = Pattern.of(period_s=1, lit_pct=100)
    assert steady.to_next_edge_ns(123) is None
    assert steady.lit(999_999_999)


def test_the_tap_has_a_line_for_each_new_cause_and_none_for_a_repeated_one(post: Callable[..., Post]) -> None:
    one = post()
    for cause in (None, 100, 100, 101, None):
        one.ask("caution", cause)
    assert [line["caused_by_ns"] for line in one.tap()] == [None, None, 100, 101, None]
    assert list(one.tap()[0]) == ["mono_ns", "lamp", "on", "shows", "caused_by_ns"]
    assert [line["shows"] for line in one.tap()] == ["fault", "caution", "caution", "caution", "caution"]


def test_the_tap_is_written_after_the_pin_was_switched(
    post: Callable[..., Post], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = post(lamps=lamp_with(tmp_path, "sim"))
    one.run_ms(40, asking="clear")
    switch = SimLamp.set

    def slow_set(lamp: SimLamp, on: bool, brightness_pct: int) -> None:
        switch(lamp, on, brightness_pct)
        one.clock.advance_ns(3 * NS_PER_MS)

    monkeypatch.setattr(SimLamp, "set", slow_set)
    asked_ns = one.now_ns
    one.ask("alert", 9)
    assert one.tap()[-1]["mono_ns"] == asked_ns + 3 * NS_PER_MS


def test_a_tap_that_cannot_be_written_never_matters(post: Callable[..., Post], tmp_path: pathlib.Path) -> None:
    one = post(lamps=lamp_with(tmp_path, tap="/no/such/folder/tap"))
    assert one.state() == {"shows": "fault", "on": True, "problem": None}


def test_a_lapse_lights_the_lamp_in_the_step_that_sees_it(post: Callable[..., Post]) -> None:
    one = post()
    one.run_ms(40, asking="clear")
    assert pins.mock_pin(17).state == 0
    one.run_ms(151)
    assert pins.mock_pin(17).state == 1
    assert one.tap()[-1] | {"mono_ns": 0} == {
        "mono_ns": 0,
        "lamp": "l_branch",
        "on": True,
        "shows": "fault",
        "caused_by_ns": None,
    }
    assert one.tap()[-1]["mono_ns"] == NS_PER_S + 190 * NS_PER_MS


def test_brightness_is_core_s_under_a_lease_and_full_in_safe(post: Callable[..., Post], tmp_path: pathlib.Path) -> None:
    one = post(lamps=lamp_with(tmp_path, pwm_hz=200))
    one.ask("caution")
    assert pins.mock_pin(17).state == pytest.approx(0.6)
    one.guard.peer_gone("core has gone", one.now_ns)
    assert pins.mock_pin(17).state == 1


@pytest.mark.parametrize(("wire", "words"), [("open", "open circuit"), ("stuck", "stuck on")])
def test_a_lamp_that_does_not_do_as_told_is_a_problem_within_one_flash(
    post: Callable[..., Post], tmp_path: pathlib.Path, wire: str, words: str
) -> None:
    one = post(lamps=lamp_with(tmp_path, feedback_pin=27, mock_feedback=wire))
    one.run_ms(400)
    assert one.state()["problem"] is None
    one.run_ms(700)
    assert words in one.state()["problem"]
    assert pins.mock_pin(17).function == "output"


def test_a_lamp_stuck_on_is_found_while_it_is_dark_for_long(post: Callable[..., Post], tmp_path: pathlib.Path) -> None:
    one = post(lamps=lamp_with(tmp_path, feedback_pin=27, mock_feedback="stuck"))
    one.run_ms(1200, asking="clear")
    assert "stuck on" in one.state()["problem"]


def test_a_good_lamp_has_no_problem_and_one_that_heals_loses_it(
    post: Callable[..., Post], tmp_path: pathlib.Path
) -> None:
    one = post(lamps=lamp_with(tmp_path, feedback_pin=27))
    one.run_ms(3000)
    assert one.state()["problem"] is None
    lamp_pin = pins.mock_pin(17)
    wire, lamp_pin.wired_to = lamp_pin.wired_to, None
    pins.mock_pin(27).drive_low()
    one.run_ms(1100)
    assert "open circuit" in one.state()["problem"]
    lamp_pin.wired_to = wire
    one.run_ms(1600)
    assert one.state()["problem"] is None


def test_a_feedback_that_lags_like_a_relay_is_no_problem(
    post: Callable[..., Post], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = post(lamps=lamp_with(tmp_path, "sim", feedback=True))
    switched: list[tuple[int, bool]] = []
    switch = SimLamp.set

    def noted(lamp: SimLamp, on: bool, brightness_pct: int) -> None:
        switch(lamp, on, brightness_pct)
        switched.append((one.now_ns, on))

    def lagging(_lamp: SimLamp) -> bool:
        settled = [on for at_ns, on in switched if one.now_ns - at_ns >= 15 * NS_PER_MS]
        return settled[-1] if settled else True

    monkeypatch.setattr(SimLamp, "set", noted)
    monkeypatch.setattr(SimLamp, "feedback", lagging)
    one.run_ms(3000, asking="caution")
    assert one.state()["problem"] is None


def test_a_lamp_that_fails_is_let_go_and_tried_again_and_the_others_go_on(
    post: Callable[..., Post], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamps = lamp_with(tmp_path) | {"l_main": {"driver": "sim", "options": {}}}
    one = post(lamps=lamps)

    def refuse(_lamp: SimLamp, _on: bool, _pct: int) -> None:
        raise HalError("lamp l_main: the relay board is gone")

    with monkeypatch.context() as broken:
        broken.setattr(SimLamp, "set", refuse)
        one.run_ms(1100)
        assert "relay board" in one.state("l_main")["problem"]
        assert one.state()["problem"] is None
        assert edges(one)[-1] == (1000, True)
    one.run_ms(held_lamp.REOPEN_AFTER_NS / NS_PER_MS)
    assert one.state("l_main")["problem"] is None


def test_a_driver_that_raises_anything_at_all_is_one_lamp_s_problem(
    post: Callable[..., Post], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_lamp: SimLamp, _on: bool, _pct: int) -> None:
        raise ZeroDivisionError("a driver from elsewhere")

    monkeypatch.setattr(SimLamp, "set", broken)
    one = post(lamps=lamp_with(tmp_path) | {"l_main": {"driver": "sim", "options": {}}})
    assert "driver from elsewhere" in one.state("l_main")["problem"]
    assert one.state()["on"]


def test_a_wrong_option_is_that_lamp_s_problem(post: Callable[..., Post], tmp_path: pathlib.Path) -> None:
    one = post(lamps=lamp_with(tmp_path) | {"l_main": {"driver": "gpio", "options": {"pin": 99}}})
    assert "pin: 99" in one.state("l_main")["problem"]
    assert one.state()["on"]


HEARTBEAT = {"driver": "gpio", "options": {"pin": 5, "pin_factory": "mock"}}


def count_toggles(one: Post, duration_ms: int) -> int:
    toggles, level = 0, pins.mock_pin(5).state
    for _ in range(duration_ms // 10):
        one.run_ms(10)
        if pins.mock_pin(5).state != level:
            toggles, level = toggles + 1, pins.mock_pin(5).state
    return toggles


def test_the_heartbeat_toggles_at_ten_hertz_in_safe_as_well(post: Callable[..., Post]) -> None:
    assert count_toggles(post(heartbeat=HEARTBEAT), 1000) == 20


def test_the_heartbeat_stops_while_a_lamp_is_not_held_so_that_the_flasher_has_it(
    post: Callable[..., Post], tmp_path: pathlib.Path
) -> None:
    lamps = lamp_with(tmp_path) | {"l_main": {"driver": "sim", "options": {"failure": "will_not_open"}}}
    assert count_toggles(post(lamps=lamps, heartbeat=HEARTBEAT), 1000) == 0


def test_a_heartbeat_that_will_not_open_is_told_and_the_lamps_go_on(post: Callable[..., Post]) -> None:
    one = post(heartbeat={"driver": "gpio", "options": {"pin": 17, "pin_factory": "mock"}})
    assert "GPIO 17" in one.guard.state()["heartbeat_problem"]
    one.run_ms(600)
    assert edges(one)[-1] == (500, False)


def test_closing_releases_every_pin(post: Callable[..., Post]) -> None:
    one = post(heartbeat=HEARTBEAT)
    one.guard.close()
    assert {pins.mock_pin(pin).function for pin in (17, 5)} == {"input"}


def test_a_restart_is_noted_and_an_unknown_kind_counted(post: Callable[..., Post]) -> None:
    one = post()
    assert not one.guard.apply({"kind": "dance"}, one.now_ns)
    assert not one.guard.apply(None, one.now_ns)
    assert one.guard.ignored == 2
    assert not one.guard.restart_asked
    one.guard.apply({"kind": "restart"}, one.now_ns)
    assert one.guard.restart_asked
