"""The cursor's way to a card that is slow, or cannot be written: nobody waits for it, and the newest gets there."""

import pathlib
import threading

import pytest

from cloud_bridge import cursor_file
from cloud_bridge.cursor_file import CursorFile
from configs.files import write_atomically
from tests.support.journals import wait_for


def test_a_slow_card_holds_up_nobody_and_gets_the_newest(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing, synced = threading.Event(), threading.Event()
    written: list[bytes] = []

    def slowly(path: pathlib.Path, data: bytes) -> None:
        syncing.set()
        assert synced.wait(10)
        write_atomically(path, data)
        written.append(data)

    monkeypatch.setattr(cursor_file, "write_atomically", slowly)
    cursor, path = CursorFile(), tmp_path / "outbox.json"
    cursor.write(path, b"1")
    assert syncing.wait(10)
    cursor.write(path, b"2")
    cursor.write(path, b"3")
    assert not path.exists(), "the card has not answered yet, and both calls have returned"
    synced.set()
    cursor.close()
    assert written == [b"1", b"3"] and path.read_bytes() == b"3" and cursor.problem is None


def test_what_cannot_be_written_is_named_and_tried_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursor_file, "AGAIN_S", 0.01)
    cursor, path = CursorFile(), tmp_path / "gone" / "outbox.json"
    cursor.write(path, b"1")
    wait_for(lambda: cursor.problem is not None, "the problem")
    assert "gone" in str(cursor.problem)
    path.parent.mkdir()
    wait_for(lambda: cursor.problem is None, "the problem leaving")
    assert path.read_bytes() == b"1"
    cursor.close()


def test_what_still_cannot_be_written_at_the_end_is_no_reason_to_stay(tmp_path: pathlib.Path) -> None:
    cursor = CursorFile()
    cursor.write(tmp_path / "gone" / "outbox.json", b"1")
    cursor.close()
    assert "gone" in str(cursor.problem)


def test_nothing_to_write_needs_no_thread() -> None:
    before = threading.active_count()
    CursorFile().close()
    assert threading.active_count() == before
