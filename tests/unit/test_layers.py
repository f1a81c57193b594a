"""The office's patches and the technician's changes over a site file: who wins, who may not, and who is to blame."""

import json
import pathlib

import pytest

from configs import layers, loader
from configs.errors import LAYERS, ConfigError, Problem
from configs.layers import Layer, Part
from configs.schema import SiteConfig
from device.site import check_source
from tests.support.site_files import DESK

ABOVE = (Layer.GROUP, Layer.NODE, Layer.LOCAL)
BRIDGE = "bridge: {url: mqtts://mqtt.example.net:8883, ca_file: /ca.pem, cert_file: /node.pem, key_file: /node.key}\n"


def part(layer: Layer, text: str) -> Part:
    return Part(layer, loader.parse_yaml(text, f"{layer}.yaml"))


SITE = part(Layer.SITE, DESK + BRIDGE)


def run(*above: tuple[Layer, str]) -> tuple[layers.Merged, SiteConfig, list[Problem]]:
    return layers.checked([SITE, *(part(layer, text) for layer, text in above)], check_source)


def refused(*above: tuple[Layer, str]) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        run(*above)
    return caught.value.problems


def test_the_later_layer_wins_and_the_rest_stays() -> None:
    merged, config, _warnings = run(
        (Layer.GROUP, "policy: {hold_s: 4, gap_s: {car: 8}}\nvoice: {speak_within_s: 6}"),
        (Layer.NODE, "policy: {hold_s: 5}\nvoice: null\napproaches: {main_east: {limit_kmh: 50}}"),
        (Layer.LOCAL, "policy: {gap_s: {car: null}}"),
    )
    assert config.policy.hold_s == 5
    assert config.policy.gap_s.truck == 9.5  # the site's, beside which the group changed another
    assert config.policy.gap_s.car == 7.5  # removed: the program's own again
    assert config.voice.quiet_hours.start == "21:00" and config.voice.speak_within_s == 5.0
    assert config.approaches["main_east"].limit_kmh == 50 and config.approaches["branch_south"].limit_kmh == 30
    origin = merged.provenance()
    assert origin[("policy", "hold_s")] is Layer.NODE
    assert origin[("policy", "gap_s", "truck")] is Layer.SITE
    assert origin[("approaches", "main_east", "limit_kmh")] is Layer.NODE
    assert ("voice", "quiet_hours", "start") not in origin
    removed = merged.origin(["voice", "quiet_hours", "start"])
    assert removed is not None and removed.layer is Layer.NODE  # a default stands there, and this is why
    assert merged.origin(["night", "start"]) is None


def test_a_null_in_a_site_file_is_no_patch() -> None:
    """What a node that was never enrolled refuses or takes is the same with layers."""
    empty = loader.parse_yaml(DESK + "conditions: {visibility_m: null}\n", "site.yaml")
    patched = [Part(Layer.SITE, empty), part(Layer.GROUP, "conditions: {wet: true}")]
    merged = layers.checked(patched, check_source)[0]
    assert merged.values["conditions"] == {"visibility_m": None, "wet": True}
    assert merged.provenance()[("conditions", "visibility_m")] is Layer.SITE
    broken = loader.parse_yaml(DESK.replace("  hold_s: 3 ", "  hold_s: null "), "site.yaml")
    with pytest.raises(ConfigError) as caught:
        layers.checked([Part(Layer.SITE, broken)], check_source)
    assert [(problem.path, problem.layer) for problem in caught.value.problems] == [("policy.hold_s", Layer.SITE)]


def test_a_node_without_patches_is_its_site_file() -> None:
    merged, config, _warnings = run()
    assert merged.values == SITE.source.values
    assert config == loader.validate(SITE.source)
    assert set(merged.provenance().values()) == {Layer.SITE}


NOT_FROM_OUTSIDE = [
    ("site: {id: 371500/n0666}", "site.id"),
    ("site: {name: 别处}", "site.name"),
    ("site: null", "site"),
    ("site: {}", "site"),
    ("lamps: null", "lamps"),
    ("lamps: {l_branch: null}", "lamps.l_branch"),
    ("lamps: {l_branch: {pin: 5}}", "lamps.l_branch.pin"),
    ("lamps: {l_branch: {driver: sim}}", "lamps.l_branch.driver"),
    ("lamps: {l_branch: {active_high: false}}", "lamps.l_branch.active_high"),
    ("lamps: {l_branch: {faces: [main_east]}}", "lamps.l_branch.faces"),
    ("heartbeat: null", "heartbeat"),
    ("radars: {r_east: {driver: sim}}", "radars.r_east.driver"),
    ("radars: {r_east: {to_conflict_m: 300}}", "radars.r_east.to_conflict_m"),
    ("radars: {r_east: {reach_m: 5}}", "radars.r_east.reach_m"),
    ("cameras: {c: {driver: sim, zones: {main_east: {reach_m: 5}}}}", "cameras.c.driver"),
    ("approaches: {main_east: null}", "approaches.main_east"),
    ("approaches: {branch_south: {conflicts: []}}", "approaches.branch_south.conflicts"),
    ("approaches: {main_east: {road: branch}}", "approaches.main_east.road"),
    ("approaches: {main_east: {one_way: out}}", "approaches.main_east.one_way"),
    ("recording: {images: true}", "recording.images"),
    ("recording: null", "recording"),
    ("bridge: {url: mqtts://elsewhere.example.net}", "bridge.url"),
    ("bridge: {password_file: /etc/shadow}", "bridge.password_file"),
    ("bridge: {cert_file: null, key_file: null}", "bridge.cert_file"),
    ("bridge: null", "bridge"),
    ("county: {wild: 1}", "county.wild"),
]


