"""What a provider's ID token says, once its signature, client, lifetime and nonce are verified; pure but for the clock.

What is not understood is refused in words. What doesn't belong: fetching keys (`provider.py`), what groups may do
(`roles.py`).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from penstock_core.signing_keys import SigningKey
from penstock_core.token_claims import Claims, is_text, value

_LONGEST_TOKEN = 32 * 1024
_LONGEST_NAME = 256
_MOST_GROUPS = 4096
# By how many seconds clocks may differ.
_SKEW = 30
# Claims by which the person may stand in a request for approval that they made through a gate.
_NAMES = ("sub", "email", "preferred_username", "upn", "oid")


class SignInError(Exception):
    """Somebody can't sign in; the text says why and what to do, for them to read."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in, by the provider's word."""

    issuer: str
    subject: str
    # What the record and the pages call them.
    name: str
    # All names that are theirs, the subject among them.
    names: frozenset[str]
    # Those of them, as written, that nobody gives themselves: by these gates may know them.
    own: frozenset[str]
    groups: frozenset[str]


def header(token: str) -> tuple[str | None, str]:
    """The name of the key and the algorithm that a token says it is signed by. Raises SignInError."""
    if len(token) > _LONGEST_TOKEN:
        raise SignInError(f"The provider's token is longer than {_LONGEST_TOKEN} bytes. Have it send fewer groups.")
    try:
        said = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise SignInError("The provider's answer holds no ID token that can be read.") from None
    algorithm, key_id, kind = said.get("alg"), said.get("kid"), said.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm.lower() == "none":
        raise SignInError("The provider's token is not signed.")
    if algorithm.upper().startswith("HS"):
        raise SignInError("The provider's token is signed with a shared secret. Have it sign by RS256 or ES256.")
    if not isinstance(kind, str) or kind.upper() != "JWT" or not isinstance(key_id, str | None):
        raise SignInError("The provider's token is no ID token (header typ).")
    return key_id, algorithm


def verified(token: str, key: SigningKey, issuer: str, client_id: str, nonce: str | None) -> dict[str, Any]:
    """The claims of an ID token for this client; with `nonce`, for this very sign-in. Raises SignInError."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key.key, algorithms=sorted(key.algorithms), audience=client_id, issuer=issuer, leeway=_SKEW,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )  # fmt: skip
    except jwt.ExpiredSignatureError:
        raise SignInError("The provider's token has expired. Check the clocks, and sign in again.") from None
    except jwt.ImmatureSignatureError:
        raise SignInError("The provider's token is not valid yet. Check the clocks, and sign in again.") from None
    except jwt.InvalidIssuerError:
        raise SignInError("The provider's token is of another issuer.") from None
    except jwt.InvalidAudienceError:
        raise SignInError("The provider's token is for another client.") from None
    except jwt.MissingRequiredClaimError as error:
        raise SignInError(f"The provider's token lacks the claim {error.claim}.") from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        raise SignInError("The signature or the claims of the provider's token are not valid.") from None
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise SignInError("The provider's token was given to another client (claim azp).")
    if "act" in claims:
        raise SignInError(
            "The provider's token says that somebody acts for its subject (claim act). Sign in as yourself."
        )
    said = claims.get("nonce")
    if nonce is not None and not (isinstance(said, str) and hmac.compare_digest(said.encode(), nonce.encode())):
        raise SignInError("The provider's token belongs to another sign-in. Sign in again.")
    return claims


def person(claims: Claims, issuer: str, groups_claim: str, name_claim: str) -> Person:
    """Whom verified claims name. Raises SignInError."""
    subject = _name(claims.get("sub"), "sub")
    email = claims.get("email")
    # Some providers say of no address whether it is verified; one that is said not to be is anybody's to claim.
    usable = isinstance(email, str) and claims.get("email_verified", False) is True
    claim = name_claim or ("email" if usable else "sub")
    name = _name(value(claims, claim), claim)
    names = _texts(claims, _NAMES)
    own = {subject, name, *_texts(claims, ("oid", "email") if usable else ("oid",))}
    return Person(issuer, subject, name, frozenset({name, *names}), frozenset(own), groups(claims, groups_claim))


def _texts(claims: Claims, names: Iterable[str]) -> set[str]:
    return {found for name in names if isinstance(found := claims.get(name), str) and found and is_text(found)}


def has_groups(claims: Claims, groups_claim: str) -> bool:
    """Whether the claims say of groups at all, or that they are elsewhere."""
    return value(claims, groups_claim) is not None or _elsewhere(claims, groups_claim)


def groups(claims: Claims, path: str) -> frozenset[str]:
    """The groups; a single name is one. None of them without the claim. Raises SignInError."""
    if _elsewhere(claims, path):
        raise SignInError(
            f"The provider leaves out your groups because they are too many (claim {path}). "
            "Have it send only groups that are assigned to this application."
        )
    if path == "email" and claims.get("email_verified") is not True:
        raise SignInError("The provider says that your address is not verified (claim email_verified).")
    found = value(claims, path)
    listed = [] if found is None else [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not all(map(is_text, listed)):
        raise SignInError(f"The provider's claim {path} is not a list of names.")
    if len(listed) > _MOST_GROUPS:
        raise SignInError(f"The provider's claim {path} has more than {_MOST_GROUPS} groups.")
    return frozenset(listed)


def _elsewhere(claims: Claims, path: str) -> bool:
    """Whether the token says that the groups are to be asked for elsewhere, as Entra does beyond 200."""
    names = claims.get("_claim_names")
    return (isinstance(names, Mapping) and path in names) or (path == "groups" and claims.get("hasgroups") is True)


def _name(found: object, claim: str) -> str:
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_NAME or not found.isprintable():
        raise SignInError(f"The provider's claim {claim} is not a name of at most {_LONGEST_NAME} characters.")
    return found
