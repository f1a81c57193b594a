"""The body of every kind of event as it goes over MQTT, as models a receiver can check with.

    device.* -> Event -> journal -> topics.event_envelope (adds ``face``) -> the body described here

Invariants: a model for each EventKind; nothing of the lamp path imports this, and the bridge does not either: an event
is sent as it was journalled, whatever a model says. Tests hold the models to what the node really writes. Metres and
m/s with one decimal; null means unknown.
"""

from collections.abc import Mapping
from typing import Final, Literal

from cloud_bridge.topics import LostEvents, Payload, said
from configs.schema import RoadUser
from device.events import EventKind

Level = Literal["clear", "caution", "alert"]
Health = Literal["ok", "degraded", "fault"]


class OfFace(Payload):
    """What concerns one face."""

    face: str = said("面 = 来向的 id", "the face: the id of an approach")


class Cause(Payload):
    """促成它的那个来者。/ The road user that caused it."""

    approach: str = said("从哪个来向来", "the approach it comes on")
    user: RoadUser | None = said("类别", "its class", alias="class")
    distance_m: float | None = said("沿来向到冲突点的米数", "metres along the approach to the conflict point")
    speed_mps: float | None = said("驶近的速度,米/秒", "closing speed, m/s")
    time_to_arrival_s: float | None = said("到冲突点的秒数", "seconds to the conflict point")


class LevelBody(OfFace):
    """一个面的级别变了;to 是新级别。/ A face changed its level; ``to`` is the new one."""

    before: Level = said("之前", "before", alias="from")
    to: Level = said("之后", "after")
    cause: Cause | None = said("原因;没有了就是 null", "why; null when nobody comes any more")


class HealthChangeBody(OfFace):
    """一个面的健康变了。/ A face changed its health."""

    before: Health = said("之前", "before", alias="from")
    to: Health = said("之后", "after")
    reasons: list[str] = said("原因", "why")


class Met(Payload):
    """险情中的一方。/ One of the two of a near miss."""

    approach: str = said("来向", "its approach")
    user: RoadUser | None = said("类别", "its class", alias="class")
    speed_mps: float | None = said("过线速度,米/秒", "speed at its line, m/s")


class NearMissBody(OfFace):
    """两个来者险些相撞;pet_s 与 ttc_s 至少有一个。/ Two road users nearly met; at least one of ``pet_s`` and ``ttc_s``
    is a number."""

    first: Met = said("先到的", "who was there first")
    second: Met = said("后到的", "who came second")
    pet_s: float | None = said("前一个离开到后一个到达的秒数", "post-encroachment time, s")
    ttc_s: float | None = said("最短碰撞时间,秒", "shortest time to collision, s")
    alert_s: dict[str, float | None] = said(
        "两个面此前已警报多少秒;null = 没有", "how long each of the two faces had been in alert, s; null: it was not"
    )


class PassageBody(OfFace):
    """一个来者走完了它的路;face 是它的来向。/ The way of a road user ended; ``face`` is its own approach."""

    user: RoadUser | None = said("类别", "its class", alias="class")
    how: Literal["arrived", "turned_off", "stopped", "lost"] = said(
        "到线、拐走、停下、跟丢", "reached the line, turned off, stopped away from it, or was lost"
    )
    lit: list[str] = said("为它亮着的别的面", "the faces of others that were lit for it")
    lead_s: float | None = said("它到达前那些面已亮多少秒", "how long before its arrival they were lit, s")
    met_lit: bool = said("它自己的面亮着", "whether its own face was lit")
    warned_mps: float | None = said("亮灯时它的速度", "its speed when its face lit, m/s")
    line_mps: float | None = said("到线速度", "its speed at the line, m/s")
    braking_mps2: float | None = said("其间的减速度", "its braking in between, m/s²")
    stopped: bool = said("它停过", "whether it stood at all")
    wait_s: float | None = said(
        "等了多少秒;null = 没看到底", "how long it stood, s; null where that was not seen to its end"
    )


