"""The office checks a folder for every node before anything is signed, and sees what it changes on which."""

import io
import json
import pathlib
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from configs import layers, loader
from configs.layers import Layer, Part
from device.cli.language import set_language
from device.site import check_source
from tests.support.county_folder import GROUPS, site_text, write
from tools.county import checking
from tools.county.app import cli
from tools.county.checking import SharedCheck, check, target_text, targets
from tools.county.config import _watched, node_list
from tools.county.folder import read


@pytest.fixture
def office(tmp_path: pathlib.Path) -> pathlib.Path:
    return write(tmp_path / "county")


def ask(*arguments: object, lang: str = "en") -> Result:
    set_language(lang)
    try:
        return CliRunner().invoke(cli, [*map(str, arguments), "--lang", lang])
    finally:
        set_language("zh")


def answer(*arguments: object, code: int = 0) -> Any:
    result = ask(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.output)


def wrong(folder: pathlib.Path, changed: dict[str, str | None]) -> list[dict[str, Any]]:
    """The errors of a folder with something changed."""
    found = answer("config", "check", write(folder, changed), code=2)
    assert not found["ok"]
    return [problem for problem in found["problems"] if problem["severity"] == "error"]


def test_a_folder_that_is_right_says_how_many_nodes_it_was_asked_for(office: pathlib.Path) -> None:
    found = answer("config", "check", office)
    assert (found["ok"], found["nodes"], found["groups"]) == (True, 5, 2)
    assert "5 个节点" in ask("config", "check", office, lang="zh").output


def test_fleet_group_and_node_reach_the_node_in_this_order(office: pathlib.Path) -> None:
    checked = check(*read(office))
    holds = {node: config.policy.hold_s for node, config in checked.configs.items()}
    assert holds == {"n0001": 4, "n0002": 4, "n0003": 6, "n0004": 3, "n0010": 3}
    assert {config.voice.lockout_s for config in checked.configs.values()} == {9}


WRONG = [
    ({"groups/north.yaml": "policy:\n  hold_s: 0\n"}, "out_of_range", "groups/north.yaml", 2, "group",
     ["n0001", "n0002"]),
    ({"fleet.yaml": "voice:\n  lockout_s: 900\n"}, "out_of_range", "fleet.yaml", 2, "group", [*GROUPS]),
    ({"fleet.yaml": "policy:\n  hold: 4\n"}, "missing_unit", "fleet.yaml", 2, "group", [*GROUPS]),
    ({"groups/south.yaml": "\n\nlamps: {l_main: null}\n"}, "site_only", "groups/south.yaml", 3, "group",
     ["n0004", "n0010"]),
    ({"nodes/n0010.yaml": "site: {name: x}\n"}, "site_only", "nodes/n0010.yaml", 1, "node", ["n0010"]),
    ({"nodes/n0010.yaml": "approaches: {main_west: {limit_kmh: 30}}\n"}, "not_at_site", "nodes/n0010.yaml", 1, "node",
     ["n0010"]),
    ({"nodes/n0010.yaml": "policy: [\n"}, "syntax", "nodes/n0010.yaml", 2, None, []),
    ({"sites/n0002.yaml": site_text("n0002").replace("reach_m: 120", "reach_m: 1")}, "out_of_range",
     "sites/n0002.yaml", 7, "site", ["n0002"]),
    ({"sites/n0002.yaml": site_text("n0002").replace("pin: 27", "pin: 17")}, "claimed_twice", "sites/n0002.yaml", 10,
     "site", ["n0002"]),
    ({"sites/n0002.yaml": site_text("n0001")}, "other_site", "sites/n0002.yaml", 2, None, []),
    ({"sites/n0010.yaml": None}, "no_site_file", "register.yaml", 7, None, []),
    ({"groups/south.yaml": None}, "no_group_file", "register.yaml", 6, None, []),
    ({"groups/nroth.yaml": "policy: {hold_s: 5}\n"}, "stray_file", "groups/nroth.yaml", None, None, []),
    ({"nodes/n0099.yaml": "policy: {hold_s: 5}\n"}, "stray_file", "nodes/n0099.yaml", None, None, []),
    ({"groups/north.yml": "policy: {hold_s: 5}\n"}, "stray_file", "groups/north.yml", None, None, []),
    ({"fleet.yaml": "policy: {hold_s: 4}\nvoice: null\n", "groups/north.yaml": "voice: {lockout_s: 8}\n"},
     "cannot_compose", "groups/north.yaml", 1, "group", []),
    ({"register.yaml": "county: 37\nnodes: {n0001: north}\n"}, "bad_text", "register.yaml", 1, None, []),
    ({"register.yaml": "county: 371500\nnodes:\n  n0001: [north, south]\n"}, "bad_register", "register.yaml", 3, None,
     []),
    ({"register.yaml": "county: 371500\nnodes:\n  N-1: north\n"}, "bad_register", "register.yaml", 3, None, []),
    ({"register.yaml": "county: 371500\nnodes: {n0001: north}\nmore: 1\n"}, "unknown_key", "register.yaml", 3, None,
     []),
    ({"register.yaml": "county: 371500\nnodes:\n  n0001: north\n  n0001: south\n"}, "duplicate_key", "register.yaml",
     4, None, []),
    ({"register.yaml": "county: 371500\nnodes: north\n"}, "wrong_type", "register.yaml", 2, None, []),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "code", "file", "line", "layer", "nodes"), WRONG, ids=lambda v: str(v)[:40])
