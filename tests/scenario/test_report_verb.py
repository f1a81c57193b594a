"""``sentinel report`` as a technician or a county officer runs it: on a node at work, on a copy, on a damaged one."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from tests.support.day_journal import at, duty, near_miss, passage, write

EAST, BRANCH = "main_east", "branch_south"
DAY = "2026-12-05"


def report(*arguments: object, lang: str = "en") -> subprocess.CompletedProcess[str]:
    """Runs the verb at a place in China."""
    command = [sys.executable, "-m", "device.cli", "report", "--lang", lang, *map(str, arguments)]
    environment = {**os.environ, "TZ": "Asia/Shanghai", "COLUMNS": "100"}
    environment.pop("SENTINEL_CONFIG", None)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def state(tmp_path: pathlib.Path) -> pathlib.Path:
    """The state folder of a node that had a quiet morning."""
    events: list[Any] = [passage(EAST, at(9, minute), met_lit=minute % 2 == 0) for minute in range(20)]
    write(tmp_path / "journal.db", [*events, near_miss(at(9, 3)), duty(at(9, 20), branch_south={"lit_s": 120.0})])
    return tmp_path


def test_a_day_as_text_json_and_page(state: pathlib.Path) -> None:
    page = state / "day.html"
    done = report("--day", DAY, "--state-dir", state, "--html", page)
    assert done.returncode == 0, done.stderr
    assert "20 road users passed." in done.stdout and "1 near misses." in done.stdout
    assert "was lit 20.0 % of the time" in done.stdout
    assert "<svg" in page.read_text(encoding="utf-8")
    answered = json.loads(report("--day", DAY, "--journal", state / "journal.db", "--json").stdout)
    assert answered["ok"] and answered["total"]["passed"] == {"car": 20} and answered["day"] == DAY
    assert answered["near_misses"][0]["t"] == "2026-12-05T01:03:00.000Z"


def test_chinese_unless_told(state: pathlib.Path) -> None:
    done = report("--day", DAY, "--state-dir", state, lang="zh")
    assert "20 个道路使用者通过路口" in done.stdout and "提前量" in done.stdout


def test_it_reads_beside_a_writing_node_and_changes_nothing(state: pathlib.Path) -> None:
    before = (state / "journal.db").read_bytes()
    assert report("--day", DAY, "--state-dir", state).returncode == 0
    assert (state / "journal.db").read_bytes() == before
    write(state / "journal.db", [passage(EAST, at(10))])
    answered = json.loads(report("--day", DAY, "--state-dir", state, "--json").stdout)
    assert answered["total"]["passed"] == {"car": 21}


def test_an_empty_day_says_so(state: pathlib.Path) -> None:
    done = report("--day", "2026-12-24", "--state-dir", state, "--html", state / "empty.html")
    assert done.returncode == 0 and "Nothing was recorded on 2026-12-24." in done.stdout
    assert "<svg" not in (state / "empty.html").read_text(encoding="utf-8")
    assert report("--state-dir", state).returncode == 0, "today"


@pytest.mark.parametrize("content", [None, b"", b"not a journal at all" * 100])
def test_a_journal_that_is_not_there_or_none_is_refused(tmp_path: pathlib.Path, content: bytes | None) -> None:
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)
    done = report("--day", DAY, "--journal", path)
    assert done.returncode == 2 and str(path) in done.stderr and "--state-dir" in done.stderr
    assert json.loads(report("--day", DAY, "--journal", path, "--json").stdout)["ok"] is False


def test_a_damaged_journal_gives_what_could_be_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.db"
    write(path, [passage(EAST, at(9, 0, second)) for second in range(3500)])
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size * 4 // 5)
        file.write(b"\xff" * (size // 10))
    done = report("--day", DAY, "--journal", path, "--json")
    answered = json.loads(done.stdout)
    assert done.returncode == 1 and "journal.db" in answered["cut_short"]
    assert 2000 <= answered["total"]["passed"]["car"] < 3500
    assert "The journal was cut short" in report("--day", DAY, "--journal", path).stdout


def test_a_bad_day_or_page_is_bad_input(state: pathlib.Path) -> None:
    for arguments in (["--day", "yesterday"], ["--day", DAY, "--html", state / "no" / "where.html"]):
        done = report(*arguments, "--state-dir", state)
        assert done.returncode == 2 and str(arguments[-1]) in done.stderr
