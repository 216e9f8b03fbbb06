"""More rows than the policy lets through: as a statement of the server's own that fails at the row after the last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg.pq import TransactionStatus
from tests.sidecar.proxy.activity import runs
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import Pair, Step, bind, describe, errors, kinds, rows, run, states

from penstock_core.policy.effective import Limit, Rule
from penstock_sidecar.wire.messages import FLUSH, SYNC, execute, parse, query, read_error

LIMIT = Limit(3, Rule("web", "guardrails.maxRowsReturned"))
# What the client asks for, and what fails at the fourth row on any server.
MANY = "SELECT i FROM generate_series(1, 9) AS i"
FAILING = "SELECT i / CASE WHEN i > 3 THEN 0 ELSE 1 END FROM generate_series(1, 9) AS i"
JUST = "SELECT i FROM generate_series(1, 3) AS i"


@pytest.fixture(params=["block", "continue"])
async def pair(start: Start, shop: Any, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    both = Pair(await start(shop, on_failure=request.param), shop)
    both.gate.script.limit = LIMIT
    yield both
    both.end()


def portal(text: str, *counts: int) -> bytes:
    """A portal that is asked for so many rows at a time."""
    return parse("", text) + bind() + describe("P") + b"".join(execute("", count) for count in counts)


IN_TRANSACTION = [(query("BEGIN"), b"Z"), (query("INSERT INTO things VALUES (900, 'x')"), b"Z")]
# With {} in the place of the statement; each ends in a state that what follows shows.
CONVERSATIONS: dict[str, list[tuple[Any, bytes]]] = {
    "simple": [(query, b"Z"), (query("SELECT 1"), b"Z")],
    "extended": [(run, b"Z"), (query("SELECT 1"), b"Z")],
    "simple, in a transaction": [*IN_TRANSACTION, (query, b"Z"), (query("SELECT 1"), b"Z"), (query("ROLLBACK"), b"Z")],
    "extended, in a transaction": [*IN_TRANSACTION, (run, b"Z"), (run("SELECT 1"), b"Z"), (query("COMMIT"), b"Z")],
    "after a savepoint": [
        *IN_TRANSACTION, (query("SAVEPOINT s"), b"Z"), (query, b"Z"), (query("ROLLBACK TO s"), b"Z"),
        (run("SELECT count(*) FROM things WHERE id = 900"), b"Z"), (query("ROLLBACK"), b"Z"),
    ],
    "sent ahead": [
        (lambda text: run("SELECT 1") + run(text) + run("SELECT 2") + query("SELECT 3"), b""),
        (query("SELECT 'last'"), b"Z"), (b"", b"Z"), (b"", b"Z"), (b"", b"Z"), (b"", b"Z"),
    ],
    "in a pipeline with a write before and behind": [
        (
            lambda text: parse("", "INSERT INTO things VALUES (901, 'x')") + bind() + execute("") + portal(text, 0)
            + parse("", "INSERT INTO things VALUES (902, 'x')") + bind() + execute("") + SYNC, b"Z",
        ),
        (query("SELECT count(*) FROM things WHERE id > 900"), b"Z"),
    ],
    "in portions": [(lambda text: portal(text, 2, 2) + SYNC, b"Z"), (query("SELECT 1"), b"Z")],
    "in portions of one": [(lambda text: portal(text, 1, 1, 1, 1) + SYNC, b"Z")],
    "in portions, the last of which is just full": [(lambda text: portal(text, 3, 1, 1) + SYNC, b"Z")],
    "in portions, all that is left": [(lambda text: portal(text, 1, 0) + SYNC, b"Z")],
    "in portions, over several Syncs": [
        *IN_TRANSACTION, (lambda text: portal(text, 2) + SYNC, b"Z"), (execute("", 2) + SYNC, b"Z"),
        (query("COMMIT"), b"Z"),
    ],
    "flushed": [(lambda text: portal(text, 0) + FLUSH, b""), (SYNC, b"Z"), (run("SELECT 1"), b"Z")],
}  # fmt: skip


def steps(name: str, text: str) -> list[Step]:
    return [(part(text) if callable(part) else part, awaited) for part, awaited in CONVERSATIONS[name]]


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_the_row_beyond_the_limit_is_an_error_like_any_of_the_servers(pair: Pair, name: str) -> None:
    through = await (await pair.gated()).talk(steps(name, MANY))
    itself = await (await pair.direct()).talk(steps(name, FAILING))
    assert kinds(through) == kinds(itself)
    assert states(through) == states(itself)
    assert rows(through) == rows(itself)
    assert [one if one != "42501" else "22012" for one in errors(through)] == errors(itself)
    assert "42501" in errors(through)


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_up_to_the_limit_nothing_is_different(pair: Pair, name: str) -> None:
    through = await (await pair.gated()).talk(steps(name, JUST))
    pair.server.psql("DELETE FROM things WHERE id >= 900", "shop")
    itself = await (await pair.direct()).talk(steps(name, JUST))
    pair.server.psql("DELETE FROM things WHERE id >= 900", "shop")
    assert through == itself
    assert errors(through) == []


async def test_the_error_says_what_rule_and_what_to_do(pair: Pair) -> None:
    got = await (await pair.gated()).ask(MANY)
    (error,) = [read_error(body) for kind, body in got if kind == b"E"]
    assert (error.severity, error.sqlstate) == ("ERROR", "42501")
    assert error.message == "penstock: the statement returns more than 3 rows"
    assert error.detail == "Refused by policy web, rule guardrails.maxRowsReturned."
    assert "LIMIT" in error.hint
    intent, outcome = (await pair.gate.settled(1, "intent"))[-1], (await pair.gate.settled(1))[-1]
    assert (intent["decision"], outcome["result"], outcome["sqlstate"], outcome["rows"]) == (
        "allow",
        "denied",
        "42501",
        3,
    )


async def test_a_write_that_returns_too_much_is_not_done(pair: Pair) -> None:
    text = "INSERT INTO things SELECT i, 'x' FROM generate_series(910, {}) AS i RETURNING id"
    gated = await pair.gated()
    for sent in (query, run):
        assert errors(await gated.talk([(sent(text.format(913)), b"Z")])) == ["42501"]
        assert rows(await gated.ask("SELECT count(*) FROM things WHERE id >= 910")) == [[b"0"]]
    done = await gated.talk([(run(text.format(912)), b"Z")])
    assert (b"C", b"INSERT 0 3\x00") in done
    pair.server.psql("DELETE FROM things WHERE id >= 910", "shop")


ROWS = "SELECT i FROM generate_series(1, 9) AS i"


def three(number: int, text: str = "FETCH 1 FROM c") -> list[Step]:
    return [(query(text), b"Z")] * number


CURSORS: dict[str, list[Step]] = {
    "fetched one by one": [(query("BEGIN"), b"Z"), (query(f"DECLARE c CURSOR FOR {ROWS}"), b"Z"), *three(4)],
    "by the extended protocol": [
        (query("BEGIN"), b"Z"), (run(f"DECLARE c CURSOR FOR {ROWS}"), b"Z"), *[(run("FETCH 1 FROM c"), b"Z")] * 4,
    ],
    "with hold, in several transactions": [(query(f"DECLARE c CURSOR WITH HOLD FOR {ROWS}"), b"Z"), *three(4)],
    "moved back": [
        (query("BEGIN"), b"Z"), (query(f"DECLARE c SCROLL CURSOR FOR {ROWS}"), b"Z"), *three(2),
        (query("MOVE BACKWARD ALL IN c"), b"Z"), *three(2),
    ],
    "declared again in vain": [
        (query(f"DECLARE c CURSOR WITH HOLD FOR {ROWS}"), b"Z"), *three(2),
        (query(f"DECLARE c CURSOR WITH HOLD FOR {ROWS}"), b"Z"), *three(2),
    ],
    "a cursor that is executed": [
        (query("BEGIN"), b"Z"), (query(f"DECLARE c CURSOR FOR {ROWS}"), b"Z"), *three(1),
        (execute("c", 2) + SYNC, b"Z"), (execute("c", 1) + SYNC, b"Z"),
    ],
    "a portal that is fetched from": [
        (query("BEGIN"), b"Z"), (parse("", ROWS) + bind("c") + execute("c", 2) + SYNC, b"Z"), *three(2),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CURSORS)
async def test_portions_of_a_cursor_count_together(start: Start, old_or_new_shop: Any, name: str) -> None:
    gate = await start(old_or_new_shop, governed=True, more="  guardrails: {maxRowsReturned: 3}\n")
    pair = Pair(gate, old_or_new_shop)
    client = await pair.gated()
    got = await client.talk(CURSORS[name])
    assert errors(got)[-1] == "42501"
    assert len(rows(got)) == 3
    # Declared anew, it counts anew.
    again = [(query("ROLLBACK"), b"Z"), (query("CLOSE ALL"), b"Z"), (query("BEGIN"), b"Z")]
    again += [(query(f"DECLARE c CURSOR FOR {ROWS}"), b"Z"), (query("FETCH 3 FROM c"), b"Z")]
    assert len(rows(await client.talk(again))) == 3
    pair.end()


async def test_none_may_be_returned_at_all(start: Start, shop: Any) -> None:
    pair = Pair(await start(shop, governed=True, more="  guardrails: {maxRowsReturned: 0}\n"), shop)
    client = await pair.gated()
    for sent in (query, run):
        got = await client.talk([(sent("SELECT 1"), b"Z"), (sent("SELECT 1 WHERE false"), b"Z")])
        assert (errors(got), rows(got), got[-2]) == (["42501"], [], (b"C", b"SELECT 0\x00"))
        got = await client.talk([(sent("INSERT INTO things VALUES (970, 'x') RETURNING id"), b"Z")])
        assert (errors(got), rows(got)) == (["42501"], [])
        got = await client.talk([(sent("INSERT INTO things VALUES (970, 'x')"), b"Z")])
        assert (b"C", b"INSERT 0 1\x00") in got
        await client.ask("DELETE FROM things WHERE id = 970")
    pair.end()


async def test_drivers_see_an_ordinary_error(pair: Pair) -> None:
    gate = pair.gate
    async with await gate.psycopg() as client:
        for options in ({}, {"prepare": True}, {"binary": True}):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="more than 3 rows"):
                await client.execute(MANY, **options)
            cursor = await client.execute(JUST, **options)
            assert (await cursor.fetchall(), cursor.statusmessage) == ([(1,), (2,), (3,)], "SELECT 3")
        async with client.pipeline():
            first = await client.execute(JUST)
            second = await client.execute("SELECT 7")
        assert (await first.fetchall(), await second.fetchone()) == ([(1,), (2,), (3,)], (7,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with client.transaction():
                await client.execute(MANY)
        assert client.info.transaction_status == TransactionStatus.IDLE
    client = await asyncpg.connect(host="127.0.0.1", port=gate.proxy.port, user="app", database="shop", ssl=False)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="more than 3 rows"):
        await client.fetch(MANY)
    assert [row["i"] for row in await client.fetch(JUST)] == [1, 2, 3]
    async with client.transaction():
        cursor = await client.cursor(MANY)
        assert len(await cursor.fetch(2)) == 2
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await cursor.fetch(2)
    await client.close()


async def test_the_server_stops_at_the_limit_and_so_does_what_is_sent(pair: Pair) -> None:
    gated = await pair.gated()
    began = time.monotonic()
    # In whole, these are a terabyte; a row of them is larger than what one read takes.
    got = await gated.ask("SELECT repeat('x', 100000) FROM generate_series(1, 10000000)")
    assert (kinds(got), errors(got)) == ("TDDDEZ", ["42501"])
    got = await gated.talk([(run("SELECT repeat('x', 20000000) FROM generate_series(1, 100000)"), b"Z")])
    assert (kinds(got), errors(got)) == ("12TDDDEZ", ["42501"])
    assert time.monotonic() - began < 30
    assert kinds(await gated.ask("SELECT 1")) == "TDCZ"


async def test_a_client_that_goes_while_its_rows_are_counted_is_noticed(pair: Pair) -> None:
    gate = pair.gate
    gated = await pair.gated()
    gated.writer.write(query("SELECT pg_sleep(60)"))
    await runs(pair.server, gated.pid, "PgSleep")
    gated.writer.transport.abort()
    for _ in range(600):
        if not gate.proxy.gateway.connections:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it is still there")


async def test_cancelling_reaches_what_is_counted(pair: Pair) -> None:
    async with await pair.gate.psycopg() as client:
        sleeping = asyncio.create_task(client.execute("SELECT pg_sleep(60)"))
        await runs(pair.server, client.info.backend_pid, "PgSleep")
        await client.cancel_safe(timeout=5)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping
        assert await (await client.execute("SELECT 1")).fetchone() == (1,)
