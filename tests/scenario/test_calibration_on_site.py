"""A technician teaches a camera distances over SSH, and what a node does with a calibration that nobody checked."""

import json
import pathlib
import re
from typing import Any

import pytest
from click.testing import CliRunner, Result

from configs.loader import load_site
from device.cli.app import cli
from device.cli.language import set_language
from models.manifest import BUNDLED
from tests.support.site_files import EXAMPLES
from tests.support.vision_core import StubCore, site_text, vision_process

EXAMPLE = next(path for path in EXAMPLES if path.stem == "t_junction").read_text(encoding="utf-8")
POINTS = ["0.231,0.734=4,-2", "0.494,0.768=4,2", "0.380,0.447=12,-2", "0.543,0.461=12,2", "0.470,0.269=25,-2"]
BARE = re.sub(r"    # 路面标定.*?\n      \]\n", "", EXAMPLE, flags=re.DOTALL)
"""The example before anybody taught its camera distances."""


class Desk:
    """A site file on a desk, no node running."""

    def __init__(self, folder: pathlib.Path, text: str) -> None:
        self.folder = folder
        self.site = folder / "site.yaml"
        self.site.write_text(text, encoding="utf-8")

    def __call__(self, *words: str, lang: str = "en") -> Result:
        set_language(lang)
        places = ["--config", str(self.site), "--run-dir", str(self.folder), "--state-dir", str(self.folder / "state")]
        return CliRunner(env={"SENTINEL_CONFIG": None}).invoke(cli, [*words, *places], prog_name="sentinel")

    def calibrate(self, *points: str, lang: str = "en", more: tuple[str, ...] = ()) -> Result:
        marked = [word for point in points for word in ("--point", point)]
        return self("calibrate", "c_branch", "branch_south", *marked, *more, lang=lang)


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Any:
    assert "ground:" not in BARE and "c_branch" in BARE
    yield Desk(tmp_path, BARE)
    set_language("zh")


def test_marked_points_are_written_and_the_check_prints_how_well_they_fit(desk: Desk) -> None:
    done = desk.calibrate(*POINTS)
    assert done.exit_code == 0, done.output
    assert "c_branch on branch_south: 5 points, at most 0.0" in done.output
    ground = load_site(desk.site).cameras["c_branch"].ground["branch_south"]
    assert [(point.distance_m, point.lateral_m) for point in ground] == [(4, -2), (4, 2), (12, -2), (12, 2), (25, -2)]
    checked = desk("config", "check", lang="zh")
    assert checked.exit_code == 0
    assert "c_branch 看 branch_south:5 个标定点" in checked.output
    assert "第 5 点 [0.47, 0.269] = 25 m,-2 m:差" in checked.output
    assert "可靠到" in checked.output


def test_every_other_byte_of_the_file_stays_and_rollback_takes_it_back(desk: Desk) -> None:
    desk.calibrate(*POINTS)
    text = desk.site.read_text(encoding="utf-8")
    at = text.index("    ground:")
    assert text[:at] == BARE[:at]
    assert BARE.endswith(text[text.index("\nlamps:") :])
    assert desk("config", "rollback").exit_code == 0
    assert desk.site.read_text(encoding="utf-8") == BARE


def test_a_second_calibration_takes_the_place_of_the_first(desk: Desk) -> None:
    desk.calibrate(*POINTS)
    assert desk.calibrate(*POINTS[:4]).exit_code == 0
    assert len(load_site(desk.site).cameras["c_branch"].ground["branch_south"]) == 4
    assert "a fifth shows whether they are right" in desk("calibrate", "c_branch", "branch_south").output


def test_a_list_written_by_hand_in_lines_is_taken_over_too(desk: Desk) -> None:
    by_hand = "    ground:\n      branch_south:\n" + "".join(
        f"        - {{image: [{x}], distance_m: {d}, lateral_m: {lateral}}}\n"
        for x, _, place in (point.partition("=") for point in POINTS)
        for d, _, lateral in (place.partition(","),)
    )
    desk.site.write_text(BARE.replace("\nlamps:", f"\n{by_hand}\nlamps:").replace("\n\n    ground", "\n    ground"))
    assert desk("config", "check").exit_code == 0
    assert desk.calibrate(*POINTS[:4]).exit_code == 0
    assert len(load_site(desk.site).cameras["c_branch"].ground["branch_south"]) == 4