class FaceDuty(Payload):
    """一个面在这一段里。/ One face in this span."""

    lit_s: float = said("亮(不含故障)秒数", "seconds lit, fault not counted")
    fault_s: float = said("故障闪秒数", "seconds in fault")
    arrivals: int = said("到达自己这面的来者", "road users that arrived at this face")
    met_lit: int = said("其中遇到亮灯的", "of those, met it lit")
    needless: int = said("其中白亮的", "of those, warned of nobody")


class DutyBody(Payload):
    """每十分钟一次:各面亮了多久。/ Every ten minutes: how long each face was lit."""

    watched_s: float = said("这一段看着路的秒数", "seconds of the span in which the road was watched")
    faces: dict[str, FaceDuty] = said("各面", "by face")


class PartBody(Payload):
    """一个设备或进程好了、坏了。/ A device or process changed between working and not."""

    part: str = said("部件", "which")
    state: Literal["OK", "WARN", "ERROR", "STALE"] = said("现在的状态", "its state now")
    problem: str | None = said("问题", "the problem in words")


class RoadEventBody(Payload):
    """违章的来者。/ A road user against the rules."""

    approach: str = said("来向", "its approach")
    user: RoadUser | None = said("类别", "its class", alias="class")
    distance_m: float | None = said("沿来向到冲突点的米数", "metres along the approach to the conflict point")
    speed_mps: float | None = said(
        "速度,米/秒(超速取三帧中最低)", "speed, m/s; for speeding the lowest of three frames"
    )
    limit_kmh: float = said("该来向限速,公里/时", "limit of the approach, km/h")


class RightTurnBody(RoadEventBody):
    """大车右转未停。/ A lorry that turned right without stopping."""

    slowest_mps: float = said("全程最慢的速度,米/秒", "its slowest speed, m/s")


class VoiceBody(OfFace):
    """播了一段语音。/ A clip was spoken to a face."""

    clip: str = said("语音 id", "id of the clip")
    speakers: dict[str, str | None] = said("每个喇叭的问题,null = 播了", "by speaker: its problem, null when it spoke")


class ConfigBody(Payload):
    """用上了新配置。/ A configuration was applied."""

    state: Literal["applied"] = said("已用上", "what became of it")
    changed: list[str] = said("变了的段", "sections that changed")
    between_steps: list[str] = said("当即生效的段", "of those, in force at once")
    restarts: list[str] = said("为此重启的进程", "processes that start anew for it")


class NodeBody(Payload):
    """节点起停。/ The node started or stopped."""

    state: Literal["started", "stopped"] = said("起或停", "which")


class LosingBody(Payload):
    """日志开始(losing)或不再(kept)丢平台没收到的事件。/ The journal began (losing) or ceased (kept) to give up events
    that the county has not."""

    state: Literal["losing", "kept"] = said("开始丢、不再丢", "it began, or it is over")
    lost: LostEvents = said("到这时共丢多少", "what the stream had lost by then")


class NewStreamBody(Payload):
    """日志从头开始;before 没发出的事件留在另存的文件里。/ The journal began anew; what of ``before`` was not sent stays
    in the file put aside."""

    state: Literal["new_stream"] = said("新的流", "a new stream")
    before: str | None = said("之前的流;null = 不知道", "the stream before; null: unknown")
    aside: str | None = said("另存的文件名;null = 文件没了", "name of the file put aside; null: it was gone")


BODIES: Final[Mapping[EventKind, tuple[type[Payload], ...]]] = {
    EventKind.ALERT: (LevelBody,),
    EventKind.NEAR_MISS: (NearMissBody,),
    EventKind.CAUTION: (LevelBody,),
    EventKind.PASSAGE: (PassageBody,),
    EventKind.DUTY: (DutyBody,),
    EventKind.HEALTH: (HealthChangeBody,),
    EventKind.PART: (PartBody,),
    EventKind.SPEEDING: (RoadEventBody,),
    EventKind.WRONG_WAY: (RoadEventBody,),
    EventKind.RIGHT_TURN: (RightTurnBody,),
    EventKind.VOICE: (VoiceBody,),
    EventKind.CONFIG: (ConfigBody,),
    EventKind.NODE: (NodeBody,),
    EventKind.JOURNAL: (LosingBody, NewStreamBody),
}
"""The shapes that a kind's body has: mostly one."""
