"""The systemd units of a pole: they start what the supervisor starts on a desk, in its order, and never give up."""

import argparse
import importlib
import importlib.util
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from typing import Any

import pytest

from configs.loader import load_site
from device import guard, ipc, realtime
from device.cli.common import DEFAULT_CONFIG, DEFAULT_RUN_DIR, DEFAULT_STATE_DIR
from device.site import write_compiled
from device.supervisor import PAUSE_MAX_S, PROVISION_EVERY_S, Supervisor
from hal.clock import VirtualClock

ROOT = pathlib.Path(__file__).parents[2]
UNITS = ROOT / "tools" / "install" / "systemd"
EXAMPLES = ROOT / "configs" / "examples"
PYTHON = "/opt/sentinel/venv/bin/python"
INBOX = f"{DEFAULT_STATE_DIR}/county/inbox"
HAND_MADE_STEP_S = 600.0
"""What a start costs a change made by hand (ADR 0009): provision has to have run by then."""

STAY = ("guard", "core", "vision", "bridge")


class Unit:
    """The settings of a unit file; one that is there several times has several values."""

    def __init__(self, name: str) -> None:
        self.settings: dict[str, list[str]] = {}
        for line in (UNITS / name).read_text(encoding="utf-8").splitlines():
            if line and line[0] not in "#[":
                key, _, value = line.partition("=")
                self.settings.setdefault(key, []).append(value)

    def all(self, key: str) -> list[str]:
        return " ".join(self.settings.get(key, [])).split()

    def one(self, key: str) -> str:
        (value,) = self.settings[key]
        return value

    def words(self, key: str, **moved: str) -> list[str]:
        """A command as systemd makes it, with the node's places moved to a desk."""
        text = self.one(key).replace("$$", "$")
        for place, there in moved.items():
            text = text.replace({"run": DEFAULT_RUN_DIR, "state": DEFAULT_STATE_DIR, "python": PYTHON}[place], there)
        return shlex.split(text)


def service(name: str) -> Unit:
    return Unit(f"sentinel-{name}.service")


def runs(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False
    )


def commands() -> list[tuple[str, list[str]]]:
    """Every line with which a unit starts a program of the node: (module, its arguments)."""
    found = []
    for path in sorted(UNITS.glob("*.service")):
        for key in ("ExecStart", "ExecStartPre"):
            if key in Unit(path.name).settings:
                line = re.search(rf"{PYTHON} -m (\S+) ([^'\n]*)", Unit(path.name).one(key))
                assert line is not None
                found.append((line[1], line[2].split()))
    return found


class Parsed(Exception):
    """Raised instead of what a program would do."""


