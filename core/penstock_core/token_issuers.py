"""The issuers whose tokens clients may present, as they are configured: at a gate, or for all sidecars by the chart.

What becomes of a token, and where keys are fetched, is the sidecar's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

_Name = Annotated[str, Field(min_length=1, max_length=256)]
_Kind = Literal["person", "agent", "service"]


class _Model(BaseModel):
    # By either name: a list in a variable is JSON, and has the names that the file has.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, alias_generator=to_camel, populate_by_name=True
    )


class KindOfValue(_Model):
    """Of what kind those are for whom a claim has one value."""

    value: _Name
    kind: _Kind


class DelegationSettings(_Model):
    """That an issuer's tokens may say that an agent acts for the token's subject (the claim `act`)."""

    # The agents that may, by their `sub`; one that ends in * stands for all names that begin so.
    agents: Annotated[tuple[_Name, ...], Field(min_length=1, max_length=256)]
    # Where, within `act`, the agent's groups are.
    groups_claim: _Name = "groups"
    # The claim with the agent: `act`, or of issuers that have none, one such as azp that names the client that got the
    # token. Then each token for this audience has to name an agent.
    actor_claim: _Name = "act"

    @field_validator("agents")
    @classmethod
    def _stars_stand_last(cls, agents: tuple[str, ...]) -> tuple[str, ...]:
        if any("*" in name[:-1] for name in agents):
            raise ValueError("a * stands last in a name, and for all that it may go on with")
        return agents


class ContextSettings(_Model):
    """That an issuer's tokens say, within one transaction, for which person a session acts; and nothing else."""

    # The longest time from `iat` to `exp`.
    max_lifetime_seconds: Annotated[int, Field(ge=10, le=3600)] = 300
    # Whether a gate takes each token once; then each has to have a `jti`.
    single_use: bool = False
    # The claims that bind a token to a pod or a service account. Where a token has one, it has to be the gate's own.
    pod_uid_claim: _Name = "pod_uid"
    service_account_claim: _Name = "service_account"
    # Which of the two each token has to have.
    bound_to: Annotated[tuple[Literal["podUid", "serviceAccount"], ...], Field(max_length=2)] = ()


class TokenIssuer(_Model):
    """Whose tokens clients may present."""

    issuer: _Name
    audience: _Name
    kind: _Kind
    # The claim that says of what kind the subject is, and the kinds by its values; where it is absent, it is `kind`.
    kind_claim: _Name | None = None
    kinds: Annotated[tuple[KindOfValue, ...], Field(min_length=1, max_length=64)] | None = None
    subject_claim: _Name = "sub"
    groups_claim: _Name = "groups"
    # The clients that a token may have been given to (the claim `azp`); absent: any.
    authorized_parties: Annotated[tuple[_Name, ...], Field(min_length=1)] | None = None
    # Where its keys are; without either, its discovery document tells.
    jwks_file: Path | None = None
    jwks_url: str = ""
    # The authorities of its certificate, in place of the system's: a file, or the certificates themselves (PEM) for
    # sidecars, which have no files.
    ca_file: Path | None = None
    ca: Annotated[str, Field(max_length=16_384)] = ""
    # How long its keys count while it can't be reached.
    keys_max_age_seconds: Annotated[float, Field(ge=300, le=7 * 86_400)] = 86_400.0
    # What clients that fetch tokens by themselves (OAUTHBEARER) are told to ask for.
    scope: Annotated[
        str, Field(max_length=1024, pattern=r"^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$")
    ] = "openid"
    delegation: DelegationSettings | None = None
    # With it, the issuer's tokens for this audience are contexts of transactions, and open no session.
    context: ContextSettings | None = None

    @model_validator(mode="after")
    def _contexts_name_people(self) -> TokenIssuer:
        if self.context is not None and self.kind != "person":
            raise ValueError("with context, kind is person: a context names the person whom a session acts for")
        if self.context is not None and self.delegation is not None:
            raise ValueError("context and delegation don't go together: a context names no agent")
        return self

    @field_validator("ca")
    @classmethod
    def _certificates(cls, ca: str) -> str:
        if "PRIVATE KEY" in ca:
            raise ValueError("ca is for certificates alone: a private key has no place there")
        if ca:
            try:
                x509.load_pem_x509_certificates(ca.encode("ascii"))
            except ValueError:
                raise ValueError("ca is to be certificates, in PEM: -----BEGIN CERTIFICATE-----") from None
        return ca

    @model_validator(mode="after")
    def _keys_from_somewhere(self) -> TokenIssuer:
        if self.jwks_file is not None and self.jwks_url:
            raise ValueError("give jwksFile or jwksUrl, one of them, or neither for discovery")
        if self.jwks_url and not _https(self.jwks_url):
            raise ValueError("jwksUrl must be an https:// URL")
        if self.jwks_file is None and not self.jwks_url and not _https(self.issuer):
            raise ValueError("without jwksFile or jwksUrl, issuer must be an https:// URL: discovery begins there")
        if self.jwks_file is not None and (self.ca_file is not None or self.ca):
            raise ValueError("caFile and ca are for keys that are fetched, not for jwksFile")
        if self.ca_file is not None and self.ca:
            raise ValueError("give caFile or ca, one of them")
        if self.kinds is not None and self.kind_claim is None:
            raise ValueError("kinds needs kindClaim")
        if self.delegation is not None and self.kind == "agent" and self.kind_claim is None:
            raise ValueError("with delegation, kind is that of whom agents act for: person or service")
        return self


def _https(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)
