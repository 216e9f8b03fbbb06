"""How long one statement may run, enforced by a real server: from the login on, and when the policy changes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.activity import runs
from tests.sidecar.proxy.conftest import Running, Start


def limit(gate: Running, timeout: str) -> None:
    path = gate.directory / "shop.yaml"
    policy, _, _ = path.read_text().partition("  guardrails:")
    path.write_text(f"{policy}  guardrails: {{statementTimeout: {timeout}}}\n" if timeout else policy)
    gate.proxy.source.poll()


async def shown(client: psycopg.AsyncConnection[Any]) -> str:
    row = await (await client.execute("SHOW statement_timeout")).fetchone()
    assert row is not None
    return str(row[0])


async def test_the_server_ends_what_runs_longer(start: Start, shop: Any) -> None:
    gate = await start(shop)
    limit(gate, "200ms")
    async with await gate.psycopg() as client:
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            await client.execute("SELECT pg_sleep(30)")
        # Back is back to the limit.
        await client.execute("SET statement_timeout = '1h'")  # let through by the test's decider alone
        await client.execute("RESET ALL")
        assert await shown(client) == "200ms"
        await client.execute("DISCARD ALL")
        assert await shown(client) == "200ms"


@pytest.mark.parametrize(
    ("options", "role", "begins_with"),
    [
        ("", "0", "30s"),
        ("", "7s", "7s"),
        ("", "1min", "30s"),
        ("5s", "0", "5s"),
        ("1min", "0", "30s"),
        ("0", "0", "30s"),
    ],
)
async def test_a_session_begins_with_the_smallest_of_all_wishes(
    start: Start, shop: Any, options: str, role: str, begins_with: str
) -> None:
    shop.psql(f"ALTER ROLE penstock SET statement_timeout = '{role}'")
    try:
        gate = await start(shop)
        limit(gate, "30s")
        asked = {"options": f"-c statement_timeout={options}"} if options else {}
        async with await gate.psycopg(**asked) as client:
            assert await shown(client) == begins_with
    finally:
        shop.psql("ALTER ROLE penstock RESET statement_timeout")


async def test_a_wish_that_is_not_understood_is_refused_in_words(start: Start, shop: Any) -> None:
    gate = await start(shop)
    limit(gate, "30s")
    with pytest.raises(psycopg.OperationalError, match=r"statement_timeout 1\.5s is not understood"):
        await gate.psycopg(options="-c statement_timeout=1.5s")


async def test_a_shorter_limit_reaches_sessions_that_run(start: Start, shop: Any) -> None:
    gate = await start(shop)
    limit(gate, "1min")
    idle, busy, short = await gate.psycopg(), await gate.psycopg(), await gate.psycopg()
    await busy.execute("BEGIN")
    began = time.monotonic()
    sleeping = asyncio.create_task(busy.execute("SELECT pg_sleep(30) AS outlasting"))
    await runs(shop, busy.info.backend_pid, "PgSleep")
    limit(gate, "500ms")
    for one in (idle, short):
        with pytest.raises(psycopg.OperationalError, match="shortened statementTimeout"):
            await one.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        await sleeping
    assert time.monotonic() - began < 10
    # And the server runs it no longer.
    for _ in range(600):
        left = shop.psql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%AS outlasting' AND state = 'active'")
        if left.strip().splitlines()[-1].strip() == "0":
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError(left)
    async with await gate.psycopg() as client:
        assert await shown(client) == "500ms"
    for one in (idle, busy, short):
        await one.close()


async def test_a_longer_limit_leaves_sessions_as_they_are(start: Start, shop: Any) -> None:
    gate = await start(shop)
    limit(gate, "20s")
    async with await gate.psycopg() as client:
        limit(gate, "30s")
        assert await shown(client) == "20s"
        limit(gate, "")
        assert await shown(client) == "20s"
