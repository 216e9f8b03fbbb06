"""Who asks over HTTP: each request's token, verified as a gate verifies tokens, and for this server alone.

Keys, algorithms, lifetimes and chains of agents are the gate's own code (`penstock_sidecar.proxy`). What doesn't
belong: what the token is exchanged for (`token_exchange.py`); it is never passed on.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import jwt
import structlog
from mcp.server.auth.provider import AccessToken

from penstock_agents.gate.credentials import MOST_BYTES
from penstock_core.identity import Identity
from penstock_core.token_claims import value
from penstock_core.token_issuers import TokenIssuer
from penstock_sidecar.proxy.issuers import TokenError, configured
from penstock_sidecar.proxy.tokens import TokenVerifier

_log = structlog.get_logger(__name__)


class Verifier:
    """Verifies clients' tokens, as the SDK asks for it."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self._issuer = issuer
        self._tokens = TokenVerifier([configured(issuer, Path())], None)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose it is; None where it is no good, and the log says why."""
        try:
            if len(token) > MOST_BYTES:
                raise TokenError(f"the token is longer than {MOST_BYTES} bytes")
            proof = await self._tokens.verify(token)
        except TokenError as error:
            why = str(error).replace("this gate", "this server").replace("the password", "what was sent")
            _log.info("a token is not accepted", why=why)
            return None
        claims = jwt.decode(token, options={"verify_signature": False})
        return AccessToken(
            token=token,
            client_id=str(claims.get("azp") or claims.get("client_id") or ""),
            scopes=_scopes(claims.get("scope")),
            expires_at=int(min(proof.expires, time.time() + 86_400)),
            resource=self._issuer.audience,
            subject=_key(proof.identity),
            claims={"iss": self._issuer.issuer, "sub": value(claims, self._issuer.subject_claim)},
        )


def _scopes(claim: object) -> list[str]:
    return claim.split() if isinstance(claim, str) else []


def _key(identity: Identity) -> str:
    """What tells identities apart: who it is, for whom, and in which groups. A session is for one such alone."""
    return hashlib.sha256(json.dumps(identity.document(), sort_keys=True).encode()).hexdigest()
