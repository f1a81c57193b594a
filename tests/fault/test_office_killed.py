"""The office's program is killed while it signs: afterwards its repository is the old one or the new one, and goes on.

The process is a real one and dies by SIGKILL in the middle of a system call that changes a file, each in turn.
"""

import os
import pathlib
import signal
import sys
from collections.abc import Callable

import pytest

from device.provisioning import trusted
from device.provisioning.verify import verify
from tests.support.office import DAY, NODE, Office
from tools.county.trust import issue, repository
from tools.county.trust.repository import Repository

CHANGES_A_FILE = (
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.chmod",
    "os.chown",
    "os.truncate",
    "tempfile.mkstemp",
)
"""Audit events (PEP 578) before a call that makes, renames or removes a file; what is written counts at its rename."""


def killed_at(number: int, act: Callable[[], None]) -> bool:
    """Runs ``act`` in a process that is killed before its ``number``-th change to a file; whether it came that far."""
    pid = os.fork()
    if pid == 0:
        left = number

        def audit(event: str, args: tuple[object, ...]) -> None:
            nonlocal left
            if event in CHANGES_A_FILE and not (event == "open" and args[1] in ("r", "rb")):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        status = 1
        try:
            sys.addaudithook(audit)
            act()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        return False
    assert os.WTERMSIG(status) == signal.SIGKILL
    return True


@pytest.mark.parametrize("role", ["north", "online", "targets", "timestamp"])
def test_a_killed_office_finds_the_old_repository_or_the_new_one(tmp_path: pathlib.Path, role: str) -> None:
    office = Office(tmp_path / "keys")
    office.says("north", 3)
    before = office.repository
    file = tmp_path / "county.json"

    def step(at: Repository) -> Repository:
        act = issue.renew if role == "timestamp" else issue.rotate
        return act(at, role, office.ring, office.now + DAY)

    def act() -> None:
        with repository.locked(file):
            repository.save(file, step(repository.load(file)))

    number, found = 0, set()
    while True:
        repository.save(file, before)
        came_that_far = killed_at(number, act)
        with repository.locked(file):
            now = repository.load(file)
        found.add(now == before)
        node = tmp_path / f"node-{number}"
        node.mkdir()
        trusted.save(node, trusted.begin(before.files["1.root.json"]))
        assert verify(repository.bundle_of(now, "north"), node, NODE).group.text == "policy: {hold_s: 3}\n"
        assert step(now).timestamp.version == now.timestamp.version + 1
        if not came_that_far:
            break
        number += 1
    assert number >= 3
    assert found == {True, False}
