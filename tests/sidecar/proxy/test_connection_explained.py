"""`EXPLAIN (PENSTOCK)` through a gate: told in every protocol and state of a session, and nothing of it is run."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.conftest import MASKED, Running, Start

from penstock_cli.demo.postgres import EmbeddedPostgres

LIMITS = "  guardrails: {maxRowsReturned: 0, maxRowsChanged: 0, maxPlanCost: 1, statementTimeout: 5s}\n"
ASKED = "EXPLAIN (PENSTOCK) "


@pytest.fixture
async def gate(start: Start, shop: EmbeddedPostgres) -> Running:
    shop.psql("SET ROLE penstock; CREATE TABLE IF NOT EXISTS told (id int PRIMARY KEY, email text)", "shop")
    return await start(shop, governed=True, more=MASKED + LIMITS)


async def rows(session: psycopg.AsyncConnection[Any], text: str, **how: Any) -> list[tuple[str, str]]:
    found = await (await session.execute(text, **how)).fetchall()
    return [(item, value) for item, value, _, _ in found]


@pytest.mark.parametrize("how", [{}, {"binary": True}, {"prepare": True}, {"binary": True, "prepare": True}])
async def test_what_would_become_of_a_statement(gate: Running, how: dict[str, Any]) -> None:
    async with await gate.psycopg() as session:
        for _ in range(3):
            told = await rows(session, ASKED + "SELECT email FROM told", **how)
            assert ("decision", "allowed") in told
            assert ("masked", "public.told.email") in told
            assert ("at most", "0") in told
        assert ("decision", "refused") in await rows(session, ASKED + "DROP TABLE told", **how)


async def test_nothing_of_it_runs_and_the_trail_says_what_was_asked(gate: Running) -> None:
    async with await gate.psycopg() as session:
        await rows(session, ASKED + "INSERT INTO told VALUES (1, 'a@example.com')")
        assert await rows(session, ASKED + "SELECT pg_sleep(60)")
    (first, _) = await gate.settled(2, "intent")
    assert (first["verbs"], first["relations"]) == (["explain"], [])
    assert "a@example.com" not in str(gate.events())


async def test_whatever_the_sessions_settings_are(gate: Running) -> None:
    async with await gate.psycopg() as session:
        for setting in ("bytea_output = escape", "search_path = pg_temp", "quote_all_identifiers = on"):
            await session.execute(f"SET {setting}")
            told = await rows(session, ASKED + "SELECT E'\\\\', '\\\\'' FROM public.told WHERE email = 'é'")
            assert told[0][0] == "decision"


async def test_in_a_transaction_that_has_failed_it_fails_as_all_do(gate: Running) -> None:
    async with await gate.psycopg() as session:
        await session.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            await session.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            await session.execute(ASKED + "SELECT 1")
        await session.execute("ROLLBACK")
        assert ("decision", "allowed") in await rows(session, ASKED + "SELECT 1")


@pytest.mark.parametrize("text", ["SELECT '" + "x" * 9000 + "'", "EXPLAIN (PENSTOCK) SELECT 1"])
async def test_what_is_too_much_to_tell(gate: Running, text: str) -> None:
    async with await gate.psycopg() as session:
        with pytest.raises(psycopg.errors.StatementTooComplex) as caught:
            await session.execute(ASKED + text)
        assert caught.value.diag.message_hint == "ask about a shorter one, or run the statement"
        assert ("decision", "allowed") in await rows(session, ASKED + "SELECT 1")
