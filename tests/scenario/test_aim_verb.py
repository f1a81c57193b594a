"""A technician asks whether a camera still looks where it should, and accepts its new view on purpose."""

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from click.testing import CliRunner, Result

from device import control, ipc
from device.cli.app import cli
from device.cli.language import set_language
from tools.build.catalogue import compile_catalogue

VIEW = {
    "state": "here",
    "learned_pct": 100,
    "likeness_pct": 97,
    "blind_pct": 4,
    "visibility_m": 120.0,
    "visibility_error_pct": 5,
}
MOVED = (
    "c_branch: moved: its view is off by +12 % across, -3 % down, +0 degrees; turn it back, or accept: "
    "sentinel aim --accept"
)


class Node:
    """Answers core.sock with one camera and one radar."""

    def __init__(self, run_dir: pathlib.Path) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.view: dict[str, Any] | None = dict(VIEW)
        self.problem: str | None = None
        self.server = control.ControlServer(run_dir / ipc.CORE_SOCKET, self.answer)

    def answer(self, verb: str, args: Mapping[str, Any]) -> Any:
        self.asked.append((verb, args))
        if verb == "accept_view":
            if args["camera"] != "c_branch":
                raise control.ControlError(f"no camera {args['camera']!r}; there are: c_branch")
            return {"camera": "c_branch"}
        counters = {"fps": 10.0} if self.view is None else {"fps": 10.0, "view": self.view}
        return {
            "sensors": {
                "r_east": {"kind": "radar", "problem": None, "counters": {}},
                "c_branch": {"kind": "camera", "problem": self.problem, "counters": counters},
            }
        }


@pytest.fixture
def node(tmp_path: pathlib.Path) -> Iterator[Node]:
    compile_catalogue()
    started = Node(tmp_path)
    yield started
    started.server.close()
    set_language("zh")


def aim(folder: pathlib.Path, *words: str, lang: str = "en") -> Result:
    set_language(lang)
    return CliRunner().invoke(cli, ["aim", *words, "--run-dir", str(folder)], prog_name="sentinel")


def test_a_camera_that_looks_where_it_should(tmp_path: pathlib.Path, node: Node) -> None:
    done = aim(tmp_path, "c_branch")
    assert done.exit_code == 0, done.output
    assert "looks where it should, 97 % alike" in done.output
    assert "4 % of it has lost its detail" in done.output
    assert "visibility 120 m ± 5 %" in done.output
    assert "对着原来的地方" in aim(tmp_path, "c_branch", lang="zh").output
    assert json.loads(aim(tmp_path, "c_branch", "--json").stdout)["view"] == VIEW


@pytest.mark.parametrize("state", ["learning", "here", "moved", "gone", "unsure"])
def test_every_state_has_words(tmp_path: pathlib.Path, node: Node, state: str) -> None:
    node.view = {**VIEW, "state": state, "likeness_pct": 40, "blind_pct": None, "visibility_m": None}
    done = aim(tmp_path, "c_branch", lang="zh")
    assert done.exit_code == 0
    assert len(done.output.splitlines()) == 2
    assert done.output.isascii() is False


def test_a_moved_camera_is_exit_1_and_says_what_to_do(tmp_path: pathlib.Path, node: Node) -> None:
    node.problem = MOVED
    node.view = {**VIEW, "state": "moved"}
    done = aim(tmp_path, "c_branch")
    assert done.exit_code == 1
    assert MOVED in done.output
    assert "画面横移 +12 %" in aim(tmp_path, "c_branch", lang="zh").output


def test_before_vision_has_told_there_is_nothing_to_say_of_the_view(tmp_path: pathlib.Path, node: Node) -> None:
    node.view, node.problem = None, "c_branch: vision has not connected yet"
    done = aim(tmp_path, "c_branch")
    assert (done.exit_code, done.output.strip()) == (1, node.problem)


@pytest.mark.parametrize("camera", ["c_nowhere", "r_east"])
def test_what_is_no_camera_is_refused_with_those_there_are(tmp_path: pathlib.Path, node: Node, camera: str) -> None:
    done = aim(tmp_path, camera)
    assert done.exit_code == 2
    assert "c_branch" in done.output
    assert aim(tmp_path, "c_nowhere", "--accept").exit_code == 2


def test_a_view_is_accepted_by_that_word_alone(tmp_path: pathlib.Path, node: Node) -> None:
    aim(tmp_path, "c_branch")
    assert "accept_view" not in [verb for verb, _args in node.asked]
    done = aim(tmp_path, "c_branch", "--accept")
    assert done.exit_code == 0, done.output
    assert node.asked[-1] == ("accept_view", {"camera": "c_branch"})
    assert "calibrate it again" in done.output


def test_without_a_node_it_is_exit_3(tmp_path: pathlib.Path) -> None:
    assert aim(tmp_path, "c_branch").exit_code == 3
    set_language("zh")
