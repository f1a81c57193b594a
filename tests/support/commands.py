"""A county with a key for commands, and a node that believes it; core is asked by a list of what it was asked."""

import datetime
import pathlib
from collections.abc import Mapping
from typing import Any

from cloud_bridge.command_payloads import CommandVerb
from device.provisioning import enrolment, trusted
from device.provisioning.enrolment import Enrolment
from device.provisioning.verify import verify
from hal.clock import NS_PER_S, VirtualClock
from tests.support.office import COUNTY, NODE, Office
from tools.county.trust.command import sign_command

MINUTE = datetime.timedelta(minutes=1)


class CommandingOffice(Office):
    """An office that has made its key for commands and said something to the group north."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.rotates("commands")
        self.says("north", 4)

    def command(
        self,
        verb: str = "self_test",
        args: Mapping[str, Any] | None = None,
        *,
        node: str = NODE.node,
        now: datetime.datetime | None = None,
        life: datetime.timedelta = MINUTE,
    ) -> bytes:
        """Signed a second later than the one before, unless it says when."""
        if now is None:
            self.now += datetime.timedelta(seconds=1)
            now = self.now
        return sign_command(self.repository, self.ring, node, CommandVerb(verb), args or {}, now, life)[1]

    def clock(self) -> VirtualClock:
        """A node's clock that agrees with the office's."""
        return VirtualClock(wall_ns=round(self.now.timestamp()) * NS_PER_S)

    def enrols(self, state_dir: pathlib.Path) -> pathlib.Path:
        """The county's folder of a node that believes what the office has said so far."""
        enrolment.write(state_dir, Enrolment(county=COUNTY, group=NODE.group, node=NODE.node))
        folder = state_dir / enrolment.FOLDER
        trusted.save(folder, trusted.begin(self.repository.files["1.root.json"]))
        self.publishes(folder)
        return folder

    def publishes(self, folder: pathlib.Path) -> None:
        verify(self.bundle(), folder, NODE)
