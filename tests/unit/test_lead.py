"""What the sensors of a site can give, told before anybody relies on it."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.gaps import NAMED, gap_table, longest
from configs.lead import leads, problems
from configs.loader import parse_yaml, validate
from configs.schema import RoadUser, Widening
from device.cli.app import cli
from device.cli.language import set_language
from device.day import DAYLIGHT
from device.gap import widening
from device.observation import DETECTOR_CLASSES
from device.site import check_text
from tools.build.catalogue import compile_catalogue

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


@pytest.fixture(autouse=True)
def chinese_after() -> Iterator[None]:
    yield
    set_language("zh")


def of(text: str, face: str) -> dict[str, object]:
    (found,) = [lead for lead in leads(validate(parse_yaml(text))) if lead.face == face]
    return found.as_json()


def test_a_100_m_radar_at_80_kmh_gives_a_truck_4_5_of_its_9_5_seconds() -> None:
    assert of(SITE, "branch_south") | {"longest": None, "widest": None} == {
        "longest": None,
        "widest": None,
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


def widened(text: str, policy: str) -> str:
    return text + f"policy: {policy}\n"


def test_a_tricycle_that_needs_longer_than_the_design_user_is_told_though_the_camera_calls_it_a_two_wheeler() -> None:
    """80 km/h and 221 m are 9.9 s."""
    text = widened(SITE.replace("reach_m: 100", "reach_m: 221").replace("ld2451", "ops243"), "{gap_s: {tricycle: 20}}")
    branch = of(text, "branch_south")
    assert (branch["lead_s"], branch["short_s"]) == (9.5, 0.0)
    assert branch["longest"] == {
        "user": "tricycle",
        "horizon_s": 20.0,
        "lead_s": 9.9,
        "short_s": 10.1,
        "covers_kmh": 39,
    }
    _config, told = check_text(text, "site.yaml")
    (short,) = [problem for problem in told if problem.code in ("short_horizon", "short_widest")]
    assert short.is_warning and short.path == "radars.r_east.reach_m"
    assert "for the most that branch_south may need (tricycle 20.0 s, night +0.5 s" in short.render("en")
    assert "三轮车 20.0 s、夜间加 0.5 s" in short.render("zh")


@pytest.mark.parametrize("user", list(RoadUser))
@pytest.mark.parametrize("design", ["truck", "car", "long_truck"])
def test_nobody_whom_the_node_decides_by_needs_longer_than_is_told(user: str, design: str) -> None:
    text = widened(SITE.replace("design_user: truck", f"design_user: {design}"), f"{{gap_s: {{{user}: 15}}}}")
    config = validate(parse_yaml(text))
    table = gap_table(config)
    needed_s = max([config.policy.gap_s.of(config.site.design_user), *(table[name] for name in NAMED)])
    assert longest(config)[1] == needed_s
    assert set(DETECTOR_CLASSES.values()) == NAMED


@given(
    st.floats(0, 3), st.floats(0, 3), st.floats(0, 3), st.floats(0.3, 1), st.sampled_from([20.0, 60.0, 100.0, 250.0])
)
def test_what_conditions_add_is_what_the_node_adds(
    night_s: float, wet_s: float, fog_s: float, factor: float, reach_m: float
) -> None:
    widen = Widening(night_s=night_s, wet_s=wet_s, low_visibility_s=fog_s, wet_deceleration_factor=factor)
    config = validate(parse_yaml(SITE))
    policy = config.policy.model_copy(update={"widen": widen})
    radar = config.radars["r_east"].model_copy(update={"reach_m": reach_m})
    worst = dataclasses.replace(DAYLIGHT, night=True, wet=True, visibility_m=10.0)
    wide = widening(policy, worst)
    main, branch = leads(config.model_copy(update={"policy": policy, "radars": {"r_east": radar}}))
    assert branch.widest.horizon_s == pytest.approx(branch.longest.horizon_s + wide.extra_s)
    fixed_s = policy.reaction_s + policy.margin_s + wide.extra_s
    twice_mps2 = 2 * policy.deceleration_mps2 * wide.deceleration_factor
    assert main.widest.horizon_s == pytest.approx(fixed_s + 80 / 3.6 / twice_mps2)
    covered_mps = main.widest.covers_kmh / 3.6
    assert covered_mps * (fixed_s + covered_mps / twice_mps2) == pytest.approx(main.reach_m)
    for lead in (main, branch):
        adds = lead.adds.night_s + lead.adds.wet_s + lead.adds.fog_s
        assert lead.longest.horizon_s + adds == pytest.approx(lead.widest.horizon_s)
        assert lead.widest.gives_s == min(lead.widest.horizon_s, lead.reach_m / (80 / 3.6))


def test_a_wider_night_makes_the_warning_wider_and_a_policy_that_adds_nothing_is_told_once() -> None:
    def most(policy: str) -> list[str]:
        _config, told = check_text(widened(SITE, policy), "site.yaml")
        return [problem.render("en") for problem in told if problem.code == "short_widest"]

    (usual,) = most("{hold_s: 3}")
    (wider,) = most("{widen: {night_s: 3, wet_s: 3}}")
    assert "night +0.5 s" in usual and "4.5 s of 12.0 s" in usual
    assert "night +3.0 s, wet road +3.0 s, fog up to +1.5 s" in wider and "4.5 s of 17.0 s" in wider
    assert most("{widen: {night_s: 0, wet_s: 0, low_visibility_s: 0, wet_deceleration_factor: 1}}") == []


def test_a_reach_that_gives_the_most_that_may_be_needed_is_not_warned_of() -> None:
    far = SITE.replace("reach_m: 100", "reach_m: 250").replace("ld2451", "ops243").replace("kmh: 80", "kmh: 60")
    _config, told = check_text(far, "site.yaml")
    assert not [problem for problem in told if problem.code.startswith("short")]
    assert of(far, "branch_south")["widest"]["short_s"] == 0.0  # type: ignore[index]


def test_a_camera_alone_gives_what_its_zones_say_that_it_surely_sees() -> None:
    """40 m at 80 km/h: 1.8 of a truck's 9.5 s."""
    camera = (
        "cameras: {c_east: {driver: opencv, source: '0', zones: {main_east: {REACH"
        "approach: [[0, 0], [1, 0], [1, 1]]}}}}"
    )
    radar = next(line for line in SITE.splitlines() if line.startswith("radars:"))
    told = SITE.replace(radar, camera.replace("REACH", "reach_m: 40, "))
    lead = of(told, "branch_south")
    assert (lead["sensor"], lead["reach_m"], lead["lead_s"]) == ("c_east", 40.0, 1.8)
    warned = problems(validate(parse_yaml(told)))
    assert {problem.path for problem in warned} == {"cameras.c_east.zones.main_east.reach_m"}
    assert leads(validate(parse_yaml(SITE.replace(radar, camera.replace("REACH", ""))))) == []
    both = SITE + camera.replace("REACH", "reach_m: 40, ") + "\n"
    assert of(both, "branch_south")["sensor"] == "r_east", "who sees farther counts"


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


