"""The office at the broker of a fleet: publishes bundles, and knows what every node said last of its configuration.

Invariants: what is counted as confirmed is what a node reported, never what was sent to it. One thread calls it.
"""

import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloud_bridge.topics import ConfigReportedBody
from device.chosen import Runs
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from tools.county.line import Line
from tools.county.simulate.county import COUNTY, County

PUBLISH_S: Final = 30.0
_LOOK_S: Final = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """What a node reported last, and when it was heard, CLOCK_MONOTONIC."""

    body: ConfigReportedBody
    at_ns: int

    @property
    def confirmed(self) -> int | None:
        """The county's version that the node runs and has confirmed."""
        layers = self.body.layers
        return layers.version if layers is not None and layers.runs is Runs.GOOD else None

    @property
    def on_trial(self) -> bool:
        """Whether something is on trial."""
        return self.body.layers is not None and self.body.layers.runs is Runs.TRIAL

    @property
    def reverted(self) -> int | None:
        """The version that it took back last."""
        layers = self.body.layers
        return None if layers is None or layers.reverted is None else layers.reverted.version


class OfficeDesk:
    """Connected with the office's own certificate to its own listener. Raises OSError where nobody is there."""

    def __init__(self, county: County) -> None:
        self._line = Line(COUNTY, county.office_url, county.ca_file, county.office_pair, "office-desk", SYSTEM_CLOCK)
        self._line.start()
        if not self.wait(lambda: self._line.is_settled, PUBLISH_S):
            self._line.close()
            raise OSError(f"{county.office_url}: {self._line.error}")

    @property
    def words(self) -> Mapping[str, Word]:
        """What each node that said something said last."""
        nodes = self._line.nodes
        return {
            node: Word(said.reported, said.reported_ns) for node, said in nodes.items() if said.reported is not None
        }

    @property
    def presence(self) -> Mapping[str, str]:
        """Whether each node is there, by what the broker says."""
        nodes = self._line.nodes
        return {node: said.presence.state for node, said in nodes.items() if said.presence is not None}

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there."""
        return self._line.is_connected

    def publish(self, bundles: Mapping[str, bytes]) -> None:
        """Group -> bundle, retained and confirmed by the broker. Raises OSError."""
        if not self.wait(lambda: self._line.keep(bundles) == 0, PUBLISH_S):
            raise OSError(f"the broker did not confirm the bundles within {PUBLISH_S:g} s: {self._line.error}")

    def wait(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Whether it came true in time; asked whenever something was heard."""
        until_ns = SYSTEM_CLOCK.monotonic_ns() + round(timeout_s * NS_PER_S)
        while True:
            self._line.take()
            if is_so():
                return True
            if SYSTEM_CLOCK.monotonic_ns() >= until_ns:
                return False
            self._line.news.wait(_LOOK_S)

    def online(self) -> set[str]:
        """The nodes that are connected and have said what they run."""
        words = self.words
        return {node for node, state in self.presence.items() if state == "online" and node in words}

    def confirmed(self, version: int) -> set[str]:
        """The nodes that have confirmed a version of the county."""
        return {node for node, word in self.words.items() if word.confirmed == version}

    def account(self, nodes: int) -> dict[str, Any]:
        """Counts of now: online, on trial, reverted; ``silent``: nobody who is online; nodes by confirmed version."""
        self._line.take()
        words, online = self.words, len(self.online())
        versions = collections.Counter(word.confirmed for word in words.values() if word.confirmed is not None)
        return {
            "nodes": nodes,
            "online": online,
            "silent": nodes - online,
            "on_trial": sum(word.on_trial for word in words.values()),
            "reverted": sum(word.reverted is not None for word in words.values()),
            "confirmed": {str(version): count for version, count in sorted(versions.items())},
        }

    def close(self) -> None:
        """Ends the connection."""
        self._line.close()
