"""The office's program is killed while it signs: afterwards its repository is the old one or the new one, and goes on.

The process is a real one and dies by SIGKILL in the middle of a system call that changes a file, each in turn.
"""

import pathlib

import pytest

from device.provisioning import trusted
from device.provisioning.verify import verify
from tests.support.killed import killed_before
from tests.support.office import DAY, NODE, Office
from tools.county.trust import issue, repository
from tools.county.trust.repository import Repository


@pytest.mark.killed
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
        came_that_far = killed_before(number, act)
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
