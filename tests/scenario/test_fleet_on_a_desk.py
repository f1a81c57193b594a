"""A county of a few nodes on this machine: real bridges and provisions, one Mosquitto, certificates for all."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.mosquitto import program
from tools.bench.figures import judged
from tools.county.checking import check
from tools.county.folder import read
from tools.county.simulate import measure
from tools.county.simulate.behaviour import Behaviour, ailment
from tools.county.simulate.county import County, existing, make
from tools.county.simulate.fleet import Fleet
from tools.county.simulate.measure import signed
from tools.county.trust import repository as trust

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "county.md").read_text(encoding="utf-8")
PATIENCE_S = 60.0
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    program("mosquitto", "mosquitto")
    return make(tmp_path_factory.mktemp("desk") / "county", 8, 2).folder


@pytest.fixture
def county(made: pathlib.Path) -> Iterator[County]:
    """As it was made: what a fleet leaves behind goes."""
    kept = made.with_name("kept")
    shutil.copytree(made, kept)
    found = existing(made)
    assert found is not None
    yield found
    shutil.rmtree(made)
    kept.rename(made)


def holds(county: County, hold_s: int) -> tuple[int, dict[str, bytes]]:
    return signed(county, f"policy: {{hold_s: {hold_s}}}\n")


def wait(fleet: Fleet, is_so: Callable[[], bool], what: str) -> None:
    assert fleet.desk.wait(is_so, PATIENCE_S), f"waited in vain for: {what}; {fleet.desk.account(8)}"


def test_what_is_made_passes_the_office_s_own_check(county: County) -> None:
    checked = check(*read(county.files))
    assert checked.is_right
    assert len(checked.configs) == 8
    assert {config.bridge.url for config in checked.configs.values() if config.bridge is not None} == {county.broker}


def test_no_secret_is_the_same_in_two_counties_or_open_to_others(county: County, tmp_path: pathlib.Path) -> None:
    other = make(tmp_path / "other", 1, 1)
    assert other.passphrase.read_bytes() != county.passphrase.read_bytes()
    for secret in (county.passphrase, county.office_pair, *county.folder.glob("nodes/*/state/county/node.pem")):
        assert secret.stat().st_mode & 0o077 == 0, secret


def test_a_change_reaches_the_fleet_and_those_in_trouble_are_told_apart(county: County) -> None:
    behaviour = Behaviour(frozenset({"n0005"}), frozenset({"n0007"}), frozenset({"n0003"}))
    everybody = set(county.group_of)
    with Fleet(county, behaviour, processes=2) as fleet:
        assert [len(nodes) for nodes in fleet.workers] == [4, 4]
        assert fleet.wait_online(PATIENCE_S)
        assert fleet.desk.online() == everybody - {"n0005"}
        version, bundles = holds(county, 4)
        fleet.publish(bundles)
        wait(fleet, lambda: fleet.desk.confirmed(version) == everybody - {"n0003", "n0005"}, "all that are well")
        wait(fleet, lambda: fleet.desk.words["n0003"].reverted == version, "the ill one went back")
        layers = fleet.desk.words["n0003"].body.layers
        assert layers is not None and layers.reverted is not None
        assert "simulated: ill" in layers.reverted.why
        ran = fleet.ever_ran()
        assert [one.version for one in ran["n0003"]] == [None, version, None]
        assert ran["n0005"] == []
        took_ns = {node: ran[node][-1].mono_ns for node in fleet.desk.confirmed(version)}
        assert max(took_ns, key=lambda node: took_ns[node]) == "n0007"
        assert {boots for boots, _bytes in fleet.account()["nodes"].values()} == {0, 1}

        fleet.switch({"n0005"}, on=True)
        wait(fleet, lambda: fleet.desk.confirmed(version) == everybody - {"n0003"}, "the late one")
        got = {node: taken for node, (_boots, taken) in fleet.account()["nodes"].items()}
        assert got == {node: len(bundles[group]) for node, group in county.group_of.items()}
        fleet.switch({"n0005"}, on=False)
        wait(fleet, lambda: fleet.desk.presence["n0005"] == "offline", "it was switched off")


def test_a_broker_that_lost_everything_is_found_again_and_takes_the_next_change(county: County) -> None:
    everybody = set(county.group_of)
    with Fleet(county, processes=2) as fleet:
        assert fleet.wait_online(PATIENCE_S)
        fleet.kill_broker(loses_store=True)
        wait(fleet, lambda: not fleet.desk.is_connected, "the office noticed")
        fleet.start_broker()
        wait(fleet, lambda: fleet.desk.online() == everybody, "everybody came back")
        version, bundles = signed(county, "approaches: {main_east: {limit_kmh: 30}}\n")
        fleet.publish(bundles)
        wait(fleet, lambda: fleet.desk.confirmed(version) == everybody, "the change")
        # A limit starts core anew, on a desk as on a pole.
        assert {boots for boots, _bytes in fleet.account()["nodes"].values()} == {2}


def test_nodes_that_hang_or_lose_power_take_the_change_when_they_are_back(county: County) -> None:
    everybody = set(county.group_of)
    with Fleet(county, processes=2) as fleet:
        assert fleet.wait_online(PATIENCE_S)
        hung, cut = map(set, fleet.workers)
        fleet.pause_worker(0)
        fleet.kill_worker(1)
        wait(fleet, lambda: all(fleet.desk.presence[node] == "offline" for node in cut), "their wills")
        version, bundles = holds(county, 6)
        fleet.publish(bundles)
        assert fleet.desk.confirmed(version) == set()
        fleet.start_worker(1)
        wait(fleet, lambda: fleet.desk.confirmed(version) == cut, "those that had lost power")
        assert {ran[-1].version for node, ran in fleet.ever_ran().items() if node in hung} == {None}
        fleet.pause_worker(0, on=False)
        wait(fleet, lambda: fleet.desk.confirmed(version) == everybody, "those that hung")


def test_a_value_that_no_schema_refuses_makes_the_fleet_ill_and_is_taken_back(county: County) -> None:
    with Fleet(county, Behaviour(ill_by=ailment("policy.hold_s=9"))) as fleet:
        assert fleet.wait_online(PATIENCE_S)
        version, bundles = holds(county, 9)
        fleet.publish(bundles)
        wait(fleet, lambda: any(word.on_trial for word in fleet.desk.words.values()), "a trial")
        wait(fleet, lambda: {word.reverted for word in fleet.desk.words.values()} == {version}, "all went back")
        for ran in fleet.ever_ran().values():
            assert [one.ill for one in ran] == [False, True, False]
            assert [one.value for one in ran] == [3.0, 9.0, 3.0]


def test_the_measurement_of_a_small_fleet_claims_nothing_of_a_thousand(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("mosquitto", "mosquitto")
    monkeypatch.setattr(measure, "QUIET_S", 0.5)
    found = measure.measure(tmp_path / "county", 2)
    lines = {figure.name: judged(figure, found[figure.name]) for figure in measure.FIGURES}
    assert {line["ok"] for line in lines.values()} == {None}
    assert lines["fleet_lost"]["value"] == lines["fleet_quiet_bytes"]["value"] == 0
    repository = trust.load(tmp_path / "county" / "repository.json")
    sizes = [len(trust.bundle_of(repository, group)) for group in repository.groups]
    assert lines["fleet_change_bytes"]["value"] == max(sizes)


def typed(line: str, folder: pathlib.Path) -> "subprocess.Popen[str]":
    """A line of the page, at a prompt in ``folder``."""
    words = shlex.split(line)
    assert words[0] == "sentinel-county"
    return subprocess.Popen(
        [sys.executable, "-m", "tools.county", *words[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, list[Any], str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err


def until_online(process: "subprocess.Popen[str]", nodes: int) -> dict[str, Any]:
    assert process.stdout is not None
    while line := process.stdout.readline():
        said: dict[str, Any] = json.loads(line)
        if said["online"] == nodes:
            return said
    raise AssertionError(f"it ended: {process.communicate()[1]}")


def test_the_page_s_fleet_is_shown_live_and_the_office_s_commands_work_on_it(tmp_path: pathlib.Path) -> None:
    program("mosquitto", "mosquitto")
    section = PAGE[PAGE.index("## 桌上的车队") :]
    begins, *office = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    begins = begins.replace("--nodes 1000", "--nodes 4 --groups 2 --json")
    first = typed(begins, tmp_path)
    assert first.stdout is not None
    places = json.loads(first.stdout.readline())["places"]
    assert until_online(first, 3)["silent"] == 1
    assert len(office) == 2
    for line in office:
        done = typed(line, tmp_path)
        out, err = done.communicate(timeout=PATIENCE_S)
        assert done.returncode == 0, f"{line}\n{out}\n{err}"
    first.send_signal(signal.SIGUSR1)
    until_online(first, 4)
    first.send_signal(signal.SIGINT)
    code, _lines, err = ended(first)
    assert code == 0, err
    assert all(pathlib.Path(place).exists() for name, place in places.items() if name != "--broker")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(places["--broker"].rpartition(":")[2])), timeout=5)

    again = typed(f"{begins} --offline-for 0", tmp_path)
    assert again.stdout is not None
    assert json.loads(again.stdout.readline()) == {"places": places}
    until_online(again, 4)
    again.send_signal(signal.SIGTERM)
    assert ended(again)[0] == 0

    code, lines, err = ended(typed(f"{begins} --seconds 0", tmp_path))
    assert (code, lines) == (0, [{"places": places}]), err


def test_a_folder_that_is_something_else_is_left_alone(county: County, tmp_path: pathlib.Path) -> None:
    (tmp_path / "letters.txt").write_text("dear county")
    code, said, _err = ended(typed("sentinel-county simulate --folder . --nodes 3 --json", tmp_path))
    assert (code, said[0]["code"]) == (2, "unfinished")
    code, said, _err = ended(typed("sentinel-county simulate --folder . --nodes 3 --json", county.folder))
    assert (code, said[0]["code"]) == (2, "other_size")
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]
