"""Whose tokens are accepted and for whom they speak, and the error that refuses one.

What is in a token is `claims.py`'s, by which keys it is signed `signing_keys.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock_core.identity import PrincipalKind
from penstock_core.token_issuers import ContextSettings, TokenIssuer


class TokenError(ValueError):
    """The token is not accepted; the text and the remedy are fit for the client and hold nothing of the token."""

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Delegation:
    """That an issuer's tokens may say which agent acts for their subject."""

    # Names; one that ends in * stands for all that begin so.
    agents: tuple[str, ...]
    groups_claim: str = "groups"
    # The claim with the agent: `act` of RFC 8693, or one that names the client that the token was given to.
    actor_claim: str = "act"

    def covers(self, agent: str) -> bool:
        """Whether that agent may act for others."""
        return any(agent.startswith(one[:-1]) if one.endswith("*") else agent == one for one in self.agents)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are accepted, and for whom they speak."""

    issuer: str
    audience: str
    kind: PrincipalKind
    # Keys in a file, at a URL, or where the issuer's discovery document says.
    jwks_file: Path | None = None
    jwks_url: str = ""
    # The authorities of its certificate, as a file or in PEM.
    ca_file: Path | None = None
    ca: str = ""
    keys_max_age: float = 86_400.0
    subject_claim: str = "sub"
    groups_claim: str = "groups"
    kind_claim: str | None = None
    # The kinds by the values of that claim.
    kinds: Mapping[str, PrincipalKind] = field(default_factory=dict, hash=False)
    authorized_parties: tuple[str, ...] | None = None
    delegation: Delegation | None = None
    # Its tokens are contexts of transactions.
    context: ContextSettings | None = None


def configured(one: TokenIssuer, directory: Path) -> Issuer:
    """An issuer as its settings say; paths are relative to the directory."""
    delegation = one.delegation
    return Issuer(
        one.issuer, one.audience, one.kind,
        jwks_file=None if one.jwks_file is None else directory / one.jwks_file, jwks_url=one.jwks_url,
        ca_file=None if one.ca_file is None else directory / one.ca_file, ca=one.ca,
        keys_max_age=one.keys_max_age_seconds, subject_claim=one.subject_claim, groups_claim=one.groups_claim,
        kind_claim=one.kind_claim, kinds={each.value: each.kind for each in one.kinds or ()},
        authorized_parties=one.authorized_parties,
        delegation=None
        if delegation is None
        else Delegation(delegation.agents, delegation.groups_claim, delegation.actor_claim),
        context=one.context,
    )  # fmt: skip
