"""Several bridges in one process, asking their cores there, at a pace of their own."""

import pathlib
import threading

from cloud_bridge.app import Bridge, Pace
from device.control import NotRunningError
from device.provisioning import enrolment
from device.provisioning.enrolment import Enrolment
from hal.clock import SYSTEM_CLOCK
from tests.support.county import QUICK, Node, site
from tests.support.journals import wait_for
from tests.support.mosquitto import Mosquitto, Subscriber

SELDOM = Pace(poll_s=3600.0, core_s=3600.0, status_s=3600.0)
"""What happens in the minute of a test was not found by looking."""


class Silent:
    """A core that is not there, and counts who asks."""

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, *_words: object, **_how: object) -> object:
        self.asked += 1
        raise NotRunningError("nobody")


def test_at_an_hour_s_pace_a_bundle_is_kept_at_once_and_core_is_asked_once(tmp_path: pathlib.Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        county = Subscriber(broker.port)
        nodes = [Node(tmp_path / name, site(broker.port, f"371500/{name}")) for name in ("n0001", "n0002")]
        cores = [Silent() for _node in nodes]
        bridges = []
        for node, core in zip(nodes, cores, strict=True):
            enrolment.write(node.state_dir, Enrolment(county="371500", group="north", node="n0001"))
            bridges.append(
                Bridge(
                    *(node.config, node.run_dir, node.state_dir, SYSTEM_CLOCK),
                    backoff=QUICK,
                    ask=core.ask,
                    pace=SELDOM,
                )
            )
        threads = [threading.Thread(target=bridge.run, daemon=True) for bridge in bridges]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(county.on("health")) >= 2, "both are there")
        county.publish("sentinel/v1/371500/_group/north/bundle", b"signed")
        for node in nodes:
            inbox = node.state_dir / "county" / "inbox"
            wait_for(lambda inbox=inbox: [path.read_bytes() for path in inbox.glob("*.bundle")] == [b"signed"], "it")
        assert [bridge.bundle_bytes for bridge in bridges] == [6, 6]
        assert [core.asked for core in cores] == [1, 1]
        for bridge, thread in zip(bridges, threads, strict=True):
            bridge.stop()
            bridge.wake()
            thread.join(20)
            assert not thread.is_alive()
        county.close()
