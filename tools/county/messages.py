"""Every message that goes over MQTT, with an example: the table from which ``docs/asyncapi.yaml`` and the examples of
``docs/platform.md`` are made.

Invariant: the examples are of one junction on one evening, and tests hold each to its model.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloud_bridge.command_payloads import ReplyBody
from cloud_bridge.event_bodies import BODIES
from cloud_bridge.topics import ConfigReportedBody, HealthBody, Leaf, Payload, PresenceBody
from device.events import EventKind

NODE: Final = "371500/n0001"
BOOT_ID: Final = "6f0b0f0c-5d0e-4a59-9d1a-3a7b1f0f2c11"
JOURNAL_STREAM: Final = "0b8f6c1e-8f0a-4f57-8a53-0d4f7f1f9a20"
BRIDGE_STREAM: Final = "c2a1f1de-5b3c-4b7e-9a0d-6f1e2d3c4b5a"
CONFIG_SHA256: Final = "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"
POLICY_SHA256: Final = "2c624232cdd221771294dfbb310aca000a0df6ac8b66b696d90ef06fdefb64a3"
SITE_SHA256: Final = "fbae041b02c41ed0fd8a4efb039bc780dd6af4a1f0c420f42561ae705dda43fe"


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One kind of message. ``leaves``: the topics it comes on; ``bodies``: the shapes of its body."""

    kind: str
    leaves: tuple[Leaf, ...]
    bodies: tuple[type[Payload], ...]
    zh: str
    en: str
    examples: tuple[Mapping[str, Any], ...]

    @property
    def name(self) -> str:
        """Its key in the document: an event of a kind that a state has too is told apart."""
        return f"event_{self.kind}" if self.of_journal else self.kind

    @property
    def of_journal(self) -> bool:
        """Whether it is a journalled event, and not what the bridge says for itself."""
        return Leaf.EVENT in self.leaves

    def example_payloads(self) -> Sequence[dict[str, Any]]:
        """Each example with its envelope, as plain JSON values."""
        return [self._envelope(number, body) for number, body in enumerate(self.examples)]

    def _envelope(self, number: int, body: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "v": 1,
            "stream": JOURNAL_STREAM if self.of_journal else BRIDGE_STREAM,
            "seq": 4711 + number,
            "boot_id": BOOT_ID,
            "mono_ms": 86_412_345,
            "t": "2026-11-22T10:15:30.123Z",
            "t_quality": "synced",
            "kind": self.kind,
            "body": dict(body),
        }


def _state(leaf: Leaf, model: type[Payload], zh: str, en: str, *examples: Mapping[str, Any]) -> Message:
    return Message(leaf.value.partition("/")[0], (leaf,), (model,), zh, en, examples)


def _event(kind: EventKind, zh: str, en: str, *examples: Mapping[str, Any]) -> Message:
    return Message(kind.value, (Leaf.EVENT, Leaf.BACKLOG), BODIES[kind], zh, en, examples)


_CAR: Final = {
    "approach": "main_east",
    "class": "car",
    "distance_m": 62.4,
    "speed_mps": 15.3,
    "time_to_arrival_s": 4.1,
}
_LOST: Final = {"telemetry": 2000, "event": 0, "alert": 0}

