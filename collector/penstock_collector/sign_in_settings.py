"""What sign-in is configured by, a part of the collector's settings: `PENSTOCK_COLLECTOR_SIGN_IN_…`.

What doesn't belong: what a role may (`auth/roles.py`), talking to the provider (`auth/provider.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings

RoleName = Literal["viewer", "auditor", "approver", "admin"]
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username):
        raise ValueError("must be an https:// URL, exactly as the provider's tokens have it in iss")
    return value


def _scopes(value: str) -> str:
    if "openid" not in value.split():
        raise ValueError("must have openid among its words")
    return " ".join(value.split())


class SignInSettings(BaseSettings):
    """Where people sign in, and what they may do by their groups."""

    # The OIDC provider, exactly as its tokens have it in `iss`. Empty: nobody signs in.
    sign_in_issuer: Annotated[str, AfterValidator(_issuer)] = ""
    # As the page names it: "Sign in with Example". Empty: the issuer's host.
    sign_in_name: Annotated[str, Field(max_length=60)] = ""
    sign_in_client_id: Annotated[str, Field(max_length=256)] = ""
    # Empty: a public client, which has no secret.
    sign_in_client_secret_file: Path | None = None
    # The authority of the provider's certificate, in place of the system's.
    sign_in_ca_file: Path | None = None
    sign_in_scopes: Annotated[str, AfterValidator(_scopes)] = "openid profile email"
    # The claim with the groups; further in, `realm_access.roles`.
    sign_in_groups_claim: Annotated[str, Field(min_length=1, max_length=256)] = "groups"
    # The claim with the name that the record has. Empty: the verified email, or else sub.
    sign_in_name_claim: Annotated[str, Field(max_length=256)] = ""
    # The groups that have a role, as JSON: {"viewer": ["staff"], "admin": ["platform"]}.
    sign_in_roles: dict[RoleName, list[str]] = {}
    # A sign-in ends after so long without use, and at the latest; the provider is asked anew meanwhile.
    sign_in_idle_minutes: Annotated[float, Field(gt=0)] = 60.0
    sign_in_hours: Annotated[float, Field(gt=0, le=24 * 7)] = 12.0
    sign_in_check_minutes: Annotated[float, Field(gt=0, le=60)] = 5.0

    # Of the collector's other settings; where the provider leads back to.
    public_url: str = ""

    @model_validator(mode="after")
    def _complete(self) -> SignInSettings:
        if not self.sign_in_issuer:
            return self
        if not self.sign_in_client_id:
            raise ValueError("sign_in_issuer needs sign_in_client_id")
        if not any(self.sign_in_roles.values()):
            raise ValueError('sign_in_issuer needs sign_in_roles, such as {"viewer": ["staff"]}')
        public = urlsplit(self.public_url)
        if public.scheme != "https" and public.hostname not in _LOOPBACK:
            raise ValueError("sign_in_issuer needs public_url, with https: the provider leads back there")
        if public.path:
            raise ValueError("sign_in_issuer needs a public_url without a path")
        return self

    @property
    def provider_name(self) -> str:
        """What people know the provider by."""
        return self.sign_in_name or urlsplit(self.sign_in_issuer).hostname or ""
