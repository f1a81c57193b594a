"""The journal on a disk that is full, read-only, damaged, moved away, or under a process that is killed."""

import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from device.events import EventKind
from device.journal import QUARANTINE_KEEP, JournalWriter
from device.journal_reader import JournalReader
from hal.clock import SYSTEM_CLOCK
from tests.support.journals import alert, event, numbers, rows_of, wait_for

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def small_disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A file system of 6 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs the program mount")
    if done.returncode != 0:
        pytest.skip(f"needs the right to mount a small tmpfs: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: pathlib.Path, name: str = "filler") -> pathlib.Path:
    filler = folder / name
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    return filler


def test_a_full_disk_loses_nothing_that_fits_in_memory_and_heals_by_itself(small_disk: pathlib.Path) -> None:
    path = small_disk / "journal.db"
    writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.02)
    writer.append(alert(0))
    assert writer.flush(10)
    fillers = [fill(small_disk, "filler_0")]
    sent = 1
    while writer.problem() is None or writer.flush(0.1):  # what the journal had held in reserve is taken from it too
        writer.append(alert(sent))
        sent += 1
        fillers.append(fill(small_disk, f"filler_{sent}"))
    assert "full" in (writer.problem() or "")
    for n in range(sent, sent + 400):
        writer.append(alert(n))
    assert not writer.flush(0.1)
    for filler in fillers:
        filler.unlink()
    assert writer.flush(20)
    assert writer.problem() is None
    writer.close()
    assert numbers(path) == list(range(sent + 400))


def test_on_a_full_disk_old_events_below_alert_make_room_for_an_alert(small_disk: pathlib.Path) -> None:
    path = small_disk / "journal.db"
    writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.02)
    for n in range(1000):
        writer.append(event(EventKind.VOICE if n % 2 else EventKind.ALERT, n))
    assert writer.flush(10)
    fill(small_disk)
    sent = 1000
    while writer.problem() is None and writer.counters()["pruned"] == 0:
        writer.append(alert(sent))
        sent += 1
        assert sent < 20_000, "the disk never got full"
        writer.flush(0.05)
    assert writer.flush(20), "freed pages take the alert although the disk is still full"
    writer.close()
    kept = numbers(path)
    assert [n for n in kept if n >= 1000 or n % 2 == 0] == [n for n in range(sent) if n >= 1000 or n % 2 == 0]
    voices = [n for n in kept if n < 1000 and n % 2]
    assert voices == list(range(1001 - 2 * len(voices), 1000, 2)), "the oldest went first"


def test_a_disk_that_turns_read_only_is_an_alarm_and_heals(small_disk: pathlib.Path) -> None:
    path = small_disk / "journal.db"
    writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.02)
    writer.append(alert(0))
    assert writer.flush(10)
    writer.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.02)
    for n in range(1, 50):
        writer.append(alert(n))
    wait_for(lambda: writer.problem() is not None, "the alarm")
    assert "49 events in memory" in (writer.problem() or "")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert writer.flush(20)
    writer.close()
    assert numbers(path) == list(range(50))


FILE_SIZE_LIMIT = """
import json, pathlib, resource, signal, sys
from device.journal import JournalWriter
from hal.clock import SYSTEM_CLOCK
from tests.support.journals import alert
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = JournalWriter(pathlib.Path(sys.argv[1]), SYSTEM_CLOCK, retry_s=0.02)
writer.append(alert(0))
assert writer.flush(10)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (96 * 1024, hard))
for n in range(1, 2000):
    writer.append(alert(n))
refused = not writer.flush(1)
problem = writer.problem()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
healed = writer.flush(20)
print(json.dumps({"refused": refused, "problem": problem, "healed": healed, "after": writer.problem()}))
writer.close()
"""


