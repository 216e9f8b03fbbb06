"""What is on record of statements that real servers run: each with its verbs, rows, transaction and end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sidecar.proxy.conftest import Running, Start
from tests.sidecar.proxy.raw import Pair, Raw, bind, run

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.audit.schema import complaint, missing
from penstock_core.audit.size import MAX_BODY
from penstock_sidecar.wire.messages import SYNC, execute, parse, query

SCHEMA = """
DROP SCHEMA IF EXISTS told CASCADE;
CREATE SCHEMA told AUTHORIZATION penstock;
SET ROLE penstock;
CREATE SEQUENCE told.numbers;
CREATE TABLE told.people (id int PRIMARY KEY, email text, n int DEFAULT 0);
CREATE TABLE told.pets (id int, owner int REFERENCES told.people DEFERRABLE INITIALLY DEFERRED);
CREATE PROCEDURE told.halfway() LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO told.pets VALUES (1, 1); COMMIT; END $$;
INSERT INTO told.people SELECT i, 'x' || i || '@example.com' FROM generate_series(1, 100) i;
"""
MASKS = "  masks: [{columns: ['told.people.email'], with: {hash: {}}}]\n"
DIVIDED = "SELECT id, 1/(50-id) FROM told.people ORDER BY id"


@pytest.fixture(params=["", MASKS], ids=["unmasked", "masked"])
async def gated(
    start: Start, old_or_new_shop: EmbeddedPostgres, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Running, Raw]]:
    old_or_new_shop.psql(SCHEMA, dbname="shop")
    allow = "select, insert, update, delete, create, drop"
    gate = await start(old_or_new_shop, governed=True, allow=allow, on_failure="continue", more=request.param)
    pair = Pair(gate, old_or_new_shop)
    yield gate, await pair.gated()
    pair.end()
    # Whatever a test was about: all that is on record is as it is defined.
    assert [found for event in gate.events() if (found := complaint(event) or missing(event))] == []


async def told(gate: Running, raw: Raw, sent: bytes, outcomes: int = 1) -> list[tuple[Any, ...]]:
    """Send it; what became of each statement, and how transactions ended."""
    before = len(gate.events("outcome"))
    await raw.talk([(sent, b"Z")])
    await gate.settled(before + outcomes)
    # What ends a transaction is recorded with the outcome before it, or behind it.
    await raw.talk([(query("SHOW server_version"), b"Z")])
    await gate.settled(before + outcomes + 1)
    events = [event for event in gate.events() if event["kind"] in ("outcome", "statement", "transaction")][:-1]
    return [
        (event["result"], event.get("sqlstate", ""))
        if event["kind"] == "transaction"
        else (event["result"], event["rows"], event["sqlstate"])
        for event in events
    ]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (query(DIVIDED), [("error", 49, "22012")]),
        (query(f"COPY ({DIVIDED}) TO STDOUT"), [("error", 49, "22012")]),
        (run(DIVIDED), [("error", 49, "22012")]),
        (run("SELECT id FROM told.people", rows=10), [("ok", 10, "")]),
        (
            query("BEGIN; DELETE FROM told.people WHERE id = 1; COMMIT; SELECT 1/0"),
            [("ok", 0, ""), ("ok", 1, ""), ("ok", 0, ""), ("commit", ""), ("error", 0, "22012")],
        ),
        (
            query("DELETE FROM told.people WHERE id = 1; SELECT 1/0; SELECT 2"),
            [("ok", 1, ""), ("error", 0, "22012"), ("skipped", 0, ""), ("rollback", "")],
        ),
        (run("INSERT INTO told.pets VALUES (1, 999)"), [("ok", 1, ""), ("rollback", "23503")]),
        (query("INSERT INTO told.pets VALUES (1, 999)"), [("error", 0, "23503")]),
        (
            query("BEGIN; INSERT INTO told.pets VALUES (1, 999); COMMIT"),
            [("ok", 0, ""), ("ok", 1, ""), ("error", 0, "23503"), ("rollback", "")],
        ),
        (
            query("BEGIN; SELECT 1; SAVEPOINT a; SELECT 1; ROLLBACK TO a; ROLLBACK"),
            [
                ("ok", 0, ""),
                ("ok", 1, ""),
                ("ok", 0, ""),
                ("ok", 1, ""),
                ("ok", 0, ""),
                ("ok", 0, ""),
                ("rollback", ""),
            ],
        ),
        (
            b"".join(
                parse("", one) + bind() + execute("") for one in ("SELECT 1/0", "INSERT INTO told.pets VALUES (1, 1)")
            )
            + SYNC,
            [("error", 0, "22012"), ("skipped", 0, "")],
        ),
    ],
)
async def test_each_statement_has_its_own_outcome(
    gated: tuple[Running, Raw], sent: bytes, found: list[tuple[Any, ...]]
) -> None:
    outcomes = sum(len(one) == 3 for one in found)
    assert await told(*gated, sent, outcomes) == found


async def test_what_a_procedure_committed_is_not_told_as_undone(
    gated: tuple[Running, Raw], old_or_new_shop: EmbeddedPostgres
) -> None:
    gate, raw = gated
    # The names that it is called by are as they are for all: what it does is vouched for.
    gate.write_resources(
        host="127.0.0.1", port=old_or_new_shop.port, allow="select, insert", on_failure="continue",
        more="  allowFunctions: ['told.halfway']\n",
    )  # fmt: skip
    gate.proxy.source.poll()
    sent = b"".join(parse("", one) + bind() + execute("") for one in ("CALL told.halfway()", "SELECT 1/0")) + SYNC
    assert await told(gate, raw, sent, 2) == [("ok", 0, ""), ("error", 0, "22012"), ("unknown", "")]
    assert old_or_new_shop.psql("SELECT id FROM told.pets", dbname="shop").split() == ["1"]


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("WITH d AS (DELETE FROM told.people WHERE id = 1 RETURNING id) SELECT id FROM d", "select delete"),
        ("COPY (DELETE FROM told.people WHERE id = 1 RETURNING id) TO STDOUT", "copy delete select"),
        ("INSERT INTO told.people (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1", "insert update"),
        ("SELECT id INTO told.others FROM told.people", "select create"),
        ("SELECT setval('told.numbers', 5)", "select update"),
        ("SELECT id FROM told.people WHERE id = 1 FOR UPDATE", "select update"),
    ],
)
async def test_each_write_has_its_verb(gated: tuple[Running, Raw], text: str, verbs: str) -> None:
    gate, raw = gated
    await raw.ask(text)
    (outcome,) = await gate.settled(1)
    (intent,) = gate.events("intent")
    assert intent["verbs"] == verbs.split(), outcome


@pytest.mark.parametrize(
    "text",
    [
        "CREATE USER bob 'hunter2'",
        "SELECT 'hunter2",
        "SELECT $$hunter2",
        "SELECT /* hunter2",
        "SELECT E'hunter2\\",
        "SET client_encoding = 'hunter2'",
        "SET client_encoding TO hunter2",
        "SET app.token TO hunter2",
        "COPY told.people TO STDOUT (NULL hunter2)",
        "COPY told.people FROM STDIN NULL hunter2",
        "SELECT set_config('hunter2', 'hunter2', false)",
        "SELECT 1hunter2",
        "ALTER ROLE bob PASSWORD 'hunter2'",
        "SELECT 1; SET app.token TO hunter2",
        "SELECT 'hunter2'::int",
        "SET TIME ZONE 'hunter2'",
    ],
)
async def test_no_value_is_in_the_trail(gated: tuple[Running, Raw], text: str) -> None:
    gate, raw = gated
    await raw.ask(text)
    await gate.settled(1)
    assert "hunter2" not in str(gate.events())


async def test_large_statements_are_recorded_whole_or_cut(gated: tuple[Running, Raw]) -> None:
    gate, raw = gated
    texts = [
        f"SELECT count(*) FROM told.people WHERE id IN ({','.join(map(str, range(40_000)))})",
        f"DROP DATABASE {'x' * 250_000}",
        "SELECT 1 WHERE 1 IN (" + ",".join(f"${number}::int4" for number in range(1, 20_000)) + ")",
        ";".join(f"SELECT {number} AS {'x' * 5000}" for number in range(50)),
    ]
    for text in texts:
        await raw.talk([(query(text), b"Z")])
    await gate.settled(53)
    intents = gate.events("intent")
    assert len(intents) == 53
    assert all(len(str(event)) < MAX_BODY * 1.2 and event["verbs"] for event in intents)
    assert [event["truncated"] for event in intents if "truncated" in event]
