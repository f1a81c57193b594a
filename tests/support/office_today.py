"""An office of today that gives commands: its keys, its repository and its command line, in front of a broker.

Today, because the command line signs by the clock of its machine.
"""

import datetime
import json
import pathlib
from typing import Any

from click.testing import CliRunner, Result

from device.provisioning.verify import Target
from device.provisioning.wave import everyone
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from tests.support.mosquitto import Mosquitto
from tests.support.office import COUNTY, NODE
from tools.county.command import command
from tools.county.trust import issue, repository
from tools.county.trust.keys import KeyRing


class OfficeOfToday:
    """An office that has a key for commands and has said ``hold_s: 4`` to the group of the node."""

    def __init__(self, folder: pathlib.Path, broker: Mosquitto) -> None:
        self.broker = broker
        self._keys = folder / "keys"
        self._keys.mkdir()
        self._file = folder / "county.json"
        now = datetime.datetime.fromtimestamp(SYSTEM_CLOCK.wall_ns() // NS_PER_S, datetime.UTC)
        ring = KeyRing([self._keys], lambda name, _new: name.partition("-")[0].encode())
        made = issue.rotate(issue.create(COUNTY, ring, now), "commands", ring, now)
        patch = Target("policy: {hold_s: 4}\n", everyone(trial_s=1))
        self.repository = issue.sign_group(made, NODE.group, {"group.yaml": patch}, ring, now)
        repository.save(self._file, self.repository)

    def bundle(self) -> bytes:
        """What the group's topic keeps."""
        return repository.bundle_of(self.repository, NODE.group)

    def run(self, *words: str, send: bool = True) -> Result:
        """``sentinel-county command`` to the node."""
        where = ["--repository", str(self._file), "--keys", str(self._keys)]
        where += ["--broker", f"mqtt://127.0.0.1:{self.broker.port}"] if send else ["--print"]
        return CliRunner().invoke(command, [NODE.node, *words, *where], input="commands\n")


def answer(result: Result) -> dict[str, Any]:
    """What the node said, of the last line printed."""
    return dict(json.loads(result.output.strip().splitlines()[-1]))
