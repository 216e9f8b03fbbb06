"""What the environment says to the two programs: PENSTOCK_CONTROL_… and PENSTOCK_OPERATOR_…, as the chart sets them.

What doesn't belong: anything about policies; that is in the resources.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from penstock_core.token_issuers import TokenIssuer

__all__ = ["ControlSettings", "OperatorSettings", "SettingsError", "wrong_settings"]

PortNumber = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
DnsName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Quantities = dict[str, str]


class ComputeResources(BaseModel):
    """Requests and limits, as Kubernetes quantities."""

    model_config = ConfigDict(extra="forbid")

    requests: Quantities = {"cpu": "20m", "memory": "128Mi"}
    limits: Quantities = {"cpu": "1", "memory": "256Mi"}


def _without_files(issuers: tuple[TokenIssuer, ...]) -> tuple[TokenIssuer, ...]:
    if any(one.jwks_file is not None or one.ca_file is not None for one in issuers):
        raise ValueError("a sidecar has no files for issuers: leave out jwksFile, and give ca in place of caFile")
    return issuers


class SidecarSettings(BaseModel):
    """What every sidecar gets that the pod doesn't decide."""

    model_config = ConfigDict(extra="forbid")

    image: Annotated[str, Field(min_length=1)]
    image_pull_policy: Annotated[str, Field(pattern="^(Always|IfNotPresent|Never)$")] = "IfNotPresent"
    # Absent: left to the pod or the platform.
    run_as_user: Annotated[int, Field(ge=1)] | None = None
    resources: ComputeResources = ComputeResources()
    # Absent: the last good policy counts for as long as control can't be reached.
    policy_max_age_seconds: Annotated[int, Field(ge=60)] | None = None
    spool_bytes: Annotated[int, Field(ge=1024 * 1024)] = 256 * 1024 * 1024
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    # Whose tokens clients in a pod may present, and how.
    issuers: Annotated[tuple[TokenIssuer, ...], AfterValidator(_without_files)] = ()
    login: Literal["password", "oauthbearer"] = "password"
    # Places of a node, each by itself, that an annotated pod may mount.
    allowed_host_paths: tuple[Annotated[str, Field(pattern="^/[^/]")], ...] = ()

    @property
    def issuers_json(self) -> str:
        """The issuers as a sidecar reads them from its environment; empty where there are none."""
        documents = [one.model_dump(mode="json", by_alias=True, exclude_unset=True) for one in self.issuers]
        return json.dumps(documents, sort_keys=True) if documents else ""


class ApprovalSettings(BaseModel):
    """About statements that are held until somebody approves them."""

    model_config = ConfigDict(extra="forbid")

    # What the API server puts before the names of people; the admission policy of requests knows the same.
    user_name_prefixes: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ("oidc:",)
    # How long a request that was decided is kept as an object after its end.
    kept_hours: Annotated[int, Field(ge=1, le=8760)] = 168


class ControlSettings(BaseSettings):
    """For `penstock control`."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_CONTROL_", env_nested_delimiter="__", extra="forbid")

    # Where the release is: its Secrets are read there.
    namespace: Name
    sidecar: SidecarSettings
    approvals: ApprovalSettings = ApprovalSettings()
    # As sidecars reach them.
    url: Annotated[str, Field(pattern="^https://")]
    collector_url: Annotated[str, Field(pattern="^https?://")]
    host: str = "0.0.0.0"  # noqa: S104 - a service of the cluster
    port: PortNumber = 8443
    health_port: PortNumber = 9188
    tls_secret: Name = "penstock-control-tls"  # noqa: S105 - the name of a Secret
    # The service account that may read what all gates report.
    operator_account: Name = "penstock-operator"
    mask_key_secret: Name = "penstock-mask-key"  # noqa: S105 - the name of a Secret
    # SHA-256 of the tokens that API servers show with their reviews; then nobody else's are listened to.
    review_tokens: tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...] = ()
    # After SIGTERM: how long to go on while endpoints are taken out of the Service, then to finish what runs.
    linger: Annotated[float, Field(ge=0, le=60)] = 5.0
    drain: Annotated[int, Field(ge=1, le=60)] = 10


def _ten_at_least(minutes: int) -> int:
    if 0 < minutes < 10:
        raise ValueError("it must be 0 or at least 10: gates tell of sessions every ten minutes")
    return minutes


class GatewayCertificate(BaseModel):
    """A gateway whose certificate is made here: where its Secret is, and what it is called by."""

    model_config = ConfigDict(extra="forbid")

    namespace: Name
    service: Name
    # Further names by which clients reach it, from outside the cluster for instance.
    names: tuple[DnsName, ...] = ()

    @property
    def secret(self) -> str:
        """Where certificate and key are kept."""
        return f"{self.service}-tls"


class OperatorSettings(BaseSettings):
    """For `penstock operator`."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_OPERATOR_", env_nested_delimiter="__", extra="forbid")

    namespace: Name
    control_service: Name = "penstock-control"
    # Where its pods answer, and the token that it shows them; without one, nothing is known of what gates report.
    control_port: PortNumber = 8443
    control_token_file: Path | None = None
    collector_service: Name = "penstock-collector"
    gateways: tuple[GatewayCertificate, ...] = ()
    # The webhook configurations that the chart made, whose caBundle is ours.
    mutating_webhook: Name = "penstock"
    validating_webhook: Name = "penstock"
    cluster_domain: Name = "cluster.local"
    host: str = "0.0.0.0"  # noqa: S104 - probed by the kubelet
    health_port: PortNumber = 9189
    # For so long a pod may have no session through its gate before its Database's status names it; 0: for ever. Gates
    # tell it every ten minutes.
    quiet_minutes: Annotated[int, Field(ge=0, le=10_080), AfterValidator(_ten_at_least)] = 60
    certificate_days: Annotated[float, Field(ge=1, le=398)] = 90
    # A third of it must be longer than a new authority is announced before it signs.
    authority_days: Annotated[float, Field(ge=30, le=3650)] = 1095


def wrong_settings(error: ValidationError | SettingsError) -> str:
    """What is wrong with the environment, one line, naming the variables."""
    if isinstance(error, SettingsError):
        return f"{' '.join(str(error).split())}: it must be JSON"
    prefix = {"ControlSettings": "PENSTOCK_CONTROL_", "OperatorSettings": "PENSTOCK_OPERATOR_"}[error.title]
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        variable = prefix + "__".join(str(step) for step in problem["loc"]).upper()
        parts.append(f"{variable}: {problem['msg'].lower()}")
    return "; ".join(parts)
