"""An identity provider for the demo: one signing key, its public half as a JWKS file, and tokens for the actors.

What doesn't belong: verifying tokens (the gate does, as with any OIDC issuer).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

AUDIENCE = "penstock-demo"
_KEY_ID = "demo-1"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody of the scripted session: how the token names them."""

    # `agent` or `person`: the issuer that vouches for them is one for that kind.
    kind: str
    subject: str
    groups: tuple[str, ...]

    @property
    def issuer(self) -> str:
        return f"https://{self.kind}s.demo.example"


class DemoIssuer:
    """Signs tokens with a key that lives as long as the demo."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def write_jwks(self, path: Path) -> None:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        key = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        path.write_text(json.dumps({"keys": [{**key, "kid": _KEY_ID, "alg": "ES256", "use": "sig"}]}))

    def token(self, actor: Actor, lifetime: timedelta = timedelta(hours=8)) -> str:
        """A signed token for that actor, valid from now on."""
        now = datetime.now(UTC)
        claims = {
            "iss": actor.issuer,
            "sub": actor.subject,
            "aud": AUDIENCE,
            "groups": list(actor.groups),
            "iat": now,
            "exp": now + lifetime,
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": _KEY_ID})
