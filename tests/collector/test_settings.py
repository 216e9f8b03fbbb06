"""Settings: what can't be is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from penstock_collector.settings import CollectorSettings


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("", ""),
        ("https://audit.example", "https://audit.example"),
        ("https://audit.example:8443/penstock/", "https://audit.example:8443/penstock"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_where_the_pages_are(given: str, taken: str) -> None:
    assert CollectorSettings(public_url=given).public_url == taken


@pytest.mark.parametrize(
    "given",
    ["audit.example", "ftp://audit.example", "https://audit.example/<x|y>", "https://a b", "javascript:alert(1)"],
)
def test_where_they_can_not_be(given: str) -> None:
    with pytest.raises(ValidationError, match="must be https://HOST"):
        CollectorSettings(public_url=given)


SIGN_IN = {
    "sign_in_issuer": "https://login.example/realms/shop",
    "sign_in_client_id": "penstock",
    "sign_in_roles": {"viewer": ["staff"]},
    "public_url": "https://audit.example",
}


def test_signing_in_needs_little() -> None:
    settings = CollectorSettings(**SIGN_IN)  # type: ignore[arg-type]
    assert (settings.provider_name, settings.sign_in_scopes) == ("login.example", "openid profile email")
    assert settings.cookies_only_over_tls, "the public URL says so, whatever serves TLS"
    assert not CollectorSettings(public_url="https://audit.example").cookies_only_over_tls
    on_a_laptop = CollectorSettings(**SIGN_IN | {"public_url": "http://127.0.0.1:8080"})  # type: ignore[arg-type]
    assert not on_a_laptop.cookies_only_over_tls


def test_the_roles_are_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SIGN_IN.items():
        monkeypatch.setenv(f"PENSTOCK_COLLECTOR_{name.upper()}", value if isinstance(value, str) else "{}")
    monkeypatch.setenv("PENSTOCK_COLLECTOR_SIGN_IN_ROLES", '{"viewer": ["staff, all"], "admin": ["a:b"]}')
    assert CollectorSettings().sign_in_roles == {"viewer": ["staff, all"], "admin": ["a:b"]}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sign_in_issuer": "http://login.example"}, "must be an https:// URL"),
        ({"sign_in_issuer": "https://user@login.example"}, "must be an https:// URL"),
        ({"sign_in_issuer": "https://login.example?x=1"}, "must be an https:// URL"),
        ({"sign_in_client_id": ""}, "needs sign_in_client_id"),
        ({"sign_in_roles": {}}, "needs sign_in_roles"),
        ({"sign_in_roles": {"viewer": []}}, "needs sign_in_roles"),
        ({"sign_in_roles": {"root": ["staff"]}}, "viewer"),
        ({"sign_in_scopes": "profile email"}, "must have openid"),
        ({"public_url": ""}, "needs public_url, with https"),
        ({"public_url": "http://audit.example"}, "needs public_url, with https"),
        ({"public_url": "https://audit.example/penstock"}, "without a path"),
        ({"sign_in_idle_minutes": 0}, "greater than 0"),
        ({"sign_in_check_minutes": 61}, "less than or equal to 60"),
    ],
)
def test_signing_in_that_can_not_be(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CollectorSettings(**SIGN_IN | change)  # type: ignore[arg-type]


def test_roles_of_pods_need_a_cluster() -> None:
    with pytest.raises(ValidationError, match="kubernetes_roles needs kubernetes"):
        CollectorSettings(kubernetes_roles={"viewer": ["shop/reader"]})
    assert CollectorSettings(kubernetes=True, kubernetes_roles={"viewer": ["shop/reader"]}).kubernetes_roles


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"trusted_proxies": ["proxy.example"]},
            "must be addresses or networks, such as 10.0.0.0/8, not 'proxy.example'",
        ),
        ({"trusted_proxies": ["*"]}, "must be addresses or networks"),
        ({"health_listen": "9190"}, "must be HOST:PORT"),
    ],
)
def test_doors_that_can_not_be(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError) as error:
        CollectorSettings(**change)  # type: ignore[arg-type]
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            {"kubernetes_group_roles": {"approver": ["dba"]}},
            "kubernetes_group_roles needs kubernetes, or api_server_url",
        ),
        ({"kubernetes": True, "kubernetes_group_roles": {"approver": ["dba"]}}, "kubernetes_group_roles needs TLS"),
        ({"api_server_ca_file": "/ca.crt"}, "api_server_ca_file needs api_server_url"),
        ({"api_server_url": "http://kubernetes.example"}, "must be https://HOST"),
        ({"api_server_url": "https://user@kubernetes.example"}, "must be https://HOST"),
        ({"kubernetes": True, "kubernetes_group_roles": {"root": ["dba"]}}, "kubernetes_group_roles"),
    ],
)
def test_an_api_server_that_can_not_be(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CollectorSettings(**given)


def test_an_api_server_elsewhere() -> None:
    roles: dict[Any, list[str]] = {"approver": ["dba"]}
    public = "https://audit.example"
    made = CollectorSettings(
        api_server_url="https://kubernetes.example:6443/", kubernetes_group_roles=roles, public_url=public
    )
    assert (made.api_server_url, made.kubernetes_user_prefixes) == ("https://kubernetes.example:6443", ["oidc:"])
    assert made.cookies_only_over_tls, "a proxy serves TLS"
    tls = {"tls_cert_file": Path("/tls.crt"), "tls_key_file": Path("/tls.key")}
    assert CollectorSettings(kubernetes=True, kubernetes_group_roles=roles, **tls).cookies_only_over_tls  # type: ignore[arg-type] # as named
