"""A recording as read from its file: messages in playing order, the anchor of its clock, and the site it was made at.

Invariants: a damaged file gives what could be read and says where it ends; a file of a newer format is refused, because
a field whose meaning has changed would be judged wrongly and nobody would see it; the order is (log_time, topic,
sequence), so the same file gives the same order whatever wrote it.
"""

import dataclasses
import io
import itertools
import json
import pathlib
import struct
from collections.abc import Mapping
from typing import Any, Final

from configs.errors import Text
from device.recording import CONFIG_TOPIC, DAY_TOPIC, FORMAT, METADATA
from hal.clock import NS_PER_S, iso_utc

MAX_RECORD_BYTES: Final = 64 * 1024 * 1024

MAX_GAP_NS: Final = 24 * 3600 * NS_PER_S
"""log_time runs on one monotonic clock; a day without a single message is a damaged time, not an empty road."""


class ReplayError(Exception):
    """The file is no recording, or not of this site. Exit 2. ``text`` has the words in both languages."""

    def __init__(self, en: str, zh: str | None = None) -> None:
        super().__init__(en)
        self.text = Text(zh or en, en)


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One recorded message. ``log_ns`` is its log_time."""

    log_ns: int
    topic: str
    sequence: int
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """A recording as read. ``cut_off`` says up to which byte a damaged one could be read, None for a whole one;
    ``notes`` are what its writer said of it (an incident says its event)."""

    messages: tuple[Message, ...]
    anchor_wall_ns: int | None
    anchor_mono_ns: int | None
    cut_off: str | None
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """From the first message to the last."""
        return (self.messages[-1].log_ns - self.messages[0].log_ns) / NS_PER_S if self.messages else 0.0

    @property
    def tells_day(self) -> bool:
        """Whether it says if it was night, wet or foggy; older recordings and simulated ones do not."""
        return any(message.topic == DAY_TOPIC for message in self.messages)

    def site_values(self) -> Mapping[str, Any] | None:
        """The site file that is in the recording, unchecked; None where there is none that can be read."""
        for message in self.messages:
            if message.topic == CONFIG_TOPIC:
                try:
                    values = json.loads(message.data)
                except ValueError:
                    return None
                return values if isinstance(values, dict) else None
        return None

    def counts(self) -> dict[str, int]:
        """Messages of each sensor."""
        found: dict[str, int] = {}
        for message in self.messages:
            _kind, name = source_of(message.topic)
            if name is not None:
                found[name] = found.get(name, 0) + 1
        return dict(sorted(found.items()))


def read(path: pathlib.Path) -> Recorded:
    """All messages of an MCAP file in playing order. Raises ReplayError when nothing of it can be read, or when its
    format is newer than this program."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ReplayError(f"{path}: {error.strerror}") from error
    messages: list[Message] = []
    notes: dict[str, str] = {}
    stopped = _records(raw, messages, notes)
    if stopped is not None and not messages:
        raise _unreadable(path, raw, stopped, notes)
    _check_format(path, notes)
    messages.sort(key=lambda message: (message.log_ns, message.topic, message.sequence))
    for before, after in itertools.pairwise(messages):
        if after.log_ns - before.log_ns > MAX_GAP_NS:
            hours = (after.log_ns - before.log_ns) // (3600 * NS_PER_S)
            raise ReplayError(
                f"{path}: its times jump {hours} hours ahead at {after.topic}; a recording runs on one clock",
                f"{path}:时间在 {after.topic} 处一下跳了 {hours} 小时;一段录制只有一个时钟",
            )
    return Recorded(
        tuple(messages),
        _number(path, notes, "anchor_wall_ns"),
        _number(path, notes, "anchor_mono_ns"),
        None if stopped is None else f"byte {stopped.byte} of {len(raw)}",
        notes,
    )


def source_of(topic: str) -> tuple[str | None, str | None]:
    """``("radar" | "camera", id)`` of a sensor's topic; (None, None) for every other."""
    parts = topic.split("/")
    if len(parts) == 4 and parts[0] == "":
        if parts[1] == "radar" and parts[3] == "raw":
            return "radar", parts[2]
        if parts[1] == "camera" and parts[3] == "observations":
            return "camera", parts[2]
    return None, None


