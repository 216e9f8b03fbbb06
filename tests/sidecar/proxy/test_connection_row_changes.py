"""Statements that change more rows than the policy lets them: nothing of them is left, whatever way they came."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import asyncpg
import psycopg
import pytest
from tests.sidecar.proxy.conftest import Running, Start
from tests.sidecar.proxy.raw import Pair, Raw, bind, describe, errors, kinds, rows, run, states

from penstock_sidecar.wire.messages import FLUSH, SYNC, execute, message, parse, query, read_error

SCHEMA = """
CREATE TABLE parents (id int PRIMARY KEY, name text);
CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE, name text);
CREATE TABLE loose (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE SET NULL);
CREATE TABLE counted (id int PRIMARY KEY, name text DEFAULT 'x');
CREATE TABLE watched (id int);
CREATE TABLE log (id int);
CREATE TABLE parts (id int, part int) PARTITION BY LIST (part);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO log SELECT i FROM generate_series(1, NEW.id) AS i; RETURN NEW; END $$;
CREATE TRIGGER note AFTER INSERT ON watched FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION add_rows(n int) RETURNS int LANGUAGE sql VOLATILE AS
$$ INSERT INTO counted SELECT i FROM generate_series(100, 99 + n) AS i; SELECT n $$;
CREATE FUNCTION add_one(n int) RETURNS int LANGUAGE sql VOLATILE AS
$$ INSERT INTO counted VALUES (n); SELECT n $$;
CREATE FUNCTION empty() RETURNS void LANGUAGE sql AS $$ TRUNCATE counted $$;
CREATE PROCEDURE add_and_commit() LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO counted VALUES (1); COMMIT; INSERT INTO counted VALUES (2); END $$;
CREATE PROCEDURE add(n int) LANGUAGE sql AS $$ INSERT INTO counted SELECT i FROM generate_series(100, 99 + n) AS i $$;
CREATE TABLE late (id int);
CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO log SELECT i FROM generate_series(1, 100) AS i; RETURN NEW; END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION later();
"""
TABLES = ("parents", "children", "loose", "counted", "watched", "log", "parts", "late")
LIMIT = "  guardrails: {{maxRowsChanged: {}}}\n"
EVERYTHING = "select, insert, update, delete, truncate, create, drop, alter"


class Limited:
    """A gate with a limit of three rows, before a server with tables of ten."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.gate: Running = pair.gate

    def direct(self, text: str) -> str:
        return self.pair.server.psql(text, "shop").strip()

    def fill(self) -> None:
        self.direct(
            f"DROP TABLE IF EXISTS made_here; TRUNCATE {', '.join(TABLES)};"
            "INSERT INTO parents SELECT i FROM generate_series(1, 10) AS i;"
            "INSERT INTO children SELECT i, 1 + i / 8 FROM generate_series(1, 10) AS i;"
            "INSERT INTO children VALUES (11, 9), (12, 9);"
            "INSERT INTO loose SELECT i, 5 FROM generate_series(1, 10) AS i;"
            "INSERT INTO parts SELECT i, 1 FROM generate_series(1, 10) AS i;"
        )

    def held(self) -> str:
        """All rows, seen by another session."""
        every = " UNION ALL ".join(f"SELECT '{one}', {one}::text FROM {one}" for one in TABLES)
        return self.direct(f"{every} ORDER BY 1, 2")

    async def gated(self) -> Raw:
        return await self.pair.gated()


@pytest.fixture
async def limited(start: Start, old_or_new_shop: Any) -> AsyncIterator[Limited]:
    server = old_or_new_shop
    if "parents" not in server.psql("SELECT string_agg(relname, ' ') FROM pg_class WHERE relname = 'parents'", "shop"):
        server.psql(f"SET ROLE penstock; {SCHEMA}", "shop")
    both = Pair(await start(server, governed=True, allow=EVERYTHING, more=LIMIT.format(3)), server)
    one = Limited(both)
    one.fill()
    yield one
    both.end()


