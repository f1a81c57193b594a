"""The power goes at any moment of provision's work, on a disk that keeps what was synced and no more: the node
comes up with the old or the new configuration, and provision comes to its end. The whole figure, with its counts, is
``python -m tools.county.power_cut``."""

import os
import pathlib
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.mosquitto import program
from tools.county.power_cut.calls import traced
from tools.county.power_cut.disk import Disk, Sync
from tools.county.power_cut.measure import scratch, states, trace, verdict
from tools.county.power_cut.node import SCENARIOS, Scenario

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    tries = subprocess.run([program("strace", "strace"), "-o", "/dev/null", "true"], capture_output=True, check=False)
    if tries.returncode != 0:
        pytest.skip("this machine lets no program trace another")
    with scratch() as folder:
        yield folder


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_whatever_a_power_cut_leaves_a_node_runs_the_old_or_the_new(folder: pathlib.Path, scenario: Scenario) -> None:
    kills = cuts = 0
    for state in states(trace(folder, scenario)):
        kills, cuts = kills + (not state.power), cuts + state.power
        assert not state.drawn, "every state is looked at"
        found = verdict(state, scenario, folder)
        assert not found.wrong, (state.moment, state.power, found)
    assert kills > 40 and cuts > kills


@pytest.mark.parametrize("deaf", Sync)
def test_a_disk_that_does_not_sync_tears_a_node(folder: pathlib.Path, deaf: Sync) -> None:
    """Each of the two syncs of a write is needed, and the states show it."""
    scenario = SCENARIOS[0]
    found = states(trace(folder, scenario), frozenset({deaf}))
    renames = (state for state in found if state.power and state.moment.startswith("rename"))
    assert any(verdict(state, scenario, folder).torn for state in renames)


def test_a_folder_made_for_good_is_there_with_what_was_written_into_it(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder.mkdir()
    made = "make_folder(at / 'x/y'); write_atomically(at / 'x/y/a', b'1')"
    code = f"import pathlib; from configs.files import *; at = pathlib.Path({str(folder)!r}); {made}"
    disk = Disk(str(folder), {})
    for call in traced([sys.executable, "-c", code], tmp_path / "log"):
        disk.does(call)
    assert disk.states((), random.Random(0))[0] == [{"x": None, "x/y": None, "x/y/a": b"1"}]


def test_a_trace_is_read_on_a_machine_that_speaks_chinese(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    chinese = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "zh_CN", "LANG": "zh_CN.UTF-8"}
    code = f"open({str(tmp_path / 'a')!r}, 'w').write('1')"
    calls = traced([sys.executable, "-c", code], tmp_path / "log", chinese)
    assert any(call.name == "write" and call.texts == (b"1",) for call in calls)
    assert (tmp_path / "log").read_bytes().isascii()
