"""The technician's verbs, on a stopped node and on a running one (a real control socket with a stand-in for core)."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from configs import loader
from configs.edit import history
from device import control, ipc
from device.cli.app import cli
from device.cli.language import set_language
from tests.support.site_files import DESK, EXAMPLES, with_change, write


class Node:
    """Answers core.sock as core does, for one site file; remembers what it was asked."""

    def __init__(self, run_dir: pathlib.Path, site: pathlib.Path) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refuses: str | None = None
        self.problem: str | None = None
        self.lost = {"incident_alerts_left_out": 0, "incident_messages_dropped": 0}
        self.run_dir = run_dir
        self.site = site
        self.running = loader.load_site(site)
        self.server = control.ControlServer(run_dir / ipc.CORE_SOCKET, self.answer)

    def answer(self, verb: str, args: Mapping[str, Any]) -> Any:
        self.asked.append((verb, dict(args)))
        if verb == "status":
            return self.status()
        if verb == "config":
            return self.running.model_dump(mode="json")
        if verb == "reload":
            if self.refuses is not None:
                raise control.ControlError(self.refuses)
            self.running = loader.load_site(self.run_dir / ipc.SITE_CONFIG)
            return {"changed": ["policy"], "between_steps": ["policy"], "restarts": []}
        if verb == "say":
            return {"clip": args["clip"], "speakers": {"s_branch": self.problem}}
        if verb == "lamp":
            if args["lamp"] not in self.running.lamps:
                raise control.ControlError(f"no lamp {args['lamp']!r}")
            return dict(args)
        raise control.ControlError(f"unknown verb {verb!r}")

    def status(self) -> dict[str, Any]:
        return {
            "site": {"id": "371500/n0009", "name": "桌面路口"},
            "version": "0.1.0",
            "config": {"path": str(self.site), "sha256": "", "sections": {}},
            "uptime_s": 120.0,
            "clock": {"quality": "synced"},
            "booting": False,
            "faces": {
                "branch_south": {
                    "level": "alert",
                    "health": "fault" if self.problem else "ok",
                    "shows": "alert",
                    "cause": {"approach": "main_east", "class": "unknown", "distance_m": 61.0, "speed_mps": 11.1,
                              "time_to_arrival_s": 5.5},
                    "reasons": [self.problem] if self.problem else [],
                }
            },
            "tracks": [{"id": 1, "state": "confirmed", "approach": "main_east", "class": "car", "distance_m": 61.0}],
            "lamps": {"l_branch": {"shows": "alert", "on": True, "problem": None}},
            "sensors": {"r_east": {"kind": "radar", "state": "stale" if self.problem else "ok", "age_ms": 90,
                                   "problem": self.problem, "counters": {}}},
            "speakers": {"s_branch": {"last_clip": "left_vehicle", "problem": None, "muted": False}},
            "parts": {"guard": {"state": "OK", "problem": None}},
            "counters": {"incidents_written": 212, "incidents_deleted": 12, **self.lost},
            "latency_ms": {},
            "journal": {"stream": "x", "last_seq": 3, "problem": None},
        }  # fmt: skip


class Desk:
    """A site file, a run folder and a state folder of their own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.run_dir, self.state_dir = folder / "run", folder / "state"
        self.run_dir.mkdir()
        self.site = write(folder)

    def __call__(self, *arguments: str, config: bool = True, lang: str = "en", **kwargs: Any) -> Result:
        set_language(lang)
        words = ["--run-dir", str(self.run_dir), "--state-dir", str(self.state_dir)]
        if config:
            words += ["--config", str(self.site)]
        return CliRunner(env={"SENTINEL_CONFIG": None}).invoke(
            cli, [*arguments, *words], prog_name="sentinel", **kwargs
        )


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Iterator[Desk]:
    yield Desk(tmp_path)
    set_language("zh")


@pytest.fixture
def node(desk: Desk) -> Iterator[Node]:
    started = Node(desk.run_dir, desk.site)
    yield started
    started.server.close()


