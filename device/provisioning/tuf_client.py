"""The one place that touches python-tuf's client: a bundle as its server, the node's floor as its clock.

Invariants: the library judges, nothing here weakens it; it works on copies in a folder of its own, so that what it
stores on the way to a refusal is thrown away; it never learns the time of this machine. What it raises leaves here
as ``Refused`` with a code for each cause.
"""

import contextlib
import datetime
import pathlib
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root, TargetFile, Targets
from tuf.ngclient import FetcherInterface, Updater

from device.provisioning.refusal import Refused
from device.provisioning.trusted import ROOT

_BASE = "bundle:/"
_NOT_THERE = 404
_TOP = ("timestamp.json", "snapshot.json", "targets.json")


class _BundleFetcher(FetcherInterface):
    """Serves the files of a bundle; ``asked`` is the last one that the library wanted."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self.asked = ""

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.asked = urllib.parse.unquote(url.removeprefix(_BASE))
        if self.asked not in self._files:
            raise DownloadHTTPError(f"no {self.asked} in the bundle", _NOT_THERE)
        return iter((self._files[self.asked],))


def judge_at(updater: Updater, moment: datetime.datetime) -> None:
    """Has the library judge expiry at this moment. Raises RuntimeError when it no longer has the hook.

    Setting a name that it does not read would leave it with the clock of the machine, without a word.
    """
    trusted_set = getattr(updater, "_trusted_set", None)
    if not isinstance(getattr(trusted_set, "reference_time", None), datetime.datetime):
        raise RuntimeError("python-tuf no longer has _trusted_set.reference_time: expiry would be judged by the clock")
    assert trusted_set is not None
    trusted_set.reference_time = moment


class Client:
    """One bundle before the library.

    ``folder``: empty, of this client alone. ``trusted``: verified metadata of the node by name. ``files``: the
    bundle's, of which nothing is believed. ``role``: the role that signs for the node's group. ``moment``: when it is.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        trusted: Mapping[str, bytes],
        files: Mapping[str, bytes],
        role: str,
        moment: datetime.datetime,
    ) -> None:
        self._folder, self._trusted, self._files, self._moment = folder, trusted, files, moment
        self._role_file = f"{role}.json"
        self.names = (*_TOP, self._role_file)
        for name in self.names:
            if name in trusted:
                (folder / name).write_bytes(trusted[name])
        self._fetcher = _BundleFetcher(files)
        try:
            self._updater = Updater(str(folder), _BASE, fetcher=self._fetcher, bootstrap=trusted[ROOT])
        except RepositoryError as error:
            raise Refused("trust_unreadable", file=ROOT, detail=str(error)) from None
        judge_at(self._updater, moment)

    def target(self, name: str) -> TargetFile | None:
        """What was signed for this target, or none. Raises Refused."""
        try:
            return self._updater.get_targetinfo(name)
        except (RepositoryError, DownloadError) as error:
            raise self._refusal(error) from None

    def verified(self) -> dict[str, bytes]:
        """The metadata that stands now, by name; whole after the first ``target``."""
        return {name: (self._folder / name).read_bytes() for name in (ROOT, *self.names)}

    def listed(self) -> set[str]:
        """Every target that the group's role signed for; after the first ``target``."""
        return set(Metadata[Targets].from_bytes((self._folder / self._role_file).read_bytes()).signed.targets)

    def _refusal(self, error: Exception) -> Refused:
        name = self._fetcher.asked
        if isinstance(error, DownloadHTTPError):
            return Refused("missing", name=name)
        if isinstance(error, DownloadLengthMismatchError):
            return Refused("too_long", role=name)
        if isinstance(error, UnsignedMetadataError):
            return Refused("signature", role=name)
        if isinstance(error, ExpiredMetadataError):
            return self._expired()
        if isinstance(error, LengthOrHashMismatchError):
            return Refused("mixed", role=name)
        if isinstance(error, BadVersionNumberError):
            return self._bad_version(name)
        if name == "snapshot.json" and (gone := self._dropped()):
            return Refused("dropped", role=name, name=gone)
        cause = error.__cause__ or error
        return Refused("malformed", role=name, detail=f"{type(cause).__name__}: {cause}"[:120])

    def _expired(self) -> Refused:
        """Which it was: the first in the order in which the library looks, as the bundle has it."""
        for name in (ROOT, *self.names):
            data = (self._folder / ROOT).read_bytes() if name == ROOT else self._files[name]
            with contextlib.suppress(RepositoryError):  # not looked at where the node has that version already
                signed = Metadata[Any].from_bytes(data).signed
                if signed.is_expired(self._moment):
                    return Refused("expired", role=name, expires=_said(signed.expires), at=_said(self._moment))
        return Refused("expired", role=self._fetcher.asked, expires="?", at=_said(self._moment))

    def _bad_version(self, name: str) -> Refused:
        if name == "timestamp.json":
            return Refused("rollback", role=name)
        if name == "snapshot.json":
            said = Metadata[Any].from_bytes((self._folder / "timestamp.json").read_bytes()).signed.snapshot_meta.version
            is_its_own = Metadata[Any].from_bytes(self._files[name]).signed.version == said
            return Refused("rollback" if is_its_own else "mixed", role=name)
        if name in self.names:
            return Refused("mixed", role=name)
        return Refused("root_version", wanted=name.partition(".")[0])

    def _dropped(self) -> str | None:
        try:
            had, has = (
                set(Metadata[Any].from_bytes(of["snapshot.json"]).signed.meta) for of in (self._trusted, self._files)
            )
        except (KeyError, RepositoryError):
            return None
        return min(had - has, default=None)


def root_version(root: bytes) -> int:
    """The version of a root that is trusted already. Raises Refused."""
    try:
        return Metadata[Root].from_bytes(root).signed.version
    except RepositoryError as error:
        raise Refused("trust_unreadable", file=ROOT, detail=str(error)) from None


def says_the_same(name: str, data: bytes, trusted: bytes) -> bool:
    """Whether metadata of a bundle says what is trusted under its name. Raises Refused.

    Compared is what was signed: spaces that a mirror put in between must not stand against the office's own bundle.
    """
    try:
        return data == trusted or Metadata[Any].from_bytes(data).signed == Metadata[Any].from_bytes(trusted).signed
    except RepositoryError as error:
        raise Refused("malformed", role=name, detail=str(error)) from None


def _said(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")
