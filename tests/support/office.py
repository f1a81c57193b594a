"""A county's office for tests: real keys, a real repository, a calendar of its own; and what a thief makes of it."""

import copy
import datetime
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from tuf.api.metadata import Metadata

from configs.bundle import pack, unpack
from device.provisioning.verify import Addressee, Target
from device.provisioning.wave import Wave, everyone
from tools.county.trust import issue
from tools.county.trust.key import OfficeKey
from tools.county.trust.keys import KeyRing
from tools.county.trust.repository import Repository, bundle_of

COUNTY = "371500"
NODE = Addressee(COUNTY, "north", "n0001")
OPENING = datetime.datetime(2027, 3, 1, 8, tzinfo=datetime.UTC)
"""The day on which the office makes its keys; nothing in a test depends on when it runs."""

DAY = datetime.timedelta(days=1)


class Office:
    """An office whose people know their passphrases. Every act is a day later than the one before."""

    def __init__(self, folder: pathlib.Path, county: str = COUNTY) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ring = KeyRing([folder], lambda name, new: name.partition("-")[0].encode())
        self.now = OPENING
        self.repository = issue.create(county, self.ring, self.now)

    def as_it_is(self) -> "Office":
        """The same office, free to go another way from here on."""
        return copy.copy(self)

    def says(
        self,
        group: str,
        hold_s: float,
        nodes: Mapping[str, str] | None = None,
        *,
        files: str = "{}\n",
        wave: Wave | None = None,
        waves: Mapping[str, Wave] | None = None,
    ) -> bytes:
        """Signs a hold for a group, patches for single nodes, names of larger files; the bundle. ``waves``: those of
        single targets."""
        texts = {"group.yaml": f"policy: {{hold_s: {hold_s}}}\n", "files.json": files}
        texts |= {f"nodes/{node}.yaml": text for node, text in (nodes or {}).items()}
        targets = {name: Target(text, (waves or {}).get(name) or wave or everyone()) for name, text in texts.items()}
        self._next(issue.sign_group, group, targets)
        return self.bundle(group)

    def renews(self, role: str = "timestamp") -> None:
        self._next(issue.renew, role)

    def rotates(self, role: str, *, lost: str | None = None) -> None:
        self._next(issue.rotate, role, lost=lost)

    def bundle(self, group: str = "north", *, since: int = 1) -> bytes:
        return bundle_of(self.repository, group, since=since)

    def key(self, role: str, number: int = 0) -> OfficeKey:
        """A role's key, for a thief who got hold of it: ``root``, ``targets``, ``timestamp``, ``group-…``."""
        holder = self.repository.targets if role.startswith("group-") else self.repository.root
        found = self.ring.find(holder.get_delegated_role(role).keyids[number])
        assert found is not None
        return found

    def _next(self, act: Callable[..., Repository], *what: Any, **how: Any) -> None:
        self.now += DAY
        self.repository = act(self.repository, *what, self.ring, self.now, **how)


def replaced(packed: bytes, files: Mapping[str, bytes | None]) -> bytes:
    """The bundle with files put in, replaced or (``None``) taken out."""
    found = {**unpack(packed), **files}
    return pack({name: data for name, data in found.items() if data is not None})


def forged(data: bytes, change: Callable[[Any], None], *keys: OfficeKey) -> bytes:
    """Metadata with something changed, signed by these keys and no others."""
    metadata = Metadata[Any].from_bytes(data)
    change(metadata.signed)
    metadata.signatures.clear()
    for key in keys:
        key.sign(metadata)
    return metadata.to_bytes()


def forged_in(packed: bytes, name: str, change: Callable[[Any], None], *keys: OfficeKey) -> bytes:
    """The bundle with one of its metadata files forged."""
    return replaced(packed, {name: forged(unpack(packed)[name], change, *keys)})
