"""The pole's side of an enrolment: package in, request out; answer in, enrolled.

Invariants
- The key is made here and leaves in no paper; it lies in files of mode 0600.
- What is begun is one file (package and key together), so that a repeated command goes on with the same key; what is
  in use is untouched until the answer has been judged.
- An answer counts when it certifies this key, under this place, by the authority of the package. No clock is asked: the
  node's may stand at 1970.
"""

import contextlib
import pathlib
from collections.abc import Mapping
from typing import ClassVar, Literal

import pydantic
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from configs import edit
from configs.errors import CodedError, Text
from configs.files import write_atomically
from device.provisioning import enrolment, papers, trusted
from device.provisioning.enrolment import CA_FILE, NODE_FILE, Enrolment
from device.provisioning.papers import Answer, Package, Request
from device.provisioning.refusal import Refused

BEGUN = "enrolling.json"
_SECRET = 0o600


class EnrolError(CodedError):
    """The enrolment cannot go on; the node stays as it was."""

    messages: ClassVar[Mapping[str, Text]] = {
        "other_place": Text(
            "这份文件给 {value},本节点的站点文件写的是 {wanted}",
            "this paper is for {value}, the site file of this node says {wanted}",
        ),
        "used": Text(
            "这个登记包已经用过了,请县里另做一个(sentinel-county replace)",
            "this package has been used: have the office make another (sentinel-county replace)",
        ),
        "bad_ca": Text("登记包里的县证书不能用:{detail}", "the authority in the package cannot be used: {detail}"),
        "bad_root": Text("登记包里的根信任不能用:{detail}", "the root in the package cannot be used: {detail}"),
        "not_begun": Text(
            "本节点没有在等这份证书,请先用登记包:sentinel enroll 登记包",
            "this node waits for no certificate: begin with the package, sentinel enroll PACKAGE",
        ),
        "begun_unreadable": Text(
            "{file} 读不了({detail}),请删掉它,县里另做登记包",
            "{file} cannot be read ({detail}): remove it and have the office make another package",
        ),
        "bad_certificate": Text("证书不能用:{detail}", "the certificate cannot be used: {detail}"),
        "other_key": Text(
            "证书不是给本节点这把密钥的;是不是拿了旧的回函",
            "the certificate is not for the key of this node; is it an older answer?",
        ),
        "other_ca": Text("证书不是登记包里那个县签的", "the certificate is not signed by the authority of the package"),
        "site_changed": Text(
            "申请之后站点文件改过了,县里那份不对:请再用登记包申请一次,把新的申请交给县里",
            "the site file was changed after the request, and the office holds another: make the request again from "
            "the package and hand it to the office",
        ),
    }


