"""Verifying OIDC tokens that clients present: signature, issuer, audience, lifetime; and whom they name.

Keys come from a file or from the issuer's JWKS URL, fetched in a thread and kept. What an identity may do is not
decided here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from penstock_core.identity import Identity, Principal, PrincipalKind, Workload

# One algorithm for each type of key, never what the token asks for.
_ALGORITHMS = {("RSA", ""): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
_LEEWAY_SECONDS = 5
_JWKS_SECONDS = 300


class TokenError(ValueError):
    """The token is not accepted; the text is fit for the client and holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are accepted, and for whom they speak."""

    issuer: str
    audience: str
    kind: PrincipalKind
    jwks_file: Path | None = None
    jwks_url: str = ""
    groups_claim: str = "groups"


@dataclass(frozen=True, slots=True)
class Proof:
    """A verified token: whom it names, and until when (seconds since the epoch)."""

    identity: Identity
    expires: float


@dataclass(slots=True)
class _Keys:
    """The keys of one issuer."""

    issuer: Issuer
    _client: jwt.PyJWKClient | None = None
    _file_keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _stamp: tuple[int, int] = (0, 0)

    def find(self, token: str, key_id: str) -> jwt.PyJWK:
        """The key that the token says it is signed with. May block; raises TokenError."""
        try:
            if self.issuer.jwks_file is not None:
                return self._from_file(self.issuer.jwks_file, key_id)
            if self._client is None:
                self._client = jwt.PyJWKClient(self.issuer.jwks_url, lifespan=_JWKS_SECONDS, timeout=5)
            return self._client.get_signing_key_from_jwt(token)
        except TokenError:
            raise
        except (OSError, ValueError, jwt.PyJWTError):
            raise TokenError(
                f"cannot fetch the signing keys of {self.issuer.issuer}, or none matches the token"
            ) from None

    def _from_file(self, path: Path, key_id: str) -> jwt.PyJWK:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            keys = jwt.PyJWKSet.from_dict(json.loads(path.read_text())).keys
            self._file_keys = {key.key_id or "": key for key in keys}
            self._stamp = stamp
        if not key_id and len(self._file_keys) == 1:
            return next(iter(self._file_keys.values()))
        if key_id not in self._file_keys:
            raise TokenError(f"the token is signed with a key that {self.issuer.issuer} does not have")
        return self._file_keys[key_id]


class TokenVerifier:
    """Verifies tokens of the configured issuers."""

    def __init__(self, issuers: Sequence[Issuer], workload: Workload | None) -> None:
        self._keys = [_Keys(issuer) for issuer in issuers]
        self._workload = workload

    async def verify(self, token: str) -> Proof:
        """Whom the token names. Raises TokenError."""
        return await asyncio.to_thread(self._verify, token.strip())

    def _verify(self, token: str) -> Proof:
        try:
            header = jwt.get_unverified_header(token)
            unverified: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, UnicodeError, RecursionError):
            raise TokenError("the password is not an OIDC token (JWT)") from None
        named = [keys for keys in self._keys if keys.issuer.issuer == unverified.get("iss")]
        if not named:
            raise TokenError("the token's issuer is not one that is accepted here")
        audiences = unverified.get("aud")
        # Nothing is proved so far: it may be of any type.
        audiences = audiences if isinstance(audiences, list) else [audiences]
        # Several entries for one issuer, told apart by audience: people by one client, agents by another.
        keys = next((one for one in named if one.issuer.audience in audiences), named[0])
        claims = _claims(token, keys.find(token, str(header.get("kid", ""))), keys.issuer)
        return Proof(Identity(self._workload, _principal(claims, keys.issuer)), float(claims["exp"]))


def _claims(token: str, key: jwt.PyJWK, issuer: Issuer) -> dict[str, Any]:
    algorithm = _ALGORITHMS.get((key.key_type or "", _curve(key)))
    if algorithm is None:
        raise TokenError(f"the token's key is of a type that is not accepted ({key.key_type})")
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key.key, algorithms=[algorithm], audience=issuer.audience, issuer=issuer.issuer,
            leeway=_LEEWAY_SECONDS, options={"require": ["exp", "iss", "aud", "sub"]},
        )  # fmt: skip
    except jwt.ExpiredSignatureError:
        raise TokenError("the token has expired; get a new one") from None
    except jwt.InvalidAudienceError:
        raise TokenError(f"the token is not for this gate (its audience is not {issuer.audience})") from None
    except jwt.ImmatureSignatureError:
        raise TokenError("the token is not valid yet") from None
    except jwt.MissingRequiredClaimError as error:
        raise TokenError(f"the token lacks the claim {error.claim}") from None
    except jwt.PyJWTError:
        raise TokenError("the token's signature or claims are not valid") from None
    if "act" in claims:
        raise TokenError("delegated tokens (claim act) are not supported yet")
    return claims


def _curve(key: jwt.PyJWK) -> str:
    if key.key_type == "RSA":
        return ""
    name = getattr(getattr(key.key, "curve", None), "name", "")
    if name:
        return "P-256" if name == "secp256r1" else str(name)
    return "Ed25519" if type(key.key).__name__.lstrip("_").startswith("Ed25519") else ""


def _principal(claims: dict[str, Any], issuer: Issuer) -> Principal:
    groups = claims.get(issuer.groups_claim, [])
    groups = [groups] if isinstance(groups, str) else groups
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise TokenError(f"the token's claim {issuer.groups_claim} is not a list of names")
    return Principal(issuer.kind, str(claims["sub"]), issuer.issuer, tuple(sorted(groups)))


def seconds_left(proof: Proof) -> float:
    """How long the token is good for, by this machine's clock."""
    return proof.expires + _LEEWAY_SECONDS - time.time()
