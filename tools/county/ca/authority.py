"""The authority as a folder: ``ca.key`` (encrypted), and ``authority.json`` with all that it ever said.

Invariants: whoever changes it holds the lock, reads, makes a new value and replaces the one file in one step, the list
of the revoked included, so that an office process may be killed anywhere; nothing is ever taken out of it; whatever is
certified is in it before it leaves. The file holds the tokens of packages and is its owner's alone.
"""

import contextlib
import datetime
import fcntl
import hashlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Annotated, Final, Literal

import pydantic
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from configs.files import write_atomically
from device.provisioning.trusted import BUILT_AT, parse_time, time_text
from tools.county.ca import certificates
from tools.county.ca.certificates import PrivateKey
from tools.county.ca.errors import CaError

FILE: Final = "authority.json"
KEY_FILE: Final = "ca.key"
_SECRET = 0o600

Ask = Callable[[str, bool], bytes]
"""Asks a person for the passphrase of the key file of this name; true: for a new one."""


class _Kept(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)


class Certified(_Kept):
    """One certificate: for whom, which key, until when, and since when it no longer counts."""

    serial: Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]+$")]
    name: str
    key_sha256: str
    until: str
    pem: str
    revoked: str | None = None


class Given(_Kept):
    """One package: for which node, and what became of it. ``serial``: the certificate it was exchanged for."""

    node: str
    group: str
    token: str
    until: str
    serial: str | None = None
    void: bool = False


class Authority(_Kept):
    """The whole of it."""

    format: Literal["sentinel-authority-1"] = "sentinel-authority-1"
    county: str
    broker: str
    ca: str
    crl: str
    crl_number: int = 1
    certified: tuple[Certified, ...] = ()
    packages: tuple[Given, ...] = ()

    def live(self, name: str) -> list[Certified]:
        """The certificates of a name that were not revoked."""
        return [one for one in self.certified if one.name == name and one.revoked is None]

    @property
    def certificate(self) -> x509.Certificate:
        """The county's own."""
        return x509.load_pem_x509_certificate(self.ca.encode())


def load(folder: pathlib.Path) -> Authority:
    """Raises CaError."""
    path = folder / FILE
    try:
        return Authority.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CaError("unreadable", file=path, detail=error.strerror) from None
    except ValueError as error:
        raise CaError("unreadable", file=path, detail=type(error).__name__) from None


def save(folder: pathlib.Path, authority: Authority) -> None:
    """Replaces it in one step. Raises OSError; the old one then stays."""
    write_atomically(folder / FILE, (authority.model_dump_json(indent=1) + "\n").encode(), mode=_SECRET)


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Nobody else changes the authority meanwhile; the lock dies with its process. Raises CaError, OSError."""
    with (folder / f".{FILE}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CaError("busy", file=folder / FILE) from None
        yield


def create(folder: pathlib.Path, county: str, broker: str, ask: Ask, now: datetime.datetime) -> Authority:
    """A county's authority; the key is on the disk before anything is signed with it. Raises CaError, OSError."""
    if (folder / FILE).exists():
        raise CaError("exists", file=folder / FILE)
    check_clock(now)
    passphrase = ask(KEY_FILE, True)
    if not passphrase:
        raise CaError("no_passphrase")
    key = certificates.new_key()
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    write_atomically(folder / KEY_FILE, encrypted, mode=_SECRET)
    ca = certificates.authority(county, key, now)
    crl = certificates.revoked({}, 1, ca, key, now)
    made = Authority(county=county, broker=broker, ca=pem(ca), crl=crl.public_bytes(Encoding.PEM).decode())
    save(folder, made)
    return made


def open_key(folder: pathlib.Path, ask: Ask) -> PrivateKey:
    """The authority's key. Raises CaError."""
    path = folder / KEY_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CaError("unreadable", file=path, detail=error.strerror) from None
    try:
        key = load_pem_private_key(data, ask(KEY_FILE, False))
    except (ValueError, TypeError):
        raise CaError("passphrase", file=path) from None
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def certify(
    authority: Authority, certificate: x509.Certificate, name: str, key: PrivateKey, now: datetime.datetime
) -> Authority:
    """With a certificate more, and those that the name had before revoked."""
    made = Certified(
        serial=f"{certificate.serial_number:x}",
        name=name,
        key_sha256=key_sha256(certificate.public_key()),
        until=time_text(certificate.not_valid_after_utc),
        pem=pem(certificate),
    )
    if authority.live(name):
        authority = revoke(authority, name, key, now)
    return authority.model_copy(update={"certified": (*authority.certified, made)})


def revoke(authority: Authority, name: str, key: PrivateKey, now: datetime.datetime) -> Authority:
    """Without the certificates of a name. Raises CaError where nothing of it counts."""
    if not authority.live(name):
        raise CaError("none_live", name=name)
    certified = tuple(
        one.model_copy(update={"revoked": time_text(now)}) if one.name == name and one.revoked is None else one
        for one in authority.certified
    )
    gone = {int(one.serial, 16): parse_time(one.revoked) for one in certified if one.revoked is not None}
    number = authority.crl_number + 1
    crl = certificates.revoked(gone, number, authority.certificate, key, now)
    text = crl.public_bytes(Encoding.PEM).decode()
    return authority.model_copy(update={"certified": certified, "crl": text, "crl_number": number})


def key_sha256(public: object) -> str:
    """What names a public key."""
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def pem(certificate: x509.Certificate) -> str:
    """A certificate as text."""
    return certificate.public_bytes(Encoding.PEM).decode()


def check_clock(now: datetime.datetime) -> None:
    """Raises CaError where this machine's clock cannot be right."""
    if now < BUILT_AT:
        raise CaError("clock_behind", now=time_text(now), last=time_text(BUILT_AT))
