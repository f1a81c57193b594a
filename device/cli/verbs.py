"""The node's own verbs: name -> where the command is and its one-line help.

Own verbs stand in a table besides their entry points so that ``sentinel --help`` imports none of them and a source
tree that is not installed still has them. Verbs of other packages come by the entry-point group alone.
"""

from collections.abc import Mapping
from typing import NamedTuple

from device.cli.language import N_


class Row(NamedTuple):
    """One verb."""

    target: str
    help: str


OWN: Mapping[str, Row] = {
    "run": Row("device.cli.run:command", N_("Run the node's four processes on this machine")),
    "status": Row("device.cli.status:command", N_("Show faces, sensors, lamps and parts of the running node")),
    "doctor": Row("device.cli.doctor:command", N_("Look for what is wrong and say what to do")),
    "config": Row("device.cli.config:command", N_("Check, show and change the site file")),
    "enroll": Row("device.cli.enroll:command", N_("Join the county by the files of its office")),
    "calibrate": Row("device.cli.calibrate:command", N_("Teach a camera distances by known points on the road")),
    "aim": Row("device.cli.aim:command", N_("Show whether a camera still looks where it should, or accept its view")),
    "lamp": Row("device.cli.lamp:command", N_("Light a lamp of the running node to test it")),
    "say": Row("device.cli.say:command", N_("Play a voice clip on the running node")),
    "detect": Row("device.cli.detect:command", N_("Detect road users in pictures or a video")),
    "record": Row("device.cli.record:command", N_("Record the running node's sensors")),
    "incidents": Row(
        "device.cli.incidents:command", N_("List what was recorded around alerts, near misses and faults")
    ),
    "join": Row("device.cli.join:command", N_("Join a recording and the pictures kept beside it")),
    "replay": Row("device.cli.replay:command", N_("Replay a recording through tracking and decision")),
}