# Statements that change as many rows as the number given, counted as the server does; {0} is the number.
CHANGES: dict[str, str] = {
    "insert": "INSERT INTO counted SELECT i FROM generate_series(1, {0}) AS i",
    "insert, returning": "INSERT INTO counted SELECT i FROM generate_series(1, {0}) AS i RETURNING id",
    "update": "UPDATE parents SET name = 'x' WHERE id <= {0}",
    "update, returning": "UPDATE parents SET name = 'x' WHERE id <= {0} RETURNING id",
    "delete": "DELETE FROM loose WHERE id <= {0}",
    "in a CTE": "WITH gone AS (DELETE FROM loose WHERE id <= {0} RETURNING id) SELECT count(*) FROM gone",
    "in two CTEs": (
        "WITH a AS (INSERT INTO counted VALUES (1) RETURNING id), b AS (UPDATE parents SET name = 'x' WHERE id < {0})"
        " SELECT 1"
    ),
    "on conflict": (
        "INSERT INTO parents SELECT i FROM generate_series(1, {0}) AS i ON CONFLICT (id) DO UPDATE SET name = 'x'"
    ),
    "merge": (
        "MERGE INTO parents AS p USING (SELECT i FROM generate_series(1, {0}) AS i) AS s ON p.id = s.i"
        " WHEN MATCHED THEN UPDATE SET name = 'x'"
    ),
    "a function": "SELECT add_rows({0})",
    "a function in each row": "SELECT add_one(i) FROM generate_series(1, {0}) AS i",
    "a procedure": "CALL add({0})",
    "create table as": "CREATE TABLE made_here AS SELECT i FROM generate_series(1, {0}) AS i",
    "explain analyze": "EXPLAIN (ANALYZE, COSTS OFF) DELETE FROM loose WHERE id <= {0}",
}
# With what triggers, foreign keys and partitions change.
TOO_MUCH_BY_ITSELF = (
    "DELETE FROM parents WHERE id = 5",
    "DELETE FROM parents WHERE id = 2",
    "INSERT INTO watched VALUES (3)",
    "UPDATE parts SET part = 2 WHERE id < 3",
)
JUST_BY_ITSELF = (
    "DELETE FROM parents WHERE id = 9",
    "INSERT INTO watched VALUES (2)",
    "UPDATE parts SET part = 2 WHERE id < 2",
)
Sent = Callable[[str], bytes]
WAYS: dict[str, Sent] = {
    "simple": query,
    "extended": run,
    "flushed": lambda text: parse("", text) + bind() + describe("P") + execute("") + FLUSH + SYNC,
    "named": lambda text: parse("n", text) + bind("", "n") + execute("") + SYNC + message(b"C", b"Sn\x00") + FLUSH,
}


@pytest.mark.parametrize("way", WAYS)
async def test_above_the_limit_nothing_is_changed(limited: Limited, way: str) -> None:
    client = await limited.gated()
    before = limited.held()
    for text in (*(text.format(4) for text in CHANGES.values()), *TOO_MUCH_BY_ITSELF):
        got = await client.talk([(WAYS[way](text), b"Z")])
        assert errors(got) == ["42501"], text
        assert b"C" not in [kind for kind, _ in got], text
        assert limited.held() == before, text
        assert (states(got), kinds(await client.ask("SELECT 1"))[-3:]) == ("I", "DCZ")


@pytest.mark.parametrize("way", ["simple", "extended"])
async def test_up_to_the_limit_nothing_is_different(limited: Limited, way: str) -> None:
    gated, direct = await limited.gated(), await limited.pair.direct()
    for text in (*(text.format(3) for text in CHANGES.values()), *JUST_BY_ITSELF):
        through = await gated.talk([(WAYS[way](text), b"Z")])
        after = limited.held()
        limited.fill()
        itself = await direct.talk([(WAYS[way](text), b"Z")])
        assert errors(through) == [], text
        if not text.startswith("EXPLAIN"):
            assert through == itself
        assert limited.held() == after
        limited.fill()


async def test_in_a_block_the_transaction_has_failed_and_a_savepoint_is_left(limited: Limited) -> None:
    client = await limited.gated()
    before = limited.held()
    for sent in (query, run):
        got = await client.talk(
            [
                (query("BEGIN"), b"Z"), (sent("UPDATE parents SET name = 'y' WHERE id < 4"), b"Z"),
                (query("SAVEPOINT s"), b"Z"), (sent("UPDATE parents SET name = 'z' WHERE id < 5"), b"Z"),
                (sent("SELECT 1"), b"Z"), (query("ROLLBACK TO s"), b"Z"),
                (sent("DELETE FROM loose WHERE id < 4"), b"Z"), (query("SELECT count(*) FROM loose"), b"Z"),
                (query("ROLLBACK"), b"Z"),
            ]
        )  # fmt: skip
        assert errors(got) == ["42501", "25P02"]
        assert states(got) == "TTTEETTTI"
        assert rows(got) == [[b"7"]]
        got = await client.talk(
            [(query("BEGIN"), b"Z"), (sent("DELETE FROM loose WHERE id < 5"), b"Z"), (query("COMMIT"), b"Z")]
        )
        assert (errors(got), states(got), got[-2]) == (["42501"], "TEI", (b"C", b"ROLLBACK\x00"))
    assert limited.held() == before


