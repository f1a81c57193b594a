"""The county's TUF repository as one value, and as one file that is the old one or the new one.

Files by name: ``{n}.root.json`` for every root there was, ``timestamp.json``, ``snapshot.json``, ``targets.json``,
``group-{group}.json`` and the targets ``{group}/…``. Nothing in it is secret. ``bundle_of`` cuts a group's bundle from
it: that is all that ever leaves the office.

Invariants: whoever changes it holds the lock, reads, makes a new value and replaces the file in one step, so that an
office process may be killed anywhere; roots are only ever added.
"""

import contextlib
import dataclasses
import fcntl
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from configs.bundle import pack
from configs.files import write_atomically
from device.provisioning.trusted import parse_time, time_text
from device.provisioning.verify import role_of
from tools.county.trust.errors import TrustError

_FORMAT = "sentinel-repository-1"
_MODE = 0o644
_GROUP = role_of("")

TIMESTAMP, SNAPSHOT, TARGETS = "timestamp.json", "snapshot.json", "targets.json"


@dataclasses.dataclass(frozen=True)
class Repository:
    """Everything the county has signed, by name."""

    files: Mapping[str, bytes]

    def metadata(self, name: str) -> Metadata[Any]:
        """One metadata file, to read or to change a copy of."""
        return Metadata[Any].from_bytes(self.files[name])

    @property
    def root_version(self) -> int:
        """Version of the newest root."""
        return max(int(name.partition(".")[0]) for name in self.files if name.endswith(".root.json"))

    @property
    def root(self) -> Root:
        """The newest root."""
        return Metadata[Root].from_bytes(self.files[f"{self.root_version}.root.json"]).signed

    @property
    def timestamp(self) -> Timestamp:
        """The newest timestamp."""
        return Metadata[Timestamp].from_bytes(self.files[TIMESTAMP]).signed

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        return Metadata[Snapshot].from_bytes(self.files[SNAPSHOT]).signed

    @property
    def targets(self) -> Targets:
        """The role that delegates to the groups."""
        return Metadata[Targets].from_bytes(self.files[TARGETS]).signed

    @property
    def county(self) -> str:
        """Six digits."""
        return str(self.root.unrecognized_fields["county"])

    @property
    def groups(self) -> list[str]:
        """Every group that has been signed for."""
        roles = (name.removesuffix(".json") for name in self.files if "/" not in name)
        return sorted(role.removeprefix(_GROUP) for role in roles if role.startswith(_GROUP))

    def role(self, group: str) -> Targets:
        """What has been signed for a group."""
        return Metadata[Targets].from_bytes(self.files[f"{role_of(group)}.json"]).signed

    def texts(self, group: str) -> dict[str, bytes]:
        """The targets of a group by name."""
        return {name: data for name, data in self.files.items() if name.startswith(f"{group}/")}


def bundle_of(repository: Repository, group: str, *, since: int = 1) -> bytes:
    """The bundle of a group for nodes whose root is ``since`` or newer; none that they would find expired.

    Raises TrustError, BundleError.
    """
    if group not in repository.groups:
        raise TrustError("no_such_group", group=group, known=", ".join(repository.groups))
    issued = parse_time(repository.timestamp.unrecognized_fields["issued"])
    parts = {"root": repository.root, "targets": repository.targets, group: repository.role(group)}
    for role, signed in parts.items():
        if signed.is_expired(issued):
            raise TrustError("expired", role=role, expires=time_text(signed.expires))
    newer = range(since + 1, repository.root_version + 1)
    names = [TIMESTAMP, SNAPSHOT, TARGETS, f"{role_of(group)}.json", *(f"{version}.root.json" for version in newer)]
    return pack({**{name: repository.files[name] for name in names}, **repository.texts(group)})


def load(path: pathlib.Path) -> Repository:
    """The repository in a file. Raises TrustError."""
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            raise ValueError(f"format {document['format']!r}, not {_FORMAT}")
        found = Repository({name: text.encode("utf-8") for name, text in document["files"].items()})
        _ = found.root, found.timestamp, found.snapshot, found.targets
    except OSError as error:
        raise TrustError("unreadable", file=path, detail=error.strerror) from None
    except (ValueError, TypeError, KeyError, AttributeError, RepositoryError) as error:
        raise TrustError("unreadable", file=path, detail=str(error)[:80]) from None
    return found


def save(path: pathlib.Path, repository: Repository) -> None:
    """Replaces the repository in one step. Raises OSError; the old one then stays."""
    files = {name: data.decode("utf-8") for name, data in sorted(repository.files.items())}
    document = json.dumps({"format": _FORMAT, "files": files}, ensure_ascii=False, indent=1)
    write_atomically(path, document.encode("utf-8"), mode=_MODE)


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Nobody else changes the repository meanwhile; the lock dies with its process. Raises TrustError, OSError."""
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrustError("busy", file=path) from None
        yield
