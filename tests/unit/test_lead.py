"""What the sensors of a site can give, told before anybody relies on it."""

import json
import pathlib

import pytest
from click.testing import CliRunner

from configs.errors import ConfigError
from configs.lead import leads
from configs.loader import parse_yaml, validate
from device.cli.app import cli
from device.site import check_text

SITE = """\
site: {id: 371500/n0001, name: 示例路口, design_user: truck}
approaches:
  main_east:    {road: main, limit_kmh: 80, conflicts: [branch_south]}
  branch_south: {road: branch, limit_kmh: 30, conflicts: [main_east]}
radars: {r_east: {driver: ld2451, url: /dev/ttyAMA0, approach: main_east, reach_m: 100}}
lamps:
  l_branch: {driver: gpio, pin: 17, faces: [branch_south]}
  l_main: {driver: gpio, pin: 27, faces: [main_east]}
heartbeat: {driver: gpio, pin: 22}
"""


def of(text: str, face: str) -> dict[str, object]:
    (found,) = [lead for lead in leads(validate(parse_yaml(text))) if lead.face == face]
    return found.as_json()


def test_a_100_m_radar_at_80_kmh_gives_a_truck_4_5_of_its_9_5_seconds() -> None:
    assert of(SITE, "branch_south") == {
        "face": "branch_south",
        "approach": "main_east",
        "sensor": "r_east",
        "limit_kmh": 80.0,
        "reach_m": 100.0,
        "horizon_s": 9.5,
        "lead_s": 4.5,
        "short_s": 5.0,
        "covers_kmh": 37,
    }


def test_the_main_road_needs_to_stop_before_its_lamp() -> None:
    """2.5 s + 22.2 m/s / 6.8 + 2 s = 7.8 s."""
    main = of(SITE, "main_east")
    assert (main["horizon_s"], main["lead_s"], main["short_s"], main["covers_kmh"]) == (7.8, 4.5, 3.3, 53)
    warned_from_m = [speed_mps * (4.5 + speed_mps / 6.8) for speed_mps in (53 / 3.6, 54 / 3.6)]
    assert warned_from_m[0] <= 100 < warned_from_m[1]


def test_a_sign_ahead_of_the_junction_is_met_earlier() -> None:
    ahead = SITE.replace("pin: 27,", "pin: 27, to_conflict_m: 60,")
    assert of(ahead, "main_east")["reach_m"] == 40.0
    also_here = ahead.replace("heartbeat", "  l_here: {driver: gpio, pin: 23, faces: [main_east]}\nheartbeat")
    assert of(also_here, "main_east")["reach_m"] == 100.0
    too_far = SITE.replace("pin: 27,", "pin: 27, to_conflict_m: 150,")
    assert of(too_far, "main_east")["lead_s"] == 0.0


def test_where_the_radar_stands_counts_and_of_two_the_one_that_sees_farther() -> None:
    behind = SITE.replace("reach_m: 100", "reach_m: 100, to_conflict_m: 20")
    assert of(behind, "branch_south")["reach_m"] == 120.0
    two = SITE.replace("}}", "}, r_far: {driver: ops243, url: /dev/ttyUSB0, approach: main_east, reach_m: 211.2}}")
    assert (of(two, "branch_south")["sensor"], of(two, "branch_south")["short_s"]) == ("r_far", 0.0)
    assert not [p for p in check_text(two, "site.yaml")[1] if p.code == "short_horizon"]


def test_a_slow_road_has_no_shortage_and_the_lead_is_never_more_than_is_wanted() -> None:
    slow = SITE.replace("limit_kmh: 80", "limit_kmh: 20")
    assert (of(slow, "branch_south")["lead_s"], of(slow, "branch_south")["short_s"]) == (9.5, 0.0)


def test_a_road_that_only_a_camera_watches_has_no_figure() -> None:
    blind = SITE.replace("approach: main_east, reach_m", "approach: branch_south, reach_m")
    assert [lead.face for lead in leads(validate(parse_yaml(blind)))] == []


def test_a_short_reach_is_told_with_what_it_can_give_and_may_be_used() -> None:
    _config, told = check_text(SITE, "site.yaml")
    (short,) = [problem for problem in told if problem.code == "short_horizon"]
    assert short.is_warning and short.line == 5 and short.path == "radars.r_east.reach_m"
    assert "gives 4.5 s of the 9.5 s that branch_south needs, 5.0 s short; covers up to 37 km/h" in short.render("en")
    assert "差 5.0 s" in short.render("zh")


@pytest.mark.parametrize("least_s", [4.6, 9.0])
def test_a_site_that_declares_more_than_its_radar_gives_is_refused(least_s: float) -> None:
    text = SITE.replace("limit_kmh: 80,", f"limit_kmh: 80, lead_min_s: {least_s},")
    with pytest.raises(ConfigError) as refused:
        check_text(text, "site.yaml")
    (problem,) = refused.value.problems
    assert (problem.code, problem.line, problem.path) == ("short_lead", 3, "approaches.main_east.lead_min_s")
    words = problem.render("en")
    assert "r_east sees 100 m, at 80 km/h that is 4.5 s" in words and "allowed: ≤ 4.5" in words
    assert f"fit a radar that sees {least_s * 80 / 3.6:.0f} m" in words


def test_what_the_radar_does_give_may_be_declared() -> None:
    _config, told = check_text(SITE.replace("limit_kmh: 80,", "limit_kmh: 80, lead_min_s: 4.5,"), "site.yaml")
    assert "short_lead" not in [problem.code for problem in told]


def test_more_than_the_policy_wants_cannot_be_declared_however_far_the_radar_sees() -> None:
    text = SITE.replace("reach_m: 100", "reach_m: 400").replace("limit_kmh: 80,", "limit_kmh: 80, lead_min_s: 10,")
    text = text.replace("driver: ld2451", "driver: ops243")
    with pytest.raises(ConfigError, match=r"policy uses 9\.5 s at most"):
        check_text(text, "site.yaml")


def test_a_lead_on_an_approach_that_nothing_watches_is_refused() -> None:
    text = SITE.replace("limit_kmh: 30,", "limit_kmh: 30, lead_min_s: 2,")
    with pytest.raises(ConfigError, match=r"branch_south\.lead_min_s"):
        check_text(text, "site.yaml")


def test_config_check_prints_it_and_ends_well(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    done = CliRunner().invoke(cli, ["--lang", "en", "config", "check", str(path)])
    assert done.exit_code == 0, done.output
    line = "r_east 100 m at 80 km/h: 4.5 s of the 9.5 s needed; 5.0 s short; covers up to 37 km/h"
    assert f"branch_south ← main_east: {line}" in done.output
    said = json.loads(CliRunner().invoke(cli, ["config", "check", "--json", str(path)]).stdout)
    assert [row["face"] for row in said["lead"]] == ["main_east", "branch_south"]
    assert said["ok"] is True