@dataclasses.dataclass(frozen=True, slots=True)
class _Stopped:
    """Where reading had to stop: up to ``byte`` every record was whole. ``damage`` is None for a file that ends there
    in the middle of a record."""

    byte: int
    damage: str | None


def _records(raw: bytes, messages: list[Message], notes: dict[str, str]) -> _Stopped | None:
    """Reads into ``messages`` and ``notes``; where it had to stop, None at a proper end."""
    import zstandard
    from mcap.exceptions import EndOfFile, McapError
    from mcap.records import Channel, Metadata
    from mcap.records import Message as Record
    from mcap.stream_reader import StreamReader

    topics: dict[int, str] = {}
    stream = io.BytesIO(raw)
    whole = 0
    try:
        for record in StreamReader(stream, validate_crcs=True, record_size_limit=MAX_RECORD_BYTES).records:
            whole = stream.tell()
            if isinstance(record, Record):
                if record.channel_id in topics:
                    messages.append(Message(record.log_time, topics[record.channel_id], record.sequence, record.data))
            elif isinstance(record, Channel):
                topics[record.id] = record.topic
            elif isinstance(record, Metadata) and record.name == METADATA:
                notes.update(record.metadata)
    except (McapError, EOFError, struct.error, ValueError, KeyError, zstandard.ZstdError, RuntimeError) as error:
        # RuntimeError is what lz4 says of a damaged chunk.
        short = isinstance(error, EndOfFile | EOFError | struct.error) and stream.tell() == len(raw)
        return _Stopped(whole, None if short else str(error) or type(error).__name__)
    return None


def _unreadable(path: pathlib.Path, raw: bytes, stopped: _Stopped, notes: Mapping[str, str]) -> ReplayError:
    """The words for a file of which no message could be read."""
    from mcap.opcode import Opcode
    from mcap.writer import MCAP0_MAGIC

    if not raw or not MCAP0_MAGIC.startswith(raw[: len(MCAP0_MAGIC)]):
        en, zh = ("it is empty", "文件是空的") if not raw else ("it does not begin as one", "开头不对")
        return ReplayError(
            f"{path}: not a recording (MCAP) that can be read: {en}", f"{path}:不是能读的录制(MCAP):{zh}"
        )
    chunk = raw[stopped.byte : stopped.byte + 1] == bytes([Opcode.CHUNK])
    if stopped.damage is None:
        en, zh = ("inside", "里面") if chunk else ("before", "之前")
        en = f"cut off after {len(raw)} bytes, {en} its first chunk"
        zh = f"在 {len(raw)} 字节处中断,还在第一块{zh}"
    else:
        en = f"damaged after byte {stopped.byte} of {len(raw)} ({stopped.damage})"
        zh = f"第 {stopped.byte} 字节(共 {len(raw)})之后损坏({stopped.damage})"
    begun_ns = notes.get("anchor_wall_ns", "")
    begun = iso_utc(int(begun_ns)) if begun_ns.isdecimal() and len(begun_ns) < 20 else None
    why = " ".join(word for word in (notes.get("incident"), notes.get("face")) if word)
    if begun is not None:
        en += f"; it was begun at {begun}{why and f' ({why})'}"
        zh += f";开始于 {begun}{why and f'({why})'}"
    return ReplayError(
        f"{path}: a recording of which no message and no site file can be read: {en}",
        f"{path}:录制里没有一条能读的消息,也读不到站点文件:{zh}",
    )


def _check_format(path: pathlib.Path, notes: Mapping[str, str]) -> None:
    written = _number(path, notes, "format") or 1
    if written > FORMAT:
        raise ReplayError(
            f"{path}: written by a newer version of this program (format {written}); this one reads up to format "
            f"{FORMAT}: update it, or replay on the node that recorded it",
            f"{path}:由更新版本的程序录制(格式 {written}),本程序只读到格式 {FORMAT}:请升级,或在录制的节点上回放",
        )


def _number(path: pathlib.Path, notes: Mapping[str, str], key: str) -> int | None:
    try:
        return int(notes[key]) if key in notes else None
    except ValueError:
        raise ReplayError(
            f"{path}: metadata {key} is {notes[key]!r}; allowed: a whole number",
            f"{path}:元数据 {key} 为 {notes[key]!r};允许:整数",
        ) from None
