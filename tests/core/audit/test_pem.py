"""Keys that sign, and what is none."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from penstock_core.audit.pem import PemError, private_key, public_key

KEY = Ed25519PrivateKey.generate()
OTHER = ec.generate_private_key(ec.SECP256R1())
Key = Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def private(key: Key, how: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how or NoEncryption())


def public(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_what_one_signs_the_other_checks() -> None:
    public_key(public(KEY)).verify(private_key(private(KEY)).sign(b"this"), b"this")


def test_what_is_no_private_key() -> None:
    for content in (b"", b"\xff", public(KEY), private(KEY, BestAvailableEncryption(b"word"))):
        with pytest.raises(PemError, match=r"^no private key in PEM without a password$"):
            private_key(content)


def test_what_is_no_public_key() -> None:
    for content in (b"", b"\xff", private(KEY)):
        with pytest.raises(PemError, match=r"^no public key in PEM$"):
            public_key(content)


def test_keys_of_another_kind() -> None:
    with pytest.raises(PemError, match=r"^no Ed25519 key$"):
        private_key(private(OTHER))
    with pytest.raises(PemError, match=r"^no Ed25519 key$"):
        public_key(public(OTHER))
