"""A technician changes one value: every other byte of the file stays, whatever the value and the layout."""

import contextlib
import pathlib
import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from configs import edit, yaml_text
from configs.errors import ConfigError
from tests.support.site_files import DESK, EXAMPLES

SCALARS = [
    ("policy.hold_s", "3"),
    ("policy.gap_s.car", "7.5"),
    ("policy.gap_s.truck", "9.5"),
    ("site.name", "桌面路口"),
    ("lamps.l_main.pin", "27"),
    ("approaches.main_east.conflicts.0", "branch_south"),
    ("voice.quiet_hours.start", '"21:00"'),
]

numbers = st.one_of(st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6, allow_nan=False).map(lambda n: round(n, 3)))
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn", "Co"]), max_size=20)
values = st.one_of(numbers.map(str), st.booleans().map(lambda b: str(b).lower()), words, words.map(repr))


def at(values_: Any, path: str) -> Any:
    return edit.get_value(values_, path)


@given(st.sampled_from(SCALARS), values)
def test_a_changed_value_reads_back_and_nothing_else_moves(target: tuple[str, str], value_text: str) -> None:
    path, old = target
    with contextlib.suppress(ConfigError):
        value = yaml_text.parse_value(value_text)
        new_text = edit.set_value(DESK, path, value_text)
        before, after = yaml_text.parse(DESK).plain(), yaml_text.parse(new_text).plain()
        assert at(after, path) == value
        head, tail = _around(path, old)
        assert new_text.startswith(head)
        assert new_text.endswith(tail)
        _set(before, path, value)
        assert before == after


def _around(path: str, old: str) -> tuple[str, str]:
    node = yaml_text.parse(DESK)
    for part in edit.split_path(path):
        node = node.children[part]
    assert DESK[node.start : node.end] == old
    return DESK[: node.start], DESK[node.end :]


def _set(values_: Any, path: str, value: Any) -> None:
    *parents, last = edit.split_path(path)
    for part in parents:
        values_ = values_[part]
    values_[last] = value


@given(
    st.sampled_from(
        ["policy", "policy.gap_s", "site", "heartbeat", "night", "voice.quiet_hours", "lamp_patterns.alert"]
    ),
    st.text(string.ascii_lowercase, min_size=4, max_size=12),
    numbers,
)
def test_a_new_key_is_added_and_every_old_line_survives(section: str, key: str, number: float) -> None:
    if key in DESK:
        return
    new_text = edit.set_value(DESK, f"{section}.{key}", str(number))
    assert at(yaml_text.parse(new_text).plain(), f"{section}.{key}") == number
    for line in DESK.splitlines():
        comment = line.partition("#")[2]
        assert comment in new_text
    changed = [line for line in DESK.splitlines() if line not in new_text.splitlines()]
    assert len(changed) <= 1


@given(st.text(max_size=200), st.text(max_size=30), st.text(max_size=30))
@example("a: [1, 2]", "a.¹", "3")
@example("a: [1, 2]", "a[²]", "3")
def test_nonsense_is_refused_or_done_and_never_anything_else(text: str, path: str, value: str) -> None:
    try:
        new_text = edit.set_value(text, path, value)
    except ConfigError as error:
        assert error.problems[0].render("zh")
    else:
        assert at(yaml_text.parse(new_text).plain(), path) == yaml_text.parse_value(value)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_takes_a_new_hold_and_gives_it_back(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    changed = edit.set_value(text, "policy.hold_s", "4")
    assert at(yaml_text.parse(changed).plain(), "policy.hold_s") == 4
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in changed.splitlines() if line.startswith("#")
    ]


def test_an_empty_section_a_comment_after_it_and_windows_lines() -> None:
    assert (
        edit.set_value("bridge: # later\na: 1\n", "bridge.url", "mqtt://h") == "bridge: {url: mqtt://h} # later\na: 1\n"
    )
    assert edit.set_value("a: 1\r\nb:\r\n  c: 2\r\n", "b.d", "3") == "a: 1\r\nb:\r\n  c: 2\r\n  d: 3\r\n"
    assert edit.set_value("a: 1", "b", "3") == "a: 1\nb: 3"
    assert edit.set_value("v:\n  - {a: 1}\n", "v[0].a", "2") == "v:\n  - {a: 2}\n"


def test_a_whole_section_is_not_overwritten_by_mistake() -> None:
    for path in ("policy", "voice", "lamps"):
        with pytest.raises(ConfigError, match="whole section"):
            edit.set_value(DESK, path, "1")


def test_a_list_takes_the_place_of_a_list_of_lines_unless_a_comment_would_go() -> None:
    assert edit.set_value("v:\n  - 1\n  - 2\nw: 3 # kept\n", "v", "[4]") == "v: [4]\nw: 3 # kept\n"
    assert edit.set_value("v:\n- 1\n", "v", "[\n  4,\n  5]") == "v: [\n  4,\n  5]\n"
    for text, value in (("v:\n  - 1 # why\n  - 2\n", "[4]"), ("v:\n  - 1\n", "4"), ("- - 1\n", "[4]")):
        with pytest.raises(ConfigError):
            edit.set_value(text, "v", value)


def test_the_five_before_are_kept_and_rollback_walks_back(tmp_path: pathlib.Path) -> None:
    site, state = tmp_path / "site.yaml", tmp_path / "state"
    site.write_text("n: 0\n", encoding="utf-8")
    for number in range(1, 9):
        edit.install(site, f"n: {number}\n", state)
    assert [path.read_text() for path in edit.history(site, state)] == [f"n: {n}\n" for n in (7, 6, 5, 4, 3)]
    for wanted in (7, 6, 5, 4, 3):
        edit.rollback(site, state)
        assert site.read_text() == f"n: {wanted}\n"
    with pytest.raises(LookupError):
        edit.rollback(site, state)


def test_two_site_files_do_not_roll_back_into_each_other(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other, state = tmp_path / "a" / "site.yaml", tmp_path / "b" / "site.yaml", tmp_path / "state"
    one.write_text("n: 1\n")
    other.write_text("n: 2\n")
    edit.install(one, "n: 3\n", state)
    with pytest.raises(LookupError):
        edit.rollback(other, state)


def test_a_replaced_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path: pathlib.Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "site.yaml"
    real.write_text("n: 1\n")
    real.chmod(0o604)
    link.symlink_to(real)
    edit.install(link, "n: 2\n", tmp_path / "state")
    assert link.is_symlink() and real.read_text() == "n: 2\n"
    assert real.stat().st_mode & 0o777 == 0o604