# --- a stopped node ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_check_passes_every_example(desk: Desk, path: pathlib.Path) -> None:
    result = desk("config", "check", str(path))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("hold_s: 3 ", "colour: 3 ", ["policy.colour", "3", "hold_s"]),
        ("hold_s: 3 ", "hold_s: 300 ", ["policy.hold_s", "300", "1 … 30"]),
        ("reach_m: 120", "reach: 120", ["radars.r_east.reach", "120", "reach_m"]),
        ("pin: 27,", "pin: 17,", ["lamps.l_main.pin", "17", "lamps.l_branch.pin"]),
    ],
)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_bad_input_is_exit_2_with_file_line_path_and_value(
    desk: Desk, old: str, new: str, words: list[str], lang: str
) -> None:
    text = with_change(old, new)
    desk.site.write_text(text, encoding="utf-8")
    line = DESK[: DESK.index(old)].count("\n") + 1
    result = desk("config", "check", lang=lang)
    assert result.exit_code == 2
    for word in [f"{desk.site}:{line}:", *words]:
        assert word in result.output
    found = json.loads(desk("config", "check", "--json", lang=lang).stdout)
    assert found["ok"] is False
    assert (found["problems"][0]["file"], found["problems"][0]["line"]) == (str(desk.site), line)
    assert found["problems"][0]["path"] == words[0]


def test_set_on_a_stopped_node_changes_the_file_and_says_when(desk: Desk) -> None:
    result = desk("config", "set", "policy.hold_s", "4")
    assert result.exit_code == 0, result.output
    assert "3.0 → 4.0" in result.output and "next start" in result.output
    assert desk.site.read_text(encoding="utf-8") == DESK.replace("hold_s: 3 ", "hold_s: 4 ")
    assert not (desk.run_dir / ipc.SITE_CONFIG).exists()


@pytest.mark.parametrize(
    ("path", "value"),
    [("policy.hold_s", "400"), ("policy.hold", "4"), ("policy.hold_s", "4s"), ("lamps.l_main.pin", "17"),
     ("radars.r_east.driver", "nope"), ("policy", "4"), ("nothing.at.all", "1"), ("policy.hold_s", "[1")],
)  # fmt: skip
def test_a_bad_set_changes_nothing(desk: Desk, path: str, value: str) -> None:
    result = desk("config", "set", path, value)
    assert result.exit_code == 2
    assert desk.site.read_text(encoding="utf-8") == DESK
    assert history(desk.site, desk.state_dir) == []


def test_set_can_mend_a_file_that_is_broken(desk: Desk) -> None:
    desk.site.write_text(with_change("hold_s: 3 ", "hold_s: 99 "), encoding="utf-8")
    assert desk("config", "set", "policy.hold_s", "3").exit_code == 0
    assert desk.site.read_text(encoding="utf-8") == DESK


def test_rollback_takes_the_change_back_and_then_has_nothing_left(desk: Desk) -> None:
    desk("config", "set", "policy.hold_s", "4")
    desk("config", "set", "policy.hold_s", "5")
    assert desk("config", "rollback").exit_code == 0
    assert "hold_s: 4 " in desk.site.read_text(encoding="utf-8")
    assert desk("config", "rollback").exit_code == 0
    assert desk.site.read_text(encoding="utf-8") == DESK
    assert desk("config", "rollback").exit_code == 2


def test_show_prints_one_value_or_all_of_the_file(desk: Desk) -> None:
    assert desk("config", "show", "policy.hold_s").stdout.strip() == "3.0"
    assert json.loads(desk("config", "show", "--json", "policy.gap_s").stdout)["car"] == 7.5
    everything = loader.parse_yaml(desk("config", "show").stdout).values
    assert everything == loader.load_site(desk.site).model_dump(mode="json")
    missing = desk("config", "show", "policy.hold")
    assert missing.exit_code == 2 and "hold_s" in missing.output


