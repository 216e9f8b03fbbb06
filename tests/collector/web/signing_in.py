"""A collector that people sign in at, and people with browsers of their own: for tests with the real provider."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import trustme
from tests.oidc_provider.provider import OidcProvider, Visitor

from penstock_cli.demo.loopback import free_port
from penstock_collector.settings import CollectorSettings

ROLES = {"viewer": ["staff"], "auditor": ["audit"], "approver": ["dba"], "admin": ["platform"]}
SESSION, HALF_DONE = "__Host-penstock", "__Host-penstock-sign-in"


@pytest.fixture
def sign_in_settings(
    settings: CollectorSettings, oidc: OidcProvider, authority: trustme.CA, tmp_path: Path
) -> CollectorSettings:
    """Over TLS, since its cookies insist on it; the provider knows it as `penstock`."""
    cert, key, secret = tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "client-secret"
    issued = authority.issue_cert("127.0.0.1")
    cert.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    secret.write_text("geheim-und-lang-genug\n")
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    oidc.client(
        "penstock", redirect_uris=[f"{url}/login/callback"], secret="geheim-und-lang-genug",
        post_logout_redirect_uris=[f"{url}/login"],
    )  # fmt: skip
    for name, groups in (("ada", ["staff", "audit"]), ("bea", ["dba", "staff"]), ("cem", ["gardeners"])):
        oidc.user(name, groups=groups, email=f"{name}@shop.example", email_verified=True, preferred_username=name)
    return settings.model_copy(
        update={
            "listen": f"127.0.0.1:{port}",
            "public_url": url,
            "tls_cert_file": cert,
            "tls_key_file": key,
            "sign_in_issuer": oidc.issuer,
            "sign_in_name": "Example",
            "sign_in_client_id": "penstock",
            "sign_in_client_secret_file": secret,
            "sign_in_ca_file": oidc.ca_file,
            "sign_in_scopes": "openid profile email groups",
            "sign_in_roles": ROLES,
        }
    )


@pytest.fixture
async def desk(start: Any, sign_in_settings: CollectorSettings) -> Any:
    """The collector."""
    return await start(sign_in_settings)


class Person:
    """Somebody with a browser: cookies of their own here, and at the provider."""

    def __init__(self, url: str, visitor: Visitor) -> None:
        self.visitor = visitor
        self.http = httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False, verify=False)

    async def leave_for_provider(self, path: str = "/login/provider") -> str:
        """Where the sign-in leads."""
        answer = await self.http.get(path)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def sign_in(self, user: str, path: str = "/login/provider") -> httpx2.Response:
        """To the provider and back: the answer to coming back."""
        return await self.come_back(self.visitor.sign_in(await self.leave_for_provider(path), user))

    async def come_back(self, url: str) -> httpx2.Response:
        return await self.http.get(url)

    async def get(self, path: str) -> httpx2.Response:
        return await self.http.get(path)

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        return await self.http.post(path, data=fields, headers={"sec-fetch-site": "same-origin"})

    def cookie(self, name: str = SESSION) -> str | None:
        return self.http.cookies.get(name)


@pytest.fixture
async def people(desk: Any, oidc: OidcProvider) -> AsyncIterator[Any]:
    """Makes persons, each with a browser."""
    async with contextlib.AsyncExitStack() as exits:

        def person() -> Person:
            made = Person(desk.running.url, oidc.visitor())
            exits.push_async_callback(made.http.aclose)
            return made

        yield person


@pytest.fixture
def person(people: Any) -> Person:
    made: Person = people()
    return made


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def said(answer: httpx2.Response) -> str:
    """What a page says is wrong."""
    text = answer.text.replace("&#39;", "'").replace("&#34;", '"')
    return text.partition('role="alert">')[2].partition("</p>")[0] or text
