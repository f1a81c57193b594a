"""Mosquitto for a county: its configuration, who may do what, and its certificate, in one folder.

Invariants (DESIGN §5): no listener without TLS and a certificate of the county; the name in the certificate is the user
and, for nodes, the client id too, so that no node can throw another out; a node writes its own leaves, one pattern for
each, and reads its own commands and the bundle of the one group that the register gives it.
"""

import datetime
import pathlib
import urllib.parse
from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloud_bridge.topics import ROOT, Leaf
from configs.bundle import MAX_PACKED_BYTES
from configs.files import write_atomically
from tools.county.ca.authority import Authority, certify, pem
from tools.county.ca.certificates import PrivateKey, for_broker, for_client, new_key

OFFICE: Final = "office"
"""The office's own name at the broker. It has no slash and is no node's."""

BROKER_FILE: Final = "broker.pem"
_SECRET = 0o600
_HEADERS = 1024
"""More than topic and properties of a bundle's message take."""

EARLY: Final = datetime.timedelta(days=365)
"""A broker's certificate with less than this left is made anew: half of its term."""


def address(broker: str) -> tuple[str, int]:
    """(host, port) of ``mqtts://host:port``; the second listener, the office's, has the port after it."""
    parts = urllib.parse.urlsplit(broker)
    return parts.hostname or "", parts.port or 8883


def configuration(folder: pathlib.Path, port: int) -> str:
    """``mosquitto.conf`` for the files of a folder."""
    tls = f"""\
cafile {folder}/ca.pem
crlfile {folder}/crl.pem
certfile {folder}/{BROKER_FILE}
keyfile {folder}/{BROKER_FILE}
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
"""
    return f"""\
# Written by sentinel-county broker config, which replaces it.
per_listener_settings false
allow_anonymous false
acl_file {folder}/acl
persistence true
persistence_location {folder}/store/
max_packet_size {MAX_PACKED_BYTES + _HEADERS}
# Beyond a number it would throw events of a slow platform away and confirm them all the same.
max_queued_messages 0
# Small messages answered at once: without it a round trip can take 40 ms.
set_tcp_nodelay true

# Nodes.
listener {port}
{tls}use_username_as_clientid true

# The office, on this machine: several of its programs under one name.
listener {port + 1} 127.0.0.1
{tls}"""


def rights(county: str, group_of: Mapping[str, str]) -> str:
    """The ACL. Who is in no group has a node's own leaves and no bundle. A group is listed member by member: what is
    signed is no secret, but a stolen pole need not read the whole county."""
    lines = [
        f"user {OFFICE}",
        f"topic read {ROOT}/{county}/#",
        f"topic write {ROOT}/{county}/+/command/+",
        f"topic write {ROOT}/{county}/_group/+/bundle",
    ]
    for node, group in group_of.items():
        lines += [f"user {county}/{node}", f"topic read {ROOT}/{county}/_group/{group}/bundle"]
    lines += [f"pattern write {ROOT}/%u/{leaf.value}" for leaf in Leaf]
    lines.append(f"pattern read {ROOT}/%u/command/+")
    return "\n".join(lines) + "\n"


def serves(folder: pathlib.Path, authority: Authority, now: datetime.datetime) -> bool:
    """Whether the broker's certificate in a folder is this authority's, for the right host, and has time left."""
    host, _port = address(authority.broker)
    try:
        found = x509.load_pem_x509_certificate((folder / BROKER_FILE).read_bytes())
        found.verify_directly_issued_by(authority.certificate)
        named = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    except (OSError, ValueError, TypeError, LookupError, InvalidSignature):
        return False
    return named == host and found.not_valid_after_utc - now >= EARLY


def certify_broker(before: Authority, key: PrivateKey, now: datetime.datetime) -> tuple[Authority, bytes]:
    """A key and certificate for the broker, in one file: as a pair they are replaced in one step."""
    host, _port = address(before.broker)
    own = new_key()
    made = for_broker(host, own.public_key(), before.certificate, key, now)
    return certify(before, made, f"broker {host}", key, now), _pair(own, made)


def certify_office(before: Authority, key: PrivateKey, now: datetime.datetime) -> tuple[Authority, bytes]:
    """The same for the office as a client; the one before no longer counts."""
    own = new_key()
    made = for_client(OFFICE, own.public_key(), before.certificate, key, now)
    return certify(before, made, OFFICE, key, now), _pair(own, made)


def write(folder: pathlib.Path, authority: Authority, group_of: Mapping[str, str]) -> None:
    """Everything but the broker's own pair. Raises OSError."""
    _host, port = address(authority.broker)
    texts = {
        "ca.pem": authority.ca,
        "crl.pem": authority.crl,
        "acl": rights(authority.county, group_of),
        "mosquitto.conf": configuration(folder.resolve(), port),
    }
    (folder / "store").mkdir(exist_ok=True)
    for name, text in texts.items():
        write_atomically(folder / name, text.encode(), mode=0o644)


def write_pair(path: pathlib.Path, pair: bytes) -> None:
    """A key with its certificate. Raises OSError."""
    write_atomically(path, pair, mode=_SECRET)


def _pair(key: PrivateKey, certificate: x509.Certificate) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + pem(certificate).encode()
