"""Statements that the planner estimates to cost too much: they do not run, whatever way they came."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import psycopg
import pytest
from tests.sidecar.proxy.conftest import MASKED, Start
from tests.sidecar.proxy.raw import Pair, bind, describe, errors, kinds, rows, run, states

from penstock_sidecar.wire.messages import SYNC, execute, parse, query, read_error

# One row of it by its key costs some 8, all of it some 20,000.
SCHEMA = """
CREATE TABLE wide (id int PRIMARY KEY, email text, n int);
INSERT INTO wide SELECT i, 'person' || i, i FROM generate_series(1, 20000) AS i;
CREATE TABLE small (id int);
INSERT INTO small SELECT i FROM generate_series(1, 10) AS i;
CREATE FUNCTION dear(int) RETURNS boolean LANGUAGE plpgsql STABLE COST 100 AS $$ BEGIN RETURN true; END $$;
ANALYZE wide; ANALYZE small;
"""
LIMIT = "  guardrails: {maxPlanCost: 200}\n"
DEAR = "SELECT * FROM wide WHERE n > {}"
Sent = Callable[[str], bytes]
EITHER: list[Sent] = [query, run]


@pytest.fixture
async def limited(start: Start, old_or_new_shop: Any) -> AsyncIterator[Pair]:
    server = old_or_new_shop
    if "wide" not in server.psql("SELECT relname FROM pg_class WHERE relname = 'wide'", "shop"):
        server.psql(f"SET ROLE penstock; {SCHEMA}", "shop")
    allow = "select, insert, update, delete, create, drop"
    both = Pair(await start(server, governed=True, allow=allow, more=LIMIT), server)
    yield both
    both.end()


DEAR_ONES = (
    "SELECT * FROM wide",
    "SELECT count(*) FROM wide AS a, wide AS b",
    "TABLE wide",
    "WITH a AS (SELECT * FROM wide) SELECT count(*) FROM a",
    "UPDATE wide SET n = n + 1",
    "DELETE FROM wide",
    "INSERT INTO small SELECT id FROM wide",
    "CREATE TABLE made_here AS SELECT * FROM wide",
    "SELECT * INTO made_here FROM wide",
    "EXPLAIN ANALYZE DELETE FROM wide",
    "COPY wide TO STDOUT",
    "COPY (SELECT * FROM wide) TO STDOUT",
    "COPY (DELETE FROM wide RETURNING id) TO STDOUT",
)


async def test_what_costs_too_much_does_not_run(limited: Pair) -> None:
    client = await limited.gated()
    for sent in EITHER:
        for text in DEAR_ONES:
            got = await client.talk([(sent(text), b"Z")])
            assert errors(got) == ["42501"], text
            assert not {b"D", b"C", b"H"} & {kind for kind, _ in got}, text
            assert (states(got), rows(await client.ask("SELECT 1"))) == ("I", [[b"1"]])
    told = limited.server.psql("SELECT count(*), min(n), to_regclass('made_here') IS NULL FROM wide", "shop").strip()
    assert told == "20000|1|t"


async def test_what_costs_less_is_not_told_apart(limited: Pair) -> None:
    texts = (
        "SELECT * FROM wide WHERE id = 5", "SELECT count(*) FROM small", "UPDATE wide SET n = n WHERE id = 7",
        "EXPLAIN (COSTS OFF) SELECT * FROM wide", "COPY small TO STDOUT", "COPY (SELECT id FROM small) TO STDOUT",
        "INSERT INTO small SELECT 1 WHERE false RETURNING id", "SELECT 1", "SHOW server_version", "BEGIN", "COMMIT",
        "SELECT missing FROM small", "SELECT 1 / 0",
    )  # fmt: skip
    for text in texts:
        for sent in EITHER:
            steps = [(sent(text), b"Z"), (sent("SELECT 1"), b"Z")]
            through = await (await limited.gated()).talk(steps)
            assert [text, *through] == [text, *await (await limited.direct()).talk(steps)]


async def test_it_costs_what_it_does_with_the_parameters_it_runs_with(limited: Pair) -> None:
    client = await limited.gated()
    narrow = (bind("", "s", [b"19995"]) + execute("") + SYNC, b"Z")
    wide = (bind("", "s", [b"1"]) + execute("") + SYNC, b"Z")
    text = "SELECT id FROM wide WHERE id > $1"
    got = await client.talk([(parse("s", text) + SYNC, b"Z"), narrow, wide, narrow])
    assert (errors(got), len(rows(got))) == (["42501"], 10)
    # In portions, it is asked about once; what was within is within.
    got = await client.talk(
        [(parse("", "SELECT id FROM small") + bind() + execute("", 4) + execute("", 4) + execute("") + SYNC, b"Z")]
    )
    assert (errors(got), len(rows(got))) == ([], 10)
    for sent in EITHER:
        got = await client.talk(
            [
                (sent(f"PREPARE p (int) AS {text}"), b"Z"), (sent("EXECUTE p (1)"), b"Z"),
                (sent("CREATE TABLE made_here AS EXECUTE p (1)"), b"Z"),
                (sent("EXECUTE p (19995)"), b"Z"), (sent("DEALLOCATE p"), b"Z"),
            ]
        )  # fmt: skip
        assert (errors(got), len(rows(got))) == (["42501", "42501"], 5)


async def test_what_can_not_be_asked_is_refused(limited: Pair) -> None:
    client = await limited.gated()
    await client.ask("PREPARE p (int) AS SELECT id FROM small WHERE id = $1")
    got = await client.talk([(bind("", "p", [b"1"]) + execute("") + SYNC, b"Z")])
    assert errors(got) == ["42501"]
    got = await client.talk([(run("SELECT length($1::text)", b"x" * 100_000), b"Z")])
    assert errors(got) == ["42501"]
    assert rows(await client.talk([(run("SELECT length($1::text)", b"x" * 100), b"Z")])) == [[b"100"]]
    for text in ("SELECT 1; SELECT 2", "BEGIN; SELECT 1; COMMIT"):
        assert errors(await client.ask(text)) == ["42501"]
    for name in ("seq_page_cost", "cpu_tuple_cost", "random_page_cost", "effective_cache_size"):
        assert errors(await client.ask(f"SET {name} = 0")) == ["42501"]
        assert errors(await client.ask(f"SELECT set_config('{name}', '0', false)")) == ["42501"]


async def test_in_a_block_and_in_a_pipeline_it_is_an_error_of_the_servers(limited: Pair) -> None:
    client = await limited.gated()
    for sent in EITHER:
        got = await client.talk(
            [
                (query("BEGIN"), b"Z"), (sent("DECLARE c CURSOR FOR SELECT * FROM wide"), b"Z"),
                (sent("SELECT 1"), b"Z"), (query("ROLLBACK"), b"Z"),
            ]
        )  # fmt: skip
        assert (errors(got), states(got)) == (["42501", "25P02"], "TEEI")
        got = await client.talk(
            [
                (query("BEGIN"), b"Z"), (sent("DECLARE c CURSOR FOR SELECT * FROM small"), b"Z"),
                (sent("FETCH 3 FROM c"), b"Z"), (query("COMMIT"), b"Z"),
            ]
        )  # fmt: skip
        assert (errors(got), len(rows(got))) == ([], 3)

    def part(text: str) -> bytes:
        return parse("", text) + bind() + describe("P") + execute("")

    got = await client.talk(
        [(part("INSERT INTO small VALUES (99)") + part(DEAR_ONES[0]) + part("SELECT 1") + SYNC, b"Z")]
    )
    assert (kinds(got), errors(got)) == ("12nC12TEZ", ["42501"])
    assert rows(await client.ask("SELECT count(*) FROM small WHERE id = 99")) == [[b"0"]]


async def test_drivers_see_an_ordinary_error_and_the_trail_the_rule(limited: Pair) -> None:
    async with await limited.gate.psycopg() as client:
        for options in ({}, {"prepare": True}, {"binary": True}):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="costs more than 200 ") as refused:
                await client.execute("SELECT * FROM wide WHERE n > %s", [1], **options)
            assert "Refused by policy web, rule guardrails.maxPlanCost." in str(refused.value.diag.message_detail)
            cursor = await client.execute("SELECT id FROM wide WHERE id = %s", [7], **options)
            assert await cursor.fetchall() == [(7,)]
    driver = await asyncpg.connect(
        host="127.0.0.1", port=limited.gate.proxy.port, user="app", database="shop", ssl=False
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await driver.fetch("SELECT * FROM wide WHERE n > $1", 1)
    assert await driver.fetchval("SELECT id FROM wide WHERE id = $1", 7) == 7
    await driver.close()
    told = [event for event in limited.gate.events("outcome") if event["result"] == "denied"]
    assert {event["rule"] for event in told} == {"guardrails.maxPlanCost"}
    assert len(told) == 4


async def test_the_estimate_is_not_told_where_masked_columns_are_read(start: Start, shop: Any) -> None:
    if "wide" not in shop.psql("SELECT relname FROM pg_class WHERE relname = 'wide'", "shop"):
        shop.psql(f"SET ROLE penstock; {SCHEMA}", "shop")
    pair = Pair(await start(shop, governed=True, more=LIMIT + MASKED), shop)
    client = await pair.gated()
    for text, about in (("SELECT email FROM wide", False), ("SELECT * FROM generate_series(1, 1000000)", True)):
        (error,) = [read_error(body) for kind, body in await client.ask(text) if kind == b"E"]
        assert error.sqlstate == "42501"
        assert ("about" in error.message) is about
    assert errors(await client.ask("SELECT email FROM wide WHERE id = 5")) == []
    pair.end()


async def test_all_three_limits_hold_together(start: Start, shop: Any) -> None:
    more = "  guardrails: {maxRowsChanged: 2, maxRowsReturned: 2, maxPlanCost: 1000000}\n"
    pair = Pair(await start(shop, governed=True, more=more), shop)
    client = await pair.gated()
    for sent in EITHER:
        text = "INSERT INTO things SELECT i FROM generate_series(980, {}) AS i RETURNING id"
        assert errors(await client.talk([(sent(text.format(982)), b"Z")])) == ["42501"]
        got = await client.talk([(sent(text.format(981)), b"Z")])
        assert (rows(got), got[-2]) == ([[b"980"], [b"981"]], (b"C", b"INSERT 0 2\x00"))
        shop.psql("DELETE FROM things WHERE id >= 980", "shop")
    pair.end()
