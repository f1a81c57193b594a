"""What goes over MQTT: the topics of a node and the payloads on them, as models both ends can check with.

Contract (word for word in ``docs`` and on the county's side). Invariants: every payload is an ``Envelope``; a receiver
that keeps (node, stream, seq) once has every message once. Journalled events carry the journal's stream and seq;
what the bridge says for itself (presence, health, config) carries a stream born with the bridge process, so the two
can never be taken for each other.
"""

import dataclasses
import enum
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from device.journal_reader import Row

ROOT = "sentinel/v1"

_NODE = re.compile(r"\d{6}/[a-z][a-z0-9_]{0,31}")
_SEGMENT = re.compile(r"[a-z][a-z0-9_]{0,31}")


class Leaf(enum.StrEnum):
    """The last parts of a node's topics."""

    PRESENCE = "presence"  # retained, Last Will
    HEALTH = "health"  # retained
    EVENT = "event"  # QoS 1, live
    BACKLOG = "backlog"  # QoS 1, what an outage kept
    CONFIG_REPORTED = "config/reported"  # retained
    REPLY = "reply"  # carries command_seq


@dataclasses.dataclass(frozen=True, slots=True)
class NodeTopics:
    """The topics of one node; ``node`` is the site id, ``county/node``. Raises ValueError where it is not one."""

    node: str

    def __post_init__(self) -> None:
        if not _NODE.fullmatch(self.node):
            raise ValueError(f"site id {self.node!r}: allowed: six digits, '/', a name like n0001")

    def of(self, leaf: Leaf) -> str:
        """A topic this node publishes on."""
        return f"{ROOT}/{self.node}/{leaf.value}"

    def command(self, verb: str) -> str:
        """The topic on which this node is asked to do ``verb``."""
        return f"{ROOT}/{self.node}/command/{_segment(verb)}"

    def group_bundle(self, group: str) -> str:
        """The retained topic that carries a signed bundle for every node of a group of this county."""
        return f"{ROOT}/{self.node.partition('/')[0]}/_group/{_segment(group)}/bundle"


def parse(topic: str) -> tuple[str, str] | None:
    """(node, leaf) of a topic that a node publishes on, None for any other."""
    parts = topic.removeprefix(f"{ROOT}/").split("/", 2) if topic.startswith(f"{ROOT}/") else []
    if len(parts) < 3 or not _NODE.fullmatch(f"{parts[0]}/{parts[1]}") or parts[2] not in set(Leaf):
        return None
    return f"{parts[0]}/{parts[1]}", parts[2]


def _segment(name: str) -> str:
    if not _SEGMENT.fullmatch(name):
        raise ValueError(f"topic part {name!r}: allowed: [a-z][a-z0-9_]{{0,31}}")
    return name


class Payload(BaseModel):
    """Base of every model here. Unknown keys are refused: a new key is a new version of the contract."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Envelope(Payload):
    """The frame of every message. ``mono_ms`` compares within one ``boot_id`` only."""

    v: Literal[1] = 1
    stream: Annotated[str, Field(min_length=1, max_length=64, description="uuid; with seq it names one message")]
    seq: Annotated[int, Field(ge=0)]
    boot_id: str
    mono_ms: Annotated[int, Field(ge=0, description="monotonic time of what happened, ms since boot")]
    t: Annotated[str, Field(description="the same as wall time, ISO 8601 UTC")]
    t_quality: Literal["synced", "rtc", "floor"]
    kind: str
    body: dict[str, JsonValue]


class PresenceBody(Payload):
    """``presence``. An offline with reason ``lost`` is the Last Will: its times are those of the connection."""

    state: Literal["online", "offline"]
    reason: Literal["connected", "stopped", "lost"]
    version: str | None = None


class FaceHealth(Payload):
    """Health of one face and why it is not ok."""

    health: str
    reasons: list[str] = []


class PartHealth(Payload):
    """State of one device or process, and its problem in words."""

    state: str
    problem: str | None = None
    counters: dict[str, JsonValue] = {}


class OutboxHealth(Payload):
    """How far the county is behind the journal, in events."""

    lag: Annotated[int, Field(ge=0, description="events journalled and not yet confirmed")]
    backlog: Annotated[int, Field(ge=0, description="of those, kept from an outage")]
    sent: int
    confirmed: int
    problem: str | None = None


class HealthBody(Payload):
    """``health``: the whole node at a glance. With ``core: not_running`` nothing else is known."""

    core: Literal["running", "not_running"]
    problem: str | None = None
    version: str | None = None
    config_sha256: str | None = None
    uptime_s: float | None = None
    booting: bool | None = None
    clock_quality: str | None = None
    faces: dict[str, FaceHealth] = {}
    parts: dict[str, PartHealth] = {}
    journal_problem: str | None = None
    latency_ms: dict[str, JsonValue] = {}
    counters: dict[str, JsonValue] = {}
    outbox: OutboxHealth


class ConfigReportedBody(Payload):
    """``config/reported``: what the node runs now."""

    sha256: str
    version: str | None
    sections: dict[str, str]


def event_envelope(row: Row) -> Envelope:
    """A journalled event as it is sent, live or from the backlog: the body is the journal's, ``face`` beside it."""
    body = dict(row.body) if row.face is None else {"face": row.face, **row.body}
    return Envelope(
        stream=row.stream,
        seq=row.seq,
        boot_id=row.boot_id,
        mono_ms=row.mono_ms,
        t=row.t,
        t_quality=row.t_quality,  # type: ignore[arg-type]  # text from a file: pydantic checks it
        kind=row.kind,
        body=body,
    )


def encode(envelope: Envelope) -> bytes:
    """JSON, UTF-8."""
    return envelope.model_dump_json().encode()


def decode(payload: bytes) -> Envelope:
    """The envelope in a payload. Raises ValueError (pydantic's) that says which key is wrong."""
    return Envelope.model_validate_json(payload)


def body_of(model: BaseModel) -> dict[str, Any]:
    """A body model as the plain JSON values that an envelope holds."""
    return model.model_dump(mode="json")