MESSAGES: Final[tuple[Message, ...]] = (
    _state(
        Leaf.PRESENCE,
        PresenceBody,
        "节点在不在线(保留消息,失联时由遗嘱改写)",
        "Whether the node is there: retained, and the Last Will when it is lost",
        {"state": "online", "reason": "connected", "version": "0.1.0"},
        {"state": "offline", "reason": "lost", "version": None},
    ),
    _state(
        Leaf.HEALTH,
        HealthBody,
        "整个节点的健康(保留消息,每 60 秒一次,变了 2 秒内)",
        "Health of the whole node: retained, every 60 s and within 2 s of a change",
        {
            "core": "running",
            "problem": None,
            "version": "0.1.0",
            "config_sha256": CONFIG_SHA256,
            "uptime_s": 86_400.5,
            "booting": False,
            "clock_quality": "synced",
            "faces": {"branch_south": {"health": "degraded", "reasons": ["c_branch: unheard for 3.1 s"]}},
            "parts": {
                "r_east": {"state": "OK", "problem": None, "counters": {"frames": 861_204, "bad": 3}},
                "c_branch": {"state": "STALE", "problem": "unheard for 3.1 s", "counters": {}},
            },
            "journal": {
                "stream": JOURNAL_STREAM,
                "problem": None,
                "losing": False,
                "lost": {"telemetry": 0, "event": 0, "alert": 0},
                "set_aside": 0,
            },
            "latency_ms": {"radar": {"p50": 0.9, "p99": 2.7, "max": 6.1, "count": 4021}},
            "counters": {"incidents_written": 12},
            "outbox": {"lag": 0, "backlog": 0, "sent": 4711, "confirmed": 4711, "problem": None},
            "inbox": {"received": 1, "too_big": 0, "commands_dropped": 0, "problem": None},
        },
    ),
    _state(
        Leaf.CONFIG_REPORTED,
        ConfigReportedBody,
        "节点正在用的配置(保留消息)",
        "What configuration the node runs: retained",
        {
            "sha256": CONFIG_SHA256,
            "version": "0.1.0",
            "sections": {"policy": POLICY_SHA256},
            "layers": {
                "runs": "good",
                "version": 12,
                "reverted": None,
                "site_sha256": SITE_SHA256,
                "local": [{"path": "policy.hold_s", "hours_left": 71}],
                "problem": None,
            },
            "outcome": {"what": "confirmed", "version": 12, "bundle": None, "code": None, "why": None},
        },
    ),
    _state(
        Leaf.REPLY,
        ReplyBody,
        "对办公室一条命令的回答",
        "The answer to one command of the office",
        {
            "command_seq": 1_795_342_530_123,
            "verb": "lamp_test",
            "outcome": "done",
            "code": None,
            "why": None,
            "result": {"lamp": "l_branch", "shows": "alert", "seconds": 30.0},
        },
        {
            "command_seq": 1_795_342_530_123,
            "verb": "lamp_test",
            "outcome": "refused",
            "code": "replayed",
            "why": "number 1795342530123 is not above 1795342530123",
            "result": {},
        },
    ),
    _event(
        EventKind.ALERT,
        "一个面进入或离开警报",
        "A face entered or left alert",
        {"face": "branch_south", "from": "caution", "to": "alert", "cause": _CAR},
    ),
    _event(
        EventKind.NEAR_MISS,
        "两个来者险些相撞",
        "Two road users nearly met",
        {
            "face": "branch_south",
            "first": {"approach": "branch_south", "class": "two_wheeler", "speed_mps": 3.2},
            "second": {"approach": "main_east", "class": "car", "speed_mps": 14.9},
            "pet_s": 0.8,
            "ttc_s": 1.1,
            "alert_s": {"branch_south": 3.4, "main_east": None},
        },
    ),
    _event(
        EventKind.CAUTION,
        "一个面进入或离开提醒",
        "A face entered or left caution",
        {"face": "branch_south", "from": "caution", "to": "clear", "cause": None},
    ),
    _event(
        EventKind.PASSAGE,
        "一个来者走完了它的路",
        "The way of a road user ended",
        {
            "face": "main_east",
            "class": "car",
            "how": "arrived",
            "lit": ["branch_south"],
            "lead_s": 6.1,
            "met_lit": False,
            "warned_mps": None,
            "line_mps": 14.9,
            "braking_mps2": 0.4,
            "stopped": False,
            "wait_s": 0.0,
        },
    ),
    _event(
        EventKind.DUTY,
        "每十分钟一次:各面亮了多久、白亮几次",
        "Every ten minutes: how long each face was lit, and how often for nobody",
        {
            "watched_s": 600.0,
            "faces": {
                "branch_south": {"lit_s": 81.5, "fault_s": 0.0, "arrivals": 9, "met_lit": 4, "needless": 0},
                "main_east": {"lit_s": 35.0, "fault_s": 0.0, "arrivals": 41, "met_lit": 7, "needless": 1},
            },
        },
    ),
    _event(
        EventKind.HEALTH,
        "一个面的健康变了",
        "A face changed between ok, degraded and fault",
        {"face": "branch_south", "from": "ok", "to": "degraded", "reasons": ["c_branch: unheard for 3.1 s"]},
    ),
    _event(
        EventKind.PART,
        "一个设备或进程好了、坏了",
        "A device or process changed between working and not",
        {"part": "c_branch", "state": "STALE", "problem": "unheard for 3.1 s"},
    ),
    _event(
        EventKind.SPEEDING,
        "超速很多",
        "A road user far above the limit",
        {"approach": "main_east", "class": None, "distance_m": 71.0, "speed_mps": 27.8, "limit_kmh": 60.0},
    ),
    _event(
        EventKind.WRONG_WAY,
        "逆行",
        "A road user against the one-way direction, or on the other side of the road",
        {"approach": "main_west", "class": "car", "distance_m": 33.5, "speed_mps": -8.2, "limit_kmh": 60.0},
    ),
    _event(
        EventKind.RIGHT_TURN,
        "大车右转未停",
        "A lorry that turned right without stopping",
        {
            "approach": "branch_south",
            "class": "truck",
            "distance_m": 4.2,
            "speed_mps": 5.1,
            "limit_kmh": 30.0,
            "slowest_mps": 3.9,
        },
    ),
    _event(
        EventKind.VOICE,
        "播了一段语音",
        "A clip was spoken to a face",
        {"face": "branch_south", "clip": "right_vehicle", "speakers": {"s_branch": None}},
    ),
    _event(
        EventKind.CONFIG,
        "用上了新配置",
        "A configuration was applied",
        {"state": "applied", "changed": ["policy"], "between_steps": ["policy"], "restarts": []},
    ),
    _event(EventKind.NODE, "节点起停", "The node started or stopped", {"state": "started"}),
    _event(
        EventKind.JOURNAL,
        "日志开始丢、不再丢、换了新流",
        "The journal began or ceased to lose events that the county has not, or began anew",
        {"state": "losing", "lost": _LOST},
        {"state": "kept", "lost": _LOST},
        {
            "state": "new_stream",
            "before": "5d2e7a6c-4f3b-4c1d-8e9f-0a1b2c3d4e5f",
            "aside": "journal.db.damaged-2026-11-22T101530123Z-a1b2c3",
        },
    ),
)
