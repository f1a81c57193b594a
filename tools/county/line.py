"""The office's line to its broker: what its nodes say of themselves, and the bundles that the broker keeps for them.

Invariants: nothing here blocks its caller; what the broker keeps is known only once it was heard after connecting, so
that a bundle it has already is never sent again (each publication goes over the air to every node of the group); a
message that is not of the contract is counted and passed over.
"""

import dataclasses
import pathlib
import queue
import threading
from collections.abc import Mapping
from typing import Final

from cloud_bridge.mqtt import Backoff, Confirmed, Connected, Disconnected, Link, Message, Received, Subscription
from cloud_bridge.topics import ROOT, ConfigReportedBody, HealthBody, Leaf, NodeTopics, PresenceBody, decode, parse
from configs.schema import Bridge as BrokerSettings
from hal.clock import NS_PER_S, Clock

QUIET_S: Final = 1.0
"""After connecting a broker hands out what it keeps in one go: this long without a bundle, or a word of a node that was
not heard yet, and it has. What nodes that were heard say meanwhile does not count: a thousand are never quiet."""

_OFFICE_BACKOFF: Final = Backoff(ceiling_s=10.0)
"""One client, not a thousand: it may come back sooner than a node."""


@dataclasses.dataclass(frozen=True, slots=True)
class NodeSaid:
    """What a node said last; ``reported_ns``: when it said what it runs, CLOCK_MONOTONIC."""

    presence: PresenceBody | None = None
    health: HealthBody | None = None
    reported: ConfigReportedBody | None = None
    reported_ns: int = 0


class Line:
    """Connects as the office. ``take`` from one thread, often; everything else is what it found."""

    def __init__(
        self, county: str, url: str, ca: pathlib.Path | None, cert: pathlib.Path | None, client_id: str, clock: Clock
    ) -> None:
        settings = BrokerSettings(
            url=url,
            ca_file=None if ca is None else str(ca),
            cert_file=None if cert is None else str(cert),
            key_file=None if cert is None else str(cert),
        )
        self.county = county
        self.nodes: dict[str, NodeSaid] = {}
        self.error: str | None = None
        self.strange = 0
        self.news = threading.Event()
        self._clock = clock
        self._came: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self._connected = False
        self._kept: dict[str, bytes] = {}
        self._heard: set[str] = set()
        self._quiet_ns = clock.monotonic_ns()
        self._sent: dict[tuple[int, int], tuple[str, bytes]] = {}
        self.refused: str | None = None
        """Why the broker lets this client hear nothing: it is nobody whom the county's ACL knows."""
        self._link = Link(
            settings, client_id, None, clock, self.news.set, subscriptions=self._subscriptions, backoff=_OFFICE_BACKOFF
        )

    def start(self) -> None:
        """Begins to connect."""
        self._link.start()

    def close(self) -> None:
        """Ends the connection."""
        self._link.close()

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there."""
        return self._connected

    @property
    def is_settled(self) -> bool:
        """Whether everything that the broker keeps was heard."""
        since_ns = self._clock.monotonic_ns() - self._quiet_ns
        return self._connected and self.refused is None and since_ns >= QUIET_S * NS_PER_S

    def take(self) -> None:
        """Takes what came."""
        self.news.clear()
        for signal in self._link.signals():
            match signal:
                case Connected():
                    self._connected, self.error = True, None
                    self._kept.clear()
                    self._heard.clear()
                    self._sent.clear()
                    self._quiet_ns = self._clock.monotonic_ns()
                case Disconnected(error=error):
                    self._connected, self.error = False, error
                case Confirmed(token=token, error=error):
                    self._confirmed(token, error)
        while True:
            try:
                message = self._came.get_nowait()
            except queue.Empty:
                break
            self._hear(message)
        if self.refused is not None:
            self.error = self.refused

    def keep(self, bundles: Mapping[str, bytes]) -> int:
        """Has the broker keep the bundle of each group; how many it does not have yet."""
        topics = NodeTopics(f"{self.county}/office")
        missing = {group: data for group, data in bundles.items() if self._kept.get(group) != data}
        if self.is_settled:
            under_way = set(self._sent.values())
            for group, data in missing.items():
                if (group, data) not in under_way:
                    token = self._link.publish(Message(topics.group_bundle(group), data, retain=True))
                    if token is not None:
                        self._sent[token] = (group, data)
        return len(missing)

    def _confirmed(self, token: tuple[int, int], error: str | None) -> None:
        group, data = self._sent.pop(token, ("", b""))
        if error is not None:
            self.error = error
        elif group:
            self._kept[group] = data

    def _subscriptions(self) -> list[Subscription]:
        self.refused = None  # who was refused and let in since is heard
        leaves = (Leaf.PRESENCE, Leaf.HEALTH, Leaf.CONFIG_REPORTED)
        topics = [f"{ROOT}/{self.county}/+/{leaf.value}" for leaf in leaves]
        # The bundles first: the broker hands them out before the thousand nodes' words.
        topics.insert(0, f"{ROOT}/{self.county}/_group/+/bundle")
        return [Subscription(topic, self._deliver, self._told) for topic in topics]

    def _deliver(self, message: Received) -> None:
        self._came.put(message)
        self.news.set()

    def _told(self, problem: str | None) -> None:
        self.refused = problem or self.refused

    def _hear(self, message: Received) -> None:
        now_ns = self._clock.monotonic_ns()
        if message.topic not in self._heard:
            self._heard.add(message.topic)
            self._quiet_ns = now_ns
        bundle_of = message.topic.removeprefix(f"{ROOT}/{self.county}/_group/").removesuffix("/bundle")
        if "/" not in bundle_of:
            self._kept[bundle_of] = message.payload
            return
        place = parse(message.topic)
        if place is None:
            return
        node, leaf = place[0].partition("/")[2], place[1]
        before = self.nodes.get(node, NodeSaid())
        try:
            body = decode(message.payload).body
            match leaf:
                case Leaf.PRESENCE:
                    after = dataclasses.replace(before, presence=PresenceBody.model_validate(body))
                case Leaf.HEALTH:
                    after = dataclasses.replace(before, health=HealthBody.model_validate(body))
                case _:
                    reported = ConfigReportedBody.model_validate(body)
                    after = dataclasses.replace(before, reported=reported, reported_ns=now_ns)
        except ValueError:
            self.strange += 1
            return
        self.nodes[node] = after
