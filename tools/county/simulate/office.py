"""The office at the broker of a fleet: publishes bundles, and keeps what every node said last of its configuration.

Invariants: what is counted as confirmed is what a node reported, never what was sent to it; the connection comes back
by itself after the broker's restart, and is told the retained messages anew.
"""

import collections
import dataclasses
import ssl
import threading
from collections.abc import Callable
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from cloud_bridge.mqtt import address_of
from cloud_bridge.topics import ROOT, ConfigReportedBody, Leaf, NodeTopics, PresenceBody, decode, parse
from device.chosen import Runs
from hal.clock import SYSTEM_CLOCK
from tools.county.simulate.county import COUNTY, County

PUBLISH_S: Final = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """What a node reported last, and when it came, CLOCK_MONOTONIC."""

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
        self.words: dict[str, Word] = {}
        self.presence: dict[str, str] = {}
        self.connected = False
        self._news = threading.Condition()
        self._topics = NodeTopics(f"{COUNTY}/nobody")
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        context = ssl.create_default_context(cafile=county.ca_file)
        context.load_cert_chain(county.office_pair)
        client.tls_set_context(context)
        client.reconnect_delay_set(1, 5)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        host, port, _tls = address_of(county.broker)
        client.connect(host, port + 1)
        client.loop_start()
        self._client = client

    def publish(self, group: str, bundle: bytes) -> None:
        """A group's retained bundle, confirmed by the broker. Raises OSError."""
        sent = self._client.publish(self._topics.group_bundle(group), bundle, qos=1, retain=True)
        if sent.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise OSError(f"{group}: {sent.rc}")
        sent.wait_for_publish(PUBLISH_S)
        if not sent.is_published():
            raise OSError(f"{group}: the broker did not confirm the bundle within {PUBLISH_S:g} s")

    def wait(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Whether it came true in time; asked at every message."""
        with self._news:
            return self._news.wait_for(is_so, timeout_s)

    def online(self) -> set[str]:
        """The nodes that are connected and have said what they run."""
        return {node for node, state in self.presence.items() if state == "online" and node in self.words}

    def confirmed(self, version: int) -> set[str]:
        """The nodes that have confirmed a version of the county."""
        return {node for node, word in self.words.items() if word.confirmed == version}

    def account(self, nodes: int) -> dict[str, Any]:
        """Counts of now: online, on trial, reverted; ``silent``: nobody who is online; nodes by confirmed version."""
        with self._news:
            words = dict(self.words)
            online = len(self.online())
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
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, _u: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if not reason.is_failure:
            with self._news:
                self.connected = True
            client.subscribe([(f"{ROOT}/{COUNTY}/+/{leaf.value}", 1) for leaf in (Leaf.CONFIG_REPORTED, Leaf.PRESENCE)])

    def _on_disconnect(self, *_what: Any) -> None:
        with self._news:
            self.connected = False
            self.presence.clear()  # a broker that lost its store knows of nobody
            self._news.notify_all()

    def _on_message(self, _client: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        found = parse(message.topic)
        if found is None:
            return
        node, leaf = found[0].partition("/")[2], found[1]
        body = decode(bytes(message.payload)).body
        with self._news:
            if leaf == Leaf.PRESENCE:
                self.presence[node] = PresenceBody.model_validate(body).state
            else:
                self.words[node] = Word(ConfigReportedBody.model_validate(body), SYSTEM_CLOCK.monotonic_ns())
            self._news.notify_all()
