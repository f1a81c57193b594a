"""Bad input: a site file that is wrong is refused with file, line, path, value and what is allowed."""

import json
import pathlib

import pytest

from configs import loader
from configs.errors import MESSAGES, WARNINGS, ConfigError, Problem
from device.site import check_site, check_text, compile_guard, config_hash, section_hashes, write_compiled
from tests.support.site_files import DESK, EXAMPLES, with_change, write


def refused(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        check_text(text, "site.yaml")
    return caught.value.problems


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_shipped_example_passes(path: pathlib.Path) -> None:
    config, _warnings = check_site(path)
    assert config.lamps


def test_three_examples_are_shipped() -> None:
    assert {path.stem for path in EXAMPLES} >= {"t_junction", "crossing", "lamp_only_post"}


WRONG = [
    # what stands there, what is written instead, code, path, value, part of what is allowed
    ("hold_s: 3 ", "hold_sec: 3 ", "similar_key", "policy.hold_sec", 3, "hold_s"),
    ("hold_s: 3 ", "colour: 3 ", "unknown_key", "policy.colour", 3, "hold_s"),
    ("hold_s: 3 ", "hold_s: 300 ", "out_of_range", "policy.hold_s", 300, "1 … 30"),
    ("hold_s: 3 ", "hold_s: 3s ", "wrong_type", "policy.hold_s", "3s", "number"),
    ("hold_s: 3 ", "hold_s: true ", "wrong_type", "policy.hold_s", True, "number"),
    ('hold_s: 3 ', 'hold_s: "3" ', "wrong_type", "policy.hold_s", "3", "number"),
    ("hold_s: 3 ", "hold: 3 ", "missing_unit", "policy.hold", 3, "seconds"),
    ("reach_m: 120", "reach: 120", "missing_unit", "radars.r_east.reach", 120, "metres"),
    ("limit_kmh: 40,", "limit: 40,", "missing_unit", "approaches.main_east.limit", 40, "kilometres per hour"),
    ("road: main,", "road: side,", "bad_choice", "approaches.main_east.road", "side", "main | branch"),
    ("conflicts: [main_east]", "conflicts: [main_est]", "unknown_approach", "approaches.branch_south.conflicts.0",
     "main_est", "main_east"),
    ('start: "21:00"', 'start: "24:10"', "bad_text", "voice.quiet_hours.start", "24:10", "HH:MM"),
    ("r_east: {", "R-East: {", "bad_text", "radars.R-East", "R-East", "lower-case"),
    ("pin: 27,", "pin: 99,", "out_of_range", "lamps.l_main.pin", 99, "0 … 27"),
    ("pin: 27,", "pin: seven,", "wrong_type", "lamps.l_main.pin", "seven", "whole number"),
    ("pin: 27,", "pim: 27,", "similar_key", "lamps.l_main.pim", 27, "pin"),
    ("driver: ld2451", "driver: ld9999", "unknown_driver", "radars.r_east.driver", "ld9999", "ops243"),
    ("pin: 27,", "pin: 17,", "claimed_twice", "lamps.l_main.pin", 17, "a pin"),
    ("pin: 22,", "pin: 27,", "claimed_twice", "heartbeat.pin", 27, "a pin"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "path", "value", "allowed"), WRONG, ids=lambda value: str(value)[:24])
def test_what_is_wrong_is_named(old: str, new: str, code: str, path: str, value: object, allowed: str) -> None:
    text = with_change(old, new)
    problem = next(found for found in refused(text) if found.code == code)
    assert (problem.file, problem.path, problem.value) == ("site.yaml", path, value)
    assert problem.line == line_of(DESK, old)
    assert problem.allowed is not None and allowed in problem.allowed.en
    for lang in ("zh", "en"):
        line = problem.render(lang)
        assert f"site.yaml:{problem.line}: {path}: " in line
        assert json.dumps(value) in line
        assert problem.allowed.of(lang) in line


def test_two_devices_on_one_pin_names_both_lines() -> None:
    text = with_change("pin: 27,", "pin: 17,")
    [problem] = refused(text)
    assert problem.params["other"] == "lamps.l_branch.pin"
    assert problem.params["other_line"] == line_of(text, "l_branch:")
    assert "lamps.l_branch.pin" in problem.render("zh")


def test_two_radars_on_one_port_are_refused() -> None:
    again = "  r_twin: {driver: ops243, url: /dev/ttyAMA0, approach: main_east}\nlamps:"
    problems = refused(with_change("lamps:", again))
    assert [problem.code for problem in problems] == ["claimed_twice"]
    assert problems[0].path == "radars.r_twin.url"


def test_a_missing_unit_does_not_also_count_as_a_missing_key() -> None:
    assert [problem.code for problem in refused(with_change("limit_kmh: 40,", "limit: 40,"))] == ["missing_unit"]


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        with_change("limit_kmh: 40,", "limit_kmh: 400,")
        .replace("hold_s: 3", "hold_s: 99")
        .replace("site: {id", "site: {ix")
    )
    lines = [problem.line for problem in refused(text)]
    assert len(lines) >= 3
    assert lines == sorted(lines, key=lambda line: line or 0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: !!python/object:os.system x\n", "tag"),
        ("a: &x [1]\nb: *x\n", "anchor"),
        ("site: {}\nsite: {}\n", "duplicate_key"),
        ("%YAML 1.1\n---\na: 1\n", "directive"),
        ("a: 1\n---\nb: 2\n", "documents"),
        ("a: .inf\n", "not_finite"),
        ("a: 1e999\n", "not_finite"),
        ("a: " + "9" * 5000 + "\n", "not_finite"),
        ("a: " + "[" * 5000, "too_deep"),
        ("a: " + "x" * 300_000, "too_big"),
        ("a: [1, 2\n", "syntax"),
        ("\ta: 1\n", "syntax"),
        ("just words\n", "syntax"),
        ("", "syntax"),
        ("a: \x00\n", "syntax"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_yaml_that_could_hurt_is_refused_before_it_is_built(text: str, code: str) -> None:
    assert [problem.code for problem in refused(text)] == [code]


def test_a_file_that_is_not_there_or_not_text(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        loader.load_site(tmp_path / "none.yaml")
    broken = tmp_path / "site.yaml"
    broken.write_bytes(b"site: \xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        loader.load_site(broken)


def test_clock_times_stay_text_and_octal_looking_numbers_stay_decimal() -> None:
    assert loader.parse_yaml("a: 21:00\nb: 017\nc: 0x1F\nd: on\n").values == {"a": "21:00", "b": 17, "c": 31, "d": "on"}


def test_every_message_is_in_both_languages() -> None:
    assert set(MESSAGES) >= WARNINGS
    for code, text in MESSAGES.items():
        assert text.en.isascii(), code
        assert text.zh == text.en or not text.zh.isascii(), code


def test_a_short_reach_is_a_warning_with_the_seconds() -> None:
    text = with_change("limit_kmh: 40,  ", "limit_kmh: 60,  ").replace("reach_m: 120", "reach_m: 100")
    _config, warnings = check_text(text, "site.yaml")
    [warning] = [found for found in warnings if found.code == "short_horizon"]
    assert warning.is_warning
    assert "6.0 s" in warning.render("en") and "9.5 s" in warning.render("zh")
    assert not [found for found in check_text(DESK, "site.yaml")[1] if found.code == "short_horizon"]
    [most] = [found for found in check_text(DESK, "site.yaml")[1] if found.code == "short_widest"]
    assert "单体货车 9.5 s、夜间加 0.5 s" in most.render("zh") and "10.8 s of 12.0 s" in most.render("en")


def test_an_unwatched_main_road_and_a_missing_heartbeat_are_warnings() -> None:
    text = DESK.replace(DESK[DESK.index("radars:") : DESK.index("lamps:")], "")
    text = text.replace(DESK[DESK.index("heartbeat:") : DESK.index("\npolicy:")], "")
    codes = {warning.code for warning in check_text(text, "site.yaml")[1]}
    assert codes == {"unwatched", "no_heartbeat"}


def test_compiled_files_say_the_same_and_are_replaced_whole(tmp_path: pathlib.Path) -> None:
    config, _warnings = check_site(write(tmp_path))
    write_compiled(config, tmp_path / "run")
    assert loader.load_site(tmp_path / "run" / "site.json") == config
    guard = json.loads((tmp_path / "run" / "guard.json").read_text())
    assert guard == compile_guard(config)
    assert guard["lease_cap_ms"] == 150
    assert guard["lamps"]["l_branch"] == {"driver": "gpio", "options": {"pin": 17, "pin_factory": "mock"}}
    assert guard["heartbeat"] == {"driver": "gpio", "options": {"pin": 22, "pin_factory": "mock"}}
    assert guard["patterns"]["fault"] == {"period_s": 1.0, "lit_pct": 50.0}
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"site.json", "guard.json"}


def test_hashes_change_with_the_section_and_with_nothing_else() -> None:
    one, _ = check_text(DESK, "a")
    same, _ = check_text(DESK.replace("hold_s: 3 ", "hold_s: 3.0 "), "b")
    other, _ = check_text(DESK.replace("hold_s: 3 ", "hold_s: 4 "), "c")
    assert section_hashes(one) == section_hashes(same)
    assert config_hash(one) == config_hash(same) != config_hash(other)
    differing = {name for name, value in section_hashes(one).items() if section_hashes(other)[name] != value}
    assert differing == {"policy"}


@pytest.mark.parametrize(("old", "new"), [("hold_s: 3", "hold_s: 3]"), ("hold_s: 3", "hold_s: -1")])
def test_the_same_text_in_two_files_is_told_of_each_by_its_own_name(old: str, new: str) -> None:
    text = with_change(old, new)
    for file in ("one.yaml", "two.yaml", "one.yaml"):
        with pytest.raises(ConfigError) as told:
            check_text(text, file)
        assert {(problem.file, problem.line is None) for problem in told.value.problems} == {(file, False)}
    assert loader.parse_yaml(text.replace(new, old)).values is loader.parse_yaml(text.replace(new, old)).values
