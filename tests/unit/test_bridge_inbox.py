"""What the bridge keeps of its group's bundles: the last, whole, once, whatever comes and whatever the clock says."""

import hashlib
import os
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_bridge.inbox import KEPT, WRITE_EVERY_NS, Inbox
from configs.bundle import MAX_PACKED_BYTES
from hal.clock import NS_PER_S, SYSTEM_CLOCK, VirtualClock

DAY_S = 86_400


def clock_of_today() -> VirtualClock:
    return VirtualClock(wall_ns=SYSTEM_CLOCK.wall_ns())


def receive(inbox: Inbox, clock: VirtualClock, *payloads: bytes) -> None:
    for payload in payloads:
        inbox.offer(payload)
        clock.advance_ns(WRITE_EVERY_NS)
        inbox.keep()


def newest(folder: pathlib.Path) -> pathlib.Path:
    """What a process that takes from the inbox takes."""
    return max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)


def test_a_bundle_lies_in_the_inbox_under_its_hash(tmp_path: pathlib.Path) -> None:
    clock = clock_of_today()
    receive(Inbox(tmp_path / "county" / "inbox", clock), clock, b"bundle")
    [path] = (tmp_path / "county" / "inbox").iterdir()
    assert path.name == f"{hashlib.sha256(b'bundle').hexdigest()}.bundle" and path.read_bytes() == b"bundle"


def test_the_same_again_is_not_written_also_when_it_was_taken_meanwhile(tmp_path: pathlib.Path) -> None:
    clock = clock_of_today()
    inbox = Inbox(tmp_path, clock)
    receive(inbox, clock, b"bundle")
    newest(tmp_path).unlink()
    receive(inbox, clock, b"bundle")
    assert not list(tmp_path.iterdir()) and inbox.health().received == 1


def test_one_that_was_said_before_another_and_comes_again_is_the_newest_again(tmp_path: pathlib.Path) -> None:
    clock = clock_of_today()
    receive(Inbox(tmp_path, clock), clock, b"good", b"a stranger's", b"good")
    assert newest(tmp_path).read_bytes() == b"good"


def test_a_new_bridge_does_not_write_again_what_lies_there_and_clears_away_a_half(tmp_path: pathlib.Path) -> None:
    clock = clock_of_today()
    receive(Inbox(tmp_path, clock), clock, b"bundle")
    before = newest(tmp_path).stat().st_ino
    (tmp_path / f".{'0' * 64}.bundle.x7").write_bytes(b"half")
    (tmp_path / ".by_hand").write_bytes(b"another's half")
    again = Inbox(tmp_path, clock)
    receive(again, clock, b"bundle")
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == {".by_hand"}
    assert again.health().received == 0
    assert [path.stat().st_ino for path in tmp_path.glob("*.bundle")] == [before]


def test_a_few_are_kept_and_what_was_put_in_by_hand_stays(tmp_path: pathlib.Path) -> None:
    clock = clock_of_today()
    (tmp_path / "by_hand.bundle").write_bytes(b"from a stick")
    receive(Inbox(tmp_path, clock), clock, *(b"bundle %d" % number for number in range(KEPT + 4)))
    kept = {path.read_bytes() for path in tmp_path.glob("*.bundle")}
    assert kept == {b"from a stick"} | {b"bundle %d" % number for number in range(4, KEPT + 4)}


@pytest.mark.parametrize("ahead_s", [30 * DAY_S, 400 * DAY_S])
def test_the_last_that_came_is_the_newest_though_the_clock_was_ahead_before(
    tmp_path: pathlib.Path, ahead_s: int
) -> None:
    clock = clock_of_today()
    receive(Inbox(tmp_path, clock), clock, b"first", b"second")
    (tmp_path / "by_hand.bundle").write_bytes(b"from a stick")
    for path in tmp_path.iterdir():
        future_ns = path.stat().st_mtime_ns + ahead_s * NS_PER_S
        os.utime(path, ns=(future_ns, future_ns))
    receive(Inbox(tmp_path, clock), clock, b"third")
    assert newest(tmp_path).read_bytes() == b"third"
    by_age = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert [path.read_bytes() for path in by_age] == [b"first", b"second", b"from a stick", b"third"], (
        "their order is kept"
    )


def test_a_flood_wears_the_flash_by_one_bundle_in_five_seconds_and_the_last_of_it_counts(
    tmp_path: pathlib.Path,
) -> None:
    clock = clock_of_today()
    inbox = Inbox(tmp_path, clock)
    receive(inbox, clock, b"the first at once")
    for number in range(10_000):
        inbox.offer(b"bundle %d" % number)
        inbox.keep()
    assert inbox.health().received == 1
    clock.advance_ns(WRITE_EVERY_NS)
    inbox.keep()
    assert inbox.health().received == 2 and newest(tmp_path).read_bytes() == b"bundle 9999"


def test_one_that_is_too_big_is_counted_and_named_until_a_good_one_comes(tmp_path: pathlib.Path) -> None:
    clock = clock_of_today()
    inbox = Inbox(tmp_path, clock)
    receive(inbox, clock, bytes(MAX_PACKED_BYTES + 1))
    assert not list(tmp_path.iterdir())
    assert inbox.health().too_big == 1 and str(MAX_PACKED_BYTES) in (inbox.health().problem or "")
    receive(inbox, clock, bytes(MAX_PACKED_BYTES))
    assert newest(tmp_path).stat().st_size == MAX_PACKED_BYTES
    assert inbox.health().too_big == 1 and inbox.health().problem is None


def test_what_cannot_be_written_is_named_and_tried_again(tmp_path: pathlib.Path) -> None:
    clock = clock_of_today()
    folder = tmp_path / "county"
    folder.write_text("a file where the folder should be")
    inbox = Inbox(folder / "inbox", clock)
    receive(inbox, clock, b"bundle")
    assert str(folder) in (inbox.health().problem or "")
    folder.unlink()
    inbox.keep()
    assert inbox.health().problem is not None, "not in a tight loop"
    clock.advance_ns(WRITE_EVERY_NS)
    inbox.keep()
    assert inbox.health().problem is None and newest(folder / "inbox").read_bytes() == b"bundle"


@settings(deadline=None, max_examples=40)
@given(
    payloads=st.lists(st.one_of(st.binary(max_size=4), st.just(bytes(MAX_PACKED_BYTES + 1))), min_size=1, max_size=12)
)
def test_whatever_comes_the_last_bundle_is_the_newest_file(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]
) -> None:
    clock = clock_of_today()
    folder = tmp_path_factory.mktemp("inbox")
    receive(Inbox(folder, clock), clock, *payloads)
    bundles = [payload for payload in payloads if 0 < len(payload) <= MAX_PACKED_BYTES]
    found = list(folder.iterdir())
    assert len(found) <= KEPT and {path.read_bytes() for path in found} <= set(bundles)
    if bundles:
        assert newest(folder).read_bytes() == bundles[-1]
