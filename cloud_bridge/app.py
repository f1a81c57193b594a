"""The bridge: journal -> outbox -> MQTT, and the node's presence, health and configuration as retained messages.

Invariants: one thread (whoever calls ``run``) touches the outbox, the journal reader and the files; it never waits for
the network, for core or for a name to resolve. Retained topics are desired values: what is not confirmed is published
again on the next connection. Of an enrolled node the bridge is also the postman of its group's bundle, and judges
nothing of it; the office's commands are judged and acted on beside it (``cloud_bridge.commands``), here are the answers
sent.
"""

import contextlib
import dataclasses
import functools
import json
import logging
import pathlib
import threading
import uuid
from collections.abc import Sequence
from typing import Any, Final

from cloud_bridge import core_watch
from cloud_bridge.command_payloads import ReplyBody
from cloud_bridge.commands import Commands
from cloud_bridge.core_watch import Ask, CoreWatch
from cloud_bridge.cursor_file import CursorFile
from cloud_bridge.health import config_reported, essence, health_body, section_hashes_in
from cloud_bridge.inbox import Inbox
from cloud_bridge.mqtt import (
    LOOP_S,
    MAX_IN_FLIGHT,
    Backoff,
    Confirmed,
    Connected,
    Disconnected,
    Link,
    Message,
    Received,
    Subscription,
)
from cloud_bridge.outbox import Item, Lane, Outbox
from cloud_bridge.topics import (
    Envelope,
    HealthBody,
    InboxHealth,
    Leaf,
    NodeTopics,
    OutboxHealth,
    Payload,
    PresenceBody,
    body_of,
    encode,
    event_envelope,
)
from configs.schema import SiteConfig
from device import control
from device.ipc import EXIT_RESTART
from device.journal_reader import JOURNAL_FILE, JournalError, JournalReader
from device.outbox_cursor import CURSOR_FILE
from device.provisioning import enrolment
from device.provisioning import outcome as outcomes
from device.site import section_hashes
from hal.clock import NS_PER_MS, NS_PER_S, Clock, boot_id, iso_utc

log = logging.getLogger(__name__)

OWN_SECTIONS: Final = ("bridge", "site")
"""What of the configuration is used here: where to connect, and the node's id, which is in every topic."""

STATUS_FILE: Final = "bridge.json"
POLL_S: Final = 0.05
"""How often the journal is asked for new events: the mean delay of an event is half of it; a poll costs some 20 µs."""

STATUS_EVERY_S: Final = 1.0
STATE_RESERVE: Final = 4
"""Of what may be in flight, kept free for presence, health and configuration."""

REFUSED_PAUSE_NS: Final = 30 * NS_PER_S
"""After the broker refused a message (no permission, a quota) it is offered again, but not in a tight loop."""

UNHEARD_FIRST_NS: Final = NS_PER_S // 4
UNHEARD_MOST_NS: Final = 2 * NS_PER_S
"""While nobody is subscribed to a node's events they stay here: a broker that lost its sessions in a crash confirms
what it then throws away. Short at first, because subscribers come back within seconds; doubled each time."""

