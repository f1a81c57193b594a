"""What goes over MQTT: the topics of a node and the payloads on them, as models both ends can check with.

Contract: ``docs/asyncapi.yaml`` is made from it; the bodies of events are in ``cloud_bridge.event_bodies``. Invariants:
every payload is an ``Envelope``; a receiver that keeps (node, stream, seq) once has every message once. Journalled
events carry the journal's stream and seq; what the bridge says for itself (presence, health, config) carries a stream
born with the bridge process, so the two can never be taken for each other.
"""

import dataclasses
import enum
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from device.chosen import Chosen
from device.journal_reader import Row
from device.provisioning.outcome import Outcome

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

    @property
    def commands(self) -> str:
        """What this node subscribes to for all its commands."""
        return f"{ROOT}/{self.node}/command/+"

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


def said(zh: str, en: str, **kwargs: Any) -> Any:
    """A field with its description in both languages; the rest goes to pydantic's Field."""
    return Field(description=f"{zh} / {en}", **kwargs)


class Envelope(Payload):
    """每条消息的外框;mono_ms 只在同一个 boot_id 内可比。/ The frame of every message; ``mono_ms`` compares within one
    ``boot_id`` only."""

    v: Literal[1] = said("合同版本", "version of the contract", default=1)
    stream: str = said(
        "流的 uuid:事件随日志而生,其余随上报进程而生",
        "uuid of the stream: born with the journal for events, with the bridge process for everything else",
        min_length=1,
        max_length=64,
    )
    seq: int = said(
        "流内序号,从不重复;(节点, stream, seq) 指明一条消息",
        "number within the stream, never used twice; (node, stream, seq) names one message",
        ge=0,
    )
    boot_id: str = said("节点这次开机的编号", "this boot of the node")
    mono_ms: int = said("事情发生的单调时间,开机后毫秒", "monotonic time of what happened, ms since boot", ge=0)
    t: str = said("同一时刻的墙钟时间,ISO 8601 UTC", "the same as wall time, ISO 8601 UTC")
    t_quality: Literal["synced", "rtc", "floor"] = said(
        "墙钟可信吗:synced 已同步,rtc 靠电池走时,floor 一定不对",
        "how far the wall clock is right: synced, rtc (kept by a battery), floor (certainly wrong)",
    )
    kind: str = said("这是什么消息;决定 body 的形状", "what it is; it decides the shape of body")
    body: dict[str, JsonValue] = said("内容", "what is said")


class PresenceBody(Payload):
    """节点在不在线。lost 的 offline 是遗嘱,它的时间是那次连接的时间。/ Whether the node is there. An offline with
    reason ``lost`` is the Last Will: its times are those of the connection."""

    state: Literal["online", "offline"] = said("在线或离线", "online or offline")
    reason: Literal["connected", "stopped", "lost"] = said(
        "刚连上、有序停止、失联", "connected, stopped in good order, or lost"
    )
    version: str | None = said("节点程序版本", "version of the node's program", default=None)


class FaceHealth(Payload):
    """一个面的健康和原因。/ Health of one face and why it is not ok."""

    health: str = said(
        "ok、degraded、fault;unknown 表示说不清", "ok, degraded or fault; unknown where core does not say"
    )
    reasons: list[str] = said("为什么不是 ok", "why it is not ok", default=[])


class PartHealth(Payload):
    """一个设备或进程的状态。/ State of one device or process, and its problem in words."""

    state: str = said("OK、WARN、ERROR、STALE", "OK, WARN, ERROR or STALE; unknown where core does not say")
    problem: str | None = said("问题", "the problem in words", default=None)
    counters: dict[str, JsonValue] = said("计数,供诊断", "counters, for diagnosis", default={})


class LostEvents(Payload):
    """平台永远收不到的条数,按类。/ How many the county will never have, by class."""

    telemetry: int = said("遥测:语音、部件、通过、时长", "telemetry: voice, part, passage, duty", ge=0, default=0)
    event: int = said("其余事件", "every other event", ge=0, default=0)
    alert: int = said("警报、险情、日志自述", "alert, near_miss, journal", ge=0, default=0)


