"""The office's page: its example is a folder, and its commands run in it as written."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from configs.layers import OPEN, Layer
from tests.support.county_files import tone
from tests.support.county_folder import site_text
from tests.support.enrolment import Pole

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "county.md").read_text(encoding="utf-8")
GIT = ["git", "-c", "user.name=office", "-c", "user.email=office@example.net"]


def blocks(language: str) -> list[str]:
    """The fenced blocks of the page in one language; commands are in none."""
    return [
        text
        for found, text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
        if found == language
    ]


def run(arguments: list[str], folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # A session of its own has no terminal: passphrases are read from what is typed here.
    return subprocess.run(
        arguments,
        cwd=folder,
        env=environment,
        input="four words\n" * 10,
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """The page's example, with a site file for each of its nodes."""
    folder = tmp_path / "county"
    for text in blocks("yaml"):
        path = folder / text.splitlines()[0].removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "sites").mkdir()
    for node in ("n0001", "n0002", "n0003"):
        (folder / "sites" / f"{node}.yaml").write_text(site_text(node), encoding="utf-8")
    return folder


@pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
@pytest.mark.timeout(300)
def test_every_command_of_the_page_runs_in_the_folder_of_the_page(folder: pathlib.Path) -> None:
    for line in ("init -q", "add -A", "commit -q -m first", "tag sent"):
        assert run([*GIT, *line.split()], folder).returncode == 0
    (folder / "groups" / "hill_road.yaml").write_text("policy: {hold_s: 5}\n", encoding="utf-8")
    (folder.parent / "broker").mkdir()
    (folder.parent / "left_vehicle.wav").write_bytes(tone(1000, folder.parent))
    pole = Pole(folder.parent / "n0004", "371500/n0004")
    on_the_pole = enroll_lines()
    lines = [line for block in blocks("") for line in block.splitlines()]
    assert len(lines) == 19
    for line in lines:
        words = shlex.split(line.replace("/etc/mosquitto/county", "../broker"))
        own = [sys.executable, "-m", "tools.county"] if words[0] == "sentinel-county" else [words[0]]
        done = run([*own, *words[1:]], folder)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        if "diff" in words:
            assert "policy.hold_s: 3.0 → 5.0 [分组 groups/hill_road.yaml:1]" in done.stdout
            assert "n0003" in done.stdout and "n0001" not in done.stdout
        if words[1] in ("enroll", "sign"):
            code, said = pole.says(folder.parent / on_the_pole.pop(0))
            assert code == 0, said
    assert on_the_pole == []
    assert (folder / "sites" / "n0004.yaml").read_bytes() == pole.site.read_bytes()


def enroll_lines() -> list[str]:
    """The files of the technician's ``sentinel enroll``, in the order of that page."""
    page = (ROOT / "docs" / "technician.md").read_text(encoding="utf-8")
    return re.findall(r"^sentinel enroll (\S+)$", page, flags=re.MULTILINE)


def test_the_page_names_every_key_that_a_patch_may_change() -> None:
    paragraph = PAGE[PAGE.index("补丁能改") : PAGE.index("补丁不能改")]
    named = set(re.findall(r"`([a-z_]+)`", paragraph)) - {"images"}
    whole = {path[0] for path in OPEN if path[0] not in ("approaches", "bridge")}
    assert named == whole | {"bridge"} | {path[-1] for path in OPEN if path[0] in ("approaches", "bridge")}


def test_the_page_names_every_layer() -> None:
    table = PAGE[PAGE.index("## 四层") : PAGE.index("补丁只写")]
    assert [layer for layer in Layer if f" {layer.value} |" in table] == list(Layer)
