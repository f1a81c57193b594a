"""The folder of incident recordings: what a file is called, which are there, and what is deleted when there are many.

Invariants: a file has its name only when it is whole (``.part`` until then); names sort by time; a file that is not an
incident by its name is left alone and not counted.
"""

import dataclasses
import json
import os
import pathlib
import struct
from collections.abc import Mapping
from typing import Any, Final

from device.incidents import IncidentKind, Trigger
from hal.clock import NS_PER_S, iso_utc

FOLDER: Final = "incidents"
"""Below the state folder."""

SUFFIX: Final = ".mcap"
PART: Final = ".mcap.part"
NOTES: Final = "sentinel.incident"
"""Name of the metadata record that a finished incident ends with: every event that was in it."""

LEFT_OUT_FIRST: Final = (IncidentKind.ALERT, IncidentKind.FAULT, IncidentKind.NEAR_MISS)
"""What is deleted first when there is no room, oldest first, down to a quarter of the count for each kind."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """One incident on the disk. ``seconds`` and ``events`` are None for one that was cut off or cannot be read."""

    path: pathlib.Path
    t: str
    kind: IncidentKind
    face: str
    bytes: int
    seconds: float | None
    events: tuple[Mapping[str, Any], ...] | None


def stem(wall_ns: int, trigger: Trigger) -> str:
    """UTC time, kind and face: what a file is called by. Sorts by time."""
    stamp = iso_utc(wall_ns)[:19].replace("-", "").replace(":", "")
    return f"{stamp}Z-{trigger.kind.value}-{trigger.face or 'node'}"


def cut_name(part: pathlib.Path) -> pathlib.Path:
    """What a file that was never finished is called."""
    return part.with_name(part.name.removesuffix(PART) + "-cut" + SUFFIX)


def publish(part: pathlib.Path, named: pathlib.Path) -> None:
    """Gives a file its name for good; one that is there already stays, and the new one gets a number."""
    target, number = named, 1
    while target.exists():
        number += 1
        target = named.with_name(f"{named.stem}-{number}{SUFFIX}")
    part.rename(target)
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename_leftovers(folder: pathlib.Path) -> None:
    """What a power cut left becomes a cut recording."""
    if folder.is_dir():
        for part in sorted(folder.glob(f"*{PART}")):
            publish(part, cut_name(part))


def kind_of(path: pathlib.Path) -> IncidentKind | None:
    """The kind in a file's name, None for a file that is not ours."""
    words = path.name.split("-")
    try:
        return IncidentKind(words[1])
    except (IndexError, ValueError):
        return None


def prune(folder: pathlib.Path, keep_count: int, keep_bytes: int) -> list[pathlib.Path]:
    """Deletes until at most ``keep_count`` files and ``keep_bytes`` are left; returns what went. Raises OSError.

    Files that are not incidents are left alone and not counted.
    """
    by_kind: dict[IncidentKind, list[tuple[pathlib.Path, int]]] = {kind: [] for kind in IncidentKind}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        kind = kind_of(path)
        if kind is not None:
            by_kind[kind].append((path, path.stat().st_size))
    gone: list[pathlib.Path] = []
    while True:
        count = sum(len(files) for files in by_kind.values())
        size = sum(size for files in by_kind.values() for _, size in files)
        if count <= max(0, keep_count) and size <= keep_bytes:
            return gone
        share = max(1, keep_count // 4)
        kind = next((k for k in LEFT_OUT_FIRST if len(by_kind[k]) > share), None)
        kind = kind or next(k for k in LEFT_OUT_FIRST if by_kind[k])
        path, _ = by_kind[kind].pop(0)
        path.unlink(missing_ok=True)
        gone.append(path)


def names(folder: pathlib.Path) -> list[pathlib.Path]:
    """Every incident in the folder, the newest first. Raises OSError when the folder cannot be read."""
    return [path for path in sorted(folder.glob(f"*{SUFFIX}"), reverse=True) if kind_of(path) is not None]


def stored(path: pathlib.Path) -> Stored:
    """What is in one incident. Raises OSError when it has gone."""
    stamp, kind, *face = path.stem.split("-")
    inside = _inside(path)
    seconds = None if inside is None else round((inside.until_ns - inside.from_ns) / NS_PER_S, 1)
    t = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}"
    events = None if inside is None else inside.events
    return Stored(path, t, IncidentKind(kind), face[0] if face else "", path.stat().st_size, seconds, events)


def span_ns(path: pathlib.Path) -> tuple[int, int] | None:
    """Wall time from the first to the last of what a recording holds; None for one that was cut off or is no such."""
    inside = _inside(path)
    return None if inside is None else (inside.from_ns, inside.until_ns)


@dataclasses.dataclass(frozen=True, slots=True)
class _Inside:
    from_ns: int
    until_ns: int
    events: tuple[Mapping[str, Any], ...]


def _inside(path: pathlib.Path) -> _Inside | None:
    from mcap.exceptions import McapError
    from mcap.reader import make_reader

    try:
        with path.open("rb") as file:
            reader = make_reader(file)
            summary = reader.get_summary()
            notes = {record.name: record.metadata for record in reader.iter_metadata()}
        if summary is None or summary.statistics is None:
            return None
        times = summary.statistics
        return _Inside(times.message_start_time, times.message_end_time, tuple(json.loads(notes[NOTES]["events"])))
    except (McapError, OSError, ValueError, KeyError, TypeError, EOFError, struct.error):
        return None
