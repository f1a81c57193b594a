"""A subscriber of its own, as the county would have one: what events arrive, and whether they are the journal's.

Invariants: it knows the contract's topics and envelope and nothing of the bridge; the same (stream, seq) twice is one
event and one duplicate, with another content it is a conflict.
"""

import dataclasses
import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from device.journal_reader import Row
from hal.clock import NS_PER_S, Clock

TOPICS = ("sentinel/v1/+/+/event", "sentinel/v1/+/+/backlog")
CONNECT_S = 10.0
RECONNECT_S = 0.2
"""A platform is on the broker's own network: no reason to wait longer."""

Key = tuple[str, int]
Event = tuple[str, Mapping[str, Any]]
"""Kind and body."""


class SubscriberError(OSError):
    """The subscriber did not get its subscription."""


class Received:
    """Events by (stream, seq). Not thread-safe by itself."""

    def __init__(self) -> None:
        self.events: dict[Key, Event] = {}
        self.messages = 0
        self.duplicates = 0
        self.conflicts = 0
        self.unreadable = 0

    def take(self, payload: bytes) -> None:
        """One message."""
        self.messages += 1
        try:
            envelope = json.loads(payload)
            key = (str(envelope["stream"]), int(envelope["seq"]))
            event = (str(envelope["kind"]), dict(envelope["body"]))
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1
            return
        known = self.events.setdefault(key, event)
        if known is not event:
            self.duplicates += 1
            self.conflicts += known != event


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """The journal against what arrived, in events."""

    journalled: int
    received: int
    missing: tuple[Key, ...]
    unknown: tuple[Key, ...]
    different: tuple[Key, ...]
    duplicates: int
    unreadable: int

    @property
    def equal(self) -> bool:
        """Whether every journalled event arrived as it was journalled, and nothing else did."""
        faults = self.missing or self.unknown or self.different or self.unreadable
        return self.journalled > 0 and not faults


def compare(rows: Iterable[Row], received: Received) -> Comparison:
    """Compares by (stream, seq), kind and body; the face stands in the body of a message."""
    journal = {
        (row.stream, row.seq): (row.kind, dict(row.body) if row.face is None else {"face": row.face, **row.body})
        for row in rows
    }
    arrived = received.events
    different = tuple(key for key in sorted(journal.keys() & arrived.keys()) if journal[key] != arrived[key])
    return Comparison(
        journalled=len(journal),
        received=len(arrived),
        missing=tuple(sorted(journal.keys() - arrived.keys())),
        unknown=tuple(sorted(arrived.keys() - journal.keys())),
        different=different,
        duplicates=received.duplicates,
        unreadable=received.unreadable + received.conflicts,
    )


class NoSubscriber:
    """Stands in where no broker is installed: nothing arrives, so the comparison with the journal fails, as it must."""

    def count(self) -> int:
        """Nothing."""
        return 0

    def wait_for(self, keys: set[Key], timeout_s: float) -> bool:
        """Nothing will come; does not wait."""
        return not keys

    def compare(self, rows: Iterable[Row]) -> Comparison:
        """Every row is missing."""
        return compare(rows, Received())


class Subscriber:
    """Connected and subscribed when the constructor returns. Raises SubscriberError."""

    def __init__(self, port: int, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._received = Received()
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="demo-county", protocol=paho.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(RECONNECT_S, RECONNECT_S)  # type: ignore[arg-type]  # fractions will do
        try:
            self._client.connect("127.0.0.1", port, keepalive=30)
        except OSError as error:
            raise SubscriberError(f"127.0.0.1:{port}: {error}") from error
        self._client.loop_start()
        if not self._subscribed.wait(CONNECT_S):
            self.close()
            raise SubscriberError(f"127.0.0.1:{port}: no subscription within {CONNECT_S:.0f} s")

    def count(self) -> int:
        """How many events have arrived."""
        with self._lock:
            return len(self._received.events)

    def messages(self) -> int:
        """How many messages have arrived, repeated ones too."""
        with self._lock:
            return self._received.messages

    def wait_for(self, keys: set[Key], timeout_s: float) -> bool:
        """Waits until all of ``keys`` have arrived; False after ``timeout_s``."""
        end_ns = self._clock.monotonic_ns() + round(timeout_s * NS_PER_S)
        while True:
            with self._lock:
                if keys <= self._received.events.keys():
                    return True
            if self._clock.monotonic_ns() >= end_ns:
                return False
            self._clock.sleep_s(0.05)

    def compare(self, rows: Iterable[Row]) -> Comparison:
        """What has arrived until now against the journal's rows."""
        with self._lock:
            return compare(rows, self._received)

    def close(self) -> None:
        """Disconnects."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _on_connect(self, client: paho.Client, *_rest: Any) -> None:
        client.subscribe([(topic, 1) for topic in TOPICS])

    def _on_subscribe(self, *_rest: Any) -> None:
        self._subscribed.set()

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        with self._lock:
            self._received.take(bytes(message.payload))
