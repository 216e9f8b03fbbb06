"""The server over HTTP, with a real provider that exchanges tokens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
import uvicorn
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from tests.agents.conftest import Agent, Place, begun
from tests.oidc_provider.provider import OidcProvider
from tests.sidecar.proxy.conftest import Start

from penstock_agents.serving import http
from penstock_agents.settings import read
from penstock_cli.demo.loopback import free_port
from penstock_cli.demo.postgres import EmbeddedPostgres

SECRET = "the exchanging client's secret"


@dataclass
class Served:
    """A server over HTTP, and all behind it."""

    place: Place
    oidc: OidcProvider
    url: str
    ca_file: Path

    def token(self, **claims: Any) -> str:
        """A person's token for this server."""
        usual = {"aud": self.url, "sub": "ada", "groups": ["support"], "client_id": "editor", "scope": "query"}
        return self.oidc.sign(usual | claims)

    def http(self, token: str | None, **more: Any) -> httpx2.AsyncClient:
        import ssl

        context = ssl.create_default_context(cafile=self.ca_file)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(verify=context, headers=headers, timeout=30, trust_env=False, **more)

    @contextlib.asynccontextmanager
    async def agent(self, token: str | None = None, mode: str = "auto") -> AsyncIterator[Agent]:
        async with (
            self.http(self.token() if token is None else token) as client,
            McpClient(streamable_http_client(self.url, http_client=client), mode=mode) as one,
        ):
            yield Agent(one)

    async def post(self, token: str | None, body: Any = None, **headers: str) -> httpx2.Response:
        """One request as it is, to list the tools unless told."""
        usual = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
        async with self.http(token) as client:
            message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
            return await client.post(self.url, json=message if body is None else body, headers=usual | headers)


INITIALIZE = {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
}  # fmt: skip


@pytest.fixture
async def delegating(
    start: Start, database: EmbeddedPostgres, tmp_path: Path, oidc: OidcProvider
) -> AsyncIterator[Place]:
    """A gate that takes the agent's word for whom it acts."""
    issuer = {
        "issuer": oidc.issuer, "audience": "penstock", "kind": "person", "caFile": str(oidc.ca_file),
        "delegation": {"agents": ["penstock-mcp"]},
    }  # fmt: skip
    async with begun(start, database, tmp_path, [issuer]) as one:
        yield one


@pytest.fixture
async def served(delegating: Place, oidc: OidcProvider, authority: trustme.CA) -> AsyncIterator[Served]:
    async with serving(delegating, oidc, authority) as one:
        yield one


@contextlib.asynccontextmanager
async def serving(place: Place, oidc: OidcProvider, authority: trustme.CA, **changes: Any) -> AsyncIterator[Served]:
    """The server, and the provider told of it; `changes` are of its settings under http."""
    file, served = configured(place, oidc, authority, **changes)
    settings = read(file, {})
    assert settings.http is not None
    started: asyncio.Future[uvicorn.Server] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(http.serve(settings, settings.http, started.set_result))
    await asyncio.wait([task, started], return_when=asyncio.FIRST_COMPLETED)
    yield served
    started.result().should_exit = True
    await task


def configured(place: Place, oidc: OidcProvider, authority: trustme.CA, **changes: Any) -> tuple[Path, Served]:
    """Its settings, and what it will be."""
    directory = place.directory
    port = free_port()
    url = f"https://localhost:{port}/mcp"
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(directory / "mcp.key")
    certificate.cert_chain_pems[0].write_to_path(directory / "mcp.crt")
    authority.cert_pem.write_to_path(directory / "mcp-ca.crt")
    (directory / "client.secret").write_text(SECRET.replace(" ", "-").replace("'", ""))
    oidc.resource("urn:penstock:gate", audience="penstock")
    oidc.resource(url, audience=url)
    oidc.client("penstock-mcp", secret=(directory / "client.secret").read_text())
    values = {
        "listen": f"127.0.0.1:{port}", "url": url, "certFile": "mcp.crt", "keyFile": "mcp.key",
        "issuer": {"issuer": oidc.issuer, "audience": url, "kind": "person", "caFile": str(oidc.ca_file)},
        "requiredScopes": ["query"],
        "exchange": {
            "tokenUrl": f"{oidc.issuer}/token", "clientId": "penstock-mcp", "clientSecretFile": "client.secret",
            "resource": "urn:penstock:gate", "caFile": str(oidc.ca_file),
        },
        **changes,
    }  # fmt: skip
    file = place.settings(tokenFile=None, http=values)
    return file, Served(place, oidc, url, directory / "mcp-ca.crt")
