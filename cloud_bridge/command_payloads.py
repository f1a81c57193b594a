"""What the office asks of one node and what the node answers, as models both ends can check with.

Invariants: what is signed is the text of a ``Command`` to the byte, with ``SEAL`` before it, so that no other thing the
office signs can be taken for one; each verb has its own arguments and takes no others; a lamp test has no way to say
dark, ``say`` knows ids of clips and no words, no argument is a path.
"""

import enum
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from cloud_bridge.topics import Payload, said

SEAL: Final = b"sentinel-command-1\0"
MAX_COMMAND_BYTES: Final = 8192
"""A lamp test has 450."""

MOST_S: Final = 600
"""FAULTS.md 73: a test mode is a lease of at most ten minutes; a recording is as long at most."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Seconds = Annotated[float, Field(gt=0, le=MOST_S, allow_inf_nan=False)]
UtcTime = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class CommandVerb(enum.StrEnum):
    """What a node can be asked to do."""

    SELF_TEST = "self_test"
    SAY = "say"
    LAMP_TEST = "lamp_test"
    RECORD = "record"
    REPORT = "report"


class NoArguments(Payload):
    """没有参数。/ None."""


class SayArguments(Payload):
    """播哪一段;不写喇叭就是全部。/ Which clip; on every speaker where none is named."""

    clip: Name = said("语音编号", "id of the clip")
    speaker: Name | None = said("喇叭", "the speaker", default=None)


class LampTestArguments(Payload):
    """灯测试,只会比平时多亮,到时自己结束。/ A lamp shows more than it would, never less, and ends by itself."""

    lamp: Name = said("灯", "the lamp")
    shows: Literal["caution", "alert", "fault"] = said("显示什么", "what it shows")
    seconds: Seconds = said("多久", "for how long")


class RecordArguments(Payload):
    """录制传感器,无图像,留在杆上。/ Records the sensors, no images; it stays on the pole."""

    seconds: Seconds = said("多久", "for how long")


ARGUMENTS: Final[Mapping[CommandVerb, type[Payload]]] = {
    CommandVerb.SELF_TEST: NoArguments,
    CommandVerb.SAY: SayArguments,
    CommandVerb.LAMP_TEST: LampTestArguments,
    CommandVerb.RECORD: RecordArguments,
    CommandVerb.REPORT: NoArguments,
}


class Command(Payload):
    """被签名的命令。/ What is signed."""

    node: str = said("给哪个节点,县/节点", "for which node, county/node", max_length=64)
    seq: int = said(
        "序号,只增不减;办公室用签发时的毫秒", "strictly rising; the office takes the ms of issue", ge=1, lt=2**53
    )
    verb: CommandVerb = said("做什么", "what to do")
    args: dict[str, JsonValue] = said("参数", "its arguments", default={})
    issued: UtcTime = said("签发时间,UTC", "when it was signed, UTC")
    expires: UtcTime = said("过期时间,UTC", "from when on it counts no more, UTC")


class SignedCommand(Payload):
    """``command/{verb}`` 的内容。/ The payload of ``command/{verb}``."""

    v: Literal[1] = said("合同版本", "version of the contract", default=1)
    command: str = said("Command 的 JSON 原文", "the text of a Command, JSON", max_length=MAX_COMMAND_BYTES)
    key: str = said("命令密钥的编号", "id of the office's key for commands", max_length=64)
    signature: str = said("Ed25519 签名,十六进制", "Ed25519 over SEAL and the text, hex", pattern=r"^[0-9a-f]{128}$")


class ReplyBody(Payload):
    """对一条命令的回答。/ The answer to one command."""

    command_seq: int | None = said("哪一条;签名不对时为空", "which; none where it is not believed", default=None)
    verb: str = said("做什么", "what was asked")
    outcome: Literal["done", "refused", "failed"] = said("做了、不做、没做成", "done, refused or failed")
    code: str | None = said("为什么不做", "why it is refused", default=None)
    why: str | None = said("同上,文字", "the same, or what failed, in words", default=None)
    result: dict[str, JsonValue] = said("结果", "what came of it", default={})