def test_a_try_writes_nothing(desk: Desk) -> None:
    done = desk.calibrate(*POINTS, more=("--try",))
    assert done.exit_code == 0
    assert "Nothing was written" in done.output
    assert desk.site.read_text(encoding="utf-8") == BARE


def test_pixels_are_divided_by_the_size_of_their_picture(desk: Desk) -> None:
    pixels = ["462,367=4,-2", "988,384=4,2", "760,224=12,-2", "1086,231=12,2"]
    assert desk.calibrate(*pixels, more=("--size", "2000x500")).exit_code == 0
    assert load_site(desk.site).cameras["c_branch"].ground["branch_south"][0].image == (0.231, 0.734)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (["0.4,0.9=4,0", "0.4,0.7=8,0", "0.4,0.5=12,0", "0.4,0.3=16,0"], "第 1, 2, 3 点在一条直线上"),
        (POINTS[:3], "4 … 16 项"),
        ([*POINTS[:4], "0.470,0.269=25,-2", "0.573,0.275=60,2"], "对不上"),
    ],
    ids=["collinear", "three", "mistyped"],
)
def test_bad_points_are_refused_in_chinese_and_nothing_changes(desk: Desk, points: list[str], words: str) -> None:
    done = desk.calibrate(*points, lang="zh")
    assert done.exit_code == 2
    assert words in done.output
    assert "cameras.c_branch.ground.branch_south" in done.output
    assert "允许:" in done.output
    assert desk.site.read_text(encoding="utf-8") == BARE


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["calibrate", "c_brnch", "branch_south"], "c_branch"),
        (["calibrate", "c_branch", "main_east"], "branch_south"),
        (["calibrate", "c_branch", "branch_south"], "four or more --point"),
        (["calibrate", "c_branch", "branch_south", "--point", "0.3;0.4=5,1"], "X,Y=D,L"),
        (["calibrate", "c_branch", "branch_south", "--point", "0.3,0.4=5,1", "--size", "big"], "1920x1080"),
    ],
)
def test_a_typing_error_says_what_can_be_written(desk: Desk, words: list[str], says: str) -> None:
    done = desk(*words)
    assert done.exit_code == 2
    assert says in done.output
    assert desk.site.read_text(encoding="utf-8") == BARE


def test_json_tells_residuals_and_reach_by_camera_and_approach(desk: Desk) -> None:
    desk.calibrate(*POINTS)
    data = json.loads(desk("config", "check", "--json").output)
    [ground] = data["ground"]
    assert (ground["camera"], ground["approach"], len(ground["points"])) == ("c_branch", "branch_south", 5)
    assert 0 <= ground["points"][0]["residual_m"] <= ground["worst_m"] < 0.1
    assert 25 < ground["reliable_to_m"] <= ground["reach_m"] == 37.5
    assert ground["error_m"]["10"] < ground["error_m"]["30"]


@pytest.mark.skipif(not BUNDLED.exists(), reason=f"the bundled model is not there yet: {BUNDLED}")
def test_a_calibration_that_nobody_checked_is_a_camera_fault_with_its_reason(tmp_path: pathlib.Path) -> None:
    """Vision counts nobody in silence by a plane that cannot be right; the other camera goes on."""
    zones = "zones: {branch_south: {wait: [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]}}"
    marks = [(point.split("=")[0], *point.split("=")[1].split(",")) for point in [*POINTS, "0.573,0.275=60,2"]]
    ground = ", ".join(f"{{image: [{xy}], distance_m: {d}, lateral_m: {lateral}}}" for xy, d, lateral in marks)
    config = tmp_path / "site.yaml"
    config.write_text(
        site_text(
            f"  c_wrong: {{driver: sim, {zones}, ground: {{branch_south: [{ground}]}}}}\n"
            f"  c_well: {{driver: sim, {zones}}}"
        ),
        encoding="utf-8",
    )
    load_site(config)  # the schema alone cannot tell
    core = StubCore(tmp_path)
    with vision_process(config, tmp_path):
        wrong = core.until(lambda m: m.get("camera") == "c_wrong" and m["problem"] not in (None, "starting"))
        assert "point 6 does not agree" in wrong["problem"]
        core.until(lambda m: m["kind"] == "observation" and m["camera"] == "c_well")
    assert not [m for m in core.messages if m["kind"] == "observation" and m["camera"] == "c_wrong"]
    core.close()