def test_config_check_prints_the_longest_gap_in_both_languages(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(widened(SITE, "{gap_s: {tricycle: 20}}"), encoding="utf-8")
    english = CliRunner().invoke(cli, ["--lang", "en", "config", "check", str(path)])
    assert english.exit_code == 0
    assert "    tricycle: 4.5 s of 20.0 s; 15.5 s short; covers up to 18 km/h" in english.output.splitlines()
    compile_catalogue()
    chinese = CliRunner().invoke(cli, ["--lang", "zh", "config", "check", str(path)])
    assert "    三轮车:4.5 s,需要 20.0 s;差 15.5 s;车速 18 km/h 以内够用" in chinese.output.splitlines()


def test_config_check_prints_it_and_ends_well(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    done = CliRunner().invoke(cli, ["--lang", "en", "config", "check", str(path)])
    assert done.exit_code == 0, done.output
    line = "r_east 100 m at 80 km/h: 4.5 s of the 9.5 s needed; 5.0 s short; covers up to 37 km/h"
    assert f"branch_south ← main_east: {line}" in done.output
    assert "by day and for the design user" in done.output
    most = "    night +0.5 s, wet road +0.5 s, fog up to +1.5 s: 4.5 s of 12.0 s; 7.5 s short; covers up to 30 km/h"
    assert most in done.output.splitlines()
    said = json.loads(CliRunner().invoke(cli, ["config", "check", "--json", str(path)]).stdout)
    assert [row["face"] for row in said["lead"]] == ["main_east", "branch_south"]
    assert said["ok"] is True