@pytest.mark.parametrize("layer", ABOVE)
@pytest.mark.parametrize(("text", "path"), NOT_FROM_OUTSIDE, ids=lambda value: str(value)[:40])
def test_what_stands_at_the_pole_is_changed_at_the_pole_alone(layer: Layer, text: str, path: str) -> None:
    problem = refused((layer, text))[0]
    assert (problem.code, problem.path, problem.layer, problem.file) == ("site_only", path, layer, f"{layer}.yaml")
    assert problem.line == 1 and problem.allowed is not None
    for lang in ("zh", "en"):
        line = problem.render(lang)
        assert path in line and LAYERS[layer].of(lang) in line and "sentinel config" in line
    assert problem.as_json("en")["layer"] == layer


def test_every_section_of_the_site_file_is_either_open_or_the_sites_own() -> None:
    """A new section is the site's until somebody has thought about it: then it is added here."""
    own = {"site", "lamps", "heartbeat", "radars", "cameras", "speakers"}
    opened = {pattern[0] for pattern in layers.OPEN}
    assert opened | own == set(SiteConfig.model_fields) and not opened & own


def test_a_patch_changes_what_is_there_and_begins_nothing() -> None:
    [approach] = refused((Layer.GROUP, "approaches: {main_west: {limit_kmh: 50}}"))
    assert (approach.code, approach.path) == ("not_at_site", "approaches.main_west.limit_kmh")
    assert approach.params["missing"] == "approaches.main_west"
    assert approach.allowed is not None and approach.allowed.en == "main_east, branch_south"
    alone = Part(Layer.SITE, loader.parse_yaml(DESK, "site.yaml"))
    with pytest.raises(ConfigError) as caught:
        layers.merged([alone, part(Layer.GROUP, "bridge: {health_every_s: 30}")])
    assert [problem.code for problem in caught.value.problems] == ["not_at_site"]
    assert run((Layer.GROUP, "bridge: {health_every_s: 30}"))[1].bridge is not None


def test_below_what_is_there_a_patch_may_begin_a_section() -> None:
    lane = "approaches: {main_east: {truck_right_turn: {lateral_from_m: -4, lateral_to_m: -1}}}"
    turn = run((Layer.NODE, lane))[1].approaches["main_east"].truck_right_turn
    assert turn is not None and turn.line_m == 5.0
    assert run((Layer.GROUP, "recording: {snapshots: true}"))[1].recording.snapshots


AWAY = [
    ("policy: {hold_s: 0.5}", "policy.hold_s"),
    ("policy: {min_on_s: 0}", "policy.min_on_s"),
    ("policy: {gap_s: {truck: 1}}", "policy.gap_s.truck"),
    ("policy: {gap_s: {car: 60}}", "policy.gap_s.car"),
    ("policy: {reaction_s: 1, margin_s: 0, deceleration_mps2: 6}", "policy.margin_s"),
    ("lamp_patterns: {caution: {lit_pct: 0}}", "lamp_patterns.caution.lit_pct"),
    ("lamp_patterns: {alert: {period_s: 3600}}", "lamp_patterns.alert.period_s"),
    ("lamp_patterns: {fault: {period_s: 3, lit_pct: 30}}", "lamp_patterns.fault.lit_pct"),
    ("night: {brightness_pct: 0}", "night.brightness_pct"),
    ("night: {start: '00:00', end: '00:00', brightness_pct: 20}", "night.brightness_pct"),
    ("detector: {threshold: 1}", "detector.threshold"),
]


@pytest.mark.parametrize("layer", ABOVE)
@pytest.mark.parametrize(("text", "path"), AWAY, ids=lambda value: str(value)[:40])
def test_no_layer_takes_the_life_out_of_a_warning(layer: Layer, text: str, path: str) -> None:
    harmless = [(other, "voice: {lockout_s: 9}") for other in ABOVE if other is not layer]
    given = [(layer, text), *harmless]
    [problem] = refused(*sorted(given, key=lambda item: ABOVE.index(item[0])))
    assert (problem.path, problem.layer, problem.file) == (path, layer, f"{layer}.yaml")


def test_layers_that_are_harmless_alone_and_not_together_name_the_one_that_makes_it_so() -> None:
    quick, short = "policy: {reaction_s: 1}", "policy: {margin_s: 0}"
    run((Layer.GROUP, quick + "\n"))
    [problem] = refused((Layer.GROUP, short.replace("0", "1")), (Layer.NODE, "voice: {lockout_s: 9}\n" + quick),
                        (Layer.LOCAL, "voice: {lockout_s: 10}"))  # fmt: skip
    assert (problem.code, problem.layer, problem.line) == ("rule", Layer.NODE, 2)