class _Begun(pydantic.BaseModel):
    """An enrolment under way."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["sentinel-enrolling-1"] = "sentinel-enrolling-1"
    package: Package
    key: str
    site: str | None = None


def begin(state_dir: pathlib.Path, package: Package, place: str, site_text: str) -> Request:
    """The request for a package. ``place``: the site id of this node; ``site_text``: the site file that will stand
    (``with_broker``). Raises EnrolError, OSError."""
    _must_be(package.place, place)
    _check_roots(package)
    begun = _begun(state_dir)
    if begun is None or begun.package != package:
        if _used(state_dir) == package.token_sha256:
            raise EnrolError("used")
        begun = _Begun(package=package, key=_pem(ec.generate_private_key(ec.SECP256R1())))
    begun = begun.model_copy(update={"site": site_text})
    write_atomically(enrolment.folder(state_dir) / BEGUN, begun.model_dump_json().encode(), mode=_SECRET)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, place)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(_key(begun), hashes.SHA256())
    csr_text = csr.public_bytes(Encoding.PEM).decode()
    return Request(
        county=package.county,
        node=package.node,
        csr=csr_text,
        site=site_text,
        proof=papers.proof(package.token, csr_text, site_text),
    )


def package_of(state_dir: pathlib.Path) -> Package:
    """The package with which an enrolment was begun. Raises EnrolError."""
    return _under_way(state_dir).package


def accept(state_dir: pathlib.Path, answer: Answer, place: str, site_text: str) -> Enrolment:
    """Judges the answer and keeps all of the county's; what is left is the site file (``with_broker``), and then
    ``end``. Raises EnrolError, OSError."""
    begun = _under_way(state_dir)
    package = begun.package
    _must_be(answer.place, package.place)
    _must_be(package.place, place)
    _check_certificate(answer.certificate, begun)
    if site_text != begun.site:
        raise EnrolError("site_changed")
    folder = enrolment.folder(state_dir)
    write_atomically(folder / CA_FILE, package.ca.encode(), mode=0o644)
    write_atomically(folder / NODE_FILE, (begun.key + answer.certificate).encode(), mode=_SECRET)
    _trust(folder, package.root.encode())
    found = Enrolment(county=package.county, group=package.group, node=package.node, package=package.token_sha256)
    (folder / enrolment.AWAITED).unlink(missing_ok=True)  # it was signed for the group that the node had
    enrolment.write(state_dir, found)
    return found


def end(state_dir: pathlib.Path) -> None:
    """Forgets what was under way, and with it the token. Raises OSError."""
    (enrolment.folder(state_dir) / BEGUN).unlink(missing_ok=True)


def with_broker(text: str, broker: str, state_dir: pathlib.Path, file: str) -> str:
    """A site file that connects to this broker with the county's files; all else as it stands. Raises ConfigError."""
    folder = state_dir.resolve() / enrolment.FOLDER
    values = {
        "url": broker,
        "ca_file": str(folder / CA_FILE),
        "cert_file": str(folder / NODE_FILE),
        "key_file": str(folder / NODE_FILE),
    }
    for key, value in values.items():
        text = edit.set_value(text, f"bridge.{key}", value, file=file)
    return text


def _used(state_dir: pathlib.Path) -> str | None:
    """Which package the node was enrolled with; none where that cannot be read, for enrolling is what mends it."""
    with contextlib.suppress(enrolment.EnrolmentError):
        found = enrolment.read(state_dir)
        return None if found is None else found.package
    return None


def _trust(folder: pathlib.Path, root: bytes) -> None:
    """The county's root; a node that has it already keeps what it has verified since."""
    with contextlib.suppress(Refused):  # nothing there, or damaged: enrolling is what mends it
        if trusted.load(folder).files[trusted.ROOT] == root:
            return
    trusted.save(folder, trusted.begin(root))


def _must_be(value: str, wanted: str) -> None:
    if value != wanted:
        raise EnrolError("other_place", value=value, wanted=wanted)


def _check_roots(package: Package) -> None:
    try:
        x509.load_pem_x509_certificate(package.ca.encode())
    except ValueError as error:
        raise EnrolError("bad_ca", detail=str(error)[:80]) from None
    try:
        county = Metadata[Root].from_bytes(package.root.encode()).signed.unrecognized_fields.get("county")
    except RepositoryError as error:
        raise EnrolError("bad_root", detail=str(error)[:80]) from None
    if county != package.county:
        raise EnrolError("bad_root", detail=f"county {county!r}, not {package.county!r}")


def _check_certificate(text: str, begun: _Begun) -> None:
    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
        names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    except ValueError as error:
        raise EnrolError("bad_certificate", detail=str(error)[:80]) from None
    how = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if certificate.public_key().public_bytes(*how) != _key(begun).public_key().public_bytes(*how):
        raise EnrolError("other_key")
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(begun.package.ca.encode()))
    except (ValueError, TypeError, InvalidSignature):
        raise EnrolError("other_ca") from None
    _must_be(", ".join(names), begun.package.place)


def _under_way(state_dir: pathlib.Path) -> _Begun:
    begun = _begun(state_dir)
    if begun is None:
        raise EnrolError("not_begun")
    return begun


def _begun(state_dir: pathlib.Path) -> _Begun | None:
    path = state_dir / enrolment.FOLDER / BEGUN
    try:
        return _Begun.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EnrolError("begun_unreadable", file=path, detail=type(error).__name__) from None


def _key(begun: _Begun) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(begun.key.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
