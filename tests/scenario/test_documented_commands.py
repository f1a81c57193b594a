"""Every ``sentinel`` command in the README and in docs/ runs as written, against a running node on a desk."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from tests.support.node import Node, Road, twins

pytestmark = pytest.mark.timeout(300)

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = ("sentinel demo", "sentinel bench", "sentinel aim", "sentinel enroll")
"""Run by ``make demo`` and ``make bench``, or asked of a camera or a county that this desk has not; each has tests of
its own."""


def commands() -> list[str]:
    """Lines of fenced blocks that begin with ``sentinel``, comments cut."""
    found: list[str] = []
    for page in PAGES:
        for block in re.findall(r"```[a-z]*\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
            found += [line.split("  #")[0].strip() for line in block.splitlines() if line.startswith("sentinel ")]
    return sorted({line for line in found if not line.startswith(ELSEWHERE)})


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("desk")
    with twins("r_east", "r_west") as radars:
        example = (ROOT / "configs" / "examples" / "t_junction.yaml").read_text(encoding="utf-8")
        site = (
            example.replace("/dev/ttyAMA0", radars["r_east"].path)
            .replace("/dev/ttyAMA2", radars["r_west"].path)
            .replace("driver: gpio,", "driver: gpio, pin_factory: mock,")
            .replace("driver: alsa", 'driver: "null"')
        )
        # The camera and the county of the example are not on this desk.
        site = re.sub(r"\ncameras:.*?(?=\n# |\nlamps:)", "\n", site, flags=re.DOTALL)
        site = re.sub(r"\nbridge:.*", "\n", site, flags=re.DOTALL)
        road = Road(radars)
        node = Node(folder, site)
        try:
            node.until_guarding()
            yield node
        finally:
            node.close()
            road.close()


def run(line: str, desk: Node, folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Runs a documented command with the paths of this desk."""
    line = line.replace("/tmp/", f"{folder}/").replace("/etc/sentinel/site.yaml", str(desk.site_path))
    line = line.replace("PICTURE_OR_VIDEO", str(folder / "picture.png"))
    if line.startswith("sentinel calibrate"):  # the desk has no camera; a copy of the example does
        copy = folder / "calibrated.yaml"
        copy.write_text(
            (ROOT / "configs" / "examples" / "t_junction.yaml").read_text(encoding="utf-8"), encoding="utf-8"
        )
        line += f" --config {copy}"
    if line.startswith("sentinel run"):
        line += f" --seconds 3 --run-dir {folder / 'run'} --state-dir {folder / 'state'}"
    environment = {
        **os.environ,
        "SENTINEL_RUN_DIR": str(desk.run_dir),
        "SENTINEL_STATE_DIR": str(desk.state_dir),
        "SENTINEL_CONFIG": str(desk.site_path),
    }
    arguments = [sys.executable, "-m", "device.cli", *shlex.split(line)[1:]]
    return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_every_documented_command_runs(desk: Node, tmp_path: pathlib.Path) -> None:
    cv2.imwrite(str(tmp_path / "picture.png"), np.full((240, 320, 3), 90, np.uint8))
    lines = commands()
    assert len(lines) >= 12
    # What changes the site comes in the order of the page; a replay needs its recording.
    order = ["config show", "config set", "config rollback", "record", "replay"]
    lines.sort(key=lambda line: next((n for n, verb in enumerate(order) if line.startswith(f"sentinel {verb}")), -1))
    failed = []
    for line in lines:
        done = run(line, desk, tmp_path)
        # ``doctor`` rightly finds fault with a desk that has no sound card or no clock in step.
        if done.returncode not in ({0, 1} if line.startswith("sentinel doctor") else {0}):
            failed.append(f"{line}\n  exit {done.returncode}\n  {done.stdout}\n  {done.stderr}")
    assert not failed, "\n".join(failed)
