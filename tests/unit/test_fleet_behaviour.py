"""Which nodes of a simulated fleet are in trouble, and what the played core makes of a configuration."""

import pathlib
import resource
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.loader import parse_yaml, validate
from device.control import ControlError, NotRunningError
from device.site import config_hash, write_compiled
from hal.clock import SystemClock, VirtualClock
from tests.support.site_files import DESK
from tools.county.simulate.behaviour import Ailment, ailment, drawn
from tools.county.simulate.core import BOOTING_S, PlayedCore, ever_ran
from tools.county.simulate.county import County, SimulationError
from tools.county.simulate.fleet import Fleet
from tools.county.simulate.node import NoPowerError, TurnClock
from tools.county.simulate.worker import Order

NODES = [f"n{number:04}" for number in range(1, 101)]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 40))
def test_shares_are_of_the_fleet_and_of_different_nodes(offline: int, slow: int, failing: int) -> None:
    found = drawn(NODES, f"{offline}%", f"{slow}%", f"{failing}%", None)
    assert (len(found.offline), len(found.slow), len(found.failing)) == (offline, slow, failing)
    assert len(found.offline | found.slow | found.failing) == offline + slow + failing


def test_the_same_nodes_are_in_trouble_in_every_run() -> None:
    assert drawn(NODES, "2%", "3%", "5%", None) == drawn(list(reversed(NODES)), "2%", "3%", "5%", None)


def test_a_small_share_of_a_small_fleet_is_one_node() -> None:
    assert len(drawn(NODES[:8], "", "", "1%", None).failing) == 1


def test_nodes_that_are_named_are_left_out_of_a_share() -> None:
    found = drawn(NODES, "n0001,n0002", "98%", "", None)
    assert found.offline == {"n0001", "n0002"}
    assert found.slow == set(NODES) - found.offline


@pytest.mark.parametrize("word", ["5", "five%", "n9999", "n0001 n0002", "101%"])
def test_what_is_neither_a_share_nor_nodes_is_refused_with_its_option(word: str) -> None:
    with pytest.raises(SimulationError, match=r"--slow .*wanted|--slow .*应写成"):
        drawn(NODES, "", word, "", None)


def test_a_value_that_makes_ill_is_read_as_yaml() -> None:
    assert ailment("policy.hold_s=9") == Ailment(("policy", "hold_s"), 9)
    assert ailment("night.start=null").value is None


@pytest.mark.parametrize("text", ["", "policy.hold_s", "=9", "policy hold=9", "policy.hold_s=[1"])
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(SimulationError, match="--ill-by"):
        ailment(text)


def test_an_order_reaches_its_worker_as_it_was_meant() -> None:
    behaviour = drawn(NODES[:10], "n0001", "n0002", "n0003", "policy.hold_s=9")
    order = Order(NODES[:10], behaviour, 2.5)
    assert Order.parse(order.as_json()) == order


def county(folder: pathlib.Path, nodes: int) -> County:
    return County(folder, {f"n{number:04}": "north" for number in range(1, nodes + 1)}, "mqtts://localhost:20000")


def test_no_process_has_more_connections_than_select_can_watch(tmp_path: pathlib.Path) -> None:
    assert [len(nodes) for nodes in Fleet(county(tmp_path, 1000), processes=1).workers] == [250] * 4
    assert [len(nodes) for nodes in Fleet(county(tmp_path, 3), processes=8).workers] == [1] * 3


def test_too_few_open_files_are_told_before_anything_starts(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (100, 150))
    with pytest.raises(SimulationError, match="ulimit -n 950"), Fleet(county(tmp_path, 250), processes=1):
        pass
    assert list(tmp_path.iterdir()) == []


