"""Ed25519 keys from PEM (RFC 8410, RFC 7468), by which checkpoints and evidence are signed and checked.

What doesn't belong: reading files, and what is signed (`checkpoint.py`).
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

_OTHER = "no Ed25519 key"


class PemError(ValueError):
    """It is none; the text says what it is not, as in `FILE is TEXT`."""


def private_key(content: bytes) -> Ed25519PrivateKey:
    """Raises PemError."""
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PemError("no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise PemError(_OTHER)
    return key


def public_key(content: bytes) -> Ed25519PublicKey:
    """Raises PemError."""
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise PemError("no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise PemError(_OTHER)
    return key
