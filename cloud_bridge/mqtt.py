"""paho-mqtt behind a small door: a connection that keeps coming back, and signals instead of callbacks.

Invariants
- Nothing here blocks its caller: resolving, connecting and TLS happen on the link's own thread, sending on paho's.
- Each connection is a fresh paho client with a clean session: nothing lives on in paho's memory, what was not confirmed
  is the outbox's to send again. Certificates and the password are read anew each time, so that a renewed file counts.
- Reconnects wait a random time up to a doubling ceiling (full jitter), so that a county's nodes do not return at once;
  a node that was thrown out by another of the same name waits at least half a minute.
- A certificate that cannot be verified is never passed over, whatever the clock says.
- What is received ends a connection at worst, never this module: the broker is told to send no packet larger than
  ``MAX_PACKET_BYTES``, a topic that nobody asked for is dropped, and one that paho cannot read is a lost connection.
"""

import dataclasses
import logging
import pathlib
import queue
import random
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from configs.bundle import MAX_PACKED_BYTES
from configs.schema import Bridge as BridgeSettings
from hal.clock import NS_PER_S, Clock

log = logging.getLogger(__name__)

KEEPALIVE_S: Final = 30
CONNECT_TIMEOUT_S: Final = 15.0
"""For TCP and for TLS each; resolving the name has its own timeouts in the resolver (FAULTS 46)."""

MAX_PACKET_BYTES: Final = MAX_PACKED_BYTES + 4096
"""Said in CONNECT; the rest is for the topic and properties. A broker drops what is larger (MQTT 5, 3.1.2.11.4)."""

MAX_IN_FLIGHT: Final = 20
"""Messages sent and not confirmed; Mosquitto's own default. The broker may ask for less (Receive Maximum)."""

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_CEILING_S: Final = 60.0
STEADY_S: Final = 3.0
"""A connection that held this long starts the backoff over: three times the longest first wait."""

WORTH_MESSAGES: Final = 100
"""So does a shorter one over which the broker has confirmed this much: some 40 kB of events for a handshake of 5 kB.
Else a broker that dies every other second while a backlog drains would be left alone for minutes."""

TAKEOVER_PAUSE_S: Final = 30.0
"""FAULTS 51: two nodes of one name may throw each other out at most this often."""

LOOP_S: Final = 1.0
"""How often the two threads of a connection look whether they are still wanted; paho's own default."""

