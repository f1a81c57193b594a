"""Root at the command line does not lock the node, which is another user, out of its own folder."""

import os
import pathlib

import pytest

from configs import edit

NODE = 12345


def test_a_lock_that_root_made_first_is_the_nodes(tmp_path: pathlib.Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder to another user")
    os.chown(tmp_path, NODE, NODE)
    with edit.locked(tmp_path):
        made = [path.stat() for path in tmp_path.rglob("*")]
    assert {(found.st_uid, found.st_gid) for found in made} == {(NODE, NODE)} and len(made) == 2