def test_two_layers_that_are_wrong_each_in_its_own_way_are_both_named() -> None:
    problems = refused(
        (Layer.GROUP, "night:\n  brightness_pct: 5"), (Layer.NODE, "policy:\n  hold_s: 0\n  colour: red")
    )
    assert {(problem.path, problem.layer, problem.line) for problem in problems} == {
        ("night.brightness_pct", Layer.GROUP, 2),
        ("policy.hold_s", Layer.NODE, 2),
        ("policy.colour", Layer.NODE, 3),
    }


def test_a_wrong_value_that_a_later_layer_makes_wrong_otherwise_is_the_later_ones() -> None:
    [problem] = refused((Layer.GROUP, "policy: {hold_s: 200}"), (Layer.NODE, "policy: {hold_s: 300}"))
    assert (problem.value, problem.layer) == (300, Layer.NODE)
    assert run((Layer.GROUP, "policy: {hold_s: 200}"), (Layer.NODE, "policy: {hold_s: 20}"))[1].policy.hold_s == 20


def test_what_is_wrong_with_the_site_file_is_not_put_on_the_office() -> None:
    broken = Part(Layer.SITE, loader.parse_yaml(DESK.replace("reach_m: 120", "reach_m: 1"), "site.yaml"))
    with pytest.raises(ConfigError) as caught:
        layers.checked([broken, part(Layer.GROUP, "policy: {hold_s: 4}")], check_source)
    assert [(problem.layer, problem.file) for problem in caught.value.problems] == [(Layer.SITE, "site.yaml")]


def test_a_warning_names_its_layer_too() -> None:
    fast = run((Layer.NODE, "approaches: {main_east: {limit_kmh: 100}}"))[2]
    assert [(found.code, found.layer) for found in fast if found.code == "short_horizon"] == [("short_horizon", "site")]
    assert "policy" not in {found.path for found in fast}


def test_a_patch_that_is_too_deep_or_too_big_is_refused_before_it_is_merged() -> None:
    deep: dict[str, object] = {}
    for _level in range(50_000):
        deep = {"policy": deep}
    big = {"policy": {f"k{number}": 1 for number in range(layers.MAX_VALUES)}}
    for values, code in ((deep, "too_deep"), (big, "too_big")):
        with pytest.raises(ConfigError) as caught:
            layers.merged([SITE, Part(Layer.GROUP, loader.Source("group.yaml", values, {}))])
        [problem] = caught.value.problems
        assert (problem.code, problem.file, problem.layer) == (code, "group.yaml", Layer.GROUP)


def test_the_largest_site_that_the_schema_takes_is_within_bounds() -> None:
    polygon = [[0.1, 0.1 + n / 100] for n in range(32)]
    points = [{"image": [0.1, 0.1], "distance_m": n, "lateral_m": 0} for n in range(16)]
    zones = {f"a{n}": {"wait": polygon, "approach": polygon, "reach_m": 50} for n in range(8)}
    camera = {"driver": "sim", "zones": zones, "ground": dict.fromkeys(zones, points)}
    values = {"cameras": dict.fromkeys(("c0", "c1", "c2", "c3"), camera)}
    assert layers.merged([Part(Layer.SITE, loader.Source("site.yaml", values, {}))]).values == values


def test_the_site_layer_comes_first_and_once() -> None:
    for wrong in ([part(Layer.GROUP, "policy: {}"), SITE], [SITE, SITE]):
        with pytest.raises(ValueError, match="first and once"):
            layers.merged(wrong)


def test_two_patches_that_no_single_one_can_stand_for_name_both_lines() -> None:
    fleet = loader.parse_yaml("night: {end: '05:00'}\nvoice: null", "fleet.yaml")
    group = loader.parse_yaml("policy: {hold_s: 4}\nvoice: {lockout_s: 9}", "groups/north.yaml")
    with pytest.raises(ConfigError) as caught:
        layers.compose(fleet, group)
    [problem] = caught.value.problems
    assert (problem.code, problem.file, problem.line) == ("cannot_compose", "groups/north.yaml", 2)
    assert "fleet.yaml" in problem.render("zh") and "2" in problem.render("zh")


def test_a_fleet_and_its_group_become_one_patch() -> None:
    fleet = loader.parse_yaml("policy: {hold_s: 4, min_on_s: 3}\nnight: {brightness_pct: 50}", "fleet.yaml")
    group = loader.parse_yaml("policy: {hold_s: 5, margin_s: null}\nnight: null", "groups/north.yaml")
    composed = layers.compose(fleet, group)
    assert composed == {"policy": {"hold_s": 5, "min_on_s": 3, "margin_s": None}, "night": None}
    assert json.loads(json.dumps(composed)) == composed


def test_the_examples_that_are_shipped_merge_with_nothing_to_themselves() -> None:
    for path in (pathlib.Path(loader.__file__).parent / "examples").glob("*.yaml"):
        found = loader.read(path)
        assert layers.merged([Part(Layer.SITE, found)]).values == found.values
