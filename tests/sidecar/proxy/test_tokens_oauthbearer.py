"""Logging in with OAUTHBEARER by libpq 18 itself, against a provider that runs; clients with passwords beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.libpq import Libpq
from tests.sidecar.proxy.oidc_provider import DISCOVERY, Provider, running

Start = Any


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    async with running(tmp_path) as found:
        yield found


@pytest.fixture
def libpq() -> Iterator[Libpq]:
    found = Libpq()
    yield found
    found.end()


@pytest.fixture
async def gate(start: Start, shop: Any, provider: Provider) -> Any:
    issuer = {
        "issuer": provider.issuer, "audience": "penstock", "kind": "person", "caFile": str(provider.ca_file),
        "scope": "openid db",
    }  # fmt: skip
    identity = {"required": True, "issuers": [issuer], "login": "oauthbearer"}
    return await start(shop, identity=identity, name="gate")


async def ask(libpq: Libpq, gate: Any, **options: str) -> tuple[str, str]:
    listed = " ".join(f"{name}='{value}'" for name, value in options.items())
    plain = f"host=127.0.0.1 port={gate.proxy.port} user=ada dbname=shop sslmode=disable gssencmode=disable {listed}"
    return await asyncio.to_thread(libpq.ask, plain, "SELECT 7")


@pytest.mark.parametrize("discovered", [False, True])
async def test_libpq_is_told_where_to_get_a_token_and_logs_in(
    gate: Any, provider: Provider, libpq: Libpq, discovered: bool
) -> None:
    libpq.token = provider.token
    well_known = provider.issuer + DISCOVERY
    issuer = provider.issuer if discovered else well_known
    found = await ask(libpq, gate, oauth_issuer=issuer, oauth_client_id="cli", require_auth="oauth")
    assert found == ("7", "")
    # By the issuer alone, it asks the gate first, which tells the scope.
    assert libpq.asked == [(well_known, "openid db" if discovered else "")]
    (intent,) = await gate.settled(1, "intent")
    assert intent["identity"]["name"] == "person:ada"


async def test_a_bad_token_is_told_to_libpq_in_words(gate: Any, provider: Provider, libpq: Libpq) -> None:
    libpq.token = lambda: provider.token(exp=int(time.time()) - 60)
    value, why = await ask(libpq, gate, oauth_issuer=provider.issuer, oauth_client_id="cli")
    assert value == ""
    assert "penstock: the token has expired\nHINT:  get a new one" in why


async def test_libpq_takes_no_token_to_an_issuer_that_it_does_not_expect(
    gate: Any, provider: Provider, libpq: Libpq
) -> None:
    libpq.token = provider.token
    _, why = await ask(libpq, gate, oauth_issuer="https://other.example", oauth_client_id="cli")
    assert "other.example" in why
    assert libpq.asked == []


async def test_a_client_that_knows_passwords_alone_asks_for_that(gate: Any, provider: Provider, libpq: Libpq) -> None:
    with pytest.raises(psycopg.OperationalError, match="OAuth"):
        await gate.psycopg(password=provider.token())
    async with await gate.psycopg(password=provider.token(), options="-c penstock.login=password") as session:
        assert await (await session.execute("SELECT 7")).fetchone() == (7,)
        # What is the gate's is none of the server's settings.
        shown = await (await session.execute("SELECT current_setting('penstock.login', true)")).fetchone()
        assert shown == (None,)


async def test_long_tokens_come_through(gate: Any, provider: Provider, libpq: Libpq) -> None:
    libpq.token = lambda: provider.token(padding="x" * 8_192)
    found = await ask(libpq, gate, oauth_issuer=provider.issuer, oauth_client_id="cli")
    assert found == ("7", "")
