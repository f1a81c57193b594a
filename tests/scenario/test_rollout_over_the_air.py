"""The office's commands against real nodes: a Mosquitto with mutual TLS, real bridges, real provision; core is played.

What is asserted of nodes is what their cores ever ran, from their own files.
"""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.journals import wait_for
from tests.support.mosquitto import program
from tools.county.simulate.behaviour import Behaviour, ailment
from tools.county.simulate.county import County, make
from tools.county.simulate.fleet import Fleet

pytestmark = pytest.mark.timeout(300)

NODES = [f"n{number:04}" for number in range(1, 7)]
ILL_HOLD_S = 9
QUICK = ("--trial", "1s", "--soak", "1s", "--answer", "60s")


class Office:
    """The desk of a simulated county: its folder, and ``sentinel-county`` as people start it."""

    def __init__(self, county: County) -> None:
        self.county = county

    def wants_hold(self, hold_s: float) -> None:
        for group in self.county.groups:
            (self.county.files / "groups" / f"{group}.yaml").write_text(f"policy: {{hold_s: {hold_s}}}\n")

    @property
    def broker(self) -> list[str]:
        return [
            "--broker",
            self.county.office_url,
            "--ca",
            str(self.county.ca_file),
            "--cert",
            str(self.county.office_pair),
        ]

    @property
    def signed(self) -> list[str]:
        return ["--repository", str(self.county.repository), "--keys", str(self.county.keys)]

    def says(self, *words: str) -> subprocess.CompletedProcess[str]:
        """To the end; the passphrase is typed once."""
        typed = self.county.passphrase.read_text() + "\n"
        command = [sys.executable, "-m", "tools.county", *words, "--json"]
        return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=200, check=False)

    def starts(self, *words: str) -> tuple[int, dict[str, Any]]:
        done = self.says("rollout", "start", str(self.county.files), *self.signed, *self.broker, *QUICK, *words)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def status(self) -> tuple[int, dict[str, dict[str, Any]]]:
        done = self.says("status", str(self.county.files), *self.broker)
        assert done.stdout, done.stderr
        return done.returncode, {node["node"]: node for node in json.loads(done.stdout)["nodes"]}

    def rollout(self) -> dict[str, Any]:
        done = self.says("rollout", "status", "--repository", str(self.county.repository))
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @property
    def serve_log(self) -> pathlib.Path:
        return self.county.folder / "serve.log"

    def serves(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tools.county", "serve", *(words or [*self.signed, *self.broker])]
        with self.serve_log.open("wb") as log:
            return subprocess.Popen(command, stderr=log, start_new_session=True)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    program("mosquitto", "mosquitto")
    county = make(tmp_path_factory.mktemp("fleet") / "county", len(NODES), 2)
    with Fleet(county, Behaviour(ill_by=ailment(f"policy.hold_s={ILL_HOLD_S}")), processes=2) as fleet:
        assert fleet.wait_online(60)
        yield fleet


@pytest.fixture
def office(fleet: Fleet) -> Office:
    return Office(fleet.county)


def hold(fleet: Fleet) -> dict[str, Any]:
    return {node: ran[-1].value for node, ran in fleet.ever_ran().items()}


def test_a_change_reaches_everyone_wave_by_wave(fleet: Fleet, office: Office) -> None:
    office.wants_hold(4)
    code, said = office.starts("--waves", "1nodes,50%,100%", "--first", "n0003")
    assert (code, said["phase"], said["confirmed"], said["failed_nodes"]) == (0, "done", len(NODES), {})
    assert hold(fleet) == dict.fromkeys(NODES, 4)
    first = {node: min(one.mono_ns for one in ran if one.value == 4) for node, ran in fleet.ever_ran().items()}
    assert min(first, key=lambda node: first[node]) == "n0003", "the one that was named went first"
    code, nodes = office.status()
    assert code == 0 and {node["runs"] for node in nodes.values()} == {"good"}
    assert office.starts("--waves", "100%")[1]["code"] == "nothing", "nothing was changed since"


def test_what_does_harm_stops_in_its_first_wave_and_goes_back_by_itself(fleet: Fleet, office: Office) -> None:
    office.wants_hold(5)
    assert office.starts("--waves", "100%")[0] == 0
    office.wants_hold(ILL_HOLD_S)
    code, said = office.starts("--waves", "1nodes,100%", "--first", "n0002")
    assert (code, said["phase"]) == (1, "went_back") and "simulated: ill" in said["why"]
    ill = {node for node, ran in fleet.ever_ran().items() if any(one.ill for one in ran)}
    assert ill == {"n0002"}
    assert hold(fleet) == dict.fromkeys(NODES, 5)
    code, nodes = office.status()
    assert code == 1 and "退回" in " ".join(nodes["n0002"]["troubles"])
    office.wants_hold(6)
    assert office.starts("--waves", "100%")[0] == 0, "the next change is taken by everyone"
    assert hold(fleet) == dict.fromkeys(NODES, 6)


def test_the_office_is_killed_the_broker_loses_its_store_a_node_was_away_and_all_comes_right(
    fleet: Fleet, office: Office
) -> None:
    office.wants_hold(7)
    assert office.starts("--waves", "100%", "--detach")[0] == 0
    assert office.rollout()["driven"] is False
    fleet.switch(["n0006"], on=False)
    serve = office.serves()
    wait_for(lambda: hold(fleet)["n0001"] == 7, "the first node", 60)
    os.killpg(serve.pid, signal.SIGKILL)
    serve.wait()
    fleet.kill_broker(loses_store=True)
    fleet.start_broker()
    serve = office.serves()
    try:
        fleet.switch(["n0006"], on=True)
        wait_for(lambda: hold(fleet) == dict.fromkeys(NODES, 7), "everyone, the late one too", 90)
        wait_for(lambda: office.rollout()["phase"] == "done", "the end of it", 90)
        code, again = office.starts("--waves", "100%")
        assert (code, again["code"]) == (2, "nothing")
    finally:
        serve.terminate()
        assert serve.wait(20) == 0


def test_a_node_that_loses_power_is_told_as_silent(fleet: Fleet, office: Office) -> None:
    number = 1
    fleet.kill_worker(number)
    gone = set(fleet.workers[number])
    try:

        def silent() -> set[str]:
            code, nodes = office.status()
            assert code == 1
            return {node for node, said in nodes.items() if not said["online"]}

        wait_for(lambda: silent() == gone, "the last wills", 60)
    finally:
        fleet.start_worker(number)
        assert fleet.wait_online(60)


def page_lines() -> list[str]:
    """The commands of the office's page about rollouts, each on one line."""
    page = (pathlib.Path(__file__).parents[2] / "docs" / "county.md").read_text(encoding="utf-8")
    section = page[page.index("## 推送") : page.index("## 命令 ·")]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def test_the_commands_of_the_page_run_as_they_are_written(fleet: Fleet, office: Office) -> None:
    """The soak of ten minutes is cut short, and the first one signs and leaves, so that there is something to pause."""
    office.wants_hold(4.5)
    county = office.county
    places = {
        "../county.json": county.repository,
        "../keys": county.keys,
        "mqtts://localhost:8884": office.broker[1],
        "/etc/mosquitto/county/ca.pem": county.ca_file,
        "../ca/office.pem": county.office_pair,
        ".": county.files,
    }
    said = []
    for line in page_lines():
        words = [str(places.get(word, word)) for word in shlex.split(line)[1:]]
        if words[0] == "serve":
            serve = office.serves(*words[1:])
            wait_for(lambda: b"rollout=" in office.serve_log.read_bytes(), "its first look", 30)
            serve.terminate()
            assert serve.wait(20) == 0
            continue
        done = office.says(*words, *([*QUICK, "--detach"] if words[1] == "start" else []))
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        found = json.loads(done.stdout)
        said.append(found["phase"] if words[0] == "rollout" else found["ok"])
    assert said == ["wave", "wave", "wave", "done", "went_back", True]
    assert hold(fleet)["n0004"] != 4.5