async def test_each_statement_of_a_transaction_counts_for_itself(limited: Limited) -> None:
    client = await limited.gated()
    steps = [(query("BEGIN"), b"Z")]
    steps += [(sent(f"DELETE FROM loose WHERE id IN ({n}, {n + 1}, {n + 2})"), b"Z") for n in (1, 4) for sent in (run,)]
    got = await client.talk([*steps, (query("COMMIT"), b"Z")])
    assert (errors(got), states(got)) == ([], "TTTI")
    assert limited.direct("SELECT count(*) FROM loose") == "4"


async def test_in_a_pipeline_all_that_is_not_committed_is_undone(limited: Limited) -> None:
    client = await limited.gated()
    before = limited.held()

    def part(text: str) -> bytes:
        return parse("", text) + bind() + execute("")

    few, many = "DELETE FROM loose WHERE id < 3", "DELETE FROM children WHERE id < 5"
    got = await client.talk([(part(few) + part(many) + part("SELECT 1") + SYNC + query("SELECT 2"), b"Z"), (b"", b"Z")])
    assert (errors(got), states(got), rows(got)) == (["42501"], "II", [[b"2"]])
    assert limited.held() == before
    got = await client.talk([(part(few) + SYNC + part(many) + SYNC, b"Z"), (b"", b"Z")])
    assert errors(got) == ["42501"]
    assert limited.direct("SELECT count(*) FROM loose") == "8"


async def test_a_portal_in_portions_and_a_cursor_count_as_one(limited: Limited) -> None:
    client = await limited.gated()
    before = limited.held()
    text = "SELECT add_one(i) FROM generate_series(1, 9) AS i"
    got = await client.talk(
        [(parse("", text) + bind() + execute("", 2) + execute("", 1) + execute("", 1) + SYNC, b"Z")]
    )
    assert (kinds(got), errors(got)) == ("12DDsDsDEZ", ["42501"])
    assert limited.held() == before
    fetch = (query("FETCH 2 FROM c"), b"Z")
    got = await client.talk([(query("BEGIN"), b"Z"), (query(f"DECLARE c CURSOR FOR {text}"), b"Z"), fetch, fetch])
    assert (errors(got), states(got)) == (["42501"], "TTTE")
    await client.ask("ROLLBACK")
    assert limited.held() == before


@pytest.mark.parametrize("sent", [query, run])
async def test_what_is_prepared_is_held_to_the_limit_when_it_runs(limited: Limited, sent: Sent) -> None:
    client = await limited.gated()
    before = limited.held()
    for text in ("DELETE FROM loose WHERE id < $1", "INSERT INTO counted SELECT i FROM generate_series(2, $1) AS i"):
        got = await client.talk(
            [
                (sent(f"PREPARE p (int) AS {text}"), b"Z"), (sent("EXECUTE p (5)"), b"Z"),
                (sent("CREATE TABLE made_here AS SELECT 1 AS i"), b"Z"), (sent("EXECUTE p (4)"), b"Z"),
                (sent("DEALLOCATE p"), b"Z"), (sent("DROP TABLE made_here"), b"Z"),
            ]
        )  # fmt: skip
        assert errors(got) == ["42501"]
    limited.direct("DELETE FROM counted; INSERT INTO loose SELECT i, 5 FROM generate_series(1, 3) AS i")
    assert limited.held() == before
    got = await client.talk([
        (parse("n", "DELETE FROM loose WHERE id < $1") + bind("", "n", [b"5"]) + execute("") + SYNC, b"Z"),
        (bind("", "n", [b"4"]) + execute("") + SYNC, b"Z"), (bind("", "n", [b"11"]) + execute("") + SYNC, b"Z"),
    ])  # fmt: skip
    assert errors(got) == ["42501", "42501"]
    assert limited.direct("SELECT count(*) FROM loose") == "7"


