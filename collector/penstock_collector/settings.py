"""What the collector is configured by: environment variables `PENSTOCK_COLLECTOR_…`, or arguments of the same names.

What doesn't belong: acting on it (`main.py`), and what has a module of its own (`sign_in_settings.py`,
`checkpoint_settings.py`).
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import SettingsConfigDict

from penstock_collector.checkpoint_settings import CheckpointSettings
from penstock_collector.sign_in_settings import RoleName, SignInSettings

_LISTEN = re.compile(r"(?P<host>[^:\[\]\s]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
_QUANTITY = re.compile(r"(?P<number>\d{1,15}(\.\d{1,3})?)(?P<unit>[kMGT]|[KMGT]i)?")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(?:/[A-Za-z0-9._~/\-]*)?")


def _listen(value: str) -> str:
    match = _LISTEN.fullmatch(value)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("must be HOST:PORT, such as 0.0.0.0:8080")
    return value


def _health_listen(value: str) -> str:
    return _listen(value) if value else ""


def _networks(value: list[str]) -> list[str]:
    for one in value:
        try:
            ip_network(one, strict=False)
        except ValueError:
            raise ValueError(f"must be addresses or networks, such as 10.0.0.0/8, not {one!r}") from None
    return value


def _api_server(value: str) -> str:
    if value and not (_URL.fullmatch(value) and value.startswith("https://")):
        raise ValueError("must be https://HOST, with a port and a path if need be")
    return value.rstrip("/")


def _public_url(value: str) -> str:
    if value and not _URL.fullmatch(value):
        raise ValueError("must be https://HOST or http://HOST, with a port and a path if need be")
    return value.rstrip("/")


def _size(value: str) -> str:
    if value and not _QUANTITY.fullmatch(value):
        raise ValueError("must be a number of bytes such as 500M or 8Gi")
    return value


class CollectorSettings(SignInSettings, CheckpointSettings):
    """The settings; each is an option of `penstock collector` or an environment variable."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_COLLECTOR_", extra="ignore", frozen=True)

    listen: Annotated[str, AfterValidator(_listen)] = "0.0.0.0:8080"
    # Where the kubelet and Prometheus ask, in plain HTTP: /healthz, /readyz and /metrics; unset: at `listen` only.
    health_listen: Annotated[str, AfterValidator(_health_listen)] = ""
    # Proxies before this program, by address or network, whose X-Forwarded-For is believed: a person's address is in
    # the record of readings, and slows down guesses from there alone.
    trusted_proxies: Annotated[list[str], AfterValidator(_networks)] = Field(default_factory=list)
    database: Path = Path("/var/lib/penstock/audit.db")
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    # Who may write a stream: lines `<sha256 of the token> <owner>`, where owner is the stream name's first part, or
    # `prefix*`. And with `kubernetes`, each pod its own streams, by its projected token of this audience.
    stream_tokens_file: Path | None = None
    kubernetes: bool = False
    audience: str = "penstock-collector"
    # The service accounts that have a role, and read with their pods' tokens of that audience, as JSON:
    # {"auditor": ["NAMESPACE/NAME"]}.
    kubernetes_roles: dict[RoleName, list[str]] = Field(default_factory=dict)
    # The groups, as the API server knows them, whose members sign in with a Kubernetes token of their own, and their
    # roles, as JSON: {"approver": ["dba"]}.
    kubernetes_group_roles: dict[RoleName, list[str]] = Field(default_factory=dict)
    # What the API server puts before the names of people, as JSON.
    kubernetes_user_prefixes: list[str] = Field(default_factory=lambda: ["oidc:"])
    # The API server where people decide a cluster's requests, by their own credentials. By default, with `kubernetes`,
    # that of the pod; without either, requests of clusters are only listed.
    api_server_url: Annotated[str, AfterValidator(_api_server)] = ""
    # The authority of its certificate, in place of the system's.
    api_server_ca_file: Path | None = None
    # Who may read by a token: lines `<sha256 of the token> <name>`; behind it `groups=dba,owners`, whose requests they
    # decide, and `roles=viewer`, if they may not do everything (docs/collector.md).
    viewer_tokens_file: Path | None = None
    # Where people reach these pages, for links in messages and notices: https://audit.example.
    public_url: Annotated[str, AfterValidator(_public_url)] = ""
    # Which webhooks are told of requests for approval (docs/approvals.md).
    notices_file: Path | None = None
    # Print a link at start that logs in once, for a laptop.
    login_link: bool = False
    # Cookies only over TLS. By default when this program serves TLS itself; set it behind a proxy that does.
    secure_cookies: bool | None = None
    # Days that events are kept; 0: for ever.
    retention_days: Annotated[int, Field(ge=0)] = 365
    # How large the trail may grow (500M, 8Gi) before the oldest events go; empty: 80 % of the disk; 0: as the disk is.
    retention_size: Annotated[str, AfterValidator(_size)] = ""
    # How often an idle stream beats; one that is silent for three times as long raises an alarm.
    heartbeat_seconds: Annotated[float, Field(gt=0)] = 30.0
    # Events that come so long after their time raise an alarm.
    late_seconds: Annotated[float, Field(gt=0)] = 900.0

    @model_validator(mode="after")
    def _tls_needs_both(self) -> CollectorSettings:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file come together or not at all")
        if any(self.kubernetes_roles.values()) and not self.kubernetes:
            raise ValueError("kubernetes_roles needs kubernetes")
        if any(self.kubernetes_group_roles.values()) and not (self.kubernetes or self.api_server_url):
            raise ValueError("kubernetes_group_roles needs kubernetes, or api_server_url")
        if any(self.kubernetes_group_roles.values()) and not self._is_private:
            raise ValueError(
                "kubernetes_group_roles needs TLS, since people send their tokens: tls_cert_file and tls_key_file, or "
                "a public_url with https"
            )
        if self.api_server_ca_file is not None and not self.api_server_url:
            raise ValueError("api_server_ca_file needs api_server_url")
        return self

    @property
    def days_kept(self) -> int | None:
        return self.retention_days or None

    @property
    def size_kept(self) -> int | None:
        """In bytes; 0 without a limit, None if it is the disk's to say."""
        match = _QUANTITY.fullmatch(self.retention_size)
        return int(float(match["number"]) * _UNITS[match["unit"] or ""]) if match is not None else None

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def tls(self) -> bool:
        return self.tls_cert_file is not None

    @property
    def _is_private(self) -> bool:
        """Whether nobody on the way reads what people send."""
        return self.tls or self.public_url.startswith("https:") or self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def cookies_only_over_tls(self) -> bool:
        if self.secure_cookies is None:
            # Who signs in comes by the public URL, whatever is between it and us.
            signing_in = bool(self.sign_in_issuer) or any(self.kubernetes_group_roles.values())
            return self.tls or (signing_in and self.public_url.startswith("https:"))
        return self.secure_cookies
