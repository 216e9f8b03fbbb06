"""Which keys of a set verify signatures, and by which algorithms; what is no set."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from penstock_core.signing_keys import KeySetError, named, usable


def document(key: Any, **more: Any) -> dict[str, Any]:
    kinds = {rsa.RSAPrivateKey: "RS256", ec.EllipticCurvePrivateKey: "ES256", ed25519.Ed25519PrivateKey: "EdDSA"}
    algorithm = jwt.get_algorithm_by_name(next(name for kind, name in kinds.items() if isinstance(key, kind)))
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": "k", **more}


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "RSA": (document(RSA), {"RS256", "PS256"}),
    "RSA, for one algorithm": (document(RSA, alg="PS256"), {"PS256"}),
    "RSA, for an algorithm that is none here": (document(RSA, alg="RS512"), set()),
    "RSA, for a shared secret": (document(RSA, alg="HS256"), set()),
    "RSA of 1024 bits": (document(rsa.generate_private_key(public_exponent=65537, key_size=1024)), set()),
    "P-256": (document(ec.generate_private_key(ec.SECP256R1())), {"ES256"}),
    "P-384": (document(ec.generate_private_key(ec.SECP384R1())), {"ES384"}),
    "P-521": (document(ec.generate_private_key(ec.SECP521R1())), set()),
    "Ed25519": (document(ed25519.Ed25519PrivateKey.generate()), {"EdDSA"}),
    "for encryption": (document(RSA, use="enc"), set()),
    "for other operations": (document(RSA, key_ops=["encrypt"]), set()),
    "a secret": ({"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k"}, set()),
    "a private key": (json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(RSA)) | {"kid": "k"}, set()),
    "not on its curve": (document(ec.generate_private_key(ec.SECP256R1()), x="AAAA"), set()),
    "without its numbers": ({"kty": "RSA", "kid": "k"}, set()),
    "a name that is none": (document(RSA, kid=5), set()),
    "of no type": ({"kid": "k"}, set()),
}


@pytest.mark.parametrize(("key", "algorithms"), KEYS.values(), ids=KEYS)
def test_what_a_key_may_sign_by(key: dict[str, Any], algorithms: set[str]) -> None:
    found = usable({"keys": [key, "no key"]})
    assert [set(one.algorithms) for one in found] == ([algorithms] if algorithms else [])


def test_a_key_is_found_by_its_name_or_where_there_is_no_choice() -> None:
    one, two = (usable({"keys": [document(RSA, kid=kid)]})[0] for kid in ("one", "two"))
    assert named([one, two], "two") == [two]
    assert named([one, two], "three") == named([one, two], None) == []
    assert named([one], None) == [one]


@pytest.mark.parametrize("given", [{}, {"keys": {}}, {"keys": "k"}, {"keys": [document(RSA)] * 257}])
def test_what_is_no_set_of_keys(given: dict[str, Any]) -> None:
    with pytest.raises(KeySetError):
        usable(given)