COPIES = {"simple": query, "extended": lambda text: parse("", text) + bind() + describe("P") + execute("") + SYNC}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("block", [False, True])
async def test_rows_that_are_copied_are_counted(limited: Limited, way: str, block: bool) -> None:
    client = await limited.gated()
    end = message(b"c", b"") + (SYNC if way == "extended" else b"")
    begin = [(query("BEGIN"), b"Z")] if block else []
    for count, wrong in ((3, b""), (4, b""), (2, b"x\n"), (0, b"")):
        before = limited.held()
        data = b"".join(message(b"d", b"%d\n" % n) for n in range(1, count + 1)) + (
            message(b"d", wrong) if wrong else b""
        )
        got = await client.talk([*begin, (COPIES[way]("COPY counted (id) FROM STDIN"), b"G"), (data + end, b"Z")])
        told = ["22P02"] if wrong else ["42501"] if count > 3 else []
        assert errors(got) == told
        assert states(got)[-1] == ("I" if not block else "E" if told else "T")
        if not told:
            assert (b"C", b"COPY %d\x00" % count) in got
        assert kinds(await client.ask("ROLLBACK" if block else "SELECT 1"))[-2:] == "CZ"
        if told or block:
            assert limited.held() == before
        limited.fill()
    got = await client.talk(
        [(COPIES[way]("COPY counted (id) FROM STDIN"), b"G"), (message(b"f", b"no\x00") + end[5:], b"Z")]
    )
    assert errors(got) == ["57014"]
    assert errors(await client.ask("SELECT 1")) == []


async def copied(cursor: psycopg.AsyncCursor[Any], numbers: Iterable[int]) -> None:
    async with cursor.copy("COPY counted (id) FROM STDIN") as copy:
        for n in numbers:
            await copy.write_row([n])


async def test_drivers_copy_as_ever(limited: Limited) -> None:
    async with await limited.gate.psycopg() as client, client.cursor() as cursor:
        await copied(cursor, range(3))
        assert cursor.statusmessage == "COPY 3"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="changes more than 3 rows"):
            await copied(cursor, range(10, 50_000))
        with pytest.raises(psycopg.errors.UniqueViolation):
            await copied(cursor, [1])
        await cursor.execute("SELECT count(*) FROM counted")
        assert await cursor.fetchone() == (3,)
    client = await asyncpg.connect(
        host="127.0.0.1", port=limited.gate.proxy.port, user="app", database="shop", ssl=False
    )
    assert await client.copy_records_to_table("watched", records=[(1,)], columns=["id"]) == "COPY 1"
    for table, records in (("counted", [(n,) for n in range(10, 60_000)]), ("watched", [(1,), (2,)])):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="more than 3 rows"):
            await client.copy_records_to_table(table, records=records, columns=["id"])
    # The server says so while data is still on its way.
    with pytest.raises(asyncpg.UniqueViolationError):
        await client.copy_records_to_table("counted", records=[(1,)] * 200_000, columns=["id"])
    assert await client.fetchval("SELECT count(*) FROM log") == 1
    assert await client.execute("INSERT INTO counted VALUES (7), (8)") == "INSERT 0 2"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="more than 3 rows"):
        async with client.transaction():
            await client.execute("DELETE FROM counted WHERE id >= $1", 0)
    assert await client.fetchval("SELECT count(*) FROM counted") == 5
    await client.close()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("TRUNCATE counted", "TRUNCATE removes rows without counting them"),
        ("DELETE FROM loose; DELETE FROM children", "several statements"),
        ("BEGIN; DELETE FROM loose WHERE id = 1; COMMIT", "several statements"),
        ("SELECT empty()", "TRUNCATE"),
        ("CALL add_and_commit()", "COMMIT or ROLLBACK"),
        ("DO $$ BEGIN DELETE FROM loose; END $$", "bypass a guardrail"),
        ("INSERT INTO late VALUES (1)", "deferrable trigger of public.late"),
    ],
)
async def test_what_can_not_be_counted_is_refused(limited: Limited, text: str, told: str) -> None:
    before = limited.held()
    for sent in (query, run) if ";" not in text.rstrip(";") else (query,):
        (error,) = [
            read_error(body) for kind, body in await (await limited.gated()).talk([(sent(text), b"Z")]) if kind == b"E"
        ]
        assert (error.sqlstate, error.detail) == ("42501", "Refused by policy web, rule guardrails.maxRowsChanged.")
        assert told in error.message
        assert error.hint
    assert limited.held() == before


