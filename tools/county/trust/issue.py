"""What the office signs: pure steps from one repository to the next, each an issue of its own.

Invariants: nothing is written but new keys; every issue raises the version of all that it signs again, and of snapshot
and timestamp; ``issued`` never runs backwards, nor ahead by more than a pause that a person has confirmed; a root is
signed by enough keys of the root before it and of its own. A text is signed as it comes: whoever calls has checked it
for every node.
"""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from device.provisioning.trusted import BUILT_AT, parse_time, time_text
from device.provisioning.verify import Target, role_of
from tools.county.trust.errors import TrustError
from tools.county.trust.key import OfficeKey
from tools.county.trust.keys import KeyRing
from tools.county.trust.repository import SNAPSHOT, TARGETS, TIMESTAMP, Repository

ROOT_KEYS, ROOT_THRESHOLD = 3, 2
"""Two people of three: one stolen key signs nothing, one lost key stops nothing."""

VALID = {
    "root": datetime.timedelta(days=5 * 365),
    "targets": datetime.timedelta(days=2 * 365),
    "snapshot": datetime.timedelta(days=30),
    "timestamp": datetime.timedelta(days=30),
}
"""How long a signature counts. Offline keys come out of the safe at most once a year; the office renews the online
ones itself, and a month without renewal is an office that stands still. Groups have the term of ``targets``."""

LONGEST_PAUSE = datetime.timedelta(days=90)
"""Between two issues. Nodes never forget how late the office said it was: a clock that ran ahead is not taken back."""

_COUNTY = re.compile(r"\d{6}")
_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TARGET = re.compile(r"group\.yaml|files\.json|nodes/[a-z][a-z0-9_]{0,31}\.yaml")
COMMANDS = "commands"
"""The key for commands, and the field of ``targets.json`` that names it."""

_RESERVED = ("root", "targets", "snapshot", "timestamp", "online", COMMANDS)
"""No group is called so: ``renew root`` must never be in doubt."""


def create(county: str, keys: KeyRing, now: datetime.datetime) -> Repository:
    """A county's first issue: three root keys, one for targets, one online. Raises TrustError."""
    if not _COUNTY.fullmatch(county):
        raise TrustError("bad_id", value=county, what="县 / county")
    root = Root(consistent_snapshot=False, unrecognized_fields={"county": county})
    root.roles["root"].threshold = ROOT_THRESHOLD
    for _ in range(ROOT_KEYS):
        root.add_key(keys.create("root", offline=True).public, "root")
    root.add_key(keys.create("targets", offline=True).public, "targets")
    online = keys.create("online", offline=False).public
    for role in ("snapshot", "timestamp"):
        root.add_key(online, role)
    issue = _Issue(Repository({}), keys, now)
    issue.root(root, None)
    issue.targets("targets", Targets(delegations=Delegations({}, {})))
    return issue.finish()


def sign_group(
    before: Repository, group: str, targets: Mapping[str, Target], keys: KeyRing, now: datetime.datetime
) -> Repository:
    """Everything the county now says to a group, by name (``group.yaml``, ``files.json``, ``nodes/ID.yaml``).

    Replaces what it said before. A group of a new name gets a key of its own, and the targets key signs for that.
    Raises TrustError.
    """
    if not _ID.fullmatch(group) or group in _RESERVED:
        raise TrustError("bad_id", value=group, what="组 / group")
    signed = _metadata_of(before, group, targets)
    issue = _Issue(before, keys, now)
    role = role_of(group)
    if group not in before.groups:
        issue.delegate(role, group, keys.create(role, offline=True).public)
    issue.say(group, signed, {name: target.text for name, target in targets.items()})
    return issue.finish()


def presign(
    before: Repository,
    group: str,
    targets: Mapping[str, Target],
    keys: KeyRing,
    now: datetime.datetime,
    *,
    version: int,
) -> bytes:
    """Metadata of a known group for an issue to come: ``adopt`` says it, with the online key alone.

    ``version``: of the group's role then; above the one that counts when it is said. Raises TrustError.
    """
    signed = _metadata_of(before, group, targets)
    signed.version = version
    signed.expires = now.replace(microsecond=0) + VALID["targets"]
    metadata = Metadata(signed)
    role = role_of(group)
    for key in keys.enough(role, before.targets.get_delegated_role(role).keyids, 1):
        key.sign(metadata)
    return metadata.to_bytes()