def test_apply_checks_first_and_installs_the_whole_file(desk: Desk, tmp_path: pathlib.Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(with_change("hold_s: 3 ", "hold_s: 99 "), encoding="utf-8")
    assert desk("config", "apply", str(new)).exit_code == 2
    assert desk.site.read_text(encoding="utf-8") == DESK
    new.write_text(with_change("hold_s: 3 ", "hold_s: 9 "), encoding="utf-8")
    result = desk("config", "apply", str(new), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["changed"] == ["policy"]
    assert desk.site.read_text(encoding="utf-8") == new.read_text(encoding="utf-8")


def editor(folder: pathlib.Path, old: str, new: str) -> str:
    """A stand-in for vi that replaces words in the file it is given."""
    script = folder / "editor.py"
    body = "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n"
    script.write_text(body + f"path.write_text(path.read_text('utf-8').replace({old!r}, {new!r}), 'utf-8')\n")
    return f"{sys.executable} {script}"


def test_edit_installs_what_is_right(desk: Desk, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, "hold_s: 3 ", "hold_s: 6 "))
    assert desk("config", "edit").exit_code == 0
    assert "hold_s: 6 " in desk.site.read_text(encoding="utf-8")


def test_edit_that_stays_wrong_leaves_the_file_and_keeps_the_draft(
    desk: Desk, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, "hold_s: 3 ", "hold_s: 600 "))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    result = desk("config", "edit", input="n\n")
    assert result.exit_code == 2
    assert desk.site.read_text(encoding="utf-8") == DESK
    [draft] = tmp_path.glob("sentinel-*.yaml")
    assert "hold_s: 600 " in draft.read_text(encoding="utf-8")


def test_verbs_that_need_a_node_say_so_with_exit_3(desk: Desk) -> None:
    for words in (["status"], ["lamp", "l_branch"], ["say", "self_test"]):
        result = desk(*words, "--json")
        assert result.exit_code == 3
        assert json.loads(result.stdout)["ok"] is False


# --- a running node ------------------------------------------------------------------------------------------------


def test_set_on_a_running_node_is_checked_applied_and_shown(desk: Desk, node: Node) -> None:
    result = desk("config", "set", "policy.hold_s", "4", config=False)
    assert result.exit_code == 0, result.output
    assert "3.0 → 4.0" in result.output and "between two steps" in result.output
    assert node.running.policy.hold_s == 4.0
    assert "hold_s: 4 " in desk.site.read_text(encoding="utf-8")
    assert desk("config", "show", "policy.hold_s", config=False).stdout.strip() == "4.0"
    assert desk("config", "rollback", config=False).exit_code == 0
    assert node.running.policy.hold_s == 3.0
    assert desk.site.read_text(encoding="utf-8") == DESK


def test_a_node_that_refuses_gets_its_old_file_back(desk: Desk, node: Node) -> None:
    assert desk("config", "set", "policy.hold_s", "4", config=False).exit_code == 0
    kept = [path.read_text() for path in history(desk.site, desk.state_dir)]
    before = desk.site.read_text(encoding="utf-8")
    compiled = (desk.run_dir / ipc.SITE_CONFIG).read_bytes()
    node.refuses = "not now"
    for words in (["set", "policy.hold_s", "5"], ["rollback"]):
        result = desk("config", *words, config=False)
        assert result.exit_code == 2 and "not now" in result.output
        assert desk.site.read_text(encoding="utf-8") == before
        assert (desk.run_dir / ipc.SITE_CONFIG).read_bytes() == compiled
        assert [path.read_text() for path in history(desk.site, desk.state_dir)] == kept


def test_bad_input_never_reaches_the_node(desk: Desk, node: Node) -> None:
    assert desk("config", "set", "policy.hold_s", "400", config=False).exit_code == 2
    assert "reload" not in [verb for verb, _args in node.asked]
    assert not (desk.run_dir / ipc.SITE_CONFIG).exists()


