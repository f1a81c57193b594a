"""What a node believes of its county, in one file: the metadata it verified, and the time that has surely passed.

Invariants: the file is replaced in one step, so that the floor and the metadata it came from are never of two bundles;
the floor only rises, and no clock of this machine goes into it: it is the later of the build time and ``issued`` of
the newest timestamp that was verified.
"""

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Mapping

from configs.files import write_atomically
from device.provisioning.refusal import Refused
from hal.clock import BUILD_FLOOR_UNIX_S

FILE = "trusted.json"
"""Name of the file in the node's trust folder."""

ROOT = "root.json"
"""Name of the newest root the node has verified, among the files."""

BUILT_AT = datetime.datetime.fromtimestamp(BUILD_FLOOR_UNIX_S, datetime.UTC)
"""Build time of this software: no earlier moment can be now."""

_FORMAT = "sentinel-trusted-1"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclasses.dataclass(frozen=True, slots=True)
class Trusted:
    """``files``: verified metadata by name, ``root.json`` at least. ``floor``: UTC, now is not before it."""

    files: Mapping[str, bytes]
    floor: datetime.datetime


def begin(root: bytes, *, built_at: datetime.datetime = BUILT_AT) -> Trusted:
    """What a node believes that has just been enrolled with its county's root."""
    return Trusted({ROOT: root}, built_at)


def load(folder: pathlib.Path, *, built_at: datetime.datetime = BUILT_AT) -> Trusted:
    """The node's trust; newer software raises its floor. Raises Refused."""
    path = folder / FILE
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            raise ValueError(f"format {document['format']!r}, not {_FORMAT}")
        files = {name: text.encode("utf-8") for name, text in document["files"].items()}
        floor = parse_time(document["floor"])
        if ROOT not in files:
            raise ValueError(f"no {ROOT}")
    except OSError as error:
        raise Refused("trust_unreadable", file=path, detail=error.strerror) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refused("trust_unreadable", file=path, detail=str(error)[:80]) from None
    return Trusted(files, max(floor, built_at))


def save(folder: pathlib.Path, trusted: Trusted) -> None:
    """Replaces the node's trust in one step. Raises OSError; the old one then stays."""
    files = {name: data.decode("utf-8") for name, data in sorted(trusted.files.items())}
    document = {"format": _FORMAT, "floor": time_text(trusted.floor), "files": files}
    write_atomically(folder / FILE, json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8"))


def parse_time(text: str) -> datetime.datetime:
    """A time as TUF writes it, whole seconds of UTC. Raises ValueError, TypeError."""
    return datetime.datetime.strptime(text, _TIME).replace(tzinfo=datetime.UTC)


def time_text(moment: datetime.datetime) -> str:
    """A time of UTC as TUF writes it, whole seconds."""
    return moment.strftime(_TIME)
