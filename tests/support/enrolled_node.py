"""A running node that is enrolled: real processes, the real boot and provision, a county that it believes."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from configs.loader import load_site
from device import ipc
from device.provisioning import enrolment, trusted
from device.provisioning.boot import boot
from device.provisioning.place import Place
from device.supervisor import Supervisor
from hal.clock import SYSTEM_CLOCK
from tests.support.node import Node
from tests.support.office import COUNTY, NODE
from tools.county.trust.repository import Repository


class EnrolledNode(Node):
    """A node of the county, booted as on a pole."""

    def _supervised(self) -> Supervisor:
        boot(self.place)
        config = load_site(self.run_dir / ipc.SITE_CONFIG)
        return Supervisor(
            config,
            self.site_path,
            self.run_dir,
            self.state_dir,
            SYSTEM_CLOCK,
            stderr=subprocess.DEVNULL,
            inbox=self.place.inbox,
        )

    @property
    def place(self) -> Place:
        return Place(self.site_path, self.run_dir, self.state_dir, SYSTEM_CLOCK)

    def receives(self, packed: bytes) -> None:
        self.place.inbox.mkdir(exist_ok=True)
        (self.place.inbox / ".a").write_bytes(packed)
        (self.place.inbox / ".a").rename(self.place.inbox / "a.bundle")

    def sentinel(self, *arguments: str) -> Any:
        environment = {**os.environ, "SENTINEL_RUN_DIR": str(self.run_dir), "SENTINEL_STATE_DIR": str(self.state_dir)}
        environment.pop("SENTINEL_CONFIG", None)
        command = [sys.executable, "-m", "device.cli", "--json", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@contextlib.contextmanager
def enrolled(folder: pathlib.Path, repository: Repository, site_yaml: str) -> Iterator[EnrolledNode]:
    """A node of the county whose repository this is, in ``folder``; it runs until the block ends."""
    county = folder / "state" / enrolment.FOLDER
    county.mkdir(parents=True)
    trusted.save(county, trusted.begin(repository.files["1.root.json"]))
    enrolment.write(folder / "state", enrolment.Enrolment(county=COUNTY, group=NODE.group, node=NODE.node))
    node = EnrolledNode(folder, site_yaml)
    try:
        yield node
    finally:
        node.close()