def test_another_file_than_the_nodes_is_changed_alone(desk: Desk, node: Node, tmp_path: pathlib.Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(DESK, encoding="utf-8")
    node.site = other
    result = desk("config", "set", "policy.hold_s", "4")
    assert result.exit_code == 0 and str(other) in result.output
    assert "reload" not in [verb for verb, _args in node.asked]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_status_shows_the_junction_and_a_fault_is_exit_1(desk: Desk, node: Node, lang: str) -> None:
    well = desk("status", lang=lang)
    assert well.exit_code == 0, well.output
    for words in ("branch_south", "main_east", "61 m", "l_branch", "r_east"):
        assert words in well.output
    assert ("警报" if lang == "zh" else "alert") in well.output
    node.problem = "no bytes [for 3 s]"
    ill = desk("status", lang=lang)
    assert ill.exit_code == 1
    assert "no bytes [for 3 s]" in ill.output
    assert json.loads(desk("status", "--json").stdout)["faults"]


def test_a_lamp_can_be_asked_for_light_and_never_for_dark(desk: Desk, node: Node) -> None:
    assert desk("lamp", "l_branch", "--shows", "alert", "--seconds", "5").exit_code == 0
    assert node.asked[-1] == ("lamp", {"lamp": "l_branch", "shows": "alert", "seconds": 5})
    asked = len(node.asked)
    for wrong in (["--shows", "clear"], ["--shows", "dark"], ["--seconds", "601"], ["--seconds", "0"]):
        assert desk("lamp", "l_branch", *wrong).exit_code == 2
    assert len(node.asked) == asked
    assert desk("lamp", "l_nowhere").exit_code == 2


def test_say_takes_a_clip_and_tells_when_it_was_not_heard(desk: Desk, node: Node) -> None:
    assert desk("say", "self_test").exit_code == 0
    assert node.asked[-1] == ("say", {"clip": "self_test"})
    node.problem = "aplay is missing"
    assert desk("say", "self_test").exit_code == 1
    assert desk("say", "any words").exit_code == 2


# --- doctor --------------------------------------------------------------------------------------------------------


def findings(result: Result) -> dict[str, str]:
    worst: dict[str, str] = {}
    for row in json.loads(result.stdout)["findings"]:
        worst[row["check"]] = f"{row['state']} {row['detail']}"
        assert row["state"] == "OK" or row["todo"]
    return worst


def test_doctor_names_a_model_of_the_wrong_hash(desk: Desk, tmp_path: pathlib.Path) -> None:
    from models.manifest import BUNDLED, read_manifest

    weights = read_manifest(BUNDLED).file
    data = bytearray((BUNDLED.parent / weights).read_bytes())
    data[-1] ^= 1
    (tmp_path / weights).write_bytes(data)
    (tmp_path / BUNDLED.name).write_bytes(BUNDLED.read_bytes())
    camera = (
        "cameras:\n  c: {driver: sim, zones: {branch_south: {wait: [[0, 0], [1, 0], [1, 1]]}}}\n"
        f"detector: {{manifest: {tmp_path / BUNDLED.name}}}\nlamps:"
    )
    desk.site.write_text(with_change("lamps:", camera), encoding="utf-8")
    result = desk("doctor", "--json")
    assert result.exit_code == 1
    assert "sha256" in findings(result)["detection model"]
    (tmp_path / weights).unlink()
    assert findings(desk("doctor", "--json"))["detection model"].startswith("ERROR")


def test_doctor_finds_a_missing_port_and_a_wrong_site_file(desk: Desk) -> None:
    result = desk("doctor", "--json")
    assert result.exit_code == 1
    assert findings(result)["radars.r_east"].startswith("ERROR /dev/ttyAMA0")
    assert findings(result)["lamps.l_branch"].startswith("OK")
    assert findings(result)["recording.images"].startswith("OK")
    assert "recording.snapshots" not in findings(result)
    desk.site.write_text(with_change("hold_s: 3 ", "hold_s: 99 "), encoding="utf-8")
    broken = desk("doctor", "--json")
    assert broken.exit_code == 1 and "policy.hold_s" in findings(broken)["site file"]


def test_doctor_says_when_images_are_recorded_and_the_broker_is_away(desk: Desk) -> None:
    extra = "recording: {images: true, snapshots: true}\nbridge: {url: mqtt://127.0.0.1:1}\nlamps:"
    desk.site.write_text(with_change("lamps:", extra), encoding="utf-8")
    found = findings(desk("doctor", "--json"))
    assert found["recording.images"].startswith("WARN")
    assert found["recording.snapshots"].startswith("WARN")
    assert found["county platform"].startswith("WARN 127.0.0.1:1")


def test_doctor_says_what_was_not_recorded_and_that_old_recordings_going_is_no_fault(desk: Desk, node: Node) -> None:
    assert findings(desk("doctor", "--json"))["incident recordings"] == (
        "OK 212 written since the start, 12 older ones deleted"
    )
    node.lost["incident_alerts_left_out"] = 7
    said = findings(desk("doctor", "--json"))["incident recordings"]
    assert said.startswith("WARN") and "7 alerts not kept: more than recording.day_mb a day" in said
    node.lost["incident_messages_dropped"] = 30
    assert "30 messages dropped" in findings(desk("doctor", "--json"))["incident recordings"]


# --- the command itself --------------------------------------------------------------------------------------------


def sentinel(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("SENTINEL_", "LC_", "LANG"))}
    return subprocess.run(
        [sys.executable, "-m", "device.cli", *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**keep, **environment},
        cwd=pathlib.Path(__file__).resolve().parents[2],
        timeout=60,
        check=False,
    )