_SESSION_TAKEN_OVER: Final = 0x8E
NO_MATCHING_SUBSCRIBERS: Final = 0x10
_FAILED: Final = 0x80
"""MQTT 5 reason codes from here on are failures."""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """Something to publish at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker. ``retained``: also where it was published so while we were listening."""

    topic: str
    payload: bytes
    retained: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Subscription:
    """What is wanted from the broker. ``deliver`` gets each message, ``told`` gets None or why the broker refuses;
    both are called on paho's thread and have to return at once."""

    topic: str
    deliver: Callable[[Received], None]
    told: Callable[[str | None], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Connected:
    """The broker has accepted us. ``max_in_flight`` is what it lets us send before it confirms."""

    session: int
    max_in_flight: int


@dataclasses.dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone, or an attempt failed; ``error`` says why."""

    error: str


@dataclasses.dataclass(frozen=True, slots=True)
class Confirmed:
    """The broker has taken message ``token``, or refused it (``error``), or had nobody to give it to (``unheard``)."""

    token: tuple[int, int]
    error: str | None = None
    unheard: bool = False


Signal = Connected | Disconnected | Confirmed


@dataclasses.dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds: the first ceiling, the last one, and how long a connection must hold to start over; or how many
    messages of ours the broker must have confirmed on it."""

    first_s: float = BACKOFF_FIRST_S
    ceiling_s: float = BACKOFF_CEILING_S
    steady_s: float = STEADY_S
    worth_messages: int = WORTH_MESSAGES

    def failures(self, before: int, held_s: float, confirmed: int) -> int:
        """How many attempts in a row did not hold, with one that ended after ``held_s`` and so many confirmed messages;
        ``before`` without it. For a connection that the broker accepted."""
        return 1 if held_s >= self.steady_s or confirmed >= self.worth_messages else before + 1

    def pause_s(self, failures: int, random_01: float) -> float:
        """A random wait before the next attempt, after ``failures`` (≥ 1) attempts in a row that did not hold."""
        return random_01 * min(self.ceiling_s, self.first_s * 2.0 ** min(failures - 1, 16))


def address_of(url: str) -> tuple[str, int, bool]:
    """(host, port, whether TLS) of a broker url; 1883 and 8883 where no port is given. Raises ValueError."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError(f"bridge.url: {url!r} is not allowed; allowed: mqtt://host:port or mqtts://host:port")
    tls = parts.scheme == "mqtts"
    return parts.hostname, parts.port or (8883 if tls else 1883), tls


class Link:
    """One client's connection to one broker. ``will``: what the broker says of it when it is lost, for a node.
    ``on_signal`` is called (from other threads) when ``signals`` has news; ``subscriptions`` says before each
    connection what is wanted on it. ``loop_s``: well below the keepalive."""

    def __init__(
        self,
        settings: BridgeSettings,
        client_id: str,
        will: Callable[[], Message] | None,
        clock: Clock,
        on_signal: Callable[[], None],
        *,
        subscriptions: Callable[[], Sequence[Subscription]] = tuple,
        backoff: Backoff | None = None,
        loop_s: float = LOOP_S,
    ) -> None:
        self._loop_s = loop_s
        self._settings = settings
        self._subscriptions = subscriptions
        self._host, self._port, self._tls = address_of(settings.url)
        self._client_id = client_id
        self._will = will
        self._clock = clock
        self._on_signal = on_signal
        self._backoff = backoff or Backoff()
        self._signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._client: paho.Client | None = None
        self._session = 0
        self._thread = threading.Thread(target=self._run, name="mqtt-link", daemon=True)

    def start(self) -> None:
        """Begins to connect, and from then on never gives up."""
        self._thread.start()

    def signals(self) -> list[Signal]:
        """What has happened since the last call, in order."""
        found: list[Signal] = []
        while True:
            try:
                found.append(self._signals.get_nowait())
            except queue.Empty:
                return found

    def publish(self, message: Message) -> tuple[int, int] | None:
        """Hands a message to the connection; its token comes back in Confirmed. None when there is no connection."""
        with self._lock:
            client, session = self._client, self._session
        if client is None:
            return None
        sent = client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        return (session, sent.mid) if sent.rc is MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def close(self, timeout_s: float = 2.0) -> None:
        """Says goodbye (the broker then does not send the will) and ends the thread."""
        self._stop.set()
        with self._lock:
            client = self._client
        if client is not None:
            client.disconnect()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            started_ns = self._clock.monotonic_ns()
            try:
                ended = self._one_connection()
            except (OSError, ValueError) as error:
                # ValueError: a host name that IDNA cannot encode, a key that does not belong to its certificate
                ended = _Ended(f"{self._settings.url}: {_reason(error)}")
            except Exception as error:  # the thread's top: whatever paho meets, the node keeps trying
                log.exception("event=mqtt_link_failed")
                ended = _Ended(f"{self._settings.url}: {error!r}")
            if self._stop.is_set():
                return
            held_s = (self._clock.monotonic_ns() - started_ns) / NS_PER_S
            failures = self._backoff.failures(failures, held_s, ended.confirmed) if ended.connected else failures + 1
            pause_s = self._backoff.pause_s(failures, random.random())
            if ended.taken_over:
                pause_s += TAKEOVER_PAUSE_S
            log.warning("event=mqtt_disconnected error=%r again_in_s=%.1f failures=%d", ended.error, pause_s, failures)
            self._signal(Disconnected(ended.error))
            self._stop.wait(pause_s)

    def _one_connection(self) -> "_Ended":
        """Connects, and returns when that connection has ended. Raises OSError and ValueError when it cannot begin."""
        over = threading.Event()
        ended = _Ended("closed")
        session = self._session + 1
        wanted = list(self._subscriptions())
        asked: dict[int | None, Subscription] = {}

        def on_failed(error: Exception) -> None:
            ended.error = f"{self._settings.url}: what the broker sent cannot be read: {error!r}"
            over.set()

        client = self._new_client(on_failed)

        def on_connect(_c: Any, _u: Any, _flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
            if reason.is_failure:
                ended.error = f"{self._settings.url}: the broker refuses: {reason}"
                over.set()
                return
            ended.connected = True
            room = min(MAX_IN_FLIGHT, int(getattr(properties, "ReceiveMaximum", MAX_IN_FLIGHT)))
            with self._lock:
                self._client, self._session = client, session
            self._signal(Connected(session, room))
            for subscription in wanted:
                options = SubscribeOptions(qos=1, retainAsPublished=True)
                _rc, mid = client.subscribe(subscription.topic, options=options)
                asked[mid] = subscription

        def on_subscribe(_c: Any, _u: Any, mid: int, reasons: list[ReasonCode], _properties: Any) -> None:
            if (subscription := asked.pop(mid, None)) is not None:
                refused = [str(reason) for reason in reasons if reason.is_failure]
                subscription.told(f"the broker refuses {subscription.topic}: {refused[0]}" if refused else None)

        def on_message(_c: Any, _u: Any, message: paho.MQTTMessage) -> None:
            try:
                topic = message.topic
            except UnicodeDecodeError:
                return
            for subscription in wanted:
                if paho.topic_matches_sub(subscription.topic, topic):
                    subscription.deliver(Received(topic, bytes(message.payload), message.retain))

        def on_disconnect(_c: Any, _u: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
            ended.taken_over = reason.value == _SESSION_TAKEN_OVER
            if not over.is_set():
                ended.error = f"{self._settings.url}: connection lost: {reason}"
            over.set()

        def on_publish(_c: Any, _u: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
            error = f"the broker refuses a message: {reason}" if reason.value >= _FAILED else None
            ended.confirmed += error is None
            self._signal(Confirmed((session, mid), error, unheard=reason.value == NO_MATCHING_SUBSCRIBERS))

        client.on_connect = on_connect
        client.on_disconnect = on_disconnect
        client.on_publish = on_publish
        client.on_subscribe = on_subscribe
        client.on_message = on_message
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = MAX_PACKET_BYTES
        client.connect(self._host, self._port, keepalive=KEEPALIVE_S, clean_start=True, properties=properties)
        client.loop_start()
        try:
            while not over.wait(self._loop_s):
                if self._stop.is_set() and not ended.connected:
                    break  # the broker took the connection but never answered
        finally:
            with self._lock:
                self._client = None
            client.disconnect()
            client.loop_stop()
        return ended

    def _new_client(self, on_failed: Callable[[Exception], None]) -> paho.Client:
        settings = self._settings
        client = _Client(
            on_failed,
            self._loop_s,
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # whoever publishes keeps to what the broker allows
        client.on_socket_open = _no_delay
        if self._will is not None:
            will = self._will()
            properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            properties.WillDelayInterval = 0
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain, properties=properties)
        if settings.username is not None:
            password = None
            if settings.password_file is not None:
                password = pathlib.Path(settings.password_file).read_text(encoding="utf-8").rstrip("\r\n")
            client.username_pw_set(settings.username, password)
        if self._tls:
            context = ssl.create_default_context(cafile=settings.ca_file)
            if settings.cert_file is not None:
                context.load_cert_chain(settings.cert_file, settings.key_file)
            client.tls_set_context(context)
        return client

    def _signal(self, signal: Signal) -> None:
        self._signals.put(signal)
        self._on_signal()


class _Client(paho.Client):
    """paho's thread ends without a word where reading or a callback fails; here it says so."""

    def __init__(self, on_failed: Callable[[Exception], None], loop_s: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_failed = on_failed
        self._loop_s = loop_s

    def loop_forever(self, timeout: float = LOOP_S, retry_first_connection: bool = False) -> MQTTErrorCode:
        try:
            return super().loop_forever(self._loop_s, retry_first_connection)
        except Exception as error:  # noqa: BLE001 - whatever it is, the link connects anew
            self._on_failed(error)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL


@dataclasses.dataclass(slots=True)
class _Ended:
    """How one connection ended."""

    error: str
    connected: bool = False
    taken_over: bool = False
    confirmed: int = 0


def _no_delay(_client: Any, _userdata: Any, sock: Any) -> None:
    # paho leaves Nagle's algorithm on: 44 ms round trips against brokers that acknowledge late.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate does not verify: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"the name does not resolve: {error.strerror}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or repr(error)