class Desk:
    """A run folder with a played core."""

    def __init__(
        self, folder: pathlib.Path, *, slow: bool = False, failing: bool = False, ill_by: str | None = None
    ) -> None:
        self.run_dir, self.ran = folder / "run", folder / "ran.jsonl"
        self.clock = VirtualClock()
        sick = None if ill_by is None else ailment(ill_by)
        self.compiles()
        self.core = PlayedCore(self.run_dir, self.ran, self.clock, slow=slow, failing=failing, ill_by=sick)

    def compiles(self, old: str = "", new: str = "") -> str:
        """What provision would: the desk's site with one thing different; its hash."""
        config = validate(parse_yaml(DESK.replace(old, new)))
        write_compiled(config, self.run_dir)
        return config_hash(config)

    def health(self) -> set[str]:
        return {face["health"] for face in self.core.ask("status")["faces"].values()}


def test_a_core_without_power_answers_nobody(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    for _ in range(2):
        with pytest.raises(NotRunningError):
            desk.core.ask("status")
        desk.core.start()
        desk.core.stop()


def test_a_policy_is_taken_between_two_steps_and_kept_on_record(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    desk.core.start()
    sha256 = desk.compiles("hold_s: 3", "hold_s: 4")
    assert desk.core.ask("status")["config"]["sha256"] != sha256
    assert desk.core.ask("reload", timeout_s=1.0) == {"changed": ["policy"], "restarts": []}
    assert desk.core.ask("status")["config"]["sha256"] == sha256
    assert [ran.sha256 == sha256 for ran in ever_ran(desk.ran)] == [False, True]


def test_a_limit_of_an_approach_starts_the_core_anew_as_on_a_pole(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    desk.core.start()
    assert desk.core.ask("status")["booting"] is False
    desk.compiles("limit_kmh: 40", "limit_kmh: 50")
    assert desk.core.ask("reload")["restarts"] == ["core"]
    assert desk.core.wants_start
    with pytest.raises(NotRunningError):
        desk.core.ask("status")
    desk.core.start()
    assert desk.core.ask("status")["booting"] is True
    desk.clock.sleep_s(BOOTING_S)
    assert desk.core.ask("status")["booting"] is False


def test_a_slow_node_flashes_for_a_while_after_a_change(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path, slow=True)
    desk.core.start()
    desk.compiles("hold_s: 3", "hold_s: 4")
    desk.core.ask("reload")
    assert desk.core.ask("status")["booting"] is True
    desk.clock.sleep_s(BOOTING_S)
    assert desk.core.ask("status")["booting"] is False


def test_who_waits_for_a_trial_hands_the_turn_on_and_ends_where_the_power_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = threading.Semaphore(1)
    is_on = True
    free_while_asleep = []

    def sleep(_clock: SystemClock, _duration_s: float) -> None:
        free_while_asleep.append(turns.acquire(blocking=False))
        turns.release()

    monkeypatch.setattr(SystemClock, "sleep_s", sleep)
    clock = TurnClock(turns, lambda: is_on)
    with turns:
        clock.sleep_s(0.5)
        assert not turns.acquire(blocking=False)
        is_on = False
        with pytest.raises(NoPowerError):
            clock.sleep_s(0.5)
    assert free_while_asleep == [True, True]


def test_a_value_makes_ill_and_another_makes_well_again(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path, ill_by="policy.hold_s=9")
    desk.core.start()
    assert desk.health() == {"ok"}
    desk.compiles("hold_s: 3", "hold_s: 9")
    desk.core.ask("reload")
    assert desk.health() == {"fault"}
    desk.compiles()
    desk.core.ask("reload")
    assert desk.health() == {"ok"}
    assert [(ran.ill, ran.value) for ran in ever_ran(desk.ran)] == [(False, 3.0), (True, 9.0), (False, 3.0)]


def test_a_failing_node_is_well_with_nothing_but_what_it_had(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path, failing=True)
    desk.core.start()
    assert desk.health() == {"ok"}
    desk.compiles("hold_s: 3", "hold_s: 4")
    desk.core.ask("reload")
    assert desk.health() == {"fault"}
    desk.compiles()
    desk.core.ask("reload")
    assert desk.health() == {"ok"}


def test_a_lamp_test_is_refused_by_a_core_without_lamps(tmp_path: pathlib.Path) -> None:
    desk = Desk(tmp_path)
    desk.core.start()
    with pytest.raises(ControlError, match="lamp"):
        desk.core.ask("lamp", {"lamp": "l_main", "seconds": 5})
