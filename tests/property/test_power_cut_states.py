"""What a power cut may leave of a folder, by the system calls of a program as strace writes them."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.county.power_cut.calls import TraceError, parse
from tools.county.power_cut.disk import MOST_STATES, Disk, Tree

ROOT = "/node"


def hexed(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def path(name: str) -> str:
    return hexed(f"{ROOT}/{name}" if name else ROOT)


def made(name: str, data: bytes, *, synced: bool) -> list[str]:
    """Lines of strace: a file is made and written."""
    lines = [f"7 openat(AT_FDCWD, {path(name)}, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 3"]
    lines += [f"7 write(3, {hexed(data)}, {len(data)}) = {len(data)}"]
    return lines + ["7 fsync(3) = 0"] * synced + ["7 close(3) = 0"]


def renamed(old: str, new: str) -> list[str]:
    return [f"7 rename({path(old)}, {path(new)}) = 0"]


def folder_synced(name: str = "") -> list[str]:
    return [f"7 openat(AT_FDCWD, {path(name)}, O_RDONLY|O_CLOEXEC|O_DIRECTORY) = 3", "7 fsync(3) = 0", "7 close(3) = 0"]


def left(lines: list[str], before: Tree | None = None) -> list[Tree]:
    """What may be there after these calls."""
    disk = Disk(ROOT, before or {})
    for call in parse(lines):
        disk.does(call)
    found, drawn = disk.states((), random.Random(1))
    assert not drawn
    return found


def test_what_is_written_synced_renamed_and_synced_is_the_new_one() -> None:
    lines = [*made(".a", b"new!", synced=True), *renamed(".a", "a")]
    assert {tree["a"] for tree in left(lines, {"a": b"old"})} == {b"old", b"new!"}
    assert left([*lines, *folder_synced()], {"a": b"old"}) == [{"a": b"new!"}]


def test_a_rename_may_be_there_before_what_was_written() -> None:
    lines = [*made(".a", b"new!", synced=False), *renamed(".a", "a"), *folder_synced()]
    assert {tree["a"] for tree in left(lines, {"a": b"old"})} == {b"", b"ne", b"\0\0\0\0", b"new!"}


def test_a_file_is_lost_with_a_folder_that_the_disk_does_not_know() -> None:
    lines = [f"7 mkdir({path('sub')}, 0777) = 0", *made("sub/a", b"1", synced=True), *folder_synced("sub")]
    assert sorted(left(lines), key=len) == [{}, {"sub": None, "sub/a": b"1"}]
    assert left([*lines, *folder_synced()]) == [{"sub": None, "sub/a": b"1"}]


def test_what_was_removed_may_come_back_alone() -> None:
    lines = [f"7 unlink({path(name)}) = 0" for name in ("a", "b")]
    found = left(lines, {"a": b"1", "b": b"2"})
    assert [set(tree) for tree in found] == [{"a", "b"}, {"a"}, {"b"}, set()]


def test_a_file_that_is_written_over_keeps_the_rest_and_one_that_is_appended_to_its_beginning() -> None:
    over = [f"7 openat(AT_FDCWD, {path('a')}, O_RDWR|O_CLOEXEC) = 3", f"7 write(3, {hexed('XY')}, 2) = 2"]
    assert left([*over, "7 fsync(3) = 0"], {"a": b"abc"}) == [{"a": b"XYc"}]
    after = [f"7 openat(AT_FDCWD, {path('a')}, O_WRONLY|O_APPEND|O_CLOEXEC) = 3", f"7 write(3, {hexed('XY')}, 2) = 2"]
    assert left([*after, "7 fsync(3) = 0"], {"a": b"abc"}) == [{"a": b"abcXY"}]
    cut = [f"7 openat(AT_FDCWD, {path('a')}, O_RDWR|O_CLOEXEC) = 3", "7 ftruncate(3, 1) = 0", "7 fsync(3) = 0"]
    assert left(cut, {"a": b"abc"}) == [{"a": b"a"}]


def test_a_call_that_failed_and_one_elsewhere_change_nothing() -> None:
    lines = [f"7 unlink({path('a')}) = -1 ENOENT (No such file or directory)", f"7 unlink({hexed('/tmp/a')}) = 0"]
    assert left(lines, {"a": b"1"}) == [{"a": b"1"}]


@pytest.mark.parametrize(
    "line",
    [
        f"7 link({path('a')}, {path('b')}) = 0",
        f"7 rename({path('a')}, {path('sub/a')}) = 0",
        f"7 rename({hexed('/tmp/a')}, {path('a')}) = 0",
        f"7 truncate({path('a')}, 0) = 0",
        "7 sync() = 0",
        "7 io_uring_setup(8, {}) = 4",
        "7 clone3({flags=0}, 88) = 8",
        f"8 unlink({path('a')}) = 0",
        "7 unlink( <unfinished ...>",
        f"7 write(3, {hexed('abc')}..., 5) = 5",
    ],
)
def test_what_is_not_understood_is_an_error(line: str) -> None:
    opened = f"7 openat(AT_FDCWD, {path('a')}, O_WRONLY|O_CLOEXEC) = 3"
    with pytest.raises(TraceError):
        left([opened, line], {"a": b"1", "sub": None})


def test_where_there_are_too_many_some_are_drawn_and_that_is_told() -> None:
    disk = Disk(ROOT, {})
    lines = itertools.chain.from_iterable(made(f"f{n}", b"1", synced=True) for n in range(11))
    for call in parse(list(lines)):
        disk.does(call)
    found, drawn = disk.states((), random.Random(1))
    assert drawn and len(found) <= MOST_STATES
    assert {} in found and disk.tree() in found, "the least and the most are always looked at"


NAMES = st.sampled_from(["a", "b", "c"])


@st.composite
def programs(draw: st.DrawFn) -> list[str]:
    """A few writes, renames and removals in one folder."""
    there: set[str] = set()
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        name = draw(NAMES)
        if name not in there:
            lines += made(name, draw(st.binary(max_size=3)), synced=draw(st.booleans()))
            there.add(name)
        elif draw(st.booleans()):
            lines.append(f"7 unlink({path(name)}) = 0")
            there.remove(name)
        else:
            other = draw(NAMES.filter(lambda other, name=name: other != name))  # type: ignore[misc]
            lines += renamed(name, other)
            there = there - {name} | {other}
        if draw(st.booleans()):
            lines += folder_synced()
    return lines


@given(programs())
def test_what_the_program_sees_is_among_the_states_and_all_there_is_once_everything_is_synced(lines: list[str]) -> None:
    disk = Disk(ROOT, {})
    for call in parse(lines):
        disk.does(call)
    assert disk.tree() in left(lines)
    every = [
        [f"7 openat(AT_FDCWD, {path(name)}, O_RDONLY|O_CLOEXEC) = 3", "7 fsync(3) = 0", "7 close(3) = 0"]
        for name in disk.tree()
    ]
    assert left([*lines, *itertools.chain.from_iterable(every), *folder_synced()]) == [disk.tree()]
