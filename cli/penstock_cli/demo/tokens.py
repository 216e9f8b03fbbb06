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
# Who vouches for people, and for the agents that act for them.
ISSUER = "https://login.demo.example"
_KEY_ID = "demo-1"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody of the scripted session: how the token names them."""

    kind: str
    subject: str
    groups: tuple[str, ...]
    # The person whom an agent acts for.
    acts_for: Actor | None = None

    @property
    def name(self) -> str:
        """As the trail has it."""
        own = f"{self.kind}:{self.subject}"
        return own if self.acts_for is None else f"{own} for {self.acts_for.name}"


class DemoIssuer:
    """Signs tokens with a key that lives as long as the demo."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def write_jwks(self, path: Path) -> None:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        key = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        path.write_text(json.dumps({"keys": [{**key, "kid": _KEY_ID, "alg": "ES256", "use": "sig"}]}))

    def token(self, actor: Actor, lifetime: timedelta = timedelta(hours=8)) -> str:
        """A signed token for that actor, valid from now on; an agent's says whom it acts for (RFC 8693)."""
        now = datetime.now(UTC)
        subject = actor.acts_for or actor
        claims: dict[str, object] = {
            "iss": ISSUER,
            "sub": subject.subject,
            "aud": AUDIENCE,
            "groups": list(subject.groups),
            "iat": now,
            "exp": now + lifetime,
        }
        if actor.acts_for is not None:
            claims["act"] = {"sub": actor.subject, "groups": list(actor.groups)}
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": _KEY_ID})
