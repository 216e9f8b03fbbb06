"""No code of the database's own runs before its statement's intent is durable, whatever message it is that runs it.

Against real servers: what runs is told by a sequence, which no rollback sets back.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.sidecar.proxy.conftest import Running, Start
from tests.sidecar.proxy.raw import Pair, Raw, bind, close, describe, errors, run

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.shipping.spool import SpoolFull
from penstock_sidecar.wire.messages import SYNC, execute, parse, query

SCHEMA = """
CREATE SCHEMA ran AUTHORIZATION penstock;
SET ROLE penstock;
CREATE SEQUENCE ran.times;
CREATE FUNCTION ran.now(text DEFAULT '') RETURNS bool IMMUTABLE LANGUAGE sql AS $$SELECT nextval('ran.times') > 0$$;
CREATE FUNCTION ran.soon() RETURNS name STABLE LANGUAGE plpgsql
    AS $$BEGIN PERFORM nextval('ran.times'); RETURN 'pg_class'; END$$;
CREATE DOMAIN ran.checked AS text CHECK (ran.now(VALUE));
CREATE TYPE ran.row AS (one ran.checked);
CREATE TABLE ran.rows (id int, one ran.row, many ran.checked[]);
CREATE TABLE ran.plain (id int);
CREATE TABLE ran.told (id int);
CREATE FUNCTION ran.tell() RETURNS trigger LANGUAGE plpgsql
    AS $$BEGIN PERFORM nextval('ran.times'); RETURN NEW; END$$;
CREATE TRIGGER told BEFORE INSERT ON ran.told FOR EACH ROW EXECUTE FUNCTION ran.tell();
CREATE VIEW ran.view AS SELECT oid FROM pg_class WHERE relname = ran.soon();
CREATE FUNCTION ran.same(int, int) RETURNS bool IMMUTABLE LANGUAGE plpgsql
    AS $$BEGIN PERFORM nextval('ran.times'); RETURN true; END$$;
CREATE OPERATOR ran.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = ran.same);
"""


@dataclass
class Stopped:
    """A gate whose audit trail answers only when it is told to."""

    gate: Running
    server: EmbeddedPostgres
    waiting: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        trail = self.gate.proxy.trail
        self._append = trail.append_durably
        trail.append_durably = lambda *record: self.waiting.append(record)  # type: ignore[method-assign]

    def times(self) -> int:
        shown = self.server.psql("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ran.times", dbname="shop")
        return int(shown)

    def rows(self) -> str:
        return self.server.psql("SELECT count(*) FROM ran.plain", dbname="shop").strip()

    def locks(self) -> str:
        """How many sessions have written to the table and not ended their transaction."""
        held = "SELECT count(*) FROM pg_locks WHERE relation = 'ran.plain'::regclass AND mode = 'RowExclusiveLock'"
        return self.server.psql(held, dbname="shop").strip()

    async def come_to_locks(self, count: str) -> None:
        for _ in range(3000):
            if self.locks() == count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{self.locks()} locks, and not {count}")

    def fail(self) -> None:
        """What waits can't be written."""
        for _, told in self.waiting:
            told(SpoolFull("the spool is full"))
        self.waiting = []

    def go_on(self) -> int:
        """Write what waits; how much that was."""
        waiting, self.waiting = self.waiting, []
        for record in waiting:
            self._append(*record)
        return len(waiting)

    async def answer(self, raw: Raw) -> list[tuple[bytes, bytes]]:
        """The answer, with all that is recorded meanwhile written."""
        got = asyncio.create_task(raw.until(b"Z"))
        while not got.done():
            self.go_on()
            await asyncio.sleep(0.01)
        return await got


@pytest.fixture
async def stopped(start: Start, each_shop: EmbeddedPostgres) -> AsyncIterator[tuple[Stopped, Raw]]:
    each_shop.psql("DROP SCHEMA IF EXISTS ran CASCADE", dbname="shop")
    each_shop.psql(SCHEMA, dbname="shop")
    gate = await start(each_shop, governed=True, allow="select, insert, update", on_failure="block")
    pair = Pair(gate, each_shop)
    raw = await pair.gated()
    yield Stopped(gate, each_shop), raw
    pair.end()


# What runs code with its first message already, and what runs it later.
SENT = {
    "planning an immutable function": parse("", "SELECT ran.now()") + bind() + SYNC,
    "planning a stable function": parse("", "SELECT 1 FROM pg_class WHERE relname = ran.soon()") + bind() + SYNC,
    "planning an operator": parse("", "SELECT 1 OPERATOR(ran.===) 2") + bind() + SYNC,
    "describing a portal": parse("", "SELECT ran.now()") + bind() + describe("P") + SYNC,
    "a view": parse("", "SELECT * FROM ran.view") + bind() + SYNC,
    "a literal of a row type": parse("", "SELECT '(x)'::ran.row") + SYNC,
    "a literal of an array type": parse("", "SELECT '{x}'::ran.checked[]") + SYNC,
    "a literal beside a column": parse("", "SELECT coalesce(one, '(x)') FROM ran.rows") + SYNC,
    "a literal beside an array": parse("", "SELECT coalesce(many, '{x}') FROM ran.rows") + SYNC,
    "a literal of a domain": run("SELECT 'x'::ran.checked"),
    "reading a view": run("SELECT * FROM ran.view"),
    "a query": query("SELECT ran.now()"),
    "executing": run("SELECT ran.now()"),
    "a cast of a parameter": parse("", "SELECT $1::ran.row") + bind(values=[b"(x)"]) + SYNC,
}


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
async def test_no_code_runs_before_it_is_recorded(stopped: tuple[Stopped, Raw], sent: bytes) -> None:
    trail, raw = stopped
    raw.writer.write(sent)
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert trail.times() == 0
    got = await trail.answer(raw)
    assert errors(got) == []
    assert trail.times() > 0, "nothing runs, so that the test says nothing"
    events = await trail.gate.settled(1)
    numbers = {kind: sorted(one["statement"] for one in trail.gate.events(kind)) for kind in ("intent", "outcome")}
    assert numbers["intent"] == numbers["outcome"]
    assert {one["result"] for one in events} <= {"ok", "unexecuted"}


