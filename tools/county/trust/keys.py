"""The office's keys as files: ``{role}-{key id}.pem``, on whatever sticks are plugged in.

Invariants: no file is ever overwritten, because a new key has a new name; the repository alone says which keys count,
so that a key left by an unfinished run is worth nothing; offline keys are encrypted, each by a passphrase of its own;
the online key is not, because the office signs with it while nobody is there: it can renew and withhold, never say
anything new.
"""

import contextlib
import pathlib
from collections.abc import Callable, Iterable, Sequence

from configs.files import write_atomically
from tools.county.trust.errors import TrustError
from tools.county.trust.key import OfficeKey

_KEY_MODE = 0o600
_ENCRYPTED = b"BEGIN ENCRYPTED PRIVATE KEY"

Ask = Callable[[str, bool], bytes]
"""Asks a person for the passphrase of the key file of this name; true: for a new one."""


class KeyRing:
    """The keys within reach. New ones go to the first folder.

    ``ask`` is called once for each key at most, and not where a passphrase that was given before opens it: whoever
    signs for twenty groups types one word if it is the same for all.
    """

    def __init__(self, folders: Sequence[pathlib.Path], ask: Ask) -> None:
        self.folders = tuple(folders)
        self._ask = ask
        self._known: dict[str, OfficeKey] = {}
        self._given: list[bytes] = []

    def create(self, role: str, *, offline: bool) -> OfficeKey:
        """A new key for a role, written before it is used. Raises TrustError, OSError."""
        key = OfficeKey.generate()
        name = f"{role}-{key.public.keyid}.pem"
        passphrase = self._ask(name, True) if offline else None
        if offline and not passphrase:
            raise TrustError("no_passphrase", name=name)
        write_atomically(self.folders[0] / name, key.to_pem(passphrase), mode=_KEY_MODE)
        self._known[key.public.keyid] = key
        return key

    def find(self, key_id: str) -> OfficeKey | None:
        """The key of this id, or none where its file is not here. Raises TrustError."""
        if key_id not in self._known:
            for folder in self.folders:
                for path in sorted(folder.glob(f"*-{key_id}.pem")):
                    key = self._load(path)
                    if key.public.keyid == key_id:
                        self._known[key_id] = key
        return self._known.get(key_id)

    def enough(self, role: str, key_ids: Iterable[str], threshold: int) -> list[OfficeKey]:
        """``threshold`` of these keys, in their order; those after are not asked for. Raises TrustError."""
        found: list[OfficeKey] = []
        wanted = list(key_ids)
        for key_id in wanted:
            if len(found) < threshold and (key := self.find(key_id)) is not None:
                found.append(key)
        if len(found) < threshold:
            names = ", ".join(f"*-{key_id}.pem" for key_id in wanted)
            folders = ", ".join(map(str, self.folders))
            raise TrustError("too_few_keys", role=role, need=threshold, have=len(found), folders=folders, wanted=names)
        return found

    def _load(self, path: pathlib.Path) -> OfficeKey:
        try:
            data = path.read_bytes()
            if _ENCRYPTED not in data:
                return OfficeKey.from_pem(data, None)
        except OSError as error:
            raise TrustError("key_unreadable", file=path, detail=error.strerror) from None
        except (ValueError, TypeError) as error:
            raise TrustError("key_unreadable", file=path, detail=str(error)[:80]) from None
        for passphrase in self._given:
            with contextlib.suppress(ValueError):
                return OfficeKey.from_pem(data, passphrase)
        passphrase = self._ask(path.name, False)
        try:
            key = OfficeKey.from_pem(data, passphrase)
        except ValueError:
            raise TrustError("passphrase", file=path) from None
        self._given.append(passphrase)
        return key