class JournalHealth(Payload):
    """节点的日志。/ The node's journal."""

    stream: str | None = said("日志的流", "the journal's stream", default=None)
    problem: str | None = said("为什么写不进磁盘", "why events do not reach the disk", default=None)
    losing: bool = said(
        "正在丢平台还没收到的事件", "whether it is giving up events that the county has not", default=False
    )
    lost: LostEvents = said("这个流里丢了多少", "what this stream has lost", default=LostEvents())
    set_aside: int = said("本次启动以来另存的损坏文件", "damaged files put aside since core started", ge=0, default=0)


class OutboxHealth(Payload):
    """平台落后日志多少条。/ How far the county is behind the journal, in events."""

    lag: int = said("已入账、未确认", "events journalled and not yet confirmed", ge=0)
    backlog: int = said("其中断网时积下的", "of those, kept from an outage", ge=0)
    sent: int = said("本次启动以来发出的", "sent since the bridge started")
    confirmed: int = said("其中已确认的", "of those, confirmed")
    problem: str | None = said("问题", "the problem in words", default=None)


class InboxHealth(Payload):
    """办公室下发的配置包和命令,送到节点手里为止。/ The office's bundles and commands, as far as the node's door."""

    received: int = said("本次启动以来收下的", "kept since the bridge started", ge=0, default=0)
    too_big: int = said("太大、没有收的", "too big, and not kept", ge=0, default=0)
    commands_dropped: int = said("来得太多、没有看的命令", "commands not looked at, too many at once", ge=0, default=0)
    problem: str | None = said("为什么收不到或存不下", "why none comes or none is kept", default=None)


class HealthBody(Payload):
    """整个节点一览;core 为 not_running 时其余一概不知。/ The whole node at a glance; with ``core: not_running`` nothing
    else is known."""

    core: Literal["running", "not_running"] = said("核心进程", "the core process")
    problem: str | None = said("核心为什么不答", "why core does not answer", default=None)
    version: str | None = said("程序版本", "version of the program", default=None)
    config_sha256: str | None = said("正在用的配置", "the configuration in force", default=None)
    uptime_s: float | None = said("核心已运行秒数", "seconds that core has run", default=None)
    booting: bool | None = said("还在自检,灯在闪", "still earning dark: lamps flash", default=None)
    clock_quality: str | None = said("墙钟质量", "quality of the wall clock", default=None)
    faces: dict[str, FaceHealth] = said("各面", "the faces", default={})
    parts: dict[str, PartHealth] = said("各部件", "the parts", default={})
    journal: JournalHealth = said("日志", "the journal", default=JournalHealth())
    latency_ms: dict[str, JsonValue] = said("来车帧到灯的延迟", "from a sensor's frame to the lamp", default={})
    counters: dict[str, JsonValue] = said("计数,供诊断", "counters, for diagnosis", default={})
    outbox: OutboxHealth = said("发件箱", "the outbox")
    inbox: InboxHealth | None = said(
        "收件箱;未登记的节点没有", "the inbox; none where the node is not enrolled", default=None
    )


class ConfigReportedBody(Payload):
    """节点正在用的配置。/ What the node runs now. ``layers``: of an enrolled node."""

    sha256: str = said("整个配置的指纹", "fingerprint of the whole configuration")
    version: str | None = said("程序版本", "version of the program")
    sections: dict[str, str] = said("每一段的指纹", "fingerprint of each section")
    layers: Chosen | None = said(
        "县里下发的版本、试运行、退回、现场临时改动;没登记的节点没有",
        "the county's issue, trial, revert and changes by hand; none where the node is not enrolled",
        default=None,
    )
    outcome: Outcome | None = said(
        "县里上一个配置包的下场;还没收到过为空",
        "what became of the county's last bundle; none before the first",
        default=None,
    )


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