def test_what_is_wrong_is_named_with_file_line_layer_and_nodes(
    changed: dict[str, str | None],
    code: str,
    file: str,
    line: int | None,
    layer: str | None,
    nodes: list[str],
    tmp_path: pathlib.Path,
) -> None:
    found = [problem for problem in wrong(tmp_path, changed) if problem["code"] == code]
    assert [(problem["file"], problem["line"], problem.get("layer")) for problem in found] == [(file, line, layer)]
    assert found[0].get("nodes", []) == nodes


def test_everything_wrong_is_told_at_once(tmp_path: pathlib.Path) -> None:
    found = wrong(
        tmp_path,
        {
            "fleet.yaml": "policy: {min_on_s: 90}\n",
            "nodes/n0003.yaml": "policy: {hold_s: 60}\n",
            "sites/n0004.yaml": None,
            "sites/n0010.yaml": "]",
            "groups/old.yaml": "",
        },
    )
    assert {(problem["file"], problem["code"]) for problem in found} == {
        ("fleet.yaml", "out_of_range"),
        ("nodes/n0003.yaml", "out_of_range"),
        ("register.yaml", "no_site_file"),
        ("sites/n0010.yaml", "syntax"),
        ("groups/old.yaml", "stray_file"),
    }


def test_no_register_and_no_folder(tmp_path: pathlib.Path) -> None:
    found = answer("config", "check", tmp_path, code=2)
    assert [problem["file"] for problem in found["problems"]] == ["register.yaml"]
    assert ask("config", "check", tmp_path / "nowhere").exit_code == 2


def test_a_fleet_file_that_cannot_be_read_checks_no_node_without_it(tmp_path: pathlib.Path) -> None:
    [problem] = wrong(tmp_path, {"fleet.yaml": "policy: {hold_s: 4\n", "groups/north.yaml": "policy: {hold_s: 99}\n"})
    assert problem["file"] == "fleet.yaml"


def test_the_text_of_a_refusal_names_file_nodes_and_what_to_do(tmp_path: pathlib.Path) -> None:
    folder = write(tmp_path, {"groups/north.yaml": "lamps: {l_main: {pin: 5}}\n"})
    said = ask("config", "check", folder, lang="zh")
    assert said.exit_code == 2
    assert "groups/north.yaml:1: lamps.l_main.pin" in said.output
    assert "n0001–n0003" in said.output and "不能下发" in said.output and "sentinel config edit" in said.output