@pytest.mark.parametrize(("module", "arguments"), commands())
def test_every_unit_starts_a_program_that_takes_its_options(
    module: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = argparse.ArgumentParser.parse_args

    def parse(self: argparse.ArgumentParser, argv: list[str] | None = None, _into: Any = None) -> Any:
        raise Parsed(real(self, argv))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    spec = importlib.util.find_spec(module)
    assert spec is not None
    entry = module if spec.submodule_search_locations is None else f"{module}.__main__"
    with pytest.raises(Parsed) as told:
        importlib.import_module(entry).main(arguments)
    (parsed,) = told.value.args
    places = {key: str(value) for key, value in vars(parsed).items() if key.endswith("_dir")}
    assert set(places.items()) <= {("run_dir", DEFAULT_RUN_DIR), ("state_dir", DEFAULT_STATE_DIR)}, "as the CLI's own"


def test_a_pole_runs_what_a_desk_runs(tmp_path: pathlib.Path) -> None:
    site = EXAMPLES / "t_junction.yaml"
    run_dir, state_dir = tmp_path / "run", tmp_path / "state"
    desk = Supervisor(load_site(site), site, run_dir, state_dir, VirtualClock())
    assert tuple(desk.children) == STAY
    for name, child in desk.children.items():
        line = shlex.join(child.command[1:])
        for here, there in ((site, DEFAULT_CONFIG), (run_dir, DEFAULT_RUN_DIR), (state_dir, DEFAULT_STATE_DIR)):
            line = line.replace(str(here), there)
        assert service(name).words("ExecStart") == [PYTHON, *line.split()]


def test_boot_then_guard_then_core_and_all_of_it_with_the_power() -> None:
    assert service("guard").all("After") == ["sentinel-boot.service"]
    for name, before in (("core", "guard"), ("vision", "core"), ("bridge", "core"), ("provision", "core")):
        assert service(name).all("After") == ["sentinel-boot.service", f"sentinel-{before}.service"]
    target = Unit("sentinel.target")
    by_itself = {"sentinel.target", "sentinel-provision.service"}
    assert set(target.all("Wants")) == {path.name for path in UNITS.glob("sentinel*.*")} - by_itself - {
        "sentinel.sysusers"
    }
    assert target.one("WantedBy") == "multi-user.target"
    for path in UNITS.glob("sentinel-*"):
        assert Unit(path.name).one("PartOf") == "sentinel.target", "stopped and started with the rest"


@pytest.mark.parametrize("name", STAY)
def test_what_ends_is_started_again_for_ever(name: str) -> None:
    unit = service(name)
    assert (unit.one("Restart"), unit.one("StartLimitIntervalSec")) == ("always", "0")
    assert int(unit.one("SuccessExitStatus")) == ipc.EXIT_RESTART
    assert 0 < float(unit.one("RestartSec")) <= PAUSE_MAX_S


def test_every_start_of_core_is_counted_once_but_one_that_it_asked_for(tmp_path: pathlib.Path) -> None:
    booted = tmp_path / "booted"
    boots = tmp_path / "boots"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$3" >> {boots}\n')
    python.chmod(0o755)

    def starts() -> int:
        """Core's preparations; how often it was booted for them."""
        boots.write_text("")
        moved = service("core").words("ExecStartPre", run=str(tmp_path), python=str(python))
        assert runs(moved).returncode == 0
        assert set(boots.read_text().split()) <= {"boot"}
        return len(boots.read_text().split())

    def ends(code: str) -> None:
        moved = service("core").words("ExecStopPost", run=str(tmp_path))
        assert runs(moved, EXIT_STATUS=code).returncode == 0

    assert runs(service("boot").words("ExecStartPost", run=str(tmp_path))).returncode == 0
    assert booted.exists()
    assert starts() == 0, "guard needed it before, and it is not counted twice"
    ends("1")
    assert starts() == 1, "it failed"
    ends(str(ipc.EXIT_RESTART))
    assert starts() == 0, "it asked for a new configuration"
    ends("KILL")
    assert starts() == 1 and not booted.exists()


def test_a_boot_that_fails_keeps_core_from_starting(tmp_path: pathlib.Path) -> None:
    assert runs(service("core").words("ExecStartPre", run=str(tmp_path), python="/bin/false")).returncode != 0


@pytest.mark.parametrize(("site", "code"), [("t_junction", 0), ("lamp_only_post", 1)])
@pytest.mark.parametrize("name", ["vision", "bridge"])
def test_vision_and_the_bridge_run_where_there_is_something_to_do(
    name: str, site: str, code: int, tmp_path: pathlib.Path
) -> None:
    write_compiled(load_site(EXAMPLES / f"{site}.yaml"), tmp_path)
    words = service(name).words("ExecCondition", run=str(tmp_path), python=sys.executable)
    done = runs(words)
    assert done.returncode == code, done.stderr
    assert Unit(f"sentinel-{name}.path").one("PathChanged") == f"{DEFAULT_RUN_DIR}/{ipc.SITE_CONFIG}", "asked again"


def test_a_bundle_that_cannot_be_taken_away_is_looked_at_again_after_the_supervisors_pause(
    tmp_path: pathlib.Path,
) -> None:
    assert Unit("sentinel-provision.path").one("DirectoryNotEmpty") == INBOX
    line = service("provision").one("ExecStopPost")
    assert f"sleep {PAUSE_MAX_S:.0f}" in line
    words = [
        word.replace("exec sleep", "echo") for word in service("provision").words("ExecStopPost", state=str(tmp_path))
    ]
    assert runs(words).stdout == "", "never enrolled"
    inbox = tmp_path / "county" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / ".being_written").touch()
    assert (runs(words).stdout, runs(words).returncode) == ("", 0), "another takes its place at once"
    (inbox / "a.bundle").touch()
    assert runs(words).stdout == "10\n"
    assert float(service("provision").one("TimeoutStopSec")) > PAUSE_MAX_S
    assert service("provision").one("StartLimitIntervalSec") == "0", "the path unit would give up with it"


