"""The settings of who clients are: the pod, and how they prove that they are somebody else.

How they are read is `settings.py`'s, an issuer `penstock_core.token_issuers`'s, what becomes of a token
`proxy/tokens.py`'s.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from penstock_core.token_issuers import TokenIssuer


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class WorkloadIdentity(_Model):
    """The pod that this proxy is in."""

    namespace: str
    service_account: str
    pod: str = ""
    pod_uid: str = ""


class IdentitySettings(_Model):
    """Who clients are."""

    workload: WorkloadIdentity | None = None
    issuers: tuple[TokenIssuer, ...] = ()
    # Whether a client must present a token. If not, one that names the user `token` may.
    required: bool = False
    # How clients present it; each may ask for the other way by the startup option penstock.login.
    login: Literal["password", "oauthbearer"] = "password"
    # Whether a session that presented a token may have a ticket, and a client may log in by one.
    tickets: bool = True
    # By how much the clocks of issuers and this machine may differ.
    clock_skew_seconds: Annotated[float, Field(ge=0, le=60)] = 5.0

    @property
    def logins(self) -> tuple[TokenIssuer, ...]:
        """Those whose tokens open sessions."""
        return tuple(one for one in self.issuers if one.context is None)

    @property
    def contexts(self) -> tuple[TokenIssuer, ...]:
        """Those whose tokens are contexts of transactions."""
        return tuple(one for one in self.issuers if one.context is not None)

    @model_validator(mode="after")
    def _someone(self) -> IdentitySettings:
        if self.workload is None and not self.logins:
            raise ValueError("give workload, or issuers, or both: no session is anonymous")
        if self.required and not self.logins:
            raise ValueError("required needs issuers of tokens that open sessions")
        if self.workload is None and not self.required:
            raise ValueError("without workload, required must be true: no session is anonymous")
        pairs = [(one.issuer, one.audience) for one in self.issuers]
        if len(set(pairs)) < len(pairs):
            raise ValueError(
                "issuers: one issuer is there twice with the same audience, so that its tokens have two meanings"
            )
        return self