def adopt(
    before: Repository,
    presigned: Mapping[str, bytes],
    texts: Mapping[str, Mapping[str, str]],
    keys: KeyRing,
    now: datetime.datetime,
) -> Repository:
    """Says to groups what was signed for them before: ``presigned`` metadata and ``texts`` by name, for each group.
    The online key is enough. Raises TrustError: a group's key was changed meanwhile, or it was told something newer."""
    issue = _Issue(before, keys, now)
    for group, data in presigned.items():
        role = role_of(group)
        metadata = Metadata[Targets].from_bytes(data)
        try:
            before.targets.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except UnsignedMetadataError:
            raise TrustError("presigned_key", group=group) from None
        if metadata.signed.version <= before.role(group).version:
            raise TrustError("presigned_old", group=group)
        issue.say(group, metadata.signed, texts[group], data)
    return issue.finish()


def _metadata_of(before: Repository, group: str, targets: Mapping[str, Target]) -> Targets:
    """What a group is told, not signed yet. Raises TrustError."""
    for name in targets:
        if not _TARGET.fullmatch(name):
            raise TrustError("bad_target", name=name)
    if "group.yaml" not in targets:
        raise TrustError("no_group_target", group=group)
    signed = before.role(group) if group in before.groups else Targets()
    signed.targets = {}
    for name, target in sorted(targets.items()):
        info = TargetFile.from_data(f"{group}/{name}", target.text.encode("utf-8"), ["sha256"])
        info.unrecognized_fields["custom"] = target.wave.as_custom()
        signed.targets[info.path] = info
    return signed


def renew(
    before: Repository, role: str, keys: KeyRing, now: datetime.datetime, *, after_pause: bool = False
) -> Repository:
    """Signs a role again, unchanged, for its whole term.

    ``role``: ``timestamp`` (with snapshot), ``targets``, ``root`` or a group's name. ``after_pause``: the office did
    stand still for longer than ``LONGEST_PAUSE``, its clock is right. Raises TrustError.
    """
    issue = _Issue(before, keys, now, after_pause=after_pause)
    if role == "root":
        issue.root(before.root, before.root)
    elif role == "targets":
        issue.targets(role, before.targets)
    elif role in before.groups:
        issue.targets(role_of(role), before.role(role))
    elif role != "timestamp":
        raise _no_role(before, role, "timestamp")
    return issue.finish()


def rotate(
    before: Repository, role: str, keys: KeyRing, now: datetime.datetime, *, lost: str | None = None
) -> Repository:
    """A new key in place of an old one: ``root``, ``targets``, ``online``, ``commands`` or a group's name.

    A county has no key for commands until it is first asked for one here; nodes believe it with their next bundle.

    ``lost``: the first characters of the old key's id; needed for ``root`` alone, the others have one key. The old key
    signs nothing any more from here on. Raises TrustError.
    """
    issue = _Issue(before, keys, now)
    if role in before.groups:
        name = role_of(role)
        issue.delegate(name, role, keys.create(name, offline=True).public)
        issue.targets(name, before.role(role))
        return issue.finish()
    if role == COMMANDS:
        made = keys.create(COMMANDS, offline=True)
        targets = before.targets
        named = {"keyid": made.public.keyid, "public": made.public_bytes.hex()}
        targets.unrecognized_fields[COMMANDS] = named
        issue.targets("targets", targets)
        return issue.finish()
    if role not in ("root", "targets", "online"):
        raise _no_role(before, role, "online")
    root = before.root
    roles = ("snapshot", "timestamp") if role == "online" else (role,)
    old = _one_key(root, roles[0], lost)
    new = keys.create(role, offline=role != "online").public
    for name in roles:
        # In the place of the old one, so that the order in which keys are asked for stays the same.
        root.add_key(new, name)
        ids = root.roles[name].keyids
        ids.insert(ids.index(old), ids.pop())
        root.revoke_key(old, name)
    issue.root(root, before.root)
    if role == "targets":
        issue.targets(role, before.targets)
    return issue.finish()


def _one_key(root: Root, role: str, wanted: str | None) -> str:
    ids = root.roles[role].keyids
    found = [key_id for key_id in ids if key_id.startswith(wanted or "")]
    if len(found) != 1:
        raise TrustError("no_such_key", role=role, key=wanted or "?", known=", ".join(ids))
    return found[0]


def _no_role(before: Repository, role: str, online: str) -> TrustError:
    return TrustError("no_such_role", role=role, known=", ".join(["root", "targets", online, *before.groups]))


