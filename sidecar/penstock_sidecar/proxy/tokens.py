"""Verifying OIDC tokens that clients present: size, signature, issuer, audience, lifetime; and until when they count.

Keys are `signing_keys.py`'s, what claims mean `claims.py`'s. What an identity may do is not decided here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import structlog

from penstock_core.identity import Identity, Workload
from penstock_sidecar.proxy.claims import identity
from penstock_sidecar.proxy.issuers import Issuer, TokenError
from penstock_sidecar.proxy.signing_keys import SigningKey, SigningKeys

_log = structlog.get_logger(__name__)

# RFC 9068 has at+jwt for access tokens; other types are no credentials, or have meanings of their own.
_TYPES = {"", "jwt", "at+jwt", "application/jwt", "application/at+jwt"}
_NOT_A_TOKEN = ("the password is not an OIDC token (JWT)", "give the token as the password")
# So much of a refused token's claims is kept.
_LONGEST_CLAIM = 200
# No session lasts longer, whatever its token says.
_LONGEST_SECONDS = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class Proof:
    """A verified token: whom it names, and until when it counts (seconds since the epoch, by this machine's clock)."""

    identity: Identity
    expires: float


class TokenVerifier:
    """Verifies tokens of the configured issuers."""

    def __init__(self, issuers: Sequence[Issuer], workload: Workload | None, clock_skew: float = 5.0) -> None:
        # Several entries for one issuer may differ in their keys.
        self._keys = [SigningKeys(issuer) for issuer in issuers]
        self._workload = workload
        self._clock_skew = clock_skew

    async def verify(self, token: str) -> Proof:
        """Whom the token names. Raises TokenError."""
        try:
            return await self._verify(token.strip())
        except TokenError:
            raise
        except Exception as error:
            # A fault of ours: nobody is let in, and nobody kept waiting.
            _log.exception("a token could not be verified")
            raise TokenError(
                f"the token could not be verified ({type(error).__name__})", "report it to the Penstock project"
            ) from None

    async def _verify(self, token: str) -> Proof:
        header, unverified = _unverified(token)
        keys = self._issuers_keys(unverified)
        key_id = header.get("kid")
        if key_id is not None and not isinstance(key_id, str):
            raise TokenError(*_NOT_A_TOKEN)
        key = await keys.find(key_id, _algorithm(header))
        claims = self._claims(token, key, keys.issuer)
        expires = min(int(claims["exp"]), time.time() + _LONGEST_SECONDS)
        return Proof(identity(claims, keys.issuer, self._workload), expires + self._clock_skew)

    def _issuers_keys(self, unverified: dict[str, Any]) -> SigningKeys:
        """By what the token says of itself, of which nothing is proved so far: it may be of any type."""
        named = [keys for keys in self._keys if keys.issuer.issuer == unverified.get("iss")]
        if not named:
            raise TokenError(
                "the token's issuer is not one that is accepted here", "get one of an issuer that is configured"
            )
        audiences = unverified.get("aud")
        audiences = audiences if isinstance(audiences, list) else [audiences]
        # Several entries for one issuer, told apart by audience: people by one client, agents by another.
        fitting = [one for one in named if one.issuer.audience in audiences]
        if len(fitting) > 1:
            raise TokenError(
                "the token is for several audiences of this gate, so that it has several meanings",
                "get one for one of them",
            )
        return fitting[0] if fitting else named[0]

    def _claims(self, token: str, key: SigningKey, issuer: Issuer) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key.key, algorithms=sorted(key.algorithms), audience=issuer.audience, issuer=issuer.issuer,
                leeway=self._clock_skew, options={"require": ["exp", "iss", "aud", "sub"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            raise TokenError("the token has expired", "get a new one") from None
        except jwt.InvalidAudienceError:
            raise TokenError(
                f"the token is not for this gate (its audience is not {issuer.audience})",
                f"get one for {issuer.audience}",
            ) from None
        except jwt.ImmatureSignatureError:
            raise TokenError(
                "the token is not valid yet", "check the clocks of the issuer and of this machine"
            ) from None
        except jwt.MissingRequiredClaimError as error:
            raise TokenError(f"the token lacks the claim {error.claim}") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise TokenError("the token's signature or claims are not valid", "get a new one") from None
        _permitted(claims, issuer)
        return claims


def claimed(token: str) -> dict[str, str]:
    """What a token that was refused says of itself, for the record: whose it is, from whom and for whom. All of it may
    be made up, and nothing else of the token is kept.
    """
    try:
        claims: dict[str, Any] = jwt.decode(token.strip(), options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return {}
    act = claims.get("act")
    told = {
        "issuer": claims.get("iss"), "subject": claims.get("sub"), "audience": claims.get("aud"),
        "actor": act.get("sub") if isinstance(act, dict) else None,
    }  # fmt: skip
    return {name: text for name, value in told.items() if (text := _shown(value))}


def _shown(value: object) -> str:
    """A claim as far as it is text, and short; of a list, its first."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, str):
        return ""
    # JSON may hold half a surrogate pair, which no event can.
    text = value.encode(errors="replace").decode()
    return text if len(text) <= _LONGEST_CLAIM else text[: _LONGEST_CLAIM - 1] + "…"


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of what may be a token, as far as that can be seen. Raises TokenError."""
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenError(*_NOT_A_TOKEN) from None
    kind = header.get("typ", "")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenError(
            "the token is of a type that is no credential here (header typ)", "present an access or ID token"
        )
    return header, claims


def _algorithm(header: dict[str, Any]) -> str:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm.lower() == "none":
        raise TokenError("the token is not signed (alg none)", "get a token from the issuer")
    if algorithm.upper().startswith("HS"):
        raise TokenError("the token is signed with a shared secret (alg HS)", "have the issuer sign by RS256 or ES256")
    return algorithm


def _permitted(claims: dict[str, Any], issuer: Issuer) -> None:
    """Refuse what is verified, and meant for something else. Raises TokenError."""
    if issuer.authorized_parties is not None and claims.get("azp") not in issuer.authorized_parties:
        raise TokenError(
            "the token was given to a client that is not accepted here (claim azp)",
            "list the client in the issuer's authorizedParties",
        )
    if "cnf" in claims:
        raise TokenError(
            "the token is bound to a key that the client would have to prove (claim cnf), which this gate can't check",
            "get one that is not bound (without DPoP or a client certificate)",
        )
    if "events" in claims:
        raise TokenError(
            "the token tells of an event and is no credential (claim events)", "present an access or ID token"
        )


def seconds_left(proof: Proof) -> float:
    """How long the token is good for, by this machine's clock."""
    return proof.expires - time.time()