def test_nothing_changed_is_said(office: pathlib.Path, tmp_path: pathlib.Path) -> None:
    same = write(tmp_path / "same", {"fleet.yaml": "voice:\n  # 写法不同\n  lockout_s: 9.0\n"})
    assert answer("config", "diff", office, same)["changes"] == []
    assert "5 个节点都没有变化" in ask("config", "diff", office, same, lang="zh").output


def test_a_change_of_a_group_is_one_line_with_its_nodes(office: pathlib.Path, tmp_path: pathlib.Path) -> None:
    new = write(tmp_path / "new", {"groups/north.yaml": "policy:\n  hold_s: 5\n"})
    found = answer("config", "diff", office, new)
    [change] = found["changes"]
    assert change == {
        "path": "policy.hold_s",
        "before": 4.0,
        "after": 5.0,
        "layer": "group",
        "file": "groups/north.yaml",
        "line": 2,
        "nodes": ["n0001", "n0002"],  # n0003 has a word of its own
    }
    said = ask("config", "diff", office, new).output
    assert "2 of 5 nodes change." in said
    assert "policy.hold_s: 4.0 → 5.0 [group groups/north.yaml:2] 2 nodes: n0001–n0002" in said


def test_a_key_taken_out_is_a_change_and_a_default_written_out_is_none(
    office: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    new = write(tmp_path / "new", {"fleet.yaml": "", "groups/south.yaml": "policy: {min_on_s: 2}\n"})
    [change] = answer("config", "diff", office, new)["changes"]
    assert (change["path"], change["before"], change["after"], change["layer"]) == ("voice.lockout_s", 9.0, 8.0, None)
    assert change["nodes"] == [*GROUPS]


def test_nodes_that_come_go_and_move_are_told(office: pathlib.Path, tmp_path: pathlib.Path) -> None:
    register = (
        "county: 371500\nnodes:\n  n0001: south\n  n0002: north\n  n0003: north\n  n0004: south\n  n0011: south\n"
    )
    new = write(tmp_path / "new", {"register.yaml": register, "sites/n0010.yaml": None,
                                   "sites/n0011.yaml": site_text("n0011")})  # fmt: skip
    found = answer("config", "diff", office, new)
    assert (found["added"], found["removed"]) == (["n0011"], ["n0010"])
    assert found["moves"] == [{"before": "north", "after": "south", "nodes": ["n0001"]}]
    assert [(change["path"], change["after"], change["layer"]) for change in found["changes"]] == [
        ("policy.hold_s", 3.0, "site")
    ]
    said = ask("config", "diff", office, new).output
    assert "new: 1 nodes: n0011" in said and "gone: 1 nodes: n0010" in said and "group north → south" in said


def test_a_sensor_that_comes_has_no_value_before(office: pathlib.Path, tmp_path: pathlib.Path) -> None:
    more = site_text("n0004").replace("radars:\n", "radars:\n  r_new: {driver: ld2451, url: /dev/ttyAMA2, "
                                      "approach: branch_south, reach_m: 50}\n")  # fmt: skip
    found = answer("config", "diff", office, write(tmp_path / "new", {"sites/n0004.yaml": more}))
    by_path = {change["path"]: change for change in found["changes"]}
    assert by_path["radars.r_new.reach_m"]["after"] == 50.0
    assert "before" not in by_path["radars.r_new.reach_m"]
    assert {change["layer"] for change in found["changes"] if "url" in change["path"]} == {"site"}


def test_a_folder_that_is_wrong_is_not_compared(office: pathlib.Path, tmp_path: pathlib.Path) -> None:
    bad = write(tmp_path / "bad", {"groups/north.yaml": "policy: {hold_s: 0}\n"})
    for pair in ((office, bad), (bad, office)):
        found = answer("config", "diff", *pair, code=2)
        assert found["folder"] == str(bad) and found["problems"][0]["code"] == "out_of_range"


def test_a_thousand_equal_changes_are_a_page(tmp_path: pathlib.Path) -> None:
    names = [f"n{number:04d}" for number in range(1, 41)]
    register = "county: 371500\nnodes:\n" + "".join(f"  {name}: north\n" for name in names)
    files: dict[str, str | None] = {f"sites/{name}.yaml": site_text(name) for name in names}
    files |= {"register.yaml": register, "nodes/n0003.yaml": None, "groups/south.yaml": None}
    files |= {f"sites/{name}.yaml": None for name in GROUPS if name not in names}
    old = write(tmp_path / "old", files)
    each = {f"nodes/{name}.yaml": f"policy: {{hold_s: {10 + index / 4}}}\n" for index, name in enumerate(names)}
    new = write(tmp_path / "new", {**files, **each, "fleet.yaml": "voice: {lockout_s: 12}\n"})
    said = ask("config", "diff", old, new).output.splitlines()
    assert len(said) < 12
    assert any("voice.lockout_s: 9.0 → 12.0 [group fleet.yaml:1] 40 nodes: n0001–n0040" in line for line in said)
    assert any(line.startswith("policy.hold_s: 34 more different changes, on 34 nodes") for line in said)
    assert len(answer("config", "diff", old, new)["changes"]) == 41


def test_nodes_are_listed_as_people_write_them() -> None:
    set_language("en")
    try:
        assert node_list(["n0003", "n0001", "n0002", "n0009", "school"]) == "n0001–n0003, n0009, school"
        assert node_list(["n9", "n10", "n099", "n100"]) == "n9–n10, n099–n100"
        assert node_list([f"n{number:03d}" for number in range(0, 40, 2)]).endswith("n010 and 14 more")
    finally:
        set_language("zh")


def test_drivers_are_asked_once_for_equal_nodes(office: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(source: loader.Source) -> Any:
        asked.append(source)
        return check_source(source)

    monkeypatch.setattr(checking, "check_source", counted)
    assert check(*read(office)).is_right
    assert len(asked) == 3  # the group north, its exception, the group south


def test_whoever_looks_on_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stderr", screen)
    assert list(_watched([*GROUPS])) == [*GROUPS]
    assert "5/5" in screen.getvalue()


def test_equal_nodes_share_the_costly_half_and_none_is_left_out(tmp_path: pathlib.Path) -> None:
    shared = SharedCheck()
    folder, problems = read(write(tmp_path, {"sites/n0002.yaml": site_text("n0002").replace("路口", "")}))
    checked = check(folder, problems, shared)
    assert checked.is_right and len(checked.configs) == 5
    assert {config.site.id for config in checked.configs.values()} == {f"371500/{node}" for node in GROUPS}
    bad = site_text("n0002").replace("371500/n0002", "n0002")  # equal but for its id, which is wrong
    found = check(*read(write(tmp_path, {"sites/n0002.yaml": bad})), shared)
    assert [(told.problem.path, told.nodes) for told in found.problems] == [("site.id", ("n0002",))]


def test_what_the_node_merges_is_what_the_office_checked(office: pathlib.Path) -> None:
    folder, _problems = read(office)
    checked = check(folder)
    signed = targets(folder)
    assert set(signed) == {"north/group.yaml", "south/group.yaml", "north/nodes/n0003.yaml"}
    for node, group in GROUPS.items():
        found = [Part(Layer.SITE, folder.sites[node])]
        for layer, name in ((Layer.GROUP, f"{group}/group.yaml"), (Layer.NODE, f"{group}/nodes/{node}.yaml")):
            if name in signed:
                found.append(Part(layer, loader.parse_yaml(signed[name].decode(), name)))
        assert layers.checked(found, check_source)[1] == checked.configs[node]


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)


@given(st.dictionaries(WORDS, st.one_of(WORDS, st.integers(), st.booleans(), st.none(), st.lists(WORDS)), max_size=4))
def test_a_target_reads_back_as_what_it_was_made_of(values: dict[str, Any]) -> None:
    assert loader.parse_yaml(target_text(values).decode()).values == values
