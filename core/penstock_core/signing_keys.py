"""Which keys of a JSON Web Key Set may verify a token's signature, and by which algorithms.

By the type of the key, never by what a token asks for: no secret passes for a public key, nor `none` for an algorithm.
Where a set comes from, and which key a token names, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

_MOST_KEYS = 256
_SMALLEST_RSA = 2048


class KeySetError(ValueError):
    """It is no set of keys that can be used; the text says why."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, and the algorithms that it may be used with."""

    key_id: str
    key: Any
    algorithms: frozenset[str]


def usable(document: Mapping[str, Any]) -> list[SigningKey]:
    """The keys of a JSON Web Key Set that can sign tokens here; others are left out. Raises KeySetError."""
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise KeySetError("the signing keys are not a JSON Web Key Set")
    if len(keys) > _MOST_KEYS:
        raise KeySetError(f"the issuer has more than {_MOST_KEYS} signing keys")
    return [found for one in keys if isinstance(one, dict) and (found := _usable(one)) is not None]


def named(keys: list[SigningKey], key_id: str | None) -> list[SigningKey]:
    """Those that a token's header may mean; no name is enough where there is no choice."""
    if key_id is None:
        return list(keys) if len(keys) == 1 else []
    return [one for one in keys if one.key_id == key_id]


def _usable(document: dict[str, Any]) -> SigningKey | None:
    use, operations = document.get("use", "sig"), document.get("key_ops", ["verify"])
    # A shared secret in a set of public keys is known to everybody, and private keys are nobody's business.
    if use != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if document.get("kty") not in ("RSA", "EC", "OKP") or "d" in document:
        return None
    try:
        key = jwt.PyJWK({name: value for name, value in document.items() if name != "alg"}).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    algorithms = _algorithms(key)
    if (only := document.get("alg")) is not None:
        algorithms &= {only} if isinstance(only, str) else set()
    name = document.get("kid", "")
    return SigningKey(name, key, algorithms) if algorithms and isinstance(name, str) else None


def _algorithms(key: object) -> frozenset[str]:
    if isinstance(key, rsa.RSAPublicKey):
        return frozenset({"RS256", "PS256"} if key.key_size >= _SMALLEST_RSA else ())
    if isinstance(key, ec.EllipticCurvePublicKey):
        return frozenset({"secp256r1": ("ES256",), "secp384r1": ("ES384",)}.get(key.curve.name, ()))
    return frozenset({"EdDSA"} if isinstance(key, ed25519.Ed25519PublicKey) else ())
