"""A denied statement leaves client and server where a failed one would: transaction status, pipelines, what follows."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg.pq import TransactionStatus

Start = Any


async def test_simple_denials_say_who_refuses_and_what_to_do(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
            await client.execute("SELECT forbidden FROM things")
        diagnostic = refused.value.diag
        assert diagnostic.severity == "ERROR"
        assert diagnostic.message_primary == "penstock: no forbidden things"
        assert diagnostic.message_detail == "Refused by policy web, rule guardrails.test."
        assert diagnostic.message_hint == "ask for something else"
        assert client.info.transaction_status == TransactionStatus.IDLE
        cursor = await client.execute("SELECT 1")
        assert await cursor.fetchone() == (1,)


@pytest.mark.parametrize("threshold", [None, 0], ids=["simple", "prepared"])
async def test_a_denial_aborts_the_transaction_like_any_error(start: Start, shop: Any, threshold: int | None) -> None:
    gate = await start(shop)
    async with await gate.psycopg(prepare_threshold=threshold) as client:
        await client.execute("BEGIN")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await client.execute("SELECT forbidden WHERE 1 = %s" if threshold == 0 else "SELECT forbidden",
                                 (1,) if threshold == 0 else None)  # fmt: skip
        assert client.info.transaction_status == TransactionStatus.INERROR
        for text in ("SELECT 1", "SELECT forbidden"):
            with pytest.raises(psycopg.errors.InFailedSqlTransaction):
                await client.execute(text)
        await client.execute("ROLLBACK")
        assert client.info.transaction_status == TransactionStatus.IDLE
        cursor = await client.execute("SELECT 1")
        assert await cursor.fetchone() == (1,)


async def test_savepoints_recover_from_a_denial(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client, client.transaction():
        await client.execute("CREATE TEMP TABLE kept (id int) ON COMMIT DROP")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with client.transaction():
                await client.execute("SELECT forbidden")
        cursor = await client.execute("SELECT count(*) FROM kept")
        assert await cursor.fetchone() == (0,)


async def test_one_denied_in_a_pipeline(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        async with client.pipeline() as pipeline:
            first = await client.execute("SELECT 1")
            denied = await client.execute("SELECT forbidden")
            skipped = await client.execute("SELECT 2")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await pipeline.sync()
            after = await client.execute("SELECT 3")
            await pipeline.sync()
            assert await first.fetchone() == (1,)
            assert await after.fetchone() == (3,)
            assert denied.pgresult is None or denied.pgresult.status != psycopg.pq.ExecStatus.TUPLES_OK
            assert skipped.pgresult is None or skipped.pgresult.status == psycopg.pq.ExecStatus.PIPELINE_ABORTED
        assert client.info.transaction_status == TransactionStatus.IDLE
    outcomes = await gate.settled(4)
    assert [event["result"] for event in outcomes] == ["ok", "denied", "skipped", "ok"]


async def test_a_denied_parse_leaves_the_statement_of_that_name(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        raw = client.pgconn

        async def run(send: Any) -> psycopg.pq.PGresult:
            from psycopg.generators import execute

            send()
            return (await client.wait(execute(raw)))[-1]

        from psycopg.pq import ExecStatus

        assert (await run(lambda: raw.send_prepare(b"s", b"SELECT 5"))).status == ExecStatus.COMMAND_OK
        result = await run(lambda: raw.send_prepare(b"s", b"SELECT forbidden"))
        assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"42501"
        assert (await run(lambda: raw.send_query_prepared(b"s", []))).get_value(0, 0) == b"5"
        # A name that nobody prepared: the server's own words.
        missing = await run(lambda: raw.send_query_prepared(b"nobody", []))
        assert missing.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"26000"
        assert b'"nobody" does not exist' in missing.error_message


async def test_asyncpg_gets_its_own_error_and_goes_on(start: Start, shop: Any) -> None:
    gate = await start(shop)
    client = await asyncpg.connect(host="127.0.0.1", port=gate.proxy.port, user="app", database="shop", ssl=False)
    try:
        for _ in range(3):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no forbidden things"):
                await client.fetch("SELECT forbidden WHERE $1", True)
            assert await client.fetchval("SELECT $1::int", 1) == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await client.copy_from_query("SELECT forbidden", output=asyncio.StreamReader().feed_data)
        assert await client.fetchval("SELECT 1") == 1
    finally:
        await client.close()


async def test_the_fast_path_is_refused(start: Start, shop: Any) -> None:
    gate = await start(shop)
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.proxy.port)
    from penstock_sidecar.wire import messages

    writer.write(messages.startup({"user": "app", "database": "shop"}))
    while (await reader.readexactly(1)) != b"Z":
        await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
    await reader.readexactly(5)
    writer.write(messages.message(b"F", bytes(12)))
    error = await reader.readuntil(b"Z\x00\x00\x00\x05I")
    assert b"0A000" in error
    assert b"fast-path" in error
    writer.close()


async def test_errors_about_governed_data_lose_their_words(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        heard: list[Any] = []
        client.add_notice_handler(lambda diagnostic: heard.append(diagnostic.message_primary))
        await client.execute("CREATE TEMP TABLE governed (email text PRIMARY KEY)")
        await client.execute("INSERT INTO governed VALUES ('ada@example.com')")
        with pytest.raises(psycopg.errors.UniqueViolation) as failed:
            await client.execute("INSERT INTO governed VALUES ('ada@example.com')")
        diagnostic = failed.value.diag
        assert "ada" not in str(failed.value)
        assert diagnostic.message_detail is None
        assert diagnostic.constraint_name is None
        assert diagnostic.message_primary == (
            "integrity constraint violation (text withheld: the statement touches governed data)"
        )
        await client.execute("DO $$ BEGIN RAISE NOTICE 'governed ada'; END $$")
        assert heard == ["notice (text withheld: the statement touches governed data)"]
        # Afterwards the server speaks freely again.
        with pytest.raises(psycopg.errors.UndefinedTable, match="nothing_there"):
            await client.execute("SELECT * FROM nothing_there")


async def test_what_a_governed_statement_leaves_for_commit_is_withheld_too(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        await client.execute(
            "CREATE TEMP TABLE late_governed (email text, UNIQUE (email) DEFERRABLE INITIALLY DEFERRED)"
        )
        await client.execute("BEGIN")
        await client.execute("INSERT INTO late_governed VALUES ('ada@example.com'), ('ada@example.com')")
        with pytest.raises(psycopg.errors.UniqueViolation) as failed:
            await client.execute("COMMIT")
        assert "ada" not in str(failed.value)