def test_chinese_unless_told_whatever_the_locale(catalogue: None) -> None:
    for environment in ({}, {"LANG": "C"}, {"LANG": "en_US.UTF-8", "LC_ALL": "C"}):
        assert "用法:" in sentinel("--help", **environment).stdout
    assert "Usage:" in sentinel("--lang", "en", "--help", LANG="zh_CN.UTF-8").stdout
    assert "Usage:" in sentinel("--help", SENTINEL_LANG="en").stdout
    assert "Show this message" in sentinel("lamp", "--help", "--lang=en").stdout
    wrong = sentinel("nosuch")
    assert wrong.returncode == 2 and "没有命令" in wrong.stderr


@pytest.fixture
def catalogue() -> None:
    from tools.build.catalogue import compile_catalogue

    compile_catalogue()


def test_the_help_lists_every_verb_and_imports_none_of_them(catalogue: None) -> None:
    code = (
        "import sys; sys.argv = ['sentinel', '--help']\n"
        "from device.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted(set(sys.modules) & {'pydantic', 'ruamel.yaml', 'rich', 'cv2', 'numpy', 'gpiozero'}))"
    )
    root = pathlib.Path(__file__).resolve().parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=root, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
    for verb in ("run", "status", "doctor", "config", "lamp", "say", "detect", "record", "replay"):
        assert f"\n  {verb} " in result.stdout


def test_every_verb_of_the_table_loads_and_is_an_entry_point() -> None:
    import tomllib

    from device.cli.verbs import OWN

    root = pathlib.Path(__file__).resolve().parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = project["entry-points"]["sentinel.commands"]
    with click.Context(cli) as context:
        for name, row in OWN.items():
            assert points[name] == row.target
            command = cli.get_command(context, name)
            assert command is not None and command.name == name


def test_detect_refuses_what_it_cannot_read(desk: Desk, tmp_path: pathlib.Path) -> None:
    junk = tmp_path / "junk.jpg"
    junk.write_bytes(b"not a picture")
    empty = tmp_path / "empty"
    empty.mkdir()
    for path in (junk, empty, tmp_path / "none.mp4"):
        assert desk("detect", str(path), config=False).exit_code == 2
    assert desk("detect", str(junk), "--manifest", str(tmp_path / "none.json"), config=False).exit_code == 2
