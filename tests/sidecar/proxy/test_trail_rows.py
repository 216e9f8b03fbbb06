"""How many rows are on record of what real servers return: those that came, however they came and however it ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.conftest import Running, Start
from tests.sidecar.proxy.raw import Pair, Raw, bind, run

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import SYNC, execute, parse, query

SCHEMA = """
DROP SCHEMA IF EXISTS told CASCADE;
CREATE SCHEMA told AUTHORIZATION penstock;
SET ROLE penstock;
CREATE TABLE told.people (id int PRIMARY KEY, email text, n int DEFAULT 0);
INSERT INTO told.people SELECT i, 'x' || i || '@example.com' FROM generate_series(1, 100) i;
CREATE PROCEDURE told.answer(INOUT n int) LANGUAGE sql AS 'SELECT n + 1';
"""
# Rows that are sent as they are made, and one that takes longer than anybody waits.
ENDLESS = "SELECT repeat('x', 9000), CASE WHEN i = 50 THEN pg_sleep(60) END FROM generate_series(1, 100) i"
ALLOW = "select, insert, update, delete, create, alter, drop, truncate"


@pytest.fixture
async def gated(start: Start, shop: EmbeddedPostgres) -> AsyncIterator[tuple[Running, Raw]]:
    shop.psql(SCHEMA, dbname="shop")
    gate = await start(shop, governed=True, allow=ALLOW)
    pair = Pair(gate, shop)
    yield gate, await pair.gated()
    pair.end()


@pytest.mark.parametrize(
    ("texts", "rows"),
    [
        (["SHOW server_version"], [1]),
        (["SHOW ALL; SELECT 1 WHERE false"], [None, 0]),
        (["EXPLAIN (COSTS off) SELECT id FROM told.people"], [1]),
        (["EXPLAIN (COSTS off, FORMAT json) DELETE FROM told.people"], [1]),
        (["CALL told.answer(1)"], [1]),
        (["DO $$BEGIN PERFORM 1; END$$", "SET app.x = 1", "LISTEN x"], [0, 0, 0]),
        (["TABLE told.people", "VALUES (1), (2)"], [100, 2]),
        (["INSERT INTO told.people (id) VALUES (201), (202) RETURNING id", "DELETE FROM told.people WHERE id > 200"],
         [2, 2]),
        (["MERGE INTO told.people USING (VALUES (1), (300)) s(i) ON id = i WHEN MATCHED THEN UPDATE SET n = 1 "
          "WHEN NOT MATCHED THEN INSERT (id) VALUES (i)"], [2]),
        (["CREATE TABLE told.copy AS TABLE told.people", "TRUNCATE told.copy", "DROP TABLE told.copy"], [100, 0, 0]),
        (["COPY told.people TO STDOUT", "COPY (SELECT id FROM told.people LIMIT 7) TO STDOUT (FORMAT binary)"],
         [100, 7]),
        (["BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT id FROM told.people", "FETCH 3 FROM c", "MOVE 5 IN c",
          "FETCH BACKWARD 2 FROM c", "MOVE ALL IN c", "FETCH c", "FETCH ABSOLUTE 4 FROM c", "COMMIT"],
         [0, 0, 3, 0, 2, 0, 0, 1, 0]),
        (["PREPARE p AS SELECT id FROM told.people LIMIT 4", "EXECUTE p", "EXPLAIN (COSTS off) EXECUTE p"], [0, 4, 2]),
        (["BEGIN; DECLARE d CURSOR FOR TABLE told.people; FETCH 3 FROM d; MOVE 2 IN d; SHOW TimeZone; COMMIT"],
         [0, 0, 3, 0, 1, 0]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [query, run], ids=["simple", "extended"])
async def test_what_is_returned_or_changed(
    gated: tuple[Running, Raw], texts: list[str], rows: list[int | None], make: Any
) -> None:
    gate, raw = gated
    if make is run and any(";" in text and "$$" not in text for text in texts):
        texts = [one for text in texts for one in text.split("; ")]
    for text in texts:
        await raw.talk([(make(text), b"Z")])
    outcomes = await gate.settled(len(rows))
    assert [one["result"] for one in outcomes] == ["ok"] * len(rows)
    told = [one["rows"] for one in outcomes]
    assert [was if due is None else due for was, due in zip(told, rows, strict=True)] == told
    assert all(was > 0 for was, due in zip(told, rows, strict=True) if due is None)


async def test_each_portion_of_a_portal_has_its_own(gated: tuple[Running, Raw]) -> None:
    gate, raw = gated
    portions = execute("p", 10) + execute("p", 30) + execute("p", 0) + execute("p", 0)
    await raw.talk([(parse("", "SELECT id FROM told.people") + bind("p") + portions + SYNC, b"Z")])
    assert [one["rows"] for one in await gate.settled(4)] == [10, 30, 60, 0]
    # What is fetched from a portal leads to what was bound.
    await raw.talk(
        [(query("BEGIN"), b"Z"), (parse("", "TABLE told.people") + bind("q") + execute("q", 2) + SYNC, b"Z")]
    )
    await raw.talk([(query('FETCH 3 FROM "q"'), b"Z"), (run("MOVE 3 IN q"), b"Z"), (query("COMMIT"), b"Z")])
    assert [one["rows"] for one in (await gate.settled(9))[4:]] == [0, 2, 3, 0, 0]
    bound, fetched, moved = gate.events("intent")[5:8]
    assert fetched["madeBy"] == moved["madeBy"] == [bound["statement"]]
    assert fetched["relations"] == moved["relations"] == ["told.people"]


async def test_rows_before_it_is_cancelled(gated: tuple[Running, Raw], shop: EmbeddedPostgres) -> None:
    gate, _ = gated
    for text, settings in ((ENDLESS, {"prepare_threshold": None}), (ENDLESS, {"prepare_threshold": 0})):
        async with await gate.psycopg(**settings) as client:
            reading = asyncio.create_task(client.execute(text))
            await asyncio.sleep(1)
            await client.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                await reading
    async with await gate.psycopg() as client, client.cursor() as cursor:

        async def copies() -> None:
            async with cursor.copy(f"COPY ({ENDLESS}) TO STDOUT") as copy:
                async for _ in copy:
                    pass

        reading = asyncio.create_task(copies())  # type: ignore[arg-type]  # either is waited for
        await asyncio.sleep(1)
        await client.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await reading
    told = [(one["result"], one["rows"], one["sqlstate"]) for one in await gate.settled(3)]
    assert told == [("error", 49, "57014")] * 3


async def test_rows_before_the_session_ends(gated: tuple[Running, Raw], shop: EmbeddedPostgres) -> None:
    gate, raw = gated
    reading = asyncio.create_task(raw.ask(ENDLESS))
    await asyncio.sleep(1)
    shop.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT repeat(%'", "shop")
    with contextlib.suppress(asyncio.IncompleteReadError):
        await reading
    (outcome,) = await gate.settled(1)
    assert (outcome["result"], outcome["rows"], outcome["sqlstate"]) == ("error", 49, "57P01")
    client = await gate.psycopg()
    reading = asyncio.create_task(client.execute(ENDLESS))  # type: ignore[arg-type]  # it is a text
    await asyncio.sleep(1)
    reading.cancel()
    client.pgconn.finish()
    (_, outcome) = await gate.settled(2)
    # What is on its way when the client goes, nobody counts.
    assert outcome["result"] == "unknown"
    assert 40 <= outcome["rows"] <= 49


@pytest.mark.parametrize("on_failure", ["block", "continue"])
async def test_rules_that_come_all_the_time_and_decide_alike_leave_nothing_on_record(
    start: Start, shop: EmbeddedPostgres, on_failure: str
) -> None:
    gate = await start(shop, governed=True, on_failure=on_failure, allow=ALLOW)
    pair = Pair(gate, shop)
    raw = await pair.gated()

    async def changing() -> None:
        while True:
            gate.proxy.rules_provider.on_change()
            await asyncio.sleep(0)

    changes = asyncio.create_task(changing())
    texts = ["DO $$BEGIN PERFORM 1; END$$", "SET app.x = 1", "SELECT 1", "DELETE FROM things WHERE id = 0"]
    for text in texts * 10:
        await raw.talk([(run(text), b"Z")])
    outcomes = await gate.settled(len(texts) * 10)
    changes.cancel()
    assert [one["result"] for one in outcomes] == ["ok"] * len(texts) * 10
    pair.end()
