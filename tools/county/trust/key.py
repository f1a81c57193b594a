"""One key of the office: all that it can do, and the only place that names an algorithm.

Another algorithm is another body for this class, and for a scheme that securesystemslib does not know (国密 SM2) a
``Key`` beside it, registered in ``KEY_FOR_TYPE_AND_SCHEME`` on the node as well.
"""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, Key, SSlibKey
from tuf.api.metadata import Metadata

_ID_CHARS = 12
"""Of the hash that names a key. TUF asks of an id only that it be the county's one key of that name (TAP 12): which key
it is says the metadata that delegates to it. A bundle carries the id of every group's key, and people read it out."""


class OfficeKey:
    """An Ed25519 key pair, kept as PKCS#8 in PEM."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        whole = SSlibKey.from_crypto(private.public_key())
        self._signer = CryptoSigner(private, SSlibKey.from_crypto(private.public_key(), whole.keyid[:_ID_CHARS]))

    @classmethod
    def generate(cls) -> "OfficeKey":
        """A new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, data: bytes, passphrase: bytes | None) -> "OfficeKey":
        """The key in a PEM file.

        Raises ValueError for a wrong passphrase or another kind of key, TypeError where a passphrase is missing or
        not needed.
        """
        private = load_pem_private_key(data, passphrase)
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")
        return cls(private)

    def to_pem(self, passphrase: bytes | None) -> bytes:
        """The key as PEM, encrypted where there is a passphrase."""
        how: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)

    @property
    def public(self) -> Key:
        """Its public half, as TUF metadata carries it."""
        return self._signer.public_key

    def sign(self, metadata: Metadata[Any]) -> None:
        """Adds this key's signature."""
        metadata.sign(self._signer, append=True)

    @property
    def public_bytes(self) -> bytes:
        """Its public half alone, 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    def sign_bytes(self, data: bytes) -> bytes:
        """This key's signature of what is no metadata."""
        return self._private.sign(data)
