"""The certificates of a county, as pure functions of keys, names and a time.

Invariants
- Subject, purpose and term are the office's; of a request nothing is taken but the public key.
- A node's certificate is for clients alone and a broker's for servers alone: a stolen pole cannot play the broker.
- What a node has to check begins at 1970, because its clock may stand there (a Pi has none); what the broker checks
  begins a day before it was made.
- EC P-256: OpenSSL and Mosquitto speak Ed25519 as well, but mbedTLS, Java before 15 and the secure elements for a Pi
  do not, and whoever reads the county's broker has to.
"""

import datetime
import ipaddress
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

CA_TERM: Final = datetime.timedelta(days=30 * 365)
"""Longer than any node stands; another authority is another enrolment of every node."""

BROKER_TERM: Final = datetime.timedelta(days=2 * 365)
"""As long as a stolen broker's key is worth something: nodes hear of no revocation."""

CLIENT_TERM: Final = datetime.timedelta(days=10 * 365)
"""The life of a board on a pole. What ends a certificate before is the list of the revoked, which lies at the broker; a
short term would only silence a node that nobody has visited."""

EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_DAY: Final = datetime.timedelta(days=1)

_CURVE = ec.SECP256R1
PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


def new_key() -> PrivateKey:
    """A private key."""
    return ec.generate_private_key(_CURVE())


def authority(county: str, key: PrivateKey, now: datetime.datetime) -> x509.Certificate:
    """The county's own certificate, by itself."""
    name = _name(f"Branch Sentinel {county}")
    usage = _usage(key_cert_sign=True, crl_sign=True)
    return (
        _builder(name, name, key.public_key(), EPOCH, now + CA_TERM)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def for_broker(
    host: str, public: PublicKey, ca: x509.Certificate, key: PrivateKey, now: datetime.datetime
) -> x509.Certificate:
    """The broker's, for the host name or address under which nodes call it."""
    try:
        named: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        named = x509.DNSName(host)
    builder = _builder(_name(host), ca.subject, public, EPOCH, min(now + BROKER_TERM, ca.not_valid_after_utc))
    builder = builder.add_extension(x509.SubjectAlternativeName([named]), critical=False)
    return _leaf(builder, ExtendedKeyUsageOID.SERVER_AUTH, ca, key)


def for_client(
    name: str, public: PublicKey, ca: x509.Certificate, key: PrivateKey, now: datetime.datetime
) -> x509.Certificate:
    """A node's (``371500/n0001``) or the office's own: the name is the user that the broker's rights are for."""
    builder = _builder(_name(name), ca.subject, public, now - _DAY, min(now + CLIENT_TERM, ca.not_valid_after_utc))
    return _leaf(builder, ExtendedKeyUsageOID.CLIENT_AUTH, ca, key)


def revoked(
    serials: dict[int, datetime.datetime], number: int, ca: x509.Certificate, key: PrivateKey, now: datetime.datetime
) -> x509.CertificateRevocationList:
    """The list of the revoked. It counts as long as the authority: it lies beside the broker, and one that expired
    would shut out every node."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.subject)
        .last_update(now - _DAY)
        .next_update(ca.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for serial, moment in serials.items():
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(key, hashes.SHA256())


def public_key_of(csr_text: str) -> PublicKey:
    """The key in a request, whose owner signed it. Raises ValueError."""
    csr = x509.load_pem_x509_csr(csr_text.encode())
    public = csr.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, _CURVE):
        raise ValueError("not an EC P-256 key")
    if not csr.is_signature_valid:
        raise ValueError("not signed by its own key")
    return public


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: PublicKey,
    begins: datetime.datetime,
    ends: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _leaf(
    builder: x509.CertificateBuilder, purpose: x509.ObjectIdentifier, ca: x509.Certificate, key: PrivateKey
) -> x509.Certificate:
    ca_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(**granted: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: granted.get(name, False) for name in names})
