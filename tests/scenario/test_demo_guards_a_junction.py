"""The demonstration itself, short: real processes, bytes, pixels and broker, judged from outside."""

import contextlib
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tools.demo.footage import FootageError, footage

SECONDS = 20
TRIES = 2
STARVED_S = 0.3
"""A machine that kept the radars' feeder from the CPU for this long may try again: that is not the node's doing."""


@functools.cache
def missing() -> str | None:
    """Why the demonstration cannot run here."""
    if shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        return "mosquitto is not installed"
    try:
        footage()
    except FootageError as error:
        return f"the street video cannot be had: {error}"
    return None


def demonstrate(*options: str, timeout_s: float = 110.0) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "device.cli", "--json", "demo", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def running() -> list[str]:
    """Command lines of all processes."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.mark.timeout(240)
def test_every_vehicle_is_warned_of_and_the_county_hears_everything(tmp_path: pathlib.Path) -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    for attempt in range(TRIES):
        folder = tmp_path / f"try{attempt}"
        done = demonstrate("--seconds", str(SECONDS), "--seed", "4", "--keep", str(folder))
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        if found["ok"] or found.get("radar_longest_pause_s", 0) < STARVED_S:
            break
    assert found["ok"], done.stdout + done.stderr
    assert done.returncode == 0
    assert found["vehicles"] >= 2
    assert found["warned"] == found["vehicles"]
    # Whoever arrives was seen for some seconds before: a lead that is no more than the reach allows.
    assert all(0 < arrival["lead_s"] <= 13 for arrival in found["arrivals"])
    assert found["events"]["journalled"] == found["events"]["received"] > 0
    for kept in ("tap.jsonl", "recording.mcap", "site.yaml", "node.log", "state/journal.db"):
        assert (folder / kept).stat().st_size > 0
    # Nothing of it goes on running: its pty, its broker, its processes.
    assert not [command for command in running() if str(folder) in command]


def test_a_folder_that_is_not_empty_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "precious").write_text("keep me")
    done = demonstrate("--keep", str(tmp_path))
    assert done.returncode == 2
    assert str(tmp_path) in json.loads(done.stdout)["error"]
    assert (tmp_path / "precious").read_text() == "keep me"