class _Issue:
    """One issue being made on a copy."""

    def __init__(self, before: Repository, keys: KeyRing, now: datetime.datetime, *, after_pause: bool = False) -> None:
        self.files = dict(before.files)
        self._before, self._keys = before, keys
        self._now = now.replace(microsecond=0)
        last = parse_time(before.timestamp.unrecognized_fields["issued"]) if before.files else BUILT_AT
        if self._now < last:
            raise TrustError("clock_behind", now=time_text(self._now), last=time_text(last))
        if before.files and self._now - last > LONGEST_PAUSE and not after_pause:
            raise TrustError("clock_ahead", now=time_text(self._now), last=time_text(last))

    def root(self, root: Root, before: Root | None) -> None:
        """Adds a root, signed by enough keys of the one before and of its own."""
        root.version = 1 if before is None else before.version + 1
        root.expires = self._now + VALID["root"]
        needed = [root.roles["root"]] if before is None else [before.roles["root"], root.roles["root"]]
        signers: dict[str, OfficeKey] = {}
        for role in needed:
            # Whoever has signed, or is in both, counts twice and comes first.
            both = sorted(role.keyids, key=lambda key_id: sum(key_id in other.keyids for other in needed), reverse=True)
            for key in self._keys.enough("root", both, role.threshold):
                signers[key.public.keyid] = key
        metadata = Metadata(root)
        for key in signers.values():
            key.sign(metadata)
        self.files[f"{root.version}.root.json"] = metadata.to_bytes()

    def delegate(self, role: str, group: str, key: Key) -> None:
        """Gives a group's role this key and no other; the targets key signs for that."""
        targets = Repository(self.files).targets
        assert targets.delegations is not None
        assert targets.delegations.roles is not None
        paths = [f"{group}/*", f"{group}/nodes/*"]  # TUF's * does not reach into a folder
        for old in targets.delegations.roles[role].keyids if role in targets.delegations.roles else []:
            del targets.delegations.keys[old]
        targets.delegations.roles[role] = DelegatedRole(role, [], 1, terminating=True, paths=paths)
        targets.add_key(key, role)
        self.targets("targets", targets)

    def targets(self, role: str, targets: Targets) -> None:
        """Signs ``targets`` or a group's role."""
        repository = Repository(self.files)
        name = f"{role}.json"
        holder = repository.root if role == "targets" else repository.targets
        self._sign(name, targets, holder.get_delegated_role(role).keyids, VALID["targets"])

    def say(self, group: str, signed: Targets, texts: Mapping[str, str], presigned: bytes | None = None) -> None:
        """Replaces what a group is told; signs for it where that was not done before."""
        for name in self._before.texts(group):
            del self.files[name]
        self.files |= {f"{group}/{name}": text.encode("utf-8") for name, text in texts.items()}
        if presigned is None:
            self.targets(role_of(group), signed)
        else:
            self.files[f"{role_of(group)}.json"] = presigned

    def finish(self) -> Repository:
        """Signs snapshot and timestamp over it. Raises TrustError."""
        is_first = not self._before.files
        snapshot = Snapshot() if is_first else self._before.snapshot
        root = Repository(self.files).root
        if root.is_expired(self._now):
            raise TrustError("expired", role="root", expires=time_text(root.expires))
        for name in self.files:
            if name == TARGETS or ("/" not in name and name.startswith(role_of(""))):
                snapshot.meta[name] = MetaFile(Metadata[Any].from_bytes(self.files[name]).signed.version)
        self._sign(SNAPSHOT, snapshot, root.roles["snapshot"].keyids, VALID["snapshot"])
        timestamp = Timestamp() if is_first else self._before.timestamp
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        timestamp.unrecognized_fields |= {
            "county": root.unrecognized_fields["county"],
            "issued": time_text(self._now),
        }
        self._sign(TIMESTAMP, timestamp, root.roles["timestamp"].keyids, VALID["timestamp"])
        return Repository(self.files)

    def _sign(self, name: str, signed: Signed, key_ids: list[str], term: datetime.timedelta) -> None:
        is_new = name not in self._before.files
        signed.version = 1 if is_new else self._before.metadata(name).signed.version + 1
        signed.expires = self._now + term
        metadata: Metadata[Any] = Metadata(signed)
        for key in self._keys.enough(name.removesuffix(".json"), key_ids, 1):
            key.sign(metadata)
        self.files[name] = metadata.to_bytes()