async def test_the_code_of_a_declared_type_is_recorded_before_it_runs(stopped: tuple[Stopped, Raw]) -> None:
    trail, raw = stopped
    number = int(trail.server.psql("SELECT 'ran.row'::regtype::oid", dbname="shop"))
    raw.writer.write(parse("", "SELECT $1", struct.pack(">HI", 1, number)) + bind(values=[b"(x)"]) + SYNC)
    await asyncio.sleep(0.2)
    assert trail.times() == 0
    assert errors(await trail.answer(raw)) == []
    assert trail.times() > 0


IN_BLOCK = "INSERT INTO ran.plain VALUES (7)"


async def test_a_write_in_a_block_runs_unseen_and_is_committed_when_it_is_on_record(
    stopped: tuple[Stopped, Raw],
) -> None:
    trail, raw = stopped
    raw.writer.write(query("BEGIN"))
    await trail.answer(raw)
    raw.writer.write(query(IN_BLOCK) + query("COMMIT"))
    # It holds a lock by now, so it has run; nobody can see what came of it.
    await trail.come_to_locks("1")
    await asyncio.sleep(0.2)
    assert (trail.rows(), trail.locks()) == ("0", "1")
    await trail.answer(raw)
    await trail.answer(raw)
    assert (trail.rows(), trail.locks()) == ("1", "0")


async def test_a_write_in_a_block_that_can_not_be_recorded_is_undone(stopped: tuple[Stopped, Raw]) -> None:
    trail, raw = stopped
    raw.writer.write(query("BEGIN"))
    await trail.answer(raw)
    raw.writer.write(query(IN_BLOCK))
    await trail.come_to_locks("1")
    trail.fail()
    assert [kind for kind, _ in await raw.rest()] == [b"E"], "not even that it was done is seen"
    await trail.come_to_locks("0")
    assert trail.rows() == "0"


@pytest.mark.parametrize("text", ["INSERT INTO ran.told VALUES (1)", "SELECT ran.now() FROM ran.told"])
async def test_what_runs_code_waits_in_a_block_too(stopped: tuple[Stopped, Raw], text: str) -> None:
    trail, raw = stopped
    raw.writer.write(query("BEGIN"))
    await trail.answer(raw)
    raw.writer.write(query(text))
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert trail.times() == 0
    await trail.answer(raw)


BOUND = parse("s", "SELECT 1") + bind(statement="s")


@pytest.mark.parametrize(
    ("sent", "results"),
    [
        (BOUND + SYNC, ["unexecuted"]),
        (BOUND + execute("") + SYNC, ["ok"]),
        (BOUND + describe("P") + execute("") + SYNC, ["ok"]),
        (BOUND + bind(statement="s") + execute("") + SYNC, ["unexecuted", "ok"]),
        (BOUND + close("P") + SYNC, ["unexecuted"]),
        (BOUND + bind("p", "s") + execute("p") + SYNC, ["ok", "unexecuted"]),
        (BOUND + query("SELECT 2"), ["ok", "unexecuted"]),
        (BOUND + execute("", 1) + execute("", 1) + SYNC, ["ok", "ok"]),
        (BOUND + parse("", "SELEKT") + execute("") + SYNC, ["denied", "skipped"]),
        (parse("", "SELECT 1/$1") + bind(values=[b"x"]) + execute("") + SYNC, ["error"]),
        (parse("", "SELECT 1/0") + bind() + SYNC, ["error"]),
        (parse("", "SELECT 1/0") + bind() + execute("") + SYNC, ["error"]),
    ],
)
async def test_each_statement_has_one_intent_and_one_outcome(
    start: Start, shop: EmbeddedPostgres, sent: bytes, results: list[str]
) -> None:
    for on_failure in ("block", "continue"):
        gate = await start(shop, governed=True, on_failure=on_failure)
        pair = Pair(gate, shop)
        await (await pair.gated()).talk([(sent, b"Z")])
        found = await gate.settled(len(results))
        assert sorted(one["result"] for one in found) == sorted(results)
        intents = gate.events("intent")
        assert sorted(one["statement"] for one in intents) == sorted(one["statement"] for one in found)
        pair.end()


async def test_a_session_that_ends_leaves_no_bound_statement_running(start: Start, shop: EmbeddedPostgres) -> None:
    gate = await start(shop, governed=True)
    pair = Pair(gate, shop)
    raw = await pair.gated()
    await raw.talk([(query("BEGIN") + parse("", "SELECT 1") + bind("p") + SYNC, b"2")])
    raw.writer.transport.abort()
    assert [one["result"] for one in await gate.settled(2)] == ["ok", "unexecuted"]
    pair.end()
