"""Joins core's recording and vision's pictures into one MCAP file that plays as one.

Invariants: both inputs stay as they are; messages keep their times, topics and bytes; the recording's metadata (the
anchor of its clock) is the result's; pictures from outside the recording's time are left out.
"""

import contextlib
import pathlib
from typing import Any

from device.recorded import ReplayError


def join(recording: pathlib.Path, pictures: pathlib.Path, out: pathlib.Path) -> int:
    """Writes ``out`` (a new file) and returns how many pictures it holds. Raises ReplayError for inputs that cannot be
    read and OSError for an output that cannot be made."""
    from mcap.writer import CompressionType, Writer

    events = _messages(recording)
    images = _messages(pictures)
    first_ns, last_ns = events[0][0], events[-1][0]
    inside = [image for image in images if first_ns <= image[0] <= last_ns]
    with out.open("xb") as file:
        writer: Any = Writer(file, compression=CompressionType.NONE)
        writer.start(profile="", library="branch-sentinel")
        for name, values in _metadata(recording):
            writer.add_metadata(name, values)
        schemas: dict[str, int] = {}
        channels: dict[str, int] = {}
        for log_ns, topic, sequence, publish_ns, data, schema in sorted(events + inside, key=lambda m: m[:3]):
            if schema.name not in schemas:
                schemas[schema.name] = writer.register_schema(schema.name, schema.encoding, schema.data)
            if topic not in channels:
                channels[topic] = writer.register_channel(topic, "json", schemas[schema.name])
            writer.add_message(channels[topic], log_ns, data, publish_ns, sequence)
        writer.finish()
    return len(inside)


def _messages(path: pathlib.Path) -> list[tuple[int, str, int, int, bytes, Any]]:
    """(log_time, topic, sequence, publish_time, data, schema), as stored."""
    from mcap.exceptions import McapError
    from mcap.reader import NonSeekingReader

    found: list[tuple[int, str, int, int, bytes, Any]] = []
    problem: Exception | None = None
    try:
        with path.open("rb") as file, contextlib.suppress(EOFError):
            for schema, channel, message in NonSeekingReader(file).iter_messages(log_time_order=False):
                found.append(
                    (message.log_time, channel.topic, message.sequence, message.publish_time, message.data, schema)
                )
    except (McapError, OSError) as error:
        problem = error
    if not found:
        raise ReplayError(f"{path}: no recording that can be read: {problem or 'it holds no messages'}") from problem
    return found


def _metadata(path: pathlib.Path) -> list[tuple[str, dict[str, str]]]:
    from mcap.exceptions import McapError
    from mcap.records import Metadata
    from mcap.stream_reader import StreamReader

    found = []
    with path.open("rb") as file, contextlib.suppress(EOFError, McapError):
        found = [(r.name, r.metadata) for r in StreamReader(file).records if isinstance(r, Metadata)]
    return found
