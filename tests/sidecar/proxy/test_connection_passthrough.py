"""All that clients do passes through untouched: psycopg and asyncpg on a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg.types.json import Jsonb
from tests.sidecar.proxy.activity import runs

Start = Any


async def asyncpg_client(gate: Any) -> Any:
    return await asyncpg.connect(
        host="127.0.0.1", port=gate.proxy.port, user="app", database="shop", ssl=False, timeout=10
    )


async def test_a_client_selects(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        cursor = await client.execute("SELECT 1 + 1")
        assert await cursor.fetchone() == (2,)
        assert client.info.parameter_status("server_version")
        assert client.info.backend_pid


async def test_several_statements_in_one_query(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        cursor = await client.execute("SELECT 1; SELECT 2; SELECT 3")
        found = [await cursor.fetchone()]
        while cursor.nextset():
            found.append(await cursor.fetchone())
        assert found == [(1,), (2,), (3,)]
        await client.execute("")
        with pytest.raises(psycopg.errors.DivisionByZero):
            await client.execute("SELECT 1; SELECT 1/0; SELECT 3")
        assert client.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_parameters_binary_and_prepared_statements(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg(prepare_threshold=0) as client:
        for number in range(5):
            cursor = client.cursor(binary=number % 2 == 0)
            await cursor.execute("SELECT %s::int8, %s::jsonb, %s::text", (number, Jsonb({"a": [1]}), "ü" * 5))
            assert await cursor.fetchone() == (number, {"a": [1]}, "ü" * 5)
        await client.execute("DEALLOCATE ALL")
        await client.execute("DISCARD ALL")


@pytest.mark.behaviour(15)
async def test_large_values_stream_both_ways(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        value = "x" * 30_000_000
        cursor = await client.execute("SELECT length(%s::text), repeat('y', 20000000)", (value,))
        row = await cursor.fetchone()
        assert row is not None
        assert row[0] == len(value)
        assert len(row[1]) == 20_000_000


async def test_copy_both_ways_in_both_protocols(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        await client.execute("CREATE TEMP TABLE copied (id int, name text)")
        for statement in ("COPY copied FROM STDIN", "COPY copied (id, name) FROM STDIN"):
            async with client.cursor().copy(statement) as copy:
                for number in range(20_000):
                    await copy.write_row((number, "n" * 50))
        cursor = await client.execute("SELECT count(*) FROM copied")
        assert await cursor.fetchone() == (40_000,)
        rows = 0
        async with client.cursor().copy("COPY (SELECT * FROM copied) TO STDOUT") as copy:
            async for _ in copy.rows():
                rows += 1
        assert rows == 40_000
        # In the extended protocol, with a parameter of nothing.
        async with client.cursor().copy("COPY (SELECT %s::int) TO STDOUT", (7,)) as copy:
            assert [row async for row in copy.rows()] == [("7",)]
        assert client.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_copy_that_fails_on_either_side(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        await client.execute("CREATE TEMP TABLE copied (id int)")

        async def broken() -> None:
            async with client.cursor().copy("COPY copied FROM STDIN") as copy:
                for _ in range(10_000):
                    await copy.write("not a number\n" * 10)

        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            await broken()

        async def given_up() -> None:
            async with client.cursor().copy("COPY copied FROM STDIN") as copy:
                await copy.write("1\n")
                raise RuntimeError("changed my mind")

        with pytest.raises(RuntimeError):
            await given_up()
        cursor = await client.execute("SELECT count(*) FROM copied")
        assert await cursor.fetchone() == (0,)


async def test_pipelines_recover_at_sync(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg(prepare_threshold=0) as client:
        async with client.pipeline():
            cursors = [await client.execute("SELECT %s::int", (number,)) for number in range(50)]
            assert [(await cursor.fetchone())[0] for cursor in cursors] == list(range(50))

        async def failing() -> None:
            async with client.pipeline():
                await client.execute("SELECT 1")
                await client.execute("SELECT 1/0")
                await client.execute("SELECT 2")

        with pytest.raises(psycopg.errors.DivisionByZero):
            await failing()
        assert client.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        cursor = await client.execute("SELECT 3")
        assert await cursor.fetchone() == (3,)


async def test_asyncpg_types_cursors_and_portals(start: Start, shop: Any) -> None:
    gate = await start(shop)
    client = await asyncpg_client(gate)
    try:
        assert await client.fetchval("SELECT $1::int + 1", 41) == 42
        assert await client.fetch("SELECT * FROM generate_series(1, 3) AS g") == [(1,), (2,), (3,)]
        async with client.transaction():
            cursor = await client.cursor("SELECT generate_series(1, 1000)")
            assert len(await cursor.fetch(10)) == 10
            assert len(await cursor.fetch(10_000)) == 990
            seen = 0
            async for _ in client.cursor("SELECT generate_series(1, 500)", prefetch=7):
                seen += 1
            assert seen == 500
        statement = await client.prepare("SELECT $1::text")
        assert await statement.fetchval("again") == "again"
        with pytest.raises(asyncpg.DivisionByZeroError):
            await client.fetch("SELECT 1/$1::int", 0)
        await client.executemany("SELECT $1::int", [(number,) for number in range(100)])
        await client.execute("CREATE TEMP TABLE c (a int, b text)")
        assert await client.copy_records_to_table("c", records=[(n, "x") for n in range(1000)]) == "COPY 1000"
    finally:
        await client.close()


async def test_server_side_cursors_in_sql(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client, client.transaction(), client.cursor("named") as cursor:
        await cursor.execute("SELECT generate_series(1, 100)")
        assert len(await cursor.fetchmany(10)) == 10
        assert len(await cursor.fetchall()) == 90


async def test_notifications_arrive_while_idle(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as listener, await gate.psycopg() as sender:
        await listener.execute("LISTEN news")
        await sender.execute("NOTIFY news, 'hello'")
        async for notice in listener.notifies(timeout=5):
            assert notice.payload == "hello"
            assert notice.pid == sender.info.backend_pid
            break
        else:
            raise AssertionError("no notification came")


async def test_notices_pass(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        heard: list[str] = []
        client.add_notice_handler(lambda diagnostic: heard.append(diagnostic.message_primary or ""))
        await client.execute("DO $$ BEGIN RAISE NOTICE 'hear, hear'; END $$")
        assert heard == ["hear, hear"]


async def test_cancel_reaches_the_statement(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        sleeping = asyncio.create_task(client.execute("SELECT pg_sleep(30)"))
        await runs(shop, client.info.backend_pid, "PgSleep")
        await client.cancel_safe(timeout=5)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping
        cursor = await client.execute("SELECT 1")
        assert await cursor.fetchone() == (1,)


async def test_harmless_startup_parameters_reach_the_server(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg(application_name="till", options="-c TimeZone=Asia/Tokyo") as client:
        cursor = await client.execute("SELECT current_setting('application_name'), current_setting('TimeZone')")
        assert await cursor.fetchone() == ("till", "Asia/Tokyo")
    (login,) = await gate.settled(1, "login")
    assert login["client"]["application"] == "till"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"options": "-c role=postgres"}, "role is not allowed"),
        ({"options": "-c log_statement=all"}, "log_statement is not allowed"),
        ({"dbname": "other"}, 'serves database "shop"'),
        ({"client_encoding": "LATIN1"}, "client_encoding LATIN1 is not allowed"),
        ({"replication": "database"}, "replication"),
    ],
)
async def test_other_startup_parameters_are_refused(start: Start, shop: Any, options: Any, words: str) -> None:
    gate = await start(shop)
    with pytest.raises(psycopg.OperationalError, match=words):
        await gate.psycopg(**options)


async def test_a_client_that_dies_in_a_transaction_rolls_it_back_at_once(start: Start, shop: Any) -> None:
    gate = await start(shop)
    dying = await asyncpg_client(gate)
    await dying.execute("BEGIN")
    await dying.execute("INSERT INTO things VALUES (4711, 'locked')")
    dying.terminate()
    async with await gate.psycopg() as client:
        await client.execute("SET lock_timeout = '2s'")
        await client.execute("INSERT INTO things VALUES (4711, 'mine')")
        await client.execute("DELETE FROM things WHERE id = 4711")
