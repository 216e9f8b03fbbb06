"""The settings of serving over HTTP: the resource that clients get tokens for, and how these become the gate's.

How they are read is `settings.py`'s; what a token is good for, `serving/authorization.py`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from penstock_core.token_issuers import TokenIssuer
from penstock_sidecar.listening import Address

_Name = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[\x21-\x7e]+$")]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, alias_generator=to_camel, populate_by_name=True
    )


class ExchangeSettings(_Model):
    """Getting a token for the gate in exchange for a client's (RFC 8693), as the agent that acts for its subject."""

    token_url: str
    # The agent, as the issuer knows it.
    client_id: _Name
    client_secret_file: Path
    # What the token is to be for, as the issuer wants to be told: one of them.
    audience: _Name | None = None
    resource: _Name | None = None
    scope: Annotated[str, Field(max_length=1024)] = ""
    # A token of the agent's own that says who acts; absent: the client itself does.
    actor_token_file: Path | None = None
    # The claim of what comes back that names who acts, and the audience that it must have.
    actor_claim: _Name = "act"
    gate_audience: _Name = "penstock"
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _one_target(self) -> ExchangeSettings:
        if not _https(self.token_url):
            raise ValueError("tokenUrl must be an https:// URL")
        if (self.audience is None) == (self.resource is None):
            raise ValueError("give audience or resource, one of them: what the token is to be for")
        return self


class HttpSettings(_Model):
    """Serving over HTTP."""

    listen: Address = Address(host="127.0.0.1", port=8765)
    # The server as clients name it, with its path; it is what their tokens are asked for (RFC 8707).
    url: str
    cert_file: Path | None = None
    key_file: Path | None = None
    # Whose tokens clients present; its audience is this server.
    issuer: TokenIssuer
    required_scopes: Annotated[tuple[_Name, ...], Field(max_length=16)] = ()
    exchange: ExchangeSettings
    # Where pages may be from that ask: none, unless browsers are clients. Beside the host of `url`, what Host may be.
    allowed_origins: tuple[_Name, ...] = ()
    allowed_hosts: tuple[_Name, ...] = ()
    max_sessions: Annotated[int, Field(ge=1, le=10_000)] = 100
    max_body_bytes: Annotated[int, Field(ge=1024, le=16 << 20)] = 1 << 20

    @model_validator(mode="after")
    def _consistent(self) -> HttpSettings:
        parts = urlsplit(self.url)
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if not (_https(self.url) or (parts.scheme == "http" and local)) or len(parts.path) < 2:
            raise ValueError("url must be an https:// URL with a path, such as https://mcp.example/mcp")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("certFile and keyFile belong together")
        if self.cert_file is None and not self.listen.loopback:
            raise ValueError(
                f"listen: {self.listen.host} is reachable from elsewhere, and tokens would cross the network in clear: "
                "give certFile and keyFile, or listen on a loopback address"
            )
        if self.issuer.audience == self.exchange.gate_audience:
            raise ValueError("issuer.audience is the gate's: give this server an audience of its own")
        return self

    @property
    def path(self) -> str:
        """Where the protocol is served."""
        return urlsplit(self.url).path

    @property
    def hosts(self) -> list[str]:
        """What a request's Host may be, so that no page leads a browser here by a name of its own."""
        return [urlsplit(self.url).netloc, *self.allowed_hosts]


def _https(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)