def test_writes_that_the_kernel_refuses_are_tried_again_until_they_succeed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.db"
    done = subprocess.run(
        [sys.executable, "-c", FILE_SIZE_LIMIT, str(path)], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    answer = json.loads(done.stdout)
    assert answer["refused"] and answer["problem"] and answer["healed"] and answer["after"] is None
    assert numbers(path) == list(range(2000))


KILLED_WRITER = """
import os, pathlib, sys
from device.journal import JournalWriter
from hal.clock import SYSTEM_CLOCK
from tests.support.journals import alert
writer = JournalWriter(pathlib.Path(sys.argv[1]), SYSTEM_CLOCK)
writer.flush(5)
n = int(sys.argv[2])
while True:
    for _ in range(7):
        writer.append(alert(n))
        n += 1
    if writer.flush(20):
        os.write(1, b"%d\\n" % n)
"""


def test_killing_the_writer_loses_no_acknowledged_event(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.db"
    streams = set()
    start = 0
    for round_ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED_WRITER, str(path), str(start)], cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for _ in range(3 + 5 * round_):
                line = process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
            rest = process.stdout.read().splitlines()
        acknowledged = int(next((entry for entry in reversed([line, *rest]) if entry.strip()), line))
        kept = numbers(path)
        assert kept == list(range(len(kept))), "in order, none twice, none missing"
        assert len(kept) >= acknowledged, "an acknowledged event is gone"
        streams |= {row.stream for row in rows_of(path)}
        start = len(kept)
    assert len(streams) == 1


def damage_the_header(path: pathlib.Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(100))


def damage_a_page_in_the_middle(path: pathlib.Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(os.urandom(4096))


def damage_what_only_a_check_sees(path: pathlib.Path) -> None:
    """Cell pointers of one leaf: opening and counting do not follow them, reading those rows later would."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096 + 8)
        file.write(b"\xff" * 32)


def cut_in_half(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 13)


def replace_by_text(path: pathlib.Path) -> None:
    path.write_text("this is no database\n" * 400)


def another_programs_database(path: pathlib.Path) -> None:
    import sqlite3

    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE events (x)")
        other.execute("PRAGMA user_version=1")
    other.close()


@pytest.mark.parametrize(
    "damage",
    [
        damage_the_header,
        damage_a_page_in_the_middle,
        damage_what_only_a_check_sees,
        cut_in_half,
        replace_by_text,
        another_programs_database,
    ],
)
def test_a_damaged_journal_is_put_aside_and_a_new_stream_begins(
    tmp_path: pathlib.Path, damage: Callable[[pathlib.Path], None]
) -> None:
    path = tmp_path / "journal.db"
    writer = JournalWriter(path, SYSTEM_CLOCK)
    for n in range(2000):
        writer.append(alert(n))
    assert writer.flush(10)
    old_stream = writer.stream()
    writer.close()
    damage(path)
    damaged = path.read_bytes()

    writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.01)
    writer.append(alert(5000))
    assert writer.flush(20)
    assert writer.problem() is None
    assert writer.stream() not in (None, old_stream)
    assert writer.counters()["quarantined"] == 1
    writer.close()
    assert numbers(path) == [5000]
    (told,) = [row.body for row in rows_of(path) if row.kind == EventKind.JOURNAL]
    assert told["state"] == "new_stream" and (tmp_path / told["aside"]).exists()
    aside = [file for file in tmp_path.glob("journal.db.damaged-*") if not file.name.endswith(("-wal", "-shm"))]
    assert len(aside) == 1
    assert aside[0].read_bytes()[-100:] == damaged[-100:], "kept as it was for whoever looks into it"


def test_a_journal_damaged_again_and_again_does_not_fill_the_disk_with_the_dead(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.db"
    for n in range(QUARANTINE_KEEP + 3):
        path.write_bytes(os.urandom(8192))
        writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.01)
        writer.append(alert(n))
        assert writer.flush(20)
        writer.close()
    assert len(list(tmp_path.glob("journal.db.damaged-*"))) == QUARANTINE_KEEP


def test_an_open_reader_follows_a_journal_that_was_put_aside(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.db"
    writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.01)
    writer.append(alert(1))
    assert writer.flush(10)
    reader = JournalReader(path)
    old_stream = reader.stream()
    writer.close()
    # The open reader keeps the WAL alive, and page 1 in it would be read instead of the damaged one.
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    replace_by_text(path)
    writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.01)
    writer.append(alert(2))
    assert writer.flush(20)
    assert reader.stream() == writer.stream() != old_stream
    assert {row.stream for row in reader.after(0, 10)} == {writer.stream()}
    assert numbers(path) == [2]
    reader.close()
    writer.close()


@pytest.mark.parametrize("gone", ["deleted", "moved"])
def test_a_journal_taken_away_under_the_writer_does_not_swallow_what_follows(tmp_path: pathlib.Path, gone: str) -> None:
    path = tmp_path / "journal.db"
    writer = JournalWriter(path, SYSTEM_CLOCK)
    writer.append(alert(1))
    assert writer.flush(10)
    if gone == "deleted":
        path.unlink()
    else:
        path.rename(tmp_path / "elsewhere.db")
    writer.append(alert(2))
    assert writer.flush(20)
    writer.close()
    assert numbers(path) == [2]


def test_no_journal_can_be_made_where_there_is_no_folder(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "not_yet" / "journal.db"
    writer = JournalWriter(path, SYSTEM_CLOCK, retry_s=0.02)
    writer.append(alert(1))
    wait_for(lambda: writer.problem() is not None, "the alarm")
    assert str(path) in (writer.problem() or "")
    path.parent.mkdir()
    assert writer.flush(20)
    writer.close()
    assert numbers(path) == [1]