def test_provision_can_fetch_what_the_county_names() -> None:
    assert {"AF_INET", "AF_INET6"} <= set(service("provision").one("RestrictAddressFamilies").split())
    assert "PrivateNetwork" not in service("provision").settings


def test_provision_comes_at_least_every_nine_minutes_whatever_the_clock_says() -> None:
    timer = Unit("sentinel-provision.timer")
    every_s, late_s = float(timer.one("OnUnitActiveSec")), float(timer.one("AccuracySec"))
    assert every_s <= PROVISION_EVERY_S
    assert every_s + late_s < HAND_MADE_STEP_S
    assert float(timer.one("OnActiveSec")) <= PAUSE_MAX_S, "a trial that a power cut broke off is watched at once"
    assert "OnCalendar" not in timer.settings


def test_guard_is_the_last_to_be_killed_and_the_first_to_be_run() -> None:
    dies = [int(service(name).one("OOMScoreAdjust")) for name in ("guard", "core", "bridge", "vision")]
    assert dies == sorted(set(dies))
    assert int(service("guard").one("LimitRTPRIO")) >= guard.FIFO_PRIORITY > realtime.CORE_PRIORITY
    assert int(service("core").one("LimitRTPRIO")) >= realtime.CORE_PRIORITY
    assert int(service("core").one("LimitNICE")) <= realtime.FAVOURED_NICE
    assert not any("CPUWeight" in service(name).settings for name in (*STAY, "boot", "provision"))


@pytest.mark.parametrize(
    ("name", "groups"), [("guard", {"gpio"}), ("core", {"dialout", "audio"}), ("vision", {"video", "render"})]
)
def test_who_holds_devices_may_reach_them(name: str, groups: set[str]) -> None:
    unit = service(name)
    assert set(unit.all("SupplementaryGroups")) == groups
    # Of each systemd's manual says that it closes /dev but for what is listed.
    assert not {"ProtectClock", "PrivateDevices", "DeviceAllow", "DevicePolicy"} & unit.settings.keys()
    assert name != "guard" or "ProtectKernelTunables" not in unit.settings, "/sys/class/gpio"
    made = re.findall(r"^g (\S+)", (UNITS / "sentinel.sysusers").read_text(), flags=re.MULTILINE)
    assert groups <= {*made, "dialout", "audio", "video"}, "a group that is not there keeps a service from starting"


def test_core_may_write_where_the_manual_has_it_record_to() -> None:
    core = service("core")
    assert core.one("ReadWritePaths") == "/tmp" and "PrivateTmp" not in core.settings


def test_what_the_install_step_lays_down_is_all_there_is(tmp_path: pathlib.Path) -> None:
    subprocess.run([ROOT / "tools" / "install" / "units", str(tmp_path)], check=True)
    laid = {path.name: path.read_bytes() for path in (tmp_path / "etc" / "systemd" / "system").iterdir()}
    laid["sentinel.sysusers"] = (tmp_path / "usr" / "lib" / "sysusers.d" / "sentinel.conf").read_bytes()
    assert laid == {path.name: path.read_bytes() for path in UNITS.iterdir()}


def test_systemd_finds_nothing_wrong_with_them(tmp_path: pathlib.Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs the program systemd-analyze: apt-get install systemd")
    for path in UNITS.glob("sentinel*.*"):
        text = path.read_text(encoding="utf-8").replace(PYTHON, sys.executable)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    names = [str(path) for path in tmp_path.iterdir() if path.suffix != ".sysusers"]
    done = runs([program, "verify", "--man=no", *names])
    told = [line for line in (done.stdout + done.stderr).splitlines() if "sentinel" in line]
    assert (done.returncode, told) == (0, [])