GOODBYE_S: Final = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks: at the journal, at core, of the connection's threads, and between two writes of
    ``bridge.json``. Whoever runs hundreds of bridges in one process looks less often."""

    poll_s: float = POLL_S
    core_s: float = core_watch.POLL_S
    loop_s: float = LOOP_S
    status_s: float = STATUS_EVERY_S


class Bridge:
    """The bridge of one node. Many may run in one process. ``site.bridge`` must be set (ValueError).

    ``ask`` is how it speaks with core: over core.sock unless told."""

    def __init__(
        self,
        site: SiteConfig,
        run_dir: pathlib.Path,
        state_dir: pathlib.Path,
        clock: Clock,
        *,
        backoff: Backoff | None = None,
        ask: Ask | None = None,
        pace: Pace | None = None,
    ) -> None:
        if site.bridge is None:
            raise ValueError("bridge: the site file has no such section; nothing to connect to")
        self._settings = site.bridge
        self._clock = clock
        ask = ask or functools.partial(control.call, run_dir)
        self._pace = pace or Pace()
        self._run_dir = run_dir
        self._topics = NodeTopics(site.site.id)
        hashes = section_hashes(site)
        self._sections = {name: hashes[name] for name in OWN_SECTIONS}
        self._wake = threading.Event()
        self._stopping = False
        self._boot_id = boot_id()
        self._own_stream = str(uuid.uuid4())
        self._own_seq = 0
        self._own_lock = threading.Lock()  # the will is made on the link's thread
        self._reader = JournalReader(state_dir / JOURNAL_FILE)
        self._cursor = CursorFile()
        self._outbox = Outbox(
            self._reader,
            state_dir / CURSOR_FILE,
            clock,
            backlog_per_s=self._settings.backlog_per_s,
            write=self._cursor.write,
        )
        self._state_dir = state_dir
        self._inbox = Inbox(state_dir / enrolment.FOLDER / enrolment.INBOX, clock)
        self._enrolled = False
        self._commands = Commands(
            site.site.id,
            state_dir,
            state_dir / enrolment.FOLDER,
            clock,
            ask,
            self._report,
        )
        self._reply: ReplyBody | None = None
        self._reply_error: str | None = None
        self._report_now = False
        self._link = Link(
            self._settings,
            site.site.id,
            self._will,
            clock,
            self._wake.set,
            subscriptions=self._subscriptions,
            backoff=backoff,
            loop_s=self._pace.loop_s,
        )
        self._core = CoreWatch(ask, self._wake.set, self._pace.core_s)
        self._connected = False
        self._room = MAX_IN_FLIGHT
        self._in_flight: dict[tuple[int, int], Item | Leaf] = {}
        self._wanted: dict[Leaf, Payload] = {}
        self._unsent: set[Leaf] = set()
        self._core_number = 0
        self._version: str | None = None
        self._health_essence: Any = None
        self._health_ns = 0
        self._states_after_ns = 0
        self._events_after_ns = 0
        self._unheard_ns = UNHEARD_FIRST_NS
        self._last_error: str | None = None
        self._journal_error: str | None = None
        self._event_error: str | None = None
        self._state_error: str | None = None
        self._cursor_error: str | None = None
        self._status_every_ns = round(self._pace.status_s * NS_PER_S)
        self._status_ns = clock.monotonic_ns() - self._status_every_ns
        self._status_connected: bool | None = None
        self._status_error = False

    def stop(self) -> None:
        """Asks ``run`` to end; from any thread or a signal handler."""
        self._stopping = True  # and no lock: a handler may interrupt the very line that holds it

    def wake(self) -> None:
        """Has it look at everything now; from any thread, not from a signal handler."""
        self._wake.set()

    @property
    def bundle_bytes(self) -> int:
        """Bytes of bundles that the broker has sent to this bridge, for measurements."""
        return self._inbox.offered_bytes

    def run(self) -> int:
        """Works until ``stop`` (returns 0) or until its own part of the configuration has changed (75)."""
        self._link.start()
        self._core.start()
        code = 0
        try:
            while not self._stopping:
                self._wake.wait(self._pace.poll_s)
                self._wake.clear()
                if self._turn():
                    code = EXIT_RESTART
                    break
        finally:
            self._goodbye()
        return code

    def _turn(self) -> bool:
        """One round; True when the bridge has to start again with a new configuration."""
        self._take_signals()
        if self._look_at_core():
            return True
        self._send_states()
        self._send_reply()
        self._send_events()
        self._inbox.keep()
        self._outbox.save()
        self._look_at_cursor()
        self._write_status()
        return False

    # --- what comes in -----------------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        for signal in self._link.signals():
            match signal:
                case Connected(max_in_flight=room):
                    self._connected, self._last_error = True, None
                    self._room = room
                    self._in_flight.clear()
                    self._outbox.max_in_flight = max(1, room - STATE_RESERVE)
                    self._outbox.connected()
                    self._want(Leaf.PRESENCE, PresenceBody(state="online", reason="connected", version=self._version))
                    self._unsent.update(self._wanted)
                    self._health_ns = 0  # a health of now, not of before the outage
                case Disconnected(error=error):
                    self._connected, self._last_error = False, error
                    self._in_flight.clear()
                    self._outbox.disconnected()
                case Confirmed():
                    self._confirmed(signal)

    def _confirmed(self, signal: Confirmed) -> None:
        sent = self._in_flight.pop(signal.token, None)
        if sent is None:
            return
        now_ns = self._clock.monotonic_ns()
        if sent is Leaf.REPLY:
            self._reply_error = signal.error
            if signal.error is not None:
                self._refused(signal.error)
        elif isinstance(sent, Leaf):
            self._state_error = signal.error
            if signal.error is not None:
                self._refused(signal.error)
                self._states_after_ns = now_ns + REFUSED_PAUSE_NS
                self._unsent.add(sent)
        elif signal.error is None and not signal.unheard:
            self._outbox.confirm(sent)
            self._event_error = None
            self._unheard_ns = UNHEARD_FIRST_NS
        else:
            self._event_error = signal.error or "nobody is subscribed to this node's events: they are kept"
            self._refused(self._event_error)
            self._events_after_ns = now_ns + (REFUSED_PAUSE_NS if signal.error is not None else self._unheard_ns)
            self._unheard_ns = min(2 * self._unheard_ns, UNHEARD_MOST_NS)
            self._outbox.connected()  # what was not confirmed is offered again

    def _refused(self, error: str) -> None:
        if error != self._last_error:
            log.error("event=mqtt_refused error=%r", error)
        self._last_error = error

    def _look_at_core(self) -> bool:
        seen = self._core.latest()
        now_ns = self._clock.monotonic_ns()
        if self._report_now:
            self._report_now = False
            self._unsent.update(self._wanted)
            self._health_ns = 0
        due = self._health_ns == 0 or now_ns - self._health_ns >= self._settings.health_every_s * NS_PER_S
        if seen.number == 0 or (seen.number == self._core_number and not due):
            return False
        self._core_number = seen.number
        if seen.status is not None:
            running = section_hashes_in(seen.status)
            if any(running.get(name, value) != value for name, value in self._sections.items()):
                log.info("event=config_changed effect=restart")
                return True
            reported = config_reported(seen.status, outcomes.read(self._state_dir / enrolment.FOLDER))
            if reported is not None and reported != self._wanted.get(Leaf.CONFIG_REPORTED):
                self._version = reported.version
                self._want(Leaf.CONFIG_REPORTED, reported)
        body = health_body(seen.status, seen.why_not, self._outbox_health(), self._inbox_health())
        if due or essence(body) != self._health_essence:
            self._want_health(body, now_ns)
        return False

    def _want_health(self, body: HealthBody, now_ns: int) -> None:
        self._health_essence, self._health_ns = essence(body), now_ns
        self._want(Leaf.HEALTH, body)

    def _subscriptions(self) -> Sequence[Subscription]:
        """On the link's thread, before each connection: a node may be enrolled, or change its group, meanwhile."""
        try:
            whose = enrolment.read(self._state_dir)
        except enrolment.EnrolmentError as error:
            self._enrolled = True
            self._inbox.subscribed(str(error))
            return []
        self._enrolled = whose is not None
        if whose is None:
            return []
        topics = NodeTopics(f"{whose.county}/{whose.node}")
        return [
            Subscription(
                topics.group_bundle(whose.group),
                self._bundle_came,
                self._inbox.subscribed,
            ),
            Subscription(topics.commands, self._commands.offer, self._commands.subscribed),
        ]

    def _bundle_came(self, message: Received) -> None:
        """On paho's thread."""
        self._inbox.offer(message.payload)
        self.wake()

    def _report(self) -> None:
        """On the thread of the commands: the county is told everything anew."""
        self._report_now = True
        self.wake()

    def _inbox_health(self) -> InboxHealth | None:
        if not self._enrolled:
            return None
        health, commands = self._inbox.health(), self._commands
        problem = health.problem or commands.problem or self._reply_error
        return health.model_copy(update={"commands_dropped": commands.dropped, "problem": problem})

    # --- what goes out -----------------------------------------------------------------------------------------

    def _want(self, leaf: Leaf, body: Payload) -> None:
        self._wanted[leaf] = body
        self._unsent.add(leaf)

    def _send_states(self) -> None:
        if not self._connected or self._clock.monotonic_ns() < self._states_after_ns:
            return
        for leaf in sorted(self._unsent, key=lambda leaf: leaf is not Leaf.PRESENCE):
            if len(self._in_flight) >= self._room:
                return
            body = self._wanted[leaf]
            kind = leaf.value.partition("/")[0]
            token = self._link.publish(Message(self._topics.of(leaf), encode(self._envelope(kind, body)), retain=True))
            if token is None:
                return
            self._in_flight[token] = leaf
            self._unsent.discard(leaf)

    def _send_reply(self) -> None:
        """One a turn: a flood of commands is no flood of answers."""
        if not self._connected or len(self._in_flight) >= self._room:
            return
        self._reply = self._reply or self._commands.reply()
        if self._reply is None:
            return
        payload = encode(self._envelope("reply", self._reply))
        token = self._link.publish(Message(self._topics.of(Leaf.REPLY), payload))
        if token is not None:
            self._in_flight[token] = Leaf.REPLY
            self._reply = None

    def _send_events(self) -> None:
        if not self._connected or self._clock.monotonic_ns() < self._events_after_ns:
            return
        try:
            while len(self._in_flight) < self._room and (item := self._outbox.next()) is not None:
                if not self._send_event(item):
                    break
            self._journal_error = None
        except JournalError as error:
            self._journal_error = str(error)

    def _send_event(self, item: Item) -> bool:
        try:
            payload = encode(event_envelope(item.row))
        except ValueError as error:
            # Not what our writer writes: bits that rotted unseen. One such row must not hold up all that follow.
            log.error("event=outbox_row_unreadable stream=%s seq=%d error=%r", item.row.stream, item.row.seq, error)
            self._outbox.confirm(item)
            return True
        leaf = Leaf.EVENT if item.lane is Lane.LIVE else Leaf.BACKLOG
        token = self._link.publish(Message(self._topics.of(leaf), payload))
        if token is None:
            # The connection has just gone; its signal is on the way and rewinds the outbox.
            return False
        self._in_flight[token] = item
        return True

    def _envelope(self, kind: str, body: Payload) -> Envelope:
        with self._own_lock:
            self._own_seq += 1
            seq = self._own_seq
        return Envelope(
            stream=self._own_stream,
            seq=seq,
            boot_id=self._boot_id,
            mono_ms=self._clock.monotonic_ns() // NS_PER_MS,
            t=iso_utc(self._clock.wall_ns()),
            t_quality=self._clock.quality().value,
            kind=kind,
            body=body_of(body),
        )

    def _will(self) -> Message:
        body = PresenceBody(state="offline", reason="lost")
        return Message(self._topics.of(Leaf.PRESENCE), encode(self._envelope("presence", body)), retain=True)

    def _goodbye(self) -> None:
        if self._connected:
            self._unsent.clear()
            self._states_after_ns = 0
            self._want(Leaf.PRESENCE, PresenceBody(state="offline", reason="stopped", version=self._version))
            until_ns = self._clock.monotonic_ns() + round(GOODBYE_S * NS_PER_S)
            while self._connected and self._clock.monotonic_ns() < until_ns and (self._unsent or self._in_flight):
                self._send_states()
                self._wake.wait(self._pace.poll_s)
                self._wake.clear()
                self._take_signals()
            self._outbox.settle_all()
        self._link.close()
        self._commands.close()
        self._core.close()
        self._connected = False
        self._outbox.save(now=True)
        self._cursor.close()
        self._look_at_cursor()
        self._write_status(now=True)
        self._reader.close()

    # --- files -------------------------------------------------------------------------------------------------

    def _look_at_cursor(self) -> None:
        problem = self._cursor.problem
        if problem is not None and self._cursor_error is None:
            log.error("event=outbox_cursor_unwritable error=%r effect=duplicates_after_a_restart", problem)
        self._cursor_error = problem

    def _outbox_health(self) -> OutboxHealth:
        lag = 0
        with contextlib.suppress(JournalError):
            lag = self._outbox.lag()
        return OutboxHealth(
            lag=lag,
            backlog=self._outbox.backlog(),
            sent=self._outbox.sent_total,
            confirmed=self._outbox.confirmed_total,
            problem=self._journal_error or self._cursor_error or self._event_error,
        )

    def _write_status(self, *, now: bool = False) -> None:
        now_ns = self._clock.monotonic_ns()
        if not now and self._connected == self._status_connected and now_ns - self._status_ns < self._status_every_ns:
            return
        self._status_ns, self._status_connected = now_ns, self._connected
        health = self._outbox_health()
        inbox = self._inbox_health()
        problem = self._state_error or health.problem or (inbox.problem if inbox is not None else None)
        values = {
            "connected": self._connected,
            "sent": health.sent,
            "confirmed": health.confirmed,
            "backlog": health.backlog,
            "lag": health.lag,
            "last_error": problem if self._connected else self._last_error,
            "mono_ns": now_ns,
        }
        # No fsync: the run directory is in memory on a node, and the next one comes in a second.
        path = self._run_dir / STATUS_FILE
        temporary = path.with_name(f".{path.name}.{self._own_stream[:8]}")
        try:
            temporary.write_text(json.dumps(values), encoding="utf-8")
            temporary.replace(path)
            self._status_error = False
        except OSError as error:
            if not self._status_error:
                log.error("event=bridge_status_unwritable path=%s error=%r", path, error)
            self._status_error = True