async def test_the_trail_names_the_limit_and_its_rule(limited: Limited) -> None:
    client = await limited.gated()
    (error,) = [read_error(body) for kind, body in await client.ask("DELETE FROM loose") if kind == b"E"]
    assert (error.severity, error.sqlstate) == ("ERROR", "42501")
    assert error.message == "penstock: the statement changes more than 3 rows, so that it was undone"
    assert error.detail == "Refused by policy web, rule guardrails.maxRowsChanged."
    assert "WHERE" in error.hint
    (intent,), (outcome,) = await limited.gate.settled(1, "intent"), await limited.gate.settled(1)
    assert intent["decision"] == "allow"
    told = {name: outcome[name] for name in ("result", "sqlstate", "policy", "rule", "reason")}
    assert told == {
        "result": "denied", "sqlstate": "42501", "policy": "web", "rule": "guardrails.maxRowsChanged",
        "reason": "the statement changes more than 3 rows, so that it was undone",
    }  # fmt: skip
    await client.ask("DELETE FROM loose WHERE id < 3")
    outcome = (await limited.gate.settled(2))[-1]
    assert (outcome["result"], outcome["rows"], "rule" in outcome) == ("ok", 2, False)


async def test_nothing_may_be_changed_at_all(start: Start, shop: Any) -> None:
    pair = Pair(await start(shop, governed=True, more=LIMIT.format(0)), shop)
    shop.psql("INSERT INTO things VALUES (950, 'x')", "shop")
    client = await pair.gated()
    for sent in (query, run):
        assert errors(await client.talk([(sent("UPDATE things SET name = 'y' WHERE id = 950"), b"Z")])) == ["42501"]
        got = await client.talk([(sent("UPDATE things SET name = 'y' WHERE id = 951"), b"Z")])
        assert (b"C", b"UPDATE 0\x00") in got
    assert shop.psql("SELECT name FROM things WHERE id = 950", "shop").strip() == "x"
    shop.psql("DELETE FROM things WHERE id = 950", "shop")
    pair.end()


async def test_where_columns_are_masked_it_holds_as_well(limited: Limited, start: Start) -> None:
    masks = "  masks: [{columns: ['*.*.name'], with: {hash: {}}}]\n"
    gate = await start(limited.pair.server, governed=True, allow=EVERYTHING, more=LIMIT.format(3) + masks)
    pair = Pair(gate, limited.pair.server)
    client = await pair.gated()
    before = limited.held()
    for sent in (query, run):
        for text in ("UPDATE parents SET name = 'y' WHERE id < 5", "DELETE FROM parents WHERE id = 2"):
            assert errors(await client.talk([(sent(text), b"Z")])) == ["42501"]
        assert limited.held() == before
        assert errors(await client.talk([(sent("DELETE FROM children WHERE id > 10"), b"Z")])) == []
        limited.fill()
    pair.end()


async def test_both_limits_hold_together(start: Start, shop: Any) -> None:
    more = "  guardrails: {maxRowsChanged: 3, maxRowsReturned: 2}\n"
    pair = Pair(await start(shop, governed=True, more=more), shop)
    client = await pair.gated()
    text = "INSERT INTO things SELECT i FROM generate_series(960, {}) AS i"
    for sent in (query, run):
        for last, returning, told in (
            (964, "", "changes"),
            (964, " RETURNING id", "returns"),
            (962, " RETURNING id", "returns"),
        ):
            got = await client.talk([(sent(text.format(last) + returning), b"Z")])
            (error,) = [read_error(body) for kind, body in got if kind == b"E"]
            assert f"the statement {told} more than" in error.message
            assert shop.psql("SELECT count(*) FROM things WHERE id >= 960", "shop").strip() == "0"
        got = await client.talk([(sent(text.format(961) + " RETURNING id"), b"Z")])
        assert (rows(got), got[-2]) == ([[b"960"], [b"961"]], (b"C", b"INSERT 0 2\x00"))
        shop.psql("DELETE FROM things WHERE id >= 960", "shop")
    pair.end()
